//! `refresh-sim explain`: why a peer of a result is as it is at some time, from its plan run again.

use serde_json::json;

use crate::host::signals::Interrupt;
use crate::scenario::{self, Plan};
use crate::study::explain::{Explaining, told};
use crate::time::Time;

use super::args::{ExplainArgs, Format};
use super::exit::Exit;
use super::panics::guarded;
use super::print::{Printer, complain};
use super::replay::Again;

/// Explains what `args` asks for.
pub(super) fn explain(args: &ExplainArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let prepared = Again::open(&args.result, args.incomplete, interrupt);
    let prepared = prepared.and_then(|again| {
        let plan = &again.stored.plan;
        Ok((peer(plan, &args.peer)?, time(plan, args.at.as_deref())?, again))
    });
    match prepared {
        Ok((who, at, again)) => guarded(&again.stored.shown, || told_again(&again, args, who, at, printer)),
        Err(message) => {
            complain(&message);
            Exit::BadInput
        }
    }
}

/// The one peer of this name.
fn peer(plan: &Plan, name: &str) -> Result<u32, String> {
    let rows = scenario::peers_named(plan, name).map_err(|why| format!("error: --peer: {why}"))?;
    match rows.len() {
        1 => Ok(rows.start),
        0 => Err(format!("error: --peer: group {name} has no peers")),
        n => {
            let first = crate::sim::Names::new(plan).peer(rows.start);
            Err(format!("error: --peer: {name} is a group of {n} peers; give one of them, e.g. {first}"))
        }
    }
}

fn time(plan: &Plan, text: Option<&str>) -> Result<Time, String> {
    let end = Time::ZERO + plan.horizon;
    text.map_or(Ok(end), |text| scenario::moment(plan, text).map_err(|why| format!("error: --at: {why}")))
}

fn told_again(again: &Again<'_>, args: &ExplainArgs, who: u32, at: Time, printer: &mut Printer) -> Exit {
    let plan = &again.stored.plan;
    let mut watch = again.watch(args.progress);
    let mut explaining = Explaining::new(plan, who, at, &mut watch);
    let replayed = again.execute(&mut explaining);
    let explanation = explaining.finish(Time::ZERO + plan.horizon);
    drop(watch);
    let replayed = match replayed {
        Ok(replayed) => replayed,
        Err(exit) => return exit,
    };
    // What another run decides explains nothing of this one.
    let is_same = replayed.exit != Exit::NotDeterministic;
    let text = match args.format {
        Format::Text if is_same => format!("{}\n{}", told::text(plan, &explanation), replayed.text),
        Format::Text => replayed.text.clone(),
        Format::Json if is_same => {
            let mut object = told::json(plan, &explanation);
            if let Some(members) = object.as_object_mut() {
                members.insert("replay".to_owned(), json!(replayed.text));
            }
            object.to_string()
        }
        Format::Json => json!({ "kind": "replay", "same": false, "words": replayed.text }).to_string(),
    };
    Exit::worst([replayed.exit, printer.print(&text).err().unwrap_or(Exit::Pass)])
}
