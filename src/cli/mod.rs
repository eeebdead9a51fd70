//! The command line: reads files, runs what is asked for, prints, writes results, gives an exit code.
//!
//! The only place that names clap, that prints, and that touches files. Knows no rule of the simulation.

mod args;
mod audit;
mod capacity;
mod cells;
mod check;
mod compare;
mod diagnose;
pub mod exit;
mod explain;
mod find;
mod import;
mod input;
mod junit;
mod keeper;
mod lint;
mod outside;
mod panics;
mod parting;
mod print;
mod progress;
mod replay;
mod replications;
mod results;
mod run;
mod selfcheck;
mod stored;
mod streams;
mod sweep;
mod trace;
mod verdicts;
mod watch;
mod whole;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::LevelFilter;

use crate::host::signals::Interrupt;
use crate::measure::{Figure, Metric, Signal};
use crate::scenario;

use args::{BaselineAct, Command, CommandLine, Level, ResolveArgs};
use exit::Exit;
use input::Input;
use print::{Printer, complain};

/// The program.
pub fn main() -> ExitCode {
    panics::install_hook();
    ExitCode::from(panics::guarded("the command line", dispatch).code())
}

fn dispatch() -> Exit {
    let mut printer = Printer::default();
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) if error.use_stderr() => {
            complain(&error.render().to_string());
            return Exit::BadInput;
        }
        Err(help) => return printed(printer.print(&help.render().to_string())),
    };
    start_log(line.log);
    match line.command {
        Command::Run(args) => run::run(&args, &listen(), &mut printer),
        Command::Check(args) => check::check(&args, &listen(), &mut printer),
        Command::Compare(args) => compare::compare(&args, &listen(), &mut printer),
        Command::Whatif(args) => compare::whatif(&args, &listen(), &mut printer),
        Command::Baseline(args) => match args.act {
            BaselineAct::Accept(args) => compare::accept(&args, &listen(), &mut printer),
        },
        Command::Capacity(args) => capacity::capacity(&args, &listen(), &mut printer),
        Command::Sweep(args) => sweep::sweep(&args, &listen(), &mut printer),
        Command::Resolve(args) => resolve(&args, &mut printer),
        Command::Schema => printed(printer.print(&format!("{:#}", scenario::schema()))),
        Command::Metrics => printed(printer.print(&metrics())),
        Command::Audit(args) => audit::audit(&args, &listen(), &mut printer),
        Command::Replay(args) => replay::replay(&args, &listen(), &mut printer),
        Command::Import(args) => import::import(&args, &mut printer),
        Command::Lint(args) => lint::lint(&args, &mut printer),
        Command::Diagnose(args) => diagnose::diagnose(&args, &listen(), &mut printer),
        Command::Explain(args) => explain::explain(&args, &listen(), &mut printer),
        Command::Selfcheck(args) => selfcheck::selfcheck(&args, &listen(), &mut printer),
        Command::SelfcheckRun(args) => selfcheck::second_process(&args),
        Command::ValidatorStart(args) => outside::become_validator(&args),
    }
}

fn printed(result: Result<(), Exit>) -> Exit {
    result.err().unwrap_or(Exit::Pass)
}

fn start_log(level: Option<Level>) {
    let Some(level) = level else { return };
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(level))
        .with_writer(std::io::stderr)
        .without_time()
        .with_ansi(false)
        .init();
}

fn listen() -> Interrupt {
    Interrupt::listen().unwrap_or_else(|error| {
        complain(&format!("warning: cannot listen to signals ({error}): Ctrl-C will leave no results"));
        Interrupt::default()
    })
}

fn resolve(args: &ResolveArgs, printer: &mut Printer) -> Exit {
    match Input::load(&args.file, &args.changes) {
        Ok(input) => printed(printer.print(&scenario::render(&input.plan))),
        Err(error) => {
            complain(&error.to_string());
            Exit::BadInput
        }
    }
}

/// The registry, one metric a line.
fn metrics() -> String {
    let latencies = Metric::ALL.iter().map(|metric| (metric.name(), metric.about()));
    let figures = Figure::ALL.iter().map(|figure| (figure.name(), figure.about()));
    let signals = Signal::ALL.iter().map(|signal| (signal.name(), signal.about()));
    let all = latencies.clone().chain(figures.clone()).chain(signals.clone());
    let width = all.map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = "Latencies (pNN, min, max, mean, count; tags: group, transport, cause):\n".to_owned();
    latencies.for_each(|(name, about)| text += &format!("  {name:width$}  {about}\n"));
    text += "\nFigures (value):\n";
    figures.for_each(|(name, about)| text += &format!("  {name:width$}  {about}\n"));
    text += "\nLooked at every `measure.sample` (always, never, sometimes, eventually):\n";
    signals.for_each(|(name, about)| text += &format!("  {name:width$}  {about}\n"));
    text
}
