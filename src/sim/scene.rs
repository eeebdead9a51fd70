//! A front end as it was when it crashed: what is kept of that, for as many crashes as anybody looks at.

use crate::measure::{Faulting, SCENES_MAX, Scene};

use super::engine::Run;

impl Run<'_> {
    /// The front end at `place` before its end, unless enough crashes have been kept.
    #[cold]
    pub(super) fn scene(&self, place: usize, fault: Option<Faulting>) -> Option<Box<Scene>> {
        if self.world.crashes.len() >= SCENES_MAX {
            return None;
        }
        let front_end = &self.front_ends[place];
        let mut valid: Vec<(u16, u64)> = Vec::new();
        let mut from = 0;
        while let Some(who) = front_end.members.next(from) {
            from = who + 1;
            let group = self.groups[self.group_of(who)].number;
            // Rows are in the order of their groups.
            match valid.last_mut() {
                Some((last, count)) if *last == group => *count += 1,
                _ => valid.push((group, 1)),
            }
        }
        let attempt = fault.and_then(|fault| self.rows.get(fault.peer as usize)).map(|row| row.attempt);
        let (waiting, in_service) = (front_end.account.waiting_jobs(), front_end.busy());
        Some(Box::new(Scene { waiting, in_service, valid, attempt }))
    }
}
