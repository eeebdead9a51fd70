//! Ephemeral ports of a group's addresses: who holds one, and which still rest (model rule 10).
//!
//! Only for groups whose ports have a bound. Knows positions within the group and indices, nothing of connections.

use std::collections::{BTreeMap, VecDeque};

use crate::frontend::Group;
use crate::policy::tcp::PeerTcp;
use crate::time::{Span, Time};

/// The ports of one address.
#[derive(Clone, Debug, Default)]
struct Pool {
    held: u32,
    /// When those in TIME_WAIT are free, rising.
    resting: VecDeque<Time>,
}

/// The ports of a group.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    max: u64,
    time_wait: Span,
    first: u32,
    addresses: Option<u32>,
    /// By number of the address.
    pools: BTreeMap<u32, Pool>,
    /// By position in the group.
    holds: Vec<bool>,
}

impl Ports {
    /// None held. `None`: the group's ports have no bound.
    pub(super) fn new(tcp: &PeerTcp, group: &Group) -> Option<Box<Ports>> {
        let max = u64::from(tcp.ports?);
        Some(Box::new(Ports {
            max,
            time_wait: tcp.time_wait,
            first: group.first,
            addresses: tcp.addresses,
            pools: BTreeMap::new(),
            holds: vec![false; group.peers as usize],
        }))
    }

    /// The pool of a row: peers are spread over the addresses by their index, so that removing one moves no other.
    fn pool(&mut self, who: u32, group: &Group) -> &mut Pool {
        let index = group.index(who);
        let address = self.addresses.map_or(index, |addresses| index % addresses.max(1));
        self.pools.entry(address).or_default()
    }

    /// Takes a port for `who` at `now`; says whether there was one. What it still held is free before.
    pub(super) fn take(&mut self, now: Time, who: u32, group: &Group) -> bool {
        self.give_back(now, who, group, false);
        let max = self.max;
        let pool = self.pool(who, group);
        while pool.resting.front().is_some_and(|free| *free <= now) {
            pool.resting.pop_front();
        }
        if u64::from(pool.held) + pool.resting.len() as u64 >= max {
            return false;
        }
        pool.held += 1;
        self.holds[(who - self.first) as usize] = true;
        true
    }

    /// The connection of `who` is no more; its port rests if this end closed it.
    pub(super) fn give_back(&mut self, now: Time, who: u32, group: &Group, rests: bool) {
        let holds = &mut self.holds[(who - self.first) as usize];
        if !std::mem::take(holds) {
            return;
        }
        let free = now + self.time_wait;
        let pool = self.pool(who, group);
        pool.held -= 1;
        if rests {
            pool.resting.push_back(free);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::{GroupPlan, Plan};
    use crate::validate::{Builtin, Transport};

    fn group(peers: u32) -> Group {
        let plan = Plan::new(Span::DAY, Builtin::TlsOnly).with_group(GroupPlan::new("g", Transport::Tcp, peers));
        super::super::build::groups(&plan).0.remove(0)
    }

    #[test]
    fn rule_10_a_port_is_free_at_once_or_rests_for_time_wait() {
        let of = group(3);
        let tcp = PeerTcp { ports: Some(2), time_wait: Span(10), addresses: Some(1), ..PeerTcp::default() };
        let mut ports = Ports::new(&tcp, &of).unwrap();
        assert_eq!([0, 1, 2].map(|who| ports.take(Time(0), who, &of)), [true, true, false]);
        ports.give_back(Time(1), 0, &of, false);
        assert!(ports.take(Time(1), 2, &of), "a reset frees the port at once");
        ports.give_back(Time(2), 1, &of, true);
        ports.give_back(Time(3), 1, &of, true);
        assert_eq!([11, 12].map(|at| ports.take(Time(at), 0, &of)), [false, true]);
    }

    #[test]
    fn rule_10_peers_are_spread_over_the_addresses_and_each_has_its_own_without_a_number() {
        let of = group(4);
        let tcp = PeerTcp { ports: Some(1), addresses: Some(2), ..PeerTcp::default() };
        let mut shared = Ports::new(&tcp, &of).unwrap();
        assert_eq!([0, 1, 2, 3].map(|who| shared.take(Time(0), who, &of)), [true, true, false, false]);
        let sparse = Group { indices: Some(vec![1, 2, 3, 5]), ..of.clone() };
        let mut shared = Ports::new(&tcp, &sparse).unwrap();
        assert_eq!([0, 1, 2, 3].map(|who| shared.take(Time(0), who, &sparse)), [true, true, false, false]);
        let mut own = Ports::new(&PeerTcp { addresses: None, ..tcp }, &of).unwrap();
        assert_eq!([0, 1, 2, 3].map(|who| own.take(Time(0), who, &of)), [true; 4]);
        assert!(Ports::new(&PeerTcp::default(), &of).is_none());
    }
}
