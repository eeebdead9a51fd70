//! Random bits that hang on who draws and why, never on how many draws came before.
//!
//! [`Draws`] is what a run uses: one Philox block for each (seed, replication, identity, purpose, cycle, episode,
//! attempt, index), so that no edit of one peer moves the luck of another. [`Philox`] is the same function as a
//! sequence, for code that wants a rand generator. [`Shuffle`] permutes the numbers that break ties.
//! Knows no distribution: [`crate::dist`] turns bits into lengths of time.

use rand::rand_core::{Infallible, SeedableRng, TryRng, utils};

use crate::id::{Identity, mix};

/// What a draw decides: the last word of its counter, so that one purpose never takes another's bits.
///
/// The numbers are part of every result. They are never changed and never reused; a new purpose takes a new number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Purpose {
    /// The round-trip time between a peer and its front end.
    RoundTrip = 0,
    /// The jitter that moves a refresh away from its due time.
    Jitter = 1,
    /// The processor time of accepting a connection.
    AcceptCpu = 2,
    /// The processor time of one flight of a handshake.
    FlightCpu = 3,
    /// The processor time of validating a credential.
    ValidateCpu = 4,
    /// The wait before a peer connects again.
    ReconnectDelay = 5,
    /// The processor time that a peer spends on its own side.
    ClientCpu = 6,
    /// How long a process takes from its start to its service.
    StartUp = 7,
    /// How long a front end takes to come back.
    RecoveryDelay = 8,
    /// The identity of a report.
    ReportId = 9,
    /// The identity of a process: one incarnation of a front end.
    ProcessId = 10,
    /// Where in its period a fault happens.
    FaultOffset = 11,
    /// The place of a peer in a tick that takes its connections shuffled.
    TieOrder = 12,
    /// Which of many a sample takes.
    Sample = 13,
    /// The jitter of a wait before a peer connects again.
    BackoffJitter = 20,
    /// The base that a peer's waits grow from.
    BackoffBase = 21,
    /// What an exchange takes beyond the round trip.
    PathVariation = 30,
    /// Whether a message gets lost, or how often.
    PathLoss = 31,
    /// When a peer sends its first keep-alive probe after a cut.
    KeepAlive = 32,
    /// How long a look-up takes.
    LookupLatency = 60,
    /// Whether a look-up ends without an answer.
    LookupFailure = 61,
    /// Whether the answer to a look-up says no.
    LookupNegative = 62,
    /// The time from one request of a peer to its next.
    RequestGap = 70,
    /// The processor time of a request.
    RequestCpu = 71,
    /// Where in its list of front ends a peer begins.
    ListStart = 80,
    /// Which front end a middlebox hands a new connection to.
    MiddleboxChoice = 81,
    /// How long a certificate lives.
    CertificateLife = 90,
    /// How long after its end a certificate is replaced.
    CertificateReplacement = 91,
    /// At which share of a certificate's life its peer asks for the next.
    CertificateAsk = 92,
    /// How long the issuer takes for a certificate.
    CertificateCost = 93,
}

/// The place of a draw in the life of the one who draws.
///
/// Every value of every field is allowed; the zero of each is the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct When {
    /// The peer's own dues since the run's start, whatever front end or incarnation served them; 0 is the initial one.
    pub cycle: u32,
    /// Its losses within the cycle.
    pub episode: u16,
    /// Its attempts within the episode.
    pub attempt: u32,
}

/// All the draws of one replication of one seed: a pure function with no state to advance.
///
/// Any two different (identity, purpose, when, index) of one `Draws` read different Philox blocks.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    root: u64,
}

impl Draws {
    /// Folds seed and replication into the 64 bits that all keys start from.
    ///
    /// `root = mix(mix(seed + G) + (replication + 1) * G)`, wrapping, with G = [`GOLDEN`]: a bijection of the seed for
    /// each replication, and no two replications of a seed share a root.
    pub fn new(seed: u64, replication: u32) -> Draws {
        let spread = (u64::from(replication) + 1).wrapping_mul(GOLDEN);
        Draws { root: mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(spread)) }
    }

    /// Returns the 64 bits that belong to exactly this question; asking again gives the same answer.
    ///
    /// The key is `mix(root ^ who)`, its low word first: a bijection of the identity, so that no two peers of a run
    /// share a key. The counter is (cycle, attempt, episode in the high and `index` in the low 16 bits, purpose).
    /// The result is the first two words of the block, the first of them in the low half.
    #[inline]
    pub fn draw(&self, who: Identity, purpose: Purpose, when: When, index: u16) -> u64 {
        let place = (u32::from(when.episode) << 16) | u32::from(index);
        keyed(mix(self.root ^ who.0), when.cycle, when.attempt, place, purpose as u32)
    }
}

/// The first two words of a block: a call with its arguments in registers, for the hot path draws several times a step.
#[cfg(not(target_arch = "x86_64"))]
#[inline(never)]
fn keyed(key: u64, c0: u32, c1: u32, c2: u32, c3: u32) -> u64 {
    let block = philox([c0, c1, c2, c3], [key as u32, (key >> 32) as u32]);
    u64::from(block[0]) | (u64::from(block[1]) << 32)
}

/// The same in half the instructions (`docs/performance.md`): one SSE2 multiplication, which every x86-64 has, makes
/// both products of a round.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn keyed(key: u64, c0: u32, c1: u32, c2: u32, c3: u32) -> u64 {
    use safe_arch::{
        add_i32_m128i, get_i64_from_m128i_s, mul_widen_u32_odd_m128i, set_i64_m128i, set_i64_m128i_s,
        shr_imm_u64_m128i, shuffle_ai_f32_all_m128i, unpack_low_i32_m128i, zeroed_m128i,
    };
    let pair = |low: u32, high: u32| (u64::from(high) << 32 | u64::from(low)).cast_signed();
    let apart = |[low, high]: [u32; 2]| set_i64_m128i(i64::from(high), i64::from(low));
    let (multipliers, weyl) = (apart(MULTIPLIER), apart(WEYL));
    let mut key = unpack_low_i32_m128i(set_i64_m128i_s(key.cast_signed()), zeroed_m128i());
    let mut counter = set_i64_m128i(pair(c2, c3), pair(c0, c1));
    for _ in 0..ROUNDS {
        // Words from low to high: (low0, high0, low1, high1), wanted as (high1, low1, high0, low0).
        let products = shuffle_ai_f32_all_m128i::<0b00_01_10_11>(mul_widen_u32_odd_m128i(counter, multipliers));
        counter = products ^ shr_imm_u64_m128i::<32>(counter) ^ key;
        key = add_i32_m128i(key, weyl);
    }
    get_i64_from_m128i_s(counter).cast_unsigned()
}

/// A sequential generator: the words of Philox blocks 0, 1, 2, … of one key, in order.
///
/// For code written against rand's traits and for tests; the simulation itself uses [`Draws`]. Its period is 2^130
/// words. Not for cryptography.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
    next: u128,      // the counter of the block after `block`, its low word first
    block: [u32; 4], // the block being read
    used: usize,     // words of `block` handed out, 0..=4
}

/// The seed is the key, little-endian; the counter starts at 0.
impl SeedableRng for Philox {
    type Seed = [u8; 8];

    fn from_seed(seed: [u8; 8]) -> Philox {
        Philox { key: utils::read_words(&seed), next: 0, block: [0; 4], used: 4 }
    }
}

/// A `u64` is two words, the first of them in the low half; bytes are little-endian words, the rest of the last unused.
impl TryRng for Philox {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.used == 4 {
            let c = self.next;
            self.block = philox([c as u32, (c >> 32) as u32, (c >> 64) as u32, (c >> 96) as u32], self.key);
            self.next = c.wrapping_add(1);
            self.used = 0;
        }
        let word = self.block[self.used];
        self.used += 1;
        Ok(word)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        utils::next_u64_via_u32(self)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        utils::fill_bytes_via_next_word(dst, || self.try_next_u32())
    }
}

/// A seeded bijection of the numbers of up to 32 bits: shuffles without a table.
///
/// A Feistel network whose halves need not be equally wide, so that odd widths come out right: the rounds change the
/// low and the high half in turn, each by a hash of the other.
#[derive(Clone, Debug)]
pub struct Shuffle {
    bits: u32,
    low_bits: u32, // half of `bits`, rounded up: 0..=16
    low_mask: u32,
    high_mask: u32,
    keys: [u64; SHUFFLE_ROUNDS],
}

impl Shuffle {
    /// Makes the permutation of `0..2^bits` that belongs to `seed`.
    ///
    /// # Panics
    ///
    /// If `bits` is above 32.
    pub fn new(seed: u64, bits: u32) -> Shuffle {
        assert!(bits <= 32, "a shuffle of {bits} bits: at most 32 are possible");
        let low_bits = bits.div_ceil(2);
        let mut keys = [0; SHUFFLE_ROUNDS];
        let mut spread = seed;
        for key in &mut keys {
            spread = spread.wrapping_add(GOLDEN);
            *key = mix(spread);
        }
        Shuffle { bits, low_bits, low_mask: (1 << low_bits) - 1, high_mask: (1 << (bits - low_bits)) - 1, keys }
    }

    /// Returns the place that `number` is moved to; another for each number.
    ///
    /// # Panics
    ///
    /// If `number` has more bits than the shuffle.
    #[inline]
    pub fn forward(&self, number: u32) -> u32 {
        let (mut high, mut low) = self.split(number);
        for pair in self.keys.chunks_exact(2) {
            low ^= spread(pair[0], high) & self.low_mask;
            high ^= spread(pair[1], low) & self.high_mask;
        }
        (high << self.low_bits) | low
    }

    /// Returns the number that [`forward`](Shuffle::forward) moves to `place`.
    ///
    /// # Panics
    ///
    /// If `place` has more bits than the shuffle.
    #[inline]
    pub fn back(&self, place: u32) -> u32 {
        let (mut high, mut low) = self.split(place);
        for pair in self.keys.chunks_exact(2).rev() {
            high ^= spread(pair[1], low) & self.high_mask;
            low ^= spread(pair[0], high) & self.low_mask;
        }
        (high << self.low_bits) | low
    }

    #[inline]
    fn split(&self, number: u32) -> (u32, u32) {
        assert!(u64::from(number) >> self.bits == 0, "{number} does not fit into the shuffle's {} bits", self.bits);
        (number >> self.low_bits, number & self.low_mask)
    }
}

/// One round's hash of one half: the high word, for the low bits of a product know less of their factors.
#[inline]
fn spread(key: u64, half: u32) -> u32 {
    (mix(key ^ u64::from(half)) >> 32) as u32
}

/// Philox4x32-10: the block that `counter` has under `key`.
///
/// A bijection of the counter for each key; passes BigCrush. From Salmon, Moraes, Dror and Shaw, "Parallel random
/// numbers: as easy as 1, 2, 3", SC'11; equal to Random123's `philox4x32` bit for bit.
#[inline(always)]
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let product0 = u64::from(MULTIPLIER[0]) * u64::from(counter[0]);
        let product1 = u64::from(MULTIPLIER[1]) * u64::from(counter[2]);
        counter = [
            (product1 >> 32) as u32 ^ counter[1] ^ key[0],
            product1 as u32,
            (product0 >> 32) as u32 ^ counter[3] ^ key[1],
            product0 as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// The top 53 of 64 random bits as a number in [0, 1): a multiple of 2^-53, exact, and never 1.
#[inline]
pub fn unit(bits: u64) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    (bits >> 11) as f64 * STEP
}

/// The 64-bit golden ratio, odd: SplitMix64's increment, which keeps small inputs of [`mix`] apart and off its fixed point 0.
pub const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Philox4x32's multipliers (SC'11, table 2 and `philox.h`).
const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];

/// What the key grows by each round: the golden ratio and √3 − 1 as 32-bit fractions (`philox.h`).
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Chosen by the paper: seven rounds pass BigCrush, three more are its margin of safety.
const ROUNDS: u32 = 10;

/// Eight, for four suffice against a distinguisher with few queries (Luby and Rackoff) and narrow halves want more.
const SHUFFLE_ROUNDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, RngExt};

    const ORIGIN: When = When { cycle: 0, episode: 0, attempt: 0 };

    #[test]
    fn philox_gives_the_published_answers() {
        // Random123's tests/kat_vectors, the lines "philox4x32 10".
        let pi = ([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]);
        for (counter, key, answer) in [
            ([0; 4], [0; 2], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]),
            (pi.0, pi.1, [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]),
        ] {
            assert_eq!(philox(counter, key), answer, "counter {counter:x?} key {key:x?}");
        }
    }

    #[test]
    fn draws_are_the_first_two_words_of_their_block() {
        let mut words = Philox::seed_from_u64(3);
        for _ in 0..10_000 {
            let ([c0, c1, c2, c3], key) = (std::array::from_fn(|_| words.next_u32()), words.next_u64());
            let block = philox([c0, c1, c2, c3], [key as u32, (key >> 32) as u32]);
            assert_eq!(keyed(key, c0, c1, c2, c3), u64::from(block[1]) << 32 | u64::from(block[0]));
        }
    }

    #[test]
    fn the_sequence_reads_the_blocks_in_order() {
        let mut words = Philox::from_seed([0; 8]);
        assert_eq!(words.next_u32(), 0x6627e8d5);
        assert_eq!(words.next_u64(), 0xbc57ac4c_e169c58d);
        assert_eq!(words.next_u64(), u64::from(philox([1, 0, 0, 0], [0; 2])[0]) << 32 | 0x9b00dbd8);
        let mut bytes = [0; 6];
        Philox::from_seed([0; 8]).fill_bytes(&mut bytes);
        assert_eq!(bytes, [0xd5, 0xe8, 0x27, 0x66, 0x8d, 0xc5]);
        let key = Philox::from_seed([1, 2, 3, 4, 5, 6, 7, 8]).next_u32();
        assert_eq!(key, philox([0; 4], [0x04030201, 0x08070605])[0]);
    }

    #[test]
    fn the_sequence_carries_into_every_word_of_the_counter() {
        let mut words = Philox::from_seed([7; 8]);
        words.next = u128::from(u64::MAX);
        words.next_u64();
        words.next_u64();
        assert_eq!(words.next_u32(), philox([0, 0, 1, 0], words.key)[0]);
        words.next = u128::MAX;
        words.used = 4;
        words.next_u64();
        assert_eq!(words.next, 0);
    }

    #[test]
    fn the_sequence_serves_where_a_rand_generator_does() {
        let mut words = Philox::seed_from_u64(1);
        let dice: u32 = (0..600).map(|_| words.random_range(1..=6)).sum();
        assert!((1900..2300).contains(&dice), "{dice}");
        assert!((0.0..1.0).contains(&words.random::<f64>()));
    }

    #[test]
    fn unit_reaches_its_ends_and_no_further() {
        assert_eq!(unit(0), 0.0);
        assert_eq!(unit(1 << 63), 0.5);
        assert_eq!(unit(u64::MAX), 1.0 - f64::EPSILON / 2.0);
    }

    /// Draws that no version may change, from a second implementation in Python: (seed, replication, who, purpose, cycle, episode, attempt, index) -> bits.
    type Golden = (u64, u32, u64, Purpose, u32, u16, u32, u16, u64);
    #[rustfmt::skip]
    const GOLDEN_DRAWS: [Golden; 16] = [
        (0, 0, 0, Purpose::RoundTrip, 0, 0, 0, 0, 0xD00D_B3EA_6A93_0887),
        (1, 0, 0, Purpose::RoundTrip, 0, 0, 0, 0, 0xE92A_5FE4_41A0_6120),
        (0, 1, 0, Purpose::RoundTrip, 0, 0, 0, 0, 0x6051_39C4_10C3_1C12),
        (0, 0, 1, Purpose::RoundTrip, 0, 0, 0, 0, 0x256B_83CE_3033_17CB),
        (0, 0, 0, Purpose::Jitter, 0, 0, 0, 0, 0xEC9F_AEFA_AC34_1C69),
        (0, 0, 0, Purpose::RoundTrip, 1, 0, 0, 0, 0x84C8_7548_B05B_65EC),
        (0, 0, 0, Purpose::RoundTrip, 0, 1, 0, 0, 0xFDB6_7897_6207_E027),
        (0, 0, 0, Purpose::RoundTrip, 0, 0, 1, 0, 0xF49F_36C3_642F_130C),
        (0, 0, 0, Purpose::RoundTrip, 0, 0, 0, 1, 0xAF41_A76E_6037_99DE),
        (42, 7, 0x0123_4567_89AB_CDEF, Purpose::AcceptCpu, 3, 2, 5, 0, 0xC5C0_A209_01E8_6B87),
        (42, 7, 0x0123_4567_89AB_CDEF, Purpose::ValidateCpu, 3, 2, 5, 1, 0xCB7E_2153_9658_159D),
        (42, 7, 0xFEDC_BA98_7654_3210, Purpose::ReconnectDelay, 10, 0, 4_000_000_000, 9, 0xA37F_FC95_D907_72C5),
        (u64::MAX, u32::MAX, u64::MAX, Purpose::Sample, u32::MAX, u16::MAX, u32::MAX, u16::MAX, 0x708B_BAF9_C6C6_3972),
        (20_240_101, 0, 0x9E37_79B9_7F4A_7C15, Purpose::TieOrder, 0, 0, 0, 0, 0x0BB3_411A_0640_6E7D),
        (20_240_101, 1, 0x9E37_79B9_7F4A_7C15, Purpose::StartUp, 0, 0, 0, 0, 0x2180_77E0_0751_F2CD),
        (20_240_101, 2, 0x9E37_79B9_7F4A_7C15, Purpose::FaultOffset, 365, 1, 2, 3, 0xB6E5_7591_36C3_92A8),
    ];

    #[test]
    fn golden_draws_stay() {
        for row in GOLDEN_DRAWS {
            let (seed, replication, who, purpose, cycle, episode, attempt, index, bits) = row;
            let when = When { cycle, episode, attempt };
            let drawn = Draws::new(seed, replication).draw(Identity(who), purpose, when, index);
            assert_eq!(drawn, bits, "{row:x?} draws {drawn:#018x}");
        }
    }

    #[test]
    fn purposes_keep_their_numbers() {
        use Purpose::*;
        let all = [
            RoundTrip,
            Jitter,
            AcceptCpu,
            FlightCpu,
            ValidateCpu,
            ReconnectDelay,
            ClientCpu,
            StartUp,
            RecoveryDelay,
            ReportId,
            ProcessId,
            FaultOffset,
            TieOrder,
            Sample,
        ];
        for (number, purpose) in (0..).zip(all) {
            assert_eq!(purpose as u32, number, "{purpose:?}");
        }
        assert_eq!([RequestGap as u32, RequestCpu as u32], [70, 71]);
        let certificates = [CertificateLife, CertificateReplacement, CertificateAsk, CertificateCost];
        assert_eq!(certificates.map(|purpose| purpose as u32), [90, 91, 92, 93]);
    }

    /// Draws with bit `bit` of the concatenated parts of the identity flipped: 64 seed, 32 replication, 64 who,
    /// 4 purpose, 32 cycle, 16 episode, 32 attempt, 16 index.
    fn flipped(bit: Option<u32>) -> u64 {
        const WIDTHS: [u32; 8] = [64, 32, 64, 4, 32, 16, 32, 16];
        const PURPOSES: [Purpose; 16] = {
            use Purpose::*;
            // The number of `Sample` with one bit flipped is 12, 15, 9 or 5; 15 has no purpose and stands in as 0.
            [
                RoundTrip,
                Jitter,
                AcceptCpu,
                FlightCpu,
                ValidateCpu,
                ReconnectDelay,
                ClientCpu,
                StartUp,
                RecoveryDelay,
                ReportId,
                ProcessId,
                FaultOffset,
                TieOrder,
                Sample,
                RoundTrip,
                RoundTrip,
            ]
        };
        let mut parts = [77u64, 3, 0xABCD_EF01_2345_6789, Purpose::Sample as u64, 12, 1, 4, 2];
        if let Some(mut bit) = bit {
            for (part, width) in parts.iter_mut().zip(WIDTHS) {
                if bit < width {
                    *part ^= 1 << bit;
                    break;
                }
                bit -= width;
            }
        }
        let [seed, replication, who, purpose, cycle, episode, attempt, index] = parts;
        let when = When { cycle: cycle as u32, episode: episode as u16, attempt: attempt as u32 };
        let draws = Draws::new(seed, replication as u32);
        draws.draw(Identity(who), PURPOSES[purpose as usize], when, index as u16)
    }

    #[test]
    fn every_bit_of_every_part_changes_about_half_of_the_draw() {
        let parts_bits = 64 + 32 + 64 + 4 + 32 + 16 + 32 + 16;
        let mut seen = std::collections::BTreeSet::from([flipped(None)]);
        let mut changed = 0;
        for bit in 0..parts_bits {
            let drawn = flipped(Some(bit));
            assert!(seen.insert(drawn), "bit {bit} repeats a draw");
            let distance = (drawn ^ flipped(None)).count_ones();
            // 32 ± 5 standard deviations of 4.
            assert!((12..=52).contains(&distance), "bit {bit} changes {distance} bits");
            changed += distance;
        }
        // 260 * 32 = 8320 ± 5 standard deviations of 64.5.
        assert!((7998..=8642).contains(&changed), "{changed}");
    }

    /// Whether the top and the bottom bytes of 2^16 draws are as even as chance makes them, and no draw repeats.
    fn assert_even(axis: &str, draw: impl Fn(u32) -> u64) {
        const DRAWS: u32 = 1 << 16;
        let mut counts = [[0u32; 256]; 3];
        let mut all: Vec<u64> = (0..DRAWS).map(&draw).collect();
        let mut before = 0;
        for &bits in &all {
            counts[0][(bits >> 56) as usize] += 1;
            counts[1][(bits & 0xFF) as usize] += 1;
            // Neighbours on the axis: the top four bits of each together.
            counts[2][((before >> 60) << 4 | bits >> 60) as usize] += 1;
            before = bits;
        }
        for (which, counts) in counts.iter().enumerate() {
            let expected = f64::from(DRAWS) / 256.0;
            let chi: f64 =
                counts.iter().map(|&n| (f64::from(n) - expected) * (f64::from(n) - expected) / expected).sum();
            // 255 degrees of freedom: 255 ± 5 standard deviations of 22.6.
            assert!((142.0..368.0).contains(&chi), "{axis}, count {which}: chi-square {chi}");
            for (byte, &n) in counts.iter().enumerate() {
                // Binomial(2^16, 1/256): 256 ± 6 standard deviations of 15.97, for 256 cells are looked at.
                assert!((160..=352).contains(&n), "{axis}, count {which}: {byte:#x} comes {n} times");
            }
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), DRAWS as usize, "{axis}: a draw repeats");
    }

    #[test]
    fn draws_are_even_along_every_axis() {
        let draws = Draws::new(5, 0);
        let who = Identity::of("herd").member(0);
        let at = |when, index| draws.draw(who, Purpose::Jitter, when, index);
        assert_even("entity", |i| draws.draw(Identity::of("herd").member(i), Purpose::Jitter, ORIGIN, 0));
        assert_even("bare identity", |i| draws.draw(Identity(u64::from(i)), Purpose::Jitter, ORIGIN, 0));
        assert_even("cycle", |i| at(When { cycle: i, ..ORIGIN }, 0));
        assert_even("episode", |i| at(When { episode: i as u16, ..ORIGIN }, 0));
        assert_even("attempt", |i| at(When { attempt: i, ..ORIGIN }, 0));
        assert_even("index", |i| at(ORIGIN, i as u16));
        assert_even("seed", |i| Draws::new(u64::from(i), 0).draw(who, Purpose::Jitter, ORIGIN, 0));
        assert_even("replication", |i| Draws::new(5, i).draw(who, Purpose::Jitter, ORIGIN, 0));
    }

    #[test]
    fn shuffles_are_bijections_with_an_inverse() {
        for bits in 0..=18 {
            let shuffle = Shuffle::new(0xC0FFEE, bits);
            let mut taken = vec![false; 1 << bits];
            for number in 0..1 << bits {
                let place = shuffle.forward(number);
                assert!(!std::mem::replace(&mut taken[place as usize], true), "{bits} bits: {place} twice");
                assert_eq!(shuffle.back(place), number, "{bits} bits");
            }
        }
        // Wider ones in part: a function that stays in its range and has an inverse is a bijection of it.
        for (bits, step) in [(25, 61), (31, 9_973), (32, 9_973)] {
            let shuffle = Shuffle::new(9, bits);
            for number in (0..=u32::MAX >> (32 - bits)).step_by(step) {
                let place = shuffle.forward(number);
                assert_eq!(u64::from(place) >> bits, 0);
                assert_eq!(shuffle.back(place), number);
            }
        }
    }

    #[test]
    fn shuffles_favour_nobody() {
        // The place of one number, over seeds.
        let mut places = [0u32; 32];
        // How often a lower number comes after a higher one, over all neighbours of one shuffle.
        for seed in 0..32_768 {
            places[Shuffle::new(seed, 5).forward(0) as usize] += 1;
        }
        for (place, &n) in places.iter().enumerate() {
            // Binomial(2^15, 1/32): 1024 ± 5 standard deviations of 31.5.
            assert!((866..=1182).contains(&n), "0 goes to {place} {n} times");
        }
        let shuffle = Shuffle::new(3, 25);
        let turned = (0..100_000).filter(|&n| shuffle.forward(n) > shuffle.forward(n + 1)).count();
        // Half of them; neighbours depend on each other, so that the variance is n/12: ± 5 * 91.3.
        assert!((49_543..=50_457).contains(&turned), "{turned}");
    }

    #[test]
    #[should_panic(expected = "does not fit into the shuffle's 25 bits")]
    fn a_number_too_wide_for_the_shuffle_is_refused() {
        Shuffle::new(0, 25).forward(1 << 25);
    }

    #[test]
    fn golden_shuffles_stay() {
        let shuffle = Shuffle::new(1, 25);
        assert_eq!([0, 1, 2, 33_554_431].map(|n| shuffle.forward(n)), [7_459_783, 20_860_937, 10_306_549, 32_967_228]);
    }
}
