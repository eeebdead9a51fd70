//! How long peers are there, and how long of that without an established connection, as they see it (model rules 13
//! and 33).
//!
//! An outage is booked as a whole when it ends: when the verdict "accept" falls, which is half a round trip before the
//! peer hears of it. So the books run ahead of the clock, and this is what holds between any two steps:
//!
//! - Of a peer with a valid connection, each outage is booked up to its end, the last one up to when the peer hears of
//!   the connection (`Row::next`), gives it up before that, or the run ends, whichever is first.
//! - Of one without, the outage that began at `Row::since` is not booked yet, and nothing is booked beyond that instant.
//!   If its last connection ended before it heard of it, `overtaken` has the instant up to which it is booked.
//!
//! Whoever goes, or is there when the run ends, gets back what is booked beyond that instant; so nobody's time lost is
//! ever more than its time present.

use crate::measure::RecordKind;
use crate::time::Time;

use super::engine::Run;
use super::visit::Visit;

impl Visit<'_, '_> {
    /// The instant up to which the outage before a valid connection is booked, whose peer hears of it at `news`.
    #[inline]
    fn booked_until(&self, news: Time) -> Time {
        news.min(self.deadline()).min(self.end)
    }

    /// The outage of a peer is over, which hears of it at `news`; or it goes over into the next one, if the peer gives
    /// up before that.
    #[inline]
    pub(super) fn book_outage(&mut self, news: Time) {
        self.figures.lost += u128::from(self.booked_until(news).since(self.row.since).0);
    }

    /// The news "accept" is still on its way to a peer that goes, or that closes the connection: it is not told.
    #[inline]
    pub(super) fn news_is_void(&mut self) {
        let news = std::mem::replace(&mut self.row.next, Time::NEVER);
        if news > self.now && news != Time::NEVER {
            self.figures.lost -= u128::from(self.booked_until(news).since(self.now).0);
        }
    }

    /// A valid connection has ended at its front end, of which its peer hears at `learned`. It may not even have heard
    /// yet that there was one.
    #[inline]
    pub(super) fn connection_ends(&mut self, learned: Time) {
        let news = self.row.next;
        if news > self.now && news != Time::NEVER {
            self.overtake(news, learned);
        }
    }

    #[cold]
    fn overtake(&mut self, news: Time, learned: Time) {
        let booked = self.booked_until(news);
        // If it gives up before the news is there, or the end overtakes news that the path holds up, then to it this
        // connection has never been.
        let told = booked == news.min(self.end) && news <= learned;
        let until = if told { booked } else { learned.min(self.end) };
        self.figures.lost = self.figures.lost + u128::from(until.since(booked).0) - u128::from(booked.since(until).0);
        self.world.overtaken.insert(self.who, until);
    }

    /// A peer goes, or the run ends, while it has no valid connection.
    pub(super) fn outage_is_cut(&mut self) {
        let open = self.now.since(self.row.since);
        let ahead = self.world.overtaken.remove(&self.who).map_or(0, |booked| booked.since(self.now).0);
        self.figures.lost = self.figures.lost + u128::from(open.0) - u128::from(ahead);
    }
}

impl Run<'_> {
    /// Books how many peers of a group are there.
    pub(super) fn presence(&mut self, now: Time, group: usize, peers: u64, joined: bool) {
        self.settle_presence(now, group);
        let present = &mut self.present[group].0;
        *present = if joined { *present + peers } else { *present - peers };
        let kind = RecordKind::Timeline { peers, joined, group: group as u16 };
        if now > Time::ZERO {
            self.world.record(now, None, None, kind);
        }
    }

    /// Adds up the peers' time up to `now`.
    pub(super) fn settle_presence(&mut self, now: Time, group: usize) {
        let (peers, since) = &mut self.present[group];
        let cell = usize::from(self.groups[group].cell);
        self.figures[cell].present += u128::from(*peers) * u128::from(now.since(*since).0);
        *since = now;
    }
}
