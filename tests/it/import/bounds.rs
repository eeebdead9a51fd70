//! Size: what a large document costs, and that no bytes at all bring the import down.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use refresh_sim::import::{Options, inventory, scenario};

use super::{BUILDER, PUBLISHED, read};

/// A document of about so many bytes, with much that counts and much that does not: application pools of three
/// computers and two applications each, and the services and ports of the product around them.
fn large(bytes: usize) -> String {
    let clusters_end = PUBLISHED.find("  </Clusters>").expect("clusters");
    let services_end = PUBLISHED.find("  </Services>").expect("services");
    let (mut clusters, mut services) = (String::new(), String::new());
    let mut pools = 0;
    while clusters.len() + services.len() + PUBLISHED.len() < bytes {
        pools += 1;
        let number = pools + 100;
        let _ = writeln!(
            clusters,
            "    <Cluster RequiresReplication=\"true\" RequiresSetup=\"true\" Fqdn=\"apps{pools}.fabrikam.example\">\n      <ClusterId SiteId=\"1\" Number=\"{number}\" />"
        );
        for computer in 1..=3 {
            let _ = writeln!(
                clusters,
                "      <Machine OrdinalInCluster=\"{computer}\" Fqdn=\"apps{pools}-{computer}.fabrikam.example\">\n        <NetInterface InterfaceSide=\"Primary\" InterfaceNumber=\"1\" IPAddress=\"0.0.0.0\" />\n      </Machine>"
            );
        }
        clusters += "    </Cluster>\n";
        let _ = writeln!(
            services,
            "    <Service RoleVersion=\"1\" ServiceVersion=\"7\">\n      <ServiceId SiteId=\"1\" RoleName=\"ExternalServer\" Instance=\"{number}\" />\n      <DependsOn>\n        <Dependency Usage=\"Default\">\n          <ServiceId SiteId=\"1\" RoleName=\"Registrar\" Instance=\"1\" />\n        </Dependency>\n      </DependsOn>\n      <InstalledOn>\n        <ClusterId SiteId=\"1\" Number=\"{number}\" />\n      </InstalledOn>\n      <Ports xmlns=\"urn:schema:Microsoft.Rtc.Management.Deploy.ServiceRoles.2008\">"
        );
        for application in 1..=2 {
            let _ = writeln!(
                services,
                "        <Port Owner=\"urn:application:app{application}\" Usage=\"SipServer\" InterfaceSide=\"Primary\" InterfaceNumber=\"1\" Port=\"600{application}\" Protocol=\"Mtls\" UrlPath=\"/\" AuthorizesRequests=\"true\" GruuType=\"app\" />"
            );
        }
        services += "      </Ports>\n    </Service>\n";
        let _ = writeln!(
            services,
            "    <Service RoleVersion=\"1\" ServiceVersion=\"7\">\n      <ServiceId SiteId=\"1\" RoleName=\"WebServices\" Instance=\"{number}\" />\n      <InstalledOn>\n        <ClusterId SiteId=\"1\" Number=\"1\" />\n      </InstalledOn>\n      <Ports>"
        );
        for port in 0..8 {
            let _ = writeln!(
                services,
                "        <Port Owner=\"urn:component:Reach\" Usage=\"PsomServer\" InterfaceSide=\"Primary\" InterfaceNumber=\"1\" Port=\"806{port}\" Protocol=\"Tcp\" UrlPath=\"/\" AuthorizesRequests=\"false\" />"
            );
        }
        services += "      </Ports>\n    </Service>\n";
    }
    let (head, rest) = PUBLISHED.split_at(clusters_end);
    let (middle, tail) = rest.split_at(services_end - clusters_end);
    [head, &clusters, middle, &services, tail].concat()
}

/// Imports a file of so many bytes in a process of its own, with at most so much address space; the most memory that
/// was seen resident, in KiB.
fn import_within(bytes: usize, limit_kib: u64) -> u64 {
    let home = tempfile::tempdir().expect("a folder");
    let document = large(bytes);
    assert!(document.len() >= bytes && document.len() < bytes + 10_000);
    fs::write(home.path().join("large.xml"), &document).expect("written");
    let program = env!("CARGO_BIN_EXE_refresh-sim");
    let script = format!("ulimit -v {limit_kib} && exec {program} import topology large.xml --out large.toml");
    let mut child = Command::new("sh").args(["-c", &script]).current_dir(home.path()).spawn().expect("a shell");
    let mut most = 0;
    let status = loop {
        let seen = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = seen.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0));
        if let Some(status) = child.try_wait().expect("it is ours") {
            break status;
        }
        thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(status.code(), Some(0), "within {limit_kib} KiB");
    let groups = fs::read_to_string(home.path().join("large.toml")).expect("text").matches("[[group]]").count();
    assert_eq!(groups, 3 + 2 * document.matches("Fqdn=\"apps").count() / 4);
    most
}

#[test]
fn memory_grows_with_what_counts_not_with_the_file() {
    // Within 256 MiB of address space, libraries and stacks included.
    assert!(import_within(4_000_000, 256 * 1024) > 0);
}

#[test]
#[ignore = "long: 50 MB; prints what it takes"]
fn fifty_megabytes_import_in_bounded_memory() {
    let most = import_within(50_000_000, 512 * 1024);
    println!("50 MB: at most {} MiB resident", most / 1024);
}

#[test]
fn many_services_on_one_large_cluster_do_not_multiply() {
    let machines: String = (0..2_000).map(|nth| format!("<Machine Fqdn=\"m{nth}\"/>")).collect();
    let service = "<Service><ServiceId SiteId=\"1\" RoleName=\"ExternalServer\" Instance=\"1\"/><InstalledOn><ClusterId \
                   SiteId=\"1\" Number=\"1\"/></InstalledOn></Service>";
    let text = format!(
        "<Topology><Clusters><Cluster Fqdn=\"c\"><ClusterId SiteId=\"1\" Number=\"1\"/>{machines}</Cluster></Clusters>\
         <Services>{}</Services></Topology>",
        service.repeat(2_000)
    );
    let error = read(text).expect_err("refused").to_string();
    assert!(error.contains("more than 500000"), "{error}");
}

#[test]
fn names_that_are_all_the_same_are_numbered_without_delay() {
    let port = "<Port Owner=\"urn:application:a\" Usage=\"SipServer\" Port=\"5\" Protocol=\"Mtls\"/>".repeat(60_000);
    let text = format!(
        "<Topology><Cluster Fqdn=\"c\"><ClusterId SiteId=\"1\" Number=\"1\"/></Cluster><Service><ServiceId SiteId=\"1\" \
         RoleName=\"ExternalServer\" Instance=\"1\"/><InstalledOn><ClusterId SiteId=\"1\" Number=\"1\"/></InstalledOn>\
         <Ports>{port}</Ports></Service></Topology>"
    );
    let deployment = read(text).expect("a deployment");
    let text = scenario(&deployment, &Options::default()).expect("a scenario").text;
    assert!(text.contains("\"a@c\"") && text.contains("\"a@c:5\"") && text.contains("\"a@c#59999\""));
}

#[test]
fn what_is_kept_is_bounded_however_small_it_is_written() {
    let machines = "<Machine/>".repeat(500_001);
    let text = format!("<Topology><Clusters><Cluster>{machines}</Cluster></Clusters></Topology>");
    let error = read(text).expect_err("refused").to_string();
    assert!(error.contains("more than 500000 clusters, machines and ports"), "{error}");
}

/// Everything that is done with a document, whatever it is.
fn survive(bytes: &[u8]) {
    if let Ok(deployment) = read(bytes) {
        let _ = scenario(&deployment, &Options::default());
    }
    if let Ok(deployment) = inventory(bytes) {
        let _ = scenario(&deployment, &Options::default());
    }
}

/// A document with pieces cut out, doubled, swapped or overwritten.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0usize..200, 0u8..4, any::<u8>());
    (prop::bool::ANY, prop::collection::vec(change, 1..12)).prop_map(|(published, changes)| {
        let mut bytes = if published { PUBLISHED } else { BUILDER }.as_bytes().to_vec();
        for (at, length, kind, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let from = at.index(bytes.len());
            let to = (from + length).min(bytes.len());
            match kind {
                0 => drop(bytes.drain(from..to)),
                1 => bytes[from] = byte,
                2 => {
                    let piece = bytes[from..to].to_vec();
                    bytes.splice(from..from, piece);
                }
                _ => bytes[from..to].reverse(),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        survive(&bytes);
    }

    #[test]
    fn arbitrary_markup_never_panics(text in "[<>/=\"'&;! ?\\[\\]A-Ca-c\u{e9}\n-]{0,400}") {
        survive(format!("<Topology>{text}").as_bytes());
        survive(text.as_bytes());
    }

    #[test]
    fn mutated_documents_never_panic(bytes in mutated()) {
        survive(&bytes);
    }
}
