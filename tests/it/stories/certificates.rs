//! Rules 19 and 22: certificates that expire, are replaced and rotated in mid-run.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Counter, What};
use refresh_sim::policy::Ratio;
use refresh_sim::policy::{Act, Anchor, Ask, Initiator, Issuer, Refresh, Replaced, Then, TurnRate, Validity};
use refresh_sim::scenario::plan::{Change, Plan, Start, TimelineEntry};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, CertificateState, Transport};

use super::{By, accepts, at_second, seconds, told, whom};
use crate::random_plans::total;
use crate::stories::{at, story};
use crate::watching::seen;

/// Peers with a certificate each, valid from the start, a refresh in place every 10 s.
fn holders(peers: u32, horizon: Span, validity: Option<Validity>) -> Plan {
    let mut plan = story(peers, horizon);
    (plan.start, plan.validator) = (Start::Established, Builtin::Sfb2015Cu2);
    plan.refresh = Some(refresh_in_place(seconds(10)));
    let group = &mut plan.groups[0];
    (group.transport, group.certificate, group.validity) = (Transport::Tls, Some(CertificateState::Valid), validity);
    plan
}

fn ends(not_after: u64, replaced: Replaced) -> Option<Validity> {
    Some(Validity { not_after: Some(Time(seconds(not_after).0)), lives: None, replaced })
}

#[test]
fn rule_22_a_certificate_that_expires_ends_no_connection_until_the_next_question() {
    let (outcome, seen) = seen(&holders(1, seconds(24), ends(15, Replaced::Never)));
    // In place at 10 s; rejected at 20.1 s; the peer hears of it at 20.6 s and is rejected at 22.2 s.
    assert_eq!((at(&seen, What::Asked), at(&seen, What::Lost)), (vec![10_000, 20_000, 22_100], vec![20_100]));
    let counts = [Counter::ValidInPlace, Counter::Rejected, Counter::Rejections];
    assert_eq!(counts.map(|counter| total(&outcome, counter)), [1, 1, 2]);
}

#[test]
fn rule_22_at_its_end_a_certificate_has_expired_and_a_nanosecond_before_it_has_not() {
    let rejected = |not_after| {
        let validity = Validity { not_after: Some(not_after), lives: None, replaced: Replaced::Never };
        total(&seen(&holders(1, seconds(11), Some(validity))).0, Counter::Rejected)
    };
    let tick = Time(seconds(10).0);
    assert_eq!((rejected(tick), rejected(tick + Span(1))), (1, 0));
}

#[test]
fn rule_22_a_connection_keeps_the_certificate_that_it_was_made_with() {
    // Replaced at 12 s, in good time; but the connection was made with the old one, which ends at 15 s.
    let plan = holders(1, seconds(39), ends(15, Replaced::Before(seconds(3))));
    let (outcome, seen) = seen(&plan);
    assert_eq!((at(&seen, What::Lost), at(&seen, What::Valid)), (vec![20_100], vec![0, 22_200]));
    assert_eq!((total(&outcome, Counter::Rejected), total(&outcome, Counter::ValidInPlace)), (1, 2));
    // A refresh by a new connection shows the new one in time.
    let mut anew = plan;
    anew.refresh = Some(Refresh { act: Act::Reconnect(Initiator::Peer), ..refresh_in_place(seconds(13)) });
    let outcome = self::seen(&anew).0;
    assert_eq!((total(&outcome, Counter::Rejected), total(&outcome, Counter::ValidByReconnect)), (0, 2));
}

#[test]
fn rule_22_who_replaces_its_certificate_late_comes_back_then() {
    let late = Replaced::After(Dist::Constant(seconds(20)));
    let (outcome, seen) = seen(&holders(1, seconds(49), ends(15, late)));
    // Rejected at 20.1 s, then at 22.2 s, 29.3 s; the new certificate is there at 35 s, its next try sent before that.
    let valid = at(&seen, What::Valid);
    assert_eq!((valid.len(), total(&outcome, Counter::Rejected)), (2, 1));
    assert!((35_000..42_200).contains(&valid[1]), "{valid:?}");
}

#[test]
fn rule_22_the_timeline_lets_certificates_expire_and_replaces_them() {
    let mut plan = holders(2, seconds(39), None);
    let entry = |second, change| at_second(second, change, &[1]);
    plan.timeline = vec![entry(15, Change::CertificateExpires), entry(21, Change::ReplaceCertificate)];
    let (outcome, seen) = seen(&plan);
    assert_eq!((whom(&seen, What::Certificate), whom(&seen, What::Lost)), (vec![1, 1], vec![1]));
    assert_eq!((at(&seen, What::Valid), total(&outcome, Counter::Rejected)), (vec![0, 0, 22_200], 1));
}

#[test]
fn rule_22_a_certificate_that_the_timeline_ends_leaves_connections_alone_that_were_made_with_another() {
    let mut plan = holders(1, seconds(19), None);
    // Neither certificate has an end of its own; the connection was made with the first, the second expires.
    plan.timeline =
        vec![at_second(3, Change::ReplaceCertificate, &[0]), at_second(5, Change::CertificateExpires, &[0])];
    assert_eq!(total(&seen(&plan).0, Counter::ValidInPlace), 1);
    plan.timeline.remove(0);
    assert_eq!(total(&seen(&plan).0, Counter::Rejected), 1);
}

#[test]
fn rule_22_a_question_carries_the_state_at_its_time_and_a_validator_of_ones_own_sees_it() {
    let mut plan = holders(1, seconds(24), ends(15, Replaced::Never));
    plan.groups[0].certificate = Some(CertificateState::Valid);
    let knows = By(|question| {
        let expired = question.certificate.map(|c| c.state) == Some(CertificateState::Expired);
        assert_eq!(expired, question.at >= Time(seconds(15).0), "{question:?}");
        accepts()
    });
    assert_eq!(total(&told(&plan, &knows).0, Counter::ValidInPlace), 2);
}

#[test]
fn rule_22_expiry_unnoticed_for_h_hours_of_a_day_of_refreshes_takes_h_24ths_of_the_peers() {
    const PEERS: u32 = 2_400;
    for hours in [3, 12, 21] {
        let mut plan = holders(PEERS, Span::HOUR.times(48), ends(24 * 3_600, Replaced::Never));
        let spread = Span::DAY.times(1);
        plan.refresh = Some(Refresh { spread: Span(spread.0 - 1), ..refresh_in_place(Span::DAY) });
        plan.groups[0].reconnect.delay = Dist::Constant(Span::MINUTE.times(30));
        let at = Time(Span::HOUR.times(24 + hours).0);
        plan.timeline =
            vec![TimelineEntry { at, change: Change::ReplaceCertificate, group: 0, indices: None, front_end: None }];
        let (outcome, _) = seen(&plan);
        let (share, p) = (f64::from(PEERS) * hours as f64 / 24.0, hours as f64 / 24.0);
        // Each is due before that instant or not, independently: binomial, five standard deviations.
        let most = 5.0 * (share * (1.0 - p)).sqrt();
        let out = outcome.disconnected_max.0 as f64;
        assert!((out - share).abs() <= most, "{hours} h: {out} of {share} +- {most}");
    }
}

/// Certificates of 40 s that are asked for at half of that, from an issuer that takes 3 s for one.
fn rotating(peers: u32, horizon: Span, then: Then) -> Plan {
    let half = Ratio::new(1, 2);
    let replaced = Replaced::Asked(Ask { from: half, to: half, poll: None, then });
    let validity = Validity { not_after: Some(Time(seconds(40).0)), lives: Some(Dist::Constant(Span::HOUR)), replaced };
    let mut plan = holders(peers, horizon, Some(validity));
    plan.refresh = None;
    plan.issuer = Some(Issuer { workers: 1, cost: Dist::Constant(seconds(3)), rate: None, fails: Vec::new() });
    plan
}

/// When something happened to certificates: 2 made, 3 asked for.
fn certificates(seen: &[refresh_sim::measure::Decision], detail: u8) -> Vec<u64> {
    let of = seen.iter().filter(|d| d.what == What::Certificate && d.detail == detail);
    of.map(|d| d.at.0 / 1_000_000).collect()
}

#[test]
fn rule_19_an_issuer_makes_as_many_certificates_at_once_as_it_has_workers_and_begins_no_more_than_its_rate() {
    let made = |workers, rate| {
        let mut plan = rotating(3, seconds(39), Then::Stay);
        plan.issuer = Some(Issuer { workers, cost: Dist::Constant(seconds(3)), rate, fails: Vec::new() });
        let (outcome, seen) = seen(&plan);
        assert_eq!((certificates(&seen, 3), total(&outcome, Counter::Dues)), (vec![20_000; 3], 0));
        certificates(&seen, 2)
    };
    assert_eq!(made(1, None), [23_000, 26_000, 29_000]);
    assert_eq!(made(2, None), [23_000, 23_000, 26_000]);
    let rate = Some(TurnRate { turns: 1, per: seconds(2), burst: 1 });
    assert_eq!(made(3, rate), [23_000, 25_000, 27_000]);
}

#[test]
fn rule_19_an_issuer_that_has_failed_begins_no_certificate_and_makes_those_that_it_has_begun() {
    let made = |until| {
        let mut plan = rotating(3, seconds(39), Then::Stay);
        let fails = vec![(Time(seconds(21).0), until)];
        plan.issuer = Some(Issuer { workers: 1, cost: Dist::Constant(seconds(3)), rate: None, fails });
        certificates(&seen(&plan).1, 2)
    };
    assert_eq!(made(Time(seconds(30).0)), [23_000, 33_000, 36_000]);
    assert_eq!(made(Time(seconds(22).0)), [23_000, 26_000, 29_000], "healed before it would have begun the next");
    assert_eq!(made(Time::NEVER), [23_000]);
}

#[test]
fn rule_19_a_rotation_is_due_when_it_is_asked_for_and_waiting_for_the_issuer_is_lateness() {
    for (then, valid, outcome_is) in [
        (Then::Revalidate, vec![0, 0], Counter::ValidInPlace),
        // With the certificate at 23 s and 26 s, by the peer: one and a half round trips and 100 ms later.
        (Then::Reconnect, vec![0, 0, 24_600, 27_600], Counter::ValidByReconnect),
    ] {
        let (outcome, seen) = seen(&rotating(2, seconds(39), then));
        assert_eq!((at(&seen, What::Due), at(&seen, What::Turn)), (vec![20_000; 2], vec![23_000, 26_000]));
        assert_eq!((at(&seen, What::Valid), total(&outcome, outcome_is)), (valid, 2));
        assert_eq!(total(&outcome, Counter::Losses), 0);
    }
}

#[test]
fn rule_19_a_connection_that_was_rotated_in_place_shows_its_new_certificate() {
    let rejected = |then| {
        let mut plan = rotating(1, seconds(64), then);
        // In place, 50 s after it was last valid, the first certificate has expired.
        plan.refresh = Some(Refresh { anchor: Anchor::OwnAge, ..refresh_in_place(seconds(50)) });
        plan.horizon = seconds(79);
        total(&seen(&plan).0, Counter::Rejected)
    };
    assert_eq!((rejected(Then::Revalidate), rejected(Then::Stay)), (0, 1));
}

#[test]
fn rule_19_who_leaves_while_it_waits_for_the_issuer_has_departed_and_has_its_certificate() {
    let mut plan = rotating(1, seconds(39), Then::Reconnect);
    plan.refresh = None;
    plan.timeline = vec![at_second(21, Change::Leave, &[0]), at_second(22, Change::Join, &[0])];
    let (outcome, seen) = seen(&plan);
    assert_eq!((certificates(&seen, 2), at(&seen, What::Turn)), (vec![23_000], vec![]));
    assert_eq!((total(&outcome, Counter::Dues), total(&outcome, Counter::Departed)), (1, 1));
}
