//! A scenario file as it is written: the types that its JSON Schema is made from.
//!
//! Nothing is ever read into these structs. The decoder asks for keys one by one, so that it can report all errors
//! with their places; `tests/scenario_errors.rs` walks the schema and holds the decoder to each key, word and range.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::policy::tls::{KeyType, TicketKey, Version};
use crate::policy::{Initiator, Order, Then};
use crate::validate::{Builtin, CertificateState, Transport};

use super::plan::{Change, Start, TieOrder, WhenFull};

/// Returns the JSON Schema (draft 2020-12) of scenario files, for editors.
pub fn schema() -> Value {
    let mut schema: Value = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>().into();
    without_null(&mut schema);
    schema
}

/// Takes out what the generator adds for `Option`: TOML has no null, a key that may be absent is just not required.
fn without_null(schema: &mut Value) {
    if let Value::Object(object) = schema {
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(words)) = object.get_mut("enum") {
            words.retain(|word| !word.is_null());
        }
        if let Some(Value::Array(forms)) = object.get_mut("anyOf") {
            forms.retain(|form| form.get("type").is_none_or(|kind| kind != "null"));
            if let [Value::Object(only)] = forms.as_slice() {
                let only = only.clone();
                object.remove("anyOf");
                for (key, value) in only {
                    object.entry(key).or_insert(value);
                }
            }
        }
    }
    match schema {
        Value::Object(object) => object.values_mut().for_each(without_null),
        Value::Array(array) => array.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// A refresh-sim scenario: front ends, the peers that connect to them, and what must hold of the result.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct File {
    /// Version of this file format.
    #[schemars(range(min = 1, max = 1))]
    pub schema: u64,
    /// Version of the model's rules: the same file with the same number gives the same results.
    #[schemars(range(min = 1, max = 1))]
    pub semantics: u64,
    /// The run as a whole.
    pub run: Run,
    /// The front ends; all share these settings.
    pub front_end: Option<FrontEnd>,
    /// When and how connections are refreshed; without this table nothing is refreshed.
    pub refresh: Option<Refresh>,
    /// What the service manager does after a front end's failure.
    pub recovery: Option<Recovery>,
    /// Who makes the certificates that peers ask for; only with `group.validity.asks_at`.
    pub issuer: Option<Issuer>,
    /// Who judges peers, and what that takes.
    pub validation: Validation,
    /// Groups of like peers.
    #[schemars(length(min = 1, max = 65535))]
    pub group: Vec<Group>,
    /// What changes during the run.
    pub timeline: Option<Vec<Timeline>>,
    /// What is measured.
    pub measure: Option<Measure>,
    /// The faulting process as the event log will describe it; what is not given stays unset.
    pub process: Option<Process>,
    /// What must hold of the result: a stable name for each line `metric{tag=value} in phase : aggregate op value min n`.
    pub expect: Option<BTreeMap<String, String>>,
}

/// The run as a whole.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Run {
    /// Length of the run; more than zero, at most 100 years (36525d).
    pub horizon: Length,
    /// Root of all random draws.
    #[schemars(extend("default" = 42))]
    pub seed: Option<u64>,
    /// The date of run time 0, UTC, to 100 ns, from 1601 to 9999; without it no dates are shown.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?[Zz]$"))]
    pub epoch: Option<String>,
    /// Whether peers are connected when the run begins.
    #[schemars(extend("default" = "connecting"))]
    pub start: Option<OneOf<Start>>,
    /// What decides between entities at one instant.
    #[schemars(extend("default" = "entity"))]
    pub tie_order: Option<OneOf<TieOrder>>,
}

/// The front ends; all share these settings.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FrontEnd {
    /// Their names in the order in which peers list them, and when each is first started; default one, `fe01`.
    #[schemars(length(min = 1, max = 1024))]
    pub nodes: Option<Vec<Node>>,
    /// From process start to service start, drawn anew for each incarnation; default 125s.
    pub start_up: Option<Distribution>,
    /// Threads that take jobs; default 8.
    #[schemars(range(min = 1, max = 65535))]
    pub workers: Option<u64>,
    /// Cores that they compute on, at most `workers`; default as many.
    #[schemars(range(min = 1, max = 65535))]
    pub cores: Option<u64>,
    /// Most jobs that wait for a worker; default no bound.
    #[schemars(range(min = 1, max = 4294967295u32))]
    pub queue_limit: Option<u64>,
    /// What happens to a job that finds the queue full; only with `queue_limit`.
    #[schemars(extend("default" = "back-pressure"))]
    pub when_full: Option<OneOf<WhenFull>>,
    /// CPU of taking one connection as a job; without it a dedicated acceptor does it in no time.
    pub accept: Option<Distribution>,
    /// Connections that the kernel completes while the process is being dumped.
    #[schemars(range(min = 0, max = 1000000), extend("default" = 200))]
    pub backlog: Option<u64>,
}

/// One front end.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Node {
    /// Its name; unique, 1 to 255 characters.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// When its process is first started, in run time; the first node's must be 0s, which is the default.
    pub starts: Option<Length>,
}

/// When and how connections are refreshed.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Refresh {
    /// Time from one refresh to the next; more than zero.
    pub every: Length,
    /// What `every` counts from.
    #[schemars(extend("default" = "service-start"))]
    pub anchor: Option<OneOf<AnchorWord>>,
    /// Run time of one tick, less than `every`; only with `anchor = "wall-clock"`; default 0s.
    pub offset: Option<Length>,
    /// Each due is later than its tick by a uniform draw below this; less than `every`; default 0s.
    pub spread: Option<Length>,
    /// Whose connections are refreshed; default both.
    #[schemars(length(min = 1, max = 2))]
    pub transports: Option<Vec<OneOf<Transport>>>,
    /// In what order a tick takes its connections.
    #[schemars(extend("default" = "topology"))]
    pub order: Option<OneOf<Order>>,
    /// What a refresh does.
    #[schemars(extend("default" = "revalidate"))]
    pub action: Option<OneOf<ActionWord>>,
    /// Who closes; only with `action = "reconnect"`.
    #[schemars(extend("default" = "front-end"))]
    pub initiator: Option<OneOf<Initiator>>,
    /// Which connection a reconnect begins with; only with `action = "reconnect"`.
    #[schemars(extend("default" = "break-first"))]
    pub style: Option<OneOf<StyleWord>>,
    /// How long the old connection is kept when the new one is valid; only with `style = "make-first"`; default 0s.
    pub grace: Option<Length>,
    /// How fast connections that are due have their turn at a front end; default each at its due.
    pub limit: Option<Limit>,
}

/// How fast connections that are due have their turn at a front end.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limit {
    /// Turns in a length of time, evenly.
    pub rate: Option<Rate>,
    /// Turns that a pause saves up for later; only with `rate`.
    #[schemars(range(min = 1, max = 4294967295u32), extend("default" = 1))]
    pub burst: Option<u64>,
    /// Most turns of one batch; with `every`.
    #[schemars(range(min = 1, max = 4294967295u32))]
    pub batch: Option<u64>,
    /// From the first turn of a batch to that of the next, at least; more than zero; only with `batch`.
    pub every: Option<Length>,
    /// From one turn to the next, at least; more than zero.
    pub spacing: Option<Length>,
}

/// Who makes the certificates that peers ask for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Issuer {
    /// How many it makes at once; default 1.
    #[schemars(range(min = 1, max = 65535))]
    pub workers: Option<u64>,
    /// How long one takes; default 10ms.
    pub cost: Option<Distribution>,
    /// How many it begins in a length of time, evenly; default no limit.
    pub rate: Option<Rate>,
    /// How many a pause saves up for later; only with `rate`.
    #[schemars(range(min = 1, max = 4294967295u32), extend("default" = 1))]
    pub burst: Option<u64>,
}

/// What the service manager does after a front end's failure.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Recovery {
    /// The n-th failure does entry n, the last one repeats: `restart [after D]`, `reboot [after D] [away D]` or `none`.
    #[schemars(
        length(max = 16),
        inner(regex(pattern = r"^\s*(none|restart(\s+after\s+.+)?|reboot(\s+after\s+.+)?(\s+away\s+.+)?)\s*$"))
    )]
    pub actions: Option<Vec<String>>,
    /// Without a failure for this long, the count of failures returns to 0; or `never`; default 1d.
    pub reset_period: Option<LengthOrNever>,
    /// How long a crashed process stays while its memory is written out; default 0s, no dump.
    pub dump: Option<Length>,
}

/// Who judges peers, and what that takes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Validation {
    /// The logic that judges peers.
    pub validator: OneOf<Builtin>,
    /// CPU of validating a new connection; default 1ms.
    pub accept: Option<Distribution>,
    /// CPU of validating a connection again; default as `accept`.
    pub refresh: Option<Distribution>,
}

/// A group of like peers.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Group {
    /// Its name; unique, 1 to 255 characters, no `/`.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^/]+$"))]
    pub name: String,
    /// How many indices there are.
    #[schemars(range(min = 1, max = 33000000), extend("default" = 1))]
    pub count: Option<u64>,
    /// The indices that exist, each below `count`; default all. Not with `omit`.
    #[schemars(length(min = 1), inner(range(min = 0, max = 32999999)))]
    pub only: Option<Vec<u64>>,
    /// The indices that do not exist, each below `count`. Not with `only`.
    #[schemars(inner(range(min = 0, max = 32999999)))]
    pub omit: Option<Vec<u64>>,
    /// What carries their connections.
    pub transport: OneOf<Transport>,
    /// What they show; default `valid` for tls. Only `none` goes with tcp.
    pub certificate: Option<OneOf<CertificateWord>>,
    /// How long the certificate is good, and when it is replaced; only with `certificate = "valid"`; default always.
    pub validity: Option<Validity>,
    /// Address of index 0, IPv4 or IPv6; index i has this plus i; default counts up from 10.0.0.1.
    pub address: Option<Address>,
    /// Source port; default 5061 for tls, 5060 for tcp.
    #[schemars(range(min = 0, max = 65535))]
    pub port: Option<u64>,
    /// Whether the topology lists their addresses.
    #[schemars(extend("default" = true))]
    pub known: Option<bool>,
    /// Round-trip time, one draw for each peer; default 1ms.
    pub rtt: Option<Distribution>,
    /// Handshake with measured CPU times; tls only, not with `flights`; default tls1.3.
    pub handshake: Option<OneOf<Handshake>>,
    /// CPU of the front end for each TLS flight; tls only, not with `handshake`.
    #[schemars(length(min = 1, max = 7))]
    pub flights: Option<Vec<Distribution>>,
    /// CPU of the peer before each of its flights after the SYN; as many as `flights`.
    #[schemars(length(min = 1, max = 7))]
    pub client_cpu: Option<Vec<Distribution>>,
    /// What handshakes take and who resumes a session; tls only, not with `handshake`.
    pub tls: Option<Tls>,
    /// A try that takes longer is given up; or `never`; default 30s.
    pub attempt_timeout: Option<LengthOrNever>,
    /// How they come back after a loss.
    pub reconnect: Option<Reconnect>,
    /// Names of the front ends that they try, in order; default all in the order of `front_end.nodes`.
    #[schemars(length(min = 1, max = 1024))]
    pub front_ends: Option<Vec<String>>,
    /// Whether they are there from the beginning; a timeline entry may bring them later.
    #[schemars(extend("default" = true))]
    pub present: Option<bool>,
}

/// How long certificates are good, and when they are replaced.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Validity {
    /// Run time at which the certificates expire that peers have at run time 0; default as `lives` says.
    pub not_after: Option<Length>,
    /// Life of a certificate from when it is issued, one draw for each, at least 1m; default without end.
    pub lives: Option<Distribution>,
    /// A certificate is replaced so long before its end; more than zero; not with `replaced`.
    pub renew_before: Option<Length>,
    /// One that has expired is replaced so long after its end, one draw for each; default never.
    pub replaced: Option<Distribution>,
    /// The peer asks the issuer for the next at a share of its life between these two; not with the two above.
    #[schemars(length(min = 2, max = 2))]
    pub asks_at: Option<Vec<Factor>>,
    /// The peer looks so often whether it should ask, at least 1s, and draws anew each time; only with `asks_at`.
    pub poll: Option<Length>,
    /// What becomes of the connection of a peer that has its new certificate; only with `asks_at`.
    #[schemars(extend("default" = "stay"))]
    pub then: Option<OneOf<Then>>,
}

/// What TLS handshakes take, and who resumes a session.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tls {
    /// Version of the protocol, for measured costs; not with `flights`; default tls1.3.
    pub version: Option<OneOf<Version>>,
    /// Key of the certificates on both sides, for measured costs; not with `flights`; default p-256.
    pub key: Option<OneOf<KeyType>>,
    /// Whether peers show a certificate too; not with `flights`; default as `certificate` says.
    pub mutual: Option<bool>,
    /// CPU of the front end as a multiple of what was measured; not with `flights`; default 1.
    pub scale_front_end: Option<Factor>,
    /// CPU of the peers as a multiple of what was measured; not with `flights`; default 1.
    pub scale_peer: Option<Factor>,
    /// CPU of the front end after the peer's last flight and before its validation; only with `flights`.
    pub finish: Option<Distribution>,
    /// Bytes of a full handshake, to the front end and to the peer; only with `flights`.
    #[schemars(length(min = 2, max = 2), inner(range(min = 0, max = 1000000000)))]
    pub bytes: Option<Vec<u64>>,
    /// How sessions are taken up again.
    #[schemars(extend("default" = "none"))]
    pub resumption: Option<OneOf<ResumptionWord>>,
    /// A session of this age or more is not resumed; default 10h in a cache, 2h by tickets.
    pub lifetime: Option<Length>,
    /// Most sessions in a front end's cache, the same in all groups; only with `resumption = "cache"`.
    #[schemars(range(min = 1, max = 4294967295u32), extend("default" = 20000))]
    pub entries: Option<u64>,
    /// Who has the key of tickets; only with `resumption = "tickets"`.
    #[schemars(extend("default" = "process"))]
    pub ticket_key: Option<OneOf<TicketKey>>,
    /// Whether a resumed handshake makes a new session; default true by tickets, false in a cache.
    pub renew: Option<bool>,
    /// CPU of the front end for each flight of a resumed handshake; default as measured.
    #[schemars(length(min = 1, max = 7))]
    pub resumed_flights: Option<Vec<Distribution>>,
    /// CPU of the peer before each of its flights after the first; as many as `resumed_flights`.
    #[schemars(length(min = 1, max = 7))]
    pub resumed_client_cpu: Option<Vec<Distribution>>,
    /// Bytes of a resumed handshake, to the front end and to the peer; only with `resumed_flights`.
    #[schemars(length(min = 2, max = 2), inner(range(min = 0, max = 1000000000)))]
    pub resumed_bytes: Option<Vec<u64>>,
}

/// How peers come back after a loss.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Reconnect {
    /// Wait before the first attempt after a loss; default 0s.
    pub first: Option<Distribution>,
    /// Wait after an attempt at every front end of the list has failed; default 5s.
    pub delay: Option<Distribution>,
}

/// One change during the run.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Timeline {
    /// When, in run time; at most `run.horizon`.
    pub at: Length,
    /// What happens.
    pub r#do: OneOf<Change>,
    /// The name of the group that it happens to.
    #[schemars(length(min = 1, max = 255))]
    pub group: String,
    /// Which of the group's indices; default all.
    #[schemars(length(min = 1), inner(range(min = 0, max = 32999999)))]
    pub only: Option<Vec<u64>>,
}

/// What is measured.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Measure {
    /// Samples that end before this run time are left out; at most `run.horizon`; default 0s.
    pub from: Option<Length>,
    /// Time between two rows of the series; at least 1s; default 60s.
    pub sample: Option<Length>,
    /// Refresh cycles (1 is a peer's first) that get a histogram of their own.
    #[schemars(length(max = 1000), inner(range(min = 1, max = 4294967295u32)))]
    pub cycles: Option<Vec<u64>>,
}

/// The faulting process as the event log will describe it; what is not given stays unset.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Process {
    /// Service name in the service control manager's records.
    #[schemars(length(min = 1, max = 1024))]
    pub service: Option<String>,
    /// Faulting application name.
    #[schemars(length(min = 1, max = 1024))]
    pub application: Option<String>,
    /// Its version.
    #[schemars(length(min = 1, max = 1024))]
    pub application_version: Option<String>,
    /// Its time stamp, hexadecimal.
    #[schemars(length(min = 1, max = 1024))]
    pub application_timestamp: Option<String>,
    /// Faulting module name.
    #[schemars(length(min = 1, max = 1024))]
    pub module: Option<String>,
    /// Its version.
    #[schemars(length(min = 1, max = 1024))]
    pub module_version: Option<String>,
    /// Its time stamp, hexadecimal.
    #[schemars(length(min = 1, max = 1024))]
    pub module_timestamp: Option<String>,
    /// Process id of the first incarnation; later ones are drawn.
    #[schemars(range(min = 0, max = 4294967295u32))]
    pub process_id: Option<u64>,
    /// Fault offset of the first crash; later ones are drawn. TOML takes 0x442aa1.
    pub fault_offset: Option<u64>,
    /// Report id of the first crash; later ones are drawn.
    #[schemars(length(min = 1, max = 1024))]
    pub report_id: Option<String>,
    /// Path of the application.
    #[schemars(length(min = 1, max = 1024))]
    pub application_path: Option<String>,
    /// Path of the module.
    #[schemars(length(min = 1, max = 1024))]
    pub module_path: Option<String>,
}

/// A value that a scenario names by a word.
pub trait Word: Copy + PartialEq + 'static {
    /// Every word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];

    /// The word for `self`.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

/// `refresh.anchor`: [`crate::policy::Anchor`] without its offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnchorWord {
    /// Counted from the service start.
    ServiceStart,
    /// Counted from when each connection was last valid.
    OwnAge,
    /// Fixed instants of the run.
    WallClock,
}

/// `refresh.action`: [`crate::policy::Act`] without its initiator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActionWord {
    /// In place.
    Revalidate,
    /// By a new connection.
    Reconnect,
}

/// `refresh.style`: [`crate::policy::Style`] without its grace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StyleWord {
    /// The old connection ends first.
    BreakFirst,
    /// The new connection is made first.
    MakeFirst,
}

/// `group.certificate`: a state, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CertificateWord(pub Option<CertificateState>);

/// `group.handshake`: measured CPU times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handshake {
    /// One flight to answer.
    Tls13,
    /// Two flights to answer.
    Tls12,
}

/// `group.tls.resumption`: [`crate::policy::tls::Store`] without its settings, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResumptionWord {
    /// Every handshake is a full one.
    None,
    /// In the memory of the front end's process.
    Cache,
    /// In tickets that peers keep.
    Tickets,
}

/// Connects a type to its words.
macro_rules! words {
    ($($type:ty { $($word:literal = $value:expr),* $(,)? })*) => {
        $(impl Word for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $value)),*];
        })*
    };
}

words! {
    Start { "connecting" = Start::Connecting, "established" = Start::Established }
    TieOrder { "entity" = TieOrder::Entity, "shuffled" = TieOrder::Shuffled }
    WhenFull {
        "back-pressure" = WhenFull::BackPressure, "close" = WhenFull::Close, "drop-oldest" = WhenFull::DropOldest,
    }
    AnchorWord {
        "service-start" = AnchorWord::ServiceStart, "own-age" = AnchorWord::OwnAge, "wall-clock" = AnchorWord::WallClock,
    }
    Transport { "tcp" = Transport::Tcp, "tls" = Transport::Tls }
    Order { "topology" = Order::Topology, "accepted" = Order::Accepted, "shuffled" = Order::Shuffled }
    ActionWord { "revalidate" = ActionWord::Revalidate, "reconnect" = ActionWord::Reconnect }
    Then { "stay" = Then::Stay, "revalidate" = Then::Revalidate, "reconnect" = Then::Reconnect }
    StyleWord { "break-first" = StyleWord::BreakFirst, "make-first" = StyleWord::MakeFirst }
    Initiator { "front-end" = Initiator::FrontEnd, "peer" = Initiator::Peer }
    Builtin {
        "sfb2015-rtm" = Builtin::Sfb2015Rtm, "sfb2015-cu2" = Builtin::Sfb2015Cu2, "tls-only" = Builtin::TlsOnly,
    }
    CertificateWord {
        "valid" = CertificateWord(Some(CertificateState::Valid)),
        "none" = CertificateWord(None),
        "expired" = CertificateWord(Some(CertificateState::Expired)),
        "wrong-name" = CertificateWord(Some(CertificateState::WrongName)),
        "untrusted" = CertificateWord(Some(CertificateState::Untrusted)),
    }
    Handshake { "tls1.3" = Handshake::Tls13, "tls1.2" = Handshake::Tls12 }
    Version { "tls1.3" = Version::Tls13, "tls1.2" = Version::Tls12 }
    KeyType {
        "rsa-2048" = KeyType::Rsa2048, "rsa-3072" = KeyType::Rsa3072, "rsa-4096" = KeyType::Rsa4096,
        "p-256" = KeyType::P256, "ed25519" = KeyType::Ed25519,
    }
    ResumptionWord {
        "none" = ResumptionWord::None, "cache" = ResumptionWord::Cache, "tickets" = ResumptionWord::Tickets,
    }
    TicketKey { "process" = TicketKey::Process, "host" = TicketKey::Host, "pool" = TicketKey::Pool }
    Change {
        "join" = Change::Join, "leave" = Change::Leave, "replace-certificate" = Change::ReplaceCertificate,
        "certificate-expires" = Change::CertificateExpires,
    }
}

/// One of a type's words.
pub struct OneOf<T>(PhantomData<T>);

impl<T: Word> JsonSchema for OneOf<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed(std::any::type_name::<T>())
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// The regular expression of a length of time: numbers with units.
const LENGTH: &str = r"(\s*[0-9]+(\.[0-9]+)?\s*(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w)\s*)+";

/// The regular expression of a multiple.
const FACTOR: &str = r"^\s*([0-9]+\s*/\s*[0-9]+|[0-9]+(\.[0-9]{1,4})?\s*%)\s*$";

/// Makes a newtype of `&'static str` with a schema of its own.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $description:literal, $generator:ident => $schema:expr;)*) => {
        $($(#[$doc])* pub struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                let mut schema: Schema = $schema;
                schema.insert("description".to_owned(), $description.into());
                schema
            }
        })*
    };
}

texts! {
    /// A length of time.
    Length: "A length of time with its unit: ns us ms s m h d w, e.g. `250ms` or `1h 30m`.",
        _generator => json_schema!({ "type": "string", "pattern": format!("^{LENGTH}$") });
    /// A length of time, or `never`.
    LengthOrNever: "A length of time with its unit, or `never`.",
        _generator => json_schema!({ "type": "string", "pattern": format!("^(never|{LENGTH})$") });
    /// An IP address.
    Address: "An IPv4 or IPv6 address.",
        _generator => json_schema!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] });
    /// An exact multiple.
    Factor: "A multiple from 1/1000 to 1000: a fraction or a percentage, e.g. `3/2` or `150%`.",
        _generator => json_schema!({ "type": "string", "pattern": FACTOR });
    /// So many in so long.
    Rate: "A whole number in a length of time, e.g. `50/s` or `3/10s`.",
        _generator => json_schema!({ "type": "string", "pattern": r"^\s*[0-9]+\s*/.+$" });
    /// A distribution of lengths of time.
    Distribution: "A length of time, always the same, or a distribution.",
        generator => distribution(generator);
}

/// The forms of a distribution.
fn distribution(generator: &mut SchemaGenerator) -> Schema {
    let length = generator.subschema_for::<Length>();
    let form = |name: &str, description: &str, schema: Value| {
        let mut form = json_schema!({ "type": "object", "required": [name], "additionalProperties": false });
        form.insert("description".to_owned(), description.into());
        form.insert("properties".to_owned(), serde_json::json!({ name: schema }));
        form
    };
    let pair = |first: &str, second: &str, schemas: [&Schema; 2]| {
        serde_json::json!({
            "type": "object", "required": [first, second], "additionalProperties": false,
            "properties": { first: schemas[0], second: schemas[1] },
        })
    };
    let positive = json_schema!({ "type": "number", "exclusiveMinimum": 0 });
    let quantile = serde_json::json!({
        "type": "object", "required": ["median"], "additionalProperties": false, "minProperties": 2, "maxProperties": 2,
        "properties": { "median": length },
        "patternProperties": {
            r"^p[0-9]{1,2}\.[0-9]+$": length,
            // A bare `p99.9` is a table within the table.
            r"^p[0-9]{1,2}$": { "anyOf": [length, {
                "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
                "patternProperties": { "^[0-9]+$": length },
            }] },
        },
    });
    let point = serde_json::json!({
        "type": "array", "minItems": 2, "maxItems": 2,
        "prefixItems": [{ "type": "string", "pattern": r"^p[0-9]{1,3}(\.[0-9]+)?$" }, length],
    });
    json_schema!({ "oneOf": [
        length,
        form("uniform", "Evenly between two lengths.",
            serde_json::json!({ "type": "array", "minItems": 2, "maxItems": 2, "items": length })),
        form("exponential", "Exponential with this mean.", serde_json::json!(length)),
        form("lognormal", "Log-normal, by its median and one percentile above it, or by its mean and standard deviation.",
            serde_json::json!({ "oneOf": [quantile, pair("mean", "sd", [&length, &length])] })),
        form("pareto", "Pareto by its minimum and shape.", pair("minimum", "shape", [&length, &positive])),
        form("weibull", "Weibull by its scale and shape.", pair("scale", "shape", [&length, &positive])),
        form("percentiles", "Straight lines between percentiles, from p0 to p100.",
            serde_json::json!({ "type": "array", "minItems": 2, "maxItems": 1000, "items": point })),
    ] })
}
