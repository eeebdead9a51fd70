//! `refresh-sim selfcheck`: the same run here and in a second process that is made hostile on purpose.
//!
//! Everything that must not matter is different there: locale, time zone, working directory, size of the environment,
//! numbers of threads, stack, the program's name. Both sides' decisions are compared as they come.

use std::ffi::OsString;
use std::io::{self, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::host::child::{self, Ended, Order};
use crate::host::signals::Interrupt;
use crate::measure::{Decision, Outcome};
use crate::scenario::Plan;
use crate::sim::{RunError, Watch};
use crate::time::Time;

use super::args::{SelfcheckArgs, SelfcheckRunArgs};
use super::exit::Exit;
use super::input::{self, Input};
use super::outside;
use super::print::{Printer, complain};
use super::run::not_run;
use super::streams::{CHUNKS, Compare, END, Passing};

/// Variables of the second process that must not matter.
const HOSTILE: [(&str, &str); 10] = [
    ("LC_ALL", "tr_TR.UTF-8"),
    ("LANG", "ar_EG.UTF-8"),
    ("LANGUAGE", "tr:ar"),
    ("TZ", "Pacific/Chatham"),
    ("RAYON_NUM_THREADS", "3"),
    ("TOKIO_WORKER_THREADS", "7"),
    ("RUST_MIN_STACK", "33554432"),
    ("MALLOC_PERTURB_", "165"),
    ("MALLOC_ARENA_MAX", "1"),
    ("COLUMNS", "17"),
];
/// The environment is made larger by this many variables of this many bytes: 200 kB in all.
const BLOAT: (usize, usize) = (100, 2_000);
/// Stack of the second process's simulation; this side has the usual 2 MiB.
const STACK: usize = 48 * 1024 * 1024;
/// Most that the second process takes as a scenario: what a file may have, and a bit.
const TEXT_MAX: u64 = 17 * 1024 * 1024;

/// Checks one scenario.
pub(super) fn selfcheck(args: &SelfcheckArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let input = match Input::load_with(&args.file, &args.changes, &args.judge.validator) {
        Ok(input) => input,
        Err(error) => {
            complain(&error.to_string());
            return Exit::BadInput;
        }
    };
    super::panics::guarded(&input.shown, || {
        let order = match order(args, &input) {
            Ok(order) => order,
            Err(error) => {
                complain(&format!("error: cannot find what a second process needs: {error}"));
                return Exit::Inconclusive;
            }
        };
        both(&input, &order, interrupt, printer)
    })
}

fn order(args: &SelfcheckArgs, input: &Input) -> io::Result<Order> {
    let mut words: Vec<OsString> = vec!["selfcheck-run".into()];
    for setting in args.changes.settings() {
        words.push(format!("--set={}={}", setting.path, setting.value).into());
    }
    if let Some(setting) = outside::setting(&args.judge.validator) {
        words.push(format!("--set={}={}", setting.path, setting.value).into());
    }
    if let Some(outside) = &input.plan.outside {
        // The other side begins elsewhere.
        let folder = if outside.folder.as_os_str().is_empty() { Path::new(".") } else { &outside.folder };
        words.extend(["--validator-folder".into(), std::path::absolute(folder)?.into()]);
    }
    words.extend(args.flip_decision.map(|n| format!("--flip-decision={n}").into()));
    let mut env: Vec<_> = HOSTILE.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    env.extend((0..BLOAT.0).map(|n| (format!("REFRESH_SIM_BLOAT_{n}"), "x".repeat(BLOAT.1))));
    let mut text = (input.text.len() as u64).to_le_bytes().to_vec();
    text.extend_from_slice(&input.text);
    Ok(Order {
        program: std::env::current_exe()?,
        called: "another name, with a space".into(),
        args: words,
        env,
        dir: PathBuf::from("/"),
        input: text,
    })
}

/// Runs both sides and says what came of it.
fn both(input: &Input, order: &Order, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let (send, receive) = sync_channel(CHUNKS);
    let mut compare = Compare::new(receive);
    let stop = interrupt.child();
    let (here, there) = thread::scope(|scope| {
        let here = thread::Builder::new().spawn_scoped(scope, || {
            let mut watch = Passing::new(interrupt, send);
            let outcome = outside::run(&input.plan, &stop, &mut watch);
            watch.finish();
            outcome
        });
        let there = child::stream(order, interrupt, &mut |bytes| compare.take(bytes));
        // Whoever still sends learns from this that nobody listens.
        let (difference, digest) = (compare.difference().cloned(), compare.digest());
        drop(compare);
        if difference.is_some() {
            stop.raise();
        }
        (here.map(thread::ScopedJoinHandle::join), there.map(|ended| (ended, difference, digest)))
    });
    if let Some(signal) = interrupt.signal() {
        return signal.into();
    }
    let here = match here {
        Ok(Ok(Ok(outcome))) => outcome,
        Ok(Ok(Err(error))) => return outside::ended(&input.shown, &error, interrupt),
        Ok(Err(_panic)) => return Exit::Internal,
        Err(error) => return inconclusive(&format!("cannot start a thread: {error}")),
    };
    match there {
        Ok((_, Some(difference), _)) => {
            let text = format!("{}: not deterministic: {}", input.shown, difference.text(&input.plan));
            Exit::worst([Exit::NotDeterministic, printer.print(&text).err().unwrap_or(Exit::Pass)])
        }
        Ok((ended, None, digest)) => ended_alike(input, &here, &ended, digest, printer),
        Err(error) => inconclusive(&error.to_string()),
    }
}

fn inconclusive(why: &str) -> Exit {
    complain(&format!("error: {why}"));
    Exit::Inconclusive
}

/// No decision was different: what remains are the digests, if both have one.
fn ended_alike(input: &Input, here: &Outcome, ended: &Ended, there: Option<String>, printer: &mut Printer) -> Exit {
    let status = match ended {
        Ended::ItSelf { status, complaints } if !status.success() => Some((status, complaints)),
        _ => None,
    };
    let (Some(here_digest), Some(there), None) = (&here.digest, there, status) else {
        let why = status.map_or_else(|| "without a digest".to_owned(), |(s, text)| format!("with {s}\n{text}"));
        let same = |exit: &Exit| status.is_some_and(|(status, _)| status.code() == Some(i32::from(exit.code())));
        let exit = [Exit::Internal, Exit::NoValidator, Exit::NotDeterministic].into_iter().find(same);
        return Exit::worst([inconclusive(&format!("the second process ended {why}")), exit.unwrap_or(Exit::Pass)]);
    };
    let file = &input.shown;
    let (exit, text) = if *here_digest == there {
        let text = format!(
            "{file}: {} decisions and the final counts are the same here and in a second process with another locale, \
             time zone, working directory, environment, stack and name\ndigest: {there}\nnot claimed: wall time, \
             memory, the compressed bytes of latency.hlog\n",
            here.decisions,
        );
        (Exit::Pass, text)
    } else {
        let text = format!(
            "{file}: not deterministic: all {} decisions are the same, but not the final counts\n  here   digest \
             {here_digest}\n  there  digest {there}\n",
            here.decisions,
        );
        (Exit::NotDeterministic, text)
    };
    Exit::worst([exit, printer.print(&text).err().unwrap_or(Exit::Pass)])
}

/// The second process: reads a scenario from standard input, writes its decisions and digest to standard output. Ends
/// when the first one does, whose end closes both.
pub(super) fn second_process(args: &SelfcheckRunArgs) -> Exit {
    let mut stdin = io::stdin();
    let text = match framed(&mut stdin) {
        Ok(text) => text,
        Err(error) => {
            complain(&format!("error: no scenario on standard input: {error}; this command is for selfcheck alone"));
            return Exit::BadInput;
        }
    };
    if let Err(error) = child::exit_with_parent(stdin) {
        return inconclusive(&format!("cannot start a thread: {error}"));
    }
    let mut plan = match input::plan("selfcheck", "the scenario of selfcheck", &text, &args.changes.settings()) {
        Ok(plan) => plan,
        Err(error) => {
            complain(&error.to_string());
            return Exit::BadInput;
        }
    };
    if let (Some(outside), Some(folder)) = (&mut plan.outside, &args.validator_folder) {
        outside.folder.clone_from(folder);
    }
    let flip = args.flip_decision;
    let simulation = thread::Builder::new().stack_size(STACK).spawn(move || write_decisions(&plan, flip));
    match simulation.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => Exit::Pass,
        Ok(Ok(Err(Unwritten::Run(error)))) => not_run("the scenario of selfcheck", &error),
        Ok(Ok(Err(Unwritten::Output(error)))) => {
            complain(&format!("error: cannot write decisions: {error}"));
            Exit::NotWritten
        }
        Ok(Err(_panic)) => Exit::Internal,
        Err(error) => inconclusive(&format!("cannot start a thread: {error}")),
    }
}

/// A text with its length before it, so that standard input can stay open behind it.
fn framed(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > TEXT_MAX {
        return Err(io::Error::other(format!("it says that it has {length} bytes")));
    }
    let mut text = Vec::new();
    input.take(length).read_to_end(&mut text)?;
    if text.len() as u64 == length { Ok(text) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
}

/// Why the second process has not written all.
enum Unwritten {
    Run(RunError),
    Output(io::Error),
}

fn write_decisions(plan: &Plan, flip: Option<u64>) -> Result<(), Unwritten> {
    let mut watch = Writing { out: BufWriter::with_capacity(1 << 16, io::stdout()), flip, index: 0, failed: None };
    let outcome = outside::run(plan, &Interrupt::default(), &mut watch).map_err(Unwritten::Run)?;
    let Writing { mut out, failed, .. } = watch;
    if let Some(error) = failed {
        return Err(Unwritten::Output(error));
    }
    let digest = outcome.digest.unwrap_or_default();
    let end = out.write_all(&END).and_then(|()| writeln!(out, "{digest}")).and_then(|()| out.flush());
    end.map_err(Unwritten::Output)
}

/// Writes decisions to standard output.
struct Writing {
    out: BufWriter<io::Stdout>,
    flip: Option<u64>,
    index: u64,
    failed: Option<io::Error>,
}

impl Watch for Writing {
    fn progress(&mut self, _at: Time, _steps: u64) -> ControlFlow<()> {
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        let mut bytes = decision.bytes();
        if self.flip == Some(self.index) {
            bytes[13] ^= 1;
        }
        self.index += 1;
        if self.failed.is_none() {
            self.failed = self.out.write_all(&bytes).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_whole_or_not_at_all() {
        let frame = [&3u64.to_le_bytes()[..], b"abcd"].concat();
        assert_eq!(framed(&mut frame.as_slice()).expect("whole"), b"abc");
        assert!(framed(&mut &frame[..10]).is_err());
        assert!(framed(&mut &[0xff; 20][..]).is_err());
    }
}
