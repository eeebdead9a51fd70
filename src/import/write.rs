//! A deployment as a scenario: its text, with what was read, assumed and ignored as comments.
//!
//! What a scenario cannot say of a deployment is an assumption or an error, never left out in silence. The values that
//! are the product's (a refresh every 24 hours, counted from the start of the service) are those of the 2015 incident;
//! what supports each of them is in `docs/import.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::validate::{Builtin, CertificateState, Transport};

use super::build::Build;
use super::deployment::{Application, ApplicationPool, Computer, Deployment, FrontEndPool, Shown};
use super::error::{ImportError, Problem, printable};

/// How long the scenario runs: two refreshes and what follows them.
const HORIZON: &str = "3d";
/// The product's interval.
const EVERY: &str = "24h";
/// Most front ends of a scenario.
const NODES_MAX: usize = 1024;
/// Most groups of a scenario.
const GROUPS_MAX: usize = 65_535;
/// Largest pool that the product's table of minimum numbers has.
const POOL_MAX: usize = 12;
/// The generation of Skype for Business Server 2019, released after the fix.
const VERSION_2019: u32 = 8;
/// The generation of Skype for Business Server 2015.
const VERSION_2015: u32 = 7;
/// Most characters of a group's name.
const NAME_MAX: usize = 255;

/// What the document does not decide.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// The file's name, for the first comment.
    pub source: String,
    /// The build of the front ends.
    pub build: Option<Build>,
    /// The one front-end pool to take; `None`: all.
    pub pool: Option<String>,
}

/// A scenario made of a deployment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// Its text.
    pub text: String,
    /// What it has, in sentences.
    pub read: Vec<String>,
    /// What was taken for granted.
    pub assumed: Vec<String>,
    /// What was left out.
    pub ignored: Vec<String>,
}

/// The scenario of a deployment.
pub fn scenario(deployment: &Deployment, options: &Options) -> Result<Written, ImportError> {
    let mut chosen = chosen(deployment, options)?;
    let validator = validator(&chosen.front_ends, options, &mut chosen.assumed);
    let nodes = nodes(&chosen.front_ends)?;
    let groups = groups(&chosen)?;
    let mut read = Vec::new();
    chosen.front_ends.iter().for_each(|pool| read.push(about_pool(deployment, pool)));
    read.push(about_applications(&chosen));
    assume(&mut chosen);
    let Chosen { assumed, ignored, front_ends, .. } = chosen;
    let mut text = format!("# Made from {} by refresh-sim import.\n", printable(&options.source));
    for (heading, sentences) in
        [("Read", &read), ("Assumed; change what is known better", &assumed), ("Ignored", &ignored)]
    {
        comment(&mut text, heading, sentences);
    }
    text += &format!("schema = 1\nsemantics = 1\n\n[run]\nhorizon = \"{HORIZON}\"\n");
    if !nodes.is_empty() {
        text += "\n[front_end]\nnodes = [\n";
        nodes.iter().for_each(|node| text += &format!("  {node},\n"));
        text += "]\n";
    }
    if is_one_pool(&front_ends) {
        text += "\n[pool]\nminimum = \"sfb2015\"\n";
    }
    text += &format!("\n[refresh]\nevery = \"{EVERY}\" # from the start of the service\n");
    text += &format!("\n[validation]\nvalidator = \"{}\"\n", validator.name());
    text += "\n[process]\nservice = \"RTCSRV\"\napplication = \"RTCSrv.exe\"\n";
    if let Some(build) = options.build {
        text += &format!("application_version = \"{build}\"\n");
    }
    groups.iter().for_each(|group| text += group);
    text += "\n[expect]\nlives = \"crashes : value == 0\"\n";
    Ok(Written { text, read, assumed, ignored })
}

/// What of a deployment becomes the scenario.
struct Chosen {
    front_ends: Vec<FrontEndPool>,
    /// Application pools, and the position of the front-end pool that each turns to.
    applications: Vec<(ApplicationPool, Option<usize>)>,
    assumed: Vec<String>,
    ignored: Vec<String>,
}

fn chosen(deployment: &Deployment, options: &Options) -> Result<Chosen, ImportError> {
    let mut front_ends = deployment.front_ends.clone();
    let mut applications: Vec<_> = deployment.applications.iter().map(|pool| (pool.clone(), pool.registrar)).collect();
    let (assumed, mut ignored) = (deployment.assumed.clone(), deployment.ignored.clone());
    if let Some(asked) = &options.pool {
        let position = front_ends.iter().position(|pool| pool.fqdn.eq_ignore_ascii_case(asked)).ok_or_else(|| {
            let known: Vec<_> = front_ends.iter().take(20).map(|pool| printable(&pool.fqdn)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            ImportError::whole(Problem::NoPool { asked: printable(asked), known })
        })?;
        let before = applications.len();
        applications.retain(|(_, registrar)| registrar.is_none_or(|registrar| registrar == position));
        applications.iter_mut().for_each(|(_, registrar)| *registrar = registrar.map(|_| 0));
        front_ends = vec![front_ends.swap_remove(position)];
        let left_out = (deployment.front_ends.len() - 1, before - applications.len());
        if left_out != (0, 0) {
            let (pools, application_pools) = left_out;
            ignored.push(format!(
                "{pools} other front-end pools and {application_pools} application pools that turn to them (--pool)"
            ));
        }
    }
    if applications.is_empty() {
        return Err(ImportError::whole(Problem::NoApplication));
    }
    Ok(Chosen { front_ends, applications, assumed, ignored })
}

fn validator(front_ends: &[FrontEndPool], options: &Options, assumed: &mut Vec<String>) -> Builtin {
    if let Some(build) = options.build {
        return build.validator();
    }
    let versions: BTreeSet<u32> = front_ends.iter().filter_map(|pool| pool.version).collect();
    match versions.first() {
        Some(lowest) if *lowest >= VERSION_2019 => {
            assumed.push(format!(
                "the front ends (ServiceVersion {lowest}) have the corrected validation of build {}, which is older \
                 than they are",
                Build::FIXED
            ));
            Builtin::Sfb2015Cu2
        }
        Some(lowest) if *lowest < VERSION_2015 => {
            assumed.push(format!(
                "the front ends (ServiceVersion {lowest}, Lync Server) validate as Skype for Business Server 2015 did \
                 before build {}: the worst case, for nothing is published about Lync Server; give --build if they \
                 have one of 2015",
                Build::FIXED
            ));
            Builtin::Sfb2015Rtm
        }
        _ => {
            assumed.push(format!(
                "the build of the front ends is not in the file: they validate as before build {}, the worst case; say \
                 --build to change that",
                Build::FIXED
            ));
            Builtin::Sfb2015Rtm
        }
    }
}

/// Sentences about how connections are modelled; what a document cannot say.
fn assume(chosen: &mut Chosen) {
    let servers: usize = chosen.front_ends.iter().map(|pool| pool.servers.len()).sum();
    let assumed = &mut chosen.assumed;
    if chosen.front_ends.is_empty() {
        assumed.push("the front ends are not in the file: there is one, fe01".into());
    }
    if servers > 1 {
        assumed.push(
            "each computer keeps one connection, to one front end at a time, and takes them in turn (DNS load \
             balancing), past one that failed within 10 minutes"
                .into(),
        );
        assumed.push("all front ends start together".into());
    }
    match chosen.front_ends.as_slice() {
        [pool] if pool.servers.len() > POOL_MAX => assumed.push(format!(
            "front ends need nothing of each other: the product's published minimum numbers end at {POOL_MAX}"
        )),
        pools if pools.len() > 1 => assumed.push(
            "front ends need nothing of each other: a scenario has one pool with minimum numbers, and there are \
             several; --pool takes one"
                .into(),
        ),
        _ => {}
    }
    assumed.push(
        "the port of an application is the source port of its connections; start-up, workers, CPU times, round trips, \
         recovery and reconnect are the program's defaults (`refresh-sim resolve` shows them)"
            .into(),
    );
}

fn about_pool(deployment: &Deployment, pool: &FrontEndPool) -> String {
    let site = pool.site.as_deref().map(|site| format!(", {}", deployment.site(site))).unwrap_or_default();
    let names: Vec<_> = pool.servers.iter().take(POOL_MAX).map(|server| printable(&server.fqdn)).collect();
    let more = pool.servers.len().saturating_sub(POOL_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("front-end pool {}{site}: {}{more}", printable(&pool.fqdn), names.join(", "))
}

fn about_applications(chosen: &Chosen) -> String {
    let pools = chosen.applications.len();
    let all = || chosen.applications.iter().flat_map(|(pool, _)| &pool.applications);
    let tcp = all().filter(|application| application.transport == Transport::Tcp).count();
    let computers: usize = chosen.applications.iter().map(|(pool, _)| pool.computers.len()).sum();
    format!("trusted applications: {} ({tcp} on TCP) in {pools} pools with {computers} computers", all().count())
}

fn is_one_pool(front_ends: &[FrontEndPool]) -> bool {
    matches!(front_ends, [pool] if (2..=POOL_MAX).contains(&pool.servers.len()))
}

/// The front ends, each as a table. None: the program's default.
fn nodes(front_ends: &[FrontEndPool]) -> Result<Vec<String>, ImportError> {
    let mut nodes: Vec<String> = Vec::new();
    let mut names = BTreeSet::new();
    // Domains are numbered across pools; one that nobody shares needs no number.
    let mut domains: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (position, pool) in front_ends.iter().enumerate() {
        let shared = shared_domains(pool);
        for server in &pool.servers {
            if !names.insert(server.fqdn.to_lowercase()) {
                continue;
            }
            let mut node = format!("{{ name = {}", quoted(&server.fqdn));
            if let Some(domain) = server.upgrade_domain.as_deref().filter(|domain| shared.contains(domain)) {
                let next = domains.len() + 1;
                node += &format!(", upgrade_domain = {}", domains.entry((position, domain)).or_insert(next));
            }
            nodes.push(node + " }");
        }
    }
    if nodes.len() > NODES_MAX {
        let (count, limit) = (nodes.len(), NODES_MAX);
        return Err(ImportError::whole(Problem::TooManyFor { what: "front ends", count, limit }));
    }
    Ok(nodes)
}

/// The upgrade domains of a pool that several of its servers have.
fn shared_domains(pool: &FrontEndPool) -> BTreeSet<&str> {
    let (mut once, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for domain in pool.servers.iter().filter_map(|server| server.upgrade_domain.as_deref()) {
        if !once.insert(domain) {
            shared.insert(domain);
        }
    }
    shared
}

/// Peers that are one group.
struct Run<'a> {
    name: String,
    computers: &'a [Computer],
}

fn groups(chosen: &Chosen) -> Result<Vec<String>, ImportError> {
    let (mut groups, mut count) = (Vec::new(), 0);
    let mut names = Names::default();
    for (pool, registrar) in &chosen.applications {
        let from = registrar.filter(|_| chosen.front_ends.len() > 1).map(|position| &chosen.front_ends[position]);
        let front_ends =
            from.map_or(chosen.front_ends.iter().map(|pool| pool.servers.len()).sum(), |pool| pool.servers.len());
        for application in &pool.applications {
            for run in runs(application, pool) {
                count += 1;
                // Beyond the limit they are only counted.
                if count > GROUPS_MAX {
                    continue;
                }
                let name = names.unique(run.name, application.port);
                groups.push(group(&name, application, run.computers, from, front_ends));
            }
        }
    }
    if count > GROUPS_MAX {
        let limit = GROUPS_MAX;
        return Err(ImportError::whole(Problem::TooManyFor { what: "groups of like peers", count, limit }));
    }
    Ok(groups)
}

/// An application's computers: all as one group if they may be, else each by itself. The addresses of a group count up
/// from its first.
fn runs<'a>(application: &Application, pool: &'a ApplicationPool) -> Vec<Run<'a>> {
    let computers = &pool.computers;
    if computers.windows(2).all(|two| counts_up(Some(&two[0]), &two[1])) {
        return vec![Run { name: group_name(&application.id, &pool.fqdn), computers }];
    }
    let alone = computers.chunks(1);
    alone.map(|computers| Run { name: group_name(&application.id, &computers[0].fqdn), computers }).collect()
}

/// The names of the groups that an application of a pool becomes, as long as nothing else has them.
pub fn group_names(application: &Application, pool: &ApplicationPool) -> Vec<String> {
    runs(application, pool).into_iter().map(|run| run.name).collect()
}

fn follows(first: Option<IpAddr>, second: Option<IpAddr>) -> bool {
    match (first, second) {
        (Some(IpAddr::V4(first)), Some(IpAddr::V4(second))) => first.to_bits().checked_add(1) == Some(second.to_bits()),
        (Some(IpAddr::V6(first)), Some(IpAddr::V6(second))) => first.to_bits().checked_add(1) == Some(second.to_bits()),
        _ => false,
    }
}

/// Whether `next` is one more of a group that ends with `before`: its address is the next one, or neither has one.
pub(super) fn counts_up(before: Option<&Computer>, next: &Computer) -> bool {
    let Some(before) = before else { return false };
    before.address.is_none() && next.address.is_none() || follows(before.address, next.address)
}

/// The name of a group of peers: the application's, and whose it is. A scenario's names have no `/`.
pub fn group_name(application: &str, pool: &str) -> String {
    let name = format!("{application}@{pool}").replace('/', "_");
    // Long ids keep their beginning and their pool.
    let beyond = name.chars().count().saturating_sub(NAME_MAX - 8);
    if beyond == 0 { name } else { name.chars().skip(beyond).collect() }
}

/// Names that are taken, and the number that a further one of the same gets.
#[derive(Default)]
struct Names(BTreeMap<String, u64>);

impl Names {
    /// The name, with the port or a number behind it if it is taken.
    fn unique(&mut self, name: String, port: Option<u16>) -> String {
        let with_port = port.map(|port| format!("{name}:{port}"));
        for candidate in [Some(name.clone()), with_port].into_iter().flatten() {
            if !self.0.contains_key(&candidate) {
                self.0.insert(candidate.clone(), 1);
                return candidate;
            }
        }
        loop {
            let number = self.0.entry(name.clone()).or_insert(1);
            *number += 1;
            let candidate = format!("{name}#{number}");
            if !self.0.contains_key(&candidate) {
                self.0.insert(candidate.clone(), 1);
                return candidate;
            }
        }
    }
}

fn group(
    name: &str,
    application: &Application,
    computers: &[Computer],
    from: Option<&FrontEndPool>,
    front_ends: usize,
) -> String {
    let mut text = format!("\n[[group]]\nname = {}\n", quoted(name));
    if computers.len() > 1 {
        text += &format!("count = {}\n", computers.len());
    }
    text += &format!("transport = \"{}\"\n", application.transport.name());
    if let Some(state) = certificate(application) {
        text += &format!("certificate = \"{state}\"\n");
    }
    if let Some(address) = computers.first().and_then(|computer| computer.address) {
        text += &format!("address = \"{address}\"\n");
    }
    if let Some(port) = application.port {
        text += &format!("port = {port}\n");
    }
    if let Some(from) = from {
        let names: Vec<_> = from.servers.iter().map(|server| quoted(&server.fqdn)).collect();
        text += &format!("front_ends = [{}]\n", names.join(", "));
    }
    if front_ends > 1 {
        text += "failover = { order = \"round-robin\", black_list = \"10m\" }\n";
    }
    text
}

/// The certificate where it is not the default of the transport.
fn certificate(application: &Application) -> Option<&'static str> {
    if application.transport == Transport::Tcp {
        return None;
    }
    match application.certificate {
        Shown::NotSaid | Shown::Some(CertificateState::Valid) => None,
        Shown::None => Some("none"),
        Shown::Some(state) => Some(state.name()),
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            c if c.is_control() => out += &format!("\\u{:04X}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}

fn comment(text: &mut String, heading: &str, sentences: &[String]) {
    if sentences.is_empty() {
        return;
    }
    *text += &format!("#\n# {heading}:\n");
    for sentence in sentences {
        for (nth, line) in wrapped(sentence, 112).iter().enumerate() {
            *text += &format!("# {} {line}\n", if nth == 0 { "-" } else { " " });
        }
    }
}

/// A sentence in lines of at most `width` characters, unless a word is longer.
fn wrapped(sentence: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in sentence.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            *line += word;
        }
    }
    lines
}
