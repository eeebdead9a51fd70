//! From positions to names: what records and reports call a peer.

use crate::scenario::plan::Plan;
use crate::validate::PeerName;

/// Names of the peers and front ends of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    plan: &'a Plan,
}

impl<'a> Names<'a> {
    /// The names in `plan`.
    pub fn new(plan: &'a Plan) -> Names<'a> {
        Names { plan }
    }

    /// Position of the group of the peer in row `row`, and the peer's index within it.
    pub fn locate(&self, row: u32) -> Option<(usize, u32)> {
        let mut first = 0;
        for (position, group) in self.plan.groups.iter().enumerate() {
            let peers = group.peers();
            if row < first + peers {
                return Some((position, group.index(row - first)));
            }
            first += peers;
        }
        None
    }

    /// The name of the peer in row `row`.
    pub fn peer(&self, row: u32) -> String {
        self.locate(row).map_or_else(
            || format!("peer {row}"),
            |(position, index)| {
                let group = &self.plan.groups[position];
                let index = if group.count == 1 { None } else { Some(index) };
                PeerName { group: &group.name, index }.to_string()
            },
        )
    }

    /// The name of the front end at `place`.
    pub fn front_end(&self, place: u16) -> &'a str {
        self.plan.front_ends.get(usize::from(place)).map_or("?", |f| f.name.as_str())
    }

    /// The name of the group at `position`.
    pub fn group(&self, position: u16) -> &'a str {
        self.plan.groups.get(usize::from(position)).map_or("?", |g| g.name.as_str())
    }
}
