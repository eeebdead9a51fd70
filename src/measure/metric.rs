//! The registry of metrics: their names, what they count and what may be asked of them.

use super::Cause;

/// What a metric's values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Many lengths of time in a histogram: `p99`, `min`, `max`, `mean`, `count`.
    Latency,
    /// One whole number a run: `value`.
    Count,
    /// One share between 0 and 1 a run: `value`.
    Share,
    /// One length of time a run: `value`.
    Length,
    /// How the run went, in a word of [`COURSES`]: `value`, equal or not.
    Course,
}

/// How a run may go (model rule 33), the worst first.
pub const COURSES: [&str; 7] =
    ["down", "crash loop", "metastable", "overloaded", "not recovered", "recovered", "steady"];

macro_rules! latencies {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $what:literal;)*) => {
        /// A latency metric: lengths of time, in histograms by group and cause.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum Metric { $($(#[$doc])* $variant),* }

        impl Metric {
            /// All of them, in the order of their cells.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant),*];

            /// Its name in `[expect]` and in results.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name),* }
            }

            /// One line on what it is.
            pub fn about(self) -> &'static str {
                match self { $(Metric::$variant => $what),* }
            }
        }
    };
}

latencies! {
    /// Due to valid.
    Refresh = "refresh", "from the instant a refresh was due to valid again, at the front end";
    /// Due to the start of the first job.
    Lateness = "lateness", "from the instant a refresh was due to the instant a worker starts on it, at the front end";
    /// In the queue.
    Queue = "queue", "from the arrival of a job to the instant a worker starts on it, at the front end";
    /// On a worker.
    Service = "service", "from the instant a worker starts on a job to its end, at the front end";
    /// On a worker, validation jobs alone.
    Validation = "validation", "service of validation jobs alone, at the front end";
    /// One try.
    Attempt = "attempt", "one try that succeeded, from its SYN to established, at the peer";
    /// All tries with their waits.
    Connect = "connect", "all tries and the waits between them, from the first SYN to established, at the peer";
    /// Without a valid connection.
    Outage = "outage", "from learning of a loss (or joining) to established, at the peer";
    /// One a tick.
    Sweep = "sweep", "from a tick to the last of its connections valid, one sample a tick";
    /// Waits for others.
    Lookup = "lookup", "from the instant a validation asks for a look-up to its end, answers kept from before left out, at the front end";
    /// A request.
    Request = "request", "from the instant a request was due to its answer, at the peer";
}

/// How many latency metrics there are.
pub const METRICS: usize = Metric::ALL.len();

macro_rules! figures {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $shape:expr, $what:literal;)*) => {
        /// A metric with one value a run.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Figure { $($(#[$doc])* $variant),* }

        impl Figure {
            /// All of them.
            pub const ALL: &'static [Figure] = &[$(Figure::$variant),*];

            /// Its name in `[expect]` and in results.
            pub fn name(self) -> &'static str {
                match self { $(Figure::$variant => $name),* }
            }

            /// What its value is.
            pub fn shape(self) -> Shape {
                match self { $(Figure::$variant => $shape),* }
            }

            /// One line on what it is.
            pub fn about(self) -> &'static str {
                match self { $(Figure::$variant => $what),* }
            }
        }
    };
}

figures! {
    /// Faults of front ends.
    Crashes = "crashes", Shape::Count, "front-end crashes (tag: front_end)";
    /// First crash.
    FirstCrash = "first_crash", Shape::Length, "run time of the first crash (tag: front_end)";
    /// First crash counted from the service start of the crashed incarnation.
    CrashAge = "crash_age", Shape::Length, "from service start to the crash of the same incarnation, the first crash (tag: front_end)";
    /// Front ends that serve at the end.
    Up = "up", Shape::Count, "front ends that serve at the end of the run";
    /// Too few front ends of a pool.
    PoolFalls = "pool.falls", Shape::Count, "how often too few front ends of the pool served, so that all stopped";
    /// Refreshes due.
    Dues = "refresh.due", Shape::Count, "refreshes that fell due (tags: group, transport)";
    /// Outcome.
    ValidInPlace = "refresh.in_place", Shape::Count, "refreshes that ended valid in place (tags: group, transport)";
    /// Outcome.
    ValidByReconnect = "refresh.by_reconnect", Shape::Count, "refreshes that ended valid by a new connection (tags: group, transport)";
    /// Outcome.
    Rejected = "refresh.rejected", Shape::Count, "refreshes that were rejected (tags: group, transport)";
    /// Outcome.
    Recovered = "refresh.recovered", Shape::Count, "refreshes whose connection was lost and came back (tags: group, transport)";
    /// Outcome.
    Departed = "refresh.departed", Shape::Count, "refreshes whose peer left first (tags: group, transport)";
    /// Outcome.
    Dropped = "refresh.dropped", Shape::Count, "refreshes dropped by a full queue (tags: group, transport)";
    /// Outcome.
    Missed = "refresh.missed", Shape::Count, "refreshes whose predecessor was still open (tags: group, transport)";
    /// Outcome.
    Unfinished = "refresh.unfinished", Shape::Count, "refreshes open at the end of the run (tags: group, transport)";
    /// Questions.
    Questions = "questions", Shape::Count, "questions that a validator was asked, by its own answer (tags: group, transport, certificate, phase, verdict)";
    /// Verdicts of rejection.
    Rejections = "rejections", Shape::Count, "questions answered with a rejection (tags: group, transport)";
    /// Losses.
    Losses = "losses", Shape::Count, "connections lost that nobody planned to end (tags: group, transport)";
    /// Tries.
    Attempts = "attempts", Shape::Count, "attempts to connect (tags: group, transport)";
    /// Tries given up.
    TimeOuts = "timeouts", Shape::Count, "attempts that the peer gave up (tags: group, transport)";
    /// SYNs in vain.
    Unanswered = "syn.unanswered", Shape::Count, "SYNs that got no answer: dropped, lost, or sent where all is silent (tags: group, transport)";
    /// ACKs in vain.
    Ignored = "ack.ignored", Shape::Count, "final ACKs of a handshake that a full accept queue ignored (tags: group, transport)";
    /// Tries without a port.
    NoPort = "no_port", Shape::Count, "attempts that failed at once, for their address had no free port (tags: group, transport)";
    /// Peers that gave up for good.
    Stopped = "stopped", Shape::Count, "peers that stopped trying for good (tags: group, transport)";
    /// Retries that the budget did not grant.
    Withheld = "withheld", Shape::Count, "retries that a retry budget did not grant (tags: group, transport)";
    /// Attempts that waited for others.
    Held = "held", Shape::Count, "times that an attempt waited for a connect limit (tags: group, transport)";
    /// Jobs skipped.
    Skipped = "skipped", Shape::Count, "jobs that a front end skipped, for it noticed that their peer had given up (tags: group, transport)";
    /// Closed by the front end's limits.
    Limited = "limited", Shape::Count, "connections that a front end's own limits ended or refused (tags: group, transport)";
    /// Sessions made.
    FullHandshakes = "handshakes.full", Shape::Count, "full TLS handshakes completed by groups with `[group.tls]` (tags: group, transport)";
    /// Sessions taken up again.
    ResumedHandshakes = "handshakes.resumed", Shape::Count, "resumed TLS handshakes completed by groups with `[group.tls]` (tags: group, transport)";
    /// Sessions not taken up again.
    DeclinedSessions = "handshakes.declined", Shape::Count, "sessions that the front end would not resume: too old, pushed out, of another process (tags: group, transport)";
    /// Handshake bytes one way.
    BytesToFrontEnds = "handshakes.bytes_to_front_ends", Shape::Count, "bytes of completed TLS handshakes from peers to front ends (tags: group, transport)";
    /// Handshake bytes the other way.
    BytesToPeers = "handshakes.bytes_to_peers", Shape::Count, "bytes of completed TLS handshakes from front ends to peers (tags: group, transport)";
    /// Requests.
    RequestsDue = "requests.due", Shape::Count, "requests that fell due (tags: group, transport)";
    /// Requests answered.
    RequestsInTime = "requests.in_time", Shape::Count, "requests answered before their time-out was over (tags: group, transport)";
    /// Requests that failed.
    RequestsTimedOut = "requests.timed_out", Shape::Count, "requests without an answer when their time-out was over (tags: group, transport)";
    /// Requests that failed.
    RequestsLost = "requests.connection_lost", Shape::Count, "requests whose connection was gone before the answer (tags: group, transport)";
    /// Requests that failed.
    RequestsFailed = "requests.failed", Shape::Count, "requests that failed: timed out, or their connection was gone (tags: group, transport)";
    /// Requests of those that left.
    RequestsDeparted = "requests.departed", Shape::Count, "requests whose peer left before the answer (tags: group, transport)";
    /// Requests still open.
    RequestsUnfinished = "requests.unfinished", Shape::Count, "requests open at the end of the run (tags: group, transport)";
    /// Share answered.
    Goodput = "requests.goodput", Shape::Share, "share of the requests due that were answered in time, departed ones left out (tags: group, transport)";
    /// Established share of peer time.
    Availability = "availability", Shape::Share, "share of the peers' time with an established connection (tags: group, transport)";
    /// Peer time without.
    PeerTimeLost = "peer_time_lost", Shape::Length, "sum over peers of the time without an established connection (tags: group, transport)";
    /// Most at once.
    DisconnectedMax = "disconnected.max", Shape::Count, "most peers at once that had a valid connection and have none";
    /// Most jobs waiting.
    QueueMax = "queue.max", Shape::Count, "most jobs waiting at once at one front end (tag: front_end)";
    /// Most to be accepted.
    AcceptQueueMax = "accept_queue.max", Shape::Count, "most connections waiting at once to be accepted, at one front end (tag: front_end)";
    /// Worker use.
    WorkerUtilisation = "utilisation.workers", Shape::Share, "share of the workers' time held, while serving (tag: front_end)";
    /// Core use.
    CoreUtilisation = "utilisation.cores", Shape::Share, "share of the cores' time used, while serving (tag: front_end)";
    /// Blocked share.
    Blocked = "blocked", Shape::Share, "share of the workers' time held by jobs that wait for others, while serving (tag: front_end)";
    /// Fetches.
    Lookups = "lookups.made", Shape::Count, "look-ups that were fetched (tags: front_end, lookup)";
    /// Answers kept.
    LookupsCached = "lookups.cached", Shape::Count, "look-ups answered by what an earlier one found (tags: front_end, lookup)";
    /// Single flight.
    LookupsJoined = "lookups.joined", Shape::Count, "look-ups that joined one under way (tags: front_end, lookup)";
    /// No answer.
    LookupsFailed = "lookups.failed", Shape::Count, "look-ups fetched that ended without an answer, by a time-out or before (tags: front_end, lookup)";
    /// No answer in time.
    LookupsTimedOut = "lookups.timed_out", Shape::Count, "look-ups fetched that ended by a time-out (tags: front_end, lookup)";
    /// Wasted share.
    WastedWork = "wasted", Shape::Share, "share of CPU spent on jobs whose peer had given up, or that a crash or the end cut off";
    /// After the last crash.
    Reconnected50 = "reconnected.50", Shape::Length, "from a crash to half of its peers valid again, the longest of all crashes";
    /// After the last crash.
    Reconnected99 = "reconnected.99", Shape::Length, "from a crash to 99 % of its peers valid again, the longest of all crashes";
    /// After the last crash.
    Reconnected100 = "reconnected.100", Shape::Length, "from a crash to all of its peers valid again, the longest of all crashes";
    /// What triggers leave, at the speed of the cores.
    DrainIdeal = "drain.ideal", Shape::Length, "from the end of a tick or crash to its backlog worked off, if no core were idle, the longest of all";
    /// The same in fact.
    DrainActual = "drain.actual", Shape::Length, "from the end of a tick or crash to its backlog worked off, the longest of all";
    /// To 95 %.
    Recovery = "recovery", Shape::Length, "from the end of a tick or crash to 95 % of the peers in order as before, the longest of all";
    /// Requests beside triggers.
    GoodputBefore = "goodput.before", Shape::Share, "share of requests in time among those due before a tick or crash, the one that they took longest to recover from";
    /// Requests in triggers.
    GoodputDuring = "goodput.during", Shape::Share, "the same while it lasts";
    /// Requests after triggers.
    GoodputAfter = "goodput.after", Shape::Share, "the same from its end until they have recovered, or the run ends";
    /// Requests back to 95 %.
    RequestRecovery = "goodput.recovery", Shape::Length, "from the end of a tick or crash to 95 % of the goodput of before, for ten time-outs on end, the longest of all";
    /// How it went.
    Verdict = "verdict", Shape::Course, "how the run went, in the word of the summary's verdict";
    /// Synchrony of dues.
    HerdIndex = "herd", Shape::Count, "most refreshes due in one second over the mean of its cycle, the highest of all cycles";
}

impl Figure {
    /// Whether it counts requests, which are measured in windows around refreshes as well.
    pub fn is_of_requests(self) -> bool {
        matches!(
            self,
            Figure::RequestsDue
                | Figure::RequestsInTime
                | Figure::RequestsTimedOut
                | Figure::RequestsLost
                | Figure::RequestsFailed
                | Figure::RequestsDeparted
                | Figure::RequestsUnfinished
                | Figure::Goodput
        )
    }
}

macro_rules! signals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $what:literal;)*) => {
        /// What is looked at again and again over the run: the columns of the series.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Signal { $($(#[$doc])* $variant),* }

        impl Signal {
            /// All of them.
            pub const ALL: &'static [Signal] = &[$(Signal::$variant),*];

            /// Its name in `[expect]`.
            pub fn name(self) -> &'static str {
                match self { $(Signal::$variant => $name),* }
            }

            /// One line on what it is.
            pub fn about(self) -> &'static str {
                match self { $(Signal::$variant => $what),* }
            }
        }
    };
}

signals! {
    /// Front ends.
    Serving = "serving", "front ends that serve (tag: front_end)";
    /// Connections.
    Valid = "valid", "connections that are valid (tag: front_end)";
    /// Jobs.
    Queued = "queued", "jobs that wait for a worker (tag: front_end)";
    /// Workers.
    Busy = "busy", "workers that are held (tag: front_end)";
    /// Peers.
    Disconnected = "disconnected", "peers that had a valid connection and have none";
}

/// The tags that a metric takes in `[expect]`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tags {
    /// A group's name.
    pub group: Option<String>,
    /// `tcp` or `tls`.
    pub transport: Option<crate::validate::Transport>,
    /// A front end's name.
    pub front_end: Option<String>,
    /// A look-up's name.
    pub lookup: Option<String>,
    /// Why the connection or the refresh happened; latencies only.
    pub cause: Option<Cause>,
    /// What the peer showed when a question was asked, or that it showed nothing; questions only.
    pub certificate: Option<Option<crate::validate::CertificateState>>,
    /// At which point of a connection's life a question was asked; questions only.
    pub phase: Option<crate::validate::Phase>,
    /// How a question was answered; questions only.
    pub verdict: Option<super::Answered>,
}
