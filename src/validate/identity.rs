//! Whether a peer is who it says: over TCP by its address and port, over TLS by its certificate (chain, validity,
//! revocation, and names by one of three rule sets).
//!
//! | | the product | RFC 5922 (SIP domains) | RFC 9525 (service identity) |
//! |---|---|---|---|
//! | reads | subject and every DNS name | `sip:` URIs; without any the DNS names; without any such extension the subject | DNS names, `sip:` URIs, addresses |
//! | wildcard | no | no (section 7.2) | the whole left-most label (section 6.3) |
//! | subject | yes | only if there is no alternative name at all (section 7.1) | never (section 2) |
//! | revocation unknown | taken | refused (RFC 5280 section 6.1.3) | refused |
//!
//! The product's is from its documentation (the subject is the pool's name, alternative names list the pool and every
//! computer; no wildcards) and from its sibling stack, which checks subject and alternative names. That it takes what
//! it cannot check for revocation is an assumption.

use super::certificate::{AltKind, Certificate, CertificateState, Chain, POOL, Revocation, filled};
use super::names::{address, behind_wildcard, matches_with_wildcard, same_name, sip_uri};
use super::{Answer, Question, Rejection};

/// A set of rules on what a certificate's names stand for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleSet {
    /// Skype for Business Server's.
    Product,
    /// RFC 5922, domain certificates in SIP.
    Rfc5922,
    /// RFC 9525, service identity in TLS, which replaces RFC 6125.
    Rfc9525,
}

/// Judges a TCP peer by its address and port in the known-servers table. IPv6 is refused, as the product does.
pub fn by_address(question: &Question<'_>) -> Answer {
    if question.address.is_ipv6() {
        Answer::Reject(Rejection::TcpOverIpv6)
    } else if !question.address_known {
        Answer::Reject(Rejection::AddressUnknown)
    } else if !question.port_known {
        Answer::Reject(Rejection::PortUnknown)
    } else {
        Answer::Accept
    }
}

/// Judges a TLS peer by its certificate.
pub fn by_certificate(rules: RuleSet, question: &Question<'_>) -> Answer {
    let Some(certificate) = &question.certificate else { return Answer::Reject(Rejection::CertificateMissing) };
    match health(rules, certificate, question).or_else(|| names(rules, certificate, question)) {
        Some(reason) => Answer::Reject(reason),
        None => Answer::Accept,
    }
}

/// What is wrong with a certificate whoever shows it.
fn health(rules: RuleSet, certificate: &Certificate<'_>, question: &Question<'_>) -> Option<Rejection> {
    match certificate.chain {
        Chain::Incomplete => return Some(Rejection::ChainIncomplete),
        Chain::SelfSigned => return Some(Rejection::CertificateSelfSigned),
        Chain::UntrustedRoot => return Some(Rejection::CertificateUntrusted),
        Chain::Trusted => {}
    }
    // The state says the same as the dates, and also where the question carries no time (model rule 21).
    let state = certificate.state;
    if state == CertificateState::NotYetValid || question.at < certificate.not_before {
        return Some(Rejection::CertificateNotYetValid);
    }
    if state == CertificateState::Expired || question.at >= certificate.not_after {
        return Some(Rejection::CertificateExpired);
    }
    match certificate.revocation {
        Revocation::Revoked => Some(Rejection::CertificateRevoked),
        // RFC 5280 section 6.1.3 (a) (3): "the certificate is not revoked" has to be determined.
        Revocation::Unknown if rules != RuleSet::Product => Some(Rejection::RevocationUnknown),
        Revocation::Unknown | Revocation::Good => None,
    }
}

/// What is wrong with a certificate's names; `None`: they stand for the peer.
fn names(rules: RuleSet, certificate: &Certificate<'_>, question: &Question<'_>) -> Option<Rejection> {
    match rules {
        RuleSet::Product => by_product(certificate, question),
        RuleSet::Rfc5922 => by_rfc5922(certificate, question),
        RuleSet::Rfc9525 => by_rfc9525(certificate, question),
    }
}

/// Exact names, in the subject or among the DNS names.
fn by_product(certificate: &Certificate<'_>, question: &Question<'_>) -> Option<Rejection> {
    let mut presented = certificate.subject.into_iter().chain(alt(certificate, AltKind::Dns)).peekable();
    if presented.peek().is_none() {
        return Some(Rejection::NoUsableName);
    }
    if presented.any(|text| stands_for(question, text, same_name)) {
        return None;
    }
    Some(if wildcard_would_do(certificate, question) { Rejection::WildcardRefused } else { Rejection::CertificateName })
}

/// RFC 5922 section 7.1 finds the identities, 7.2 compares them.
fn by_rfc5922(certificate: &Certificate<'_>, question: &Question<'_>) -> Option<Rejection> {
    let hosts = || alt(certificate, AltKind::Uri).filter_map(sip_uri);
    // "A value with a userpart identifies an individual user, not a domain."
    if hosts().any(|uri| !uri.has_user) {
        let found = hosts().filter(|uri| !uri.has_user).any(|uri| stands_for(question, uri.host, same_name));
        return (!found).then_some(Rejection::CertificateName);
    }
    // DNS names "if and only if no other identity is found that matches the sip URI type".
    if alt(certificate, AltKind::Dns).any(|text| stands_for(question, text, same_name)) {
        return None;
    }
    if !certificate.alt.is_empty() {
        return Some(match () {
            () if wildcard_would_do(certificate, question) => Rejection::WildcardRefused,
            () if hosts().any(|uri| stands_for(question, uri.host, same_name)) => Rejection::NameOfUser,
            () => misplaced(certificate, question, alt(certificate, AltKind::Dns).next().is_some()),
        });
    }
    // "If and only if the subjectAltName does not appear in the certificate": the subject.
    match certificate.subject {
        None => Some(Rejection::NoUsableName),
        Some(subject) => (!stands_for(question, subject, same_name)).then_some(Rejection::CertificateName),
    }
}

/// RFC 9525 section 6: DNS-ID, URI-ID with the scheme `sip`, IP-ID; never the subject.
fn by_rfc9525(certificate: &Certificate<'_>, question: &Question<'_>) -> Option<Rejection> {
    let dns = |text| {
        stands_for(question, text, |presented, name| {
            // Section 6.2: a reference that is an address is an IP-ID and no DNS-ID.
            address(name).is_none() && matches_with_wildcard(presented, name)
        })
    };
    let same_address = |presented: &str, name: &str| address(name).is_some_and(|ip| address(presented) == Some(ip));
    // Section 6.4: an address in a URI is compared as an address, by its octets.
    let uri = |text| {
        let host = sip_uri(text).map(|uri| uri.host);
        host.is_some_and(|host| dns(host) || stands_for(question, host, same_address))
    };
    let found = alt(certificate, AltKind::Dns).any(dns)
        || alt(certificate, AltKind::Uri).any(uri)
        || alt(certificate, AltKind::Ip).any(|text| stands_for(question, text, same_address));
    if found {
        return None;
    }
    Some(misplaced(certificate, question, !certificate.alt.is_empty()))
}

/// Why no name that is read will do: the right one stands in the subject alone, none is read, or they are others'.
fn misplaced(certificate: &Certificate<'_>, question: &Question<'_>, has_names: bool) -> Rejection {
    if certificate.subject.is_some_and(|subject| stands_for(question, subject, same_name)) {
        Rejection::NameOnlyInSubject
    } else if has_names {
        Rejection::CertificateName
    } else {
        Rejection::NoUsableName
    }
}

/// Whether only a wildcard, which these rules do not take, would make the certificate the peer's.
fn wildcard_would_do(certificate: &Certificate<'_>, question: &Question<'_>) -> bool {
    let mut presented = certificate.subject.into_iter().chain(alt(certificate, AltKind::Dns));
    presented.any(|text| {
        stands_for(question, text, |presented, name| {
            behind_wildcard(presented).is_some() && matches_with_wildcard(presented, name)
        })
    })
}

/// The texts of a kind of alternative name.
fn alt<'a>(certificate: &Certificate<'a>, kind: AltKind) -> impl Iterator<Item = &'a str> {
    certificate.alt.iter().filter(move |name| name.kind == kind).map(|name| name.text.as_ref())
}

/// Whether a name in the certificate is one that the topology has for the peer: its pool's, or its computer's.
pub(super) fn stands_for(question: &Question<'_>, presented: &str, same: impl Fn(&str, &str) -> bool) -> bool {
    let computer = |presented: &str| {
        question.computer.is_some_and(|name| with_filled(question, name, |name| same(presented, name)))
    };
    with_filled(question, presented, |presented| same(presented, question.pool) || computer(presented))
}

/// What `use_it` makes of a name with everything filled in that differs from peer to peer.
fn with_filled<T>(question: &Question<'_>, text: &str, use_it: impl FnOnce(&str) -> T) -> T {
    if text == POOL {
        use_it(question.pool)
    } else if text.contains('{') {
        use_it(filled(text, question.pool, question.name.index.unwrap_or(0)).as_str())
    } else {
        use_it(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::certificate::{AltName, CertificateNames, CertificateState};
    use super::super::{PeerName, Phase};
    use super::*;
    use crate::time::Time;

    /// What rules say of a peer of `pool` whose certificate has a subject and alternative names, each with its kind.
    fn judged(rules: RuleSet, pool: &str, subject: Option<&str>, alt: &[&str]) -> Answer {
        let kinds = [("dns:", AltKind::Dns), ("uri:", AltKind::Uri), ("ip:", AltKind::Ip)];
        let read = |text: &&str| {
            let of =
                |(prefix, kind): &(&str, AltKind)| Some(AltName::new(*kind, text.strip_prefix(prefix)?.to_owned()));
            kinds.iter().find_map(of).expect("a kind")
        };
        let names =
            CertificateNames { subject: subject.map(str::to_owned), alt: alt.iter().map(read).collect(), issuer: None };
        let name = PeerName { group: "trunk", index: Some(7) };
        let certificate = Certificate::new(CertificateState::Valid).with_names(&names);
        let about = Question::about(name, Time::ZERO);
        let question =
            Question { pool, computer: Some("app{index}.example.com"), certificate: Some(certificate), ..about };
        by_certificate(rules, &question)
    }

    const POOL: &str = "pool.example.com";
    const YES: Answer = Answer::Accept;
    const OTHER: Answer = Answer::Reject(Rejection::CertificateName);
    const NONE: Answer = Answer::Reject(Rejection::NoUsableName);
    const WILDCARD: Answer = Answer::Reject(Rejection::WildcardRefused);
    const SUBJECT: Answer = Answer::Reject(Rejection::NameOnlyInSubject);
    const USER: Answer = Answer::Reject(Rejection::NameOfUser);

    #[test]
    fn rule_24_the_product_reads_subject_and_dns_names_whole_and_without_regard_to_case() {
        let of = |subject, alt: &[&str]| judged(RuleSet::Product, POOL, subject, alt);
        assert_eq!(of(Some("POOL.example.com"), &[]), YES);
        assert_eq!(of(None, &["dns:other.example.com", "dns:Pool.Example.Com"]), YES);
        assert_eq!(of(Some("other"), &["dns:app7.example.com"]), YES, "the computer's name");
        assert_eq!(of(Some("other"), &["dns:app8.example.com"]), OTHER, "another computer's");
        assert_eq!(of(Some("example.com"), &["dns:com"]), OTHER);
        assert_eq!(of(Some("*.example.com"), &[]), WILDCARD);
        assert_eq!(of(None, &["dns:*.example.com"]), WILDCARD);
        assert_eq!(of(None, &["uri:sip:pool.example.com"]), NONE, "it reads no URI");
    }

    #[test]
    fn rfc_5922_section_7_1_a_sip_uri_without_a_user_is_the_identity() {
        let of = |subject, alt: &[&str]| judged(RuleSet::Rfc5922, POOL, subject, alt);
        assert_eq!(of(None, &["uri:sip:pool.example.com"]), YES);
        assert_eq!(of(None, &["uri:sip:pool.example.com;transport=tls"]), YES);
        assert_eq!(of(None, &["uri:sip:bob@pool.example.com"]), USER, "a user, not a domain");
        assert_eq!(of(None, &["uri:sips:pool.example.com"]), NONE, "the scheme is not sip");
        assert_eq!(of(None, &["uri:https://pool.example.com"]), NONE);
    }

    #[test]
    fn rfc_5922_section_7_1_dns_names_count_only_without_a_sip_uri() {
        let of = |alt: &[&str]| judged(RuleSet::Rfc5922, POOL, None, alt);
        assert_eq!(of(&["dns:pool.example.com"]), YES);
        assert_eq!(of(&["uri:sip:other.example.com", "dns:pool.example.com"]), OTHER);
        assert_eq!(of(&["uri:sip:bob@other.example.com", "dns:pool.example.com"]), YES, "a user's is no identity");
        assert_eq!(of(&["uri:https://other.example.com", "dns:pool.example.com"]), YES);
    }

    #[test]
    fn rfc_5922_section_7_1_the_subject_counts_only_without_alternative_names() {
        let of = |subject, alt: &[&str]| judged(RuleSet::Rfc5922, POOL, subject, alt);
        assert_eq!(of(Some(POOL), &[]), YES);
        assert_eq!(of(Some("other.example.com"), &[]), OTHER);
        assert_eq!(of(None, &[]), NONE);
        assert_eq!(of(Some(POOL), &["dns:other.example.com"]), SUBJECT);
        assert_eq!(of(Some(POOL), &["ip:192.0.2.1"]), SUBJECT, "of whatever kind they are");
    }

    #[test]
    fn rfc_5922_section_7_2_whole_names_without_regard_to_case_and_no_wildcard() {
        let of = |alt: &[&str]| judged(RuleSet::Rfc5922, POOL, None, alt);
        assert_eq!(of(&["dns:POOL.EXAMPLE.COM"]), YES);
        assert_eq!(of(&["uri:sip:Pool.Example.com"]), YES);
        assert_eq!(of(&["dns:example.com"]), OTHER, "no suffix");
        assert_eq!(of(&["dns:.example.com"]), OTHER);
        assert_eq!(of(&["dns:*.example.com"]), WILDCARD);
        assert_eq!(of(&["uri:sip:*.example.com"]), OTHER);
    }

    #[test]
    fn rfc_9525_section_2_the_subject_is_never_read() {
        let of = |alt: &[&str]| judged(RuleSet::Rfc9525, POOL, Some(POOL), alt);
        assert_eq!(of(&[]), SUBJECT);
        assert_eq!(of(&["dns:other.example.com"]), SUBJECT);
        assert_eq!(judged(RuleSet::Rfc9525, POOL, None, &[]), NONE);
        assert_eq!(judged(RuleSet::Rfc9525, POOL, None, &["dns:other.example.com"]), OTHER);
    }

    #[test]
    fn rfc_9525_section_6_3_takes_a_wildcard_for_the_whole_left_most_label() {
        let of = |text: &str| judged(RuleSet::Rfc9525, POOL, None, &[text]);
        assert_eq!(of("dns:*.example.com"), YES);
        assert_eq!(of("dns:p*.example.com"), OTHER);
        assert_eq!(of("dns:*.com"), OTHER, "one label, not two");
        assert_eq!(of("dns:*.pool.example.com"), OTHER, "one label, not none");
    }

    #[test]
    fn rfc_9525_section_6_4_an_address_matches_an_address_by_its_octets() {
        let of = |pool, text: &str| judged(RuleSet::Rfc9525, pool, None, &[text]);
        assert_eq!(of("192.0.2.107", "ip:192.0.2.107"), YES);
        assert_eq!(of("2001:db8::abcd", "ip:2001:0db8:0:0:0:0:0:abcd"), YES);
        assert_eq!(of("192.0.2.107", "dns:192.0.2.107"), OTHER, "section 6.2: no DNS-ID is an address");
        assert_eq!(of("192.0.2.107", "ip:192.0.2.0"), OTHER, "section 6.2: no part of a network");
        assert_eq!(of("192.0.2.107", "dns:*.0.2.107"), OTHER);
        assert_eq!(of("192.0.2.107", "uri:sip:192.0.2.107"), YES);
        assert_eq!(of("2001:db8::abcd", "uri:sip:[2001:db8:0::abcd]:5061"), YES);
    }

    #[test]
    fn rfc_9525_section_6_5_a_uri_counts_with_its_scheme() {
        let of = |text: &str| judged(RuleSet::Rfc9525, POOL, None, &[text]);
        assert_eq!(of("uri:sip:pool.example.com"), YES);
        assert_eq!(of("uri:SIP:POOL.example.com"), YES, "schemes without regard to case");
        assert_eq!(of("uri:sip:www.example.com"), OTHER);
        assert_eq!(of("uri:https://pool.example.com"), OTHER);
    }

    #[test]
    fn internationalised_names_are_compared_as_a_labels() {
        for rules in [RuleSet::Product, RuleSet::Rfc5922, RuleSet::Rfc9525] {
            assert_eq!(judged(rules, "xn--bcher-kva.example", None, &["dns:XN--BCHER-KVA.example"]), YES, "{rules:?}");
            assert_eq!(judged(rules, "xn--bcher-kva.example", None, &["dns:bucher.example"]), OTHER, "{rules:?}");
        }
    }

    #[test]
    fn every_state_has_its_own_reason_and_nothing_is_read_of_a_certificate_that_is_no_good() {
        let name = PeerName { group: "trunk", index: None };
        let of = |rules, state| {
            let about = Question::about(name, Time(5));
            by_certificate(rules, &Question { certificate: Some(Certificate::new(state)), ..about })
        };
        let mut reasons = std::collections::BTreeSet::new();
        for state in CertificateState::ALL {
            let answer = of(RuleSet::Rfc9525, state);
            assert_eq!(answer, of(RuleSet::Rfc5922, state), "{state:?}");
            if state != CertificateState::RevocationUnknown {
                assert_eq!(answer, of(RuleSet::Product, state), "{state:?}");
            }
            match answer {
                Answer::Reject(reason) => assert!(reasons.insert(reason), "{state:?}: {reason:?} again"),
                other => assert_eq!((state, other), (CertificateState::Valid, YES)),
            }
        }
        assert_eq!(of(RuleSet::Product, CertificateState::RevocationUnknown), YES);
        let absent = Question { certificate: None, phase: Phase::Refresh, ..Question::about(name, Time::ZERO) };
        assert_eq!(by_certificate(RuleSet::Rfc9525, &absent), Answer::Reject(Rejection::CertificateMissing));
    }

    #[test]
    fn a_certificate_is_valid_from_its_first_instant_to_the_one_before_its_end() {
        let name = PeerName { group: "trunk", index: None };
        let certificate =
            Certificate { not_before: Time(5), ..Certificate::new(CertificateState::Valid).until(Time(9)) };
        let at = |at| {
            let about = Question::about(name, Time(at));
            by_certificate(RuleSet::Rfc9525, &Question { certificate: Some(certificate), ..about })
        };
        assert_eq!([at(5), at(8)], [YES; 2]);
        assert_eq!(at(4), Answer::Reject(Rejection::CertificateNotYetValid));
        assert_eq!(at(9), Answer::Reject(Rejection::CertificateExpired));
    }
}
