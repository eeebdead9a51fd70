//! Questions that have to be asked peer by peer: of certificates that change during a run (what each peer has, and what
//! each connection was made with; model rule 22), and of names and addresses that differ within a group.
//!
//! Groups whose certificate is always the same never come here, and plans without others have no table at all. A
//! certificate's course is worked out when it is asked for: expiry and replacement are no steps of their own.

use std::collections::BTreeSet;

use crate::frontend::{Group, Row, offset};
use crate::id::Identity;
use crate::measure::What;
use crate::policy::{Drawn, Held, Replaced, Then, Validity};
use crate::rng::{Draws, Purpose, When};
use crate::scenario::plan::{Change, GroupPlan, Plan};
use crate::time::Time;
use crate::validate::{Builtin, Certificate, CertificateState, KnownServer, KnownServers, Particulars, Phase, Verdict};

use super::engine::Run;
use super::world::{Judges, World};

/// A certificate: what it is in date, and its end.
#[derive(Clone, Copy, Debug)]
struct Shown {
    number: u32, // as in [`Held`]
    state: CertificateState,
    end: Time,
}

impl Shown {
    fn at(self, now: Time, group: &Group) -> Certificate<'_> {
        if self.state != CertificateState::Valid {
            // What is wrong from the beginning stays what is wrong with it.
            return group.certificate_in(self.state);
        }
        let state = if now >= self.end { CertificateState::Expired } else { CertificateState::Valid };
        group.certificate_in(state).until(self.end)
    }
}

/// What one peer has.
#[derive(Clone, Copy, Debug)]
struct Peer {
    held: Held,
    /// What is wrong with it from the beginning, if anything.
    state: CertificateState,
    /// What its connection was made with.
    connection: Shown,
}

/// A group whose certificates change.
#[derive(Debug)]
struct Changing {
    validity: Validity,
    peers: Vec<Peer>,
}

/// The certificates of a run, by group number; `None`: always the same.
#[derive(Debug)]
pub(super) struct Certificates {
    builtin: Builtin,
    groups: Vec<Option<Changing>>,
    /// Which groups' peers are asked about one by one for another reason.
    each: Vec<bool>,
    /// `None`: addresses are listed or not group by group.
    servers: Option<KnownServers>,
}

impl Certificates {
    /// `None`: no group's certificate changes.
    pub(super) fn of(plan: &Plan, groups: &[Group], draws: &Draws) -> Option<Box<Certificates>> {
        let changes = |change| matches!(change, Change::ReplaceCertificate | Change::CertificateExpires);
        let named: BTreeSet<usize> =
            plan.timeline.iter().filter(|entry| changes(entry.change)).map(|entry| usize::from(entry.group)).collect();
        let groups: Vec<Option<Changing>> = plan
            .groups
            .iter()
            .zip(groups)
            .enumerate()
            .map(|(number, (of, group))| {
                let changes = of.validity.is_some() || named.contains(&number);
                of.certificate.filter(|_| changes).map(|state| changing(of.validity.clone(), state, group, draws))
            })
            .collect();
        let servers = known_servers(plan);
        let differ = |of: &GroupPlan| of.particulars.as_ref().is_some_and(Particulars::differ_by_peer);
        let each: Vec<bool> = plan.groups.iter().map(|of| servers.is_some() || differ(of)).collect();
        let any = groups.iter().any(Option::is_some) || each.contains(&true);
        any.then(|| Box::new(Certificates { builtin: plan.validator, groups, each, servers }))
    }

    /// What the certificate of the peer in row `who` is at `now`: the one of its connection, or the one that it has.
    fn shown<'a>(
        &mut self,
        now: Time,
        group: &'a Group,
        who: u32,
        phase: Phase,
        draws: &Draws,
    ) -> Option<Certificate<'a>> {
        let changing = self.groups[usize::from(group.number)].as_mut()?;
        let (_, peer) = changing.up_to(now, group, who, draws);
        let shown = if phase == Phase::Refresh { peer.connection } else { peer.has() };
        Some(shown.at(now, group))
    }

    /// The certificate that the peer in row `who` has, and what becomes of its connection when it has the next.
    pub(super) fn asked_for(&mut self, now: Time, group: &Group, who: u32, draws: &Draws) -> Option<(Held, Then)> {
        let changing = self.groups[usize::from(group.number)].as_mut()?;
        let (validity, peer) = changing.up_to(now, group, who, draws);
        let Replaced::Asked(ask) = &validity.replaced else { return None };
        Some((peer.held, ask.then))
    }

    /// The issuer has made the peer's next certificate; with `shows`, its connection shows it at once.
    pub(super) fn is_issued(&mut self, now: Time, group: &Group, who: u32, shows: bool, draws: &Draws) {
        self.change(now, group, who, Change::ReplaceCertificate, draws);
        if shows {
            self.connection_is_made(now, group, who, draws);
        }
    }

    /// A connection of the peer in row `who` is valid from `now` on.
    fn connection_is_made(&mut self, now: Time, group: &Group, who: u32, draws: &Draws) {
        if let Some(changing) = &mut self.groups[usize::from(group.number)] {
            let (_, peer) = changing.up_to(now, group, who, draws);
            peer.connection = peer.has();
        }
    }

    /// The timeline changes a peer's certificate; `false`: the group's never change.
    fn change(&mut self, now: Time, group: &Group, who: u32, change: Change, draws: &Draws) -> bool {
        let Some(changing) = &mut self.groups[usize::from(group.number)] else { return false };
        let (validity, peer) = changing.up_to(now, group, who, draws);
        let draw = drawing(draws, group.identity_of(who));
        if change == Change::ReplaceCertificate {
            peer.held = validity.issue(peer.held.number.wrapping_add(1), now, draw);
            peer.state = CertificateState::Valid;
        } else if now < peer.held.end {
            let is_of_connection = peer.connection.number == peer.held.number;
            peer.held.replaced = validity.after_end(peer.held.number, now, draw);
            peer.held.end = now;
            if is_of_connection {
                peer.connection.end = now;
            }
        }
        true
    }
}

impl Peer {
    fn has(&self) -> Shown {
        Shown { number: self.held.number, state: self.state, end: self.held.end }
    }
}

impl Changing {
    /// The peer in row `who`, with the certificate that it has at `now`, and what certificates of its group are like.
    fn up_to(&mut self, now: Time, group: &Group, who: u32, draws: &Draws) -> (&Validity, &mut Peer) {
        let Changing { validity, peers } = self;
        let peer = &mut peers[(who - group.first) as usize];
        while peer.held.replaced <= now && peer.held.replaced != Time::NEVER {
            let (number, issued) = (peer.held.number.wrapping_add(1), peer.held.replaced);
            peer.held = validity.issue(number, issued, drawing(draws, group.identity_of(who)));
            peer.state = CertificateState::Valid;
        }
        (validity, peer)
    }
}

/// The known-servers table of a plan, if a group is listed with other addresses or ports than it comes from; `None`:
/// addresses are listed or not group by group.
pub(super) fn known_servers(plan: &Plan) -> Option<KnownServers> {
    let listed = |of: &GroupPlan| of.particulars.as_ref().and_then(|particulars| particulars.listed);
    plan.groups.iter().any(|of| listed(of).is_some()).then(|| {
        let entry = |of: &GroupPlan| {
            let (first, port) = listed(of).unwrap_or((of.address, of.port));
            KnownServer { first, last: offset(first, of.count.saturating_sub(1)), port }
        };
        KnownServers::new(plan.groups.iter().filter(|of| of.known).map(entry))
    })
}

/// All peers of a group as they are at run time 0.
fn changing(validity: Option<Validity>, state: CertificateState, group: &Group, draws: &Draws) -> Changing {
    // One that has expired already is a good one that has come to its end.
    let (state, over) = match state {
        CertificateState::Expired => (CertificateState::Valid, Some(Time::ZERO)),
        other => (other, None),
    };
    let validity = validity.unwrap_or(Validity { not_after: over, lives: None, replaced: Replaced::Never });
    let peer = |who| {
        let held = validity.first(drawing(draws, group.identity_of(who)));
        Peer { held, state, connection: Shown { number: 0, state, end: held.end } }
    };
    let peers = (group.first..group.first + group.peers).map(peer).collect();
    Changing { validity, peers }
}

/// The draws of one peer's certificates, by their numbers.
pub(super) fn drawing(draws: &Draws, who: Identity) -> impl Fn(u32, Drawn) -> u64 + '_ {
    move |number, what| {
        let purpose = match what {
            Drawn::Life => Purpose::CertificateLife,
            Drawn::Late => Purpose::CertificateReplacement,
            Drawn::Ask(_) => Purpose::CertificateAsk,
            Drawn::Cost => Purpose::CertificateCost,
        };
        let attempt = if let Drawn::Ask(look) = what { look } else { 0 };
        draws.draw(who, purpose, When { cycle: number, episode: 0, attempt }, 0)
    }
}

impl World<'_> {
    /// Asks with the certificate and the particulars of one peer; `None`: all of its group are alike, and stay so.
    #[cold]
    #[inline(never)]
    pub(super) fn judge_by_certificate(
        &mut self,
        now: Time,
        place: u16,
        phase: Phase,
        who: u32,
        row: &Row,
        group: &Group,
    ) -> Option<Verdict> {
        let certificates = self.certificates.as_mut()?;
        let shown = certificates.shown(now, group, who, phase, &self.draws);
        if shown.is_none() && !certificates.each[usize::from(group.number)] {
            return None;
        }
        let mut question = group.question(who, row, now, phase);
        question.certificate = shown.or(question.certificate);
        if let Some(servers) = &certificates.servers {
            servers.complete(&mut question);
        }
        let builtin = match &self.judges {
            Judges::Builtin(_) => Some(certificates.builtin),
            Judges::Changing { of, .. } => Some(Builtin::ALL[of[usize::from(place)]]),
            Judges::Own { .. } => None,
        };
        let verdict = match builtin {
            Some(builtin) => builtin.answer(&question).into(),
            None => self.ask_own(place, who, &question),
        };
        self.was_asked(group, question.certificate.map(|shown| shown.state), phase, verdict.answer);
        Some(verdict)
    }

    /// A connection is valid: it was made with the certificate that its peer has.
    #[cold]
    pub(super) fn connection_is_made(&mut self, now: Time, group: &Group, who: u32) {
        if let Some(certificates) = &mut self.certificates {
            certificates.connection_is_made(now, group, who, &self.draws);
        }
    }
}

impl Run<'_> {
    /// The timeline replaces certificates, or lets them expire.
    pub(super) fn certificates_change(&mut self, now: Time, group: usize, indices: Option<&[u32]>, change: Change) {
        for who in self.rows_of(group, indices) {
            let World { certificates, draws, .. } = &mut self.world;
            let Some(certificates) = certificates else { return };
            if certificates.change(now, &self.groups[group], who, change, draws) {
                self.decide(now, who, What::Certificate, u8::from(change == Change::CertificateExpires));
                if change == Change::ReplaceCertificate {
                    self.will_ask(now, who, group);
                }
            }
        }
    }
}
