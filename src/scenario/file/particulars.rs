//! `group.listed` and `group.names`: what the topology and certificates say of peers.

use schemars::JsonSchema;

use super::words::Address;

/// Where the topology says that peers come from.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListedAs {
    /// Address of index 0, IPv4 or IPv6; index i has this plus i; default that which they come from.
    pub address: Option<Address>,
    /// Source port; default that which they come from.
    #[schemars(range(min = 0, max = 65535))]
    pub port: Option<u64>,
}

/// What certificates name. `{index}` stands for a peer's index, `{pool}` for its pool's name.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CertificateNames {
    /// Common name of the subject; default none.
    #[schemars(length(min = 1, max = 255))]
    pub subject: Option<String>,
    /// Subject alternative names: domain names, perhaps with a wildcard.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 255)))]
    pub dns: Option<Vec<String>>,
    /// Subject alternative names: URIs.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 255)))]
    pub uri: Option<Vec<String>>,
    /// Subject alternative names: addresses.
    #[schemars(length(min = 1, max = 256))]
    pub ip: Option<Vec<Address>>,
    /// Distinguished name of the issuer; for validators of the user's own.
    #[schemars(length(min = 1, max = 255))]
    pub issuer: Option<String>,
}
