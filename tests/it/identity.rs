//! Who a peer is, in a run: names, addresses and ports that the scenario states, by each rule set.

use crate::reading::read;
use refresh_sim::measure::RecordKind;
use refresh_sim::scenario::{load, render};
use refresh_sim::sim::{Names, Unwatched, run};
use refresh_sim::validate::Rejection;

/// Which peers were refused and why, each once.
fn refused(validator: &str, groups: &str) -> Vec<(String, Rejection)> {
    let scenario = format!(
        "schema = 1\nsemantics = 1\n[run]\nhorizon = \"10m\"\n[validation]\nvalidator = \"{validator}\"\n{groups}"
    );
    let plan = read(&scenario);
    let again = load("it", "it.toml", render(&plan).as_bytes(), &[]).expect("its own plan reads");
    assert_eq!(plan.groups, again.groups, "written and read again");
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    let mut refused: Vec<(String, Rejection)> = Vec::new();
    for record in &outcome.records {
        if let (RecordKind::Rejected { reason, .. }, Some(peer)) = (&record.kind, record.peer) {
            let found = (Names::new(&plan).peer(peer), *reason);
            if !refused.contains(&found) {
                refused.push(found);
            }
        }
    }
    refused
}

#[test]
fn that_the_product_lets_in_whom_it_cannot_check_is_an_assumption_of_the_plan() {
    let assumed = |validator: &str| {
        let scenario = format!(
            "schema = 1\nsemantics = 1\n[run]\nhorizon = \"10m\"\n[validation]\nvalidator = \"{validator}\"\n\
             [[group]]\nname = \"t\"\ntransport = \"tls\"\ncertificate = \"revocation-unknown\"\n"
        );
        let plan = read(&scenario);
        render(&plan).contains("certificate = \"revocation-unknown\"  # assumed: the product lets in")
    };
    assert!(assumed("sfb2015-cu2"));
    assert!(!assumed("rfc5922"));
}

fn nobody() -> Vec<(String, Rejection)> {
    Vec::new()
}

fn only(who: &str, reason: Rejection) -> Vec<(String, Rejection)> {
    vec![(who.to_owned(), reason)]
}

#[test]
fn rule_24_a_wildcard_is_taken_by_rfc_9525_alone() {
    let group = r#"
[[group]]
name = "trunk"
transport = "tls"
pool = "trunk.contoso.com"
names = { subject = "contoso.com", dns = ["*.contoso.com"] }
"#;
    assert_eq!(refused("rfc9525", group), nobody());
    assert_eq!(refused("rfc5922", group), only("trunk", Rejection::WildcardRefused));
    assert_eq!(refused("sfb2015-cu2", group), only("trunk", Rejection::WildcardRefused));
}

#[test]
fn rule_24_one_computer_that_the_certificate_leaves_out_is_refused_alone() {
    let group = r#"
[[group]]
name = "ivr"
count = 4
transport = "tls"
pool = "ivr.contoso.com"
computer = "ivr{index}.contoso.com"
names = { subject = "ivr0.contoso.com", dns = ["ivr0.contoso.com", "IVR1.contoso.com", "ivr3.contoso.com"] }
"#;
    for validator in ["sfb2015-cu2", "sfb2015-rtm", "tls-only", "rfc5922", "rfc9525"] {
        assert_eq!(refused(validator, group), only("ivr/2", Rejection::CertificateName), "{validator}");
    }
}

#[test]
fn rule_24_a_tcp_peer_is_known_by_address_and_port_whoever_it_says_it_is() {
    let groups = |address: &str, port: u16| {
        format!(
            r#"
[[group]]
name = "gateway"
count = 3
transport = "tcp"
address = "192.0.2.1"
listed = {{ address = "192.0.2.2", port = 5062 }}
port = 5062
[[group]]
name = "stranger"
transport = "tcp"
known = false
address = "{address}"
port = {port}
"#
        )
    };
    // Of the gateways the first comes from an address that is not listed; the stranger borrows one that is.
    let first = ("gateway/0".to_owned(), Rejection::AddressUnknown);
    assert_eq!(refused("sfb2015-cu2", &groups("192.0.2.4", 5062)), vec![first.clone()]);
    let other_port = ("stranger".to_owned(), Rejection::PortUnknown);
    assert_eq!(refused("sfb2015-cu2", &groups("192.0.2.4", 5060)), vec![first.clone(), other_port]);
    let nobody = ("stranger".to_owned(), Rejection::AddressUnknown);
    assert_eq!(refused("rfc9525", &groups("192.0.2.5", 5062)), vec![first, nobody]);
}

#[test]
fn rule_24_every_state_of_a_certificate_has_a_reason_of_its_own() {
    let of = |state: &str, validator| {
        refused(validator, &format!("[[group]]\nname = \"t\"\ntransport = \"tls\"\ncertificate = \"{state}\"\n"))
    };
    let reasons = [
        ("none", Rejection::CertificateMissing),
        ("expired", Rejection::CertificateExpired),
        ("not-yet-valid", Rejection::CertificateNotYetValid),
        ("wrong-name", Rejection::CertificateName),
        ("untrusted", Rejection::CertificateUntrusted),
        ("self-signed", Rejection::CertificateSelfSigned),
        ("incomplete-chain", Rejection::ChainIncomplete),
        ("revoked", Rejection::CertificateRevoked),
    ];
    for (state, reason) in reasons {
        for validator in ["sfb2015-cu2", "rfc5922", "rfc9525"] {
            assert_eq!(of(state, validator), only("t", reason), "{state} {validator}");
        }
    }
    assert_eq!(of("valid", "rfc9525"), nobody());
    assert_eq!(of("revocation-unknown", "sfb2015-cu2"), nobody(), "the product lets it in");
    assert_eq!(of("revocation-unknown", "rfc5922"), only("t", Rejection::RevocationUnknown));
}
