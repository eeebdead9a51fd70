//! What the way between a peer and a front end does to messages: what they take, whether they get lost, where they end
//! (model rule 11).
//!
//! All of it is a function of the plan, the row and the draws; nothing is kept of a message, and when a path is cut and
//! heals stands in the plan. Does not schedule: `connection` and `network` do.

use std::collections::{BTreeMap, BTreeSet};

use crate::dist::Dist;
use crate::frontend::{Group, Row, Unanswered};
use crate::policy::Ratio;
use crate::policy::tcp::{KeepAlive, Loss, RETRANSMISSION};
use crate::rng::{Draws, Purpose, When};
use crate::scenario::plan::{Change, GroupPlan, Plan, TimelineEntry};
use crate::time::{Span, Time};

/// What happens on the way between one group and its front ends; only for groups on whose way anything does.
#[derive(Clone, Debug)]
pub(super) struct Way {
    variation: Option<Dist>,
    loss: Loss,
    keep_alive: Option<KeepAlive>,
    /// Of the front ends.
    front_end_keep_alive: Option<KeepAlive>,
    /// From when until when it is cut, the second not part of it.
    cuts: Cuts,
    /// The same to front ends that entries of the timeline name.
    own: BTreeMap<u16, Cuts>,
    /// From when on tries take how many times as long, in order.
    paces: Vec<(Time, Ratio)>,
}

type Cuts = Vec<(Time, Time)>;

impl Way {
    /// The ways of all groups of a plan; `None`: a plain one.
    pub(super) fn all(plan: &Plan) -> impl Iterator<Item = Option<Box<Way>>> + '_ {
        let mut entries: BTreeMap<u16, Vec<&TimelineEntry>> = BTreeMap::new();
        let of_path = |change| matches!(change, Change::CutOff | Change::Heal | Change::Slow(_) | Change::SlowEnds);
        for entry in plan.timeline.iter().filter(|entry| of_path(entry.change)) {
            entries.entry(entry.group).or_default().push(entry);
        }
        plan.groups.iter().zip(0u16..).map(move |(group, position)| {
            let entries = entries.remove(&position).unwrap_or_default();
            let plain = group.path.variation.is_none() && group.path.loss == Loss::default() && entries.is_empty();
            (!plain).then(|| Box::new(Way::new(plan, group, &entries)))
        })
    }

    fn new(plan: &Plan, group: &GroupPlan, entries: &[&TimelineEntry]) -> Way {
        let named: BTreeSet<u16> = entries.iter().filter_map(|entry| entry.front_end).collect();
        Way {
            variation: group.path.variation.clone(),
            loss: group.path.loss,
            keep_alive: group.tcp.keep_alive,
            // All front ends have the same limits.
            front_end_keep_alive: plan.front_ends.first().and_then(|front_end| front_end.limits.keep_alive),
            cuts: cuts(entries, None),
            paces: entries.iter().filter_map(|entry| pace(entry)).collect(),
            own: named.into_iter().map(|place| (place, cuts(entries, Some(place)))).collect(),
        }
    }

    /// Whether either end probes.
    pub(super) fn keeps_alive(&self) -> bool {
        self.keep_alive.is_some() || self.front_end_keep_alive.is_some()
    }

    /// The number of the cut that covers `at`, when it began and when it ends.
    fn cut(&self, place: u16, at: Time) -> Option<(usize, Time, Time)> {
        let cuts = self.own.get(&place).unwrap_or(&self.cuts);
        let nth = cuts.partition_point(|(from, _)| *from <= at).checked_sub(1)?;
        let (from, until) = cuts[nth];
        (at < until).then_some((nth, from, until))
    }

    /// When what would arrive at `at` does: sent again after the cut that it falls into, and after the one that this
    /// falls into.
    fn after_cuts(&self, place: u16, mut at: Time) -> Time {
        while let Some((_, _, until)) = self.cut(place, at) {
            at = until + RETRANSMISSION;
        }
        at
    }
}

/// How long tries take from an entry on, if it is about that.
fn pace(entry: &TimelineEntry) -> Option<(Time, Ratio)> {
    match entry.change {
        Change::Slow(factor) => Some((entry.at, factor)),
        Change::SlowEnds => Some((entry.at, Ratio::ONE)),
        _ => None,
    }
}

/// When the path to the front end at `place` is cut; `None`: to one that no entry names.
fn cuts(entries: &[&TimelineEntry], place: Option<u16>) -> Cuts {
    let (mut cuts, mut since) = (Cuts::new(), None);
    for entry in entries.iter().filter(|e| e.front_end.is_none() || e.front_end == place) {
        match entry.change {
            Change::CutOff => since = since.or(Some(entry.at)),
            Change::Heal => cuts.extend(since.take().map(|from| (from, entry.at)).filter(|(from, until)| from < until)),
            Change::Join
            | Change::Leave
            | Change::ReplaceCertificate
            | Change::CertificateExpires
            | Change::Slow(_)
            | Change::SlowEnds => {}
        }
    }
    cuts.extend(since.map(|from| (from, Time::NEVER)));
    cuts
}

/// Later than any run's end, and yet an instant: news that never comes.
const TOO_LATE: Time = Time(u64::MAX - 1);

/// Draws of the path: the n-th SYN has number n; from here on, rounds between front end and peer by the flights before.
const ROUNDS: u16 = 64;
/// The news of the verdict.
const NEWS: u16 = 96;
/// Repeats of the SYN-ACK.
const SYN_ACKS: u16 = 112;

/// The messages of one connection between its peer and the front end of its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip<'r> {
    pub(super) row: &'r Row,
    pub(super) of: &'r Group,
    pub(super) who: u32,
    pub(super) draws: &'r Draws,
    pub(super) way: Option<&'r Way>,
}

impl Trip<'_> {
    fn place(&self) -> u16 {
        self.row.place()
    }

    /// The plain round trip.
    fn rtt(&self) -> Span {
        let mut row = *self.row;
        row.rtt(|| self.of.rtt_of(self.draws, self.who))
    }

    /// How long an exchange takes: the round trip, and what this one takes beyond it.
    fn exchange(&self, number: u16) -> Span {
        let Some(way) = self.way else { return self.rtt() };
        let beyond = way.variation.as_ref().map_or(Span::ZERO, |variation| {
            self.of.sample(variation, self.draws, self.who, Purpose::PathVariation, self.row.when(), number)
        });
        self.at_its_pace(self.rtt() + beyond)
    }

    /// How long something of the present try takes that would take `span`: a try is as slow as its group was when it
    /// began.
    pub(super) fn at_its_pace(&self, span: Span) -> Span {
        self.at_pace_of(self.row.started, span)
    }

    /// How long something takes that begins at `at` and would usually take `span`.
    fn at_pace_of(&self, at: Time, span: Span) -> Span {
        let paces = self.way.map_or(&[][..], |way| &way.paces);
        let changes = paces.partition_point(|(from, _)| *from <= at);
        changes.checked_sub(1).map_or(span, |last| paces[last].1.of(span))
    }

    /// What a plain exchange takes that begins at `at` and is of no try: a request and its answer, a reset, a close.
    pub(super) fn exchange_of(&self, at: Time) -> Span {
        self.at_pace_of(at, self.rtt())
    }

    /// What a plain exchange of the present try takes.
    pub(super) fn plain_exchange(&self) -> Span {
        self.at_its_pace(self.rtt())
    }

    fn loss_bits(&self, number: u16, message: u16) -> u64 {
        let when = self.row.when();
        self.draws.draw(self.of.identity_of(self.who), Purpose::PathLoss, when, number * 2 + message)
    }

    // ---- the SYN

    /// When the peer's stack gives the present try up.
    pub(super) fn gives_up(&self) -> Time {
        self.row.started + self.of.syn.give_up()
    }

    /// When the next SYN of the present try arrives after `after` (`None`: the first), or its peer's stack gives up if
    /// that is before.
    pub(super) fn next_syn(&self, after: Option<Time>) -> Time {
        let arrivals = self.syn_arrivals().filter(|at| after.is_none_or(|after| *at > after));
        arrivals.min().unwrap_or(Time::NEVER).min(self.gives_up())
    }

    /// When each SYN of the present try arrives.
    fn syn_arrivals(&self) -> impl Iterator<Item = Time> + '_ {
        let sends = self.of.syn.sends().zip(0u16..);
        sends.map(|(after, nth)| self.row.started + after + self.exchange(nth).half())
    }

    /// Why the SYN that arrives now, or its answer, does not get through.
    pub(super) fn loses_syn(&self, now: Time) -> Option<Unanswered> {
        let way = self.way?;
        // Two that arrive at once are one.
        let nth = self.syn_arrivals().position(|at| at == now)? as u16;
        let heard = self.hears_syn_ack(now);
        if way.cut(self.place(), now).is_some() || way.cut(self.place(), heard).is_some() {
            return Some(Unanswered::Cut);
        }
        let lost = |message| way.loss.loses(self.loss_bits(nth, message));
        (lost(0) || lost(1)).then_some(Unanswered::Lost)
    }

    /// Whether the `nth` repeat of the SYN-ACK, or the ACK that it brings at `answer`, does not get through.
    pub(super) fn loses_syn_ack(&self, nth: usize, answer: Time) -> bool {
        let Some(way) = self.way else { return false };
        let lost = |message| way.loss.loses(self.loss_bits(SYN_ACKS + nth as u16, message));
        let heard = answer - self.plain_exchange().half();
        lost(0) || lost(1) || way.cut(self.place(), answer).is_some() || way.cut(self.place(), heard).is_some()
    }

    /// From the SYN-ACK to the final ACK that it brings, or a whole exchange where that never comes.
    pub(super) fn syn_ack_takes(&self) -> Span {
        self.round_takes(0).unwrap_or(self.exchange(ROUNDS))
    }

    /// The exchange that the SYN-ACK begins, whatever gets lost of it.
    pub(super) fn syn_ack_exchange(&self) -> Span {
        self.exchange(ROUNDS)
    }

    /// When the peer has the SYN-ACK that answers a SYN of `now`: the half that the SYN was rounded down by is made up for,
    /// so that over a plain path it is there a whole round trip after the SYN went out.
    pub(super) fn hears_syn_ack(&self, now: Time) -> Time {
        let exchange = self.exchange(ROUNDS);
        now + Span(exchange.0 - exchange.half().0)
    }

    // ---- messages after it

    /// How long it takes from a flight of the front end to the next one of the peer, its CPU left aside: an exchange, and
    /// what is lost of it sent again. `None`: sent again so often that the connection is dead.
    fn round_takes(&self, flight: u16) -> Option<Span> {
        let exchange = self.exchange(ROUNDS + flight);
        let again: u32 = self.round_repeats(flight)?.iter().sum();
        Some(exchange + (exchange + RETRANSMISSION).times(u64::from(again)))
    }

    /// How often a flight of the front end, and the answer to it, are sent again; `None`: so often that the connection is
    /// dead.
    fn round_repeats(&self, flight: u16) -> Option<[u32; 2]> {
        let Some(way) = self.way else { return Some([0; 2]) };
        let repeats = |message| way.loss.repeats(self.loss_bits(ROUNDS + flight, message));
        // The SYN-ACK has got through, or the SYN would not count as answered.
        let first = if flight == 0 { Some(0) } else { repeats(0) };
        Some([first?, repeats(1)?])
    }

    /// When the peer's next flight arrives, after the front end's flight number `flight` (0: the SYN-ACK) went out now
    /// and the peer computes for `thinks`. `NEVER` if it never does.
    pub(super) fn round_ends(&self, now: Time, flight: u16, thinks: Span) -> Time {
        let exchange = self.exchange(ROUNDS + flight);
        let Some([again, answered_again]) = self.round_repeats(flight) else { return Time::NEVER };
        let copies = |n: u32| (exchange + RETRANSMISSION).times(u64::from(n));
        // Each of the two may fall into a cut. (The SYN-ACK does not, or the SYN would not count as answered.)
        let (heard, back) = if flight == 0 {
            (self.hears_syn_ack(now), exchange.half())
        } else {
            (self.after_cuts(now + copies(again) + exchange.half()), Span(exchange.0 - exchange.half().0))
        };
        self.after_cuts(heard + thinks + copies(answered_again) + back)
    }

    /// When the peer has the front end's flight number `flight` (1: the first), which goes out now.
    pub(super) fn hears_flight(&self, now: Time, flight: u16) -> Time {
        let exchange = self.exchange(ROUNDS + flight);
        let again = match self.way {
            None => Some(0),
            Some(way) => way.loss.repeats(self.loss_bits(ROUNDS + flight, 0)),
        };
        let takes = |again: u32| exchange.half() + (exchange + RETRANSMISSION).times(u64::from(again));
        again.map_or(Time::NEVER, |again| self.after_cuts(now + takes(again)))
    }

    /// What would arrive at `at`, or the retransmission after the cuts that it falls into.
    #[inline]
    pub(super) fn after_cuts(&self, at: Time) -> Time {
        self.way.map_or(at, |way| way.after_cuts(self.place(), at))
    }

    /// When the peer hears the verdict that is given now.
    pub(super) fn news_of_the_verdict(&self, now: Time) -> Time {
        let Some(way) = self.way else { return now + self.rtt().half() };
        let exchange = self.exchange(NEWS);
        let Some(again) = way.loss.repeats(self.loss_bits(NEWS, 0)) else { return TOO_LATE };
        let heard = now + exchange.half() + (exchange + RETRANSMISSION).times(u64::from(again));
        self.after_cuts(heard).min(TOO_LATE)
    }

    /// When the peer notices the end of its connection, of which a reset would tell it at `at`: behind a cut by its
    /// keep-alive or by the end of the cut, whatever comes first.
    #[inline]
    pub(super) fn news_of_the_end(&self, at: Time) -> Time {
        if self.way.is_none() { at } else { self.news_from(self.place(), at) }
    }

    /// The same of a connection to the front end at `place`.
    pub(super) fn news_from(&self, place: u16, at: Time) -> Time {
        let Some(way) = self.way else { return at };
        let Some((nth, from, until)) = way.cut(place, at) else { return at };
        let healed = way.after_cuts(place, until + RETRANSMISSION);
        match self.keep_alive_fails_at(way.keep_alive, 0, nth, from) {
            // One that would fail only after the path has healed does not fail.
            Some(noticed) if noticed >= at && noticed < until => noticed,
            _ => healed,
        }
    }

    /// An end notices cut number `nth` of the path: probes come at a phase of its own (draw `index`), and the last of
    /// `count` without an answer is waited for.
    fn keep_alive_fails_at(&self, keep_alive: Option<KeepAlive>, index: u16, nth: usize, from: Time) -> Option<Time> {
        let keep_alive = keep_alive?;
        let when = When { cycle: 0, episode: 0, attempt: nth as u32 };
        let bits = self.draws.draw(self.of.identity_of(self.who), Purpose::KeepAlive, when, index);
        let first = Dist::uniform(Span(1), keep_alive.interval).map_or(keep_alive.interval, |phase| phase.sample(bits));
        Some(from + first + keep_alive.patience())
    }

    /// Whether the path is cut from this instant on, and was not before.
    pub(super) fn cut_begins(&self, now: Time) -> bool {
        let cut = self.way.and_then(|way| way.cut(self.place(), now));
        cut.is_some_and(|(_, from, _)| from == now)
    }

    /// When the keep-alive of the peer fails because of the cut that covers `now`, if it does before that ends.
    pub(super) fn notices_cut(&self, now: Time) -> Option<Time> {
        let way = self.way?;
        let (nth, from, until) = way.cut(self.place(), now)?;
        self.keep_alive_fails_at(way.keep_alive, 0, nth, from).filter(|at| *at < until)
    }

    /// When the keep-alive of the front end fails because of the cut that covers `now`, if it does before that ends.
    pub(super) fn front_end_notices_cut(&self, now: Time) -> Option<Time> {
        let way = self.way?;
        let (nth, from, until) = way.cut(self.place(), now)?;
        self.keep_alive_fails_at(way.front_end_keep_alive, 1, nth, from).filter(|at| *at < until)
    }
}
