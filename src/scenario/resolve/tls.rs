//! `[group.tls]`: what handshakes take, measured or given by hand, and who resumes a session.

use std::cell::RefCell;
use std::ops::Range;

use crate::dist::Dist;
use crate::frontend::FLIGHTS_MAX;
use crate::policy::Ratio;
use crate::policy::tls::{
    Authentication, Bytes, Handshake, KeyType, MEASURED, Mode, Resumption, Source, Store, TicketKey, Version,
};
use crate::scenario::decode::number::{MULTIPLE_MAX, MULTIPLE_MIN};
use crate::scenario::decode::{Context, Item, Table, entries, joined};
use crate::scenario::diagnose::listed;
use crate::scenario::file::{ResumptionWord, Word};
use crate::scenario::plan::{ResumedPlan, TlsPlan};
use crate::time::Span;
use crate::validate::CertificateState;

use super::group::each;

/// Sessions in a cache, where the scenario does not say: Schannel's own most.
const ENTRIES: u32 = 20_000;
/// Life of a session in a cache: Schannel's own.
const CACHE_LIFETIME: Span = Span(10 * Span::HOUR.0);
/// Life of a ticket: OpenSSL's own.
const TICKET_LIFETIME: Span = Span(2 * Span::HOUR.0);
/// The longest life of a TLS 1.3 ticket: RFC 8446, 4.6.1.
const TICKET_LIFETIME_MAX: Span = Span(7 * Span::DAY.0);
/// Most bytes of one handshake in one direction.
const BYTES_MAX: u32 = 1_000_000_000;
/// Keys that name what was measured: nothing where `flights` are given by hand.
const OF_MEASURED: [&str; 5] = ["version", "key", "mutual", "scale_front_end", "scale_peer"];
/// Keys that only resumption reads.
const OF_RESUMPTION: [&str; 7] =
    ["lifetime", "entries", "ticket_key", "renew", "resumed_flights", "resumed_client_cpu", "resumed_bytes"];

/// How many sessions a front end's cache holds, and where that was said first: one cache, one number.
pub(super) type CacheSize = RefCell<Option<(u32, Range<usize>)>>;

/// A `[group.tls]` that is being read.
pub(super) struct Reader<'t, 'c, 'i> {
    pub cx: &'c Context<'i>,
    pub table: &'t Table<'c, 'i>,
    pub label: &'t str, // the group's name
    pub certificate: Option<CertificateState>,
    pub cache: &'t CacheSize,
}

/// The measured handshakes that a scenario names.
#[derive(Clone, Copy)]
struct Profile {
    version: Version,
    key: KeyType,
    authentication: Authentication,
    front_end: Ratio,
    peer: Ratio,
}

/// Where the costs of handshakes come from.
#[derive(Clone, Copy)]
enum Costs<'a> {
    /// The scenario says them.
    ByHand,
    /// Measurements; `None`: the scenario names them wrongly, which has been told.
    Measured(Option<&'a Profile>),
}

impl Profile {
    fn handshake(&self, mode: Mode) -> Option<Handshake> {
        Handshake::measured(self.version, mode, self.authentication, self.key, self.front_end, self.peer)
    }
}

impl<'c, 'i> Reader<'_, 'c, 'i> {
    /// TLS beside flights that the scenario gives by hand.
    pub(super) fn beside_flights(&self, flights: usize) -> TlsPlan {
        for item in OF_MEASURED.into_iter().filter_map(|key| self.table.get(key)) {
            item.wrong("does nothing here", "only without `flights`, which say what it takes");
        }
        let finish = self.table.get("finish").and_then(|item| {
            if flights == FLIGHTS_MAX {
                item.wrong("is one job too many", format!("with `finish` at most {} flights", FLIGHTS_MAX - 1));
            }
            item.cpu()
        });
        let bytes = self.bytes("bytes");
        TlsPlan { finish, bytes, resumed: self.resumed(Costs::ByHand) }
    }

    /// TLS with measured costs: the flights of the front end and the peer's times, and the rest.
    pub(super) fn measured(&self) -> (Vec<Dist>, Vec<Dist>, TlsPlan) {
        for item in ["finish", "bytes"].into_iter().filter_map(|key| self.table.get(key)) {
            item.wrong("does nothing here", "only with `flights`; measured costs have their own");
        }
        let profile = self.profile();
        let resumed = self.resumed(Costs::Measured(profile.as_ref()));
        let Some((profile, full)) = profile.and_then(|profile| Some((profile, profile.handshake(Mode::Full)?))) else {
            return (Vec::new(), Vec::new(), TlsPlan { finish: None, bytes: None, resumed });
        };
        self.assume("", &self.told(&profile, &full));
        let finish = full.finish.map(Dist::Constant);
        (constant(&full.flights), constant(&full.peer), TlsPlan { finish, bytes: Some(full.bytes), resumed })
    }

    /// What was measured of the kind that the scenario names. `None` only after a complaint.
    fn profile(&self) -> Option<Profile> {
        let (version, key, mutual) = (self.table.get("version"), self.table.get("key"), self.table.get("mutual"));
        let shows = self.certificate.is_some();
        let is_mutual = mutual.as_ref().map_or(Some(shows), |item| {
            let mutual = item.boolean()?;
            if mutual && !shows {
                item.wrong("is true, and there is nothing to show", "`false`, or a `certificate`");
                return None;
            }
            Some(mutual)
        });
        let factor = |key| self.table.get(key).map_or(Some(Ratio::ONE), |item| item.factor(MULTIPLE_MIN, MULTIPLE_MAX));
        let (front_end, peer) = (factor("scale_front_end"), factor("scale_peer"));
        let chosen = (
            version.as_ref().map_or(Some(Version::Tls13), |item| item.word()),
            key.as_ref().map_or(Some(KeyType::P256), |item| item.word()),
        );
        let profile = Profile {
            version: chosen.0?,
            key: chosen.1?,
            authentication: if is_mutual? { Authentication::Mutual } else { Authentication::Server },
            front_end: front_end?,
            peer: peer?,
        };
        if profile.handshake(Mode::Full).is_none() {
            // The defaults together were measured: one of the three is given.
            if let Some(item) = key.or(version).or(mutual) {
                unmeasured(&item, &profile, Mode::Full, "");
            }
            return None;
        }
        Some(profile)
    }

    /// Who resumes a session; `None` also after a complaint.
    fn resumed(&self, costs: Costs<'_>) -> Option<ResumedPlan> {
        let item = self.table.get("resumption");
        let get = |key| self.table.get(key);
        let Some(word) = item.as_ref().map_or(Some(ResumptionWord::None), |item| item.word()) else {
            // What goes with a word that is none cannot be told; it is no unknown key.
            OF_RESUMPTION.into_iter().for_each(|key| drop(get(key)));
            return None;
        };
        let resumption = match word {
            ResumptionWord::None => {
                for item in OF_RESUMPTION.into_iter().filter_map(get) {
                    item.wrong("does nothing here", "only with `resumption = \"cache\"` or `\"tickets\"`");
                }
                return None;
            }
            ResumptionWord::Cache => {
                if let Some(item) = get("ticket_key") {
                    item.wrong("does nothing here", "only with `resumption = \"tickets\"`");
                }
                self.cache()
            }
            ResumptionWord::Tickets => {
                if let Some(item) = get("entries") {
                    item.wrong("does nothing here", "only with `resumption = \"cache\"`");
                }
                self.tickets(costs)
            }
        };
        let (flights, client_cpu, bytes) = self.resumed_costs(&item?, costs)?;
        Some(ResumedPlan { resumption, flights, client_cpu, bytes })
    }

    fn cache(&self) -> Resumption {
        let entries = match self.table.get("entries") {
            Some(item) => {
                let entries = item.whole32(1..=u32::MAX).unwrap_or(ENTRIES);
                self.one_size(entries, &item);
                entries
            }
            None => {
                self.assume("entries", "20000: what Schannel keeps at most");
                ENTRIES
            }
        };
        let lifetime = self.lifetime(CACHE_LIFETIME, None, "10h: what Schannel keeps a session for");
        let renew = self.renew(false, "false: a session keeps its age when it is resumed");
        Resumption { store: Store::Cache { entries }, lifetime, renew }
    }

    /// A front end has one cache, and so one bound.
    fn one_size(&self, entries: u32, item: &Item<'_, '_>) {
        let mut cache = self.cache.borrow_mut();
        match cache.as_ref() {
            Some((known, first)) if *known != entries => {
                let message = format!("is {entries}, and another group says {known} in {}", self.cx.line(first));
                item.wrong(message, "the same in all groups: a front end has one cache");
            }
            Some(_) => {}
            None => *cache = Some((entries, item.span())),
        }
    }

    fn tickets(&self, costs: Costs<'_>) -> Resumption {
        let key = match self.table.get("ticket_key") {
            Some(item) => item.word().unwrap_or(TicketKey::Process),
            None => {
                self.assume("ticket_key", "process: each process makes a key of its own");
                TicketKey::Process
            }
        };
        let most = match costs {
            Costs::Measured(Some(profile)) if profile.version == Version::Tls13 => Some(TICKET_LIFETIME_MAX),
            Costs::Measured(_) | Costs::ByHand => None,
        };
        let lifetime = self.lifetime(TICKET_LIFETIME, most, "2h: what OpenSSL gives a ticket");
        let renew = self.renew(true, "true: each handshake brings a new ticket");
        Resumption { store: Store::Tickets(key), lifetime, renew }
    }

    fn lifetime(&self, default: Span, most: Option<Span>, why: &str) -> Span {
        let Some(item) = self.table.get("lifetime") else {
            self.assume("lifetime", why);
            return default;
        };
        let Some(lifetime) = item.length() else { return default };
        if lifetime == Span::ZERO {
            item.wrong("is 0s", "more than 0s, or `resumption = \"none\"`");
        } else if most.is_some_and(|most| lifetime > most) {
            item.wrong(format!("is {lifetime}"), "at most 7d, the longest life of a TLS 1.3 ticket (RFC 8446)");
        }
        lifetime
    }

    fn renew(&self, default: bool, why: &str) -> bool {
        match self.table.get("renew") {
            Some(item) => item.boolean().unwrap_or(default),
            None => {
                self.assume("renew", why);
                default
            }
        }
    }

    /// What a resumed handshake takes: by hand, or as measured. `None` only after a complaint.
    fn resumed_costs(
        &self,
        resumption: &Item<'c, 'i>,
        costs: Costs<'_>,
    ) -> Option<(Vec<Dist>, Vec<Dist>, Option<Bytes>)> {
        if let Some(item) = self.table.get("resumed_flights") {
            let flights = each(&item, Item::cpu);
            let client = self.table.get("resumed_client_cpu").map(|item| (each(&item, Item::dist), item));
            if let (Some(flights), Some((Some(client), item))) = (&flights, &client)
                && flights.len() != client.len()
            {
                item.wrong(entries(client.len()), format!("as many as `resumed_flights`, {}", flights.len()));
            }
            if client.is_none() {
                self.assume("resumed_client_cpu", "none: the scenario gives the front end's flights alone");
            }
            let client = client.and_then(|(client, _)| client).unwrap_or_default();
            let bytes = self.bytes("resumed_bytes");
            return Some((flights?, client, bytes));
        }
        for item in ["resumed_client_cpu", "resumed_bytes"].into_iter().filter_map(|key| self.table.get(key)) {
            item.wrong("does nothing here", "only with `resumed_flights`");
        }
        let profile = match costs {
            Costs::Measured(profile) => profile?,
            Costs::ByHand => {
                resumption.wrong("has no costs", "`resumed_flights` beside `flights`");
                return None;
            }
        };
        let Some(resumed) = profile.handshake(Mode::Resumed) else {
            unmeasured(resumption, profile, Mode::Resumed, ", or `resumed_flights` by hand");
            return None;
        };
        Some((constant(&resumed.flights), constant(&resumed.peer), Some(resumed.bytes)))
    }

    /// Bytes to the front end and to the peer.
    fn bytes(&self, key: &'static str) -> Option<Bytes> {
        let item = self.table.get(key)?;
        let items = item.list(2..=2, "bytes to the front end and to the peer, e.g. [1751, 3640]")?;
        let numbers: Vec<Option<u32>> = items.iter().map(|item| item.whole32(0..=BYTES_MAX)).collect();
        match numbers.as_slice() {
            [Some(to_front_end), Some(to_peer)] => Some(Bytes { to_front_end: *to_front_end, to_peer: *to_peer }),
            _ => None,
        }
    }

    /// What was measured and how it falls on flights, in words.
    fn told(&self, profile: &Profile, full: &Handshake) -> String {
        let mut source = String::new();
        if let Some(cost) = MEASURED.iter().find(|cost| cost.version == profile.version) {
            let Source { evidence, library, machine, .. } = cost.source;
            source = format!("{evidence} with {library} on {machine}");
        }
        let given = |key| self.table.get(key).is_some();
        let assumed: Vec<&str> = ["version", "key", "mutual"].into_iter().filter(|key| !given(key)).collect();
        let not_given = match assumed.as_slice() {
            [] => String::new(),
            keys => format!(", {} not given", keys.join(" and ")),
        };
        let times = |ratio: Ratio| if ratio == Ratio::ONE { String::new() } else { format!(" (x {ratio})") };
        let flights: Vec<String> = full.flights.iter().map(Span::to_string).collect();
        let finish = full.finish.map_or(String::new(), |span| format!(", then {span} for the peer's certificate"));
        let peer = full.peer.iter().fold(Span::ZERO, |sum, span| sum + *span);
        format!(
            "{}, {}, {}{not_given}: {source}; the front end's{} split over flights by what each does: {}{finish}; \
             the peer's{} {peer}",
            profile.version.name(),
            profile.key.name(),
            profile.authentication.name(),
            times(profile.front_end),
            flights.join(" and "),
            times(profile.peer),
        )
    }

    fn assume(&self, key: &str, text: &str) {
        let path = joined(&joined("group", self.label), "tls");
        self.cx.assume(if key.is_empty() { path } else { joined(&path, key) }, text);
    }
}

/// Complains of a kind of handshake that nobody measured, and says which were.
fn unmeasured(item: &Item<'_, '_>, profile: &Profile, mode: Mode, or: &str) {
    let kinds = [Authentication::Server, Authentication::Mutual].map(|authentication| {
        let of = |key: &KeyType| {
            Handshake::measured(profile.version, mode, authentication, *key, Ratio::ONE, Ratio::ONE).is_some()
        };
        let keys: Vec<&str> = KeyType::ALL.iter().filter(|key| of(key)).map(|key| key.word()).collect();
        let keys = if keys.len() == KeyType::ALL.len() { "any key".to_owned() } else { listed(keys.into_iter()) };
        format!("{} with {keys}", authentication.name())
    });
    let (version, mode) = (profile.version.name(), mode.name());
    item.wrong(
        format!(
            "asks for a {mode} {version} handshake, {}, {}, which was not measured",
            profile.authentication.name(),
            profile.key.name()
        ),
        format!("measured, {mode}, {version}: {}{or}", kinds.join("; ")),
    );
}

fn constant(spans: &[Span]) -> Vec<Dist> {
    spans.iter().map(|span| Dist::Constant(*span)).collect()
}
