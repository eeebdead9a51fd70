//! Exact accounts of one front end, in integers (model rule 30).
//!
//! Two independent ways to each total: time integrals kept at every change, and sums over jobs as they end. They must
//! agree to the nanosecond; a difference is an error of the program.

use std::fmt;

use crate::time::{Span, Time};

/// The books of one front end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    in_system: u64,
    held: u64,
    /// Jobs that wait for others without a worker.
    away: u64,
    /// Instants of departures less instants of arrivals, in job·ns: with what is there at the end, the time integral of
    /// jobs in system.
    in_system_integral: i128,
    /// Sum of the times in system of jobs that are gone, by the instant that each job carries, in ns.
    in_system_sum: u128,
    /// The arrival instants that jobs in system carry, summed, in ns.
    carried: i128,
    /// Instants at which workers are released less instants at which they are taken, in worker·ns.
    held_integral: i128,
    /// Instants at which waits without a worker end less instants at which they begin, in job·ns.
    away_integral: i128,
    /// Sum of those waits that are over, in ns.
    away_sum: u128,
    /// CPU time of jobs that have left their worker and are not done, in ns: not known yet for whom it was spent.
    set_aside: u128,
    /// Jobs that came.
    pub arrivals: u64,
    /// Jobs that ended on a worker.
    pub served: u64,
    /// Jobs that a full queue, a departure or a loss before service removed.
    pub dropped: u64,
    /// Jobs that a crash removed.
    pub lost_in_crash: u64,
    /// CPU time for peers that still waited for the answer, in ns.
    pub useful: u128,
    /// CPU time for peers that had given up, in ns.
    pub wasted: u128,
    /// CPU time that a crash or the end of the run cut off, in ns.
    pub cut_off: u128,
    /// Time workers were held without a core, waiting for others, in ns.
    pub blocked: u128,
    /// Time workers were held waiting for a core, in ns.
    pub waiting: u128,
    /// Most jobs waiting at once.
    pub queue_max: u64,
    /// When that was.
    pub queue_max_at: Time,
}

/// Books that do not balance: an error of the program, never of the input.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Imbalance {
    /// Which equation.
    pub equation: &'static str,
    /// Its left side.
    pub left: i128,
    /// Its right side.
    pub right: i128,
}

impl fmt::Display for Imbalance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accounts do not balance: {}: {} on one side, {} on the other", self.equation, self.left, self.right)
    }
}

impl Account {
    /// `n` jobs come at `now`.
    #[inline]
    pub fn arrive(&mut self, now: Time, n: u64) {
        self.in_system += n;
        self.arrivals += n;
        self.in_system_integral -= i128::from(n) * i128::from(now.0);
        self.carried += i128::from(n) * i128::from(now.0);
        self.look_at_queue(now);
    }

    #[inline]
    fn look_at_queue(&mut self, now: Time) {
        let waiting = self.waiting_jobs();
        if waiting > self.queue_max {
            (self.queue_max, self.queue_max_at) = (waiting, now);
        }
    }

    #[inline]
    fn depart(&mut self, now: Time, arrived: Time) {
        self.in_system -= 1;
        self.in_system_integral += i128::from(now.0);
        self.carried -= i128::from(arrived.0);
        self.in_system_sum += u128::from(now.0 - arrived.0);
    }

    /// A worker takes a job.
    #[inline]
    pub fn take(&mut self, now: Time) {
        self.held += 1;
        self.held_integral -= i128::from(now.0);
    }

    #[inline]
    fn release(&mut self, now: Time) {
        self.held -= 1;
        self.held_integral += i128::from(now.0);
    }

    /// A worker's job ends after `cpu` of computing; `useful` if its peer still waits for the answer.
    #[inline]
    pub fn serve(&mut self, now: Time, arrived: Time, cpu: Span, useful: bool) {
        self.release(now);
        self.served += 1;
        self.depart(now, arrived);
        *(if useful { &mut self.useful } else { &mut self.wasted }) += u128::from(cpu.0);
    }

    /// A worker's job goes away to wait for others, with `cpu` computed that is not booked yet.
    pub fn leave(&mut self, now: Time, cpu: Span) {
        self.release(now);
        self.away += 1;
        self.away_integral -= i128::from(now.0);
        self.set_aside += u128::from(cpu.0);
    }

    fn end_wait(&mut self, now: Time, since: Time) {
        self.away -= 1;
        self.away_integral += i128::from(now.0);
        self.away_sum += u128::from(now.0 - since.0);
    }

    /// A job that has been away since then rejoins the queue.
    pub fn rejoin(&mut self, now: Time, since: Time) {
        self.end_wait(now, since);
        self.look_at_queue(now);
    }

    /// `cpu` that was set aside belongs to a job that ends on a worker now: it is booked with the rest.
    pub fn take_back(&mut self, cpu: Span) {
        self.set_aside -= u128::from(cpu.0);
    }

    /// `cpu` that was set aside is for nobody: its job found no place in the queue.
    pub fn waste(&mut self, cpu: Span) {
        self.take_back(cpu);
        self.wasted += u128::from(cpu.0);
    }

    /// `cpu` that was set aside is for nobody: a crash took its job.
    pub fn cut_set_aside(&mut self, cpu: Span) {
        self.take_back(cpu);
        self.cut_off += u128::from(cpu.0);
    }

    /// A job that has been away since then vanishes in a crash, with `cpu` set aside.
    pub fn lose_away(&mut self, now: Time, arrived: Time, since: Time, cpu: Span) {
        self.end_wait(now, since);
        self.cut_set_aside(cpu);
        self.lose_waiting(now, arrived);
    }

    /// A job has been away since then when the run ends. It stays where it is.
    pub fn still_away(&mut self, end: Time, since: Time) {
        self.away_sum += u128::from(end.0 - since.0);
    }

    /// A waiting job goes unserved.
    #[inline]
    pub fn drop_waiting(&mut self, now: Time, arrived: Time) {
        self.dropped += 1;
        self.depart(now, arrived);
    }

    /// A worker is cut off from its job by a crash, `cpu` into it.
    pub fn cut(&mut self, now: Time, arrived: Time, cpu: Span) {
        self.release(now);
        self.lost_in_crash += 1;
        self.depart(now, arrived);
        self.cut_off += u128::from(cpu.0);
    }

    /// A waiting job vanishes in a crash.
    pub fn lose_waiting(&mut self, now: Time, arrived: Time) {
        self.lost_in_crash += 1;
        self.depart(now, arrived);
    }

    /// Jobs that wait for a worker.
    #[inline]
    pub fn waiting_jobs(&self) -> u64 {
        self.in_system - self.held - self.away
    }

    /// Jobs that wait for others without a worker.
    pub fn away_jobs(&self) -> u64 {
        self.away
    }

    /// Time that jobs waited for others without a worker, in job·ns; only after [`Account::close`].
    pub fn away_time(&self) -> u128 {
        u128::try_from(self.away_integral).unwrap_or(0)
    }

    /// Time workers were held, in worker·ns; only after [`Account::close`].
    pub fn held_time(&self) -> u128 {
        u128::try_from(self.held_integral).unwrap_or(0)
    }

    /// CPU time spent on whatever it was, in ns.
    pub fn cpu(&self) -> u128 {
        self.useful + self.wasted + self.cut_off
    }

    /// Closes the books at the end of the run and checks them. The times of jobs still in service, and of those still
    /// away, must have been added before.
    ///
    /// # Errors
    /// An [`Imbalance`] names the equation that does not hold.
    pub fn close(&mut self, end: Time) -> Result<(), Imbalance> {
        let present = i128::from(self.in_system) * i128::from(end.0);
        self.in_system_integral += present;
        self.held_integral += i128::from(self.held) * i128::from(end.0);
        self.away_integral += i128::from(self.away) * i128::from(end.0);
        self.cut_off += std::mem::take(&mut self.set_aside);
        let times = self.in_system_sum.cast_signed() + (present - self.carried);
        balance("time integral of jobs in system = sum of their times in it", self.in_system_integral, times)?;
        let parts = self.useful + self.wasted + self.cut_off + self.blocked + self.waiting;
        let parts = parts.cast_signed();
        balance(
            "worker time held = useful + wasted + cut off + blocked + waiting for a core",
            self.held_integral,
            parts,
        )?;
        let away = self.away_sum.cast_signed();
        balance("time integral of jobs away = sum of their waits", self.away_integral, away)?;
        let gone = i128::from(self.served) + i128::from(self.dropped) + i128::from(self.lost_in_crash);
        let there = gone + i128::from(self.in_system);
        balance("arrivals = served + dropped + lost in crash + present", i128::from(self.arrivals), there)
    }
}

fn balance(equation: &'static str, left: i128, right: i128) -> Result<(), Imbalance> {
    if left == right { Ok(()) } else { Err(Imbalance { equation, left, right }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_30_books_balance_with_jobs_served_dropped_cut_off_and_left_over() {
        let mut a = Account::default();
        a.arrive(Time(10), 4);
        a.take(Time(10));
        a.serve(Time(15), Time(10), Span(5), true);
        a.drop_waiting(Time(17), Time(10));
        a.take(Time(18));
        a.cut(Time(21), Time(10), Span(3));
        assert_eq!(a.queue_max, 4);
        assert_eq!(a.waiting_jobs(), 1);
        assert_eq!(a.close(Time(100)), Ok(()));
    }

    #[test]
    fn rule_30_books_balance_with_jobs_that_wait_without_a_worker() {
        let mut a = Account::default();
        a.arrive(Time(0), 5);
        for n in 0..4 {
            a.take(Time(n));
            a.leave(Time(n + 1), Span(1));
        }
        assert_eq!((a.waiting_jobs(), a.away_jobs()), (1, 4));
        // One ends, one is turned away, one is lost, one is there at the end.
        a.rejoin(Time(9), Time(1));
        assert_eq!((a.waiting_jobs(), a.queue_max), (2, 5));
        a.take(Time(9));
        a.take_back(Span(1));
        a.serve(Time(12), Time(0), Span(4), true);
        a.rejoin(Time(12), Time(2));
        a.waste(Span(1));
        a.drop_waiting(Time(12), Time(0));
        a.lose_away(Time(13), Time(0), Time(3), Span(1));
        a.still_away(Time(20), Time(4));
        assert_eq!(a.close(Time(20)), Ok(()));
        assert_eq!((a.away_time(), a.held_time()), (8 + 10 + 10 + 16, 4 + 3));
        assert_eq!((a.useful, a.wasted, a.cut_off), (4, 1, 2));
    }

    #[test]
    fn rule_30_a_nanosecond_too_much_is_found() {
        let mut a = Account::default();
        a.arrive(Time(0), 1);
        a.take(Time(0));
        a.serve(Time(5), Time(0), Span(6), true);
        assert!(a.close(Time(9)).is_err());
        let mut b = Account::default();
        b.arrive(Time(0), 1);
        b.arrivals += 1;
        assert!(b.close(Time(9)).is_err());
    }
}
