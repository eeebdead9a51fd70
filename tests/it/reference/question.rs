//! What a validator is asked (rules 21 to 23).

use std::net::IpAddr;

use refresh_sim::measure::What;
use refresh_sim::scenario::plan::GroupPlan;
use refresh_sim::validate::{Answer, Certificate, PeerName, Phase, Question, Verdict};

use super::queue::Job;
use super::world::World;

fn plus(first: IpAddr, index: u32) -> IpAddr {
    match first {
        IpAddr::V4(first) => IpAddr::V4((u32::from(first) + index).into()),
        IpAddr::V6(first) => IpAddr::V6((u128::from(first) + u128::from(index)).into()),
    }
}

impl World<'_> {
    /// Puts the question that a job is about, at the instant at which a worker starts on it.
    pub(super) fn ask(&mut self, front_end: usize, job: &Job) -> Verdict {
        let peer = self.connections[job.connection].peer;
        let (index, group) = (self.peers[peer].index, self.group(peer));
        let name = PeerName { group: &group.name, index: (group.count > 1).then_some(index) };
        let mut question = Question::about(name, self.now);
        question.phase = if job.in_place { Phase::Refresh } else { Phase::Accept };
        question.transport = group.transport;
        question.address = plus(group.address, index);
        question.port = group.port;
        question.address_known = group.known;
        let left_behind = !self.is_wanted(job.connection) || !self.has_socket(job.connection);
        question.attempt = if left_behind { 0 } else { job.when.attempt };
        let shown = if job.in_place { self.connections[job.connection].made_with } else { self.has_certificate(peer) };
        question.certificate = shown.map(|number| Certificate::new(self.state(peer, number)));
        if let Some(of) = &group.particulars {
            question.pool = of.pool.as_deref().unwrap_or(&group.name);
            question.computer = of.computer.as_deref();
            if let (Some(certificate), Some(names)) = (question.certificate, &of.names) {
                question.certificate = Some(certificate.with_names(names));
            }
        }
        let groups = &self.plan.groups;
        let listed = |of: &GroupPlan| of.particulars.as_ref().and_then(|of| of.listed);
        if groups.iter().any(|of| listed(of).is_some()) {
            // Everybody who is listed, one by one.
            let known = groups.iter().filter(|of| of.known).flat_map(|of| {
                let (first, port) = listed(of).unwrap_or((of.address, of.port));
                (0..of.count).map(move |index| (plus(first, index), port))
            });
            let there: Vec<u16> = known.filter(|(at, _)| *at == question.address).map(|(_, port)| port).collect();
            question.address_known = !there.is_empty();
            question.port_known = there.contains(&question.port);
        }
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
