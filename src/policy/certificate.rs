//! How long certificates are good, and when they are replaced (model rule 22).

use super::Ratio;
use super::TurnRate;
use crate::dist::Dist;
use crate::time::{Span, Time};

/// The shortest life of a certificate that is issued in a run: what is drawn shorter is as long as this. Nobody issues
/// shorter ones, and a run of 100 years has room for those there are.
pub const LIFE_MIN: Span = Span::MINUTE;

/// The validity of the certificates of like peers.
#[derive(Clone, PartialEq, Debug)]
pub struct Validity {
    /// End of the certificate that each peer has at run time 0; `None`: that is issued then, and has a life of its own.
    pub not_after: Option<Time>,
    /// Life of a certificate that is issued in the run, a draw for each; `None`: it never ends.
    pub lives: Option<Dist>,
    /// When a certificate gives way to the next.
    pub replaced: Replaced,
}

/// When a certificate is replaced.
#[derive(Clone, PartialEq, Debug)]
pub enum Replaced {
    /// Never of itself: nobody notices.
    Never,
    /// So long before its end, but not before the middle of its life.
    Before(Span),
    /// So long after its end, a draw for each certificate.
    After(Dist),
    /// When the issuer has made the next, which the peer asks it for.
    Asked(Ask),
}

/// When a peer asks the issuer for its next certificate, and what then becomes of its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Earliest share of the certificate's life; at most `to`.
    pub from: Ratio,
    /// Latest share; at most the whole life.
    pub to: Ratio,
    /// `None`: one uniform draw between the two, for each certificate. Else the peer looks so often, from the issue on,
    /// and draws anew each time: it asks as soon as the draw is over, which is early and nearly the same for all.
    pub poll: Option<Span>,
    /// What becomes of the connection.
    pub then: Then,
}

/// What becomes of a connection whose peer has a new certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// It stays as it is.
    Stay,
    /// It stays, and its peer is validated again, by the new certificate.
    Revalidate,
    /// The peer makes it anew.
    Reconnect,
}

/// Who makes certificates.
#[derive(Clone, PartialEq, Debug)]
pub struct Issuer {
    /// How many it makes at once; at least 1.
    pub workers: u32,
    /// How long one takes.
    pub cost: Dist,
    /// How many it begins; `None`: as many as it has workers for.
    pub rate: Option<TurnRate>,
    /// From when until when it begins none, in order; [`Time::NEVER`]: to the end.
    pub fails: Vec<(Time, Time)>,
}

impl Issuer {
    /// When it begins certificates again; `None`: it does now.
    pub fn heals(&self, now: Time) -> Option<Time> {
        self.fails.iter().find(|(from, until)| (*from..*until).contains(&now)).map(|(_, until)| *until)
    }
}

/// The shortest poll.
pub const POLL_MIN: Span = Span::SECOND;

impl Ask {
    /// When the peer asks that has a certificate with this `life`, issued at `issued`; `draw` for each poll, from 0.
    pub fn at(&self, issued: Time, life: Span, draw: impl Fn(u32) -> u64) -> Time {
        let (from, to) = (self.from.of(life).0, self.to.of(life).0);
        let share = |bits: u64| from + ((u128::from(bits) * (u128::from(to.saturating_sub(from)) + 1)) >> 64) as u64;
        let Some(poll) = self.poll else { return issued + Span(share(draw(0))) };
        let poll = poll.max(POLL_MIN);
        // No draw is below `from`: whoever looks before that does not ask.
        let mut looks = from.div_ceil(poll.0);
        loop {
            let age = poll.times(looks);
            if age.0 >= to || age.0 >= share(draw(looks as u32)) {
                return issued + age;
            }
            looks += 1;
        }
    }
}

/// What is drawn for a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drawn {
    /// How long it lives.
    Life,
    /// How long after its end it is replaced.
    Late,
    /// When its peer asks for the next, as drawn at this look, from 0.
    Ask(u32),
    /// How long the issuer takes for it.
    Cost,
}

/// The certificate that a peer has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Which of the peer's it is; 0 = the one at run time 0.
    pub number: u32,
    /// Its end: from this instant on it has expired.
    pub end: Time,
    /// When the next is issued; `NEVER`: nobody sees to that, or the issuer does.
    pub replaced: Time,
    /// When its peer asks the issuer for the next; `NEVER`: it does not.
    pub asks: Time,
}

impl Validity {
    /// The certificate at run time 0.
    pub fn first(&self, draw: impl Fn(u32, Drawn) -> u64) -> Held {
        match self.not_after {
            Some(end) => self.from(0, Time::ZERO, Some(end.since(Time::ZERO)), draw),
            None => self.issue(0, Time::ZERO, draw),
        }
    }

    /// The peer's certificate number `number`, issued at `at`.
    pub fn issue(&self, number: u32, at: Time, draw: impl Fn(u32, Drawn) -> u64) -> Held {
        let life = self.lives.as_ref().map(|lives| lives.sample(draw(number, Drawn::Life)).max(LIFE_MIN));
        self.from(number, at, life, draw)
    }

    fn from(&self, number: u32, issued: Time, life: Option<Span>, draw: impl Fn(u32, Drawn) -> u64) -> Held {
        let Some(life) = life else {
            return Held { number, end: Time::NEVER, replaced: Time::NEVER, asks: Time::NEVER };
        };
        let end = issued + life;
        let replaced = match &self.replaced {
            Replaced::Before(span) => issued + Span(life.0.saturating_sub(span.0)).max(life.half()),
            Replaced::Never | Replaced::After(_) | Replaced::Asked(_) => self.after_end(number, end, &draw),
        };
        let asks = match &self.replaced {
            Replaced::Asked(ask) => ask.at(issued, life, |look| draw(number, Drawn::Ask(look))),
            _ => Time::NEVER,
        };
        Held { number, end, replaced, asks }
    }

    /// When certificate `number` is replaced that has come to its end at `end`, whether it was to last longer or not.
    pub fn after_end(&self, number: u32, end: Time, draw: impl Fn(u32, Drawn) -> u64) -> Time {
        match &self.replaced {
            Replaced::After(late) if end < Time::NEVER => end + late.sample(draw(number, Drawn::Late)),
            _ => Time::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Span = Span::DAY;

    fn no_draw(_: u32, _: Drawn) -> u64 {
        0
    }

    #[test]
    fn rule_22_a_certificate_is_replaced_before_or_after_its_end_or_never() {
        let lives = Some(Dist::Constant(DAY));
        let of = |replaced| Validity { not_after: None, lives: lives.clone(), replaced }.issue(3, Time(5), no_draw);
        let end = Time(5) + DAY;
        assert_eq!(of(Replaced::Never), Held { number: 3, end, replaced: Time::NEVER, asks: Time::NEVER });
        assert_eq!(of(Replaced::After(Dist::Constant(Span(7)))).replaced, end + Span(7));
        assert_eq!(of(Replaced::Before(Span::HOUR)).replaced, Time(5) + Span::HOUR.times(23));
        assert_eq!(
            of(Replaced::Before(DAY.times(9))).replaced,
            Time(5) + DAY.half(),
            "not before the middle of its life"
        );
    }

    #[test]
    fn a_certificate_without_a_life_never_ends_and_a_short_one_lives_a_minute() {
        let validity =
            Validity { not_after: Some(Time(9)), lives: None, replaced: Replaced::After(Dist::Constant(Span(1))) };
        assert_eq!(validity.first(no_draw), Held { number: 0, end: Time(9), replaced: Time(10), asks: Time::NEVER });
        assert_eq!(validity.issue(1, Time(10), no_draw).end, Time::NEVER);
        let short = Validity { lives: Some(Dist::Constant(Span(1))), ..validity };
        assert_eq!(short.issue(1, Time(10), no_draw).end, Time(10) + LIFE_MIN);
    }

    #[test]
    fn rule_19_a_share_that_is_drawn_once_is_spread_and_one_that_is_drawn_at_each_poll_is_not() {
        // SPIRE: 45 to 55 % of an hour, looked at every 5 s. Its rule redraws: mean 1672 s, standard deviation 26 s.
        let percent = |numerator| Ratio::percent(numerator);
        let once = Ask { from: percent(45), to: percent(55), poll: None, then: Then::Stay };
        let polled = Ask { poll: Some(Span::SECOND.times(5)), ..once };
        let of = |ask: Ask| {
            let draws = crate::rng::Draws::new(1, 0);
            let at = |peer: u64| {
                let draw = |look| {
                    let when = crate::rng::When { cycle: 0, episode: 0, attempt: look };
                    draws.draw(crate::id::Identity(peer), crate::rng::Purpose::CertificateAsk, when, 0)
                };
                ask.at(Time::ZERO, Span::HOUR, draw).0 as f64 / 1e9
            };
            let all: Vec<f64> = (0..4_000).map(at).collect();
            let mean = all.iter().sum::<f64>() / 4_000.0;
            let variance = all.iter().map(|at| (at - mean) * (at - mean)).sum::<f64>() / 4_000.0;
            assert!(all.iter().all(|at| (1_620.0..=1_980.0).contains(at)));
            (mean, variance.sqrt())
        };
        let ((mean, sd), (polled_mean, polled_sd)) = (of(once), of(polled));
        assert!((mean - 1_800.0).abs() < 9.0 && (sd - 103.9).abs() < 5.0, "{mean} {sd}");
        assert!((polled_mean - 1_672.0).abs() < 3.0 && (polled_sd - 26.0).abs() < 2.0, "{polled_mean} {polled_sd}");
    }
}
