//! The command line: its words, their help, and nothing of what they do.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use crate::import::Build;
use crate::scenario::{SEMANTICS, Setting};

static VERSION: LazyLock<String> = LazyLock::new(|| format!("{} (semantics {SEMANTICS})", env!("CARGO_PKG_VERSION")));

const EXIT_CODES: &str = "\
Exit codes: 0 pass; 1 an expectation failed, or a crash that no expectation mentions; 2 usage or bad input; \
3 inconclusive; 5 not deterministic; 8 results could not be written; 70 internal error; \
130, 143 interrupted.";

/// What `--version` and error reports say.
pub(super) fn version() -> &'static str {
    VERSION.as_str()
}

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
    /// Print the plan of a scenario: every default filled in, every assumption named
    Resolve(ResolveArgs),
    /// Print the JSON Schema of scenario files
    Schema,
    /// List the metrics that `[expect]` knows
    Metrics,
    /// Make a scenario of a real deployment's topology or inventory
    Import(ImportArgs),
    /// Say of a scenario or a topology, without running it, what will break, when, and what to do
    #[command(after_help = "Exit codes: 0 nothing will break; 1 something will; 2 usage or bad input.")]
    Lint(LintArgs),
    /// Say of a result what its crashing questions have in common, and which single change avoids the crash
    #[command(after_help = "Exit codes: 0 a change avoids the crash; 1 none does; 2 usage or bad input; \
4 no crash to diagnose; 5 the plan now decides otherwise.")]
    Diagnose(DiagnoseArgs),
    /// Run a scenario here and again in a second process made hostile on purpose; both must decide the same
    Selfcheck(SelfcheckArgs),
    /// The second process of `selfcheck`
    #[command(hide = true)]
    SelfcheckRun(SelfcheckRunArgs),
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
    /// Write no results folder
    #[arg(long, conflicts_with = "out")]
    pub(super) no_results: bool,
    /// Show progress on standard error even if that is not a terminal
    #[arg(long)]
    pub(super) progress: bool,
    /// For tests only: an internal error in the middle of the run
    #[arg(long, hide = true)]
    pub(super) test_panic: bool,
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
    /// Build of the front ends; one before 6.0.9319.235 has the validation that crashes [default: before it, assumed]
    #[arg(long, value_name = "BUILD")]
    pub(super) build: Option<Build>,
    /// Only this front-end pool and the applications that turn to it
    #[arg(long, value_name = "FQDN")]
    pub(super) pool: Option<String>,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, requires = "out")]
    pub(super) force: bool,
}

#[derive(Args, Debug)]
pub(super) struct InventoryArgs {
    /// The table
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
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
}

#[derive(Args, Debug)]
pub(super) struct SelfcheckRunArgs {
    #[command(flatten)]
    pub(super) changes: Changes,
    #[arg(long, value_name = "N")]
    pub(super) flip_decision: Option<u64>,
}

/// What changes a scenario beside its file.
#[derive(Args, Clone, Debug)]
pub(super) struct Changes {
    /// Set a value of the scenario, e.g. `run.horizon=7d`; repeatable
    #[arg(long, value_name = "PATH=VALUE", value_parser = setting)]
    pub(super) set: Vec<Setting>,
    /// Root of all draws, instead of the scenario's `run.seed`
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

impl Changes {
    /// All of them as settings, the seed last so that it wins.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let seed = self.seed.map(|seed| Setting { path: "run.seed".to_owned(), value: seed.to_string() });
        self.set.iter().cloned().chain(seed).collect()
    }
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
