//! The statistics of comparisons: exact tests whose only assumption is that replications are independent.
//!
//! The unit is the replication (rule 31): samples of one run are correlated, and nothing here ever sees them. No
//! distribution is assumed and nothing is drawn at random, so the same values give the same verdict.

/// The chance that a comparison of equals calls anything at all, over all its tests together.
pub const ALPHA: f64 = 0.001;

/// Two-sided sign test: the chance of a split at least as uneven as `more` against `less` if both were as likely.
/// Pairs without a difference are not counted. 1 without any pair.
pub fn sign_test(more: u32, less: u32) -> f64 {
    let (n, tail) = (more + less, more.min(less));
    // P(X ≤ tail) for Binomial(n, 1/2), by its terms; C(n, k) / 2^n stays finite where C(n, k) alone would not.
    let mut term = 1.0;
    for _ in 0..n {
        term *= 0.5;
    }
    let mut sum = 0.0;
    for k in 0..=tail {
        sum += term;
        term = term * f64::from(n - k) / f64::from(k + 1);
    }
    f64::min(1.0, 2.0 * sum)
}

/// Two-sided rank-sum test of two groups of independent values, exact with ties: the chance that a random split of all
/// values into groups of these sizes is at least as uneven. 1 if a group is empty.
pub fn rank_test(a: &[u64], b: &[u64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let mut all: Vec<u64> = a.iter().chain(b).copied().collect();
    all.sort_unstable();
    // Twice the mid-rank, so that it is whole: the first and last position of a value, from 1, summed.
    let doubled = |value: u64| {
        let (first, last) = (all.partition_point(|v| *v < value) + 1, all.partition_point(|v| *v <= value));
        first + last
    };
    let observed: usize = a.iter().map(|value| doubled(*value)).sum();
    let ranks: Vec<usize> = all.iter().map(|value| doubled(*value)).collect();
    let (low, high) = tails(&ranks, a.len(), observed);
    f64::min(1.0, 2.0 * f64::min(low, high))
}

/// The shares of subsets of `size` ranks whose sum is at most, and at least, `observed`.
fn tails(ranks: &[usize], size: usize, observed: usize) -> (f64, f64) {
    let most: usize = ranks.iter().rev().take(size).sum();
    // ways[k][s]: the share, among subsets of k of the ranks seen so far, scaled so that no number overflows.
    let mut ways = vec![vec![0.0; most + 1]; size + 1];
    ways[0][0] = 1.0;
    for (seen, rank) in ranks.iter().enumerate() {
        for k in (1..=size.min(seen + 1)).rev() {
            for sum in (*rank..=most).rev() {
                ways[k][sum] += ways[k - 1][sum - rank];
            }
        }
    }
    let all: f64 = ways[size].iter().sum();
    let low: f64 = ways[size].iter().take(observed + 1).sum();
    let high: f64 = ways[size].iter().skip(observed).sum();
    (low / all, high / all)
}

/// Holm's procedure over a family of `m` tests, at least as many as there are values: which are called at the
/// family-wise level `alpha`. Tests without a value count in `m` alone.
pub fn holm(values: &[f64], m: usize, alpha: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut called = vec![false; values.len()];
    let m = m.max(values.len());
    for (nth, place) in order.into_iter().enumerate() {
        if values[place] > alpha / (m - nth) as f64 {
            break;
        }
        called[place] = true;
    }
    called
}

/// The fewest pairs with which a sign test can be called among `m`: the least n with 2^(1−n) ≤ α/m.
pub fn pairs_needed(m: usize, alpha: f64) -> u32 {
    let (level, mut n, mut least) = (alpha / m.max(1) as f64, 1, 1.0);
    while least > level {
        n += 1;
        least *= 0.5;
    }
    n
}

/// The fewest replications on either side with which a rank test can be called among `m`: the least n ≥ 10 with
/// 2 / C(2n, n) ≤ α/m. Rule 31 never looks before the tenth.
pub fn replications_needed(m: usize, alpha: f64) -> u32 {
    let level = alpha / m.max(1) as f64;
    let (mut n, mut ways) = (1, 2.0);
    while n < 10 || 2.0 / ways > level {
        n += 1;
        // C(2n, n) = C(2n − 2, n − 1) · 2 (2n − 1) / n
        ways = ways * 2.0 * f64::from(2 * n - 1) / f64::from(n);
    }
    n
}

/// The lower median of some values; `None`: there are none.
pub fn median<T: Copy>(values: &[T], order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(order);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

/// The 95 % interval for the median of sorted values of independent replications, by their order alone: exact whatever
/// their distribution is, and as narrow as such a one can be. `None`: fewer than ten (rule 31).
pub fn median_interval<T: Copy>(sorted: &[T]) -> Option<(T, T)> {
    let n = u32::try_from(sorted.len()).ok().filter(|n| *n >= LOOKS_FROM)?;
    let below = rank_below(n);
    Some((*sorted.get(below.checked_sub(1)?)?, *sorted.get(sorted.len() - below)?))
}

/// The largest k with P(Binomial(n, 1/2) < k) ≤ 2.5 %: then [x(k), x(n + 1 − k)] misses in at most 5 % of cases.
fn rank_below(n: u32) -> usize {
    (0..n).take_while(|k| at_most(*k, n, 0.5) <= 0.025).count()
}

/// The level of [`median_interval`] of `n` values, exact where all values differ and at least this where some are alike:
/// 95 % or more, for ranks are whole. `None`: it has none.
pub fn median_interval_level(n: u32) -> Option<f64> {
    let below = u32::try_from(rank_below(n)).ok().filter(|below| n >= LOOKS_FROM && *below > 0)?;
    Some(1.0 - 2.0 * at_most(below - 1, n, 0.5))
}

/// The exact one-sided 95 % bounds (Clopper and Pearson) of the share of all replications that would pass, where `passed`
/// of `n` did: it is at least the first, with 95 % confidence, and at most the second, with 95 % confidence.
/// Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404.
pub fn share_bounds(passed: u32, n: u32) -> (f64, f64) {
    let low = if passed == 0 { 0.0 } else { crossing(|p| 1.0 - at_most(passed - 1, n, p) <= BOUND) };
    let high = if passed >= n { 1.0 } else { crossing(|p| at_most(passed, n, p) > BOUND) };
    (low, high)
}

/// Where `is_below` turns from true to false between 0 and 1, by halving.
fn crossing(is_below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if is_below(middle) { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// Replications before which nobody looks (rule 31).
pub const LOOKS_FROM: u32 = 10;

/// P(X ≤ k) for X ~ Binomial(n, p), 0 < p < 1, by its terms from the likeliest end that a float holds.
pub fn at_most(k: u32, n: u32, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let term = |j: u32| {
        let (n, j) = (f64::from(n), f64::from(j));
        let ways = libm::lgamma(n + 1.0) - libm::lgamma(j + 1.0) - libm::lgamma(n - j + 1.0);
        libm::exp(ways + j * libm::log(p) + (n - j) * libm::log1p(-p))
    };
    (0..=k).map(term).sum()
}

/// What replications say of a value of a search (rule 32).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tally {
    /// At least 95 % of all replications would pass, with 95 % confidence.
    Holds,
    /// Neither can be said.
    Undecided,
    /// Fewer than 95 % would, with 95 % confidence.
    Fails,
}

/// The share of replications that must pass.
pub const SHARE: f64 = 0.95;
/// The chance that a bound is on the wrong side.
const BOUND: f64 = 0.05;

/// Weighs `passed` and `failed` of `n` replications, by exact one-sided bounds (Clopper and Pearson): it holds if so many
/// or more pass with at most 5 % chance where the share is 95 %, and fails if so many or more fail with less.
pub fn tally(passed: u32, failed: u32, n: u32) -> Tally {
    // At least `passed` pass just where at most n − passed do not.
    if passed > 0 && 1.0 - at_most(passed - 1, n, SHARE) <= BOUND {
        Tally::Holds
    } else if failed > 0 && at_most(n.saturating_sub(failed), n, SHARE) < BOUND {
        Tally::Fails
    } else {
        Tally::Undecided
    }
}

/// The fewest failures among `n` replications that make a value fail; `None`: not even all of them do.
pub fn failures_needed(n: u32) -> Option<u32> {
    (1..=n).find(|failed| tally(n - failed, *failed, n) == Tally::Fails)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= expected * 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn rule_31_the_sign_test_has_the_values_of_the_binomial() {
        close(sign_test(8, 0), 2.0 / 256.0);
        close(sign_test(0, 8), 2.0 / 256.0);
        close(sign_test(9, 1), 2.0 * 11.0 / 1024.0);
        close(sign_test(7, 3), 2.0 * (1.0 + 10.0 + 45.0 + 120.0) / 1024.0);
        close(sign_test(5, 5), 1.0);
        close(sign_test(0, 0), 1.0);
        close(sign_test(1, 0), 1.0);
        // All of n on one side: 2^(1-n), far beyond what a count of ways could hold.
        close(sign_test(200, 0), 2f64 / (0..200).fold(1.0, |power, _| power * 2.0));
    }

    #[test]
    fn rule_31_the_rank_test_counts_all_splits() {
        // Of the C(4, 2) = 6 splits of four values one is as low as this one.
        close(rank_test(&[1, 2], &[3, 4]), 2.0 / 6.0);
        close(rank_test(&[3, 4], &[1, 2]), 2.0 / 6.0);
        close(rank_test(&[1, 2, 3, 4, 5], &[6, 7, 8, 9, 10]), 2.0 / 252.0);
        close(rank_test(&[1, 4], &[2, 3]), 1.0);
        close(rank_test(&[7; 9], &[7; 9]), 1.0);
        close(rank_test(&[], &[1]), 1.0);
        // With ties: ranks 1, 2.5, 2.5, 4; subsets of two with a sum of at most 3.5: {1, 2.5} twice, of 6.
        close(rank_test(&[1, 2], &[2, 3]), 2.0 * 2.0 / 6.0);
    }

    #[test]
    fn rule_31_the_rank_test_agrees_with_every_split_made_by_hand() {
        let values = [3u64, 1, 4, 1, 5, 9, 2, 6];
        let rank = |value: u64| {
            let (below, upto) =
                (values.iter().filter(|v| **v < value).count(), values.iter().filter(|v| **v <= value).count());
            below + 1 + upto
        };
        let splits: Vec<u32> = (0u32..256).filter(|set| set.count_ones() == 3).collect();
        let sum = |set: u32| (0..8).filter(|i| set >> i & 1 == 1).map(|i| rank(values[i])).sum::<usize>();
        for set in &splits {
            let (a, b): (Vec<usize>, Vec<usize>) = (0..8).partition(|i| set >> i & 1 == 1);
            let [a, b] = [a, b].map(|side| side.into_iter().map(|i| values[i]).collect::<Vec<_>>());
            let low = splits.iter().filter(|other| sum(**other) <= sum(*set)).count();
            let high = splits.iter().filter(|other| sum(**other) >= sum(*set)).count();
            close(rank_test(&a, &b), f64::min(1.0, 2.0 * low.min(high) as f64 / splits.len() as f64));
        }
    }

    #[test]
    fn rule_31_holm_calls_step_by_step_and_stops_at_the_first_that_is_not() {
        // Holm's own steps at 0.05 over four: 0.0125, 0.0166..., 0.025, 0.05.
        assert_eq!(holm(&[0.01, 0.04, 0.03, 0.005], 4, 0.05), [true, false, false, true]);
        assert_eq!(holm(&[0.0125, 0.016, 0.025, 0.05], 4, 0.05), [true, true, true, true]);
        assert_eq!(holm(&[0.013, 0.001], 2, 0.05), [true, true]);
        assert_eq!(holm(&[0.013, 0.001], 40, 0.05), [false, true], "tests without a value count too");
        assert!(holm(&[], 9, 0.05).is_empty());
    }

    #[test]
    fn rule_31_the_number_of_pairs_is_the_least_that_can_be_called() {
        assert_eq!(pairs_needed(1, 0.001), 11); // 2^-10 = 0.00098
        assert_eq!(pairs_needed(100, 0.001), 18); // 2^-17 = 7.6e-6
        for m in 1..3000 {
            let n = pairs_needed(m, ALPHA);
            assert!(sign_test(n, 0) <= ALPHA / m as f64 && sign_test(n - 1, 0) > ALPHA / m as f64, "{m}");
        }
    }

    #[test]
    fn rule_31_unpaired_groups_need_ten_and_as_many_as_can_be_called() {
        assert_eq!(replications_needed(1, 0.001), 10);
        let n = replications_needed(1_000_000, ALPHA);
        let (low, high): (Vec<u64>, Vec<u64>) = ((0..u64::from(n)).collect(), (100..100 + u64::from(n)).collect());
        assert!(rank_test(&low, &high) <= ALPHA / 1e6);
        assert!(rank_test(&low[1..], &high[1..]) > ALPHA / 1e6);
    }

    #[test]
    fn rule_32_fifty_nine_of_fifty_nine_hold_and_seven_misses_fail() {
        assert_eq!(tally(59, 0, 59), Tally::Holds);
        assert_eq!(tally(58, 1, 59), Tally::Undecided);
        assert_eq!(tally(53, 6, 59), Tally::Undecided);
        assert_eq!(tally(52, 7, 59), Tally::Fails);
        assert_eq!(failures_needed(59), Some(7));
        assert_eq!(tally(58, 0, 58), Tally::Undecided, "0.95^58 is more than 5 %");
        // What cannot be said is no pass, and no failure either.
        assert_eq!(tally(50, 0, 59), Tally::Undecided);
        assert_eq!(tally(0, 0, 59), Tally::Undecided);
        // 93 replications may have one miss: the bound of 92 of 93 is 95 %.
        assert_eq!((tally(92, 1, 93), tally(91, 1, 92)), (Tally::Holds, Tally::Undecided));
    }

    #[test]
    fn rule_31_the_interval_of_the_median_is_that_of_order_statistics() {
        // Tables of the sign test at 5 %: n = 10 → 2 and 9, 20 → 6 and 15, 50 → 18 and 33.
        for (n, low, high) in [(10, 2, 9), (20, 6, 15), (50, 18, 33)] {
            assert_eq!(median_interval(&(1..=n).collect::<Vec<u32>>()), Some((low, high)));
        }
        assert_eq!(median_interval(&[1; 9]), None);
    }

    #[test]
    fn rule_31_the_level_of_the_interval_is_stated_as_it_is() {
        // n = 10 → 2 and 9: 1 − 2 (1 + 10) / 1024; n = 20 → 6 and 15: the usual table has 95.86 %.
        close(median_interval_level(10).expect("a level"), 1.0 - 2.0 * 11.0 / 1024.0);
        assert!((median_interval_level(20).expect("a level") - 0.958_610).abs() < 1e-6);
        assert_eq!(median_interval_level(9), None);
        assert!((10..400).all(|n| median_interval_level(n).is_some_and(|level| (0.95..1.0).contains(&level))));
    }

    #[test]
    fn rule_32_the_bounds_of_a_share_are_those_of_clopper_and_pearson() {
        // All of n: the lower bound is the n-th root of 5 %. None of n: the mirror.
        for n in [1, 10, 20, 59] {
            let root = libm::pow(0.05, 1.0 / f64::from(n));
            let ((low, high), (none, few)) = (share_bounds(n, n), share_bounds(0, n));
            assert!((low - root).abs() < 1e-9 && (few - (1.0 - root)).abs() < 1e-9, "{n}: {low} {few}");
            assert_eq!((high, none), (1.0, 0.0));
        }
        // 59 of 59 is the least at which the lower bound is 95 %; 52 of 59 the most at which the upper one is below.
        assert!(share_bounds(59, 59).0 >= SHARE && share_bounds(58, 58).0 < SHARE);
        assert!(share_bounds(52, 59).1 < SHARE && share_bounds(53, 59).1 >= SHARE);
        // Tables of exact limits: 7 of 10, 95 % one-sided: 39.3 % and 91.3 %.
        let (low, high) = share_bounds(7, 10);
        assert!((low - 0.393).abs() < 5e-4 && (high - 0.913).abs() < 5e-4, "{low} {high}");
    }

    #[test]
    fn the_binomial_sums_to_one_and_is_its_own_mirror() {
        for (n, p) in [(1, 0.5), (59, 0.95), (400, 0.01)] {
            for k in 0..n {
                let mirrored = 1.0 - at_most(n - k - 1, n, 1.0 - p);
                assert!((at_most(k, n, p) - mirrored).abs() < 1e-12, "{k} of {n} at {p}");
            }
        }
    }
}
