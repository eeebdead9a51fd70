//! Threads for runs: as many at once as wanted, and their results in the order of their tasks.
//!
//! Knows threads and order. Does not know what a run is or what is made of it: the caller's `work` makes one and
//! reduces it to what is kept, on the run's own thread; the caller's `fold` takes those, one by one, on the caller's.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::sim::Watch;
use crate::study::Task;
use crate::time::Time;

use super::signals::{Interrupt, Signal};

/// Results that may wait for an earlier one, for each thread: how far quick runs may be ahead of a slow one. It bounds
/// the memory; more would only help where one run takes longer than this many others.
const AHEAD: usize = 16;

/// The most threads that are started, whatever is asked for.
const JOBS_MAX: usize = 1024;

/// What came of one task.
#[derive(Clone, Debug)]
pub struct Done<R> {
    /// Its position among the tasks, from 0.
    pub index: u64,
    /// The task.
    pub task: Task,
    /// What `work` made of it.
    pub result: Result<R, Panicked>,
}

/// The work on a task ended in an error of the program; other tasks are not touched by it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("internal error: {0}")]
pub struct Panicked(
    /// What it said.
    pub String,
);

/// Why there are no more results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// All tasks were done.
    All,
    /// `fold` wanted no more.
    Stopped,
    /// A signal asked for an end. What was folded until then is whole.
    Interrupted(Signal),
}

/// As many runs at once as the machine has cores for this process.
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Makes all runs of `tasks`, `jobs` at once, and folds what `work` makes of each in the order of `tasks`.
///
/// `work` runs the task's plan under the given watch, which stops it when nobody wants it any more, and reduces the
/// outcome to what shall be kept; whatever it returns for a run that was stopped is dropped. `fold` is never called for
/// a task before it was for all earlier ones, so that its result is the same for any `jobs`; when it breaks, runs under
/// way are stopped. Tasks are taken from the iterator as they are needed; of results no more than a few for each thread
/// are kept.
///
/// # Errors
/// When not one thread could be started. Fewer than wanted only make it slower.
pub fn run_all<R: Send>(
    jobs: NonZeroUsize,
    tasks: impl Iterator<Item = Task> + Send,
    interrupt: &Interrupt,
    work: impl Fn(&Task, &mut dyn Watch) -> R + Sync,
    mut fold: impl FnMut(Done<R>) -> ControlFlow<()>,
) -> io::Result<Ended> {
    let jobs = jobs.get().min(JOBS_MAX);
    let shared = Shared {
        board: Mutex::new(Board { tasks: Some(tasks), taken: 0, folded: 0, done: BTreeMap::new(), threads: 0 }),
        changed: Condvar::new(),
        stop: AtomicBool::new(false),
        ahead: (jobs * AHEAD) as u64,
        interrupt,
    };
    thread::scope(|scope| {
        // Whatever ends this, a panic of `fold` included: the threads must not work on for nobody.
        let _stop = StopAtEnd(&shared);
        for n in 0..jobs {
            let worker = || shared.work_off(&work);
            shared.board().threads += 1;
            if let Err(error) = thread::Builder::new().name(format!("run-{n}")).spawn_scoped(scope, worker) {
                shared.board().threads -= 1;
                if n == 0 {
                    return Err(error);
                }
                break;
            }
        }
        Ok(shared.fold_all(&mut fold))
    })
}

/// What the threads share.
struct Shared<'a, I, R> {
    board: Mutex<Board<I, R>>,
    changed: Condvar,
    stop: AtomicBool,
    ahead: u64,
    interrupt: &'a Interrupt,
}

struct Board<I, R> {
    /// `None` once there are no more.
    tasks: Option<I>,
    taken: u64,
    folded: u64,
    done: BTreeMap<u64, Done<R>>,
    /// Threads that may still bring results.
    threads: usize,
}

impl<I: Iterator<Item = Task>, R> Shared<'_, I, R> {
    fn board(&self) -> MutexGuard<'_, Board<I, R>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.interrupt.is_raised()
    }

    /// One thread's life: the next task, until there is none or nobody wants it.
    fn work_off(&self, work: &impl Fn(&Task, &mut dyn Watch) -> R) {
        let _leaves = Leaves(self);
        while let Some((index, task)) = self.next() {
            let mut watch = Stoppable { shared: self, was_stopped: false };
            // Whatever a panic left half-done is dropped with the run; nothing of it is looked at again.
            let result = panic::catch_unwind(AssertUnwindSafe(|| work(&task, &mut watch)));
            if watch.was_stopped {
                return;
            }
            let result = result.map_err(|cause| Panicked(words(cause.as_ref())));
            self.board().done.insert(index, Done { index, task, result });
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Option<(u64, Task)> {
        let mut board = self.board();
        while board.taken >= board.folded + self.ahead && !self.is_over() {
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
        if self.is_over() {
            return None;
        }
        let Some(task) = board.tasks.as_mut().and_then(Iterator::next) else {
            board.tasks = None;
            return None;
        };
        board.taken += 1;
        Some((board.taken - 1, task))
    }

    fn fold_all(&self, fold: &mut impl FnMut(Done<R>) -> ControlFlow<()>) -> Ended {
        let mut next = 0;
        loop {
            let mut board = self.board();
            let done = loop {
                if let Some(signal) = self.interrupt.signal() {
                    return Ended::Interrupted(signal);
                }
                if let Some(done) = board.done.remove(&next) {
                    break done;
                }
                if board.threads == 0 {
                    return Ended::All;
                }
                board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
            };
            next += 1;
            board.folded = next;
            drop(board);
            self.changed.notify_all();
            if fold(done).is_break() {
                return Ended::Stopped;
            }
        }
    }
}

/// A thread that ends, however it ends, says so.
struct Leaves<'a, 'b, I: Iterator<Item = Task>, R>(&'a Shared<'b, I, R>);

impl<I: Iterator<Item = Task>, R> Drop for Leaves<'_, '_, I, R> {
    fn drop(&mut self) {
        self.0.board().threads -= 1;
        self.0.changed.notify_all();
    }
}

struct StopAtEnd<'a, 'b, I: Iterator<Item = Task>, R>(&'a Shared<'b, I, R>);

impl<I: Iterator<Item = Task>, R> Drop for StopAtEnd<'_, '_, I, R> {
    fn drop(&mut self) {
        // Under the lock: a thread that has just looked must not miss it.
        let board = self.0.board();
        self.0.stop.store(true, Ordering::SeqCst);
        drop(board);
        self.0.changed.notify_all();
    }
}

/// Stops a run that nobody wants any more.
struct Stoppable<'a, 'b, I: Iterator<Item = Task>, R> {
    shared: &'a Shared<'b, I, R>,
    was_stopped: bool,
}

impl<I: Iterator<Item = Task>, R> Watch for Stoppable<'_, '_, I, R> {
    fn progress(&mut self, _at: Time, _steps: u64) -> ControlFlow<()> {
        self.was_stopped |= self.shared.is_over();
        if self.was_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn words(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::scenario;
    use crate::sim;
    use crate::study::{paired, replications};

    const TEXT: &[u8] = b"schema = 1\nsemantics = 1\n[run]\nhorizon = \"1d\"\n[refresh]\nevery = \"1h\"\n\
        [validation]\nvalidator = \"sfb2015-cu2\"\n[[group]]\nname = \"g\"\ncount = 50\ntransport = \"tls\"\n\
        rtt = { exponential = \"20ms\" }\n";

    fn plan() -> Arc<scenario::Plan> {
        Arc::new(scenario::load("s", "s.toml", TEXT, &[]).expect("a plan"))
    }

    fn jobs(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).expect("not zero")
    }

    fn digest(task: &Task, watch: &mut dyn Watch) -> String {
        sim::run(&task.plan(), watch).expect("it runs").digest.expect("it ends")
    }

    fn digests(count: usize, tasks: impl Iterator<Item = Task> + Send) -> Vec<String> {
        let mut found = Vec::new();
        let ended = run_all(jobs(count), tasks, &Interrupt::default(), digest, |done| {
            assert_eq!(done.index, found.len() as u64);
            found.push(done.result.expect("no panic"));
            ControlFlow::Continue(())
        });
        assert_eq!(ended.expect("threads"), Ended::All);
        found
    }

    #[test]
    fn results_come_in_the_order_of_the_tasks_and_are_the_same_for_any_number_of_threads() {
        let one = digests(1, replications(&plan(), 0..40));
        assert_eq!(one.iter().collect::<std::collections::BTreeSet<_>>().len(), 40, "each has draws of its own");
        for count in [2, 3, 7, 100] {
            assert_eq!(digests(count, replications(&plan(), 0..40)), one);
        }
    }

    #[test]
    fn a_study_extended_later_is_the_study_made_at_once_and_one_run_of_it_can_be_made_alone() {
        let all = digests(2, replications(&plan(), 0..12));
        let first = digests(2, replications(&plan(), 0..5));
        let more = digests(2, replications(&plan(), 5..12));
        assert_eq!([first, more].concat(), all);
        assert_eq!(digests(1, replications(&plan(), 7..8)), all[7..8]);
        let own = sim::run(&plan(), &mut sim::Unwatched).expect("it runs").digest;
        assert_eq!(own.as_ref(), Some(&all[0]), "replication 0 is the run that the plan makes by itself");
    }

    #[test]
    fn pairs_come_together() {
        let other = Arc::new(scenario::Plan { seed: 7, ..scenario::Plan::clone(&plan()) });
        let plans = [plan(), Arc::clone(&other)];
        let both = digests(2, paired(&plans, 0..3));
        let (a, b) = (digests(1, replications(&plan(), 0..3)), digests(1, replications(&other, 0..3)));
        assert_eq!(both, [&a[0], &b[0], &a[1], &b[1], &a[2], &b[2]].map(String::clone));
    }

    #[test]
    fn a_run_that_panics_does_not_take_the_others_with_it() {
        let work = |task: &Task, _: &mut dyn Watch| {
            assert!(task.replication != 3, "replication {} is broken", task.replication);
            task.replication
        };
        let mut found = Vec::new();
        let ended = run_all(jobs(2), replications(&plan(), 0..6), &Interrupt::default(), work, |done| {
            found.push(done.result);
            ControlFlow::Continue(())
        });
        assert_eq!(ended.expect("threads"), Ended::All);
        let broken = Err(Panicked("replication 3 is broken".to_owned()));
        assert_eq!(found, [Ok(0), Ok(1), Ok(2), broken, Ok(4), Ok(5)]);
    }

    #[test]
    fn quick_runs_get_only_so_far_ahead_of_a_slow_one() {
        let (jobs, ran) = (jobs(4), AtomicUsize::new(0));
        let bound = 4 * AHEAD;
        let work = |task: &Task, _: &mut dyn Watch| {
            ran.fetch_add(1, Ordering::SeqCst);
            // The first is slow: it waits until the others can go no further.
            while task.replication == 0 && ran.load(Ordering::SeqCst) < bound {
                thread::yield_now();
            }
        };
        let mut kept = 0;
        let fold = |done: Done<()>| {
            kept = kept.max(ran.load(Ordering::SeqCst) as u64 - done.index);
            ControlFlow::Continue(())
        };
        let ended = run_all(jobs, replications(&plan(), 0..1000), &Interrupt::default(), work, fold);
        assert_eq!((ended.expect("threads"), ran.into_inner()), (Ended::All, 1000));
        assert!(kept <= bound as u64 + 1, "{kept} of {bound}");
    }

    #[test]
    fn when_nobody_wants_more_the_runs_under_way_are_stopped() {
        let settings = ["run.horizon=100d", "refresh.every=1s", "group.0.count=2000"].map(|text| {
            let (path, value) = text.split_once('=').expect("a setting");
            scenario::Setting { path: path.to_owned(), value: value.to_owned() }
        });
        let endless = Arc::new(scenario::load("s", "s.toml", TEXT, &settings).expect("a plan"));
        let tasks = replications(&plan(), 0..1).chain(replications(&endless, 0..9));
        let work = |task: &Task, watch: &mut dyn Watch| sim::run(&task.plan(), watch).expect("it runs").interrupted;
        let mut folded = 0;
        let ended = run_all(jobs(2), tasks, &Interrupt::default(), work, |_| {
            folded += 1;
            ControlFlow::Break(())
        });
        assert_eq!((ended.expect("threads"), folded), (Ended::Stopped, 1));
    }

    #[test]
    fn no_tasks_are_done_at_once() {
        assert!(digests(3, std::iter::empty()).is_empty());
    }
}
