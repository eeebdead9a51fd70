//! The known-servers table: who the topology lists, by address and port.
//!
//! A TCP peer has nothing to show but where it comes from. So its identity is its address and port, whoever it says it is:
//! one that comes from an address of another listed server is taken for that.

use std::net::IpAddr;

use super::Question;
use super::certificate::{CertificateNames, differs_by_peer};

/// What the topology and their certificates say of like peers, where that is not what is usual.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Particulars {
    /// Their pool in the topology; `None`: called as the group.
    pub pool: Option<String>,
    /// Their computers' names there, with `{index}` and `{pool}`; `None`: none but the pool's.
    pub computer: Option<String>,
    /// Address of index 0 and port there; `None`: those that they come from.
    pub listed: Option<(IpAddr, u16)>,
    /// What their certificates name; `None`: the pool, or somebody else in the state of that name.
    pub names: Option<CertificateNames>,
}

impl Particulars {
    /// Whether questions about such peers may have different answers.
    pub fn differ_by_peer(&self) -> bool {
        let of_names = |names: &CertificateNames| {
            let alt = names.alt.iter().any(|name| differs_by_peer(&name.text));
            alt || names.subject.as_deref().is_some_and(differs_by_peer)
        };
        self.computer.as_deref().is_some_and(differs_by_peer) || self.names.as_ref().is_some_and(of_names)
    }
}

/// Servers that the topology lists with addresses in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownServer {
    /// The first address.
    pub first: IpAddr,
    /// The last one, of the same family and not before the first.
    pub last: IpAddr,
    /// Their port.
    pub port: u16,
}

/// What the table says of an address and a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listed {
    /// A server is listed with both.
    Server,
    /// The address is listed, but with other ports.
    OtherPort,
    /// No server has this address.
    Nobody,
}

/// The table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownServers {
    /// Sorted by their first addresses.
    entries: Vec<KnownServer>,
    /// The greatest `last` of all entries up to each.
    reach: Vec<IpAddr>,
}

impl KnownServers {
    /// The table of some servers; they may overlap.
    pub fn new(servers: impl IntoIterator<Item = KnownServer>) -> KnownServers {
        let mut entries: Vec<KnownServer> = servers.into_iter().collect();
        entries.sort_by_key(|entry| (entry.first, entry.last, entry.port));
        let greatest = |reach: &mut Option<IpAddr>, entry: &KnownServer| {
            *reach = Some(reach.map_or(entry.last, |reach| reach.max(entry.last)));
            *reach
        };
        let reach = entries.iter().scan(None, greatest).collect();
        KnownServers { entries, reach }
    }

    /// What it says of a peer that comes from `address` and `port`. Takes time in the logarithm of the table's length, and
    /// in the number of entries that overlap there.
    pub fn look_up(&self, address: IpAddr, port: u16) -> Listed {
        let end = self.entries.partition_point(|entry| entry.first <= address);
        let mut found = Listed::Nobody;
        for (entry, reach) in self.entries[..end].iter().zip(&self.reach).rev() {
            if *reach < address {
                break;
            }
            if entry.last >= address && entry.first.is_ipv4() == address.is_ipv4() {
                if entry.port == port {
                    return Listed::Server;
                }
                found = Listed::OtherPort;
            }
        }
        found
    }

    /// Puts into a question what the table says of its address and port.
    pub fn complete(&self, question: &mut Question<'_>) {
        let listed = self.look_up(question.address, question.port);
        question.address_known = listed != Listed::Nobody;
        question.port_known = listed == Listed::Server;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(first: &str, last: &str, port: u16) -> KnownServer {
        KnownServer { first: first.parse().expect("an address"), last: last.parse().expect("an address"), port }
    }

    #[test]
    fn a_server_is_known_by_its_address_and_port() {
        let table = KnownServers::new([
            entry("10.0.0.9", "10.0.0.9", 5060),
            entry("10.0.0.1", "10.0.0.100", 5062),
            entry("10.0.1.1", "10.0.1.1", 5060),
            entry("2001:db8::1", "2001:db8::ff", 5060),
        ]);
        let of = |address: &str, port| table.look_up(address.parse().expect("an address"), port);
        assert_eq!(of("10.0.0.9", 5060), Listed::Server);
        assert_eq!(of("10.0.0.9", 5062), Listed::Server, "the other entry lists it too");
        assert_eq!(of("10.0.0.10", 5060), Listed::OtherPort);
        assert_eq!(of("10.0.0.100", 5062), Listed::Server);
        assert_eq!(of("10.0.0.101", 5062), Listed::Nobody);
        assert_eq!(of("10.0.0.0", 5062), Listed::Nobody);
        assert_eq!(of("2001:db8::42", 5060), Listed::Server);
        assert_eq!(of("2001:db8::100", 5060), Listed::Nobody);
        assert_eq!(KnownServers::default().look_up("10.0.0.1".parse().expect("an address"), 1), Listed::Nobody);
    }

    #[test]
    fn the_table_says_what_looking_at_every_entry_says() {
        let address = |n: u32| IpAddr::V4(std::net::Ipv4Addr::from_bits(n));
        let mut state = 1u32;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for _ in 0..200 {
            let mut entry = || {
                let first = next(40);
                KnownServer { first: address(first), last: address(first + next(10)), port: next(3) as u16 }
            };
            let entries: Vec<KnownServer> = (0..8).map(|_| entry()).collect();
            let table = KnownServers::new(entries.clone());
            for (at, port) in (0..60).flat_map(|at| (0..3u16).map(move |port| (at, port))) {
                let at = address(at);
                let there: Vec<_> = entries.iter().filter(|e| e.first <= at && at <= e.last).collect();
                let expected = match there.iter().any(|entry| entry.port == port) {
                    true => Listed::Server,
                    false if there.is_empty() => Listed::Nobody,
                    false => Listed::OtherPort,
                };
                assert_eq!(table.look_up(at, port), expected);
            }
        }
    }
}
