//! Domain names, SIP URIs and addresses as certificates have them, and when two of them are the same.
//!
//! Names are ASCII: an internationalised one is written in its A-labels (`xn--…`), which are compared like any others
//! (RFC 9525 section 6.3; RFC 5280 section 7.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest domain name in text (RFC 1035 section 3.1: 255 octets with their lengths).
const NAME_MAX: usize = 253;
/// Longest label (RFC 1035 section 3.1).
const LABEL_MAX: usize = 63;

/// Whether a text is a domain name in preferred name syntax (RFC 1034 section 3.5, with digits in front as RFC 1123
/// section 2.1 has them), without a final dot, and no IPv4 address.
pub fn is_domain_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let inner = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        (1..=LABEL_MAX).contains(&bytes.len()) && inner && bytes[0] != b'-' && bytes[bytes.len() - 1] != b'-'
    };
    text.len() <= NAME_MAX && text.split('.').all(is_label) && text.parse::<Ipv4Addr>().is_err()
}

/// Whether two domain names are the same: whole names, ASCII letters without regard to case (RFC 4343; RFC 5922
/// section 7.2; RFC 9525 section 6.3).
pub(super) fn same_name(one: &str, other: &str) -> bool {
    !one.is_empty() && one.eq_ignore_ascii_case(other)
}

/// Whether a name in a certificate has a wildcard where RFC 9525 section 6.3 takes one: the only `*`, and the whole of
/// the left-most label; gives what follows it.
pub fn behind_wildcard(presented: &str) -> Option<&str> {
    let rest = presented.strip_prefix("*.")?;
    is_domain_name(rest).then_some(rest)
}

/// Whether a name in a certificate stands for a domain name by RFC 9525 section 6.3: label by label, and a wildcard for
/// exactly one label. One with a `*` anywhere else stands for nothing.
pub(super) fn matches_with_wildcard(presented: &str, reference: &str) -> bool {
    if !presented.contains('*') {
        return same_name(presented, reference);
    }
    let parent = reference.split_once('.').map(|(_, parent)| parent);
    behind_wildcard(presented).zip(parent).is_some_and(|(rest, parent)| same_name(rest, parent))
}

/// The parts of a `sip:` URI that an identity is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SipUri<'a> {
    /// Whether there is a user part, so that it is a person's (RFC 5922 section 7.1).
    pub has_user: bool,
    /// The host, without port and parameters; a literal IPv6 address without its brackets.
    pub host: &'a str,
}

/// Reads a `sip:` URI (RFC 3261 section 25.1); `None`: it is none. A `sips:` URI is none (RFC 5922 section 7.1).
pub fn sip_uri(text: &str) -> Option<SipUri<'_>> {
    let (scheme, rest) = text.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") {
        return None;
    }
    let (has_user, rest) = rest.rsplit_once('@').map_or((false, rest), |(_, rest)| (true, rest));
    let host = match rest.strip_prefix('[') {
        Some(literal) => literal.split_once(']')?.0,
        None => rest.split([':', ';', '?']).next().unwrap_or(rest),
    };
    (!host.is_empty()).then_some(SipUri { has_user, host })
}

/// An address in text, IPv4 or IPv6, octets as they are (RFC 9525 section 6.4).
pub fn address(text: &str) -> Option<IpAddr> {
    let v6 = || text.parse::<Ipv6Addr>().map(IpAddr::V6);
    text.parse::<Ipv4Addr>().map(IpAddr::V4).or_else(|_| v6()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_names_have_labels_of_letters_digits_and_hyphens() {
        for good in ["a", "example.com", "xn--bcher-kva.example", "3com.example", "_sip._tls.example"] {
            assert!(is_domain_name(good), "{good}");
        }
        let long = "a".repeat(64);
        for bad in
            ["", ".", "a.", ".a", "a..b", "-a.example", "a-.example", "bücher.example", "a b", "192.0.2.1", "*.a"]
        {
            assert!(!is_domain_name(bad), "{bad}");
        }
        assert!(!is_domain_name(&long) && is_domain_name(&long[1..]));
        assert!(!is_domain_name(&["abcdefg"; 32].join(".")), "longer than 253");
    }

    #[test]
    fn rfc_9525_section_6_3_case_does_not_matter_and_a_labels_are_ascii() {
        assert!(matches_with_wildcard("WWW.BigCompany.Example", "www.bigcompany.example"));
        assert!(matches_with_wildcard("XN--BCHER-KVA.example", "xn--bcher-kva.EXAMPLE"));
        assert!(!matches_with_wildcard("bigcompany.example", "www.bigcompany.example"), "whole names");
    }

    #[test]
    fn rfc_9525_section_6_3_one_wildcard_that_is_the_whole_left_most_label_and_stands_for_one_label() {
        assert!(matches_with_wildcard("*.example.com", "foo.example.com"));
        assert!(matches_with_wildcard("*.EXAMPLE.com", "foo.example.COM"));
        for (presented, reference) in [
            ("*.example.com", "bar.foo.example.com"), // one label
            ("*.example.com", "example.com"),         // not none
            ("f*o.example.com", "foo.example.com"),   // a part of a label
            ("*oo.example.com", "foo.example.com"),
            ("www.*.example.com", "www.foo.example.com"), // not left-most
            ("*.*.example.com", "bar.foo.example.com"),   // two
            ("*", "com"),
            ("*.", "a."),
            ("xn--*.example.com", "xn--bcher-kva.example.com"),
        ] {
            assert!(!matches_with_wildcard(presented, reference), "{presented} {reference}");
        }
    }

    #[test]
    fn rfc_5922_section_7_1_sip_uris_are_read_to_their_host() {
        let plain = |host| Some(SipUri { has_user: false, host });
        assert_eq!(sip_uri("sip:example.com"), plain("example.com"));
        assert_eq!(sip_uri("SIP:Example.com:5061;transport=tls"), plain("Example.com"));
        assert_eq!(sip_uri("sip:[2001:db8::1]:5061"), plain("2001:db8::1"));
        assert_eq!(sip_uri("sip:bob@example.com"), Some(SipUri { has_user: true, host: "example.com" }));
        for other in ["sips:example.com", "https://example.com", "example.com", "sip:", "sip:@", "sip:[::1"] {
            assert_eq!(sip_uri(other), None, "{other}");
        }
    }
}
