//! The schedule against a queue so simple that it must be right.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Sorted keys with how often each is pending.
#[derive(Default)]
struct Reference(BTreeMap<(Time, Class, Entity, u8), usize>);

impl Reference {
    fn push(&mut self, e: Entry) {
        if e.at != Time::NEVER {
            *self.0.entry((e.at, e.class, e.entity, e.kind)).or_default() += 1;
        }
    }

    fn pop(&mut self) -> Option<Entry> {
        let mut first = self.0.first_entry()?;
        let (at, class, entity, kind) = *first.key();
        *first.get_mut() -= 1;
        if *first.get() == 0 {
            first.remove();
        }
        Some(Entry { at, class, entity, kind })
    }

    fn next_time(&self) -> Option<Time> {
        self.0.keys().next().map(|key| key.0)
    }

    fn len(&self) -> usize {
        self.0.values().sum()
    }
}

/// Both queues, asked the same.
#[derive(Default)]
struct Pair {
    schedule: Schedule,
    reference: Reference,
    now: Time,
}

impl Pair {
    fn push(&mut self, at: u64, class: Class, entity: Entity, kind: u8) {
        let entry = Entry { at: Time(at).max(self.now), class, entity, kind };
        self.schedule.push(entry.at, class, entity, kind);
        self.reference.push(entry);
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.schedule.pop();
        assert_eq!(entry, self.reference.pop());
        self.now = entry.map_or(self.now, |e| e.at);
        entry
    }

    fn peek(&mut self) {
        assert_eq!(self.schedule.next_time(), self.reference.next_time());
    }

    fn drain(&mut self) {
        assert_eq!(self.schedule.len(), self.reference.len());
        while self.pop().is_some() {}
        assert!(self.schedule.is_empty());
    }
}

const CLASSES: [Class; 6] =
    [Class::Timeline, Class::Completion, Class::Deadline, Class::Arrival, Class::Tick, Class::Sample];
const BUCKET: u64 = 1 << BUCKET_BITS;
const EPOCH: u64 = 1 << EPOCH_BITS;
const DAY: u64 = Time::ZERO.0 + crate::time::Span::DAY.0;

#[test]
fn all_classes_of_one_instant_come_out_by_class_entity_kind() {
    for at in [0, 1, DAY, u64::MAX - 1] {
        let mut pair = Pair::default();
        for n in (0..3_000u32).rev() {
            let n = n.wrapping_mul(7919) % 3_000;
            pair.push(at, CLASSES[n as usize % 6], (n / 6) % 97, (n % 8) as u8);
        }
        for class in CLASSES {
            pair.push(at, class, ENTITIES_MAX - 1, KINDS - 1);
            pair.push(at, class, 0, 0);
        }
        pair.peek();
        pair.drain();
    }
}

#[test]
fn bucket_and_epoch_borders_do_not_change_the_order() {
    let mut borders = vec![0, 1, u64::MAX - 1, u64::MAX - 2];
    let ring = RING as u64 * EPOCH;
    for base in [BUCKET, 2 * BUCKET, EPOCH - BUCKET, EPOCH, 2 * EPOCH, ring - EPOCH, ring, ring + EPOCH, 1 << 63] {
        borders.extend([base - 1, base, base + 1]);
    }
    for peek in [false, true] {
        let mut pair = Pair::default();
        for (n, &at) in borders.iter().enumerate().rev() {
            pair.push(at, CLASSES[n % 6], n as u32, 0);
            pair.push(at, CLASSES[(n + 1) % 6], n as u32, 0);
        }
        while let Some(entry) = pair.pop() {
            if entry.kind == 0 {
                // Again from where we are now: other epochs are current, in the ring and far.
                for delay in [0, 1, BUCKET - 1, BUCKET, EPOCH - 1, EPOCH, EPOCH + 1, ring - 1, ring, ring + 1] {
                    pair.push(entry.at.0.saturating_add(delay), entry.class, entry.entity, 1);
                }
            }
            if peek {
                pair.peek();
            }
        }
        pair.drain();
    }
}

#[test]
fn what_is_pushed_for_now_runs_in_order_among_what_is_still_pending_now() {
    let mut pair = Pair::default();
    pair.push(DAY, Class::Deadline, 5, 0);
    pair.push(DAY, Class::Deadline, 9, 0);
    assert_eq!(pair.pop().map(|e| e.entity), Some(5));
    pair.push(DAY, Class::Sample, 1, 0);
    pair.push(DAY, Class::Deadline, 7, 0);
    pair.push(DAY, Class::Timeline, 30, 0); // Lower than what was just popped: simply next.
    let order: Vec<Entity> = std::iter::from_fn(|| pair.pop()).map(|e| e.entity).collect();
    assert_eq!(order, [30, 7, 9, 1]);
}

#[test]
fn bursts_at_the_current_instant_are_merged_whatever_their_size() {
    for burst in [1u32, 31, 32, 33, 1_000] {
        let mut pair = Pair::default();
        for n in 0..200 {
            pair.push(DAY + u64::from(n % 3), Class::Arrival, n * 100, 0);
        }
        let mut bursts = 0;
        while let Some(entry) = pair.pop() {
            if entry.kind == 0 && bursts < 150 {
                bursts += 1;
                for n in 0..burst {
                    let entity = n.wrapping_mul(2_654_435_761) % 30_000;
                    pair.push(entry.at.0 + u64::from(n % 5), CLASSES[(n % 6) as usize], entity, 1);
                }
            }
        }
        pair.drain();
    }
}

#[test]
fn a_peek_lets_earlier_entries_still_come() {
    let mut pair = Pair::default();
    pair.push(3 * DAY, Class::Tick, 1, 0);
    pair.push(EPOCH / 2, Class::Tick, 1, 0);
    for at in [EPOCH / 2 - 5 * BUCKET, EPOCH / 2 + 1, 7, EPOCH + 3, EPOCH + 2, DAY, 2 * DAY, 0] {
        pair.peek();
        pair.push(at, Class::Tick, 2, 0);
        pair.peek();
    }
    while pair.pop().is_some() {
        pair.peek();
        let at = pair.now.0 + EPOCH / 3;
        if at < DAY && pair.schedule.len() < 20 {
            pair.push(at, Class::Tick, 3, 0);
        }
        if pair.now.0 > 2 * EPOCH {
            break;
        }
    }
    for at in [DAY - 1, DAY / 2, DAY / 2 - EPOCH, 2 * DAY + 1, 5 * DAY] {
        pair.peek();
        pair.push(at, Class::Tick, 4, 0);
    }
    pair.drain();
}

#[test]
fn sparse_entries_are_found_centuries_apart() {
    let mut pair = Pair::default();
    for n in 0..2_000 {
        pair.push(n * 7_919 * 1_000_000_007 * 11, Class::Sample, 0, 0);
    }
    pair.push(500 * 365 * DAY, Class::Timeline, 0, 0);
    pair.push(500 * 365 * DAY, Class::Timeline, 0, 0);
    pair.drain();
    let mut pair = Pair::default();
    pair.push(0, Class::Sample, 0, 0);
    for _ in 0..2_000 {
        let Some(entry) = pair.pop() else { panic!("an entry is pending") };
        pair.push(entry.at.0 + 5 * DAY / 24 + 1, Class::Sample, 0, 0);
        pair.peek();
    }
}

#[test]
fn never_is_ignored() {
    let mut pair = Pair::default();
    pair.push(u64::MAX, Class::Tick, 1, 1);
    pair.push(u64::MAX - 1, Class::Tick, 1, 1);
    assert_eq!(pair.schedule.len(), 1);
    pair.pop();
    pair.push(u64::MAX, Class::Tick, 1, 1);
    pair.peek();
    pair.drain();
}

#[test]
#[should_panic(expected = "pushed into the past")]
fn a_push_into_the_past_is_refused() {
    let mut schedule = Schedule::new();
    schedule.push(Time(10), Class::Tick, 0, 0);
    schedule.pop();
    schedule.push(Time(9), Class::Tick, 0, 0);
}

#[test]
fn upcoming_names_the_entities_that_follow_in_the_open_bucket() {
    let mut schedule = Schedule::new();
    let herd = (0..10).map(|entity| Entry { at: Time(DAY), class: Class::Tick, entity, kind: 0 });
    schedule.push_all(herd);
    assert_eq!(schedule.upcoming(0), None);
    schedule.next_time();
    assert_eq!(schedule.upcoming(0), None, "a peek does not enter an epoch");
    schedule.pop();
    assert_eq!(schedule.upcoming(0), Some(1));
    assert_eq!(schedule.upcoming(8), Some(9));
    assert_eq!(schedule.upcoming(9), None);
}

#[test]
fn a_herd_takes_little_more_than_its_keys_and_its_memory_is_used_again() {
    const HERD: u32 = 200_000;
    let mut schedule = Schedule::new();
    let empty = schedule.bytes();
    let mut held = 0;
    for day in 1..=5 {
        schedule.push_all((0..HERD).map(|entity| Entry { at: Time(day * DAY), class: Class::Tick, entity, kind: 0 }));
        if day == 1 {
            let each = (schedule.bytes() - empty) as f64 / f64::from(HERD);
            assert!(each < 9.6, "{each} bytes an entry");
        }
        for entity in 0..HERD {
            assert_eq!(schedule.pop().map(|e| e.entity), Some(entity));
        }
        held = if day == 1 { schedule.bytes() } else { held };
    }
    assert_eq!(schedule.bytes(), held);
}

#[derive(Clone, Debug)]
enum Step {
    Push { delay: u64, class: usize, entity: Entity, kind: u8 },
    Burst { delay: u64, count: u32, spread: u64 },
    Pop(u8),
    Peek,
}

fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        2 => 0..3u64,
        4 => 0..3 * BUCKET,
        3 => 0..3 * EPOCH,
        2 => (0..2 * BUCKETS as u64 + 2, 0..3u64).prop_map(|(n, off)| (n * BUCKET + off).saturating_sub(1)),
        2 => (0..RING as u64 + 8, 0..3u64).prop_map(|(n, off)| (n * EPOCH + off).saturating_sub(1)),
        1 => (RING as u64 - 8..RING as u64 + 8, 0..3u64).prop_map(|(n, off)| n * EPOCH + off - 1),
        2 => 0..10 * DAY,
        1 => any::<u64>(),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let entity = prop_oneof![0..4u32, 0..ENTITIES_MAX];
    prop_oneof![
        6 => (delay(), 0..6usize, entity, 0..KINDS)
            .prop_map(|(delay, class, entity, kind)| Step::Push { delay, class, entity, kind }),
        1 => (delay(), 0..200u32, prop_oneof![Just(1), 1..2 * BUCKET])
            .prop_map(|(delay, count, spread)| Step::Burst { delay, count, spread }),
        5 => (1..20u8).prop_map(Step::Pop),
        2 => Just(Step::Peek),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_mix_of_pushes_pops_and_peeks_is_as_the_reference_says(
        aligned in any::<bool>(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut pair = Pair::default();
        for step in steps {
            // Half of the cases count delays from a border, so that +-1 ns falls on either side of one.
            let base = if aligned { pair.now.0 / BUCKET * BUCKET } else { pair.now.0 };
            match step {
                Step::Push { delay, class, entity, kind } => {
                    pair.push(base.saturating_add(delay), CLASSES[class], entity, kind);
                }
                Step::Burst { delay, count, spread } => {
                    for n in 0..count {
                        let at = base.saturating_add(delay).saturating_add(u64::from(n).wrapping_mul(7_919) % spread);
                        pair.push(at, CLASSES[(n % 6) as usize], n.wrapping_mul(40_503) % 1_000, (n % 8) as u8);
                    }
                }
                Step::Pop(times) => {
                    for _ in 0..times {
                        pair.pop();
                    }
                }
                Step::Peek => pair.peek(),
            }
        }
        pair.peek();
        pair.drain();
    }
}
