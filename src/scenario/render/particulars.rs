//! What the topology and their certificates say of like peers: only what is not as usual.

use crate::scenario::decode::toml_string as string;
use crate::validate::{AltKind, CertificateNames, Particulars};

use super::{Writer, list};

/// Writes the keys of a group's particulars.
pub(super) fn write(out: &mut Writer<'_>, particulars: &Particulars) {
    if let Some(pool) = &particulars.pool {
        out.line("pool", string(pool));
    }
    if let Some(computer) = &particulars.computer {
        out.line("computer", string(computer));
    }
    if let Some((address, port)) = &particulars.listed {
        out.line("listed", format!("{{ address = {}, port = {port} }}", string(&address.to_string())));
    }
    if let Some(of) = &particulars.names {
        out.line("names", names(of));
    }
}

fn names(names: &CertificateNames) -> String {
    let of_kind = |(key, kind): (&str, AltKind)| {
        let texts: Vec<String> = names.alt.iter().filter(|n| n.kind == kind).map(|n| string(&n.text)).collect();
        (!texts.is_empty()).then(|| format!("{key} = {}", list(texts.into_iter())))
    };
    let text = |key: &str, text: &Option<String>| text.as_ref().map(|text| format!("{key} = {}", string(text)));
    let alt = [("dns", AltKind::Dns), ("uri", AltKind::Uri), ("ip", AltKind::Ip)].into_iter().filter_map(of_kind);
    let pairs: Vec<String> =
        text("subject", &names.subject).into_iter().chain(alt).chain(text("issuer", &names.issuer)).collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}
