//! A topology document as it stands: clusters, services and the ports that count, not yet put together.
//!
//! Reads both forms: the published one, where a service names its cluster by number, and Topology Builder's, where it
//! does by a unique id. Elements are known by their local names and by what they are in; whatever else there is is
//! passed over and counted. Reads as a stream: what stays in memory is what a deployment needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::IpAddr;

use crate::validate::Transport;

use super::error::{ImportError, Place, Problem, printable};
use super::xml::{Element, Piece, Xml};

/// Most clusters, machines and ports that are kept.
pub(super) const KEPT_MAX: usize = 500_000;
/// Most characters of a name that is kept.
const NAME_MAX: usize = 255;
/// Most kinds of ignored elements that are told apart.
const KINDS_MAX: usize = 1000;
/// The role of a service that is a pool of trusted applications.
const EXTERNAL_SERVER: &str = "ExternalServer";
/// The role of a service that is a front end's.
const REGISTRAR: &str = "Registrar";

/// What counts of a document.
#[derive(Default, Debug)]
pub(super) struct Document {
    pub(super) sites: Vec<RawSite>,
    pub(super) clusters: Vec<RawCluster>,
    pub(super) services: Vec<RawService>,
    /// Services by role, of roles that are not looked into.
    pub(super) other_roles: BTreeMap<String, u64>,
    /// Ports with Protocol="Tcp" that are none of a trusted application, by their owner.
    pub(super) other_tcp: BTreeMap<String, u64>,
    /// Ports of trusted-application services with another usage.
    pub(super) other_usage: u64,
    /// Elements that are not known, by name.
    pub(super) unknown: BTreeMap<String, u64>,
    /// Topologies after the first.
    pub(super) further: u64,
}

#[derive(Debug)]
pub(super) struct RawSite {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Debug)]
pub(super) struct RawCluster {
    pub(super) place: Place,
    /// Topology Builder's id.
    pub(super) unique_id: Option<String>,
    /// The published form's: site and number.
    pub(super) id: Option<(String, String)>,
    pub(super) site: Option<String>,
    pub(super) fqdn: Option<String>,
    pub(super) machines: Vec<RawMachine>,
}

#[derive(Debug)]
pub(super) struct RawMachine {
    pub(super) place: Place,
    pub(super) fqdn: Option<String>,
    pub(super) upgrade_domain: Option<String>,
    pub(super) address: RawAddress,
}

/// The address of a machine's primary interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum RawAddress {
    /// No primary interface, or all of its addresses.
    Any,
    One(IpAddr),
    /// Something that only matters where it is used.
    Wrong(Box<ImportError>),
}

/// How a service names a cluster or another service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Reference {
    /// Topology Builder's.
    Unique(String),
    /// The published form's: site, then number, or role and instance.
    Numbered(String, String),
}

#[derive(Debug)]
pub(super) struct RawService {
    pub(super) place: Place,
    pub(super) kind: Kind,
    pub(super) own: Option<Reference>,
    pub(super) version: Option<u32>,
    pub(super) installed_on: Option<Reference>,
    /// Registrars that it depends on; in Topology Builder's form services of any role.
    pub(super) depends_on: Vec<Reference>,
    pub(super) ports: Vec<RawPort>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    FrontEnd { is_director: bool },
    Applications,
}

#[derive(Debug)]
pub(super) struct RawPort {
    pub(super) owner: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

/// Reads the first topology of a document that has anything in it.
pub(super) fn read<R: Read>(input: R) -> Result<Document, ImportError> {
    let mut xml = Xml::new(input)?;
    let mut walk = Walk::default();
    loop {
        let depth = xml.depth();
        match xml.next()? {
            Piece::Start(element) => walk.start(&element, depth + 1)?,
            Piece::Text(text) => walk.text(&text, depth),
            Piece::End => walk.end(depth)?,
            Piece::Passed => {}
            Piece::Eof => break,
        }
    }
    if walk.document.clusters.is_empty() && walk.document.services.is_empty() {
        return Err(ImportError::whole(Problem::NoTopology(walk.root)));
    }
    Ok(walk.document)
}

/// Something that is open, and how deep it is.
struct Open<T> {
    depth: usize,
    it: T,
}

/// Where in the document we are.
#[derive(Default)]
struct Walk {
    document: Document,
    root: Option<String>,
    kept: usize,
    topology: Option<usize>,
    is_read: bool,
    site: Option<Open<RawSite>>,
    site_ids: BTreeSet<String>,
    cluster: Option<Open<RawCluster>>,
    machine: Option<Open<RawMachine>>,
    has_primary: bool,
    service: Option<Open<OpenService>>,
    installed_on: Option<usize>,
    sql: Option<usize>,
    dependency: Option<Open<Option<Reference>>>,
}

/// A service whose role may not be known yet.
struct OpenService {
    role: Option<String>,
    is_director: bool,
    raw: RawService,
    ports: Vec<OpenPort>,
}

/// A port before it is known whether it counts.
struct OpenPort {
    place: Place,
    owner: Option<String>,
    usage: String,
    protocol: Option<(String, Place)>,
    port: Option<(String, Place)>,
}

impl Walk {
    fn start(&mut self, element: &Element<'_>, depth: usize) -> Result<(), ImportError> {
        let name = element.name();
        if self.root.is_none() {
            self.root = Some(printable(name));
        }
        if self.topology.is_none() {
            if matches!(name, "Topology" | "PartialTopology") {
                if self.is_read {
                    self.document.further += 1;
                } else {
                    self.topology = Some(depth);
                }
            }
            return Ok(());
        }
        match name {
            "CentralSite" | "Site" if self.cluster.is_none() && self.service.is_none() => {
                let id = needed(element, "CentralSite", "SiteId")?;
                self.site = Some(Open { depth, it: RawSite { id, name: String::new() } });
            }
            "Cluster" if self.service.is_none() => self.start_cluster(element, depth)?,
            "Machine" if self.cluster.is_some() => {
                let (fqdn, upgrade_domain) =
                    (name_of(element, "Machine", "Fqdn")?, name_of(element, "Machine", "UpgradeDomain")?);
                let it = RawMachine { place: element.place, fqdn, upgrade_domain, address: RawAddress::Any };
                self.has_primary = false;
                self.machine = Some(Open { depth, it });
            }
            "NetInterface" => self.interface(element)?,
            "Service" if self.cluster.is_none() => self.start_service(element, depth)?,
            "InstalledOn" if self.service.is_some() => self.installed_on = Some(depth),
            "SqlInstanceId" => self.sql = self.sql.or(Some(depth)),
            "Dependency" if self.service.is_some() => {
                let reference = text_of(element, "ServiceUniqueId")?.map(Reference::Unique);
                self.dependency = Some(Open { depth, it: reference });
            }
            "ClusterId" => self.cluster_id(element, depth)?,
            "ServiceId" => self.service_id(element)?,
            "Port" if self.service.is_some() => self.port(element)?,
            "RegistrarService" => {
                let value = text_of(element, "IsDirector")?;
                if let (Some(service), Some(value)) = (&mut self.service, value) {
                    service.it.is_director = value.eq_ignore_ascii_case("true");
                }
            }
            _ if PLAIN.contains(&name) => {}
            _ => count(&mut self.document.unknown, name),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, depth: usize) {
        // The text of <Name> in <CentralSite>: a site's name has no other element in it.
        let Some(site) = &mut self.site else { return };
        if depth == site.depth + 1 && self.cluster.is_none() && site.it.name.is_empty() {
            site.it.name = text.trim().chars().take(NAME_MAX).collect();
        }
    }

    fn end(&mut self, depth: usize) -> Result<(), ImportError> {
        if self.topology == Some(depth) {
            self.topology = None;
            self.is_read = !self.document.clusters.is_empty() || !self.document.services.is_empty();
        }
        if let Some(site) = self.site.take_if(|site| site.depth == depth)
            && self.site_ids.insert(site.it.id.clone())
        {
            self.keep()?;
            self.document.sites.push(site.it);
        }
        if let Some(machine) = self.machine.take_if(|machine| machine.depth == depth) {
            self.keep()?;
            if let Some(cluster) = &mut self.cluster {
                cluster.it.machines.push(machine.it);
            }
        }
        if let Some(cluster) = self.cluster.take_if(|cluster| cluster.depth == depth) {
            self.keep()?;
            self.document.clusters.push(cluster.it);
        }
        self.installed_on.take_if(|at| *at == depth);
        self.sql.take_if(|at| *at == depth);
        if let Some(dependency) = self.dependency.take_if(|dependency| dependency.depth == depth)
            && let Some(reference) = dependency.it
        {
            self.keep()?;
            if let Some(service) = &mut self.service {
                service.it.raw.depends_on.push(reference);
            }
        }
        if let Some(service) = self.service.take_if(|service| service.depth == depth) {
            self.end_service(service.it)?;
        }
        Ok(())
    }

    /// Counts one more thing that stays in memory.
    fn keep(&mut self) -> Result<(), ImportError> {
        self.kept += 1;
        if self.kept > KEPT_MAX { Err(ImportError::whole(Problem::TooMuch(KEPT_MAX))) } else { Ok(()) }
    }

    fn start_cluster(&mut self, element: &Element<'_>, depth: usize) -> Result<(), ImportError> {
        let it = RawCluster {
            place: element.place,
            unique_id: text_of(element, "UniqueId")?,
            id: None,
            site: self.site.as_ref().map(|site| site.it.id.clone()),
            fqdn: name_of(element, "Cluster", "Fqdn")?,
            machines: Vec::new(),
        };
        self.cluster = Some(Open { depth, it });
        Ok(())
    }

    fn start_service(&mut self, element: &Element<'_>, depth: usize) -> Result<(), ImportError> {
        let version = text_of(element, "ServiceVersion")?.and_then(|version| version.parse().ok());
        let raw = RawService {
            place: element.place,
            kind: Kind::Applications,
            own: text_of(element, "UniqueId")?.map(Reference::Unique),
            version,
            installed_on: text_of(element, "InstalledOn")?.map(Reference::Unique),
            depends_on: Vec::new(),
            ports: Vec::new(),
        };
        let role = text_of(element, "RoleName")?;
        self.service = Some(Open { depth, it: OpenService { role, is_director: false, raw, ports: Vec::new() } });
        Ok(())
    }

    /// An interface: the primary one's address is the machine's.
    fn interface(&mut self, element: &Element<'_>) -> Result<(), ImportError> {
        let side = text_of(element, "InterfaceSide")?;
        let is_primary = side.as_deref().is_none_or(|side| side.eq_ignore_ascii_case("Primary"));
        let Some(machine) = self.machine.as_mut().filter(|_| is_primary && !self.has_primary) else { return Ok(()) };
        self.has_primary = true;
        machine.it.address = match element.get("IPAddress")? {
            None => {
                let problem = Problem::Missing { element: "NetInterface", attribute: "IPAddress" };
                RawAddress::Wrong(Box::new(ImportError::at(element.place, problem)))
            }
            Some((value, place)) => match value.trim().parse::<IpAddr>() {
                Ok(address) if address.is_unspecified() => RawAddress::Any,
                Ok(address) => RawAddress::One(address),
                Err(_) => {
                    let accepted = "an IPv4 or IPv6 address, or 0.0.0.0 for all that the computer has";
                    RawAddress::Wrong(Box::new(invalid("NetInterface", "IPAddress", &value, accepted, place)))
                }
            },
        };
        Ok(())
    }

    /// What identifies a cluster, or refers to one: by where it stands.
    fn cluster_id(&mut self, element: &Element<'_>, depth: usize) -> Result<(), ImportError> {
        if let Some(cluster) = self.cluster.as_mut().filter(|cluster| depth == cluster.depth + 1) {
            let site = needed(element, "ClusterId", "SiteId")?;
            cluster.it.site = Some(site.clone());
            cluster.it.id = Some((site, needed(element, "ClusterId", "Number")?));
        } else if let (Some(service), Some(_), None) = (&mut self.service, self.installed_on, self.sql) {
            let (site, number) = (needed(element, "ClusterId", "SiteId")?, needed(element, "ClusterId", "Number")?);
            service.it.raw.installed_on = Some(Reference::Numbered(site, number));
        }
        Ok(())
    }

    /// What identifies a service, or refers to one: by where it stands. Only registrars are referred to that matter.
    fn service_id(&mut self, element: &Element<'_>) -> Result<(), ImportError> {
        let Some(service) = &mut self.service else { return Ok(()) };
        let role = needed(element, "ServiceId", "RoleName")?;
        let (site, instance) = (needed(element, "ServiceId", "SiteId")?, needed(element, "ServiceId", "Instance")?);
        let is_registrar = role.eq_ignore_ascii_case(REGISTRAR);
        let reference = Reference::Numbered(site, instance);
        match &mut self.dependency {
            Some(dependency) if is_registrar => dependency.it = Some(reference),
            Some(_) => {}
            None => {
                service.it.role = Some(role);
                service.it.raw.own = Some(reference);
            }
        }
        Ok(())
    }

    fn port(&mut self, element: &Element<'_>) -> Result<(), ImportError> {
        let Some(service) = &mut self.service else { return Ok(()) };
        let place = element.place;
        let with_place = |name| -> Result<Option<(String, Place)>, ImportError> {
            Ok(element.get(name)?.map(|(value, place)| (value.trim().to_owned(), place)))
        };
        let port = OpenPort {
            place,
            owner: name_of(element, "Port", "Owner")?,
            usage: text_of(element, "Usage")?.unwrap_or_default(),
            protocol: with_place("Protocol")?,
            port: with_place("Port")?,
        };
        // A service without a role yet keeps its ports until it has one; that is bounded like all else.
        let counts = service.it.role.as_deref().is_none_or(|role| role.eq_ignore_ascii_case(EXTERNAL_SERVER));
        if counts {
            service.it.ports.push(port);
            self.keep()
        } else {
            self.pass(&port);
            Ok(())
        }
    }

    /// A port that is none of a trusted application. That it is TCP says nothing: a healthy front end has several.
    fn pass(&mut self, port: &OpenPort) {
        let is_tcp = port.protocol.as_ref().is_some_and(|(protocol, _)| protocol.eq_ignore_ascii_case("Tcp"));
        if is_tcp {
            let owner = port.owner.as_deref().unwrap_or("no owner");
            count(&mut self.document.other_tcp, owner.strip_prefix("urn:component:").unwrap_or(owner));
        }
    }

    fn end_service(&mut self, service: OpenService) -> Result<(), ImportError> {
        let OpenService { role, is_director, mut raw, ports } = service;
        let Some(role) = role else {
            let problem = Problem::Missing { element: "Service", attribute: "RoleName (or <ServiceId RoleName>)" };
            return Err(ImportError::at(raw.place, problem));
        };
        if role.eq_ignore_ascii_case(EXTERNAL_SERVER) {
            for port in ports {
                if port.usage.eq_ignore_ascii_case("SipServer") {
                    raw.ports.push(port.checked()?);
                } else {
                    self.document.other_usage += 1;
                    self.pass(&port);
                }
            }
            raw.kind = Kind::Applications;
        } else {
            ports.iter().for_each(|port| self.pass(port));
            if !role.eq_ignore_ascii_case(REGISTRAR) {
                count(&mut self.document.other_roles, &role);
                return Ok(());
            }
            raw.kind = Kind::FrontEnd { is_director };
        }
        self.keep()?;
        self.document.services.push(raw);
        Ok(())
    }
}

impl OpenPort {
    /// The port of a trusted application: everything that is used must be there and make sense.
    fn checked(self) -> Result<RawPort, ImportError> {
        let missing = |attribute| ImportError::at(self.place, Problem::Missing { element: "Port", attribute });
        let owner = self.owner.ok_or_else(|| missing("Owner"))?;
        let (protocol, protocol_place) = self.protocol.ok_or_else(|| missing("Protocol"))?;
        let (port, port_place) = self.port.ok_or_else(|| missing("Port"))?;
        let transport = match protocol.to_ascii_lowercase().as_str() {
            "mtls" | "tls" => Transport::Tls,
            "tcp" => Transport::Tcp,
            _ => {
                let accepted = "Mtls, Tls or Tcp for a SipServer port of a trusted application";
                return Err(invalid("Port", "Protocol", &protocol, accepted, protocol_place));
            }
        };
        let number = port.parse::<u16>().ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| invalid("Port", "Port", &port, "a number from 1 to 65535", port_place))?;
        Ok(RawPort { owner, port: number, transport })
    }
}

/// Elements without meaning here that real documents have; others are counted as unknown.
const PLAIN: [&str; 30] = [
    "ActiveSimpleUrl",
    "CentralSites",
    "Clusters",
    "Component",
    "DependsOn",
    "ExternalSettings",
    "InternalDomain",
    "InternalDomains",
    "Location",
    "MCU",
    "MCUs",
    "Machines",
    "Name",
    "NewTopology",
    "OverrideUrls",
    "PartialTopology",
    "Ports",
    "RemoteSite",
    "RemoteSites",
    "Services",
    "SimpleUrl",
    "SimpleUrlConfiguration",
    "SimpleUrlEntry",
    "Sites",
    "SqlInstance",
    "SqlInstances",
    "Topology",
    "UpaSeparator",
    "WebComponents",
    "WebService",
];

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < KINDS_MAX {
        counts.insert(printable(name), 1);
    }
}

/// An attribute's value, trimmed; an empty one is none.
fn text_of(element: &Element<'_>, attribute: &str) -> Result<Option<String>, ImportError> {
    let value = element.get(attribute)?.map(|(value, _)| value.trim().to_owned());
    Ok(value.filter(|value| !value.is_empty()))
}

/// A name: as [`text_of`], and of bearable length.
fn name_of(element: &Element<'_>, name: &'static str, attribute: &'static str) -> Result<Option<String>, ImportError> {
    let value = text_of(element, attribute)?;
    match value {
        Some(value) if value.chars().count() > NAME_MAX || value.chars().any(char::is_control) => {
            let place = element.get(attribute)?.map_or(element.place, |(_, place)| place);
            let accepted = "1 to 255 characters, none of them a control character";
            Err(invalid(name, attribute, &value, accepted, place))
        }
        other => Ok(other),
    }
}

/// An attribute that must be there.
fn needed(element: &Element<'_>, name: &'static str, attribute: &'static str) -> Result<String, ImportError> {
    let value = name_of(element, name, attribute)?;
    value.ok_or_else(|| ImportError::at(element.place, Problem::Missing { element: name, attribute }))
}

fn invalid(
    element: &'static str,
    attribute: &'static str,
    value: &str,
    accepted: &'static str,
    place: Place,
) -> ImportError {
    ImportError::at(place, Problem::Invalid { element, attribute, value: printable(value), accepted })
}
