//! A deployment out of a topology document: services found on their clusters, names on their machines.
//!
//! Strict about what the deployment is made of: a reference that leads nowhere is an error at its place. Says what of
//! the document is not used, and what had to be taken for granted.

use std::collections::BTreeMap;

use crate::validate::Transport;

use super::deployment::{Application, ApplicationPool, Computer, Deployment, FrontEnd, FrontEndPool, Shown, Site};
use super::document::{Document, KEPT_MAX, Kind, RawAddress, RawCluster, RawMachine, RawService, Reference};
use super::error::{ImportError, Problem, printable};

/// Registrars, and the position of each one's pool in the deployment.
type Registrars<'a> = BTreeMap<&'a Reference, Option<usize>>;

/// Most names that a sentence lists.
const LISTED_MAX: usize = 8;
/// What an application's owner begins with.
const APPLICATION: &str = "urn:application:";

/// Puts a document together.
pub(super) fn deployment(document: Document) -> Result<Deployment, ImportError> {
    let mut deployment = Deployment { ignored: ignored(&document), ..Deployment::default() };
    let clusters = index(&document.clusters);
    deployment.sites = document.sites.into_iter().map(|site| Site { id: site.id, name: site.name }).collect();
    // Where each registrar is among the pools; a director is nowhere.
    let mut registrars: Registrars<'_> = BTreeMap::new();
    let mut directors = Vec::new();
    // Many services on one large cluster would make much of little.
    let mut machines = 0;
    let mut bear = |cluster: &RawCluster| {
        machines += cluster.machines.len();
        if machines > KEPT_MAX { Err(ImportError::whole(Problem::TooMuch(KEPT_MAX))) } else { Ok(()) }
    };
    for service in &document.services {
        let Kind::FrontEnd { is_director } = service.kind else { continue };
        let cluster = cluster_of(service, &clusters)?;
        bear(cluster)?;
        let pool = front_end_pool(service, cluster)?;
        if let Some(own) = &service.own {
            registrars.insert(own, (!is_director).then_some(deployment.front_ends.len()));
        }
        if is_director {
            directors.push(pool.fqdn);
        } else {
            deployment.front_ends.push(pool);
        }
    }
    if !directors.is_empty() {
        deployment
            .ignored
            .push(format!("pools of directors, which trusted applications do not turn to: {}", listed(&directors)));
    }
    let (mut empty, mut unhomed) = (Vec::new(), Vec::new());
    for service in document.services.iter().filter(|service| service.kind == Kind::Applications) {
        let cluster = cluster_of(service, &clusters)?;
        bear(cluster)?;
        let pool = application_pool(service, cluster, &registrars)?;
        if pool.applications.is_empty() {
            empty.push(pool.fqdn);
            continue;
        }
        if pool.registrar.is_none() {
            unhomed.push(pool.fqdn.clone());
        }
        deployment.applications.push(pool);
    }
    if !empty.is_empty() {
        deployment.ignored.push(format!("trusted-application pools without an application: {}", listed(&empty)));
    }
    if !unhomed.is_empty() && deployment.front_ends.len() > 1 {
        let pools = listed(&unhomed);
        deployment.assumed.push(format!("pools that depend on no front-end pool of the document turn to all: {pools}"));
    }
    assume(&mut deployment);
    Ok(deployment)
}

/// What is taken for granted about every topology.
fn assume(deployment: &mut Deployment) {
    let applications =
        || deployment.applications.iter().flat_map(|pool| pool.applications.iter().map(move |app| (pool, app)));
    if applications().any(|(_, app)| app.transport == Transport::Tls) {
        deployment.assumed.push(
            "certificates are not in a topology: every application on TLS shows a valid one that names its pool".into(),
        );
    }
    let without: Vec<String> = applications()
        .filter(|(pool, app)| app.transport == Transport::Tcp && pool.computers.iter().any(|it| it.address.is_none()))
        .map(|(pool, app)| format!("{} on {}", app.id, pool.fqdn))
        .collect();
    if !without.is_empty() {
        deployment.assumed.push(format!(
            "applications on TCP whose service is limited to no address (0.0.0.0) are known to the front ends all the \
             same: {}; the product's documents ask for the limit",
            listed(&without)
        ));
    }
}

/// What a document has that is not used.
fn ignored(document: &Document) -> Vec<String> {
    let mut sentences = Vec::new();
    let total = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
    let names = |counts: &BTreeMap<String, u64>| listed(&counts.keys().cloned().collect::<Vec<_>>());
    if !document.other_tcp.is_empty() {
        sentences.push(format!(
            "{} TCP ports that belong to no trusted application and are normal on a healthy server: {}",
            total(&document.other_tcp),
            names(&document.other_tcp)
        ));
    }
    if !document.other_roles.is_empty() {
        let (count, names) = (total(&document.other_roles), names(&document.other_roles));
        sentences.push(format!("{count} services of roles that trust no application: {names}"));
    }
    if document.other_usage > 0 {
        let count = document.other_usage;
        sentences
            .push(format!("{count} ports of trusted-application pools that are none for SIP (Usage is not SipServer)"));
    }
    if document.further > 0 {
        sentences.push(format!("{} topologies after the first one in the document", document.further));
    }
    if !document.unknown.is_empty() {
        let (count, names) = (total(&document.unknown), names(&document.unknown));
        sentences.push(format!("{count} elements that this program does not know: {names}"));
    }
    sentences
}

/// Names in a sentence, the first few of them.
fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(LISTED_MAX).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED_MAX {
        text += &format!(" and {} more", names.len() - LISTED_MAX);
    }
    text
}

fn index(clusters: &[RawCluster]) -> BTreeMap<Reference, &RawCluster> {
    let mut index = BTreeMap::new();
    for cluster in clusters {
        if let Some(id) = &cluster.unique_id {
            index.entry(Reference::Unique(id.to_lowercase())).or_insert(cluster);
        }
        if let Some((site, number)) = &cluster.id {
            index.entry(Reference::Numbered(site.clone(), number.clone())).or_insert(cluster);
        }
    }
    index
}

fn cluster_of<'a>(
    service: &RawService,
    clusters: &BTreeMap<Reference, &'a RawCluster>,
) -> Result<&'a RawCluster, ImportError> {
    let Some(reference) = &service.installed_on else {
        let problem = Problem::Missing { element: "Service", attribute: "InstalledOn" };
        return Err(ImportError::at(service.place, problem));
    };
    let (key, shown) = match reference {
        Reference::Unique(id) => (Reference::Unique(id.to_lowercase()), format!("the cluster {}", printable(id))),
        Reference::Numbered(site, number) => {
            (reference.clone(), format!("cluster {} of site {}", printable(number), printable(site)))
        }
    };
    let unresolved = || {
        let problem = Problem::Unresolved { what: "InstalledOn of <Service>", reference: shown };
        ImportError::at(service.place, problem)
    };
    clusters.get(&key).copied().ok_or_else(unresolved)
}

fn cluster_name(cluster: &RawCluster) -> Result<String, ImportError> {
    let missing = Problem::Missing { element: "Cluster", attribute: "Fqdn" };
    cluster.fqdn.clone().ok_or_else(|| ImportError::at(cluster.place, missing))
}

/// A machine's name. Without one of its own it is the only one of a cluster, and has the cluster's.
fn machine_name(machine: &RawMachine, cluster: &RawCluster) -> Result<String, ImportError> {
    match &machine.fqdn {
        Some(fqdn) => Ok(fqdn.clone()),
        None if cluster.machines.len() == 1 => cluster_name(cluster),
        None => {
            let problem = Problem::Missing { element: "Machine", attribute: "Fqdn" };
            Err(ImportError::at(machine.place, problem))
        }
    }
}

fn front_end_pool(service: &RawService, cluster: &RawCluster) -> Result<FrontEndPool, ImportError> {
    let mut servers = Vec::new();
    for machine in &cluster.machines {
        let fqdn = machine_name(machine, cluster)?;
        servers.push(FrontEnd { fqdn, upgrade_domain: machine.upgrade_domain.clone() });
    }
    let fqdn = cluster_name(cluster)?;
    if servers.is_empty() {
        servers.push(FrontEnd { fqdn: fqdn.clone(), upgrade_domain: None });
    }
    Ok(FrontEndPool { fqdn, site: cluster.site.clone(), version: service.version, servers })
}

fn application_pool(
    service: &RawService,
    cluster: &RawCluster,
    registrars: &Registrars<'_>,
) -> Result<ApplicationPool, ImportError> {
    let fqdn = cluster_name(cluster)?;
    // Where the pool's identity is an address, as with TCP, that is where its one computer is.
    let identity = fqdn.parse().ok();
    let mut computers = Vec::new();
    for machine in &cluster.machines {
        let address = match &machine.address {
            RawAddress::One(address) => Some(*address),
            RawAddress::Any => identity.filter(|_| cluster.machines.len() == 1),
            RawAddress::Wrong(error) => return Err(error.as_ref().clone()),
        };
        computers.push(Computer { fqdn: machine_name(machine, cluster)?, address });
    }
    if computers.is_empty() {
        computers.push(Computer { fqdn: fqdn.clone(), address: identity });
    }
    let registrar = registrar(service, registrars)?;
    let applications = service
        .ports
        .iter()
        .map(|port| Application {
            id: without_prefix(&port.owner).to_owned(),
            port: Some(port.port),
            transport: port.transport,
            certificate: if port.transport == Transport::Tcp { Shown::None } else { Shown::NotSaid },
        })
        .collect();
    Ok(ApplicationPool { fqdn, site: cluster.site.clone(), registrar, computers, applications })
}

/// The front-end pool that an application pool depends on. Topology Builder's form also refers to other services.
fn registrar(service: &RawService, registrars: &Registrars<'_>) -> Result<Option<usize>, ImportError> {
    for reference in &service.depends_on {
        match (registrars.get(reference), reference) {
            (Some(position), _) => return Ok(*position),
            (None, Reference::Unique(_)) => {}
            (None, Reference::Numbered(site, instance)) => {
                let reference = format!("registrar {} of site {}", printable(instance), printable(site));
                let problem = Problem::Unresolved { what: "a <Dependency> of <Service>", reference };
                return Err(ImportError::at(service.place, problem));
            }
        }
    }
    Ok(None)
}

fn without_prefix(owner: &str) -> &str {
    match owner.get(..APPLICATION.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(APPLICATION) && owner.len() > APPLICATION.len() => {
            &owner[APPLICATION.len()..]
        }
        _ => owner,
    }
}
