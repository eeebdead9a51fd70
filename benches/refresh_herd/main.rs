//! The yardstick: the reference model "refresh-herd" on plain hand-written loops, side by side.
//!
//! `cargo bench --bench refresh_herd -- [--peers N] [--days D] [--rounds R] [--only NAME,…]`. Without arguments it is
//! small and checks only that all contenders agree. Contenders take turns within a round and the order turns around
//! each round; times are CPU seconds of the thread, ratios are taken round by round, figures are medians. Peak memory is
//! honest only with `--only` one, for an allocator keeps what earlier contenders used.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod bucket8;
mod cpu;
mod heap;
mod library;
mod model;

use model::Outcome;

/// One way to run the model.
struct Contender {
    name: &'static str,
    run: fn(peers: u32, days: u32) -> Outcome,
    order: Order,
}

/// How a contender orders events of one nanosecond: those of one order must agree on the checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// Peer, then kind: as the model says.
    PeerKind,
    /// The library's own, with draws of its own: only the law is the same.
    Library,
    /// Another model: nothing is compared but itself.
    Mixed,
}

/// The first is what the others are measured by.
const CONTENDERS: [Contender; 6] = [
    Contender { name: "bucket8", run: model::run::<bucket8::Bucket8>, order: Order::PeerKind },
    Contender { name: "heap", run: model::run::<heap::Heap>, order: Order::PeerKind },
    Contender { name: "library", run: library::run_reference, order: Order::Library },
    Contender { name: "mixed", run: library::run_mixed, order: Order::Mixed },
    Contender { name: "waiting", run: library::run_waiting, order: Order::Mixed },
    Contender { name: "herd", run: library::run_herd, order: Order::Mixed },
];

fn main() {
    let args = Args::parse();
    println!("refresh-herd v1: {} peers, {} days, {} rounds", args.peers, args.days, args.rounds);
    let is_wanted = |c: &&Contender| args.only.as_deref().is_none_or(|only| only.split(',').any(|name| name == c.name));
    let contenders: Vec<&Contender> = CONTENDERS.iter().filter(is_wanted).collect();
    assert!(!contenders.is_empty(), "--only names none of the contenders");
    let mut cpu_ns = vec![Vec::new(); contenders.len()];
    let mut firsts: Vec<Option<Outcome>> = contenders.iter().map(|_| None).collect();

    for round in 0..args.rounds {
        let mut turns: Vec<usize> = (0..contenders.len()).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for turn in turns {
            let contender = contenders[turn];
            let resident = cpu::reset_peak_kb();
            let outcome = (contender.run)(args.peers, args.days);
            let peak = cpu::peak_kb();
            print_outcome(contender.name, &outcome, resident, peak);
            let whole = contender.order != Order::Mixed;
            assert!(
                !whole || outcome.events == 6 * u64::from(args.peers) * u64::from(args.days),
                "{} events",
                contender.name
            );
            cpu_ns[turn].push(outcome.cpu_ns);
            check_agrees(contender, &outcome, firsts[turn].as_ref());
            for (other, first) in contenders.iter().zip(&firsts) {
                check_agrees_with(contender, &outcome, other, first.as_ref(), &args);
            }
            firsts[turn].get_or_insert(outcome);
        }
    }
    println!("all agree");
    if args.rounds > 1 {
        print_ratios(&contenders, &cpu_ns, &args);
    }
}

/// A contender's rounds must be the same to the bit.
fn check_agrees(contender: &Contender, outcome: &Outcome, first: Option<&Outcome>) {
    if let Some(first) = first {
        assert_eq!(outcome.checksum, first.checksum, "{} differs from its first round", contender.name);
    }
}

/// Contenders of one order must be the same to the bit, others as near as their draws allow.
fn check_agrees_with(
    contender: &Contender,
    outcome: &Outcome,
    other: &Contender,
    first: Option<&Outcome>,
    args: &Args,
) {
    let Some(first) = first else { return };
    if contender.order == Order::Mixed || other.order == Order::Mixed {
        return;
    }
    let names = (contender.name, other.name);
    if contender.order == other.order {
        let all = |o: &Outcome| (o.checksum, o.p50, o.p99, o.max);
        assert_eq!(all(outcome), all(first), "{names:?} differ");
        return;
    }
    // The last of a herd waits for the work of all: its mean and its spread over the square root of the herd's size.
    let tolerance = outcome.max as f64 * 6.0 / f64::from(args.peers).sqrt();
    assert!(
        (outcome.max.abs_diff(first.max) as f64) < tolerance,
        "{names:?} differ: {} and {} ns",
        outcome.max,
        first.max
    );
}

fn print_outcome(name: &str, o: &Outcome, resident_kb: u64, peak_kb: u64) {
    let ms = |ns: u64| ns as f64 / 1e6;
    println!(
        "{name:10} {} events, {} steps, checksum {:016x}, p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms, cpu {:.1} ms, {:.2} Mev/s, {:.1} ns a step, \
         peak {peak_kb} kB (before: {resident_kb} kB)",
        o.events,
        o.steps,
        o.checksum,
        ms(o.p50),
        ms(o.p99),
        ms(o.max),
        ms(o.cpu_ns),
        o.events as f64 * 1e3 / o.cpu_ns.max(1) as f64,
        o.cpu_ns as f64 / o.steps.max(1) as f64,
    );
}

/// Each contender's CPU time by that of the first one in the same round: below 1 is faster.
fn print_ratios(contenders: &[&Contender], cpu_ns: &[Vec<u64>], args: &Args) {
    let events = 6.0 * f64::from(args.peers) * f64::from(args.days);
    for (contender, times) in contenders.iter().zip(cpu_ns) {
        let seconds: Vec<f64> = times.iter().map(|&ns| ns as f64 / 1e9).collect();
        let ratios: Vec<f64> = times.iter().zip(&cpu_ns[0]).map(|(&a, &b)| a as f64 / b.max(1) as f64).collect();
        let (s, r) = (spread(seconds), spread(ratios));
        println!(
            "{:10} cpu {:.3} s ({:.3}..{:.3}), {:.2} Mev/s, x{:.3} of {} ({:.3}..{:.3})",
            contender.name,
            s.median,
            s.least,
            s.most,
            events / s.median / 1e6,
            r.median,
            contenders[0].name,
            r.least,
            r.most,
        );
    }
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let median =
        if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2.0 } else { values[middle] };
    Spread { least: values[0], median, most: values[values.len() - 1] }
}

struct Args {
    peers: u32,
    days: u32,
    rounds: u32,
    only: Option<String>,
}

impl Args {
    /// # Panics
    ///
    /// If an argument is unknown, or its value out of range.
    fn parse() -> Args {
        let mut args = Args { peers: 10_000, days: 2, rounds: 1, only: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--bench" {
                continue; // Cargo's own.
            }
            let value = words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            let number = || value.parse().unwrap_or_else(|_| panic!("{word} needs a number, not {value}"));
            match word.as_str() {
                "--peers" => args.peers = number(),
                "--days" => args.days = number(),
                "--rounds" => args.rounds = number(),
                "--only" => args.only = Some(value),
                _ => panic!("{word} is none of --peers --days --rounds --only"),
            }
        }
        assert!((1..=model::PEERS_MAX).contains(&args.peers), "--peers is 1 to 2^25");
        assert!((1..1 << 14).contains(&args.days), "--days is 1 to 16383, for the draws' keys");
        assert!(args.rounds >= 1, "--rounds is 1 or more");
        args
    }
}
