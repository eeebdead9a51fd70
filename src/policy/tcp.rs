//! What the kernels at both ends do by the clock: when a SYN goes out again, when a SYN-ACK does, how long a port rests
//! (model rules 9 to 11).
//!
//! Data and functions of it. All instants count from the first SYN, or the first SYN-ACK, so that nothing has to be
//! remembered of the repeats. Knows no rows and no front ends.

use crate::dist::Dist;
use crate::time::Span;

/// A peer's TCP stack, for what it does when nobody answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stack {
    /// Linux from 6.5 on: `tcp_syn_linear_timeouts` = 4 repeats a second apart come before the doubling ones of
    /// `tcp_syn_retries` = 6 (kernel documentation of ip-sysctl, and `tcp_timer.c`).
    Linux,
    /// Linux before 6.5: 6 repeats, doubling from 1 s (kernel documentation of ip-sysctl).
    LinuxClassic,
    /// Windows 7 and Server 2008 R2: 2 repeats, doubling from 3 s (Microsoft's knowledge base, article 2786464).
    Windows2008R2,
    /// A list of the scenario's own.
    Custom,
}

/// Repeats of a SYN, in whole seconds since the first, and when the stack gives up.
const LINUX: (&[u64], u64) = (&[1, 2, 3, 4, 5, 7, 11, 19, 35, 67], 131);
const LINUX_CLASSIC: (&[u64], u64) = (&[1, 3, 7, 15, 31, 63], 127);
const WINDOWS_2008_R2: (&[u64], u64) = (&[3, 9], 21);

/// The most repeats that a list of one's own may have.
pub const RESENDS_MAX: usize = 32;

/// Repeats of a SYN-ACK since the first, doubling from 1 s: Linux's `tcp_synack_retries` = 5, observed on a 6.18 kernel.
pub const SYN_ACK_RESENDS: [Span; 5] = [seconds(1), seconds(3), seconds(7), seconds(15), seconds(31)];
/// When the kernel gives a connection up whose final ACK it did not take: as long again as the last wait, doubled.
pub const SYN_ACK_GIVE_UP: Span = seconds(63);

/// What a retransmission of a later message waits on top of the round trip: Linux's least time-out, `TCP_RTO_MIN`. Of a
/// path whose round trip hardly varies it is all that is waited (RFC 6298 asks for 1 s; no common stack keeps that).
pub const RETRANSMISSION: Span = Span(200 * Span::MILLISECOND.0);
/// So many retransmissions of one message and no more: Linux's `tcp_retries2` = 15.
const RETRANSMISSIONS_MAX: u32 = 15;

/// Ephemeral ports of a Linux host, 32768 to 60999 (observed on a 6.18 kernel), and its TIME_WAIT, a kernel constant.
pub const LINUX_PORTS: (u32, Span) = (28_232, seconds(60));
/// Dynamic ports of a Windows host, 49152 to 65535, and its TIME_WAIT. Not verified at a primary source: Microsoft's
/// pages give 240 s for Server 2003, and others 120 s for what came later.
pub const WINDOWS_PORTS: (u32, Span) = (16_384, seconds(120));

const fn seconds(n: u64) -> Span {
    Span(n * Span::SECOND.0)
}

/// When a SYN without an answer goes out again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SynSchedule {
    resends: Vec<Span>, // since the first SYN, rising, below `give_up`
    give_up: Span,
}

/// Why a list of repeats is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SynScheduleError {
    /// Too many.
    #[error("has more than {RESENDS_MAX} repeats")]
    TooMany,
    /// Not rising, or the first is the SYN itself.
    #[error("does not rise: {later} comes after {earlier}")]
    Order {
        /// The one before; zero: the first SYN.
        earlier: Span,
        /// The one that is not later.
        later: Span,
    },
    /// The peer has given up by then.
    #[error("gives up at {give_up}, and the last SYN goes out at {last}")]
    GivesUpBefore {
        /// When.
        give_up: Span,
        /// The last repeat; zero: the first SYN.
        last: Span,
    },
}

impl SynSchedule {
    /// Repeats at `resends` after the first SYN, and giving up at `give_up` after it.
    ///
    /// # Errors
    /// If the repeats do not rise from above zero to below `give_up`, or are more than [`RESENDS_MAX`].
    pub fn custom(resends: Vec<Span>, give_up: Span) -> Result<SynSchedule, SynScheduleError> {
        if resends.len() > RESENDS_MAX {
            return Err(SynScheduleError::TooMany);
        }
        let mut earlier = Span::ZERO;
        for later in resends.iter().copied() {
            if later <= earlier {
                return Err(SynScheduleError::Order { earlier, later });
            }
            earlier = later;
        }
        if give_up <= earlier {
            return Err(SynScheduleError::GivesUpBefore { give_up, last: earlier });
        }
        Ok(SynSchedule { resends, give_up })
    }

    /// When each SYN goes out, since the first; the first of them at zero.
    #[inline]
    pub fn sends(&self) -> impl Iterator<Item = Span> + '_ {
        std::iter::once(Span::ZERO).chain(self.resends.iter().copied())
    }

    /// The repeats.
    pub fn resends(&self) -> &[Span] {
        &self.resends
    }

    /// When the attempt fails for want of an answer, since the first SYN.
    #[inline]
    pub fn give_up(&self) -> Span {
        self.give_up
    }
}

impl Stack {
    /// Its schedule; of [`Stack::Custom`], which has none of its own, Linux's.
    pub fn schedule(self) -> SynSchedule {
        let (resends, give_up) = match self {
            Stack::Linux | Stack::Custom => LINUX,
            Stack::LinuxClassic => LINUX_CLASSIC,
            Stack::Windows2008R2 => WINDOWS_2008_R2,
        };
        SynSchedule { resends: resends.iter().map(|n| seconds(*n)).collect(), give_up: seconds(give_up) }
    }

    /// How long a port rests after a connection that this end closed.
    pub fn time_wait(self) -> Span {
        match self {
            Stack::Linux | Stack::LinuxClassic | Stack::Custom => LINUX_PORTS.1,
            Stack::Windows2008R2 => WINDOWS_PORTS.1,
        }
    }
}

/// How a peer finds out that nobody is there any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepAlive {
    /// From one probe to the next; above zero.
    pub interval: Span,
    /// So many in a row without an answer end the connection, an interval after the last of them; at least 1.
    pub count: u32,
}

impl KeepAlive {
    /// From the first probe without an answer to the end of the connection.
    pub fn patience(&self) -> Span {
        self.interval.times(u64::from(self.count))
    }
}

/// The kernel of a group's peers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerTcp {
    /// Which it is.
    pub stack: Stack,
    /// When it sends a SYN again.
    pub syn: SynSchedule,
    /// Ports for each address; `None`: never short of them.
    pub ports: Option<u32>,
    /// How long a port rests after a connection that the peer closed.
    pub time_wait: Span,
    /// Addresses that the group's peers share; `None`: each has one of its own.
    pub addresses: Option<u32>,
    /// `None`: it never probes.
    pub keep_alive: Option<KeepAlive>,
}

impl Default for PeerTcp {
    fn default() -> PeerTcp {
        let stack = Stack::Linux;
        PeerTcp {
            stack,
            syn: stack.schedule(),
            ports: None,
            time_wait: stack.time_wait(),
            addresses: None,
            keep_alive: None,
        }
    }
}

/// What the way between a group's peers and its front ends does to messages, beside taking half a round trip.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Path {
    /// Comes on top of the round trip, drawn for each exchange; `None`: nothing does.
    pub variation: Option<Dist>,
    /// How much of all messages is lost.
    pub loss: Loss,
}

/// A share of messages that get lost, in parts per million; below a million.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Loss {
    ppm: u32,
}

impl Loss {
    /// So many of a million; `None`: a million or more, which is no path but a cut.
    pub fn of_ppm(ppm: u32) -> Option<Loss> {
        (ppm < 1_000_000).then_some(Loss { ppm })
    }

    /// In parts per million.
    pub fn ppm(self) -> u32 {
        self.ppm
    }

    /// The share as a fraction of 2^64.
    fn threshold(self) -> u64 {
        ((u128::from(self.ppm) << 64) / 1_000_000) as u64
    }

    /// Whether the message with these 64 random bits is lost.
    #[inline]
    pub fn loses(self, bits: u64) -> bool {
        bits < self.threshold()
    }

    /// How often the message with these bits is sent again before it gets through; `None`: so often that the connection
    /// is given up.
    ///
    /// One draw for all its copies, by inversion: k or more are lost with the share to the power of k.
    pub fn repeats(self, bits: u64) -> Option<u32> {
        let share = self.threshold();
        let (mut repeats, mut all_lost) = (0, share);
        while bits < all_lost {
            repeats += 1;
            if repeats > RETRANSMISSIONS_MAX {
                return None;
            }
            all_lost = ((u128::from(all_lost) * u128::from(share)) >> 64) as u64;
        }
        Some(repeats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sends(stack: Stack) -> Vec<u64> {
        let schedule = stack.schedule();
        schedule.sends().chain([schedule.give_up()]).map(|at| at.0 / Span::SECOND.0).collect()
    }

    #[test]
    fn rule_10_each_stack_repeats_a_syn_when_it_is_known_to() {
        assert_eq!(sends(Stack::Linux), [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131]);
        assert_eq!(sends(Stack::LinuxClassic), [0, 1, 3, 7, 15, 31, 63, 127]);
        assert_eq!(sends(Stack::Windows2008R2), [0, 3, 9, 21]);
    }

    #[test]
    fn rule_10_the_waits_of_the_stacks_double_after_the_linear_ones() {
        for (stack, linear) in [(Stack::Linux, 4), (Stack::LinuxClassic, 0), (Stack::Windows2008R2, 0)] {
            let at = sends(stack);
            let waits: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).skip(linear).collect();
            assert!(waits.windows(2).all(|pair| pair[1] == 2 * pair[0]), "{stack:?}: {waits:?}");
        }
    }

    #[test]
    fn a_list_of_ones_own_rises_and_ends_before_giving_up() {
        let list = |resends: &[u64], give_up| {
            SynSchedule::custom(resends.iter().map(|n| Span(*n)).collect(), Span(give_up)).map(|s| s.sends().count())
        };
        assert_eq!(list(&[], 1), Ok(1));
        assert_eq!(list(&[3, 9], 21), Ok(3));
        assert_eq!(list(&[0], 9), Err(SynScheduleError::Order { earlier: Span(0), later: Span(0) }));
        assert_eq!(list(&[3, 3], 9), Err(SynScheduleError::Order { earlier: Span(3), later: Span(3) }));
        assert_eq!(list(&[3, 9], 9), Err(SynScheduleError::GivesUpBefore { give_up: Span(9), last: Span(9) }));
        assert_eq!(list(&[], 0), Err(SynScheduleError::GivesUpBefore { give_up: Span(0), last: Span(0) }));
        assert_eq!(list(&(1..99).collect::<Vec<_>>(), 100), Err(SynScheduleError::TooMany));
    }

    #[test]
    fn rule_11_repeats_of_a_lost_message_are_geometric() {
        let half = Loss::of_ppm(500_000).unwrap();
        let quarter = 1u64 << 62;
        assert_eq!(
            [0, quarter - 1, quarter, u64::MAX].map(|bits| half.repeats(bits)),
            [None, Some(2), Some(1), Some(0)]
        );
        assert_eq!(half.repeats(quarter * 2), Some(0));
        assert_eq!(Loss::default().repeats(0), Some(0));
        assert!(!Loss::default().loses(0) && half.loses(0) && !half.loses(u64::MAX));
        assert_eq!((Loss::of_ppm(1_000_000), Loss::of_ppm(999_999).map(Loss::ppm)), (None, Some(999_999)));
    }
}
