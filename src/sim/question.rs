//! The first questions of a run, for who looks at a plan without running it.

use crate::frontend::{Group, Row};
use crate::scenario::plan::Plan;
use crate::time::Time;
use crate::validate::{KnownServers, Phase, Question};

use super::{build, certificates};

/// What a run of a plan would ask about the first peer of each group, on its first try and with the certificate that it
/// begins with.
#[derive(Debug)]
pub struct FirstQuestions {
    groups: Vec<Group>,
    servers: Option<KnownServers>,
}

impl FirstQuestions {
    /// Those of `plan`.
    pub fn of(plan: &Plan) -> FirstQuestions {
        FirstQuestions { groups: build::groups(plan).0, servers: certificates::known_servers(plan) }
    }

    /// The one about the group at this position; `None`: it has no peers.
    pub fn about(&self, group: usize, phase: Phase) -> Option<Question<'_>> {
        let group = self.groups.get(group).filter(|group| group.peers > 0)?;
        let mut question = group.question(group.first, &Row::absent(0), Time::ZERO, phase);
        if let Some(servers) = &self.servers {
            servers.complete(&mut question);
        }
        Some(question)
    }
}
