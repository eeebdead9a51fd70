//! What a run decides, as a stream of 16-byte facts, and the digest over it.

use crate::time::Time;

/// What kind of decision it was. Numbers are part of the digest: never reused, never changed within a `semantics`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum What {
    /// A front end's process starts; extra: incarnation.
    ProcessStart = 1,
    /// A front end serves; extra: incarnation.
    ServiceStart = 2,
    /// A front end fails; detail: 0 by a verdict, 1 from outside; extra: which failure it is in the service manager's
    /// count.
    Crash = 3,
    /// A crashed process is gone from memory.
    DumpEnd = 4,
    /// The service manager leaves it down; extra: which failure it is in its count.
    StaysDown = 5,
    /// A refresh tick of a front end; extra: incarnation.
    Tick = 6,
    /// A front end could serve and waits for its pool; extra: incarnation.
    Ready = 7,
    /// A front end stops; detail: 0 by an entry of the timeline, 1 for a patch, 2 with its pool; extra: incarnation.
    Stop = 8,
    /// A pool has too few front ends (the front end: whose end was too much); detail: how many serve of those that
    /// count, at most 255.
    PoolFalls = 9,
    /// A peer is there.
    Join = 16,
    /// A peer is gone.
    Leave = 17,
    /// A peer sends a SYN of its own accord; detail: cause. (That of a planned reconnect is part of its due.)
    Attempt = 18,
    /// A try meets a reset; detail: 0 nobody listens, 1 the accept queue is full as its SYN comes, 2 as its final ACK
    /// comes, 3 nobody serves that the middlebox knows of.
    Refused = 19,
    /// A SYN or a flight gets no answer; detail: 0 the host is silent, 1 the accept queue is full, 2 the SYN queue is
    /// full, 3 the path is cut, 4 it is lost on the path, 5 the kernel has given the handshake up.
    Silence = 20,
    /// A peer gives its try up; detail: 0 the attempt took too long, 1 the same while the acceptance was on its way,
    /// 2 the answer to its SYN did, 3 the answer to a flight, 4 the verdict, 5 its TCP has sent its last SYN in vain.
    GaveUp = 21,
    /// A refresh falls due; detail: 0 in place, 1 lost before, 2 by a new connection, whose SYN follows at once unless
    /// the peer's attempts are rationed or its front end has limits of its own, 3 by one that is made while the old one
    /// serves, whose SYN follows likewise. Where all jobs of a tick come as one run, the tick tells that they are due, and
    /// this is left to those that are lost before a worker takes them (detail 1). With a limit (rule 18) or an issuer
    /// (rule 19), 4: what it does comes with its [`What::Turn`]. A missed due (rule 20) has none.
    Due = 22,
    /// A worker puts a question; detail: the answer (0 accept, 1 fault, 16 + n rejection n), extra: the
    /// front end, + 2^15 for a refresh.
    Asked = 23,
    /// A verdict that a crash overtook.
    NoEffect = 24,
    /// A connection is valid; detail: cause + 16 × outcome of the refresh that it closes.
    Valid = 25,
    /// A connection ended unplanned; detail: 0 crash, 1 rejection, 2 queue full, 3 the peer had given up, 4 its
    /// keep-alive got no answer, 5 its peer closed it after a request that timed out, 10 stop, 11 process ended from outside, 12 its front end's limit, 13 the middlebox
    /// forgot it and said so.
    Lost = 26,
    /// A refresh closes otherwise than by a connection that becomes valid; detail: outcome, as counters are numbered
    /// (1 valid in place, 2 by reconnect, 3 rejected, 4 recovered, 5 departed, 6 dropped).
    Closed = 27,
    /// A full queue turned a job away; detail: 0 accept, 1 flight, 2 validation of a new connection, 3 in place.
    Dropped = 28,
    /// A peer stops trying for good.
    Stops = 40,
    /// A retry is not made, for the budget is used up.
    Withheld = 41,
    /// An attempt waits for others; detail: 0 for its turn in the pace, 1 for one of those in flight to end.
    Held = 42,
    /// A worker skips a job whose peer has closed its connection; detail: kind of job.
    Skipped = 43,
    /// A limit on a connection is reached; detail: the front end's own 0 handshake, 1 no valid message, 2 too many
    /// connections, 3 idle, 4 keep-alive without an answer; 5 the middlebox forgets it.
    Limit = 44,
    /// A final ACK found the accept queue full and is ignored; detail: how many SYN-ACKs were repeated before.
    AckIgnored = 50,
    /// No try, for the peer's address has no free port.
    NoPort = 51,
    /// A first flight of a group that resumes sessions; detail: 0 no session, 1 resumed, 2 its session is not good.
    Handshake = 60,
    /// A validation comes to a look-up; detail: 0 it is fetched, 1 the answer is kept, 2 a fetch is joined, 3 no time is
    /// left, + 4 × the look-up's position.
    LookUp = 70,
    /// A wait for a look-up is over; detail: what was found, + 4 × the look-up's position.
    LookedUp = 71,
    /// A job that waited without a worker rejoins the queue.
    Rejoined = 72,
    /// A request falls due; detail: 0 sent at once, 1 waits at the peer; extra: 0, as in all of requests but the next.
    RequestDue = 80,
    /// A worker takes the job of a request; extra: the front end.
    RequestTaken = 81,
    /// The answer to a request is there, at the peer.
    RequestAnswered = 82,
    /// A request fails; detail: 0 its time-out is over, 1 its connection is gone.
    RequestFailed = 83,
    /// A peer closes, after a request that timed out, a connection that its front end has lost already, of which it would
    /// have heard later; extra: 0.
    ClosesLost = 84,
    /// A peer leaves its front end for the first of its list.
    MovesBack = 90,
    /// A refresh that is due has its turn (rule 18); detail: 0 in place, 2 by a new connection, 3 by one made first, as for
    /// [`What::Due`].
    Turn = 100,
    /// The grace of an old connection is over, which a new one has replaced (rule 19).
    OldCut = 101,
    /// A peer's certificate changes; detail: 0 the timeline replaces it, 1 the timeline lets it expire, 2 its issuer has
    /// made it, 3 the peer asks for it.
    Certificate = 102,
}

impl What {
    /// All of them.
    pub const ALL: [What; 42] = [
        What::ProcessStart,
        What::ServiceStart,
        What::Crash,
        What::DumpEnd,
        What::StaysDown,
        What::Tick,
        What::Ready,
        What::Stop,
        What::PoolFalls,
        What::Join,
        What::Leave,
        What::Attempt,
        What::Refused,
        What::Silence,
        What::GaveUp,
        What::Due,
        What::Asked,
        What::NoEffect,
        What::Valid,
        What::Lost,
        What::Closed,
        What::Dropped,
        What::Stops,
        What::Withheld,
        What::Held,
        What::Skipped,
        What::Limit,
        What::AckIgnored,
        What::NoPort,
        What::Handshake,
        What::LookUp,
        What::LookedUp,
        What::Rejoined,
        What::RequestDue,
        What::RequestTaken,
        What::RequestAnswered,
        What::RequestFailed,
        What::ClosesLost,
        What::MovesBack,
        What::Turn,
        What::OldCut,
        What::Certificate,
    ];

    /// The decision with this number.
    pub fn of(number: u8) -> Option<What> {
        What::ALL.into_iter().find(|what| *what as u8 == number)
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            What::ProcessStart => "process start",
            What::ServiceStart => "service start",
            What::Crash => "crash",
            What::DumpEnd => "dump end",
            What::StaysDown => "stays down",
            What::Tick => "tick",
            What::Ready => "ready",
            What::Stop => "stop",
            What::PoolFalls => "pool falls",
            What::Join => "join",
            What::Leave => "leave",
            What::Attempt => "attempt",
            What::Refused => "refused",
            What::Silence => "silence",
            What::GaveUp => "gave up",
            What::Due => "due",
            What::Asked => "asked",
            What::NoEffect => "asked, no effect",
            What::Valid => "valid",
            What::Lost => "lost",
            What::Closed => "closed",
            What::Dropped => "dropped",
            What::Stops => "stops trying",
            What::Withheld => "withheld",
            What::Held => "held",
            What::Skipped => "skipped",
            What::Limit => "limit reached",
            What::AckIgnored => "ACK ignored",
            What::NoPort => "no port",
            What::Handshake => "handshake",
            What::LookUp => "look-up",
            What::LookedUp => "looked up",
            What::Rejoined => "rejoined",
            What::RequestDue => "request due",
            What::RequestTaken => "request taken",
            What::RequestAnswered => "request answered",
            What::RequestFailed => "request failed",
            What::ClosesLost => "closes lost connection",
            What::MovesBack => "moves back",
            What::Turn => "turn",
            What::OldCut => "old connection cut",
            What::Certificate => "certificate",
        }
    }

    /// Whether it is about a front end (its position) and not about a peer.
    pub fn is_of_front_end(self) -> bool {
        (self as u8) < What::Join as u8
    }
}

/// One decision: 16 bytes in the digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// When.
    pub at: Time,
    /// Position of the peer among all peers, or of the front end.
    pub who: u32,
    /// What.
    pub what: What,
    /// A number whose meaning depends on `what`.
    pub detail: u8,
    /// Another; for decisions of peers the front end that decides, else the one at which the peer stands in its list.
    pub extra: u16,
}

impl Decision {
    /// Its bytes in the canonical stream, little-endian.
    #[inline]
    pub fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.at.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.who.to_le_bytes());
        bytes[12] = self.what as u8;
        bytes[13] = self.detail;
        bytes[14..].copy_from_slice(&self.extra.to_le_bytes());
        bytes
    }

    /// The decision that these bytes are, if they are one.
    pub fn from_bytes(bytes: &[u8; 16]) -> Option<Decision> {
        let mut at = [0; 8];
        at.copy_from_slice(&bytes[..8]);
        let mut who = [0; 4];
        who.copy_from_slice(&bytes[8..12]);
        Some(Decision {
            at: Time(u64::from_le_bytes(at)),
            who: u32::from_le_bytes(who),
            what: What::of(bytes[12])?,
            detail: bytes[13],
            extra: u16::from_le_bytes([bytes[14], bytes[15]]),
        })
    }
}

/// BLAKE3 over the stream of decisions, then over whatever closes the run.
pub struct Digest {
    hasher: blake3::Hasher,
    buffer: Box<[[u8; 16]; BUFFERED]>,
    filled: usize, // below BUFFERED
    hashed: u64,   // entries, the head included
}

/// Decisions gathered before they are hashed, 64 KiB: a power of two of BLAKE3's chunks, so that it hashes eight at
/// once, and small enough to stay in the second-level cache.
const BUFFERED: usize = 4096;

impl Digest {
    /// An empty stream under the given `semantics` number.
    pub fn new(semantics: u32) -> Digest {
        let mut buffer = Box::new([[0; 16]; BUFFERED]);
        // As long as a decision, so that every flush is a whole number of chunks.
        buffer[0][..12].copy_from_slice(b"refresh-sim\0");
        buffer[0][12..].copy_from_slice(&semantics.to_le_bytes());
        Digest { hasher: blake3::Hasher::new(), buffer, filled: 1, hashed: 0 }
    }

    /// Adds one decision.
    #[inline]
    pub fn add(&mut self, decision: &Decision) {
        self.buffer[self.filled % BUFFERED] = decision.bytes();
        self.filled += 1;
        if self.filled == BUFFERED {
            self.flush();
        }
    }

    /// Adds numbers that close the stream.
    pub fn close_with(&mut self, numbers: impl IntoIterator<Item = u64>) {
        self.flush();
        let mut bytes = Vec::new();
        numbers.into_iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        self.hasher.update(&bytes);
    }

    /// How many decisions there were.
    pub fn decisions(&self) -> u64 {
        // The head takes the place of one.
        self.hashed + self.filled as u64 - 1
    }

    /// The digest of all that was added, as 64 hexadecimal digits.
    pub fn finish(&mut self) -> String {
        self.flush();
        self.hasher.finalize().to_hex().to_string()
    }

    #[cold]
    fn flush(&mut self) {
        self.hasher.update(self.buffer[..self.filled].as_flattened());
        self.hashed += self.filled as u64;
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_the_sixteen_bytes_that_the_digest_sees() {
        let one = Decision { at: Time(0x0102), who: 7, what: What::Valid, detail: 2, extra: 515 };
        assert_eq!(one.bytes(), [2, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 25, 2, 3, 2]);
        assert_eq!(Decision::from_bytes(&one.bytes()), Some(one));
    }

    #[test]
    fn the_digest_depends_on_every_bit_and_on_the_order() {
        let one = Decision { at: Time(1), who: 7, what: What::Valid, detail: 2, extra: 3 };
        let other = Decision { detail: 3, ..one };
        let of = |stream: &[Decision], semantics| {
            let mut digest = Digest::new(semantics);
            stream.iter().for_each(|d| digest.add(d));
            digest.finish()
        };
        assert_eq!(of(&[one, other], 1), of(&[one, other], 1));
        assert_ne!(of(&[one, other], 1), of(&[other, one], 1));
        assert_ne!(of(&[one], 1), of(&[one], 2));
        assert_ne!(of(&[one], 1), of(&[other], 1));
    }
}
