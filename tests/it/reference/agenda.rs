//! What happens next, in the order of docs/model.md: time, class, number of the entity, kind.

use std::collections::BTreeMap;

use refresh_sim::rng::Shuffle;
use refresh_sim::time::Time;

/// The classes of one instant, first to last. (Of samples, the middlebox's alone change anything.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    Timeline,
    Completion,
    Deadline,
    Arrival,
    RefreshTick,
    Sample,
}

/// One thing that is going to happen. Within one entity and class, the order of the variants is that of the kinds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Step {
    /// An entry of the scenario's timeline.
    Entry {
        entry: usize,
    },
    /// One about front ends, or a stage of a rolling patch.
    Operate {
        operation: usize,
        stage: usize,
    },
    /// A worker has computed; `hold` says on which of its jobs.
    Computed {
        front_end: usize,
        worker: usize,
        hold: u64,
    },
    /// A worker's wait for others is over.
    WaitOver {
        front_end: usize,
        worker: usize,
        hold: u64,
    },
    /// The issuer has made a certificate; `making` says which.
    Made {
        making: u64,
    },
    /// That of a job without a worker is; `wait` says which.
    AwayOver {
        wait: u64,
    },
    /// A try, or a step of it, may have taken too long.
    TimeOut {
        connection: usize,
    },
    /// A front end's limit on a connection may be reached.
    Limit {
        connection: usize,
    },
    /// A peer's TCP has waited long enough for an answer to its SYNs.
    StackGivesUp {
        connection: usize,
    },
    /// A peer's keep-alive has waited long enough.
    KeepAliveFails {
        connection: usize,
    },
    /// A front end's has, through a cut.
    FrontEndProbesInVain {
        connection: usize,
    },
    /// A peer may go back to its first front end.
    MovesBack {
        peer: usize,
    },
    /// A keep-alive has waited long enough where a middlebox has forgotten the connection: a peer's; a front end's.
    PeerFindsOut {
        connection: usize,
    },
    FrontEndFindsOut {
        connection: usize,
    },
    /// Nothing may have passed at the front end for too long; at the middlebox.
    Idle {
        connection: usize,
    },
    IdleBetween {
        connection: usize,
    },
    /// A peer has waited long enough before its next try: whatever ends its old connection is before that.
    WaitEnds {
        peer: usize,
        wait: u64,
    },
    /// The issuer's rate may let it begin the next certificate.
    IssuerMayBegin,
    /// A peer asks for the certificate after this one.
    Asks {
        peer: usize,
        number: usize,
    },
    /// The grace of an old connection is over, which a new one has replaced.
    GraceOver {
        connection: usize,
    },
    /// The dump of a crashed process is written.
    DumpEnds {
        front_end: usize,
        turn: u64,
    },
    /// A host goes silent, to reboot.
    GoesSilent {
        front_end: usize,
        turn: u64,
    },
    /// A process starts.
    ProcessStarts {
        front_end: usize,
        turn: u64,
    },
    /// The start-up of a process is over.
    StartUpOver {
        front_end: usize,
        turn: u64,
    },
    /// The planned end of a connection reaches its peer, which sends its SYN for another.
    PlannedSyn {
        connection: usize,
    },
    /// A request falls due.
    RequestDue {
        peer: usize,
        next: u64,
    },
    /// The time-out of a request is over.
    RequestTimesOut {
        request: usize,
    },
    /// A request is at the front end.
    RequestArrives {
        request: usize,
    },
    /// An answer is at the peer.
    Answer {
        set_out: u64,
        request: usize,
    },
    /// A peer hears, for its requests, that its connection is gone.
    Closes {
        connection: usize,
    },
    /// And that it is valid.
    Opens {
        connection: usize,
    },
    /// A SYN reaches its host; `copy` says which of its try.
    Syn {
        connection: usize,
        copy: u16,
    },
    /// The message of a peer that follows `flights` flights of the server arrives.
    Message {
        connection: usize,
        flights: usize,
    },
    /// A peer hears that its connection has ended: by a reset or a rejection.
    Reset {
        connection: usize,
    },
    /// The first in line at a front end may have its turn.
    Turn {
        front_end: usize,
    },
    /// A tick of an incarnation.
    Tick {
        front_end: usize,
        incarnation: u32,
    },
    /// A refresh that was taken falls due; `taking` says which.
    Due {
        peer: usize,
        taking: u64,
    },
    /// The middlebox looks.
    Probe,
}

/// Sorted by the order of the page; what is alike in all of it (never two things that matter) by insertion.
pub(super) struct Agenda {
    steps: BTreeMap<(Time, Class, u32, Step, u64), ()>,
    inserted: u64,
    shuffle: Option<Shuffle>,
}

impl Agenda {
    pub(super) fn new(shuffle: Option<Shuffle>) -> Agenda {
        Agenda { steps: BTreeMap::new(), inserted: 0, shuffle }
    }

    pub(super) fn add(&mut self, at: Time, class: Class, entity: u32, step: Step) {
        let place = self.shuffle.as_ref().map_or(entity, |shuffle| shuffle.forward(entity));
        self.inserted += 1;
        self.steps.insert((at, class, place, step, self.inserted), ());
    }

    /// The next step that is not after `end`.
    pub(super) fn next(&mut self, end: Time) -> Option<(Time, Step)> {
        let (&key, ()) = self.steps.first_key_value()?;
        if key.0 > end {
            return None;
        }
        self.steps.remove(&key);
        Some((key.0, key.3))
    }
}
