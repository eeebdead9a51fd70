//! Ctrl-C and SIGTERM: the first asks for an end, the second makes one.
//!
//! Knows signals. Does not know what is interrupted: whoever works looks at [`Interrupt`] now and then.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signal that asked for an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Ctrl-C, SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit status that shells expect after this signal.
    pub fn status(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }
}

/// Sent when a write passes the limit on file sizes; deadly unless somebody listens.
const SIGXFSZ: i32 = 25;

/// Whether somebody asked for an end. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    token: CancellationToken,
    status: Arc<AtomicU8>,
}

impl Interrupt {
    /// Listens to SIGINT and SIGTERM from now on, on a thread of its own. The second of them ends the process at once.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left for it; signals then end the process as they always do.
    pub fn listen() -> io::Result<Interrupt> {
        let interrupt = Interrupt::default();
        let (ready, is_ready) = mpsc::channel();
        let listener = interrupt.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || listener.wait(&ready))?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok(interrupt),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the thread that listens to signals ended")),
        }
    }

    /// Whether an end was asked for.
    pub fn is_raised(&self) -> bool {
        self.token.is_cancelled()
    }

    /// By which signal.
    pub fn signal(&self) -> Option<Signal> {
        match self.status.load(Ordering::SeqCst) {
            130 => Some(Signal::Interrupt),
            143 => Some(Signal::Terminate),
            _ => None,
        }
    }

    /// One that is raised with this one, and can be without it: for what is not wanted any more though nobody asked for
    /// an end of all.
    pub fn child(&self) -> Interrupt {
        Interrupt { token: self.token.child_token(), status: Arc::clone(&self.status) }
    }

    /// Asks for an end of what this one and its children stop, without a signal.
    pub fn raise(&self) {
        self.token.cancel();
    }

    pub(super) async fn raised(&self) {
        self.token.cancelled().await;
    }

    fn wait(&self, ready: &mpsc::Sender<io::Result<()>>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        // An error here was sent to whoever waits; what is left is to end this thread.
        let _ = runtime.block_on(self.serve(ready));
    }

    async fn serve(&self, ready: &mpsc::Sender<io::Result<()>>) -> Result<(), mpsc::SendError<io::Result<()>>> {
        let streams = || -> io::Result<_> {
            // Nobody reads the third: with a listener a write past the limit is an error like any other.
            let size_limit = signal(SignalKind::from_raw(SIGXFSZ))?;
            Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, size_limit))
        };
        let (mut interrupts, mut terminations, _size_limit) = match streams() {
            Ok(streams) => streams,
            Err(error) => return ready.send(Err(error)),
        };
        ready.send(Ok(()))?;
        loop {
            let signal = tokio::select! {
                _ = interrupts.recv() => Signal::Interrupt,
                _ = terminations.recv() => Signal::Terminate,
            };
            if self.is_raised() {
                std::process::exit(i32::from(signal.status()));
            }
            self.status.store(signal.status(), Ordering::SeqCst);
            self.token.cancel();
        }
    }
}
