//! What a validator is asked (rules 21 to 23).

use std::net::IpAddr;

use refresh_sim::measure::What;
use refresh_sim::validate::{Answer, Certificate, PeerName, Phase, Question, Verdict};

use super::queue::Job;
use super::world::World;

impl World<'_> {
    /// Puts the question that a job is about, at the instant at which a worker starts on it.
    pub(super) fn ask(&mut self, front_end: usize, job: &Job) -> Verdict {
        let peer = self.connections[job.connection].peer;
        let (index, group) = (self.peers[peer].index, self.group(peer));
        let name = PeerName { group: &group.name, index: (group.count > 1).then_some(index) };
        let mut question = Question::about(name, self.now);
        question.phase = if job.in_place { Phase::Refresh } else { Phase::Accept };
        question.transport = group.transport;
        question.address = match group.address {
            IpAddr::V4(first) => IpAddr::V4((u32::from(first) + index).into()),
            IpAddr::V6(first) => IpAddr::V6((u128::from(first) + u128::from(index)).into()),
        };
        question.port = group.port;
        question.address_known = group.known;
        let left_behind = !self.is_wanted(job.connection) || !self.has_socket(job.connection);
        question.attempt = if left_behind { 0 } else { job.when.attempt };
        question.certificate = group.certificate.map(Certificate::new);
        let validator = self.front_ends[front_end].validator.as_mut().expect("a front end that serves has one");
        let verdict = validator.judge(&question);
        let answer = match verdict.answer {
            Answer::Accept => 0,
            Answer::Fault(_) => 1,
            Answer::Reject(reason) => 16 + reason as u8,
        };
        let of_refresh = if job.in_place { 1 << 15 } else { 0 };
        self.of_peer_at(peer, What::Asked, answer, front_end as u16 + of_refresh);
        verdict
    }
}
