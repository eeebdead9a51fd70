//! The record of verdicts among a result's files: written while a run goes on, read by a replay.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::rc::Rc;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use crate::report::verdicts::{self, Recorded};
use crate::scenario::Plan;
use crate::sim::Names;
use crate::validate::{Answer, Failure, Question, Validator, ValidatorMaker, Verdict};

/// Writes verdicts down as they come.
pub(super) struct VerdictsOut<'a> {
    names: Names<'a>,
    out: GzEncoder<BufWriter<File>>,
    line: String,
    failed: Option<io::Error>,
}

impl<'a> VerdictsOut<'a> {
    /// Begins a record in `file`.
    pub(super) fn new(plan: &'a Plan, file: File) -> VerdictsOut<'a> {
        let out = GzEncoder::new(BufWriter::with_capacity(1 << 16, file), Compression::fast());
        VerdictsOut { names: Names::new(plan), out, line: verdicts::head(plan), failed: None }
    }

    /// Whether a line could not be written: going on makes no sense.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Takes the next verdict.
    pub(super) fn take(&mut self, front_end: u16, question: &Question<'_>, verdict: &Verdict) {
        verdicts::put(&mut self.line, self.names.front_end(front_end), question, verdict);
        if self.failed.is_none() {
            self.failed = self.out.write_all(self.line.as_bytes()).err();
        }
        self.line.clear();
    }

    /// Ends it: all is with the system.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.out.write_all(self.line.as_bytes())?;
        self.out.finish()?.flush()
    }
}

/// A record that is read line by line.
struct Reading {
    from: BufReader<io::Take<GzDecoder<BufReader<File>>>>,
    front_ends: Vec<String>,
    line: Vec<u8>,
    taken: u64,
    stopped: Option<Stopped>,
}

/// Why a record is not read on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Stopped {
    /// It ends here; the question that it has no verdict for, in words.
    Ended(String),
    /// The question is not the one on record; both in words.
    Differs(String),
    /// It is damaged; in words.
    Damaged(String),
}

/// Repeats the verdicts on record, one for each question of all front ends.
#[derive(Clone)]
pub(super) struct VerdictsIn(Rc<RefCell<Reading>>);

/// Most bytes of a record that are read: what stands behind a file of some bytes may be huge.
const BYTES_MAX: u64 = 1 << 40;

impl VerdictsIn {
    /// Opens the record at `path`, of a run of `plan`.
    ///
    /// # Errors
    /// In words, why it cannot be read.
    pub(super) fn open(path: &Path, plan: &Plan) -> Result<VerdictsIn, String> {
        let file = File::open(path).map_err(|error| super::input::cause(&error))?;
        let from = BufReader::with_capacity(1 << 16, GzDecoder::new(BufReader::new(file)).take(BYTES_MAX));
        let front_ends = plan.front_ends.iter().map(|front_end| front_end.name.clone()).collect();
        let mut reading = Reading { from, front_ends, line: Vec::new(), taken: 0, stopped: None };
        if !reading.next_line()? {
            return Err("it is empty".to_owned());
        }
        verdicts::check_head(&reading.line)?;
        Ok(VerdictsIn(Rc::new(RefCell::new(reading))))
    }

    /// How many verdicts were taken from it.
    pub(super) fn taken(&self) -> u64 {
        self.0.borrow().taken
    }

    /// Why it was not read on.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.0.borrow().stopped.clone()
    }

    /// The next question on record that nobody has asked, in words.
    ///
    /// # Errors
    /// In words, why it cannot be read.
    pub(super) fn left(&self) -> Result<Option<String>, String> {
        let mut reading = self.0.borrow_mut();
        if !reading.next_line()? {
            return Ok(None);
        }
        Recorded::read(&reading.line).map(|recorded| Some(recorded.words()))
    }
}

impl ValidatorMaker for VerdictsIn {
    fn make(&self, front_end: usize, _incarnation: u32) -> Box<dyn Validator> {
        Box::new(Repeats { of: self.clone(), front_end })
    }
}

/// What a front end asks in a replay.
struct Repeats {
    of: VerdictsIn,
    front_end: usize,
}

impl Validator for Repeats {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        let mut reading = self.of.0.borrow_mut();
        reading.next(self.front_end, question).unwrap_or(Answer::Accept.into())
    }

    fn failure(&self) -> Option<Failure> {
        self.of.0.borrow().stopped.as_ref().map(|stopped| match stopped {
            Stopped::Ended(what) | Stopped::Differs(what) | Stopped::Damaged(what) => Failure::Differs(what.clone()),
        })
    }
}

impl Reading {
    /// The verdict on a question; `None`: the record is not read on.
    fn next(&mut self, front_end: usize, question: &Question<'_>) -> Option<Verdict> {
        if self.stopped.is_some() {
            return None;
        }
        let number = self.taken + 1;
        match self.verdict(front_end, question) {
            Ok(verdict) => {
                self.taken = number;
                Some(verdict)
            }
            Err(stopped) => {
                self.stopped = Some(stopped);
                None
            }
        }
    }

    fn verdict(&mut self, front_end: usize, question: &Question<'_>) -> Result<Verdict, Stopped> {
        let number = self.taken + 1;
        let damaged = |what| Stopped::Damaged(format!("line {} of {}: {what}", number + 1, verdicts::FILE));
        let is_there = self.next_line().map_err(damaged)?;
        let front_end = self.front_ends.get(front_end).map_or("?", String::as_str);
        if !is_there {
            return Err(Stopped::Ended(verdicts::words(front_end, question)));
        }
        let recorded = Recorded::read(&self.line).map_err(damaged)?;
        if !recorded.is_about(front_end, question) {
            let (now, then) = (verdicts::words(front_end, question), recorded.words());
            return Err(Stopped::Differs(format!(
                "question {number} is not the same:\n  now        {now}\n  on record  {then}"
            )));
        }
        recorded.verdict().map_err(damaged)
    }

    /// Reads the next line; whether there is one.
    fn next_line(&mut self) -> Result<bool, String> {
        self.line.clear();
        let max = verdicts::LINE_MAX as u64;
        let read = (&mut self.from).take(max).read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| format!("cannot be read: {error}"))?;
        if read > 0 && self.line.last() != Some(&b'\n') {
            return Err("has no end, or more bytes than a line has".to_owned());
        }
        Ok(read > 0)
    }
}
