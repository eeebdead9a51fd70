//! Inventories: tables as spreadsheets write them, and what is wrong with them.

use refresh_sim::import::{Deployment, ImportError, inventory};
use refresh_sim::scenario::load;

use super::{utf16, written};

const TABLE: &str = "\
Name,Pool,Address,Transport,Port,Certificate,Owner
routing,contact.fabrikam.example,192.0.2.10,mtls,6001,valid,team a
routing,contact.fabrikam.example,192.0.2.11,MTLS,6001,valid,\"team b, \"\"night\"\"\"
rcc,,192.0.2.40,tcp,5065,,
old,legacy.fabrikam.example,,tls,,expired,
";

fn read(text: impl AsRef<[u8]>) -> Result<Deployment, ImportError> {
    inventory(text.as_ref())
}

fn refused(text: &str) -> String {
    read(text).expect_err("it is refused").to_string()
}

#[test]
fn a_table_becomes_groups_and_rows_that_count_up_are_one() {
    let deployment = read(TABLE).expect("a table");
    assert_eq!(deployment.applications.len(), 3);
    assert_eq!(deployment.ignored, ["columns of other names: owner"]);
    let written = written(&deployment);
    let plan = load("inventory", "inventory", written.text.as_bytes(), &[]).unwrap_or_else(|error| panic!("{error}"));
    let groups: Vec<_> = plan.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(groups, ["routing@contact.fabrikam.example", "rcc@rcc", "old@legacy.fabrikam.example"]);
    assert_eq!(plan.peers(), 4);
    assert!(written.text.contains("certificate = \"expired\""), "{}", written.text);
}

#[test]
fn semicolons_tabs_and_utf16_are_read_as_well() {
    let expected = read(TABLE).expect("a table");
    let plain = TABLE.replace("team a", "team").replace("\"team b, \"\"night\"\"\"", "team");
    for text in [plain.replace(',', ";"), plain.replace(',', "\t"), plain.clone()] {
        assert_eq!(read(&text).as_ref(), Ok(&expected), "{text}");
        assert_eq!(read(utf16(&text)).as_ref(), Ok(&expected));
    }
}

#[test]
fn a_wrong_field_is_told_with_its_line_its_column_and_what_would_do() {
    for (from, to, message) in [
        ("192.0.2.11", "192.0.2", "3:3: column `address`: \"192.0.2\" is not accepted: expected an IPv4 or IPv6"),
        (",tcp,", ",udp,", "4:4: column `transport`: \"udp\" is not accepted: expected tcp, tls or mtls"),
        ("5065", "0", "4:5: column `port`: \"0\""),
        ("expired", "gone", "5:6: column `certificate`: \"gone\" is not accepted: expected valid, none, expired"),
        ("5065,,", "5065,valid,", "4:6: column `certificate`: \"valid\" is not accepted: expected none or nothing"),
        ("rcc,", ",", "4:1: column `name`: \"\" is not accepted: expected a name"),
    ] {
        let text = refused(&super::with(TABLE, from, to));
        assert!(text.starts_with(message), "{text}");
    }
}

#[test]
fn a_table_without_a_usable_heading_is_told_so() {
    assert!(refused("").contains("`name` is not among them"));
    assert!(refused("a,b\n1,2\n").contains("it has a, b; there may be name, pool"), "{}", refused("a,b\n1,2\n"));
    assert!(refused("name,transport,NAME\n").contains("`name` twice"));
    let none = read("name,transport\n").expect("an empty table");
    let error = refresh_sim::import::scenario(&none, &refresh_sim::import::Options::default());
    assert!(error.expect_err("nothing").to_string().contains("no trusted application"));
}

#[test]
fn a_quotation_mark_that_nobody_closes_does_not_swallow_a_file() {
    let text = format!("name,transport\n\"a,tls\n{}", "b,tls\n".repeat(20_000));
    assert!(refused(&text).contains("is a quotation mark missing?"), "{}", refused(&text));
}

#[test]
fn too_many_rows_are_refused() {
    let text = format!("name,transport\n{}", "a,tls\n".repeat(500_001));
    assert!(refused(&text).contains("more than 500000 rows"), "{}", refused(&text));
}
