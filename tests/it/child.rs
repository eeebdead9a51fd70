//! The other side of the tests of validators' processes: this very test binary, run again as a validator, honest or not.
//!
//! Cargo builds no helper for one test binary; so the test below is one, and does nothing where nobody asks for it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a validator says is its log")]

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The variable that says how the validator behaves.
pub(crate) const HOW: &str = "REFRESH_SIM_TEST_HOW";
/// The variable with the path of a file for its process id.
pub(crate) const PID_FILE: &str = "REFRESH_SIM_TEST_PID_FILE";

/// The variable with the path of a file to which each validator adds a line with its process id.
pub(crate) const PIDS_FILE: &str = "REFRESH_SIM_TEST_PIDS_FILE";

/// The words that make this binary a validator.
pub(crate) fn words() -> Vec<String> {
    let program = env::current_exe().expect("a path");
    let program = program.to_str().expect("UTF-8").to_owned();
    let test = format!("{}::a_validator_for_other_tests", module_path!().split_once("::").expect("a module").1);
    [program.as_str(), "--exact", test.as_str(), "--ignored", "--nocapture"].map(str::to_owned).to_vec()
}

/// A descriptor that the variable names. By its path, so that no unsafe code is needed.
fn descriptor(variable: &str) -> String {
    format!("/dev/fd/{}", env::var(variable).expect("the variable is set"))
}

struct Side {
    questions: BufReader<File>,
    answers: File,
    asked: u64,
}

impl Side {
    fn new() -> Side {
        let questions = File::open(descriptor("REFRESH_SIM_QUESTIONS")).expect("the questions");
        let answers = OpenOptions::new().write(true).open(descriptor("REFRESH_SIM_ANSWERS")).expect("the answers");
        Side { questions: BufReader::new(questions), answers, asked: 0 }
    }

    fn say(&mut self, line: &str) {
        // Nobody may listen any more.
        if self.answers.write_all(format!("{line}\n").as_bytes()).is_err() {
            std::process::exit(0);
        }
    }

    fn hello(&mut self, more: &str) {
        self.say(&format!(r#"{{"protocol":"refresh-sim.validator/1","name":"test"{more}}}"#));
    }

    /// The next question; the process ends with the questions.
    fn question(&mut self) -> Value {
        let mut line = String::new();
        if self.questions.read_line(&mut line).expect("read") == 0 {
            std::process::exit(0);
        }
        self.asked += 1;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn answer(&mut self, question: &Value) {
        let line = format!(r#"{{"id":{},{}}}"#, question["id"], verdict(question));
        self.say(&line);
    }

    fn answer_all(&mut self) -> ! {
        loop {
            let question = self.question();
            self.answer(&question);
        }
    }
}

/// The logic of the product before its fix.
fn verdict(question: &Value) -> &'static str {
    let state = question["certificate"]["state"].as_str();
    match (question["phase"].as_str(), question["transport"].as_str(), state) {
        (Some("refresh"), _, None) => r#""verdict":"fault","code":"0xc0000005""#,
        (Some("accept"), Some("tcp"), _) if question["address_known"] == true => r#""verdict":"accept""#,
        (Some("accept"), Some("tcp"), _) => r#""verdict":"reject","reason":"address-unknown""#,
        (_, _, Some("valid")) => r#""verdict":"accept""#,
        (_, _, Some("expired")) => r#""verdict":"reject","reason":"certificate-expired""#,
        (_, _, Some("wrong-name")) => r#""verdict":"reject","reason":"certificate-name""#,
        (_, _, Some(_)) => r#""verdict":"reject","reason":"certificate-untrusted""#,
        (_, _, None) => r#""verdict":"reject","reason":"certificate-missing""#,
    }
}

fn for_ever() -> ! {
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

/// A signal to this very process.
fn signal(name: &str) -> ! {
    // More than once: the first of some is taken for a stack overflow by Rust's own handler.
    let script = format!("while kill -{name} $PPID; do sleep 0.02; done");
    let _ = Command::new("sh").args(["-c", &script]).status();
    for_ever()
}

#[test]
#[ignore = "the other side of other tests, which start it"]
fn a_validator_for_other_tests() {
    let Ok(how) = env::var(HOW) else { return };
    if let Ok(path) = env::var(PID_FILE) {
        fs::write(path, std::process::id().to_string()).expect("written");
    }
    if let Ok(path) = env::var(PIDS_FILE) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opened");
        file.write_all(format!("{}\n", std::process::id()).as_bytes()).expect("written");
    }
    behave(&how);
}

fn behave(how: &str) {
    let mut side = Side::new();
    match how {
        "silent" => for_ever(),
        "ends before hello" => std::process::exit(3),
        "no hello" => {
            side.say("hello");
            for_ever();
        }
        "another version" => {
            side.say(r#"{"protocol":"refresh-sim.validator/9","name":"test"}"#);
            for_ever();
        }
        "loud" => {
            for _ in 0..20_000 {
                println!("a line on standard output, and not the last: {}", "x".repeat(100));
                eprintln!("a line on standard error, and not the last: {}", "x".repeat(100));
            }
        }
        _ => {}
    }
    side.hello(match how {
        "unstable" => r#","pure":true,"time_free":true"#,
        _ if how.starts_with("ahead") => r#","pure":true,"time_free":true,"batch":64"#,
        _ => "",
    });
    match how {
        "ahead" => side.answer_all(),
        "ahead, in a buffer" => in_a_buffer(&mut side),
        "ahead, dies of many" => dies_of_many(&mut side),
        "honest" | "loud" => side.answer_all(),
        "fixed" => fixed(&mut side, |_| false),
        // As what runs by the wall clock of a zone would.
        "by time zone" => fixed(&mut side, |asked| asked == 9 && env::var_os("TZ").is_some()),
        "texts" => loop {
            let question = side.question();
            let text = if question["transport"] == "tcp" { "a gateway" } else { "known\u{1b}[31m by name" };
            let line = serde_json::json!({ "id": question["id"], "verdict": "accept", "text": text });
            side.say(&line.to_string());
        },
        "costs" => loop {
            let question = side.question();
            let line = format!(
                r#"{{"id":{},{},"cost_ns":{},"wait_ns":{}}}"#,
                question["id"],
                verdict(&question),
                1_000_000 + side.asked,
                side.asked % 3
            );
            side.say(&line);
        },
        _ => {}
    }
    // The first few as they should be.
    for _ in 0..3 {
        let question = side.question();
        side.answer(&question);
    }
    let question = side.question();
    match how {
        "garbage" => side.say("hello, \u{1b}[31mworld"),
        "no text" => drop(side.answers.write_all(&[0xff, 0xfe, 0, b'\n'])),
        "flood" => loop {
            if side.answers.write_all(&[b'x'; 4096]).is_err() {
                std::process::exit(0);
            }
        },
        "deep" => side.say(&format!(r#"{{"id":{},"verdict":{}"#, question["id"], "[".repeat(60_000))),
        "long" => side.say(&"y".repeat(70_000)),
        "two answers" => {
            let line = format!(r#"{{"id":{},"verdict":"accept"}}"#, question["id"]);
            side.say(&format!("{line}\n{line}"));
        }
        "another question" => side.say(r#"{"id":77,"verdict":"accept"}"#),
        "misspelt" => side.say(&format!(r#"{{"id":{},"verdict":"accept","cost":3}}"#, question["id"])),
        "hang" => for_ever(),
        "exit 0" => std::process::exit(0),
        "exit 3" => {
            eprintln!("I give up");
            std::process::exit(3);
        }
        "panic" => {
            thread::spawn(|| drop(writeln!(std::io::stderr(), "a bug")));
            std::process::exit(101);
        }
        "abort" => std::process::abort(),
        "segmentation fault" => signal("SEGV"),
        "killed" => signal("KILL"),
        "unstable" => unstable(&mut side, &question),
        _ => panic!("nobody behaves like {how}"),
    }
    for_ever();
}

/// The logic of the product after its fix, but for questions of which the number `is_refused`.
fn fixed(side: &mut Side, is_refused: impl Fn(u64) -> bool) -> ! {
    loop {
        let mut question = side.question();
        if question["transport"] == "tcp" {
            // By its address alone, at refresh too.
            question["phase"] = "accept".into();
        }
        let verdict =
            if is_refused(side.asked) { r#""verdict":"reject","reason":"other""# } else { verdict(&question) };
        side.say(&format!(r#"{{"id":{},{verdict}}}"#, question["id"]));
    }
}

/// Writes its answers when there is nothing more to read, and dies of the 2015 bug with some of them unwritten.
fn in_a_buffer(side: &mut Side) -> ! {
    let mut answers = String::new();
    loop {
        let question = side.question();
        let verdict = verdict(&question);
        if verdict.contains("fault") {
            signal("SEGV");
        }
        answers += &format!("{{\"id\":{},{verdict}}}\n", question["id"]);
        if side.questions.buffer().is_empty() {
            side.answers.write_all(std::mem::take(&mut answers).as_bytes()).expect("written");
        }
    }
}

/// Aborts where several questions are open, and answers each that comes alone.
fn dies_of_many(side: &mut Side) -> ! {
    loop {
        let question = side.question();
        if !side.questions.buffer().is_empty() {
            std::process::abort();
        }
        side.answer(&question);
    }
}

/// Another answer each time.
fn unstable(side: &mut Side, first: &Value) -> ! {
    let mut question = first.clone();
    loop {
        let verdict = if side.asked.is_multiple_of(2) { r#""accept""# } else { r#""reject","reason":"other""# };
        let line = format!(r#"{{"id":{},"verdict":{verdict}}}"#, question["id"]);
        side.say(&line);
        question = side.question();
    }
}
