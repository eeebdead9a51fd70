//! A scenario file as it is written: the types that its JSON Schema is made from.
//!
//! Nothing is ever read into these structs. The decoder asks for keys one by one, so that it can report all errors
//! with their places; `tests/scenario_errors.rs` walks the schema and holds the decoder to each key, word and range.

mod particulars;
mod words;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::policy::lookup::{OnFailure, Sharing, Waiting};
use crate::policy::tcp::Stack;
use crate::policy::tls::{KeyType, TicketKey, Version};
use crate::policy::{CountedFrom, Initiator, JitterAt, ListOrder, OnIdle, Order, Scope, Then};
use crate::validate::{Builtin, Transport};

use super::plan::{OnTimeOut, Overflow, Start, TieOrder, WhenFull};

pub use particulars::{CertificateNames, ListedAs};
pub use words::{
    ActionWord, Address, AnchorWord, CertificateWord, Distribution, Factor, GrowthWord, Handshake, JitterWord, Length,
    LengthOrNever, LookupChange, Moment, OneOf, OneOrMore, PoolMinimum, PortRange, Ports, PresetWord, RateText,
    ResumptionWord, Share, StyleWord, TimelineWord, Word,
};

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
    /// What the front ends need of each other; without it each serves for itself.
    pub pool: Option<Pool>,
    /// What hands new connections to front ends, for groups with `failover.order = "middlebox"`.
    pub middlebox: Option<Middlebox>,
    /// Who judges peers, and what that takes.
    pub validation: Validation,
    /// What validations look up elsewhere.
    #[schemars(length(max = 16))]
    pub lookup: Option<Vec<Lookup>>,
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
    /// The listening socket.
    pub listen: Option<Listen>,
    /// Whether a worker skips a job whose peer has closed its connection.
    #[schemars(extend("default" = false))]
    pub notices: Option<bool>,
    /// The front ends' own limits on connections.
    pub limits: Option<Limits>,
}

/// The listening socket of a front end.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Listen {
    /// Connections that the process lets wait to be accepted; one more gets in.
    #[schemars(range(min = 0, max = 1000000), extend("default" = 200))]
    pub backlog: Option<u64>,
    /// The most that the host allows `backlog` to be.
    #[schemars(range(min = 0, max = 1000000), extend("default" = 4096))]
    pub somaxconn: Option<u64>,
    /// Most connections that lack their final ACK; default no bound, as with SYN cookies.
    #[schemars(range(min = 1, max = 1000000))]
    pub syn_backlog: Option<u64>,
    /// What a full accept queue does: ignore SYN and final ACK, ignore the SYN and reset at the ACK, or reset at either.
    #[schemars(extend("default" = "drop"))]
    pub overflow: Option<OneOf<Overflow>>,
}

/// The front ends' own limits on connections.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limits {
    /// A TLS handshake that takes longer, counted from the arrival of the SYN, ends in a reset; or `never`, the default.
    pub handshake: Option<LengthOrNever>,
    /// A connection that is not valid so long after the arrival of its SYN is reset; or `never`, the default.
    pub first_message: Option<LengthOrNever>,
    /// Most connections at once; a SYN beyond it is refused; default no bound.
    #[schemars(range(min = 1, max = 4294967295u32))]
    pub max_connections: Option<u64>,
    /// A valid connection over which nothing has come for so long is reset, at least 1s; or `never`, the default.
    pub idle: Option<LengthOrNever>,
    /// How the front ends find out that a peer is cut off; default not at all.
    pub keep_alive: Option<KeepAlive>,
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
    /// The part of the pool that is patched together with this one; default it alone.
    #[schemars(range(min = 1, max = 1024))]
    pub upgrade_domain: Option<u64>,
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
    pub rate: Option<RateText>,
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
    pub rate: Option<RateText>,
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

/// What the front ends need of each other.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Pool {
    /// How many must be ready at a cold start, and how many must serve to go on.
    pub minimum: PoolMinimum,
    /// Whether half of all, rounded up, must serve as well.
    #[schemars(extend("default" = false))]
    pub quorum: Option<bool>,
    /// What starts survivors again that stopped for being too few: `manual` (nothing) or `after D`; default manual.
    #[schemars(regex(pattern = r"^\s*(manual|after\s+.+)\s*$"))]
    pub restart: Option<String>,
}

/// What hands each new connection to one of the front ends that its group lists.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Middlebox {
    /// Time between two looks at who serves, from run time 0 on; at least 100ms.
    pub probe: Length,
    /// Whether a peer is handed to the front end that it had before, as long as that is believed to serve.
    #[schemars(extend("default" = true))]
    pub persistence: Option<bool>,
    /// A connection over which nothing has come for so long is ended, at least 1s; or `never`, the default.
    pub idle: Option<LengthOrNever>,
    /// How: both ends are told, or nobody is; default `silent`.
    pub on_idle: Option<OneOf<OnIdle>>,
}

/// Who judges peers, and what that takes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Validation {
    /// The built-in logic that judges peers; required unless there is a `command`, which judges in its place.
    pub validator: Option<OneOf<Builtin>>,
    /// A program of your own that judges peers, and its arguments; it runs in the folder of the scenario file.
    #[schemars(length(min = 1, max = 64))]
    pub command: Option<Vec<String>>,
    /// Real time that `command` may take for one answer; 10ms to 1h; default 10s.
    pub answer_limit: Option<Length>,
    /// CPU of validating a new connection; default 1ms.
    pub accept: Option<Distribution>,
    /// CPU of validating a connection again; default as `accept`.
    pub refresh: Option<Distribution>,
    /// Most time that one validation spends on look-ups; or `never`; default 20s where there are look-ups.
    pub lookup_total: Option<LengthOrNever>,
    /// What a worker does while a wait that a verdict asks for lasts.
    #[schemars(extend("default" = "blocking"))]
    pub verdict_wait: Option<OneOf<Waiting>>,
}

/// What validations look up elsewhere, such as a revocation list or DNS.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Lookup {
    /// Its name; unique, 1 to 255 characters.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// What it is, in words, e.g. `crl`; nothing depends on it.
    #[schemars(length(min = 1, max = 255))]
    pub kind: Option<String>,
    /// From a question to its answer.
    pub latency: Distribution,
    /// Share of fetches that end without an answer; default 0%.
    pub failure: Option<Share>,
    /// Share of answers that say no, and so reject the peer; default 0%.
    pub negative: Option<Share>,
    /// A fetch that takes longer ends without an answer; or `never`; default 15s.
    pub timeout: Option<LengthOrNever>,
    /// What the worker does meanwhile.
    #[schemars(extend("default" = "blocking"))]
    pub mode: Option<OneOf<Waiting>>,
    /// Whether a question joins a fetch of the same key that is under way.
    #[schemars(extend("default" = false))]
    pub single_flight: Option<bool>,
    /// How long answers are kept, by their kind.
    pub cache: Option<LookupCache>,
    /// Who shares an answer at one front end.
    #[schemars(extend("default" = "group"))]
    pub key: Option<OneOf<Sharing>>,
    /// Which validations make it; default both.
    #[schemars(length(min = 1, max = 2))]
    pub on: Option<Vec<OneOf<Moment>>>,
    /// Whose validations make it; default both.
    #[schemars(length(min = 1, max = 2))]
    pub transports: Option<Vec<OneOf<Transport>>>,
    /// Share of the validation's CPU that comes before it; default 0%.
    pub cpu_before: Option<Share>,
    /// What it means that no answer came.
    #[schemars(extend("default" = "soft-fail"))]
    pub on_failure: Option<OneOf<OnFailure>>,
}

/// How long answers are kept; 0s: not at all.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct LookupCache {
    /// Good answers; default 0s.
    pub positive: Option<Length>,
    /// Answers that say no; default 0s.
    pub negative: Option<Length>,
    /// That no answer came, with `on_failure = "soft-fail"`; default 0s.
    pub soft_fail: Option<Length>,
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
    /// Their pool's name in the topology, a domain name or an address; default the group's name.
    #[schemars(length(min = 1, max = 255))]
    pub pool: Option<String>,
    /// Their computers' names in the topology: `{index}` stands for a peer's index, `{pool}` for the pool; default the
    /// pool's alone.
    #[schemars(length(min = 1, max = 255))]
    pub computer: Option<String>,
    /// What the topology lists, if that is not where they come from.
    pub listed: Option<ListedAs>,
    /// What their certificates name; default the pool, as subject and as DNS name.
    pub names: Option<CertificateNames>,
    /// Round-trip time, one draw for each peer; default 1ms.
    pub rtt: Option<Distribution>,
    /// What else the path does to messages.
    pub path: Option<Path>,
    /// The kernel of the peers.
    pub tcp: Option<Tcp>,
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
    /// How long they wait for each step of a try.
    pub timeouts: Option<Timeouts>,
    /// How they come back after a loss.
    pub reconnect: Option<Reconnect>,
    /// Names of the front ends that they try, in order; default all in the order of `front_end.nodes`.
    #[schemars(length(min = 1, max = 1024))]
    pub front_ends: Option<Vec<String>>,
    /// How they go from one front end to the next.
    pub failover: Option<Failover>,
    /// What each of them asks beside connecting, whatever the front end is doing; without it nothing.
    pub requests: Option<Requests>,
    /// Whether they are there from the beginning; a timeline entry may bring them later.
    #[schemars(extend("default" = true))]
    pub present: Option<bool>,
}

/// What the path between a group and its front ends does to messages.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Path {
    /// Comes on top of the round trip, drawn for each exchange; default nothing.
    pub variation: Option<Distribution>,
    /// How much of all messages is lost; below 100%; default 0%.
    pub loss: Option<Share>,
}

/// The kernel of a group's peers.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tcp {
    /// When a SYN without an answer goes out again, and when that is given up.
    #[schemars(extend("default" = "linux"))]
    pub stack: Option<OneOf<Stack>>,
    /// When it goes out again, since the first SYN; rising; only with `stack = "custom"`.
    #[schemars(length(max = 32))]
    pub resends: Option<Vec<Length>>,
    /// When it is given up, since the first SYN; after the last of `resends`; only with `stack = "custom"`.
    pub give_up: Option<Length>,
    /// Ports for each address: a number, or a system's range (`linux` 28232, `windows` 16384); default no bound.
    pub ports: Option<Ports>,
    /// How long a port rests after a connection that its peer closed; default that of `ports` or `stack`, Linux 60s,
    /// Windows 120s.
    pub time_wait: Option<Length>,
    /// Addresses that the peers share, at most `count`; default each has one of its own.
    #[schemars(range(min = 1, max = 33000000))]
    pub addresses: Option<u64>,
    /// How a peer finds out that nobody is there any more; default not at all.
    pub keep_alive: Option<KeepAlive>,
}

/// How a peer finds out that nobody is there any more.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KeepAlive {
    /// From one probe to the next; more than zero.
    pub interval: Length,
    /// So many in a row without an answer end the connection.
    #[schemars(range(min = 1, max = 255))]
    pub count: u64,
}

/// How long peers wait for each step of a try, beside the time-out of all of it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Timeouts {
    /// From the SYN to its answer; or `never`, the default.
    pub connect: Option<LengthOrNever>,
    /// How many times longer that is after each failed round; needs `connect`; default it is always the same.
    pub connect_factor: Option<Factor>,
    /// The longest that it grows to; only with `connect_factor`; or `never`, the default.
    pub connect_cap: Option<LengthOrNever>,
    /// How much shorter or longer chance makes it, before the cap; only with `connect_factor`; at most 100%; default 0%.
    pub connect_jitter: Option<Share>,
    /// From each TLS flight of the peer to its answer; or `never`, the default.
    pub flight: Option<LengthOrNever>,
    /// From the message that the peer is judged by to the verdict; or `never`, the default.
    pub answer: Option<LengthOrNever>,
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
    pub asks_at: Option<Vec<Share>>,
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

/// What each peer asks beside connecting, whatever the front end is doing.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Requests {
    /// From one request of a peer to its next, drawn anew for each; a constant begins with a phase of the peer's own.
    pub every: Distribution,
    /// CPU of the front end for each.
    pub cpu: Distribution,
    /// A request without an answer for this long after its due has failed; or `never`; default 30s.
    pub timeout: Option<LengthOrNever>,
    /// What becomes of the connection on which a request timed out; default `close-if-silent`.
    pub on_timeout: Option<OneOf<OnTimeOut>>,
    /// How many each peer sends in all; default without end.
    #[schemars(range(min = 1, max = 4294967295u32))]
    pub stop_after: Option<u64>,
}

/// How peers come back after a loss.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Reconnect {
    /// Wait before the first attempt after a loss; default 0s.
    pub first: Option<Distribution>,
    /// Wait after an attempt at every front end of the list has failed; default 5s. Not with a back-off.
    pub delay: Option<Distribution>,
    /// A policy of the field; other keys change single settings of it.
    pub preset: Option<OneOf<PresetWord>>,
    /// How waits grow from failure to failure.
    #[schemars(extend("default" = "fixed"))]
    pub growth: Option<OneOf<GrowthWord>>,
    /// The first wait of a back-off, one draw for each peer.
    pub base: Option<Distribution>,
    /// How much longer each wait is; only with `growth = "linear"`.
    pub step: Option<Length>,
    /// How many times longer each wait is; only with `growth = "exponential"`.
    #[schemars(extend("default" = 2))]
    pub factor: Option<Factor>,
    /// Waits one after the other, the last one repeats; not with `growth` or `base`.
    #[schemars(length(min = 1, max = 1000))]
    pub waits: Option<Vec<Length>>,
    /// The longest wait; or `never`, the default.
    pub cap: Option<LengthOrNever>,
    /// What chance does to each wait of a back-off.
    #[schemars(extend("default" = "none"))]
    pub jitter: Option<OneOf<JitterWord>>,
    /// How much of the wait; only with `jitter = "two-sided"`, `"later"` or `"earlier"`, which need it; at most 100%.
    pub jitter_share: Option<Share>,
    /// Whether jitter comes before the cap, which then clips it, or after it.
    #[schemars(extend("default" = "after-cap"))]
    pub jitter_at: Option<OneOf<JitterAt>>,
    /// Whether the first wait has jitter too.
    #[schemars(extend("default" = true))]
    pub jitter_first: Option<bool>,
    /// Only so many waits have jitter, counted from the first; default all.
    #[schemars(range(min = 1, max = 65535))]
    pub jitter_tries: Option<u64>,
    /// What waits are counted from.
    #[schemars(extend("default" = "failure"))]
    pub counted_from: Option<OneOf<CountedFrom>>,
    /// A connection lost before it was valid for this long counts as one more failure; default 0s.
    pub reset_after: Option<Length>,
    /// So many attempts after a loss, then no more; default for ever.
    #[schemars(range(min = 1, max = 65535))]
    pub give_up_attempts: Option<u64>,
    /// No attempt later than this after a loss; or `never`, the default.
    pub give_up_after: Option<LengthOrNever>,
    /// Whether an attempt may take at least as long as the wait after it would.
    #[schemars(extend("default" = false))]
    pub stretch_attempt: Option<bool>,
    /// Most attempts of the group at one front end in a stretch of time, evenly spaced; default no bound.
    pub connect_rate: Option<RateText>,
    /// Most attempts of the group at one front end that are under way at once; default no bound.
    #[schemars(range(min = 1, max = 4294967295u32))]
    pub connects_in_flight: Option<u64>,
    /// A bound on retries that the group shares.
    pub budget: Option<Budget>,
}

/// A retry budget: within any window, retries are at most a share of the first attempts, plus a floor.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Budget {
    /// Retries for each first attempt after a loss; at most 1000%; default 20%.
    pub share: Option<Share>,
    /// Retries that are always granted; default 10/s.
    pub floor: Option<RateText>,
    /// How long attempts count, 1s to 1d; default 10s.
    pub window: Option<Length>,
    /// Who shares it.
    #[schemars(extend("default" = "group"))]
    pub per: Option<OneOf<Scope>>,
}

/// How peers go from one front end to the next.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Failover {
    /// Whether all begin at the head of the list, or each where it draws, or a middlebox hands them on.
    #[schemars(extend("default" = "listed"))]
    pub order: Option<OneOf<ListOrder>>,
    /// A front end that failed is skipped for so long; default 0s, not at all; not with `middlebox`.
    pub black_list: Option<Length>,
    /// After so long on another front end they move to their first; default never; not with `middlebox`.
    pub fail_back: Option<LengthOrNever>,
}

/// One change during the run.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Timeline {
    /// When, in run time; at most `run.horizon`.
    pub at: Length,
    /// What happens.
    pub r#do: OneOf<TimelineWord>,
    /// The name of the group that it happens to; needed for what happens to peers.
    #[schemars(length(min = 1, max = 255))]
    pub group: Option<String>,
    /// Which of the group's indices; default all. Not with `cut-off`, `heal`, `slow` and `slow-ends`.
    #[schemars(length(min = 1), inner(range(min = 0, max = 32999999)))]
    pub only: Option<Vec<u64>>,
    /// The front end to which the path is cut, or heals, default all; or the front end, or front ends, that are stopped,
    /// started, ended or patched.
    pub front_end: Option<OneOrMore>,
    /// All front ends of this upgrade domain; not with `front_end`.
    #[schemars(range(min = 1, max = 1024))]
    pub upgrade_domain: Option<u64>,
    /// From the stop to the start of the process; required with `patch` and `rolling-patch`, and only with them.
    pub away: Option<Length>,
    /// Who judges peers from then on; only with `patch` and `rolling-patch`; default who did before.
    pub validator: Option<OneOf<Builtin>>,
    /// From the service start of one upgrade domain to the stop of the next; only with `rolling-patch`; default 0s.
    pub gap: Option<Length>,
    /// The name of the look-up that it happens to; needed for look-ups.
    #[schemars(length(min = 1, max = 255))]
    pub lookup: Option<String>,
    /// With `slow`, how many times as long everything takes, at least 1; with `lookup-slow`, the latency as a multiple of
    /// the usual one, not beside `latency`.
    pub factor: Option<Factor>,
    /// Its latency with `lookup-slow`; with `lookup-fails` how long until that is noticed, default by its time-out alone.
    pub latency: Option<Distribution>,
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
    /// The longest that a window around a refresh may be in which requests are measured; default `refresh.every`.
    pub window_limit: Option<Length>,
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
