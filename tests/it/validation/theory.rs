//! What queueing theory knows. Rates are per second, times in seconds.
//!
//! Source: D. Gross, J. F. Shortle, J. M. Thompson, C. M. Harris, *Fundamentals of Queueing Theory*, 4th edition, Wiley
//! 2008, chapters 2 (M/M/c, M/M/c/K) and 5 (M/G/1).

/// A queue with Poisson arrivals and `servers` exponential servers without a bound.
#[derive(Clone, Copy)]
pub(super) struct Mmc {
    pub(super) arrivals: f64, // a second
    pub(super) service: f64,  // a server's, a second
    pub(super) servers: u32,
}

impl Mmc {
    /// Share of the servers' time in use.
    pub(super) fn utilisation(self) -> f64 {
        self.arrivals / (self.service * f64::from(self.servers))
    }

    /// Probability of waiting: Erlang's C, by way of his B, whose recursion takes no factorials.
    pub(super) fn waits(self) -> f64 {
        let offered = self.arrivals / self.service;
        let blocked = (1..=self.servers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
        blocked / (1.0 - self.utilisation() * (1.0 - blocked))
    }

    /// Rate at which those that wait are served, beyond arrivals: c·µ − λ.
    fn spare(self) -> f64 {
        self.service * f64::from(self.servers) - self.arrivals
    }

    /// Mean wait, those that do not wait included.
    pub(super) fn mean_wait(self) -> f64 {
        self.waits() / self.spare()
    }

    /// The wait that a share `beyond` of all exceed: P(wait > t) = C·exp(−(c·µ − λ)·t). `None`: fewer wait at all.
    pub(super) fn wait_exceeded_by(self, beyond: f64) -> Option<f64> {
        (beyond < self.waits()).then(|| libm::log(self.waits() / beyond) / self.spare())
    }

    /// Share of the servers' time in use over a run of some length that begins empty: all the work that comes, less what
    /// is there at the end. That is a service for each job there, for what is left of an exponential one is as long as a
    /// whole one, and by Little's law there are λ · (wait + service) of them.
    pub(super) fn held_from_empty(self, length: f64) -> f64 {
        let left = self.arrivals * (self.mean_wait() + 1.0 / self.service) / self.service;
        self.utilisation() - left / (f64::from(self.servers) * length)
    }

    /// How long the queue remembers: 1 / (c·µ·(1 − √ρ)²).
    pub(super) fn memory(self) -> f64 {
        let rest = 1.0 - libm::sqrt(self.utilisation());
        1.0 / (self.service * f64::from(self.servers) * rest * rest)
    }
}

/// Mean wait in M/G/1 (Pollaczek and Khinchine): λ·E(S²) / (2·(1 − ρ)).
pub(super) fn mean_wait_mg1(arrivals: f64, service_mean: f64, service_sd: f64) -> f64 {
    let second_moment = service_mean * service_mean + service_sd * service_sd;
    arrivals * second_moment / (2.0 * (1.0 - arrivals * service_mean))
}

/// M/M/c/K: at most `most` in the system, those in service included.
#[derive(Clone, Copy)]
pub(super) struct Mmck {
    pub(super) queue: Mmc,
    pub(super) most: u32,
}

impl Mmck {
    /// Probability of each number in the system, from 0 to `most`.
    fn probabilities(self) -> Vec<f64> {
        let offered = self.queue.arrivals / self.queue.service;
        let mut terms = vec![1.0];
        for n in 1..=self.most {
            terms.push(terms[n as usize - 1] * offered / f64::from(n.min(self.queue.servers)));
        }
        let sum: f64 = terms.iter().sum();
        terms.into_iter().map(|term| term / sum).collect()
    }

    /// Probability of being turned away.
    pub(super) fn loss(self) -> f64 {
        self.probabilities()[self.most as usize]
    }

    /// Probability of waiting, of those that are not turned away.
    pub(super) fn waits(self) -> f64 {
        let all = self.probabilities();
        let waiting: f64 = all[self.queue.servers as usize..self.most as usize].iter().sum();
        waiting / (1.0 - self.loss())
    }

    /// Mean wait of those that are not turned away: who finds n ≥ c there waits for n − c + 1 ends of service.
    pub(super) fn mean_wait(self) -> f64 {
        let all = self.probabilities();
        let (servers, rate) = (self.queue.servers, self.queue.service * f64::from(self.queue.servers));
        let waits = (servers..self.most).map(|n| all[n as usize] * f64::from(n - servers + 1) / rate);
        waits.sum::<f64>() / (1.0 - self.loss())
    }
}

#[test]
fn the_formulae_give_what_the_literature_prints() {
    // Two servers at two thirds: C = 8/15, hence a mean wait of 8/15 / (2 − 4/3) service times.
    let two = Mmc { arrivals: 4.0 / 3.0, service: 1.0, servers: 2 };
    assert!((two.waits() - 8.0 / 15.0).abs() < 1e-12 && (two.mean_wait() - 0.8).abs() < 1e-12);
    // One server: C = ρ, and M/G/1 with exponential service is M/M/1.
    let one = Mmc { arrivals: 0.7, service: 1.0, servers: 1 };
    assert!((one.waits() - 0.7).abs() < 1e-12);
    assert!((mean_wait_mg1(0.7, 1.0, 1.0) - one.mean_wait()).abs() < 1e-12);
    // Without a place to wait the loss is Erlang's B: 2 erlang on 2 lines lose 40 %.
    let lossy = Mmck { queue: Mmc { arrivals: 2.0, ..two }, most: 2 };
    assert!((lossy.loss() - 0.4).abs() < 1e-12 && lossy.mean_wait().abs() < 1e-12);
    // With very many places there is no loss.
    let long = Mmck { queue: two, most: 400 };
    assert!((long.mean_wait() - 0.8).abs() < 1e-12 && (long.waits() - 8.0 / 15.0).abs() < 1e-12);
}
