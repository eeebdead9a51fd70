//! The end of a run: what is still open is counted with its age, the books are closed, the outcome is made.

use crate::frontend::{Life, Obligation, Step};
use crate::measure::{Counter, FrontEndFigures, Looked, Outcome, RequestCounts};
use crate::time::{Span, Time};

use super::RunError;
use super::engine::Run;
use super::requests::Asked;

impl Run<'_> {
    pub(super) fn finish(mut self, interrupted: bool) -> Result<Outcome, RunError> {
        self.put_everyone_back();
        let end = if interrupted { self.now } else { self.end };
        let (oldest_open_refresh, oldest_open_outage) = self.count_what_is_open(end);
        let Asked { counts: requests, goodput, windows } = self.close_requests(end);
        for group in 0..self.groups.len() {
            self.settle_presence(end, group);
            self.figures[usize::from(self.groups[group].cell)].peers += self.present[group].0;
        }
        self.world.herd.close();
        self.settle_waits(end);
        self.tell_of_lookups(end);
        let front_ends = self.close_front_ends(end)?;
        self.world.meters.settle();
        let numbers = self.world.meters.numbers();
        let sessions = self.sessions.take();
        let handshakes = sessions.as_ref().map_or(Vec::new(), |sessions| sessions.numbers());
        let looked = front_ends.iter().flat_map(|f| &f.looked).flat_map(Looked::numbers);
        let of_requests = requests.iter().flatten().flat_map(RequestCounts::numbers);
        self.world.digest.close_with(numbers.into_iter().chain(handshakes).chain(looked).chain(of_requests));
        let told: u64 = self.world.told.get(&1).copied().unwrap_or(0);
        let kept = self.world.records.iter().filter(|r| matches!(r.kind, crate::measure::RecordKind::Rejected { .. }));
        let rejections_untold = told - kept.count() as u64;
        Ok(Outcome {
            digest: (!interrupted).then(|| self.world.digest.finish()),
            ended: end,
            interrupted,
            steps: self.steps,
            decisions: self.world.digest.decisions(),
            cells: self.cells,
            meters: self.world.meters,
            front_ends,
            groups: self.figures,
            handshakes: sessions.map_or(Vec::new(), |sessions| sessions.counts),
            requests,
            goodput,
            windows,
            questions: self.world.questions,
            reasons: self.world.reasons,
            crashes: self.world.crashes,
            pool_falls: self.control.falls,
            pool_fell: self.control.fell,
            disconnected_max: self.world.disconnected_max,
            herd: self.world.herd,
            drains: self.world.drains,
            records: self.world.records,
            rejections_untold,
            series: self.world.series,
            oldest_open_refresh,
            oldest_open_outage,
        })
    }

    /// Counts refreshes and connections that are not finished; gives the age of the oldest of each.
    fn count_what_is_open(&mut self, end: Time) -> (Option<Span>, Option<Span>) {
        let (mut refresh, mut outage) = (None, None);
        for who in 0..self.rows.len() as u32 {
            let row = self.rows[who as usize];
            let group = self.group_of(who);
            let cell = self.groups[group].cell;
            if row.step() == Step::Absent {
                continue;
            }
            let waits = row.step() == Step::Valid
                && self.front_ends[usize::from(row.place())].covers(who, &row, &self.groups[group]);
            let due = if waits { self.front_ends[usize::from(row.place())].run_asked() } else { Some(row.due) };
            let open = match row.obligation() {
                Obligation::InRun | Obligation::None if waits || row.obligation() == Obligation::InRun => {
                    self.world.count(cell, Counter::Dues, 1);
                    true
                }
                Obligation::Open | Obligation::OpenLost | Obligation::OpenMoved => true,
                Obligation::None | Obligation::Taken | Obligation::TakenLost | Obligation::InRun => false,
            };
            if open {
                self.world.count(cell, Counter::Unfinished, 1);
                refresh = refresh.max(due.map(|due| end.since(due)));
            }
            if row.step() == Step::Valid {
                self.visit(end, who, group).news_is_void();
            } else {
                self.world.count(cell, Counter::UnfinishedConnects, 1);
                self.visit(end, who, group).outage_is_cut();
                outage = outage.max(Some(end.since(row.since)));
            }
        }
        (refresh, outage)
    }

    fn close_front_ends(&mut self, end: Time) -> Result<Vec<FrontEndFigures>, RunError> {
        let mut figures = Vec::with_capacity(self.front_ends.len());
        for front_end in &mut self.front_ends {
            front_end
                .close(end)
                .map_err(|imbalance| RunError::Accounts { front_end: front_end.setup.name.clone(), imbalance })?;
            figures.push(FrontEndFigures {
                name: front_end.setup.name.clone(),
                incarnations: front_end.incarnation,
                up: front_end.life == Life::Up,
                served: front_end.served,
                workers: front_end.setup.workers,
                cores: front_end.setup.cores,
                account: front_end.account.clone(),
                looked: front_end.looked().to_vec(),
                valid: front_end.valid,
                accept_queue_max: front_end.listener.accepting_max(),
            });
        }
        Ok(figures)
    }
}
