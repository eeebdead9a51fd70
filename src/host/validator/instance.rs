//! One validator of one incarnation: its process, and the conversation with it.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::sync::{Arc, PoisonError};

use super::Shared;
use super::ended::{self, End};
use super::launch::NOT_STARTED;
use super::supervise::{Gone, How, Started, Supervisor};
use super::wire::{self, Hello, Lines, Next};
use crate::validate::{Answer, Failure, Question, Validator, Verdict};

/// A child process that judges for one incarnation of one front end.
pub(super) struct Instance {
    shared: Arc<Shared>,
    supervisor: Arc<Supervisor>,
    front_end: usize,
    incarnation: u32,
    /// `None`: it died, and is made anew if it is asked again.
    process: Option<Process>,
    hello: Option<Hello>,
    failure: Option<Failure>,
    /// The number of the question asked last.
    id: u64,
    line: Vec<u8>,
}

/// A process that said hello.
struct Process {
    started: Started,
    answers: Lines<PipeReader>,
    /// Bytes of questions that may be on their way at once.
    room: usize,
}

/// How many bytes a pipe takes while nobody reads, whatever the pieces in which it gets them.
fn room(pipe: &PipeWriter) -> usize {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(size) = rustix::pipe::fcntl_getpipe_size(pipe) {
        // Half: what was read in part keeps its page.
        return size / 2;
    }
    let _ = pipe;
    ROOM_LEAST
}

/// What POSIX promises of any pipe.
const ROOM_LEAST: usize = 512;

/// Why there is no line from a process.
enum NoLine {
    /// It closed its pipes, or is gone.
    Ended,
    /// In words that follow "it".
    Wrong(String),
}

/// Why there are no verdicts; both in words that follow "the validator …".
enum Failed {
    NotRun(String),
    Differs(String),
}

impl From<String> for Failed {
    fn from(what: String) -> Failed {
        Failed::NotRun(what)
    }
}

impl Instance {
    pub(super) fn new(
        shared: Arc<Shared>,
        supervisor: Arc<Supervisor>,
        front_end: usize,
        incarnation: u32,
    ) -> Instance {
        let (process, hello, failure) = (None, None, None);
        let mut instance =
            Instance { shared, supervisor, front_end, incarnation, process, hello, failure, id: 0, line: Vec::new() };
        match instance.start() {
            Ok(process) => instance.process = Some(process),
            Err(why) => instance.fail(&why, None),
        }
        instance
    }

    fn front_end(&self) -> &str {
        self.shared.front_ends.get(self.front_end).map_or("?", String::as_str)
    }

    /// Starts a process and takes its hello. An error follows "the validator …".
    fn start(&mut self) -> Result<Process, String> {
        let env = vec![
            ("REFRESH_SIM_PROTOCOL", wire::PROTOCOL.to_owned()),
            ("REFRESH_SIM_FRONT_END", self.front_end().to_owned()),
            ("REFRESH_SIM_INCARNATION", self.incarnation.to_string()),
        ];
        let started = self.supervisor.order(env).map_err(|error| format!("could not be started: {error}"))?;
        let answers =
            Lines::new(started.answers.try_clone().map_err(|error| format!("could not be started: {error}"))?);
        let room = room(&started.questions);
        let mut process = Process { started, answers, room };
        let hello = match process.wait_for_line() {
            Ok(line) => wire::hello(line)
                .map_err(|what| format!("said hello with a line that is none: {}: {what}", wire::shown(line)))?,
            Err(NoLine::Wrong(what)) => return Err(format!("{what} instead of its hello")),
            Err(NoLine::Ended) => {
                let Gone { how, said } = process.gone();
                return Err(match &how {
                    How::ItSelf(Ok(status)) if status.code() == Some(NOT_STARTED) => {
                        with("could not be started", &said)
                    }
                    _ => with(&format!("{} before its hello", self.ended(&how)), &said),
                });
            }
        };
        let version = if hello.version.is_empty() { String::new() } else { format!(" {}", hello.version) };
        let title = format!("{}, incarnation {}: {}{version}", self.front_end(), self.incarnation, hello.name);
        let mut log = self.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.add(title, Arc::clone(&process.started.said));
        drop(log);
        self.hello = Some(hello);
        Ok(process)
    }

    /// How an end reads that is no fault.
    fn ended(&self, how: &How) -> String {
        match how {
            How::ItSelf(Ok(status)) => match ended::of(*status) {
                End::Other(what) => what,
                End::Fault(_) => format!("ended ({status})"),
            },
            How::ItSelf(Err(error)) => format!("ended, nobody knows how: {error}"),
            How::Hung => format!("did not answer within {:?} of real time", self.shared.answer_limit),
            How::Deaf => "closed its descriptors and went on".to_owned(),
            How::Interrupted => "was still busy when an end was asked for".to_owned(),
            How::Unwanted => "was ended".to_owned(),
        }
    }

    fn fail(&mut self, what: &str, asked: Option<&Question<'_>>) {
        let Shared { name, .. } = &*self.shared;
        let about = asked.map_or_else(
            || format!(" (for {}, incarnation {})", self.front_end(), self.incarnation),
            |question| {
                let Question { name, at, phase, .. } = question;
                format!(
                    " (question {}: {} of {name} at {at}, {}, incarnation {})",
                    self.id,
                    phase.name(),
                    self.front_end(),
                    self.incarnation
                )
            },
        );
        // What it said comes last.
        let (what, said) =
            what.split_once('\n').map_or((what, String::new()), |(what, said)| (what, format!("\n{said}")));
        self.failure = Some(Failure::NotRun(format!("the validator `{name}` {what}{about}{said}")));
        self.process = None;
    }

    fn differs(&mut self, what: &str) {
        let (name, asked_by) = (&self.shared.name, self.front_end());
        self.failure = Some(Failure::Differs(format!("the validator `{name}` {what} ({asked_by})")));
        self.process = None;
    }

    /// Asks one question and waits for its answer. An error follows "the validator …".
    fn ask(&mut self, question: &Question<'_>) -> Result<Verdict, String> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => self.start()?,
        };
        let with_time = self.hello.as_ref().is_none_or(|hello| !hello.time_free);
        self.id += 1;
        self.line.clear();
        wire::put_question(&mut self.line, self.id, question, with_time);
        let verdict = match process.exchange(&self.line, false) {
            Ok(line) => self.read(self.id, line)?,
            Err(NoLine::Wrong(what)) => return Err(format!("{what} instead of an answer")),
            Err(NoLine::Ended) => return self.died(&process.gone()),
        };
        if process.answers.has_more() {
            return Err("answered more than it was asked: one line for each question".to_owned());
        }
        self.process = Some(process);
        Ok(verdict)
    }

    /// Asks the first of `questions`, as many as the pipe holds without anybody reading, and appends their verdicts.
    fn ask_some(&mut self, questions: &[Question<'_>], verdicts: &mut Vec<Verdict>) -> Result<(), Failed> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => self.start()?,
        };
        let with_time = self.hello.as_ref().is_none_or(|hello| !hello.time_free);
        let (first, room) = (self.id + 1, process.room);
        self.line.clear();
        let mut asked = 0;
        for (question, id) in questions.iter().zip(first..) {
            let before = self.line.len();
            wire::put_question(&mut self.line, id, question, with_time);
            if asked > 0 && self.line.len() > room {
                self.line.truncate(before);
                break;
            }
            asked += 1;
        }
        let mut next = process.exchange(&self.line, asked > 1);
        for nth in 0..asked {
            self.id = first + nth as u64;
            match next {
                Ok(line) => verdicts.push(self.read(self.id, line)?),
                Err(NoLine::Wrong(what)) => return Err(Failed::NotRun(format!("{what} instead of an answer"))),
                Err(NoLine::Ended) => {
                    let gone = process.gone();
                    return self.find_fault(&gone, &questions[nth..asked], verdicts);
                }
            }
            if nth + 1 == asked {
                break;
            }
            next = process.line(nth + 2 < asked);
        }
        if process.answers.has_more() {
            return Err(Failed::NotRun("answered more than it was asked: one line for each question".to_owned()));
        }
        self.process = Some(process);
        Ok(())
    }

    /// A process ended with questions open: asked one by one, they show which it was.
    fn find_fault(&mut self, gone: &Gone, open: &[Question<'_>], verdicts: &mut Vec<Verdict>) -> Result<(), Failed> {
        let verdict = self.died(gone)?;
        if let [_only] = open {
            verdicts.push(verdict);
            return Ok(());
        }
        for question in open {
            let verdict = self.ask(question)?;
            verdicts.push(verdict);
            if matches!(verdict.answer, Answer::Fault(_)) {
                return Ok(());
            }
        }
        let many = open.len();
        Err(Failed::Differs(format!(
            "is declared pure but died over {many} questions, each of which it answers when asked alone"
        )))
    }

    /// Reads the answer to question `id`.
    fn read(&self, id: u64, line: &[u8]) -> Result<Verdict, String> {
        let answered = wire::answer(line)
            .map_err(|what| format!("answered with a line that is no answer: {}: {what}", wire::shown(line)))?;
        if answered.id != id {
            return Err(format!(
                "answered question {} where question {id} was open: one answer for each question, in their order",
                answered.id
            ));
        }
        if let Some(text) = answered.text {
            self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).add_text(text);
        }
        Ok(answered.verdict)
    }

    /// The process ended over a question.
    fn died(&self, gone: &Gone) -> Result<Verdict, String> {
        let end = match &gone.how {
            How::ItSelf(Ok(status)) => ended::of(*status),
            how => End::Other(self.ended(how)),
        };
        match end {
            End::Fault(code) => Ok(Answer::Fault(code).into()),
            End::Other(what) => Err(with(&what, &gone.said)),
        }
    }
}

/// What happened, and on lines of their own what the process said last.
fn with(what: &str, said: &str) -> String {
    if said.is_empty() {
        return what.to_owned();
    }
    let lines: Vec<String> = said.lines().map(|line| format!("  it said: {line}")).collect();
    format!("{what}\n{}", lines.join("\n"))
}

impl Validator for Instance {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        if self.failure.is_none() {
            match self.ask(question) {
                Ok(verdict) => return verdict,
                Err(what) => self.fail(&what, Some(question)),
            }
        }
        Answer::Accept.into()
    }

    fn is_pure(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.pure)
    }

    fn ahead(&self) -> usize {
        self.hello.as_ref().map_or(1, |hello| hello.batch as usize)
    }

    fn judge_ahead(&mut self, questions: &[Question<'_>]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(questions.len());
        while self.failure.is_none() && verdicts.len() < questions.len() {
            let (got, open) = (verdicts.len(), &questions[verdicts.len()..]);
            if let Err(failed) = self.ask_some(open, &mut verdicts) {
                let about = questions.get(verdicts.len());
                match failed {
                    Failed::NotRun(what) => self.fail(&what, about),
                    Failed::Differs(what) => self.differs(&what),
                }
            }
            let is_over = verdicts.last().is_some_and(|verdict: &Verdict| matches!(verdict.answer, Answer::Fault(_)));
            if is_over || verdicts.len() == got {
                break;
            }
        }
        verdicts
    }

    fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }
}

impl Process {
    /// Sends questions and waits for the first line; `more` are to follow it.
    fn exchange(&mut self, lines: &[u8], more: bool) -> Result<&[u8], NoLine> {
        self.started.watched.turn(1);
        if self.started.questions.write_all(lines).is_err() {
            // What it wrote before it ended is still there.
            self.started.watched.is_closed();
        }
        self.line(more)
    }

    fn wait_for_line(&mut self) -> Result<&[u8], NoLine> {
        self.started.watched.turn(1);
        self.line(false)
    }

    /// Waits for a line; `more` are to follow it.
    fn line(&mut self, more: bool) -> Result<&[u8], NoLine> {
        let next = self.answers.next_line();
        // Even: nothing is awaited any more.
        self.started.watched.turn(if more { 2 } else { 1 });
        match next {
            Ok(Next::Line(line)) => Ok(line),
            Ok(Next::End) | Err(_) => Err(NoLine::Ended),
            Ok(Next::TooLong(head)) => {
                let (max, head) = (wire::LINE_MAX, wire::shown(head));
                Err(NoLine::Wrong(format!("sent a line of more than {max} bytes, {head},")))
            }
        }
    }

    /// Waits for the end of a process whose pipes are closed.
    fn gone(&self) -> Gone {
        self.started.watched.is_closed();
        let lost = |_| Gone { how: How::ItSelf(Err(io::Error::other("its supervisor is gone"))), said: String::new() };
        self.started.gone.recv().unwrap_or_else(lost)
    }
}
