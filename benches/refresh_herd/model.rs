//! The reference model "refresh-herd" v1, exactly: N peers, all refreshed at one nanosecond every 24 hours.
//!
//! One plain loop, generic over the queue and compiled once for each, so that contenders differ in nothing else. Knows
//! no prefetch, no batches, no packed rows: the yardstick is what a good engineer writes first.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use crate::cpu;

/// What a contender hands back.
pub(crate) struct Outcome {
    /// Executed: 6 a peer and day.
    pub(crate) events: u64,
    /// Steps that the contender itself took for them.
    pub(crate) steps: u64,
    /// Of every (peer, latency) in the order in which they were measured.
    pub(crate) checksum: u64,
    /// Percentiles of the latency, ns, to three digits.
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
    /// CPU time of the whole run, set-up included.
    pub(crate) cpu_ns: u64,
}

/// A queue of events, least first by time, then peer, then kind; never asked for an earlier time than it last gave.
pub(crate) trait Queue {
    fn with_peers(peers: u32) -> Self;
    fn push(&mut self, at: u64, peer: u32, kind: u8);
    fn pop(&mut self) -> Option<(u64, u32, u8)>;
}

/// Runs the model to its end: until no event is left.
pub(crate) fn run<Q: Queue>(peers: u32, days: u32) -> Outcome {
    let begin = cpu::thread_ns();
    let mut queue = Q::with_peers(peers);
    let rtt: Vec<u32> = (0..peers).map(rtt).collect();
    let mut cycle = vec![1u32; peers as usize];
    let mut start = vec![0u64; peers as usize];
    let mut fifo = Fifo { idle: WORKERS, jobs: VecDeque::new() };
    let mut latencies = Histogram::<u64>::new_with_bounds(1, HOUR, 3).expect("the bounds are in range");
    let (mut events, mut checksum) = (0, 0);

    let jitter = u64::from(peers) * JITTER_PER_PEER;
    for peer in 0..peers {
        queue.push(DAY, peer, REFRESH);
    }
    while let Some((now, peer, kind)) = queue.pop() {
        events += 1;
        let p = peer as usize;
        match kind {
            REFRESH => {
                start[p] = now;
                let wait = uniform(draw(peer, cycle[p], 0), jitter);
                queue.push(now + u64::from(rtt[p] / 2) + wait, peer, RECONNECT);
            }
            RECONNECT => queue.push(now + u64::from(rtt[p]) + u64::from(rtt[p] / 2), peer, HELLO),
            HELLO => fifo.arrive(&mut queue, now, peer, TLS_DONE, &cycle),
            TLS_DONE => {
                fifo.worker_done(&mut queue, now, &cycle);
                queue.push(now + u64::from(rtt[p]), peer, VALIDATE);
            }
            VALIDATE => fifo.arrive(&mut queue, now, peer, VALID_DONE, &cycle),
            _ => {
                fifo.worker_done(&mut queue, now, &cycle);
                let latency = now - start[p];
                latencies.record(latency).expect("no latency reaches an hour");
                checksum = checksum_of(checksum, peer, latency);
                if cycle[p] < days {
                    cycle[p] += 1;
                    queue.push(u64::from(cycle[p]) * DAY, peer, REFRESH);
                }
            }
        }
    }
    Outcome {
        events,
        steps: events,
        checksum,
        p50: latencies.value_at_quantile(0.5),
        p99: latencies.value_at_quantile(0.99),
        max: latencies.max(),
        cpu_ns: cpu::thread_ns() - begin,
    }
}

/// Adds one measurement to an order-sensitive checksum.
#[inline]
pub(crate) fn checksum_of(checksum: u64, peer: u32, latency: u64) -> u64 {
    (checksum.rotate_left(5) ^ u64::from(peer).wrapping_mul(GAMMA) ^ latency).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// The one queue of jobs before the workers.
struct Fifo {
    idle: u32,
    jobs: VecDeque<u32>, // peer | completion's kind << 25
}

impl Fifo {
    #[inline]
    fn arrive<Q: Queue>(&mut self, queue: &mut Q, now: u64, peer: u32, done: u8, cycle: &[u32]) {
        if self.idle > 0 {
            self.idle -= 1;
            queue.push(now + service(peer, done, cycle), peer, done);
        } else {
            self.jobs.push_back(peer | (u32::from(done) << PEER_BITS));
        }
    }

    #[inline]
    fn worker_done<Q: Queue>(&mut self, queue: &mut Q, now: u64, cycle: &[u32]) {
        let Some(job) = self.jobs.pop_front() else {
            self.idle += 1;
            return;
        };
        let (peer, done) = (job & (PEERS_MAX - 1), (job >> PEER_BITS) as u8);
        queue.push(now + service(peer, done, cycle), peer, done);
    }
}

#[inline]
fn service(peer: u32, done: u8, cycle: &[u32]) -> u64 {
    let (purpose, mean) = if done == TLS_DONE { (1, TLS_MEAN) } else { (2, VALIDATION_MEAN) };
    exponential(draw(peer, cycle[peer as usize], purpose), mean)
}

#[inline]
fn rtt(peer: u32) -> u32 {
    1_000_000 + uniform(draw(peer, 0, 3), 4_000_000) as u32
}

/// The draw of a peer, cycle and purpose: 0 jitter, 1 TLS, 2 validation, 3 RTT.
#[inline]
fn draw(peer: u32, cycle: u32, purpose: u64) -> u64 {
    let key = (u64::from(peer) << 16) + (u64::from(cycle) << 2) + purpose + 1;
    let mut z = SEED.wrapping_add(GAMMA.wrapping_mul(key));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[inline]
fn unit(h: u64) -> f64 {
    (h >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

#[inline]
fn uniform(h: u64, n: u64) -> u64 {
    if n < 1 << 32 { ((h >> 32) * n) >> 32 } else { (unit(h) * n as f64) as u64 }
}

#[inline]
#[expect(
    clippy::disallowed_methods,
    reason = "the model is defined on the platform's ln; its results are no results of ours"
)]
fn exponential(h: u64, mean: f64) -> u64 {
    (-(1.0 - unit(h)).ln() * mean) as u64 + 1
}

/// Bits of a peer's number.
pub(crate) const PEER_BITS: u32 = 25;
/// One more than the largest number of a peer.
pub(crate) const PEERS_MAX: u32 = 1 << PEER_BITS;

const REFRESH: u8 = 0;
const RECONNECT: u8 = 1;
const HELLO: u8 = 2;
const TLS_DONE: u8 = 3;
const VALIDATE: u8 = 4;
const VALID_DONE: u8 = 5;

const WORKERS: u32 = 8;
const SEED: u64 = 42;
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
const HOUR: u64 = 3_600_000_000_000;
const DAY: u64 = 24 * HOUR;
const JITTER_PER_PEER: u64 = 50_000;
const TLS_MEAN: f64 = 500_000.0;
const VALIDATION_MEAN: f64 = 100_000.0;
