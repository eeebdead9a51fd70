//! Exit codes: what they mean, and which one wins when several hold.

use crate::host::signals::Signal;

/// How a command ended. The numbers are documented and never change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// All is well; an expected crash that happened counts.
    Pass = 0,
    /// A threshold or expectation failed, or a front end crashed and no expectation mentions it.
    Failed = 1,
    /// Usage or bad input.
    BadInput = 2,
    /// Not enough data to say.
    Inconclusive = 3,
    /// Nothing ran.
    NothingRan = 4,
    /// Not deterministic, or a replay differs.
    NotDeterministic = 5,
    /// Worse than a baseline.
    Regression = 6,
    /// The validator could not be run.
    NoValidator = 7,
    /// Results could not be written.
    NotWritten = 8,
    /// An error of the program itself.
    Internal = 70,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// All of them, the one that wins over all others first.
    pub const BY_PRECEDENCE: [Exit; 12] = [
        Exit::Internal,
        Exit::Interrupted,
        Exit::Terminated,
        Exit::BadInput,
        Exit::NotWritten,
        Exit::NoValidator,
        Exit::NotDeterministic,
        Exit::Failed,
        Exit::Regression,
        Exit::Inconclusive,
        Exit::NothingRan,
        Exit::Pass,
    ];

    /// The number for the shell.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The one that wins; [`Exit::NothingRan`] if there is none.
    pub fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
        let rank = |exit: Exit| Exit::BY_PRECEDENCE.iter().position(|other| *other == exit);
        exits.into_iter().min_by_key(|exit| rank(*exit)).unwrap_or(Exit::NothingRan)
    }
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Exit {
        match signal {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_precedence_is_that_of_the_design() {
        let codes = Exit::BY_PRECEDENCE.map(Exit::code);
        assert_eq!(codes, [70, 130, 143, 2, 8, 7, 5, 1, 6, 3, 4, 0]);
    }

    #[test]
    fn the_worst_wins_in_any_order_and_none_means_that_nothing_ran() {
        assert_eq!(Exit::worst([Exit::Pass, Exit::Failed, Exit::Inconclusive]), Exit::Failed);
        assert_eq!(Exit::worst([Exit::Regression, Exit::NotDeterministic]), Exit::NotDeterministic);
        assert_eq!(Exit::worst([Exit::Pass, Exit::Pass]), Exit::Pass);
        assert_eq!(Exit::worst([]), Exit::NothingRan);
    }
}
