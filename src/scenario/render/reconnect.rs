//! Reconnect policies, time-outs and limits as inline tables: what is as by default is not written, but for the waits.

use crate::dist::Dist;
use crate::policy::tcp::KeepAlive;
use crate::policy::{Backoff, Budget, CountedFrom, Growth, Jitter, Limits, Reconnect, Timeouts};
use crate::scenario::file::{GrowthWord, JitterWord, Word};
use crate::time::Span;

use super::{dist, length, list, word};

/// `key = value` pairs of one table.
#[derive(Default)]
struct Pairs(Vec<String>);

impl Pairs {
    fn add(&mut self, key: &str, value: impl std::fmt::Display) {
        self.0.push(format!("{key} = {value}"));
    }

    fn add_some(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    fn table(self) -> String {
        format!("{{ {} }}", self.0.join(", "))
    }
}

/// `group.timeouts`.
pub(super) fn timeouts(timeouts: &Timeouts) -> String {
    let mut out = Pairs::default();
    out.add_some("connect", timeouts.connect.map(length));
    if let Some(growth) = &timeouts.connect_growth {
        out.add_some("connect_factor", growth.factor.decimal());
        out.add_some("connect_cap", growth.cap.map(length));
        out.add("connect_jitter", quoted(&growth.jitter));
    }
    out.add_some("flight", timeouts.flight.map(length));
    out.add_some("answer", timeouts.answer.map(length));
    out.table()
}

/// `front_end.limits`.
pub(super) fn limits(limits: &Limits) -> String {
    let mut out = Pairs::default();
    out.add_some("handshake", limits.handshake.map(length));
    out.add_some("first_message", limits.first_message.map(length));
    out.add_some("max_connections", limits.max_connections);
    out.add_some("idle", limits.idle.map(length));
    out.add_some("keep_alive", limits.keep_alive.map(keep_alive));
    out.table()
}

/// `group.tcp.keep_alive`, `front_end.limits.keep_alive`.
pub(super) fn keep_alive(keep_alive: KeepAlive) -> String {
    let mut out = Pairs::default();
    out.add("interval", length(keep_alive.interval));
    out.add("count", keep_alive.count);
    out.table()
}

/// `group.reconnect`.
pub(super) fn reconnect(policy: &Reconnect) -> String {
    let mut out = Pairs::default();
    out.add("first", dist(&policy.first));
    match &policy.backoff {
        None => out.add("delay", dist(&policy.delay)),
        Some(backoff) => self::backoff(&mut out, backoff),
    }
    if policy.counted_from != CountedFrom::Failure {
        out.add("counted_from", word(policy.counted_from));
    }
    if policy.reset_after > Span::ZERO {
        out.add("reset_after", length(policy.reset_after));
    }
    out.add_some("give_up_attempts", policy.give_up.attempts);
    out.add_some("give_up_after", policy.give_up.after.map(length));
    if policy.stretch_attempt {
        out.add("stretch_attempt", true);
    }
    out.add_some("connect_rate", policy.limit.rate.map(|rate| quoted(&rate)));
    out.add_some("connects_in_flight", policy.limit.in_flight);
    out.add_some("budget", policy.budget.map(budget));
    out.table()
}

fn backoff(out: &mut Pairs, backoff: &Backoff) {
    match &backoff.growth {
        Growth::Fixed => out.add("growth", word(GrowthWord::Fixed)),
        Growth::Linear(step) => {
            out.add("growth", word(GrowthWord::Linear));
            out.add("step", length(*step));
        }
        Growth::Exponential(factor) => {
            out.add("growth", word(GrowthWord::Exponential));
            out.add_some("factor", factor.decimal());
        }
        Growth::List(waits) => out.add("waits", list(waits.iter().map(|wait| length(*wait)))),
        Growth::Decorrelated => out.add("jitter", word(JitterWord::Decorrelated)),
    }
    if !matches!(backoff.growth, Growth::List(_)) {
        out.add("base", dist(&backoff.base));
    }
    out.add_some("cap", backoff.cap.map(length));
    let (jitter, share) = match backoff.jitter {
        Jitter::None => return,
        Jitter::Full => (JitterWord::Full, None),
        Jitter::Equal => (JitterWord::Equal, None),
        Jitter::TwoSided(share) => (JitterWord::TwoSided, Some(share)),
        Jitter::Later(share) => (JitterWord::Later, Some(share)),
        Jitter::Earlier(share) => (JitterWord::Earlier, Some(share)),
    };
    out.add("jitter", word(jitter));
    out.add_some("jitter_share", share.map(|share| quoted(&share)));
    let plain = Backoff::fixed(Dist::Constant(Span::ZERO));
    out.add_some("jitter_at", Some(backoff.jitter_at).filter(|at| *at != plain.jitter_at).map(word));
    out.add_some("jitter_first", Some(backoff.jitter_first).filter(|first| !first));
    out.add_some("jitter_tries", backoff.jitter_tries);
}

fn budget(budget: Budget) -> String {
    let mut out = Pairs::default();
    out.add("share", quoted(&budget.share));
    out.add("floor", quoted(&budget.floor));
    out.add("window", length(budget.window));
    out.add("per", format!("\"{}\"", budget.scope.word()));
    out.table()
}

/// A share or a rate: nothing in it needs escaping.
fn quoted(value: &impl std::fmt::Display) -> String {
    format!("\"{value}\"")
}
