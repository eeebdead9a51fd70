//! What a validator's process costs, against a bare echo of the same bytes (docs/performance.md has the figures).

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::reading::read;
use refresh_sim::host::signals::Interrupt;
use refresh_sim::host::validator::{Children, Program, wire};
use refresh_sim::scenario::Plan;
use refresh_sim::sim::{Unwatched, run, run_with};
use refresh_sim::validate::{Builtin, Question, Validator, ValidatorMaker, Verdict};

/// Everybody connects to a front end that is starting, and is refreshed once, at the same instant.
const SCENARIO: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "25h"
[refresh]
every = "24h"
[validation]
validator = "sfb2015-cu2"
[[group]]
name = "application"
count = 100000
transport = "tls"
"#;
const ROUNDS: usize = 9;

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn now() -> Instant {
    Instant::now()
}

/// Writes down what a process would be asked.
struct Lines(Rc<RefCell<Asked>>);

#[derive(Default)]
struct Asked {
    questions: u64,
    lines: Vec<u8>,
}

impl Validator for Lines {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        let mut asked = self.0.borrow_mut();
        asked.questions += 1;
        let id = asked.questions;
        wire::put_question(&mut asked.lines, id, question, false);
        Builtin::Sfb2015Cu2.answer(question).into()
    }
}

fn compiled(folder: &Path, batch: u32) -> Option<PathBuf> {
    let program = folder.join(format!("validator-{batch}"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/validator.c");
    let define = format!("-DBATCH={batch}");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-DFIXED", &define, "-o"]).arg(&program).arg(source);
    cc.status().is_ok_and(|status| status.success()).then_some(program)
}

/// Each line to the program and its answer back, and nothing else.
fn bare(program: &Path, lines: &[u8]) -> Duration {
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.env("REFRESH_SIM_QUESTIONS", "0").env("REFRESH_SIM_ANSWERS", "1");
    let mut child = command.spawn().expect("it starts");
    let mut questions = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut answer = Vec::new();
    answers.read_until(b'\n', &mut answer).expect("hello");
    let begun = now();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        questions.write_all(line).expect("written");
        answer.clear();
        answers.read_until(b'\n', &mut answer).expect("an answer");
    }
    let took = begun.elapsed();
    drop(questions);
    child.wait().expect("it ends");
    took
}

/// A whole run, processes started and ended.
fn simulated(plan: &Plan, program: &Path, digest: Option<&String>) -> Duration {
    let program = Program {
        launcher: PathBuf::from(env!("CARGO_BIN_EXE_refresh-sim")),
        words: vec![program.into()],
        folder: PathBuf::from("."),
        answer_limit: Duration::from_secs(10),
    };
    let begun = now();
    let children = Children::new(program, vec!["fe01".to_owned()], &Interrupt::default()).expect("a thread");
    let outcome = run_with(plan, &children, &mut Unwatched).expect("it runs");
    drop(children);
    let took = begun.elapsed();
    assert_eq!(outcome.digest.as_ref(), digest);
    took
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
#[ignore = "long: a measurement, for an idle machine"]
fn lock_step_costs_at_most_twice_a_bare_echo_and_asked_ahead_at_most_half_of_lock_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let (Some(one), Some(many)) = (compiled(folder.path(), 1), compiled(folder.path(), 256)) else {
        println!("skipped: there is no `cc`");
        return;
    };
    let plan = read(SCENARIO);
    let asked = Rc::new(RefCell::new(Asked::default()));
    struct Maker(Rc<RefCell<Asked>>);
    impl ValidatorMaker for Maker {
        fn make(&self, _front_end: usize, _incarnation: u32) -> Box<dyn Validator> {
            Box::new(Lines(Rc::clone(&self.0)))
        }
    }
    let digest = run_with(&plan, &Maker(Rc::clone(&asked)), &mut Unwatched).expect("it runs").digest;
    let Asked { questions, lines } = asked.take();
    assert!(questions >= 200_000, "{questions}");
    let (mut built_in, mut echo, mut step, mut ahead) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = now();
        run(&plan, &mut Unwatched).expect("it runs");
        built_in.push(begun.elapsed());
        echo.push(bare(&one, &lines));
        step.push(simulated(&plan, &one, digest.as_ref()));
        ahead.push(simulated(&plan, &many, digest.as_ref()));
    }
    let ratio = |a: &[Duration], b: &[Duration]| {
        let mut ratios: Vec<f64> = a.iter().zip(b).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    };
    let (to_echo, to_step) = (ratio(&step, &echo), ratio(&ahead, &step));
    for (what, times) in
        [("built in", &mut built_in), ("bare echo", &mut echo), ("lock step", &mut step), ("ahead", &mut ahead)]
    {
        let median = median(times);
        println!(
            "{what:10} {:8.3} s  {:6.2} us a question",
            median.as_secs_f64(),
            median.as_secs_f64() * 1e6 / questions as f64
        );
    }
    println!("lock step / bare echo {to_echo:.2}, asked ahead / lock step {to_step:.2} (medians of {ROUNDS})");
    assert!(to_echo <= 2.0, "{to_echo}");
    assert!(to_step <= 0.5, "{to_step}");
}
