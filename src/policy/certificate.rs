//! How long certificates are good, and when they are replaced (model rule 22).

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
}

/// What is drawn for a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drawn {
    /// How long it lives.
    Life,
    /// How long after its end it is replaced.
    Late,
}

/// The certificate that a peer has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Which of the peer's it is; 0 = the one at run time 0.
    pub number: u32,
    /// Its end: from this instant on it has expired.
    pub end: Time,
    /// When the next is issued; `NEVER`: nobody sees to that.
    pub replaced: Time,
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
        let Some(life) = life else { return Held { number, end: Time::NEVER, replaced: Time::NEVER } };
        let end = issued + life;
        let replaced = match &self.replaced {
            Replaced::Before(span) => issued + Span(life.0.saturating_sub(span.0)).max(life.half()),
            Replaced::Never | Replaced::After(_) => self.after_end(number, end, draw),
        };
        Held { number, end, replaced }
    }

    /// When certificate `number` is replaced that has come to its end at `end`, whether it was to last longer or not.
    pub fn after_end(&self, number: u32, end: Time, draw: impl Fn(u32, Drawn) -> u64) -> Time {
        match &self.replaced {
            Replaced::After(late) if end < Time::NEVER => end + late.sample(draw(number, Drawn::Late)),
            Replaced::Never | Replaced::Before(_) | Replaced::After(_) => Time::NEVER,
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
        assert_eq!(of(Replaced::Never), Held { number: 3, end, replaced: Time::NEVER });
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
        assert_eq!(validity.first(no_draw), Held { number: 0, end: Time(9), replaced: Time(10) });
        assert_eq!(validity.issue(1, Time(10), no_draw).end, Time::NEVER);
        let short = Validity { lives: Some(Dist::Constant(Span(1))), ..validity };
        assert_eq!(short.issue(1, Time(10), no_draw).end, Time(10) + LIFE_MIN);
    }
}
