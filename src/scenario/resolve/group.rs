//! `[[group]]`: like peers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::dist::Dist;
use crate::frontend::FLIGHTS_MAX;
use crate::id::ENTITIES_MAX;
use crate::policy::{Failover, ListOrder};
use crate::scenario::decode::{Context, Item, Table, entries, joined};
use crate::scenario::defaults::{CLIENT_TLS13_NS, SERVER_TLS13_NS};
use crate::scenario::diagnose::{listed, near_miss, quoted};
use crate::scenario::file::{CertificateWord, Handshake, Word};
use crate::scenario::plan::{GroupPlan, TlsPlan};
use crate::time::Span;
use crate::validate::{CertificateState, RuleSet, Transport};

use super::{COUNT_MAX, NAME_MAX, Validation, network, particulars, requests, tls};

/// CPU of one TLS flight of a full handshake with P-256 certificates on both sides, in nanoseconds: the front end's.
///
/// Measured with OpenSSL 3.0.19 on a 2-vCPU EPYC. TLS 1.2 was measured as a whole, 853 us; half of it for each flight.
const SERVER_TLS13: [u64; 1] = [SERVER_TLS13_NS];
const SERVER_TLS12: [u64; 2] = [426_500, 426_500];
/// The same of the peer; TLS 1.2 as a whole 713 us.
const CLIENT_TLS13: [u64; 1] = [CLIENT_TLS13_NS];
const CLIENT_TLS12: [u64; 2] = [356_500, 356_500];
/// Most groups: their positions have 16 bits.
const GROUPS_MAX: usize = 65_535;
/// Address of the first peer that has none in the scenario.
const FIRST_ADDRESS: u32 = u32::from_be_bytes([10, 0, 0, 1]);

/// All groups, and whether all their names are known: where one is wrong, a name that nobody has may mean it.
///
/// Of a group that is wrong the names and counts are kept, for what refers to it.
pub(super) fn section(
    cx: &Context<'_>,
    item: Option<Item<'_, '_>>,
    validation: Option<&Validation>,
    front_ends: &[&str],
    has_middlebox: bool,
) -> (Vec<GroupPlan>, bool) {
    let mut complete = true;
    let mut groups = Vec::new();
    let mut named = BTreeMap::new();
    let positions: BTreeMap<&str, u16> = front_ends.iter().copied().zip(0..).collect();
    let (mut running, mut taken) = (FIRST_ADDRESS, 0u32);
    let cache = tls::CacheSize::default();
    let items = item.and_then(|item| item.list(1..=GROUPS_MAX, "groups, each a `[[group]]`")).unwrap_or_default();
    for item in items {
        let Some(table) = item.table("a group `[[group]]`") else { continue };
        let room = ENTITIES_MAX.saturating_sub(taken);
        match (Reader { cx, table: &table, front_ends, positions: &positions, room, cache: &cache, has_middlebox })
            .group(validation, &mut running, &mut named)
        {
            Some(group) => {
                taken = taken.saturating_add(group.peers());
                groups.push(group);
            }
            None => complete = false,
        }
        table.finish();
    }
    (groups, complete)
}

/// One group that is being read.
pub(super) struct Reader<'t, 'c, 'i> {
    cx: &'c Context<'i>,
    pub(super) table: &'t Table<'c, 'i>,
    front_ends: &'t [&'t str],
    positions: &'t BTreeMap<&'t str, u16>, // of the front ends
    room: u32,                             // how many more peers there can be at most
    cache: &'t tls::CacheSize,
    has_middlebox: bool,
}

impl<'c, 'i> Reader<'_, 'c, 'i> {
    fn group(
        &self,
        validation: Option<&Validation>,
        running: &mut u32,
        named: &mut BTreeMap<String, Range<usize>>,
    ) -> Option<GroupPlan> {
        let table = self.table;
        let name = self.name(named);
        // A group whose name is wrong is still checked; its assumptions matter to nobody.
        let label = name.clone().unwrap_or_default();
        let count = table.get("count").map_or(Some(1), |item| item.whole32(1..=COUNT_MAX));
        let indices = self.indices(count.unwrap_or(COUNT_MAX));
        let transport = table.need("transport", "`\"tcp\"` or `\"tls\"`").and_then(|item| item.word::<Transport>());
        let certificate = self.certificate(transport);
        let by_product = validation.is_some_and(|validation| validation.validator.rules() == RuleSet::Product);
        if certificate == Some(CertificateState::RevocationUnknown) && by_product {
            self.assume(
                &label,
                "certificate",
                "the product lets in whom it cannot check for revocation: nothing is public",
            );
        }
        let validity = table.get("validity");
        let validity = validity
            .and_then(|item| super::validity::read(&item, certificate, |key, text| self.assume(&label, key, text)));
        let address = self.address(count.unwrap_or(1), running);
        let port = table.get("port").and_then(|item| item.whole32(0..=65_535)).and_then(|n| u16::try_from(n).ok());
        let port = port.unwrap_or(if transport == Some(Transport::Tcp) { 5060 } else { 5061 });
        let known = table.get("known").and_then(|item| item.boolean()).unwrap_or(true);
        let of =
            particulars::Of { name: &label, count: count.unwrap_or(1), certificate, source: (address, port), known };
        let particulars = particulars::read(table, &of);
        let path = network::path(table);
        let tcp = network::tcp(self.cx, table, count.unwrap_or(COUNT_MAX), &joined("group", &label));
        let rtt = self.dist_or(&label, "rtt", Span::MILLISECOND, "1ms: a network of one site");
        let (flights, client_cpu, tls) = self.handshakes(&label, transport, certificate);
        let attempt_timeout = match (table.get("attempt_timeout"), self.preset_timeout()) {
            (Some(item), _) => item.length_or_never().flatten(),
            (None, Some(timeout)) => Some(timeout),
            (None, None) => {
                self.assume(&label, "attempt_timeout", "30s: the product's own limit is not public");
                Some(Span(30 * Span::SECOND.0))
            }
        };
        let timeouts = self.timeouts();
        let reconnect = self.reconnect(&label);
        let front_ends = table.get("front_ends").and_then(|item| self.front_ends(&item));
        let all = || (0..self.front_ends.len()).filter_map(|n| u16::try_from(n).ok()).collect();
        let requests = table.get("requests").and_then(|item| item.table("a table `[group.requests]`"));
        let requests = requests.and_then(|table| requests::read(self.cx, table, &label));
        let present = table.get("present").and_then(|item| item.boolean()).unwrap_or(true);
        let cpu = |pick: fn(&Validation) -> &Dist| {
            validation.map_or(Dist::Constant(Span::MILLISECOND), |validation| pick(validation).clone())
        };
        Some(GroupPlan {
            name: name?,
            count: count.unwrap_or(COUNT_MAX),
            indices,
            transport: transport.unwrap_or(Transport::Tls),
            certificate,
            particulars,
            validity,
            address,
            port,
            known,
            rtt,
            path,
            tcp,
            flights,
            client_cpu,
            tls,
            validate_accept: cpu(|validation| &validation.accept),
            validate_refresh: cpu(|validation| &validation.refresh),
            attempt_timeout,
            timeouts,
            reconnect,
            front_ends: front_ends.unwrap_or_else(all),
            requests,
            failover: self.failover(),
            present,
        })
    }

    fn name(&self, named: &mut BTreeMap<String, Range<usize>>) -> Option<String> {
        let accepts = "a name of 1 to 255 characters without `/`, e.g. \"contact-centre\"";
        let item = self.table.need("name", accepts)?;
        let name = item.name(NAME_MAX, accepts)?;
        if let Some(at) = name.find('/') {
            let what = "has a `/`, which stands between a group and an index";
            item.wrong_inside(at..at + 1, what, accepts, None);
            return None;
        }
        if let Some(first) = named.insert(name.clone(), item.span()) {
            let line = item.cx.line(&first);
            item.wrong(format!("is {} again, as in {line}", quoted(&name)), "a name that no other group has");
            // The first group of that name stays; what names it means that one.
            return None;
        }
        Some(name)
    }

    /// The indices that exist; `None` for all.
    fn indices(&self, count: u32) -> Option<Vec<u32>> {
        let (only, omit) = (self.table.get("only"), self.table.get("omit"));
        if let (Some(_), Some(omit)) = (&only, &omit) {
            omit.wrong("says again what `only` says", "`only` or `omit`, not both");
        }
        let indices = if let Some(only) = only {
            only.indices(count, 1..=usize::MAX)?
        } else {
            let item = omit?;
            let omitted = item.indices(count, 0..=usize::MAX)?;
            if omitted.len() as u64 == u64::from(count) {
                item.wrong("leaves no peer", "at least one index must remain");
                return None;
            }
            // Where there are too many peers anyway, which is told in the end, they are not listed.
            if omitted.is_empty() || u64::from(count) > u64::from(self.room) + omitted.len() as u64 {
                return None;
            }
            let mut omitted = omitted.into_iter().peekable();
            (0..count).filter(|index| omitted.next_if_eq(index).is_none()).collect()
        };
        // One way to say it: a group that has all its indices has no list.
        if indices.len() as u64 == u64::from(count) { None } else { Some(indices) }
    }

    fn certificate(&self, transport: Option<Transport>) -> Option<CertificateState> {
        let given = self.table.get("certificate").and_then(|item| Some((item.word::<CertificateWord>()?, item)));
        match (transport, given) {
            (Some(Transport::Tcp), Some((CertificateWord(Some(_)), item))) => {
                item.wrong("does not go with tcp, which shows no certificate", "`\"none\"`, or `transport = \"tls\"`");
                None
            }
            (_, Some((CertificateWord(certificate), _))) => certificate,
            (Some(Transport::Tcp), None) => None,
            (_, None) => Some(CertificateState::Valid),
        }
    }

    fn address(&self, count: u32, running: &mut u32) -> IpAddr {
        let accepts = "an IPv4 or IPv6 address in quotes, e.g. \"192.0.2.10\"";
        let Some(item) = self.table.get("address") else {
            let address = IpAddr::V4(Ipv4Addr::from_bits(*running));
            *running = running.saturating_add(count);
            return address;
        };
        let parsed = item.string(accepts).and_then(|text| {
            let parsed: Result<IpAddr, _> = text.parse();
            if parsed.is_err() {
                item.wrong(format!("cannot be {}", quoted(&text)), accepts);
            }
            parsed.ok()
        });
        let fits = match parsed {
            Some(IpAddr::V4(address)) => address.to_bits().checked_add(count - 1).is_some(),
            Some(IpAddr::V6(address)) => address.to_bits().checked_add(u128::from(count - 1)).is_some(),
            None => true,
        };
        if !fits {
            let last = match parsed {
                Some(IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
                _ => IpAddr::V4(Ipv4Addr::BROADCAST),
            };
            item.wrong(format!("leaves no room for {count} addresses"), format!("the last peer's is at most {last}"));
        }
        parsed.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// CPU of the front end and of the peer for each flight, and what `[group.tls]` says.
    fn handshakes(
        &self,
        label: &str,
        transport: Option<Transport>,
        certificate: Option<CertificateState>,
    ) -> (Vec<Dist>, Vec<Dist>, Option<TlsPlan>) {
        let item = self.table.get("tls");
        if transport == Some(Transport::Tcp)
            && let Some(item) = &item
        {
            item.wrong("does not go with tcp, which has no handshake of its own", "only with `transport = \"tls\"`");
            let (flights, client_cpu) = self.flights(label, transport);
            return (flights, client_cpu, None);
        }
        let Some(table) = item.as_ref().and_then(|item| item.table("a table `[group.tls]`")) else {
            let (flights, client_cpu) = self.flights(label, transport);
            return (flights, client_cpu, None);
        };
        if let Some(handshake) = self.table.get("handshake") {
            handshake.wrong("says again what `tls` says", "`handshake` or `[group.tls]`, not both");
        }
        let reader = tls::Reader { cx: self.cx, table: &table, label, certificate, cache: self.cache };
        let read = if self.table.get("flights").is_some() {
            let (flights, client_cpu) = self.flights(label, transport);
            let tls = reader.beside_flights(flights.len());
            (flights, client_cpu, Some(tls))
        } else {
            if let Some(item) = self.table.get("client_cpu") {
                item.wrong("does nothing here", "only with `flights`; `tls.scale_peer` scales what was measured");
            }
            let (flights, client_cpu, tls) = reader.measured();
            (flights, client_cpu, Some(tls))
        };
        table.finish();
        read
    }

    /// CPU of the front end and of the peer for each flight.
    fn flights(&self, label: &str, transport: Option<Transport>) -> (Vec<Dist>, Vec<Dist>) {
        let (handshake, flights, client) =
            (self.table.get("handshake"), self.table.get("flights"), self.table.get("client_cpu"));
        if transport == Some(Transport::Tcp) {
            for item in [handshake, flights, client].into_iter().flatten() {
                item.wrong(
                    "does not go with tcp, which has no handshake of its own",
                    "only with `transport = \"tls\"`",
                );
            }
            return Default::default();
        }
        if let Some(item) = flights {
            if let Some(handshake) = handshake {
                handshake.wrong("says again what `flights` says", "`handshake` or `flights`, not both");
            }
            let flights = each(&item, Item::cpu);
            let client = client.map(|item| (each(&item, Item::dist), item));
            if let (Some(flights), Some((Some(client), item))) = (&flights, &client)
                && flights.len() != client.len()
            {
                item.wrong(entries(client.len()), format!("as many as `flights`, {}", flights.len()));
            }
            if client.is_none() {
                self.assume(label, "client_cpu", "none: the scenario gives the front end's flights alone");
            }
            return (flights.unwrap_or_default(), client.and_then(|(client, _)| client).unwrap_or_default());
        }
        let word = match handshake {
            Some(item) => item.word().unwrap_or(Handshake::Tls13),
            None => {
                let why = "tls1.3 with times measured on another machine (OpenSSL 3.0.19, P-256, mutual)";
                self.assume(label, "handshake", why);
                Handshake::Tls13
            }
        };
        let (server, measured): (&[u64], &[u64]) = match word {
            Handshake::Tls13 => (&SERVER_TLS13, &CLIENT_TLS13),
            Handshake::Tls12 => (&SERVER_TLS12, &CLIENT_TLS12),
        };
        let constant = |times: &[u64]| -> Vec<Dist> { times.iter().map(|ns| Dist::Constant(Span(*ns))).collect() };
        let given = client.and_then(|item| {
            let given = each(&item, Item::dist)?;
            if given.len() != server.len() {
                let what = entries(given.len());
                item.wrong(what, format!("as many as {} has flights, {}", word.word(), server.len()));
            }
            Some(given)
        });
        (constant(server), given.unwrap_or_else(|| constant(measured)))
    }

    fn failover(&self) -> Failover {
        let mut failover = Failover::PLAIN;
        let Some(item) = self.table.get("failover") else { return failover };
        let Some(table) = item.table("a table, e.g. { order = \"round-robin\", black_list = \"10m\" }") else {
            return failover;
        };
        if let Some(item) = table.get("order")
            && let Some(order) = item.word()
        {
            failover.order = order;
            if order == ListOrder::Middlebox && !self.has_middlebox {
                item.wrong("names a middlebox, and there is none", "only with `[middlebox]`");
            }
        }
        for key in ["black_list", "fail_back"] {
            if let Some(item) = table.get(key).filter(|_| failover.order == ListOrder::Middlebox) {
                item.wrong("does nothing here", "not with `order = \"middlebox\"`, which leaves peers no choice");
            }
        }
        if let Some(length) = table.get("black_list").and_then(|item| item.length()) {
            failover.black_list = length;
        }
        failover.fail_back = table.get("fail_back").and_then(|item| {
            let length = item.length_or_never()?;
            if length == Some(Span::ZERO) {
                item.wrong("is 0s", "more than 0s, or `never`");
            }
            length
        });
        table.finish();
        failover
    }

    fn front_ends(&self, item: &Item<'_, '_>) -> Option<Vec<u16>> {
        let accepts = "names of front ends, e.g. [\"fe01\", \"fe02\"]";
        let (mut positions, mut seen) = (Vec::new(), BTreeSet::new());
        for item in item.list(1..=self.front_ends.len().max(1), accepts)? {
            let Some(name) = item.string("a name of a front end") else { continue };
            match self.positions.get(name.as_ref()) {
                Some(position) if !seen.insert(*position) => {
                    item.wrong(format!("names {} twice", quoted(&name)), "each front end once");
                }
                Some(position) => positions.push(*position),
                None if item.cx.is_full() => item.wrong("names an unknown front end", ""),
                None => {
                    let known = || self.front_ends.iter().copied();
                    let label = format!("one of {}", listed(known()));
                    let message = format!("names the unknown front end {}", quoted(&name));
                    match near_miss(&name, known()) {
                        Some(near) => item.wrong_hint(message, label, format!("did you mean {}?", quoted(near))),
                        None => item.wrong(message, label),
                    }
                }
            }
        }
        Some(positions)
    }

    fn dist_or(&self, label: &str, key: &'static str, default: Span, why: &str) -> Dist {
        let item = self.table.get(key);
        if item.is_none() {
            self.assume(label, key, why);
        }
        item.and_then(|item| item.dist()).unwrap_or(Dist::Constant(default))
    }

    pub(super) fn assume(&self, label: &str, key: &str, text: &str) {
        let path = joined("group", label);
        self.cx.assume(format!("{path}.{key}"), text);
    }
}

/// CPU times, one for each flight.
pub(super) fn each<'c, 'i>(item: &Item<'c, 'i>, read: fn(&Item<'c, 'i>) -> Option<Dist>) -> Option<Vec<Dist>> {
    let items = item.list(1..=FLIGHTS_MAX, "CPU times, one for each flight, e.g. [\"1044us\"]")?;
    // All are read before any is given up, so that all faults are told.
    let dists: Vec<Option<Dist>> = items.iter().map(read).collect();
    dists.into_iter().collect()
}
