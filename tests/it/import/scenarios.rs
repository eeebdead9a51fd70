//! What follows from a deployment: scenarios that run as they are.

use refresh_sim::import::{Build, Options, scenario};
use refresh_sim::measure::Outcome;
use refresh_sim::sim::{Unwatched, run};
use refresh_sim::time::Span;

use super::{PUBLISHED, deployment, refused, with, written};
use crate::reading::read as plan;

fn outcome(text: &str) -> Outcome {
    run(&plan(text), &mut Unwatched).expect("it runs")
}

fn of_build(document: &str, build: &str) -> String {
    let options = Options { build: Some(build.parse::<Build>().expect("a build")), ..Options::default() };
    scenario(&deployment(document), &options).expect("a scenario").text
}

#[test]
fn a_tcp_application_on_an_old_build_crashes_its_front_end_a_day_after_service_start() {
    let old = outcome(&written(&deployment(PUBLISHED)).text);
    let first = old.crashes.first().expect("it crashes");
    let age = first.at.since(first.service_start);
    assert!(age >= Span::DAY && age < Span::DAY + Span::SECOND, "{age}");
    assert!(outcome(&of_build(PUBLISHED, "6.0.9319.234")).crashes.len() == old.crashes.len());
}

#[test]
fn the_fix_or_tls_ends_it() {
    assert!(outcome(&of_build(PUBLISHED, "6.0.9319.235")).crashes.is_empty());
    let tls = with(PUBLISHED, "Port=\"5065\" Protocol=\"Tcp\"", "Port=\"5065\" Protocol=\"Mtls\"");
    assert!(outcome(&of_build(&tls, "6.0.9319.0")).crashes.is_empty());
}

#[test]
fn the_generation_of_the_front_ends_decides_where_no_build_is_given() {
    let validator = |document: &str| {
        let written = written(&deployment(document));
        let line = written.text.lines().find(|line| line.starts_with("validator")).expect("a line").to_owned();
        (line, written.assumed.join("\n"))
    };
    let (line, assumed) = validator(PUBLISHED);
    assert!(line.contains("sfb2015-rtm") && assumed.contains("worst case"), "{assumed}");
    let (line, assumed) = validator(&PUBLISHED.replace("ServiceVersion=\"7\"", "ServiceVersion=\"8\""));
    assert!(line.contains("sfb2015-cu2") && assumed.contains("ServiceVersion 8"), "{assumed}");
    let (line, assumed) = validator(&PUBLISHED.replace("ServiceVersion=\"7\"", "ServiceVersion=\"6\""));
    assert!(line.contains("sfb2015-rtm") && assumed.contains("Lync Server"), "{assumed}");
}

/// The document with a second front-end pool, and the TCP application there.
fn two_pools() -> String {
    let cluster = "<Cluster Fqdn=\"pool02.fabrikam.example\"><ClusterId SiteId=\"1\" Number=\"7\" />\
                   <Machine Fqdn=\"fe11.fabrikam.example\" /></Cluster>\n  </Clusters>";
    let service = "<Service ServiceVersion=\"7\"><ServiceId SiteId=\"1\" RoleName=\"Registrar\" Instance=\"2\" />\
                   <InstalledOn><ClusterId SiteId=\"1\" Number=\"7\" /></InstalledOn></Service>\n  </Services>";
    let text = with(&with(PUBLISHED, "</Clusters>", cluster), "</Services>", service);
    let at = text.rfind("RoleName=\"Registrar\" Instance=\"1\"").expect("the last dependency");
    format!("{}RoleName=\"Registrar\" Instance=\"2\"{}", &text[..at], &text[at + 33..])
}

#[test]
fn applications_turn_to_their_own_pool_and_one_pool_can_be_taken_alone() {
    let deployment = deployment(&two_pools());
    let all = written(&deployment);
    let plan = plan(&all.text);
    assert_eq!(plan.front_ends.len(), 4);
    assert!(all.text.contains("front_ends = [\"fe11.fabrikam.example\"]"), "{}", all.text);
    assert!(all.assumed.iter().any(|it| it.contains("--pool takes one")));
    let only = |pool: &str| scenario(&deployment, &Options { pool: Some(pool.into()), ..Options::default() });
    let first = only("POOL01.fabrikam.example").expect("a scenario");
    assert!(!first.text.contains("transport = \"tcp\"") && first.text.contains("[pool]"), "{}", first.text);
    let second = only("pool02.fabrikam.example").expect("a scenario");
    assert!(second.text.contains("transport = \"tcp\"") && !second.text.contains("routing"), "{}", second.text);
    let error = only("pool3").expect_err("none").to_string();
    assert!(error.contains("there are: pool01.fabrikam.example, pool02.fabrikam.example"), "{error}");
}

#[test]
fn directors_are_no_front_ends() {
    let text = with(PUBLISHED, "IsDirector=\"false\"", "IsDirector=\"true\"");
    let deployment = deployment(&text);
    assert!(deployment.front_ends.is_empty());
    assert!(deployment.ignored.iter().any(|it| it.contains("directors")), "{:?}", deployment.ignored);
    assert!(outcome(&written(&deployment).text).crashes.len() == 2, "one front end, fe01, two days");
}

#[test]
fn names_from_outside_cannot_become_keys_of_the_scenario_nor_end_a_comment() {
    let name = "Ham&quot;&#10;[[group]]&#10;burg";
    let text = with(PUBLISHED, "<Name>Hamburg</Name>", &format!("<Name>{name}</Name>"));
    let text = with(&text, "urn:application:routing", "urn:application:a&quot;b\\c/d]]=é");
    let scenario = written(&deployment(&text)).text;
    let groups: Vec<_> = plan(&scenario).groups.iter().map(|group| group.name.clone()).collect();
    assert_eq!(groups[0], "a\"b\\c_d]]=é@contact.fabrikam.example");
    assert_eq!(groups.len(), 3, "{scenario}");
    assert!(refused(&with(PUBLISHED, "fe01.fabrikam.example", "fe01&#7;")).contains("control character"));
    let long = "x".repeat(300);
    assert!(refused(&with(PUBLISHED, "fe01.fabrikam.example", &long)).contains("1 to 255 characters"));
}

#[test]
fn applications_of_one_name_get_different_groups() {
    let text = with(PUBLISHED, "urn:application:recording", "urn:application:routing");
    let groups: Vec<_> =
        plan(&written(&deployment(&text)).text).groups.iter().map(|group| group.name.clone()).collect();
    assert_eq!(groups[..2], ["routing@contact.fabrikam.example", "routing@contact.fabrikam.example:6002"]);
}

#[test]
fn addresses_that_do_not_count_up_make_a_group_of_each_computer() {
    let two = |first: &str, second: &str| {
        let at = PUBLISHED.find("contact01").expect("there");
        let (before, after) = PUBLISHED.split_at(at);
        let after = with(&with(after, "0.0.0.0", first), "0.0.0.0", second);
        let plan = plan(&written(&deployment(&format!("{before}{after}"))).text);
        plan.groups.iter().map(|group| (group.name.clone(), group.address)).collect::<Vec<_>>()
    };
    assert_eq!(two("192.0.2.7", "192.0.2.8").len(), 3);
    let apart = two("192.0.2.7", "2001:db8::1");
    assert_eq!(apart.len(), 5);
    assert_eq!(apart[1].0, "routing@contact02.fabrikam.example");
    assert_eq!(apart[1].1.to_string(), "2001:db8::1");
}

#[test]
fn the_horizon_holds_two_refreshes() {
    let plan = plan(&written(&deployment(PUBLISHED)).text);
    assert!(Span::HOUR.times(49) < plan.horizon);
}
