//! What can be said of a plan without running it: which applications will bring their front end down, and when; which
//! will be refused; which certificates end within the run; and what an administrator does about it.
//!
//! Asks the plan's own validation logic about each group, as a run would, and looks at dates. Does not simulate: queues,
//! losses and reconnects are for `sim`. With the deployment that the plan was made from, steps have its real names.

mod crash;
mod render;
mod steps;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::import::{Build, Deployment};
use crate::policy::{Act, Replaced};
use crate::scenario::plan::{Change, GroupPlan, Plan};
use crate::sim::FirstQuestions;
use crate::time::Time;
use crate::validate::{Answer, Builtin, Phase, Question, Transport};

use steps::Origins;

pub use render::{SCHEMA, json, text};

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Something will crash, or be refused.
    Breaks,
    /// Something may, or cannot be known.
    Warns,
    /// Good to know.
    Notes,
}

impl Severity {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Breaks => "breaks",
            Severity::Warns => "warns",
            Severity::Notes => "notes",
        }
    }
}

/// What kind of thing was found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A refresh brings the front end down.
    Crash,
    /// TCP cannot do IPv6.
    Ipv6,
    /// Refused whenever it connects, for another reason.
    Refused,
    /// A certificate ends within the run.
    Expires,
    /// The run ends before anything is refreshed, or nothing ever is.
    NothingRefreshed,
    /// Two applications on TCP that cannot be told apart.
    SameAddress,
    /// An application on TCP whose service is limited to no address.
    NoAddress,
    /// A name that no certificate can have.
    NotAName,
    /// An application on TCP that works on this build.
    Tcp,
    /// The names that a pool's certificate must have.
    Names,
    /// A certificate that other rules than the plan's would not take.
    Rules,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 11] = [
        Kind::Crash,
        Kind::Ipv6,
        Kind::Refused,
        Kind::Expires,
        Kind::NothingRefreshed,
        Kind::SameAddress,
        Kind::NoAddress,
        Kind::NotAName,
        Kind::Tcp,
        Kind::Names,
        Kind::Rules,
    ];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Crash => "crash",
            Kind::Ipv6 => "ipv6",
            Kind::Refused => "refused",
            Kind::Expires => "expires",
            Kind::NothingRefreshed => "nothing-refreshed",
            Kind::SameAddress => "same-address",
            Kind::NoAddress => "no-address",
            Kind::NotAName => "not-a-name",
            Kind::Tcp => "tcp",
            Kind::Names => "names",
            Kind::Rules => "rules",
        }
    }
}

/// Something that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What kind of thing it is.
    pub kind: Kind,
    /// The group, or the pool, that it is about; empty: the whole.
    pub about: String,
    /// What it is, in sentences.
    pub text: String,
    /// When it happens first, in run time, where that is known.
    pub at: Option<Time>,
    /// What to do, a line each; commands of the product's shell stand for themselves.
    pub steps: Vec<String>,
}

/// Looks at a plan, and at the deployment that it was made from. The worst findings first, then in the plan's order.
pub fn lint(plan: &Plan, deployment: Option<&Deployment>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let origins = Origins::new(deployment);
    let questions = FirstQuestions::of(plan);
    for (number, events) in Events::of(plan).iter().enumerate().filter(|(_, events)| events.is_ever_there()) {
        findings.extend(about_group(plan, number, &questions, &origins, events));
    }
    findings.extend(about_refresh(plan));
    findings.extend(same_addresses(plan));
    if let Some(deployment) = deployment {
        findings.extend(about_pools(deployment));
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Which rules, of those that the plan's logic does not have, would not take the certificate of a group, and why.
fn about_rules(plan: &Plan, question: &Question<'_>) -> Option<String> {
    if question.transport != Transport::Tls {
        return None;
    }
    let refused = Builtin::ALL.into_iter().filter(|other| *other != plan.validator).filter_map(|other| {
        let Answer::Reject(reason) = other.answer(question) else { return None };
        Some(format!("`{}`: {reason}", other.name()))
    });
    let refused: Vec<String> = refused.collect();
    (!refused.is_empty())
        .then(|| format!("The plan's logic takes its certificate; other rules would not: {}.", refused.join("; ")))
}

/// Whether the plan's refresh validates the connections of `group` again in place.
fn is_refreshed_in_place(plan: &Plan, group: &GroupPlan) -> bool {
    plan.refresh.as_ref().is_some_and(|refresh| {
        let takes = if group.transport == Transport::Tcp { refresh.tcp } else { refresh.tls };
        takes && refresh.act == Act::Revalidate
    })
}

fn about_group(
    plan: &Plan,
    number: usize,
    questions: &FirstQuestions,
    origins: &Origins<'_>,
    events: &Events,
) -> Vec<Finding> {
    let group = &plan.groups[number];
    let Some(question) = questions.about(number, Phase::Accept) else { return Vec::new() };
    let finding = |severity, kind, text: String, at, steps| Finding {
        severity,
        kind,
        about: group.name.clone(),
        text,
        at,
        steps,
    };
    let is_tcp = group.transport == Transport::Tcp;
    let peers = group.peers();
    let who = if peers == 1 { "It".to_owned() } else { format!("Its {peers} peers") };
    match plan.validator.answer(&question) {
        Answer::Accept => {}
        Answer::Fault(code) => {
            let text = format!("{who} would end the front end with {code} on connecting.");
            return vec![finding(Severity::Breaks, Kind::Crash, text, None, Vec::new())];
        }
        Answer::Reject(reason) => {
            let is_v6 = is_tcp && matches!(group.address, IpAddr::V6(_));
            let kind = if is_v6 { Kind::Ipv6 } else { Kind::Refused };
            let verb = if peers == 1 { "is" } else { "are" };
            let mut text = format!("{who} {verb} refused whenever connecting, and so never refreshed: {reason}.");
            let steps = if is_v6 {
                text += &format!(" The address is {}; TLS works over IPv6.", group.address);
                steps::to_tls(group, origins)
            } else {
                steps::accepted(group, reason)
            };
            return vec![finding(Severity::Breaks, kind, text, None, steps)];
        }
    }
    let mut findings = Vec::new();
    let first = crash::first(plan, group, questions.about(number, Phase::Refresh).as_ref());
    if let Some(crash) = first {
        let mut steps = vec![format!("Either update the front ends to build {} or later,", Build::FIXED)];
        steps.push("or move the application to TLS:".to_owned());
        steps.extend(steps::to_tls(group, origins));
        let mut text = crash.text(plan, group);
        let mut severity = Severity::Breaks;
        if let Some(since) = crash.at.and_then(|at| events.gone(at)) {
            let since = render::when(plan, since);
            text +=
                &format!(" The timeline has them gone since {since}, so that here only a later refresh may find them.");
            severity = Severity::Warns;
        }
        findings.push(finding(severity, Kind::Crash, text, crash.at, steps));
    } else if is_tcp {
        findings.push(finding(Severity::Notes, Kind::Tcp, tcp_text(plan, group), None, Vec::new()));
    }
    if let Some(text) = about_rules(plan, &question) {
        findings.push(finding(Severity::Notes, Kind::Rules, text, None, Vec::new()));
    }
    findings.extend(
        about_validity(plan, group, events)
            .map(|(severity, text, at)| finding(severity, Kind::Expires, text, at, Vec::new())),
    );
    findings
}

/// What TCP means for a group that does no harm.
fn tcp_text(plan: &Plan, group: &GroupPlan) -> String {
    let why = if !is_refreshed_in_place(plan, group) {
        "It is not validated again in place here, so a build with the defect of 2015 would not show it."
    } else {
        match plan.validator {
            Builtin::Sfb2015Rtm => "The timeline ends the defect of 2015 before the first refresh comes to it.",
            _ => "This logic looks at the transport first, so that nobody reads a certificate that is not there.",
        }
    };
    format!(
        "It uses TCP: it is known by its address alone, cannot use IPv6, and support for it is limited and may end. \
         {why} TLS is what the product's maker recommends."
    )
}

/// What the timeline does to a group as a whole.
#[derive(Default)]
struct Events {
    /// Whether all of it is there from an instant on, in order of time.
    there: Vec<(Time, bool)>,
    /// When its certificates end.
    expires: Option<Time>,
    /// When it gets new ones, in order of time.
    replaced: Vec<Time>,
}

impl Events {
    /// What happens to each group, by its position. What happens to some of a group leaves the others as they were.
    fn of(plan: &Plan) -> Vec<Events> {
        let begin = |group: &GroupPlan| Events { there: vec![(Time::ZERO, group.present)], ..Events::default() };
        let mut events: Vec<Events> = plan.groups.iter().map(begin).collect();
        for entry in &plan.timeline {
            let Some(of) = events.get_mut(usize::from(entry.group)) else { continue };
            let is_whole = entry.indices.is_none();
            match entry.change {
                Change::Join => of.there.push((entry.at, true)),
                Change::Leave if is_whole => of.there.push((entry.at, false)),
                Change::CertificateExpires => of.expires = of.expires.or(Some(entry.at)),
                Change::ReplaceCertificate if is_whole => of.replaced.push(entry.at),
                Change::Leave
                | Change::ReplaceCertificate
                | Change::CutOff
                | Change::Heal
                | Change::Slow(_)
                | Change::SlowEnds => {}
            }
        }
        events
    }

    /// Since when the group is gone at `at`; `None`: somebody of it is there.
    fn gone(&self, at: Time) -> Option<Time> {
        self.there.iter().rev().find(|(since, _)| *since <= at).filter(|(_, there)| !there).map(|(since, _)| *since)
    }

    /// Whether anybody of the group is ever there.
    fn is_ever_there(&self) -> bool {
        self.there.iter().any(|(_, there)| *there)
    }
}

/// Certificates that end within the run, and whether anybody replaces them in time.
fn about_validity(plan: &Plan, group: &GroupPlan, events: &Events) -> Option<(Severity, String, Option<Time>)> {
    let horizon = Time::ZERO + plan.horizon;
    let by_timeline = events.expires;
    let not_after = group.validity.as_ref().and_then(|validity| validity.not_after);
    let end = by_timeline.into_iter().chain(not_after).min().filter(|end| *end < horizon)?;
    let when = render::when(plan, end);
    let then = if is_refreshed_in_place(plan, group) {
        "From then on refreshes and new connections are refused"
    } else {
        "From then on new connections are refused"
    };
    let judged = "A refresh in place still judges the certificate that a connection was made with.";
    if let Some(before) = events.replaced.iter().rev().find(|at| **at <= end) {
        let text =
            format!("Its certificate expires at {when} and is replaced at {}. {judged}", render::when(plan, *before));
        return Some((Severity::Warns, text, Some(end)));
    }
    if let Some(after) = events.replaced.first() {
        let after = render::when(plan, *after);
        let text = format!("Its certificate expires at {when} and is replaced only at {after}. {then} until it is.");
        return Some((Severity::Breaks, text, Some(end)));
    }
    let replaced = group.validity.as_ref().map(|validity| &validity.replaced);
    match replaced {
        Some(Replaced::Before(span)) if by_timeline.is_none() => {
            let text = format!("Its certificate expires at {when} and is replaced {span} before. {judged}");
            let severity = if is_refreshed_in_place(plan, group) { Severity::Warns } else { Severity::Notes };
            Some((severity, text, Some(end)))
        }
        Some(Replaced::Asked(_)) if by_timeline.is_none() => {
            let text = format!("Its certificate expires at {when}; its peers ask the issuer for the next before that.");
            Some((Severity::Notes, text, Some(end)))
        }
        Some(Replaced::After(_)) => {
            let text =
                format!("Its certificate expires at {when} and is replaced only after that. {then} until it is.");
            Some((Severity::Breaks, text, Some(end)))
        }
        _ => {
            let text = format!("Its certificate expires at {when} and nothing replaces it. {then}.");
            Some((Severity::Breaks, text, Some(end)))
        }
    }
}

fn about_refresh(plan: &Plan) -> Option<Finding> {
    let text = match &plan.refresh {
        None => "Nothing is ever refreshed: what happens at a refresh, this plan does not show.".to_owned(),
        Some(refresh) if refresh.every >= plan.horizon => format!(
            "The run ends after {}, before the first refresh, which comes after {}: what happens then, it does not \
             show. That is how the fault of 2015 passed every test.",
            plan.horizon, refresh.every
        ),
        Some(_) => return None,
    };
    let (severity, kind, about) = (Severity::Warns, Kind::NothingRefreshed, String::new());
    let steps = vec!["Set `run.horizon` beyond `refresh.every`.".to_owned()];
    Some(Finding { severity, kind, about, text, at: None, steps })
}

/// Groups on TCP with the same address and port: their identity is these two.
fn same_addresses(plan: &Plan) -> Vec<Finding> {
    let mut by_identity: BTreeMap<(IpAddr, u16), Vec<&str>> = BTreeMap::new();
    for group in plan.groups.iter().filter(|group| group.transport == Transport::Tcp) {
        by_identity.entry((group.address, group.port)).or_default().push(&group.name);
    }
    let shared = by_identity.into_iter().filter(|(_, groups)| groups.len() > 1);
    shared
        .map(|((address, port), groups)| Finding {
            severity: Severity::Warns,
            kind: Kind::SameAddress,
            about: groups[0].to_owned(),
            text: format!(
                "On TCP a peer is its address and port, and {address}, port {port} is also that of {}.",
                groups[1..].join(", ")
            ),
            at: None,
            steps: vec!["Limit each service to an address of its own, or give them different ports.".to_owned()],
        })
        .collect()
}

/// What only the deployment knows: addresses that are not limited, names that certificates need.
fn about_pools(deployment: &Deployment) -> Vec<Finding> {
    let mut findings = Vec::new();
    for pool in &deployment.applications {
        let on = |transport| pool.applications.iter().filter(move |application| application.transport == transport);
        let is_address = pool.fqdn.parse::<IpAddr>().is_ok();
        if pool.computers.iter().any(|computer| computer.address.is_none()) {
            findings.extend(on(Transport::Tcp).map(|application| {
                Finding {
                severity: Severity::Warns,
                kind: Kind::NoAddress,
                about: crate::import::group_name(&application.id, &pool.fqdn),
                text: "It uses TCP and its service is limited to no address (0.0.0.0): the product's documents ask for \
                       the limit, for TCP peers are known by their address."
                    .to_owned(),
                at: None,
                steps: vec![
                    "In Topology Builder: properties of the server, \"Limit service usage to selected IP addresses\", \
                     the application's address; then publish."
                        .to_owned(),
                ],
            }
            }));
        }
        if on(Transport::Tls).next().is_none() {
            continue;
        }
        if is_address {
            findings.push(Finding {
                severity: Severity::Breaks,
                kind: Kind::NotAName,
                about: pool.fqdn.clone(),
                text:
                    "Applications of this pool use TLS, but its identity is an address; the certificate's subject must \
                       be the pool's fully qualified name."
                        .to_owned(),
                at: None,
                steps: vec![
                    "Make the pool anew with a name (New-CsTrustedApplicationPool -Identity <name>).".to_owned(),
                ],
            });
            continue;
        }
        findings.push(Finding {
            severity: Severity::Notes,
            kind: Kind::Names,
            about: pool.fqdn.clone(),
            text: steps::names(pool),
            at: None,
            steps: Vec::new(),
        });
    }
    findings
}
