//! How a child's end is seen: as a fault of the front end that asked it, or as a validator that could not be run.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::validate::FaultCode;

/// What the end of a child in the middle of a question means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// The logic brought its process down.
    Fault(FaultCode),
    /// The logic has nothing to do with it; in words that follow "it".
    Other(String),
}

/// Signals that a process gets for what its own code did, and the exception of Windows that each corresponds to.
const FAULTS: [(i32, FaultCode); 6] = [
    (4, FaultCode::ILLEGAL_INSTRUCTION), // SIGILL
    (5, FaultCode::BREAKPOINT),          // SIGTRAP
    (6, FaultCode::ABORT),               // SIGABRT
    (7, FaultCode::IN_PAGE_ERROR),       // SIGBUS
    (8, FaultCode::DIVIDE_BY_ZERO),      // SIGFPE
    (11, FaultCode::ACCESS_VIOLATION),   // SIGSEGV
];

/// The status with which Rust ends a program whose main thread panicked: it aborts, in other words.
const PANIC: i32 = 101;

/// What `status` means.
pub(super) fn of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(0), _) => End::Other("ended of its own accord, with status 0".to_owned()),
        (Some(PANIC), _) => End::Fault(FaultCode::ABORT),
        // Shells have no others.
        (Some(code), _) => End::Fault(FaultCode::exited(code as u8)),
        (None, Some(signal)) => match FAULTS.iter().find(|(number, _)| *number == signal) {
            Some((_, code)) => End::Fault(*code),
            None => End::Other(format!("was ended from outside, by signal {signal}")),
        },
        (None, None) => End::Other(format!("ended in an unknown way ({status})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_code_does_to_itself_is_a_fault_and_what_others_do_is_not() {
        let signal = |n| of(ExitStatus::from_raw(n));
        let exit = |n: i32| of(ExitStatus::from_raw(n << 8));
        assert_eq!(signal(11), End::Fault(FaultCode(0xC000_0005)));
        assert_eq!(signal(6), End::Fault(FaultCode(0xC000_0409)));
        assert_eq!(exit(101), signal(6));
        assert_eq!(exit(3), End::Fault(FaultCode(0xE000_0003)));
        assert_eq!(exit(255), End::Fault(FaultCode(0xE000_00FF)));
        for outside in [signal(9), signal(15), exit(0)] {
            assert!(matches!(outside, End::Other(_)), "{outside:?}");
        }
    }
}
