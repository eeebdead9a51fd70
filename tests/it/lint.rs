//! What is said of a plan without running it, held against what running it shows.

use std::io::Cursor;

use crate::reading::read as plan;
use refresh_sim::import::{Build, Deployment, Options, scenario, topology};
use refresh_sim::lint::{Finding, Kind, Severity, lint};
use refresh_sim::measure::RecordKind;
use refresh_sim::scenario::Plan;
use refresh_sim::sim::{Names, Unwatched, run};
use refresh_sim::time::{Span, Time};

const TOPOLOGY: &str = include_str!("../../scenarios/topology/fabrikam.xml");

const INCIDENT: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "3d"
epoch = "2015-07-11T15:32:42Z"
[refresh]
every = "24h"
[validation]
validator = "sfb2015-rtm"
[[group]]
name = "contact-centre"
transport = "tls"
[[group]]
name = "rcc"
transport = "tcp"
"#;

fn findings(text: &str) -> Vec<Finding> {
    lint(&plan(text), None)
}

#[track_caller]
fn with(from: &str, to: &str) -> String {
    assert!(INCIDENT.contains(from), "{from:?}");
    INCIDENT.replacen(from, to, 1)
}

#[track_caller]
fn only(findings: &[Finding], kind: Kind) -> &Finding {
    let mut those = findings.iter().filter(|finding| finding.kind == kind);
    let first = those.next().unwrap_or_else(|| panic!("no {kind:?} in {findings:#?}"));
    assert!(those.next().is_none(), "two of {kind:?}");
    first
}

fn none(findings: &[Finding], kind: Kind) -> bool {
    findings.iter().all(|finding| finding.kind != kind)
}

fn imported(document: &str, build: &str) -> (Plan, Deployment) {
    let deployment = topology(Cursor::new(document)).unwrap_or_else(|error| panic!("{error}"));
    let options = Options { build: Some(build.parse::<Build>().expect("a build")), ..Options::default() };
    let written = scenario(&deployment, &options).expect("a scenario");
    (plan(&written.text), deployment)
}

#[test]
fn the_instant_of_the_crash_is_that_of_the_run() {
    for change in [
        ("every = \"24h\"", "every = \"24h\""),
        ("every = \"24h\"", "every = \"7h\""),
        ("every = \"24h\"", "every = \"24h\"\nanchor = \"wall-clock\"\noffset = \"3h\""),
        ("[refresh]", "[front_end]\nstart_up = \"10m\"\n[refresh]"),
        (
            "[validation]",
            "[[timeline]]\nat = \"10h\"\ndo = \"patch\"\nfront_end = \"fe01\"\naway = \"5m\"\n[validation]",
        ),
    ] {
        let text = with(change.0, change.1);
        let found = findings(&text);
        let said = only(&found, Kind::Crash).at.expect("a time");
        let ran = run(&plan(&text), &mut Unwatched).expect("it runs").crashes.first().expect("it crashes").at;
        // The run adds the peer's turn in the queue to the tick.
        assert!(ran >= said && ran.since(said) < Span::SECOND, "{change:?}: said {said}, was {ran}");
    }
}

#[test]
fn a_crash_beyond_the_end_of_the_run_is_found_all_the_same() {
    let found = findings(&with("horizon = \"3d\"", "horizon = \"23h\""));
    let crash = only(&found, Kind::Crash);
    assert!(crash.text.contains("beyond the end of the run"), "{}", crash.text);
    assert_eq!(only(&found, Kind::NothingRefreshed).severity, Severity::Warns);
    let ran = run(&plan(&with("horizon = \"3d\"", "horizon = \"23h\"")), &mut Unwatched).expect("it runs");
    assert!(ran.crashes.is_empty(), "a run does not show it");
}

#[test]
fn what_ends_the_crash_ends_the_finding() {
    for change in [
        ("sfb2015-rtm", "sfb2015-cu2"),
        ("transport = \"tcp\"", "transport = \"tls\""),
        ("every = \"24h\"", "every = \"24h\"\ntransports = [\"tls\"]"),
        ("every = \"24h\"", "every = \"24h\"\naction = \"reconnect\""),
        (
            "[validation]",
            "[[timeline]]\nat = \"10h\"\ndo = \"patch\"\nfront_end = \"fe01\"\naway = \"5m\"\nvalidator = \"sfb2015-cu2\"\n[validation]",
        ),
    ] {
        let text = with(change.0, change.1);
        assert!(none(&findings(&text), Kind::Crash), "{change:?}");
        assert!(run(&plan(&text), &mut Unwatched).expect("it runs").crashes.is_empty(), "{change:?}");
    }
}

#[test]
fn tcp_is_always_told_and_does_harm_only_on_an_old_build() {
    let (old, new) = (findings(INCIDENT), findings(&with("sfb2015-rtm", "sfb2015-cu2")));
    let crash = only(&old, Kind::Crash);
    assert!(
        crash.text.contains("6.0.9319.235") && crash.text.contains("1d after each service start"),
        "{}",
        crash.text
    );
    assert!(crash.text.contains("2015-07-12 15:34:47"), "{}", crash.text);
    assert!(crash.steps.iter().any(|step| step.contains("6.0.9319.235 or later")));
    let tcp = only(&new, Kind::Tcp);
    assert_eq!(tcp.severity, Severity::Notes);
    assert!(tcp.text.contains("cannot use IPv6"), "{}", tcp.text);
}

#[test]
fn what_is_refused_is_never_refreshed_and_so_crashes_nothing() {
    let v6 = findings(&with("transport = \"tcp\"", "transport = \"tcp\"\naddress = \"2001:db8::7\""));
    assert!(none(&v6, Kind::Crash));
    assert!(only(&v6, Kind::Ipv6).text.contains("2001:db8::7"));
    let unknown = findings(&with("transport = \"tcp\"", "transport = \"tcp\"\nknown = false"));
    assert!(only(&unknown, Kind::Refused).text.contains("no trusted server has this address"));
    for (state, reason) in
        [("none", "no certificate"), ("expired", "has expired"), ("wrong-name", "names another"), ("untrusted", "root")]
    {
        let text = with("transport = \"tls\"", &format!("transport = \"tls\"\ncertificate = \"{state}\""));
        let found = findings(&text);
        let refused = only(&found, Kind::Refused);
        assert!(refused.text.contains(reason) && !refused.steps.is_empty(), "{refused:?}");
    }
}

#[test]
fn certificates_that_end_within_the_run_are_told_with_what_follows() {
    let of = |validity: &str| {
        findings(&with("transport = \"tls\"", &format!("transport = \"tls\"\nvalidity = {{ {validity} }}")))
    };
    let found = of("not_after = \"30h\"");
    let expires = only(&found, Kind::Expires);
    assert_eq!((expires.severity, expires.at), (Severity::Breaks, Some(Time(Span::HOUR.times(30).0))));
    assert!(expires.text.contains("nothing replaces it"), "{}", expires.text);
    let found = of("not_after = \"30h\", lives = \"60h\", renew_before = \"10h\"");
    assert_ne!(only(&found, Kind::Expires).severity, Severity::Breaks);
    assert!(only(&of("not_after = \"30h\", replaced = \"12h\""), Kind::Expires).text.contains("only after that"));
    assert!(none(&of("not_after = \"100h\""), Kind::Expires));
}

#[test]
fn what_the_timeline_does_to_a_group_counts() {
    let timeline = |entries: &str| with("[validation]", &format!("{entries}\n[validation]"));
    let leave = "[[timeline]]\nat = \"23h\"\ndo = \"leave\"\ngroup = \"rcc\"\n";
    let text = timeline(leave);
    let found = findings(&text);
    let crash = only(&found, Kind::Crash);
    assert!(crash.severity == Severity::Warns && crash.text.contains("gone since 23h"), "{crash:?}");
    assert!(run(&plan(&text), &mut Unwatched).expect("it runs").crashes.is_empty());
    let back = timeline(&format!("{leave}[[timeline]]\nat = \"23h 30m\"\ndo = \"join\"\ngroup = \"rcc\"\n"));
    assert_eq!(only(&findings(&back), Kind::Crash).severity, Severity::Breaks);
    let never = with("transport = \"tcp\"", "transport = \"tcp\"\npresent = false");
    assert!(none(&findings(&never), Kind::Crash));
    let replaced = |at: &str| {
        let entry = format!(
            "[[timeline]]\nat = \"{at}\"\ndo = \"replace-certificate\"\ngroup = \"contact-centre\"\n[validation]"
        );
        let text = with("[validation]", &entry).replace("\"tls\"", "\"tls\"\nvalidity = { not_after = \"30h\" }");
        let found = findings(&text);
        (only(&found, Kind::Expires).severity, only(&found, Kind::Expires).text.clone())
    };
    let (severity, text) = replaced("40h");
    assert!(severity == Severity::Breaks && text.contains("replaced only at 1d 16h"), "{text}");
    let (severity, text) = replaced("20h");
    assert!(severity == Severity::Warns && text.contains("replaced at 20h"), "{text}");
}

#[test]
fn two_applications_on_tcp_cannot_share_an_address_and_a_port() {
    let text = format!(
        "{INCIDENT}address = \"192.0.2.1\"\n[[group]]\nname = \"other\"\ntransport = \"tcp\"\naddress = \"192.0.2.1\"\n"
    );
    assert!(only(&findings(&text), Kind::SameAddress).text.contains("192.0.2.1, port 5060 is also that of other"));
}

#[test]
fn steps_have_the_names_of_the_deployment() {
    let (plan, deployment) = imported(TOPOLOGY, "6.0.9319.102");
    let found = lint(&plan, Some(&deployment));
    let steps = only(&found, Kind::Crash).steps.join("\n");
    for line in [
        "Remove-CsTrustedApplication -Identity \"192.0.2.40/urn:application:rcc\"",
        "Remove-CsTrustedApplicationPool -Identity \"192.0.2.40\"",
        "New-CsTrustedApplicationPool -Identity \"<name of the computer>\" -Registrar \"pool01.fabrikam.example\" -Site \"1\"",
        "New-CsTrustedApplication -ApplicationId \"rcc\" -TrustedApplicationPoolFqdn \"<name of the computer>\" -Port 5065",
        "Enable-CsTopology",
        "Get-CsTrustedApplicationEndpoint",
    ] {
        assert!(steps.contains(line), "{line}: {steps}");
    }
    assert!(!steps.contains(" -EnableTcp\n"));
    let names = only(&found, Kind::Names);
    assert!(names.text.contains("contact01.fabrikam.example, contact02.fabrikam.example"), "{}", names.text);
}

#[test]
fn an_application_on_tcp_of_a_named_pool_keeps_its_pool() {
    let document = TOPOLOGY.replace("Port=\"6001\" Protocol=\"Mtls\"", "Port=\"6001\" Protocol=\"Tcp\"");
    let (plan, deployment) = imported(&document, "6.0.9319.0");
    let found = lint(&plan, Some(&deployment));
    let crash = found.iter().find(|it| it.kind == Kind::Crash && it.about.starts_with("routing")).expect("it crashes");
    let steps = crash.steps.join("\n");
    assert!(!steps.contains("ApplicationPool -Identity"), "{steps}");
    assert!(steps.contains("-TrustedApplicationPoolFqdn \"contact.fabrikam.example\" -Port 6001"), "{steps}");
    let limit = only(&found, Kind::NoAddress);
    assert!(limit.text.contains("0.0.0.0") && limit.about.starts_with("routing@contact"), "{limit:?}");
}

#[test]
fn names_that_a_shell_would_act_on_stay_out_of_commands() {
    for name in ["x&quot;; Stop-Computer; &quot;", "$(calc)", "a`b", "a\u{201d};b", "a b"] {
        let document = TOPOLOGY.replace("urn:application:rcc", &format!("urn:application:{name}"));
        let (plan, deployment) = imported(&document, "6.0.9319.0");
        let found = lint(&plan, Some(&deployment));
        let steps = only(&found, Kind::Crash).steps.join("\n");
        assert!(steps.contains("-ApplicationId \"<application id>\""), "{name}: {steps}");
        for part in ["Stop-Computer", "$(", "`", "\u{201d}"] {
            assert!(!steps.contains(part), "{name}: {steps}");
        }
    }
}

#[test]
fn tls_in_a_pool_that_is_an_address_cannot_have_its_certificate() {
    let document = TOPOLOGY.replace("Port=\"5065\" Protocol=\"Tcp\"", "Port=\"5065\" Protocol=\"Mtls\"");
    let (plan, deployment) = imported(&document, "6.0.9319.0");
    let found = lint(&plan, Some(&deployment));
    assert_eq!(only(&found, Kind::NotAName).about, "192.0.2.40");
    assert!(none(&found, Kind::Crash));
}

#[test]
fn an_address_that_another_group_has_listed_is_known_as_in_a_run() {
    // Neither comes from where it is listed itself, and the first from where the second is.
    let groups = "[[group]]\nname = \"a\"\ntransport = \"tcp\"\naddress = \"192.0.2.1\"\nport = 5060\n\
                  listed = { address = \"192.0.2.9\", port = 5060 }\n\
                  [[group]]\nname = \"b\"\ntransport = \"tcp\"\naddress = \"192.0.2.2\"\nport = 5060\n\
                  listed = { address = \"192.0.2.1\", port = 5060 }\n";
    let text = INCIDENT.replace("sfb2015-rtm", "sfb2015-cu2") + groups;
    let refused: Vec<String> = lint(&plan(&text), None)
        .into_iter()
        .filter(|finding| finding.kind == Kind::Refused)
        .map(|finding| finding.about)
        .collect();
    let plan = plan(&text);
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    let mut in_run: Vec<String> = outcome
        .records
        .iter()
        .filter(|record| matches!(record.kind, RecordKind::Rejected { .. }))
        .filter_map(|record| record.peer.map(|peer| Names::new(&plan).peer(peer)))
        .collect();
    in_run.dedup();
    assert_eq!((refused, in_run), (vec!["b".to_owned()], vec!["b".to_owned()]));
}

#[test]
fn a_certificate_that_other_rules_would_not_take_is_told_with_who_and_why() {
    let names = "certificate = \"valid\"\nnames = { dns = [\"*.contoso.com\"] }\npool = \"pool.contoso.com\"\n";
    let text = INCIDENT.replace("sfb2015-rtm", "rfc9525").replacen(
        "transport = \"tls\"\n",
        &format!("transport = \"tls\"\n{names}"),
        1,
    );
    let findings = lint(&plan(&text), None);
    let told = only(&findings, Kind::Rules);
    assert_eq!((told.severity, told.about.as_str()), (Severity::Notes, "contact-centre"));
    assert!(told.text.contains("`rfc5922`: only a wildcard"), "{}", told.text);
    assert!(!told.text.contains("`rfc9525`"), "{}", told.text);
    assert!(none(&lint(&plan(INCIDENT), None), Kind::Rules));
}
