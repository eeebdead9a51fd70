//! `refresh-sim import` as a user meets it.

use super::{TOPOLOGY, with_topology};

#[test]
fn a_topology_imports_and_its_scenario_runs_and_shows_the_crash() {
    let home = with_topology();
    let ran = home.run(&["import", "topology", "fabrikam.xml"]).ends(0, &["read: ", "assumed: ", "ignored: 6 TCP"]);
    insta::assert_snapshot!("import_topology", ran.out);
    home.file("imported.toml", &ran.out);
    let ran = home.run(&["run", "imported.toml"]).ends(1, &[]);
    assert!(ran.out.contains("rcc@192.0.2.40"), "{}", ran.out);
    let fixed = home.run(&["import", "topology", "fabrikam.xml", "--build", "6.0.9319.235"]).ends(0, &[]);
    home.file("fixed.toml", &fixed.out);
    home.run(&["run", "fixed.toml"]).ends(0, &[]);
}

#[test]
fn out_writes_a_file_and_never_over_another_unasked() {
    let home = with_topology();
    let args = ["import", "topology", "fabrikam.xml", "--out", "made.toml"];
    assert_eq!(home.run(&args).ends(0, &["written: made.toml"]).out, "");
    home.run(&args).ends(2, &["made.toml is already there", "--force"]);
    home.run(&[&args[..], &["--force"]].concat()).ends(0, &[]);
    home.run(&["import", "topology", "fabrikam.xml", "--out", "no/where.toml"])
        .ends(8, &["cannot write no/where.toml"]);
}

#[test]
fn what_cannot_be_imported_is_told_with_its_place() {
    let home = with_topology();
    home.file("bad.xml", &TOPOLOGY.replace("Port=\"5065\"", "Port=\"x\""));
    home.run(&["import", "topology", "bad.xml"]).ends(2, &["error: bad.xml:129:105: Port=\"x\" of <Port>"]);
    home.run(&["import", "topology", "s.toml"]).ends(2, &["error: s.toml: it has no <Topology>"]);
    home.run(&["import", "topology", "missing.xml"]).ends(2, &["no such file"]);
    home.run(&["import", "topology", "."]).ends(2, &["a folder"]);
    home.run(&["import", "topology", "fabrikam.xml", "--build", "5.0.8308.0"]).ends(2, &["6.0.9319.0"]);
    home.run(&["import", "topology", "fabrikam.xml", "--pool", "x"]).ends(2, &["there are: pool01.fabrikam.example"]);
    home.file("none.xml", &TOPOLOGY.replace("ExternalServer", "EdgeServer"));
    home.run(&["import", "topology", "none.xml"]).ends(4, &["no trusted application"]);
}

#[test]
fn an_inventory_imports_and_runs() {
    let home = with_topology();
    home.file("peers.csv", "name;transport;address\nrcc;tcp;192.0.2.40\nrouting;tls;\n");
    let ran = home.run(&["import", "inventory", "peers.csv"]).ends(0, &["assumed: "]);
    home.file("peers.toml", &ran.out);
    home.run(&["run", "peers.toml"]).ends(1, &[]);
    home.file("peers.csv", "name;transport\nrcc;sctp\n");
    home.run(&["import", "inventory", "peers.csv"]).ends(2, &["error: peers.csv:2:2: column `transport`", "mtls"]);
}
