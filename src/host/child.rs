//! A second process whose output is read while it runs, and that cannot outlive this one.
//!
//! Knows pipes and processes. Does not know what the bytes mean.

use std::ffi::OsString;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::thread;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::signals::Interrupt;

/// Bytes read from the child at once.
const CHUNK: usize = 64 * 1024;
/// Bytes kept of what it says on standard error.
const COMPLAINTS_MAX: usize = 16 * 1024;

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// The program.
    pub program: PathBuf,
    /// The name by which it is called.
    pub called: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables beside those that this process has.
    pub env: Vec<(String, String)>,
    /// Its working directory.
    pub dir: PathBuf,
    /// What is written to its standard input, which stays open for as long as it is wanted alive.
    pub input: Vec<u8>,
}

/// How it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Of its own accord.
    ItSelf {
        /// Its status.
        status: ExitStatus,
        /// The beginning of what it said on standard error.
        complaints: String,
    },
    /// It was killed because its output was no longer wanted.
    NotWanted,
    /// It was killed because somebody asked for an end.
    Interrupted,
}

/// Why nothing can be said about the child.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It did not start.
    #[error("cannot start a second process of {program}: {cause}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        cause: io::Error,
    },
    /// Its pipes broke.
    #[error("cannot read from the second process: {0}")]
    Pipe(io::Error),
}

/// Starts a process and hands its output to `take` as it comes, until it ends, `take` breaks or somebody asks for an
/// end. It is gone when this returns.
///
/// # Errors
/// See [`ChildError`].
pub fn stream(
    order: &Order,
    interrupt: &Interrupt,
    take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Ended, ChildError> {
    let start = |cause| ChildError::Start { program: order.program.display().to_string(), cause };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
    runtime.block_on(async {
        let mut child = spawn(order).map_err(start)?;
        let ended = tokio::select! {
            ended = follow(&mut child, &order.input, take) => ended,
            () = interrupt.raised() => Ok(Ended::Interrupted),
        };
        if !matches!(ended, Ok(Ended::ItSelf { .. })) {
            // It may have ended meanwhile; then there is nothing to kill.
            let _ = child.kill().await;
        }
        ended
    })
}

fn spawn(order: &Order) -> io::Result<Child> {
    Command::new(&order.program)
        .arg0(&order.called)
        .args(&order.args)
        .envs(order.env.iter().map(|(key, value)| (key, value)))
        .current_dir(&order.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for the parent, which decides what becomes of the child.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn follow(
    child: &mut Child,
    input: &[u8],
    take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Ended, ChildError> {
    let none = || ChildError::Pipe(io::Error::from(io::ErrorKind::NotFound));
    let mut stdin = child.stdin.take().ok_or_else(none)?;
    let stdout = child.stdout.take().ok_or_else(none)?;
    let stderr = child.stderr.take().ok_or_else(none)?;
    let complaints = match tokio::try_join!(feed(&mut stdin, input), hand_over(stdout, take), listen(stderr)) {
        Ok(((), (), complaints)) => complaints,
        Err(Stop::NotWanted) => return Ok(Ended::NotWanted),
        Err(Stop::Pipe(error)) => return Err(ChildError::Pipe(error)),
    };
    drop(stdin);
    let status = child.wait().await.map_err(ChildError::Pipe)?;
    Ok(Ended::ItSelf { status, complaints })
}

/// Why a child is followed no longer.
enum Stop {
    NotWanted,
    Pipe(io::Error),
}

/// A child that does not want its input says why by how it ends, so that is no error here.
async fn feed(stdin: &mut ChildStdin, input: &[u8]) -> Result<(), Stop> {
    if stdin.write_all(input).await.is_ok() {
        let _ = stdin.flush().await;
    }
    Ok(())
}

async fn hand_over(mut stdout: ChildStdout, take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), Stop> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = stdout.read(&mut buffer).await.map_err(Stop::Pipe)?;
        if read == 0 {
            return Ok(());
        }
        if take(&buffer[..read]).is_break() {
            return Err(Stop::NotWanted);
        }
    }
}

async fn listen(mut stderr: impl AsyncRead + Unpin) -> Result<String, Stop> {
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        let room = COMPLAINTS_MAX - kept.len();
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// For the child's side: ends this process once nobody holds the other end of `input` any more, so that it never
/// outlives a parent that was killed.
///
/// # Errors
/// When there is no thread left for it.
pub fn exit_with_parent(mut input: impl Read + Send + 'static) -> io::Result<()> {
    let watch = move || {
        let mut byte = [0];
        while let Ok(1..) = input.read(&mut byte) {}
        std::process::exit(0);
    };
    thread::Builder::new().name("parent".to_owned()).spawn(watch).map(drop)
}
