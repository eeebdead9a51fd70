//! Certificates over time (rule 22), and the issuer that peers ask for the next one (rule 19, `rotate`).

use refresh_sim::measure::{Cause, Counter, What};
use refresh_sim::policy::{Act, Anchor, Ask, Initiator, Limit, Replaced, Then, Validity};
use refresh_sim::rng::{Purpose, When};
use refresh_sim::scenario::plan::Change;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::CertificateState;

use super::agenda::{Class, Step};
use super::queue::{Job, Kind};
use super::refresh::Obligation;
use super::turns::Limiter;
use super::world::World;

/// One certificate of a peer; it has shown or will show them in order, the first is number 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate {
    /// What it is as long as it has not expired.
    state: CertificateState,
    /// From here on it has.
    end: Time,
    /// When the next is issued of itself, and when its peer asks the issuer for that; `NEVER`: not so.
    replaced: Time,
    asks: Time,
}

/// `Certificate`'s details.
const REPLACED: u8 = 0;
const EXPIRES: u8 = 1;
const MADE: u8 = 2;
const ASKED_FOR: u8 = 3;

/// Nobody issues one for less.
const SHORTEST_LIFE: Span = Span::MINUTE;

/// A certificate that is asked for.
#[derive(Clone, Copy, Debug)]
struct Order {
    peer: usize,
    /// Of the certificate that it takes the place of.
    number: usize,
    /// The connection that is to be refreshed when it is made.
    connection: Option<usize>,
}

/// The issuer: its line, what is being made, what its rate remembers.
#[derive(Default)]
pub(super) struct Issuer {
    waiting: Vec<Order>,
    under_way: Vec<(u64, Order)>,
    limiter: Limiter,
}

impl World<'_> {
    // ---- what peers have

    /// Each peer's certificate 0.
    pub(super) fn first_certificates(&mut self) {
        for peer in 0..self.peers.len() {
            let Some(state) = self.group(peer).certificate else { continue };
            let end = self.group(peer).validity.as_ref().and_then(|validity| validity.not_after);
            let first = self.issued(peer, 0, Time::ZERO, end);
            self.peers[peer].certificates = vec![Certificate { state, ..first }];
            self.will_ask(peer);
        }
    }

    fn draw_of_certificate(&self, peer: usize, purpose: Purpose, number: usize, look: u32) -> u64 {
        self.draw(peer, purpose, When { cycle: number as u32, episode: 0, attempt: look }, 0)
    }

    /// Certificate `number` of a peer, issued at `at`; `end`: it was said beforehand when it ends.
    fn issued(&self, peer: usize, number: usize, at: Time, end: Option<Time>) -> Certificate {
        let state = CertificateState::Valid;
        let forever = Certificate { state, end: Time::NEVER, replaced: Time::NEVER, asks: Time::NEVER };
        let Some(Validity { lives, replaced, .. }) = &self.group(peer).validity else { return forever };
        let drawn = || {
            let bits = self.draw_of_certificate(peer, Purpose::CertificateLife, number, 0);
            lives.as_ref().map(|lives| at + lives.sample(bits).max(SHORTEST_LIFE))
        };
        let Some(end) = end.or_else(drawn) else { return forever };
        let life = end.since(at);
        let mut certificate = Certificate { end, ..forever };
        match replaced {
            Replaced::Never => {}
            Replaced::Before(before) => {
                certificate.replaced = at + Span(life.0.saturating_sub(before.0)).max(life.half());
            }
            Replaced::After(_) => certificate.replaced = self.after_end(peer, number, end),
            Replaced::Asked(ask) => certificate.asks = at + self.share(peer, number, life, ask),
        }
        certificate
    }

    /// When a certificate is replaced that comes to its end at `end`.
    fn after_end(&self, peer: usize, number: usize, end: Time) -> Time {
        match self.group(peer).validity.as_ref().map(|validity| &validity.replaced) {
            Some(Replaced::After(late)) => {
                end + late.sample(self.draw_of_certificate(peer, Purpose::CertificateReplacement, number, 0))
            }
            _ => Time::NEVER,
        }
    }

    /// How old a certificate is when its peer asks for the next.
    fn share(&self, peer: usize, number: usize, life: Span, ask: &Ask) -> Span {
        let (from, to) = (ask.from.of(life), ask.to.of(life));
        let drawn = |look: u32| {
            let bits = self.draw_of_certificate(peer, Purpose::CertificateAsk, number, look);
            Span(from.0 + ((u128::from(bits) * u128::from(to.0 - from.0 + 1)) >> 64) as u64)
        };
        let Some(poll) = ask.poll else { return drawn(0) };
        // Before `from` no draw is over.
        let mut look = from.0.div_ceil(poll.0);
        while poll.times(look) < to && poll.times(look) < drawn(look as u32) {
            look += 1;
        }
        poll.times(look)
    }

    /// The number of the certificate that a peer has now; those that come of themselves have come.
    pub(super) fn has_certificate(&mut self, peer: usize) -> Option<usize> {
        while let Some(last) = self.peers[peer].certificates.last()
            && last.replaced <= self.now
            && last.replaced != Time::NEVER
        {
            let next = self.issued(peer, self.peers[peer].certificates.len(), last.replaced, None);
            self.peers[peer].certificates.push(next);
        }
        self.peers[peer].certificates.len().checked_sub(1)
    }

    /// What a certificate is now.
    pub(super) fn state(&self, peer: usize, number: usize) -> CertificateState {
        let of = self.peers[peer].certificates[number];
        if of.state == CertificateState::Valid && self.now >= of.end { CertificateState::Expired } else { of.state }
    }

    /// The timeline changes the certificate that a peer has, if it has any.
    pub(super) fn certificate_changes(&mut self, peer: usize, change: Change) {
        let Some(number) = self.has_certificate(peer) else { return };
        if change == Change::ReplaceCertificate {
            self.of_peer(peer, What::Certificate, REPLACED);
            self.gets_next(peer);
            return;
        }
        self.of_peer(peer, What::Certificate, EXPIRES);
        if self.now < self.peers[peer].certificates[number].end {
            let replaced = self.after_end(peer, number, self.now);
            let of = &mut self.peers[peer].certificates[number];
            (of.end, of.replaced) = (self.now, replaced);
        }
    }

    /// A certificate is issued now.
    fn gets_next(&mut self, peer: usize) {
        let next = self.issued(peer, self.peers[peer].certificates.len(), self.now, None);
        self.peers[peer].certificates.push(next);
        self.will_ask(peer);
    }

    // ---- the issuer

    fn will_ask(&mut self, peer: usize) {
        let Some(last) = self.peers[peer].certificates.last() else { return };
        let (at, number) = (last.asks, self.peers[peer].certificates.len() - 1);
        if self.plan.issuer.is_some() {
            self.later(at, Class::Deadline, peer, Step::Asks { peer, number });
        }
    }

    fn rule_of_asking(&self, peer: usize) -> Option<Ask> {
        match &self.group(peer).validity.as_ref()?.replaced {
            Replaced::Asked(ask) => Some(*ask),
            _ => None,
        }
    }

    /// A peer asks for the certificate after `number`.
    pub(super) fn asks(&mut self, peer: usize, number: usize) {
        let Some(then) = self.rule_of_asking(peer).map(|ask| ask.then) else { return };
        if self.has_certificate(peer) != Some(number) {
            return;
        }
        self.of_peer(peer, What::Certificate, ASKED_FOR);
        let has_ticks = self.plan.refresh.as_ref().is_some_and(|policy| policy.anchor != Anchor::OwnAge);
        let valid = self.valid_connection(peer).filter(|_| self.peers[peer].open.is_none());
        let connection = valid.filter(|_| then != Then::Stay && !has_ticks);
        if let Some(connection) = connection {
            self.next_cycle(peer);
            self.books.count(self.peers[peer].group, Counter::Dues);
            // What its age was going to bring does not come any more.
            self.peers[peer].taken = None;
            self.peers[peer].open = Some(Obligation::asked_for(self.now, connection, then == Then::Reconnect));
            self.of_peer(peer, What::Due, 4);
        }
        self.issuer.waiting.push(Order { peer, number, connection });
        self.issuer_begins();
    }

    /// The issuer takes what waits, as far as it has workers and its rate allows.
    pub(super) fn issuer_begins(&mut self) {
        let Some(of) = &self.plan.issuer else { return };
        while self.issuer.under_way.len() < of.workers as usize && !self.issuer.waiting.is_empty() {
            let order = self.issuer.waiting[0];
            if let Some(rate) = of.rate {
                let limit = Limit { rate: Some(rate), batch: None, spacing: Span::ZERO };
                let next = self.issuer.limiter.allows(limit, self.now);
                if next > self.now {
                    return self.later(next, Class::Deadline, order.peer, Step::IssuerMayBegin);
                }
                self.issuer.limiter.gives(limit, self.now);
            }
            self.issuer.waiting.remove(0);
            let bits = self.draw_of_certificate(order.peer, Purpose::CertificateCost, order.number + 1, 0);
            let ends = self.now + of.cost.sample(bits).max(Span(1));
            let making = self.fresh();
            self.issuer.under_way.push((making, order));
            self.later(ends, Class::Completion, order.peer, Step::Made { making });
        }
    }

    /// A certificate is made.
    pub(super) fn made(&mut self, making: u64) {
        let Some(nth) = self.issuer.under_way.iter().position(|(of, _)| *of == making) else { return };
        let (_, Order { peer, number, connection }) = self.issuer.under_way.remove(nth);
        // Who has another by now, from the timeline, does not take this one.
        let takes = self.has_certificate(peer) == Some(number);
        if takes {
            self.of_peer(peer, What::Certificate, MADE);
            self.gets_next(peer);
        }
        let is_due = |connection: &usize| self.valid_connection(peer) == Some(*connection) && self.owes_on(*connection);
        if let Some(connection) = connection.filter(is_due) {
            self.rotates(connection, takes);
        }
        self.issuer_begins();
    }

    /// The certificate of a connection that is due is made: it has its turn.
    fn rotates(&mut self, connection: usize, takes: bool) {
        let peer = self.connections[connection].peer;
        let Some(then) = self.rule_of_asking(peer).map(|ask| ask.then) else { return };
        match then {
            Then::Stay => {}
            Then::Revalidate => {
                if takes {
                    self.connections[connection].made_with = self.has_certificate(peer);
                }
                self.of_peer(peer, What::Turn, 0);
                let (front_end, when) = (self.connections[connection].front_end, self.peers[peer].when);
                let job = self.job(Kind::Validate, connection);
                self.enter(front_end, Job { cause: Cause::Refresh, when, in_place: true, ..job });
                self.take_jobs(front_end);
            }
            Then::Reconnect => {
                let initiator = match self.plan.refresh.as_ref().map(|policy| policy.act) {
                    Some(Act::Reconnect(initiator)) => initiator,
                    Some(Act::Revalidate) | None => Initiator::Peer,
                };
                self.of_peer(peer, What::Turn, self.what_it_does(connection, Act::Reconnect(initiator)));
                self.reconnect_now(peer, connection, initiator);
            }
        }
    }
}
