//! From positions to names: what records and reports call a peer.

use std::cell::OnceCell;

use crate::scenario::plan::Plan;
use crate::validate::PeerName;

/// Names of the peers and front ends of a plan. To be kept while names are wanted: the first name of a peer takes a look
/// at all groups, and the others do not.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    plan: &'a Plan,
    /// The row behind the last of each group.
    ends: OnceCell<Vec<u32>>,
}

impl<'a> Names<'a> {
    /// The names in `plan`.
    pub fn new(plan: &'a Plan) -> Names<'a> {
        Names { plan, ends: OnceCell::new() }
    }

    /// Whose names they are.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Position of the group of the peer in row `row`, and the peer's index within it.
    pub fn locate(&self, row: u32) -> Option<(usize, u32)> {
        let ends = self.ends.get_or_init(|| {
            let mut end = 0;
            let next = |peers: u32| {
                end += peers;
                end
            };
            self.plan.groups.iter().map(|group| group.peers()).map(next).collect()
        });
        let position = ends.partition_point(|end| *end <= row);
        let group = self.plan.groups.get(position)?;
        let first = ends[position] - group.peers();
        Some((position, group.index(row - first)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    #[test]
    fn every_row_has_the_name_of_its_peer_and_rows_beyond_have_none() {
        let group = |name, rest| format!("[[group]]\nname = \"{name}\"\ntransport = \"tls\"\n{rest}\n");
        let text = "schema = 1\nsemantics = 1\n[run]\nhorizon = \"1d\"\n[refresh]\nevery = \"1h\"\n[validation]\n\
                    validator = \"sfb2015-cu2\"\n"
            .to_owned();
        let text = text + &group("a", "count = 2") + &group("b", "") + &group("c", "count = 9\nonly = [3, 7]");
        let plan = load("s", "s.toml", text.as_bytes(), &[]).expect("a plan");
        let names = Names::new(&plan);
        let expected = ["a/0", "a/1", "b", "c/3", "c/7", "peer 5", "peer 4294967295"];
        assert_eq!([0, 1, 2, 3, 4, 5, u32::MAX].map(|row| names.peer(row)), expected);
        assert_eq!(names.locate(4), Some((2, 7)));
    }
}
