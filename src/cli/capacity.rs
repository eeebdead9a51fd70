//! `refresh-sim capacity`: how far a value can go while all that the scenario expects still holds.

mod depends;
mod looking;

use serde_json::json;

use crate::host::clock::Stopwatch;
use crate::host::signals::Interrupt;
use crate::report::words::{count, plural, wrap};
use crate::scenario::Plan;
use crate::study::answer::Answer;
use crate::study::capacity::{Find, Loss, Question, REPLICATIONS, Rule, Weighed};
use crate::study::estimate::estimate;
use crate::study::frontier::{Frontier, Row, places};
use crate::study::inputs::inputs;
use crate::study::search::{Found, Search};
use crate::study::sensitivity::{FACTORS, INPUTS_MAX, LISTED, SCREENED};
use crate::time::{Span, Time};

use super::args::{CapacityArgs, Depth, Format};
use super::exit::Exit;
use super::input::Input;
use super::print::{Printer, complain, hint};
use super::whole::WholeFile;
use depends::depends;
use looking::{Case, Looking};

/// The names and versions of the shapes of answers as JSON.
const SCHEMAS: [&str; 2] = ["refresh-sim.capacity/1", "refresh-sim.frontier/1"];
/// The most cases of lost front ends that are tried without being asked for.
const CASES_UNASKED: usize = 36;
/// The fewest replications with which a value can be shown to hold.
pub(super) const REPLICATIONS_MIN: u32 = REPLICATIONS;

/// Answers what `args` ask.
pub(super) fn capacity(args: &CapacityArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    answered(args, interrupt, printer).unwrap_or_else(|exit| exit)
}

fn bad(why: &str) -> Exit {
    complain(&format!("error: {why}"));
    Exit::BadInput
}

/// What is asked, with all that it needs.
struct Asked<'a> {
    args: &'a CapacityArgs,
    input: &'a Input,
    finds: Vec<Find>,
    losses: Vec<Loss>,
    /// How many front ends are lost.
    down: u32,
    measured: Vec<String>,
    /// What was chosen and not said, in words.
    told: Vec<String>,
}

fn answered(args: &CapacityArgs, interrupt: &Interrupt, printer: &mut Printer) -> Result<Exit, Exit> {
    let mut input = Input::load_with(&args.file, &args.changes, &args.judge.validator).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    let question = ready(args, &input.plan)?;
    choose(args, &question, &mut input.plan)?;
    let finds = finds(args, &question)?;
    for find in &finds {
        find.fits(&input.plan).map_err(|why| bad(&format!("--find {}: {why}", find.name())))?;
    }
    let mut told: Vec<String> = question.and_then(|question| question.told).into_iter().collect();
    let begins = finds.iter().filter_map(|find| Some((find.name(), find.begins(&input.plan)?)));
    if args.at.is_some() || told.is_empty() {
        told = begins.map(|(name, at)| format!("{name}: it begins at {at}")).collect();
    }
    for measured in args.changes.calibrate.iter().flat_map(|of| &of.measured) {
        told.extend(measured.cut_at().map(|at| format!("measured: {} is cut off at its {at}", measured.path)));
    }
    let (losses, down) = losses(args, &input.plan, &mut told)?;
    let curve = args.curve.as_deref().map(WholeFile::begin).transpose()?;
    let asked = Asked { args, input: &input, finds, losses, down, measured: args.changes.measured(), told };
    let mut looking = Looking::new(args, &input, &args.changes, &asked.finds, interrupt);
    // What is wrong at an end is said before anything runs.
    looking.plan(&asked.finds.iter().map(|_| 0).collect::<Vec<_>>())?;
    looking.plan(&asked.finds.iter().map(Find::last).collect::<Vec<_>>())?;
    announce(&asked, &mut looking)?;
    let (exit, table) = match asked.finds.len() {
        1 => one(&asked, &mut looking, printer)?,
        _ => two(&asked, &mut looking, printer)?,
    };
    if let Some(curve) = curve {
        curve.finish(table.as_bytes())?;
    }
    Ok(exit)
}

/// The ready question, if one is asked.
fn ready(args: &CapacityArgs, plan: &Plan) -> Result<Option<Question>, Exit> {
    let Some(ask) = args.ask else { return Ok(None) };
    let question = ask.question().question(plan);
    question.map(Some).map_err(|why| bad(&format!("--ask {}: {why}", ask.word())))
}

/// Leaves the expectations that count, with those of the question.
fn choose(args: &CapacityArgs, question: &Option<Question>, plan: &mut Plan) -> Result<(), Exit> {
    let mut wanted = args.threshold.clone();
    for own in question.iter().flat_map(|question| &question.expects) {
        plan.expect.retain(|expectation| expectation.name != own.name);
        plan.expect.push(own.clone());
        let alone = question.as_ref().is_some_and(|question| question.alone);
        // What is asked by itself counts alone, unless others are named in its place; else it counts beside them.
        if alone && args.threshold.is_empty() || !alone && !args.threshold.is_empty() {
            wanted.push(own.name.clone());
        }
    }
    let names: Vec<String> = plan.expect.iter().map(|expectation| expectation.name.clone()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        return Err(bad(&format!("--threshold {unknown}: the scenario's [expect] has {}", names.join(", "))));
    }
    if !wanted.is_empty() {
        plan.expect.retain(|expectation| wanted.contains(&expectation.name));
    }
    if plan.expect.is_empty() {
        return Err(bad("the scenario expects nothing, so there is nothing to hold; add an [expect], or e.g. --set \
             'expect.prompt=refresh : p99 <= 1s'"));
    }
    Ok(())
}

/// The variables: one or two.
fn finds(args: &CapacityArgs, question: &Option<Question>) -> Result<Vec<Find>, Exit> {
    let own = question.iter().map(|question| question.find.clone()).filter(|_| args.find.is_empty());
    let texts: Vec<String> = args.find.iter().cloned().chain(own).collect();
    if texts.is_empty() || texts.len() > 2 {
        return Err(bad(
            "what is looked for? give --find PATH=LOW..HIGH once, or twice for a frontier, or --ask QUESTION",
        ));
    }
    if texts.len() == 2 && args.step.is_some() {
        return Err(bad("--step is for one --find; for two give --points, and ranges as wide as they need to be"));
    }
    let find = |text: &String| {
        let mut find = Find::parse(text, args.step.as_deref()).map_err(|why| bad(&format!("--find {text}: {why}")))?;
        find.from = args.at.map(|at| Time(at.0));
        Ok(find)
    };
    let finds = texts.iter().map(find).collect::<Result<Vec<Find>, Exit>>()?;
    if let [a, b] = &finds[..]
        && a.paths.iter().any(|path| b.paths.contains(path))
    {
        return Err(bad(&format!("--find {} and --find {} are about the same value", a.name(), b.name())));
    }
    Ok(finds)
}

/// The losses of front ends that are tried, and of how many.
fn losses(args: &CapacityArgs, plan: &Plan, told: &mut Vec<String>) -> Result<(Vec<Loss>, u32), Exit> {
    let down = args.with_down.unwrap_or(u32::from(plan.front_ends.len() > 1));
    if down == 0 {
        return Ok((Vec::new(), 0));
    }
    match Loss::all(plan, down as usize) {
        Ok(losses) if args.with_down.is_some() || losses.len() <= CASES_UNASKED => Ok((losses, down)),
        Ok(losses) => {
            let cases = losses.len();
            told.push(format!("not asked for one front end lost, which has {cases} cases; --with-down 1 does"));
            Ok((Vec::new(), 0))
        }
        Err(why) if args.with_down.is_some() => Err(bad(&format!("--with-down {down}: {why}"))),
        Err(why) => {
            told.push(format!("not asked for one front end lost: {why}"));
            Ok((Vec::new(), 0))
        }
    }
}

/// Says how many runs there may be and how long they may take, from the first of them.
fn announce(asked: &Asked<'_>, looking: &mut Looking<'_>) -> Result<(), Exit> {
    let middle: Vec<u64> = asked.finds.iter().map(|find| find.last() / 2).collect();
    let watch = Stopwatch::start();
    looking.few(&Case { places: middle, ..Case::default() }, &[])?;
    let each = watch.elapsed().as_secs_f64() / f64::from(SCREENED);
    let last = asked.finds.last().map_or(0, Find::last);
    let rows = if asked.finds.len() == 2 { asked.rows().len() as u64 } else { 1 };
    let values = Search::most(last) * rows;
    let replications = u64::from(asked.args.replications);
    let mut runs = values * replications;
    let mut text = format!("at most {} with {replications} replications each", plural(values, "value", "values"));
    if asked.down > 0 {
        let cases = asked.losses.len() as u64;
        text += &format!(
            ", and again with {} lost, {cases} cases each",
            plural(asked.down.into(), "front end", "front ends")
        );
        runs += values * replications * cases;
    }
    if let Some(rule) = asked.rule() {
        let each = if rule == Rule::Bounds { replications } else { SCREENED.into() };
        let looked_at = inputs(&asked.input.plan, &[]).len().min(INPUTS_MAX) as u64;
        let more = looked_at * FACTORS.len() as u64 * u64::from(SCREENED)
            + Search::most(last) * (LISTED * FACTORS.len() + 1) as u64 * each;
        text += &format!(", and up to {} to see what it depends on", plural(more, "run", "runs"));
        runs += more;
    }
    let all = Span::SECOND.times(libm::ceil(each * runs as f64) as u64);
    hint(&format!("{text}: {} runs at most, in about {all} or less at the pace of the first\n", count(runs)));
    Ok(())
}

impl Asked<'_> {
    /// By which rule what the answer depends on is looked for; `None`: it is not.
    fn rule(&self) -> Option<Rule> {
        match self.args.sensitivity {
            Depth::None => None,
            _ if self.finds.len() > 1 => None,
            Depth::Screen => Some(Rule::Majority),
            Depth::Full => Some(Rule::Bounds),
        }
    }

    /// Places of the first of two variables.
    fn rows(&self) -> Vec<u64> {
        self.finds.first().map_or(Vec::new(), |find| places(find, self.args.points.into()))
    }

    fn told(&self) -> String {
        let mut text = format!("{}\n", self.input.shown);
        for line in &self.told {
            text += &(wrap(line, 100, 2) + "\n");
        }
        text
    }
}

/// One variable: its limit.
fn one(asked: &Asked<'_>, looking: &mut Looking<'_>, printer: &mut Printer) -> Result<(Exit, String), Exit> {
    let Asked { args, input, losses, down, .. } = asked;
    let find = &asked.finds[0];
    let all_up = looking.search(&[], &[], None)?;
    let answer = |(weighed, found): (Vec<Weighed>, Found), estimates| Answer {
        plan: &input.plan,
        find,
        replications: args.replications,
        weighed,
        found,
        estimates,
        sensitivity: None,
        measured: &asked.measured,
    };
    let estimates = estimate(&input.plan);
    let (mut answer, beside) = if losses.is_empty() {
        (answer(all_up, estimates), None)
    } else {
        let hint = all_up.1.hint(find.last());
        (answer(looking.search(&[], losses, hint)?, estimates), Some(answer(all_up, Vec::new())))
    };
    if let Some(rule) = asked.rule() {
        answer.sensitivity = depends(looking, &answer, losses, rule)?;
    }
    match args.format {
        Format::Text => {
            let mut text = asked.told();
            if let Some(beside) = &beside {
                let line = format!("with all front ends: {}", beside.headline());
                text += &format!("{}\nwith {down} lost: ", wrap(&line, 100, 2));
            }
            printer.print(&(text + &answer.text()))?;
        }
        Format::Json => {
            let mut all = answer.json();
            all["schema"] = json!(SCHEMAS[0]);
            all["scenario"] = json!(input.plan.name);
            all["seed"] = json!(input.plan.seed);
            all["down"] = json!(down);
            all["all_up"] = json!(beside.map(|beside| beside.json()));
            all["notes"] = json!(asked.told);
            printer.print(&format!("{all:#}"))?;
        }
    }
    let exit = match answer.found {
        Found::Limit { holds: Some(_), fails: Some(_), .. } => Exit::Pass,
        // There is an answer, and it is not the one that was asked for.
        _ => Exit::Inconclusive,
    };
    Ok((exit, answer.csv()))
}

/// Two variables: the frontier between them.
fn two(asked: &Asked<'_>, looking: &mut Looking<'_>, printer: &mut Printer) -> Result<(Exit, String), Exit> {
    let Asked { args, input, losses, down, .. } = asked;
    let (outer, inner) = (&asked.finds[0], &asked.finds[1]);
    let mut frontier = |losses: &[Loss]| -> Result<Frontier<'_>, Exit> {
        let mut rows: Vec<Row> = Vec::new();
        for place in asked.rows() {
            // The first search looks over the whole range; each other one begins at its neighbour's limit.
            let hint = rows.last().and_then(|row| row.found.hint(inner.last()));
            let (weighed, found) = looking.search(&[place], losses, hint)?;
            rows.push(Row { place, weighed, found });
        }
        let replications = args.replications;
        Ok(Frontier { plan: &input.plan, outer, inner, replications, rows, measured: &asked.measured })
    };
    let all_up = frontier(&[])?;
    let lost = if losses.is_empty() { None } else { Some(frontier(losses)?) };
    match args.format {
        Format::Text => {
            let mut text = asked.told();
            if let Some(lost) = &lost {
                text += &format!("with {down} lost: {}\nwith all front ends: ", lost.text());
            }
            printer.print(&(text + &all_up.text()))?;
        }
        Format::Json => {
            let mut all = lost.as_ref().unwrap_or(&all_up).json();
            all["schema"] = json!(SCHEMAS[1]);
            all["scenario"] = json!(input.plan.name);
            all["seed"] = json!(input.plan.seed);
            all["down"] = json!(down);
            all["all_up"] = json!(lost.as_ref().map(|_| all_up.json()));
            all["notes"] = json!(asked.told);
            printer.print(&format!("{all:#}"))?;
        }
    }
    let answer = lost.as_ref().unwrap_or(&all_up);
    Ok((if answer.is_answer() { Exit::Pass } else { Exit::Inconclusive }, answer.csv()))
}
