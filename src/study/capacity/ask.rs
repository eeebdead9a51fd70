//! Ready questions: what planners ask, as a range that suits the scenario and the expectations that it is about.

use crate::policy::{Anchor, Replaced, Then, Validity};
use crate::scenario::{Expectation, GroupPlan, Plan, expectation};
use crate::study::estimate::{refresh_drain, return_drain};
use crate::time::{Span, Time};

use super::find::{OUTAGE, PEERS, TRIGGER, calm, own_trigger};

/// The most workers that are asked for.
const WORKERS_MAX: u32 = 64;
/// Rule 33 calls a run metastable after ten times the longest of trigger, ideal drain and back-off; with what comes
/// before and after.
const VERDICT_TAKES: u64 = 12;

/// Questions that planners ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// How many peers.
    Peers,
    /// How many workers, each with a core.
    Workers,
    /// How many cores for the workers there are.
    Cores,
    /// How little spread of the refreshes.
    Jitter,
    /// How many peers may come at once.
    Burst,
    /// How long what certificates need may be away.
    Outage,
    /// What tips the front ends over, so that they do not come back of themselves.
    Trip,
}

/// A ready question.
#[derive(Clone, PartialEq, Debug)]
pub struct Question {
    /// As `--find` has it.
    pub find: String,
    /// Expectations that it is about beside the scenario's own.
    pub expects: Vec<Expectation>,
    /// Whether it is about nothing else.
    pub alone: bool,
    /// What was chosen for it, in words.
    pub told: Option<String>,
}

impl Ask {
    /// The question for a plan.
    ///
    /// # Errors
    /// What the plan lacks for it, in words.
    pub fn question(self, plan: &Plan) -> Result<Question, String> {
        let plain = |find: String| Question { find, expects: Vec::new(), alone: false, told: None };
        match self {
            Ask::Peers => Ok(plain(peers(plan, plan.peers().saturating_mul(10)))),
            Ask::Workers => Ok(plain(format!("front_end.workers & front_end.cores=1..{WORKERS_MAX}"))),
            Ask::Cores => {
                let workers = plan.front_ends.iter().map(|front_end| front_end.workers).min().unwrap_or(1);
                if workers < 2 {
                    return Err(
                        "a front end has one worker, which needs one core; --ask workers looks for both".to_owned()
                    );
                }
                Ok(plain(format!("front_end.cores=1..{workers}")))
            }
            Ask::Jitter => jitter(plan).map(plain),
            Ask::Burst => {
                let expects = vec![line(plan, "no_syn_unanswered", "syn.unanswered : value == 0")?];
                let find = peers(plan, plan.peers().saturating_mul(10));
                Ok(Question { expects, alone: true, ..plain(find) })
            }
            Ask::Outage => outage(plan),
            Ask::Trip => trip(plan),
        }
    }
}

fn line(plan: &Plan, name: &str, text: &str) -> Result<Expectation, String> {
    expectation(plan, name, text)
}

fn peers(plan: &Plan, most: u64) -> String {
    let least = (plan.peers() / 10).max(plan.groups.len() as u64);
    format!("{PEERS}={least}..{}", most.max(least + 1))
}

fn jitter(plan: &Plan) -> Result<String, String> {
    let Some(refresh) = &plan.refresh else { return Err("the scenario has no [refresh]".to_owned()) };
    // Once it is as long as the refresh of everybody takes, there is no herd; four times that is ample.
    let drain = refresh_drain(plan).map_or(0, |ns| libm::ceil(ns / 1e9) as u64);
    let ample = Span::SECOND.times(drain.max(1).saturating_mul(4)).min(Span(refresh.every.0 / 2));
    Ok(format!("refresh.spread=0s..{ample}"))
}

// ---- what certificates need

/// Whether a validation looks anything up, or peers ask for certificates.
pub(super) fn has_certificate_services(plan: &Plan) -> bool {
    !plan.lookups.each.is_empty() || plan.issuer.is_some()
}

/// When an outage begins if nobody says, and why then: as the first peer asks for its next certificate, or as the first
/// tick is about to ask for look-ups, whichever is earlier.
pub(super) fn outage_begins(plan: &Plan) -> (Time, String) {
    let own = plan.lookups.each.iter().filter_map(|lookup| Some(lookup.changes.first()?.0)).min();
    if let Some(at) = own {
        return (at, "as the scenario's own, whose place it takes".to_owned());
    }
    let asks = plan.groups.iter().filter_map(|group| Some(Time::ZERO + first_ask(group)?)).min();
    let start_up = plan.front_ends.first().and_then(|front_end| front_end.start_up.mean()).unwrap_or(0.0);
    let tick = plan.refresh.as_ref().filter(|_| !plan.lookups.each.is_empty()).map(|refresh| match refresh.anchor {
        Anchor::WallClock(offset) if offset > Span::ZERO => Time::ZERO + offset,
        Anchor::WallClock(_) => Time::ZERO + refresh.every,
        Anchor::ServiceStart | Anchor::OwnAge => Time::ZERO + refresh.every + Span(libm::round(start_up) as u64),
    });
    let within = |at: &Time| *at < Time::ZERO + plan.horizon;
    match (asks.filter(within), tick.filter(within)) {
        (Some(asks), tick) if tick.is_none_or(|tick| asks <= tick) => {
            (asks, "when the first peer asks for its next certificate".to_owned())
        }
        (_, Some(tick)) => (tick, "when the first refresh is about to begin".to_owned()),
        _ => (Time::ZERO + plan.horizon.half(), "in the middle of the run".to_owned()),
    }
}

/// Life of the certificates that a group's peers have at the beginning, and what its peers do about the next.
fn rotation(group: &GroupPlan) -> Option<(Span, crate::policy::Ask)> {
    let Validity { not_after, lives, replaced: Replaced::Asked(ask) } = group.validity.as_ref()? else { return None };
    let life = match (not_after, lives) {
        (Some(end), _) => Span(end.0),
        (None, Some(lives)) => lives.quantile(0.0),
        (None, None) => return None,
    };
    Some((life, *ask))
}

fn first_ask(group: &GroupPlan) -> Option<Span> {
    rotation(group).map(|(life, ask)| ask.from.of(life))
}

fn outage(plan: &Plan) -> Result<Question, String> {
    if !has_certificate_services(plan) {
        return Err("nothing can fail: the scenario has no [[lookup]], and no group whose peers ask an issuer for \
                    certificates (group.validity.asks_at); what the timeline does, --find timeline.0.at=LOW..HIGH moves"
            .to_owned());
    }
    let (begins, why) = outage_begins(plan);
    let room = (Time::ZERO + plan.horizon).since(begins);
    if room <= Span::SECOND {
        return Err(format!("it would begin at {begins} and run.horizon is {}; make the run longer", plan.horizon));
    }
    let mut expects = vec![
        line(plan, "nobody_is_rejected", "rejections : value == 0")?,
        line(plan, "none_has_expired", "questions{certificate=expired} : value == 0")?,
    ];
    for (nth, group) in plan.groups.iter().enumerate() {
        let Some((life, ask)) = rotation(group).filter(|(_, ask)| ask.then != Then::Stay) else { continue };
        // As if each had asked as late as it may: who asks earlier has more time left.
        let left = Span(life.0 - ask.to.of(life).0);
        let text = format!("refresh{{group=\"{}\"}} in refresh : max < {left}", group.name);
        expects.push(line(plan, &format!("renewed_in_time_{nth}"), &text)?);
    }
    let what = match (&plan.issuer, plan.lookups.each.len()) {
        (Some(_), 0) => "the issuer makes no certificates",
        (Some(_), _) => "the issuer makes no certificates and look-ups get no answer",
        (None, _) => "look-ups get no answer",
    };
    let told = format!("{what} from {begins} on, {why}");
    Ok(Question { find: format!("{OUTAGE}=1s..{room}"), expects, alone: false, told: Some(told) })
}

// ---- what tips it over

fn trip(plan: &Plan) -> Result<Question, String> {
    let expects = vec![line(plan, "comes_back", "verdict : value != metastable")?];
    let told = |text: String| Some(text);
    if let Some((stop, start)) = own_trigger(plan) {
        let (from, until) = (plan.operations[stop].at, plan.operations[start].at);
        // With more peers than this their ideal drain would be so long that the run ends before the verdict.
        let rest = (Time::ZERO + plan.horizon).since(until).0 / VERDICT_TAKES;
        let each = return_drain(plan).map(|ns| ns / plan.peers().max(1) as f64).filter(|each| *each > 0.0);
        let most = each.map_or(u64::MAX, |each| libm::floor(rest as f64 / each) as u64);
        let find = peers(plan, plan.peers().saturating_mul(10).min(most));
        let told = told(format!("the trigger is the scenario's own: front ends are away from {from} to {until}"));
        return Ok(Question { find, expects, alone: true, told });
    }
    let begins = calm(plan);
    let room = (Time::ZERO + plan.horizon).since(begins).0 / VERDICT_TAKES / Span::SECOND.0;
    let drain = return_drain(plan).map_or(0, |ns| libm::ceil(ns / 1e9) as u64);
    if room < 2 || drain > room {
        return Err(format!(
            "run.horizon, {}, is too short to tell a collapse from a slow return: everybody is back after {} at best, and \
             the verdict needs twelve times that",
            plan.horizon,
            Span::SECOND.times(drain)
        ));
    }
    let told = told(format!("the trigger: all front ends are stopped at {begins}, and started again after its length"));
    let find = format!("{TRIGGER}=1s..{}", Span::SECOND.times(room));
    Ok(Question { find, expects, alone: true, told })
}
