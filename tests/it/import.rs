//! Real deployments as scenarios: what is read, what is refused, what follows, and that no input brings it down.

mod archives;
mod bounds;
mod inventories;
mod scenarios;

use std::io::Cursor;

use refresh_sim::import::{Deployment, ImportError, Options, Written, scenario, topology};

/// The published form.
const PUBLISHED: &str = include_str!("../../scenarios/topology/fabrikam.xml");
/// The same in Topology Builder's, with a byte-order mark.
const BUILDER: &str = include_str!("import/fabrikam.tbxml");

fn read(bytes: impl AsRef<[u8]>) -> Result<Deployment, ImportError> {
    topology(Cursor::new(bytes))
}

#[track_caller]
fn deployment(text: &str) -> Deployment {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Why `text` is refused.
#[track_caller]
fn refused(text: &str) -> String {
    read(text).expect_err("it is refused").to_string()
}

fn written(deployment: &Deployment) -> Written {
    scenario(deployment, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// `text` with one thing changed, which must be there.
#[track_caller]
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is in the document");
    text.replacen(from, to, 1)
}

/// As Windows PowerShell writes it: UTF-16, little end first, with a mark and CR LF.
fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{}", text.replace('\n', "\r\n")).encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn both_forms_give_the_same_deployment() {
    let (published, mut builder) = (deployment(PUBLISHED), deployment(BUILDER));
    assert_eq!(published.front_ends[0].servers.len(), 3);
    assert_eq!(published.sites[0].name, "Hamburg");
    let ids: Vec<_> = published.applications.iter().flat_map(|pool| &pool.applications).map(|it| &it.id).collect();
    assert_eq!(ids, ["routing", "recording", "rcc"]);
    assert_eq!(published.applications[1].computers[0].address, Some([192, 0, 2, 40].into()));
    builder.ignored.clone_from(&published.ignored);
    assert_eq!(published, builder);
}

#[test]
fn every_encoding_gives_the_same_deployment() {
    for document in [PUBLISHED, BUILDER] {
        let plain = document.trim_start_matches('\u{feff}');
        let expected = deployment(plain);
        for bytes in [utf16(plain), format!("\u{feff}{plain}").into_bytes(), plain.replace('\n', "\r\n").into_bytes()] {
            assert_eq!(read(bytes), Ok(expected.clone()));
        }
    }
}

#[test]
fn what_is_not_known_is_passed_over_and_named() {
    let odd = with(PUBLISHED, "<Sites>", "<NewThing a='1'><Deeper/>text &amp; more</NewThing><!-- x --><?pi?><Sites>");
    let odd = with(&odd, "<Clusters>", "<Clusters NewAttribute='7' xml:space='preserve'>");
    let (plain, odd) = (deployment(PUBLISHED), deployment(&odd));
    assert_eq!((&plain.front_ends, &plain.applications), (&odd.front_ends, &odd.applications));
    assert!(
        odd.ignored.iter().any(|it| it.contains("2 elements") && it.contains("Deeper, NewThing")),
        "{:?}",
        odd.ignored
    );
}

#[test]
fn namespaces_and_prefixes_and_generations_do_not_matter() {
    let prefixed = PUBLISHED
        .replace("xmlns=\"urn:schema:Microsoft.Rtc.Management.Deploy.Topology.2008\"", "xmlns:t=\"urn:other:2021\"")
        .replace("<Cluster ", "<t:Cluster ")
        .replace("</Cluster>", "</t:Cluster>")
        .replace("<Service ", "<t:Service ")
        .replace("</Service>", "</t:Service>");
    assert_eq!(deployment(&prefixed), deployment(PUBLISHED));
}

#[test]
fn tcp_ports_of_a_healthy_server_are_no_trusted_applications() {
    let healthy = with(PUBLISHED, "Port=\"5065\" Protocol=\"Tcp\"", "Port=\"5065\" Protocol=\"Mtls\"");
    let deployment = deployment(&healthy);
    let text = written(&deployment).text;
    assert!(!text.contains("transport = \"tcp\""), "{text}");
    assert!(deployment.ignored.iter().any(|it| it.starts_with("6 TCP ports") && it.contains("WinFab")));
    // Even within an application's pool: only ports for SIP count.
    let other = with(
        PUBLISHED,
        "Usage=\"SipServer\" InterfaceSide=\"Primary\" InterfaceNumber=\"1\" Port=\"5065\"",
        "Usage=\"TURNServer\" InterfaceSide=\"Primary\" InterfaceNumber=\"1\" Port=\"5065\"",
    );
    let deployment = self::deployment(&other);
    assert_eq!(deployment.applications.len(), 1);
    assert!(deployment.ignored.iter().any(|it| it.contains("not SipServer")), "{:?}", deployment.ignored);
}

#[test]
fn what_is_needed_and_not_there_is_told_with_line_and_column() {
    for (from, to, message) in [
        (" Fqdn=\"contact.fabrikam.example\"", "", "27:5: <Cluster> has no Fqdn, which is needed here"),
        (" Fqdn=\"contact01.fabrikam.example\"", "", "29:7: <Machine> has no Fqdn"),
        ("<ClusterId SiteId=\"1\" Number=\"2\" />", "<ClusterId SiteId=\"1\" />", "28:7: <ClusterId> has no Number"),
        (" Port=\"5065\"", "", "129:9: <Port> has no Port"),
        ("Owner=\"urn:application:rcc\" ", "", "129:9: <Port> has no Owner"),
        (
            " Protocol=\"Tcp\" UrlPath=\"/\" AuthorizesRequests=\"true\" GruuType=\"rcc\"",
            "",
            "129:9: <Port> has no Protocol",
        ),
        (
            "Port=\"5065\"",
            "Port=\"70000\"",
            "129:105: Port=\"70000\" of <Port> is not accepted: expected a number from 1",
        ),
        (
            "Protocol=\"Tcp\" UrlPath=\"/\" AuthorizesRequests=\"true\"",
            "Protocol=\"Udp\"",
            "129:117: Protocol=\"Udp\" of <Port>",
        ),
        ("IPAddress=\"192.0.2.40\"", "IPAddress=\"192.0.2.400\"", "39:67: IPAddress=\"192.0.2.400\""),
        (" IPAddress=\"192.0.2.40\"", "", "39:9: <NetInterface> has no IPAddress"),
        ("SiteId=\"1\" RoleName=\"ExternalServer\"", "SiteId=\"1\"", "has no RoleName"),
    ] {
        let message_is = refused(&with(PUBLISHED, from, to));
        assert!(message_is.contains(message), "{from}: {message_is}");
    }
}

#[test]
fn references_that_lead_nowhere_are_errors_at_their_service() {
    let on = "<InstalledOn>\n        <ClusterId SiteId=\"1\" Number=\"3\" />";
    let text = refused(&with(PUBLISHED, on, "<InstalledOn>\n        <ClusterId SiteId=\"1\" Number=\"9\" />"));
    assert!(text.contains("refers to cluster 9 of site 1, which is nowhere"), "{text}");
    let at = PUBLISHED.rfind("RoleName=\"Registrar\" Instance=\"1\"").expect("the last dependency");
    let text = format!("{}RoleName=\"Registrar\" Instance=\"7\"{}", &PUBLISHED[..at], &PUBLISHED[at + 33..]);
    assert!(refused(&text).contains("refers to registrar 7 of site 1"), "{}", refused(&text));
    let text = refused(&with(BUILDER, "InstalledOn=\"00000003-", "InstalledOn=\"0000000f-"));
    assert!(text.contains("refers to the cluster 0000000f-"), "{text}");
    assert!(refused(&with(PUBLISHED, on, "<InstalledOn>")).contains("<Service> has no InstalledOn"));
}

#[test]
fn a_document_without_a_topology_says_what_it_is_and_what_would_do() {
    let text = refused("<html><body/></html>");
    assert!(text.contains("begins with <html>") && text.contains("Get-CsTopology -AsXml"), "{text}");
    assert!(refused("").contains("no <Topology>"));
    assert!(refused("<Topology/>").contains("no <Topology>"));
    let at = PUBLISHED.find("<Services>").expect("services");
    assert!(refused(&PUBLISHED[..at]).contains("cut off"), "{}", refused(&PUBLISHED[..at]));
    assert!(refused(&PUBLISHED[..at + 5]).contains("not well-formed"), "{}", refused(&PUBLISHED[..at + 5]));
}

#[test]
fn only_the_first_topology_with_anything_in_it_counts() {
    let twice = format!("<All><Topology/>{PUBLISHED}{PUBLISHED}</All>");
    let deployment = deployment(&twice);
    assert_eq!(deployment.applications.len(), 2);
    assert!(
        deployment.ignored.iter().any(|it| it.starts_with("1 topologies after the first")),
        "{:?}",
        deployment.ignored
    );
}
