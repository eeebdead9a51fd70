//! The command line: its words, their help, and nothing of what they do.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use crate::import::{self, Build, Measured};
use crate::scenario::{self, SEMANTICS, Setting};
use crate::study::capacity;
use crate::time::Span;

use super::capacity::REPLICATIONS_MIN;
use super::compare::{How, REPLICATIONS_MAX, percentage};
use super::input;

static VERSION: LazyLock<String> = LazyLock::new(|| format!("{} (semantics {SEMANTICS})", env!("CARGO_PKG_VERSION")));

const EXIT_CODES: &str = "\
Exit codes: 0 pass; 1 an expectation failed, or a crash that no expectation mentions; 2 usage or bad input; \
3 inconclusive; 4 nothing ran; 5 not deterministic, or a replay differs; 6 regression; \
7 the validator could not be run; 8 results could not be written; 70 internal error; \
130, 143 interrupted.";

const AUDIT_EXIT_CODES: &str = "\
Exit codes: 0 all that can show here is caught; 1 something is not caught, or the scenario fails with its own logic; \
2 usage or bad input; 3 the scenario is inconclusive with its own logic; 4 nothing can show here; \
8 the output could not be written; 70 internal error; 130, 143 interrupted.";

/// What `--version` and error reports say.
pub(super) fn version() -> &'static str {
    VERSION.as_str()
}

/// Most decisions that a window shows: 16 MB of them, and some 150 MB of text.
pub(super) const LIMIT_MAX: u64 = 1_000_000;

const REPLAY_TIMES: &str = "\
A TIME is the time since the start of the run, e.g. 1d 2m 5.5s, or a date in UTC, e.g. 2015-07-12T15:34:47Z, where the \
run has one. What is shown fits all filters; of one that is repeated, one is enough.";

const EXPLAIN_TIME: &str = "\
A TIME is the time since the start of the run, e.g. 1d 2m 5.5s, or a date in UTC, e.g. 2015-07-12T15:34:47Z, where the \
run has one.";

#[derive(Parser, Debug)]
#[command(
    name = "refresh-sim",
    version = version(),
    about = "Runs day two today: front ends that refresh their connections every 24 hours, in virtual time",
    after_help = EXIT_CODES
)]
pub(super) struct CommandLine {
    /// Show diagnostics of the program itself on standard error
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(super) log: Option<Level>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run scenarios, one after the other, and judge what they expect
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// Run all scenarios that are found, and say which expectations hold
    #[command(after_help = EXIT_CODES)]
    Check(CheckArgs),
    /// Compare two sides by the same replications of both: scenarios, results folders or baselines
    #[command(after_help = EXIT_CODES)]
    Compare(CompareArgs),
    /// Say what a change to a scenario makes better and worse, and for whom
    #[command(after_help = EXIT_CODES)]
    Whatif(WhatifArgs),
    /// Baselines to compare with
    Baseline(BaselineArgs),
    /// Find how far a value can go while all that the scenario expects still holds
    #[command(after_help = EXIT_CODES)]
    Capacity(CapacityArgs),
    /// Run a scenario at many settings, and keep what each gave; what is there already does not run again
    #[command(after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
    Sweep(SweepArgs),
    /// Print the plan of a scenario: every default filled in, every assumption named
    Resolve(ResolveArgs),
    /// Print the JSON Schema of scenario files
    Schema,
    /// List the metrics that `[expect]` knows
    Metrics,
    /// Run a scenario with logic that is known to be bad, and list what its expectations do not catch
    #[command(after_help = AUDIT_EXIT_CODES)]
    Audit(AuditArgs),
    /// Run a result's plan again, without the validator whose verdicts are on record; it must decide the same
    #[command(after_help = REPLAY_TIMES)]
    Replay(ReplayArgs),
    /// Make a scenario of a real deployment's topology or inventory
    Import(ImportArgs),
    /// Say of a scenario or a topology, without running it, what will break, when, and what to do
    #[command(after_help = "Exit codes: 0 nothing will break; 1 something will; 2 usage or bad input.")]
    Lint(LintArgs),
    /// Say of a result what its crashing questions have in common, and which single change avoids the crash
    #[command(after_help = "Exit codes: 0 a change avoids the crash; 1 none does; 2 usage or bad input; \
4 no crash to diagnose; 5 the plan now decides otherwise.")]
    Diagnose(DiagnoseArgs),
    /// Say what led to a peer's state: why it waited, whom it waited behind, from a result's plan run again
    #[command(after_help = EXPLAIN_TIME)]
    Explain(ExplainArgs),
    /// Run a scenario here and again in a second process made hostile on purpose; both must decide the same
    Selfcheck(SelfcheckArgs),
    /// The second process of `selfcheck`
    #[command(hide = true)]
    SelfcheckRun(SelfcheckRunArgs),
    /// The first moments of a validator's process
    #[command(hide = true, name = crate::host::validator::launch::COMMAND)]
    ValidatorStart(ValidatorStartArgs),
}

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) changes: Changes,
    /// Results folder [default: results/runs/<scenario>]; with several files, the folder of their folders
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Detail of records.jsonl: `full` adds every decision, `window` those from 60 s before to 60 s after each crash
    #[arg(long, value_name = "DETAIL", default_value = "off")]
    pub(super) trace: Trace,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Which replication of the seed; another has other draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) replication: u32,
    /// Run so many replications, 0 to N-1, and put them together; those that are in the folder already are taken from there
    /// [default folder: results/replications/<scenario>]
    #[arg(long, value_name = "N", group = "many", conflicts_with_all = ["replication", "trace"], value_parser = clap::value_parser!(u32).range(1..=i64::from(REPLICATIONS_MAX)))]
    pub(super) replications: Option<u32>,
    /// Run replications, ten at a time, until the interval of each expectation's value is at most this share of its median
    /// wide; exit 3 if it never is
    #[arg(long, value_name = "SHARE", group = "many", conflicts_with_all = ["replication", "trace"], value_parser = percentage)]
    pub(super) until_width: Option<u64>,
    /// With --until-width: only the value of this expectation counts; repeatable [default: all that are numbers]
    #[arg(long, value_name = "NAME", requires = "until_width")]
    pub(super) width_of: Vec<String>,
    /// With --until-width: the most replications
    #[arg(long, value_name = "N", requires = "until_width", default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=i64::from(REPLICATIONS_MAX)))]
    pub(super) replications_max: u32,
    /// With replications: write their tables as Parquet too; in a build with the feature `parquet`
    #[arg(long, requires = "many", conflicts_with = "no_results")]
    pub(super) parquet: bool,
    #[command(flatten)]
    pub(super) jobs: Jobs,
    /// Write no results folder
    #[arg(long, conflicts_with = "out")]
    pub(super) no_results: bool,
    /// Show progress on standard error even if that is not a terminal
    #[arg(long)]
    pub(super) progress: bool,
    #[command(flatten)]
    pub(super) judge: Judge,
    /// For tests only: an internal error in the middle of the run
    #[arg(long, hide = true)]
    pub(super) test_panic: bool,
}

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Scenario files, and folders of which all `.toml` files are taken, those of their folders too
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Only scenarios whose path has this text in it; repeatable, one of them is enough
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Vec<String>,
    #[command(flatten)]
    pub(super) changes: Changes,
    /// Replications of each: runs with draws of their own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(REPLICATIONS_MAX)))]
    pub(super) replications: u32,
    #[command(flatten)]
    pub(super) jobs: Jobs,
    /// Write a JUnit file
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Write the summary as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// How the summary is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) judge: Judge,
    /// For tests only: an internal error in the middle of a run
    #[arg(long, hide = true)]
    pub(super) test_panic: bool,
}

#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    /// What was: a scenario, a results folder or a baseline (.json)
    #[arg(value_name = "A")]
    pub(super) a: PathBuf,
    /// What is: likewise
    #[arg(value_name = "B")]
    pub(super) b: PathBuf,
    /// Root of all draws, instead of the scenarios' `run.seed`
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) how: How,
}

#[derive(Args, Debug)]
pub(super) struct WhatifArgs {
    /// Scenario file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The change: a value of the scenario to set, e.g. `refresh.spread=1h`; repeatable
    #[arg(long, required_unless_present = "validator", value_name = "PATH=VALUE", value_parser = setting)]
    pub(super) set: Vec<Setting>,
    /// Take values from your own measurements on both sides: a table of percentiles with the columns input, percentile
    /// and value
    #[arg(long, value_name = "FILE", value_parser = measurements)]
    pub(super) calibrate: Option<Calibration>,
    /// Root of all draws on both sides, instead of the scenario's `run.seed`
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) how: How,
    /// The change, or a part of it: a program of your own that judges peers, and its arguments; takes all that follows,
    /// so give it last
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true)]
    pub(super) validator: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    pub(super) act: BaselineAct,
}

#[derive(Subcommand, Debug)]
pub(super) enum BaselineAct {
    /// Run a scenario and keep what it gives as right; the only command that writes a baseline
    #[command(after_help = EXIT_CODES)]
    Accept(AcceptArgs),
}

#[derive(Args, Debug)]
pub(super) struct AcceptArgs {
    /// Scenario file; nothing is written if it does not hold what it expects
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) changes: Changes,
    /// The baseline's file [default: beside the scenario, `.baseline.json` in place of its ending]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Replications [default: as many as the number of tests needs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(REPLICATIONS_MAX)))]
    pub(super) replications: Option<u32>,
    #[command(flatten)]
    pub(super) jobs: Jobs,
    #[command(flatten)]
    pub(super) judge: Judge,
}

#[derive(Args, Debug)]
pub(super) struct CapacityArgs {
    /// Scenario file; what its `[expect]` says has to hold
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// What is looked for, and from where to where: `front_end.workers=1..64`, `refresh.spread=0s..1h`, or
    /// `peers=100..5000` for all groups in their proportions; paths with `&` between get the same value
    ///
    /// Also `trigger=LOW..HIGH`, how long the front ends are away, and `outage=LOW..HIGH`, how long look-ups get no answer
    /// and the issuer makes no certificates. Given twice: for values of the first the limit of the second
    #[arg(long, value_name = "PATH=LOW..HIGH")]
    pub(super) find: Vec<String>,
    /// A ready question; `--find` says the same with another range
    #[arg(long, value_name = "QUESTION")]
    pub(super) ask: Option<Ask>,
    /// Only this expectation counts; repeatable [default: all]
    #[arg(long, value_name = "NAME")]
    pub(super) threshold: Vec<String>,
    /// Answer with so many front ends lost for good, too: each choice of them at up to three moments, of which the worst
    /// counts; 0 does not [default: 1 where there are several front ends]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(0..=16))]
    pub(super) with_down: Option<u32>,
    /// When the trigger or the outage begins [default: what suits the scenario, and is said]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(super) at: Option<Span>,
    /// With two --find: for how many values of the first, evenly over its range
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub(super) points: u32,
    /// How the five inputs are found that the answer depends on most: not at all, by a few replications, or by rule 32
    #[arg(long, value_name = "HOW", default_value = "screen")]
    pub(super) sensitivity: Depth,
    /// How finely [default: 1, or about a two-hundredth of the range]
    #[arg(long, value_name = "VALUE")]
    pub(super) step: Option<String>,
    #[command(flatten)]
    pub(super) changes: Changes,
    /// Replications of each value; fewer than 59 cannot show that one holds
    #[arg(long, value_name = "N", default_value_t = REPLICATIONS_MIN, value_parser = clap::value_parser!(u32).range(i64::from(REPLICATIONS_MIN)..=i64::from(REPLICATIONS_MAX)))]
    pub(super) replications: u32,
    #[command(flatten)]
    pub(super) jobs: Jobs,
    /// Write the curve as CSV: a row for each value that was looked at and each expectation
    #[arg(long, value_name = "FILE")]
    pub(super) curve: Option<PathBuf>,
    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Show progress on standard error even if that is not a terminal
    #[arg(long)]
    pub(super) progress: bool,
    #[command(flatten)]
    pub(super) judge: Judge,
}

/// Questions that planners ask.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// How many peers do the front ends carry, in today's proportions?
    Peers,
    /// How many workers, each with a core, does a front end need?
    Workers,
    /// How little spread of the refreshes is enough?
    Jitter,
    /// How many cores does a front end need for the workers that it has?
    Cores,
    /// How many peers may come at once before a SYN goes unanswered?
    Burst,
    /// How long may the issuer, or what validations look up, be away before something fails or certificates expire?
    Outage,
    /// Which load, or which absence of all front ends, leaves the system collapsed (metastable)?
    Trip,
}

impl Ask {
    /// It on the command line.
    pub(super) fn word(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What is asked.
    pub(super) fn question(self) -> capacity::Ask {
        match self {
            Ask::Peers => capacity::Ask::Peers,
            Ask::Workers => capacity::Ask::Workers,
            Ask::Cores => capacity::Ask::Cores,
            Ask::Jitter => capacity::Ask::Jitter,
            Ask::Burst => capacity::Ask::Burst,
            Ask::Outage => capacity::Ask::Outage,
            Ask::Trip => capacity::Ask::Trip,
        }
    }
}

/// How what an answer depends on is found.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Depth {
    /// It is not.
    None,
    /// By the majority of a few replications: a guess.
    Screen,
    /// By rule 32, as the answer itself; many runs.
    Full,
}

#[derive(Args, Debug)]
pub(super) struct SweepArgs {
    #[command(subcommand)]
    pub(super) act: Option<SweepAct>,
    /// Scenario file
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// What varies: `path=1,2,4`, `path=1..8`, `path=100ms..10s:5` (five values, evenly), `path=1..1000:log4`; paths with
    /// `&` between go together; repeatable
    #[arg(long, value_name = "PATH=VALUES")]
    pub(super) vary: Vec<String>,
    /// Take so many points of all, as a Latin hypercube, instead of every combination
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) samples: Option<u32>,
    /// Replications of each point: runs with draws of their own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(REPLICATIONS_MAX)))]
    pub(super) replications: u32,
    #[command(flatten)]
    pub(super) changes: Changes,
    /// The sweep's folder [default: results/sweeps/<scenario>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Run only part I (from 0) of N; `auto/N` takes I from HQ_TASK_ID, SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<String>,
    /// Write the tables as Parquet too; in a build with the feature `parquet`
    #[arg(long)]
    pub(super) parquet: bool,
    #[command(flatten)]
    pub(super) jobs: Jobs,
    /// Show progress on standard error even if that is not a terminal
    #[arg(long)]
    pub(super) progress: bool,
    #[command(flatten)]
    pub(super) judge: Judge,
}

#[derive(Subcommand, Debug)]
pub(super) enum SweepAct {
    /// Put the cells of several folders of one sweep together
    Merge(MergeArgs),
    /// Say which cells of a sweep are missing; exit 3 if some are
    Status(StatusArgs),
}

#[derive(Args, Debug)]
pub(super) struct MergeArgs {
    /// Folders that shards have written
    #[arg(required = true, value_name = "DIR")]
    pub(super) dirs: Vec<PathBuf>,
    /// The folder for all of them
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Write the tables as Parquet too; in a build with the feature `parquet`
    #[arg(long)]
    pub(super) parquet: bool,
}

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// A sweep's folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
}

/// How many runs are made at once.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Jobs {
    /// Runs at once; no result depends on it [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Jobs {
    /// As asked for, else one a core.
    pub(super) fn count(self) -> NonZeroUsize {
        self.jobs.unwrap_or_else(crate::host::threads::cores)
    }
}

#[derive(Args, Debug)]
pub(super) struct ResolveArgs {
    /// Scenario file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) changes: Changes,
}

#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    /// Scenario file; it must pass with its own logic
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) changes: Changes,
    /// Replications: runs with draws of their own; what is caught has to be caught in each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(REPLICATIONS_MAX)))]
    pub(super) replications: u32,
    #[command(flatten)]
    pub(super) jobs: Jobs,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Show progress on standard error even if that is not a terminal
    #[arg(long)]
    pub(super) progress: bool,
    #[command(flatten)]
    pub(super) judge: Judge,
}

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    pub(super) kind: ImportKind,
}

#[derive(Subcommand, Debug)]
pub(super) enum ImportKind {
    /// A topology document: `Get-CsTopology -AsXml`, Topology Builder's .tbxml, or the zip of `Export-CsConfiguration`
    Topology(TopologyArgs),
    /// A table (CSV) with the columns name, pool, address, transport, port, certificate
    Inventory(InventoryArgs),
}

#[derive(Args, Debug)]
pub(super) struct TopologyArgs {
    /// The document
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Only this front-end pool and the applications that turn to it
    #[arg(long, value_name = "FQDN")]
    pub(super) pool: Option<String>,
    #[command(flatten)]
    pub(super) scenario: Imported,
}

#[derive(Args, Debug)]
pub(super) struct InventoryArgs {
    /// The table
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) scenario: Imported,
}

/// The scenario that an import makes.
#[derive(Args, Debug)]
pub(super) struct Imported {
    /// Build of the front ends; one before 6.0.9319.235 has the validation that crashes [default: before it, assumed]
    #[arg(long, value_name = "BUILD")]
    pub(super) build: Option<Build>,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, requires = "out")]
    pub(super) force: bool,
}

#[derive(Args, Debug)]
pub(super) struct LintArgs {
    /// A scenario, or a topology document as `import topology` reads it
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) changes: Changes,
    /// Build of the front ends of a topology [default: before 6.0.9319.235, assumed]
    #[arg(long, value_name = "BUILD")]
    pub(super) build: Option<Build>,
    /// How findings are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
}

#[derive(Args, Debug)]
pub(super) struct DiagnoseArgs {
    /// Folder of a result
    #[arg(value_name = "RESULT")]
    pub(super) result: PathBuf,
    /// Diagnose a result that is not complete
    #[arg(long)]
    pub(super) incomplete: bool,
    /// How the diagnosis is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
}

#[derive(Args, Debug)]
pub(super) struct SelfcheckArgs {
    /// Scenario file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) changes: Changes,
    /// For tests only: the second process reports this decision (0 = the first) changed
    #[arg(long, hide = true, value_name = "N")]
    pub(super) flip_decision: Option<u64>,
    #[command(flatten)]
    pub(super) judge: Judge,
}

#[derive(Args, Debug)]
pub(super) struct SelfcheckRunArgs {
    #[command(flatten)]
    pub(super) changes: Changes,
    #[arg(long, value_name = "N")]
    pub(super) flip_decision: Option<u64>,
    /// Where the program runs that the scenario names
    #[arg(long, value_name = "DIR")]
    pub(super) validator_folder: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct ReplayArgs {
    /// Results folder
    #[arg(value_name = "RESULT")]
    pub(super) result: PathBuf,
    /// Show what is decided from this time on [default: the start of the run, if another filter is given]
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// Show what is decided up to this time [default: the end of the run, if another filter is given]
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Show what is decided about this peer, or the peers of this group; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) peer: Vec<String>,
    /// Show what is decided at this front end; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) front_end: Vec<String>,
    /// Most decisions that are shown
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX as i64))]
    pub(super) limit: u32,
    /// How it is printed; `json`: one decision a line
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Take a result that is not complete, too, and go as far as its record of verdicts does
    #[arg(long)]
    pub(super) incomplete: bool,
    /// Show progress on standard error even if that is not a terminal
    #[arg(long)]
    pub(super) progress: bool,
}

#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// Results folder
    #[arg(value_name = "RESULT")]
    pub(super) result: PathBuf,
    /// The peer: its group and index, e.g. `edge/17`, or its group where that has just one
    #[arg(long, value_name = "NAME")]
    pub(super) peer: String,
    /// When [default: the end of the run]
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    /// Take a result that is not complete, too, and go as far as its record of verdicts does
    #[arg(long)]
    pub(super) incomplete: bool,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Show progress on standard error even if that is not a terminal
    #[arg(long)]
    pub(super) progress: bool,
}

#[derive(Args, Debug)]
pub(super) struct ValidatorStartArgs {
    /// The process that it dies with
    pub(super) parent: u32,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) words: Vec<OsString>,
}

/// Who judges, instead of whom the scenario names.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Judge {
    /// A program of your own that judges peers, and its arguments; takes all that follows, so give it last
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true)]
    pub(super) validator: Vec<String>,
}

/// What changes a scenario beside its file.
#[derive(Args, Clone, Debug)]
pub(super) struct Changes {
    /// Set a value of the scenario, e.g. `run.horizon=7d`; repeatable
    #[arg(long, value_name = "PATH=VALUE", value_parser = setting)]
    pub(super) set: Vec<Setting>,
    /// Take values from your own measurements: a table of percentiles with the columns input, percentile and value
    #[arg(long, value_name = "FILE", value_parser = measurements)]
    pub(super) calibrate: Option<Calibration>,
    /// Root of all draws, instead of the scenario's `run.seed`
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

/// Measurements, read.
#[derive(Clone, Debug)]
pub(super) struct Calibration {
    /// Their file, as it was given.
    pub(super) file: String,
    /// What was measured.
    pub(super) measured: Vec<Measured>,
}

impl Changes {
    /// Paths whose values come from measurements.
    pub(super) fn measured(&self) -> Vec<String> {
        self.calibrate.iter().flat_map(|of| &of.measured).map(|measured| measured.path.clone()).collect()
    }

    /// All of them as settings: what was measured first and the seed last, so that the later win.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let seed = self.seed.map(|seed| Setting { path: "run.seed".to_owned(), value: seed.to_string() });
        let measured = self.calibrate.iter().flat_map(|of| &of.measured);
        let measured = measured.map(|measured| Setting { path: measured.path.clone(), value: measured.value() });
        measured.chain(self.set.iter().cloned()).chain(seed).collect()
    }
}

fn measurements(file: &str) -> Result<Calibration, String> {
    let opened = input::open(Path::new(file)).map_err(|error| error.to_string().replacen("error: ", "", 1))?;
    let measured = import::calibration(opened).map_err(|error| error.to_string())?;
    Ok(Calibration { file: file.to_owned(), measured })
}

fn length(text: &str) -> Result<Span, String> {
    scenario::length(text).ok_or_else(|| "expected a length of time with its unit, e.g. 90m".to_owned())
}

fn setting(text: &str) -> Result<Setting, String> {
    match text.split_once('=') {
        Some((path, value)) if !path.trim().is_empty() => {
            Ok(Setting { path: path.to_owned(), value: value.to_owned() })
        }
        _ => Err("expected path=value, e.g. run.horizon=7d".to_owned()),
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trace {
    Off,
    Window,
    Full,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> LevelFilter {
        match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        }
    }
}
