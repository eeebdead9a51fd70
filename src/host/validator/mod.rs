//! Validators that are programs of the user's own: a child process for each incarnation of a front end.
//!
//! Knows the protocol and the processes. Knows no plan and no run. What a child does to itself is a fault of the front
//! end that asked it; what it does to the protocol ends the run.

mod ended;
mod instance;
pub mod launch;
mod supervise;
pub mod wire;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::signals::Interrupt;
use crate::validate::{Validator, ValidatorMaker};

use instance::Instance;
use supervise::{Said, Supervisor};

/// The program that judges, and how it is started.
#[derive(Clone, Debug)]
pub struct Program {
    /// This program's own file, which starts the user's.
    pub launcher: PathBuf,
    /// The user's program and its arguments; at least one word.
    pub words: Vec<OsString>,
    /// Its working directory.
    pub folder: PathBuf,
    /// Real time that an answer may take, and a hello.
    pub answer_limit: Duration,
}

/// Makes a child process for each incarnation of each front end.
#[derive(Debug)]
pub struct Children {
    shared: Arc<Shared>,
    /// Dropped last: its drop waits for all processes.
    _supervisor: Arc<Supervisor>,
}

/// What all instances share.
#[derive(Debug)]
struct Shared {
    /// The program as messages name it.
    name: String,
    answer_limit: Duration,
    front_ends: Vec<String>,
    log: Mutex<Log>,
}

/// What all processes of a run said.
#[derive(Debug, Default)]
struct Log {
    parts: Vec<(String, Arc<Mutex<Said>>)>,
    /// Processes whose words are not kept.
    untold: u64,
    /// Free texts of verdicts, and how often each came.
    texts: BTreeMap<String, u64>,
    /// Verdicts whose texts are not kept.
    texts_untold: u64,
}

/// Processes whose words are kept.
const PARTS_MAX: usize = 1000;
/// Bytes of all that is kept of what processes say.
const LOG_MAX: usize = 1024 * 1024;
/// Different texts of verdicts that are kept.
const TEXTS_MAX: usize = 100;

impl Children {
    /// Children of `program`; `front_ends` are the names by position. Whoever raises `interrupt` need not wait for an
    /// answer that does not come.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub fn new(program: Program, front_ends: Vec<String>, interrupt: &Interrupt) -> io::Result<Children> {
        let name = program.words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let name = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let answer_limit = program.answer_limit;
        let supervisor = Arc::new(Supervisor::start(program, interrupt.clone())?);
        let shared = Shared { name, answer_limit, front_ends, log: Mutex::default() };
        Ok(Children { shared: Arc::new(shared), _supervisor: supervisor })
    }

    /// Ends all processes and gives what they said, as a text of at most about a megabyte.
    pub fn close(self) -> String {
        let Children { shared, _supervisor: supervisor } = self;
        drop(supervisor);
        shared.log.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

impl ValidatorMaker for Children {
    fn make(&self, front_end: usize, incarnation: u32) -> Box<dyn Validator> {
        let (shared, supervisor) = (Arc::clone(&self.shared), Arc::clone(&self._supervisor));
        Box::new(Instance::new(shared, supervisor, front_end, incarnation))
    }
}

impl Log {
    fn add(&mut self, title: String, said: Arc<Mutex<Said>>) {
        if self.parts.len() < PARTS_MAX { self.parts.push((title, said)) } else { self.untold += 1 }
    }

    fn add_text(&mut self, text: String) {
        let has_room = self.texts.len() < TEXTS_MAX;
        match self.texts.get_mut(&text) {
            Some(count) => *count += 1,
            None if has_room => drop(self.texts.insert(text, 1)),
            None => self.texts_untold += 1,
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        for (title, said) in &self.parts {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            let room = LOG_MAX.saturating_sub(text.len()).min(said.kept.len());
            let lost = said.lost + (said.kept.len() - room) as u64;
            if room == 0 && lost == 0 {
                continue;
            }
            let _ = writeln!(text, "== {title}");
            text += &String::from_utf8_lossy(&said.kept[..room]);
            if !text.ends_with('\n') {
                text.push('\n');
            }
            if lost > 0 {
                let _ = writeln!(text, "== and {lost} bytes more, which are not kept");
            }
        }
        if self.untold > 0 {
            let _ = writeln!(text, "== and {} processes more, whose words are not kept", self.untold);
        }
        for (said, count) in &self.texts {
            let _ = writeln!(text, "== {count} verdicts with the text: {said}");
        }
        if self.texts_untold > 0 {
            let _ = writeln!(text, "== and {} verdicts with other texts, which are not kept", self.texts_untold);
        }
        if text.is_empty() { "== no process said anything\n".to_owned() } else { text }
    }
}
