//! The thread that starts validators' processes, reads what they say, and sees to it that each of them ends.
//!
//! Knows processes and their log. The questions and answers go past it, over blocking pipes between the simulation and
//! the child; of them it knows only whether an answer is awaited.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc as orders, oneshot};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::Program;
use super::launch::COMMAND;
use crate::host::signals::Interrupt;

/// Bytes kept of what one process says.
const SAID_MAX: usize = 64 * 1024;
/// How long a process may go on when its part is over: it sees its questions end.
const GRACE: Duration = Duration::from_secs(1);
/// How long an answer may take once somebody has asked for an end.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// How long the log of a dead process is waited for, in case somebody else holds it open.
const LOG_PATIENCE: Duration = Duration::from_millis(200);
/// How often the supervisor looks at a process: a part of the shortest limit.
const LOOKS: u32 = 5;
/// The longest time between two looks.
const LOOK_MAX: Duration = Duration::from_millis(100);

/// Whether the simulation waits for an answer; written by it, read here.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Goes up by one when a question goes out and by one when its answer is in: odd while one is awaited.
    turns: AtomicU64,
    /// The pipes are closed from the child's side.
    closed: AtomicBool,
}

impl Watched {
    /// The simulation begins or ends to wait, or has got one of the answers that it waits for.
    #[inline]
    pub(super) fn turn(&self, by: u64) {
        self.turns.fetch_add(by, Ordering::Relaxed);
    }

    /// Nothing more will come: the process should be gone.
    pub(super) fn is_closed(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// How a process ended.
#[derive(Debug)]
pub(super) enum How {
    /// Of its own accord.
    ItSelf(io::Result<ExitStatus>),
    /// It was killed, for an answer took too long.
    Hung,
    /// It was killed, for it had closed its pipes and went on.
    Deaf,
    /// It was killed, for somebody had asked for an end.
    Interrupted,
    /// It was killed, for it did not end when its part was over.
    Unwanted,
}

/// The end of a process.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) how: How,
    /// The last lines of what it said.
    pub(super) said: String,
}

/// What a process said on its standard output and error.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The beginning of it.
    pub(super) kept: Vec<u8>,
    /// Bytes beyond that.
    pub(super) lost: u64,
}

/// A process that runs, as the simulation sees it. Dropped, the process is told to end by the end of its questions.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) questions: PipeWriter,
    pub(super) answers: PipeReader,
    pub(super) watched: Arc<Watched>,
    pub(super) said: Arc<Mutex<Said>>,
    pub(super) gone: mpsc::Receiver<Gone>,
    /// Dropping it tells the supervisor.
    _wanted: oneshot::Sender<()>,
}

/// What the supervisor is asked to start.
struct Order {
    env: Vec<(&'static str, String)>,
    reply: mpsc::Sender<io::Result<Started>>,
}

/// The supervisor's thread, for as long as anybody may order something.
#[derive(Debug)]
pub(super) struct Supervisor {
    orders: Option<orders::UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    pub(super) fn start(program: Program, interrupt: Interrupt) -> io::Result<Supervisor> {
        let (send, receive) = orders::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The processes die with the thread that started them: it must be one that stays.
        let serve = move || runtime.block_on(serve(&program, &interrupt, receive));
        let thread = thread::Builder::new().name("validators".to_owned()).spawn(serve)?;
        Ok(Supervisor { orders: Some(send), thread: Some(thread) })
    }

    /// Starts a process with more variables.
    pub(super) fn order(&self, env: Vec<(&'static str, String)>) -> io::Result<Started> {
        let gone = || io::Error::other("the thread that starts validators is gone");
        let (reply, replied) = mpsc::channel();
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send(Order { env, reply }).map_err(|_| gone())?;
        replied.recv().map_err(|_| gone())?
    }
}

/// All processes are gone when this is.
impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(Err(_panic)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that starts validators panicked");
        }
    }
}

async fn serve(program: &Program, interrupt: &Interrupt, mut orders: orders::UnboundedReceiver<Order>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { break };
                // Whoever ordered waits; one that does not wants no process.
                let _ = order.reply.send(start(program, interrupt, &order.env, &mut running));
            }
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

fn start(
    program: &Program,
    interrupt: &Interrupt,
    env: &[(&'static str, String)],
    running: &mut JoinSet<()>,
) -> io::Result<Started> {
    let (their_questions, questions) = io::pipe()?;
    let (answers, their_answers) = io::pipe()?;
    let mut child = Command::new(&program.launcher)
        .arg(COMMAND)
        .arg(std::process::id().to_string())
        .args(&program.words)
        .envs(env.iter().map(|(key, value)| (key, value)))
        .current_dir(&program.folder)
        .stdin(Stdio::from(OwnedFd::from(their_questions)))
        .stdout(Stdio::from(OwnedFd::from(their_answers)))
        .stderr(Stdio::piped())
        // Ctrl-C is for this program, which decides what becomes of its children; and what they start goes with them.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let log = child.stderr.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let (watched, said) = (Arc::new(Watched::default()), Arc::new(Mutex::new(Said::default())));
    let (send, gone) = mpsc::channel();
    let (wanted, is_wanted) = oneshot::channel();
    let patience = Patience::new(program.answer_limit, Arc::clone(&watched), interrupt.clone());
    let kept = Arc::clone(&said);
    running.spawn(async move {
        let gone = follow(child, log, &kept, is_wanted, patience).await;
        // Whoever does not want the process any more does not listen.
        let _ = send.send(gone);
    });
    Ok(Started { questions, answers, watched, said, gone, _wanted: wanted })
}

/// Follows a process to its end.
async fn follow(
    mut child: Child,
    log: impl AsyncRead + Unpin,
    said: &Mutex<Said>,
    is_wanted: oneshot::Receiver<()>,
    mut patience: Patience,
) -> Gone {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (mut reading, mut is_wanted) = (pin!(keep(log, said)), pin!(is_wanted));
    let (mut is_open, mut is_over) = (true, false);
    let mut looks = interval(patience.look);
    let how = loop {
        tokio::select! {
            status = child.wait() => break How::ItSelf(status),
            () = &mut reading, if is_open => is_open = false,
            _ = &mut is_wanted, if !is_over => {
                is_over = true;
                patience.limit_to_grace();
            }
            _ = looks.tick() => {
                if let Some(how) = patience.is_over() {
                    break how;
                }
            }
        }
    };
    // With all that it has started; they may have ended meanwhile.
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    if !matches!(how, How::ItSelf(_)) {
        let _ = child.kill().await;
    }
    if is_open {
        let _ = timeout(LOG_PATIENCE, &mut reading).await;
    }
    Gone { how, said: last_lines(said) }
}

/// Reads a log to its end, and keeps the beginning.
async fn keep(mut log: impl AsyncRead + Unpin, said: &Mutex<Said>) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = log.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let room = (SAID_MAX - said.kept.len()).min(read);
        said.kept.extend_from_slice(&buffer[..room]);
        said.lost += (read - room) as u64;
    }
}

/// Bytes of a log that a message quotes.
const QUOTED_MAX: usize = 600;
/// Lines of a log that a message quotes.
const LINES_MAX: usize = 5;

/// The end of what is kept of a log, without what a terminal would act on.
fn last_lines(said: &Mutex<Said>) -> String {
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&said.kept[said.kept.len().saturating_sub(QUOTED_MAX)..]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES_MAX)..];
    let plain = |line: &&str| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    last.iter().map(plain).collect::<Vec<_>>().join("\n")
}

/// How long a process may take for what it has to do. Counts looks, so that a machine that stood still hurts nobody.
struct Patience {
    watched: Arc<Watched>,
    interrupt: Interrupt,
    limit: Duration,
    look: Duration,
    turns: u64,
    unchanged: u32,
    waits_for_end: bool,
}

impl Patience {
    fn new(limit: Duration, watched: Arc<Watched>, interrupt: Interrupt) -> Patience {
        let look = (limit / LOOKS).min(LOOK_MAX);
        Patience { watched, interrupt, limit, look, turns: 0, unchanged: 0, waits_for_end: false }
    }

    /// Its part is over: it has a little time to end.
    fn limit_to_grace(&mut self) {
        (self.waits_for_end, self.unchanged) = (true, 0);
    }

    /// A look: why the process is to be killed, if so.
    fn is_over(&mut self) -> Option<How> {
        let turns = self.watched.turns.load(Ordering::Relaxed);
        let is_closed = self.watched.closed.load(Ordering::Relaxed);
        let waits = self.waits_for_end || is_closed || turns % 2 == 1;
        if !waits || turns != self.turns {
            (self.turns, self.unchanged) = (turns, 0);
            return None;
        }
        self.unchanged += 1;
        let waited = self.look * self.unchanged;
        if self.waits_for_end {
            (waited >= GRACE).then_some(How::Unwanted)
        } else if is_closed {
            (waited >= GRACE).then_some(How::Deaf)
        } else if self.interrupt.is_raised() {
            (waited >= LAST_PATIENCE.min(self.limit)).then_some(How::Interrupted)
        } else {
            (waited > self.limit).then_some(How::Hung)
        }
    }
}
