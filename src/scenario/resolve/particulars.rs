//! `group.pool`, `computer`, `listed` and `names`: what the topology and their certificates say of like peers.

use std::net::IpAddr;

use crate::frontend::offset;
use crate::scenario::decode::{Item, Table};
use crate::scenario::diagnose::quoted;
use crate::validate::{
    AltKind, AltName, CertificateNames, CertificateState, Particulars, address as read_address, filled, is_domain_name,
};

/// Longest text of a name.
const TEXT_MAX: usize = 255;
/// Most names of a kind in one certificate.
const NAMES_MAX: usize = 256;
const DOMAIN: &str = "a domain name or an address, e.g. \"pool.contoso.com\"";
const LIST: &str = "a list of names, e.g. [\"{pool}\"]";
const PATTERN: &str = "a domain name, perhaps with `{index}` or `{pool}`, e.g. \"app{index}.contoso.com\"";

/// What is known of a group when its particulars are read.
pub(super) struct Of<'a> {
    /// Its name; empty if that is wrong.
    pub name: &'a str,
    /// How many indices it has.
    pub count: u32,
    /// What its peers show.
    pub certificate: Option<CertificateState>,
    /// Where they come from: address of index 0 and port.
    pub source: (IpAddr, u16),
    /// Whether the topology lists them.
    pub known: bool,
}

/// Reads them; `None`: all is as usual.
pub(super) fn read(table: &Table<'_, '_>, of: &Of<'_>) -> Option<Particulars> {
    let pool = table.get("pool").and_then(|item| pool(&item));
    let of_pool = pool.as_deref().unwrap_or(of.name);
    let computer = table.get("computer").and_then(|item| computer(&item, of_pool, of.count - 1));
    let listed = table.get("listed").and_then(|item| listed(&item, of));
    let names = table.get("names").and_then(|item| names(&item, of.certificate));
    let particulars = Particulars { pool, computer, listed, names };
    (particulars != Particulars::default()).then_some(particulars)
}

fn pool(item: &Item<'_, '_>) -> Option<String> {
    let text = ascii(item, DOMAIN)?;
    if !is_domain_name(&text) && read_address(&text).is_none() {
        item.wrong(format!("cannot be {}", quoted(&text)), DOMAIN);
        return None;
    }
    Some(text)
}

fn computer(item: &Item<'_, '_>, pool: &str, last: u32) -> Option<String> {
    let text = pattern(item, PATTERN)?;
    let longest = filled(&text, pool, last);
    if !is_domain_name(longest.as_str()) {
        item.wrong(format!("stands for {}, which is no domain name", quoted(longest.as_str())), PATTERN);
        return None;
    }
    Some(text)
}

fn listed(item: &Item<'_, '_>, of: &Of<'_>) -> Option<(IpAddr, u16)> {
    if !of.known {
        item.wrong("does nothing here", "not with `known = false`, which lists nothing");
    }
    let table = item.table("a table, e.g. { address = \"192.0.2.10\" }")?;
    let (at, port) = (table.get("address"), table.get("port"));
    if at.is_none() && port.is_none() && !item.cx.is_broken() {
        item.wrong("says nothing", "at least one of `address`, `port`");
    }
    let accepts = "an IPv4 or IPv6 address in quotes, e.g. \"192.0.2.10\"";
    let first = at.and_then(|item| {
        let text = item.string(accepts)?;
        let found = read_address(&text);
        match found {
            None => item.wrong(format!("cannot be {}", quoted(&text)), accepts),
            // What counts beyond the last address begins again at the first.
            Some(first) if offset(first, of.count - 1) < first => {
                item.wrong(format!("leaves no room for {} addresses", of.count), "a lower address");
            }
            Some(_) => {}
        }
        found
    });
    let port = port.and_then(|item| item.whole32(0..=65_535)).and_then(|n| u16::try_from(n).ok());
    table.finish();
    Some((first.unwrap_or(of.source.0), port.unwrap_or(of.source.1)))
}

fn names(item: &Item<'_, '_>, certificate: Option<CertificateState>) -> Option<CertificateNames> {
    match certificate {
        None => item.wrong("does nothing here", "only with a certificate"),
        Some(CertificateState::WrongName) => {
            item.wrong("goes against `certificate = \"wrong-name\"`", "names with another `certificate`");
        }
        Some(_) => {}
    }
    let table = item.table("a table, e.g. { subject = \"{pool}\", dns = [\"{pool}\", \"app{index}.contoso.com\"] }")?;
    let subject = table.get("subject").and_then(|item| pattern(&item, PATTERN));
    let mut alt = Vec::new();
    for (key, kind) in [("dns", AltKind::Dns), ("uri", AltKind::Uri), ("ip", AltKind::Ip)] {
        let items = table.get(key).and_then(|item| item.list(1..=NAMES_MAX, LIST));
        let texts = items.into_iter().flatten().filter_map(|item| alt_text(&item, kind));
        alt.extend(texts.map(|text| AltName::new(kind, text)));
    }
    let accepts = "a distinguished name, e.g. \"CN=Contoso Issuing CA\"";
    let issuer = table.get("issuer").and_then(|item| item.name(TEXT_MAX, accepts));
    table.finish();
    Some(CertificateNames { subject, alt, issuer })
}

/// A name of a kind. Domain names may be wrong ones: whether a rule takes them is what may be asked.
fn alt_text(item: &Item<'_, '_>, kind: AltKind) -> Option<String> {
    let (accepts, fits): (&str, fn(&str) -> bool) = match kind {
        AltKind::Dns => (PATTERN, |_| true),
        AltKind::Uri => {
            ("a URI, e.g. \"sip:contoso.com\"", |text| text.split_once(':').is_some_and(|(s, _)| !s.is_empty()))
        }
        AltKind::Ip => ("an IPv4 or IPv6 address", |text| read_address(text).is_some()),
    };
    let text = pattern(item, accepts)?;
    if !fits(&text) {
        item.wrong(format!("cannot be {}", quoted(&text)), accepts);
        return None;
    }
    Some(text)
}

/// A text in which only what is known stands in braces.
fn pattern(item: &Item<'_, '_>, accepts: &str) -> Option<String> {
    let text = ascii(item, accepts)?;
    let plain = text.replace("{pool}", "").replace("{index}", "");
    if let Some(at) = plain.find(['{', '}']) {
        let end = plain[at..].find('}').map_or(plain.len(), |end| at + end + 1);
        let shown: String = plain[at..end].chars().take(16).collect();
        item.wrong(format!("has {}, which stands for nothing", quoted(&shown)), "`{pool}` or `{index}` in braces");
        return None;
    }
    Some(text)
}

fn ascii(item: &Item<'_, '_>, accepts: &str) -> Option<String> {
    let text = item.name(TEXT_MAX, accepts)?;
    if !text.is_ascii() {
        item.wrong_hint(
            format!("has letters that are not ASCII: {}", quoted(&text)),
            accepts,
            "certificates and DNS have the A-labels of such a name, e.g. \"xn--bcher-kva.example\"",
        );
        return None;
    }
    Some(text)
}
