//! The values of a scenario file: those named by a word, and texts with a form of their own, each with its schema.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::super::plan::{Change, OnTimeOut, Overflow, Start, TieOrder, WhenFull};
use crate::policy::lookup::{OnFailure, Sharing, Waiting};
use crate::policy::tcp::Stack;
use crate::policy::tls::{KeyType, TicketKey, Version};
use crate::policy::{CountedFrom, Initiator, JitterAt, ListOrder, OnIdle, Order, PRESETS, Scope, Then};
use crate::validate::{Builtin, CertificateState, Transport};

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

/// `group.tcp.ports`: the range of a system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortRange {
    /// Linux's.
    Linux,
    /// Windows'.
    Windows,
}

/// `group.handshake`: measured CPU times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handshake {
    /// One flight to answer.
    Tls13,
    /// Two flights to answer.
    Tls12,
}

/// `group.reconnect.preset`: a position in the table of presets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PresetWord(pub usize);

impl Word for PresetWord {
    const WORDS: &'static [(&'static str, PresetWord)] = &{
        let mut words = [("", PresetWord(0)); PRESETS.len()];
        let mut nth = 0;
        while nth < PRESETS.len() {
            words[nth] = (PRESETS[nth].name, PresetWord(nth));
            nth += 1;
        }
        words
    };
}

/// `group.reconnect.growth`: [`crate::policy::Growth`] without its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrowthWord {
    /// Not at all.
    Fixed,
    /// By a step.
    Linear,
    /// By a factor.
    Exponential,
}

/// `group.reconnect.jitter`: [`crate::policy::Jitter`] without its share; or a growth by chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JitterWord {
    /// None.
    None,
    /// From nothing to the wait.
    Full,
    /// From half of the wait to the wait.
    Equal,
    /// Around the wait.
    TwoSided,
    /// More than the wait.
    Later,
    /// Less than the wait.
    Earlier,
    /// Up to three times the wait before.
    Decorrelated,
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

/// `timeline.do`: what happens, to peers, to a look-up, to the issuer or to front ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimelineWord {
    /// To peers.
    Peers(Change),
    /// To peers: they become slow, by a factor.
    Slow,
    /// To a look-up.
    Lookup(LookupChange),
    /// The issuer begins no certificates.
    IssuerFails,
    /// It does again.
    IssuerHeals,
    /// Front ends are stopped.
    Stop,
    /// Front ends are started.
    Start,
    /// Processes are ended from outside.
    Crash,
    /// Front ends are stopped, and started again later.
    Patch,
    /// All front ends, one upgrade domain after the other.
    RollingPatch,
}

/// What happens to a look-up: [`crate::policy::lookup::Condition`] without its settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupChange {
    /// Its answers take longer.
    Slow,
    /// No answer comes.
    Fails,
    /// All is as at the beginning.
    Heals,
}

/// `lookup.on`: which validations make a look-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Those of new connections.
    Accept,
    /// Those of refreshes in place.
    Refresh,
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
        "rfc5922" = Builtin::Rfc5922, "rfc9525" = Builtin::Rfc9525,
    }
    CertificateWord {
        "valid" = CertificateWord(Some(CertificateState::Valid)),
        "none" = CertificateWord(None),
        "expired" = CertificateWord(Some(CertificateState::Expired)),
        "wrong-name" = CertificateWord(Some(CertificateState::WrongName)),
        "untrusted" = CertificateWord(Some(CertificateState::Untrusted)),
        "not-yet-valid" = CertificateWord(Some(CertificateState::NotYetValid)),
        "self-signed" = CertificateWord(Some(CertificateState::SelfSigned)),
        "incomplete-chain" = CertificateWord(Some(CertificateState::IncompleteChain)),
        "revoked" = CertificateWord(Some(CertificateState::Revoked)),
        "revocation-unknown" = CertificateWord(Some(CertificateState::RevocationUnknown)),
    }
    Handshake { "tls1.3" = Handshake::Tls13, "tls1.2" = Handshake::Tls12 }
    GrowthWord {
        "fixed" = GrowthWord::Fixed, "linear" = GrowthWord::Linear, "exponential" = GrowthWord::Exponential,
    }
    JitterWord {
        "none" = JitterWord::None, "full" = JitterWord::Full, "equal" = JitterWord::Equal,
        "two-sided" = JitterWord::TwoSided, "later" = JitterWord::Later, "earlier" = JitterWord::Earlier,
        "decorrelated" = JitterWord::Decorrelated,
    }
    JitterAt { "before-cap" = JitterAt::BeforeCap, "after-cap" = JitterAt::AfterCap }
    CountedFrom { "failure" = CountedFrom::Failure, "start" = CountedFrom::Start }
    Scope { "group" = Scope::Group, "front-end" = Scope::FrontEnd }
    Change {
        "join" = Change::Join, "leave" = Change::Leave, "cut-off" = Change::CutOff, "heal" = Change::Heal,
        "replace-certificate" = Change::ReplaceCertificate, "certificate-expires" = Change::CertificateExpires,
    }
    Overflow { "drop" = Overflow::Drop, "abort" = Overflow::Abort, "reset" = Overflow::Reset }
    Stack {
        "linux" = Stack::Linux, "linux-classic" = Stack::LinuxClassic, "windows-2008r2" = Stack::Windows2008R2,
        "custom" = Stack::Custom,
    }
    PortRange { "linux" = PortRange::Linux, "windows" = PortRange::Windows }
    Version { "tls1.3" = Version::Tls13, "tls1.2" = Version::Tls12 }
    KeyType {
        "rsa-2048" = KeyType::Rsa2048, "rsa-3072" = KeyType::Rsa3072, "rsa-4096" = KeyType::Rsa4096,
        "p-256" = KeyType::P256, "ed25519" = KeyType::Ed25519,
    }
    ResumptionWord {
        "none" = ResumptionWord::None, "cache" = ResumptionWord::Cache, "tickets" = ResumptionWord::Tickets,
    }
    TicketKey { "process" = TicketKey::Process, "host" = TicketKey::Host, "pool" = TicketKey::Pool }
    TimelineWord {
        "join" = TimelineWord::Peers(Change::Join), "leave" = TimelineWord::Peers(Change::Leave),
        "cut-off" = TimelineWord::Peers(Change::CutOff), "heal" = TimelineWord::Peers(Change::Heal),
        "replace-certificate" = TimelineWord::Peers(Change::ReplaceCertificate),
        "certificate-expires" = TimelineWord::Peers(Change::CertificateExpires),
        "slow" = TimelineWord::Slow, "slow-ends" = TimelineWord::Peers(Change::SlowEnds),
        "lookup-slow" = TimelineWord::Lookup(LookupChange::Slow),
        "lookup-fails" = TimelineWord::Lookup(LookupChange::Fails),
        "lookup-heals" = TimelineWord::Lookup(LookupChange::Heals),
        "issuer-fails" = TimelineWord::IssuerFails, "issuer-heals" = TimelineWord::IssuerHeals,
        "stop" = TimelineWord::Stop, "start" = TimelineWord::Start, "crash" = TimelineWord::Crash,
        "patch" = TimelineWord::Patch, "rolling-patch" = TimelineWord::RollingPatch,
    }
    Waiting { "blocking" = Waiting::Blocking, "waiting" = Waiting::Freeing }
    Sharing { "front-end" = Sharing::FrontEnd, "group" = Sharing::Group, "peer" = Sharing::Peer }
    OnTimeOut {
        "keep" = OnTimeOut::Keep, "close-if-silent" = OnTimeOut::CloseIfSilent, "close" = OnTimeOut::Close,
    }
    OnIdle { "silent" = OnIdle::Silent, "reset" = OnIdle::Reset }
    OnFailure { "soft-fail" = OnFailure::SoftFail, "hard-fail" = OnFailure::HardFail }
    Moment { "accept" = Moment::Accept, "refresh" = Moment::Refresh }
    ListOrder { "listed" = ListOrder::Listed, "round-robin" = ListOrder::RoundRobin, "middlebox" = ListOrder::Middlebox }
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

/// The regular expression of a percentage or a fraction.
const RATIO: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$|^\s*[0-9]+\s*/\s*[0-9]+\s*$";

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
    /// How many ports an address has.
    Ports: "How many ports an address has, or the range of a system.",
        _generator => json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 65535 },
            { "type": "string", "enum": ["linux", "windows"] },
        ] });
    /// A share.
    Share: "A share with its unit, e.g. `20%`, or a fraction, e.g. `1/97`.",
        _generator => json_schema!({ "type": "string", "pattern": RATIO });
    /// A rate.
    RateText: "So many in a stretch of time of at most a day, e.g. `50/s` or `3/10m`.",
        _generator => json_schema!({ "type": "string", "pattern": r"^\s*[0-9]+\s*/.*[a-zµμ]\s*$" });
    /// An IP address.
    Address: "An IPv4 or IPv6 address.",
        _generator => json_schema!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] });
    /// One name, or several.
    OneOrMore: "A name, or a list of names.",
        _generator => json_schema!({ "anyOf": [
            { "type": "string", "minLength": 1, "maxLength": 255 },
            { "type": "array", "minItems": 1, "maxItems": 1024, "items": { "type": "string" } },
        ] });
    /// How many front ends a pool needs.
    PoolMinimum: "The published numbers of Skype for Business Server 2015 (up to 12 front ends), or numbers.",
        _generator => json_schema!({ "anyOf": [
            { "type": "string", "enum": ["sfb2015"] },
            {
                "type": "object", "required": ["start", "functional", "among"], "additionalProperties": false,
                "properties": {
                    "start": { "type": "integer", "minimum": 1, "maximum": 1024 },
                    "functional": { "type": "integer", "minimum": 1, "maximum": 1024 },
                    "among": { "type": "integer", "minimum": 1, "maximum": 1024 },
                },
            },
        ] });
    /// An exact multiple.
    Factor: "A multiple from 1/1000 to 1000: a number, or a fraction or a percentage, e.g. `1.5`, `3/2` or `150%`.",
        _generator => json_schema!({ "anyOf": [
            { "type": "number", "minimum": 0.001, "maximum": 1000 },
            { "type": "string", "pattern": RATIO },
        ] });
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
