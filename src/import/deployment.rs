//! What a deployment is to this program: front ends, and the servers that they trust.
//!
//! The same whether it was read from a topology or from an inventory. Lint and the scenario are made from it.

use std::net::IpAddr;

use crate::validate::{CertificateState, Transport};

/// A deployment as its document says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Deployment {
    /// Its sites.
    pub sites: Vec<Site>,
    /// Its front-end pools.
    pub front_ends: Vec<FrontEndPool>,
    /// Its pools of trusted applications, those without an application left out.
    pub applications: Vec<ApplicationPool>,
    /// What the document has and the program does not use, in sentences.
    pub ignored: Vec<String>,
    /// What the document does not say and the program takes for granted, in sentences.
    pub assumed: Vec<String>,
}

/// A site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// As the document numbers it.
    pub id: String,
    /// Its name; empty if it has none.
    pub name: String,
}

/// A pool of front ends, perhaps of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrontEndPool {
    /// Its fully qualified name.
    pub fqdn: String,
    /// The id of its site.
    pub site: Option<String>,
    /// The product's generation: 7 is Skype for Business Server 2015, 8 is 2019, 6 and 5 are Lync Server 2013 and 2010.
    pub version: Option<u32>,
    /// Its servers, in the order of the document. Never empty.
    pub servers: Vec<FrontEnd>,
}

/// A front end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrontEnd {
    /// Its fully qualified name.
    pub fqdn: String,
    /// The name of its upgrade domain.
    pub upgrade_domain: Option<String>,
}

/// A pool of trusted-application computers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApplicationPool {
    /// Its name, or its address where that is its identity.
    pub fqdn: String,
    /// The id of its site.
    pub site: Option<String>,
    /// The front-end pool that it turns to: its position in [`Deployment::front_ends`]. `None`: not said.
    pub registrar: Option<usize>,
    /// Its computers. Never empty.
    pub computers: Vec<Computer>,
    /// What runs on each of them.
    pub applications: Vec<Application>,
}

/// A computer of a trusted-application pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Computer {
    /// Its name.
    pub fqdn: String,
    /// Its address; `None` where its service is not limited to one.
    pub address: Option<IpAddr>,
}

/// A trusted application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Application {
    /// Its id, without `urn:application:`.
    pub id: String,
    /// Its port, unique within the pool.
    pub port: Option<u16>,
    /// What carries its connections.
    pub transport: Transport,
    /// What it shows.
    pub certificate: Shown,
}

/// Which certificate a peer shows, as far as is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// The document does not say.
    NotSaid,
    /// None.
    None,
    /// One of this state.
    Some(CertificateState),
}

impl Deployment {
    /// The site of this id, as sentences name it.
    pub fn site(&self, id: &str) -> String {
        match self.sites.iter().find(|site| site.id == id) {
            Some(site) if !site.name.is_empty() => format!("site {id} ({})", super::error::printable(&site.name)),
            _ => format!("site {id}"),
        }
    }
}
