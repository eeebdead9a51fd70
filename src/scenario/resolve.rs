//! From a scenario's text to a plan: every default filled in, every assumption said, what belongs together checked.
//!
//! Reads all of a file before it gives up, so that one look shows all errors. Each section has its function; groups and
//! front ends have their own files. Does no I/O: the caller has the text.

pub(in crate::scenario) mod date;
mod front_end;
mod group;
mod issuer;
mod limit;
mod lookup;
mod making;
mod network;
mod operations;
mod outside;
mod particulars;
mod pool;
mod reconnect;
mod requests;
mod timeline;
mod tls;
mod validity;

use toml::de::DeTable;

use crate::frontend::CYCLES_MAX;
use crate::id::ENTITIES_MAX;
use crate::policy::lookup::{CRYPTOAPI_TOTAL, Lookups, Waiting};
use crate::policy::{Act, Action, Anchor, Initiator, Order, Recovery, Refresh, Style};
use crate::time::{Span, Time};
use crate::validate::{Builtin, Transport};

use super::decode::{Context, Item, Table, setting, size, span};
use super::diagnose::{Problems, quoted};
use super::expect::Expectation;
use super::expect_parse::{self, Names};
use super::file::{ActionWord, AnchorWord, StyleWord};
use super::plan::{Epoch, MeasurePlan, Outside, Plan, ProcessPlan, SEMANTICS, Start, TieOrder};

pub(super) use date::written as written_date;
pub(super) use pool::written as written_restart;

/// The longest run: 100 years of 365.25 days.
const HORIZON_MAX: Span = Span(36_525 * Span::DAY.0);
/// Most actions of a recovery.
const ACTIONS_MAX: usize = 16;
/// How long a host that reboots is gone, where the scenario does not say.
const AWAY: Span = Span(5 * Span::MINUTE.0);
/// Entities that are kept free beyond the scenario's own.
const ENTITIES_SPARE: u64 = 16;
/// Most peers of one group.
pub(super) const COUNT_MAX: u32 = 33_000_000;
/// Longest name of a group or front end, in characters.
pub(super) const NAME_MAX: usize = 255;

/// A value given beside the file, as `--set path=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Keys with dots between them; into a list by position or name.
    pub path: String,
    /// TOML if it parses as such, else a bare string.
    pub value: String,
}

/// Reads a scenario: `name` for the plan, `file` for messages, the file's bytes, and settings in order.
///
/// All errors are reported together, each with its place.
pub fn load(name: &str, file: &str, text: &[u8], set: &[Setting]) -> Result<Plan, Problems> {
    load_up_to(size::BYTES_MAX, name, file, text, set)
}

/// The same for a plan that this program has written, which is longer than the scenario that it was made of.
pub fn load_plan(name: &str, file: &str, text: &[u8], set: &[Setting]) -> Result<Plan, Problems> {
    load_up_to(size::PLAN_BYTES_MAX, name, file, text, set)
}

fn load_up_to(most: usize, name: &str, file: &str, text: &[u8], set: &[Setting]) -> Result<Plan, Problems> {
    let settings: Vec<String> = set.iter().map(|setting| format!("{}={}", setting.path, setting.value)).collect();
    let text = size::checked(text, most).map_err(|problem| Problems {
        file: file.to_owned(),
        text: size::lossy(text, most),
        settings: settings.clone(),
        list: vec![problem],
        unlisted: 0,
    })?;
    let cx = Context::new(text, &settings);
    let mut table = cx.parse();
    if !cx.is_broken() {
        (0..settings.len()).for_each(|nth| setting::apply(&cx, &mut table, nth));
    }
    let plan = scenario(&cx, &table, name);
    match plan {
        Some(mut plan) if cx.is_clean() => {
            plan.assumptions = cx.into_assumptions();
            Ok(plan)
        }
        _ => Err(cx.into_problems(file)),
    }
}

/// The whole file. `None` only after a complaint.
fn scenario<'i>(cx: &Context<'i>, table: &DeTable<'i>, name: &str) -> Option<Plan> {
    let root = Table::root(cx, table);
    for (key, version) in [("schema", 1), ("semantics", u64::from(SEMANTICS))] {
        root.need(key, &format!("`{key} = {version}`")).and_then(|item| item.whole(version..=version));
    }
    let section = |key| root.get(key).map(|item: Item<'_, 'i>| item.table(&format!("a table `[{key}]`")));
    let run = root.need("run", "a table `[run]` with `horizon`").and_then(|item| item.table("a table `[run]`"));
    let run = run.and_then(run_section);
    let horizon = run.as_ref().map_or(HORIZON_MAX, |run| run.horizon);
    let front_ends = front_end::section(cx, section("front_end").flatten(), horizon);
    let refresh = refresh_section(cx, section("refresh"), run.as_ref().map(|run| run.horizon));
    let recovery = recovery_section(cx, section("recovery"));
    let pool = section("pool");
    let has_pool = pool.is_some();
    let pool = pool::section(cx, pool.flatten(), front_ends.len());
    let needs = "a table `[validation]` with `validator`";
    let validation = root.need("validation", needs).and_then(|item| item.table("a table `[validation]`"));
    let validation = validation.and_then(|table| validation_section(cx, table));
    let names: Vec<&str> = front_ends.iter().map(|front_end| front_end.name.as_str()).collect();
    let middlebox = section("middlebox");
    let has_middlebox = middlebox.is_some();
    let middlebox = pool::middlebox(middlebox.flatten());
    let (groups, complete) =
        group::section(cx, root.need("group", "at least one `[[group]]`"), validation.as_ref(), &names, has_middlebox);
    if let Some(item) = root.get("middlebox") {
        pool::beside_silence(&item, middlebox.as_ref(), &groups, refresh.as_ref());
    }
    let mut issuer = issuer::section(cx, root.get("issuer").as_ref(), section("issuer").flatten(), &groups);
    if let Some(item) = root.get("group") {
        issuer::beside_ticks(&item, refresh.as_ref(), &groups);
    }
    let (mut lookups, lookups_complete) = lookup::section(cx, root.get("lookup"));
    let entries = root.get("timeline");
    let entries = entries.and_then(|item| item.list(0..=usize::MAX, "entries, each a `[[timeline]]`"));
    let (of_lookups, others) = entries.unwrap_or_default().into_iter().partition::<Vec<_>, _>(lookup::is_change);
    lookup::changes(&of_lookups, &mut lookups, lookups_complete, horizon);
    let (of_issuer, others) = others.into_iter().partition::<Vec<_>, _>(issuer::is_change);
    issuer::changes(&of_issuer, issuer.as_mut(), horizon);
    let faults = validation
        .as_ref()
        .is_none_or(|validation| validation.validator == Builtin::Sfb2015Rtm || validation.outside.is_some());
    let positions = names.iter().copied().zip(0..).collect();
    let has_program = validation.as_ref().is_some_and(|validation| validation.outside.is_some());
    let may_fail = has_pool || faults;
    let given = operations::Given { front_ends: &front_ends, positions: &positions, may_fail, has_program };
    let (timeline, operations) = timeline::section(others, &groups, complete, &names, horizon, given);
    making::beside_make_first(refresh.as_ref(), root.get("refresh").as_ref(), &groups);
    let measure = measure_section(section("measure").flatten(), horizon);
    let process = process_section(section("process").flatten());
    let lookup_names = lookups.iter().map(|lookup| lookup.name.as_str()).collect();
    let known = Names {
        groups: &groups.iter().map(|group| group.name.as_str()).collect(),
        front_ends: &names.iter().copied().collect(),
        lookups: lookups_complete.then_some(&lookup_names),
        complete,
    };
    let expect = expect_section(section("expect").flatten(), &known);
    // A count that is wrong stands for the largest, so that nothing refers beyond it.
    if let Some(item) = root.get("group")
        && cx.is_clean()
    {
        entities(&item, &groups, &front_ends);
    }
    root.finish();
    let (run, validation) = (run?, validation?);
    if !lookups.is_empty() && validation.lookup_total.is_none() {
        cx.assume("validation.lookup_total", "20s: what Windows CryptoAPI allows all retrievals for one chain");
    }
    let total = validation.lookup_total.unwrap_or(Some(CRYPTOAPI_TOTAL));
    let lookups = Lookups {
        total: total.filter(|_| !lookups.is_empty() || validation.lookup_total.is_some()),
        of_verdict: validation.verdict_wait,
        each: lookups,
    };
    Some(Plan {
        name: name.to_owned(),
        seed: run.seed,
        replication: 0,
        horizon: run.horizon,
        epoch: run.epoch,
        start: run.start,
        tie_order: run.tie_order,
        front_ends,
        refresh,
        issuer,
        recovery,
        pool,
        middlebox,
        validator: validation.validator,
        outside: validation.outside,
        lookups,
        groups,
        timeline,
        operations,
        measure,
        process,
        skips_exact_age: false,
        expect,
        assumptions: Vec::new(),
    })
}

/// Peers, workers and front ends together must have numbers.
fn entities(item: &Item<'_, '_>, groups: &[super::GroupPlan], front_ends: &[super::FrontEndPlan]) {
    let peers: u64 = groups.iter().map(|group| u64::from(group.peers())).sum();
    let others: u64 = front_ends.iter().map(|front_end| u64::from(front_end.workers) + 1).sum();
    let most = u64::from(ENTITIES_MAX) - ENTITIES_SPARE;
    let senders: u64 =
        groups.iter().filter(|group| group.requests.is_some()).map(|group| u64::from(group.peers())).sum();
    if peers + senders + others > most {
        let twice = if senders > 0 { format!(" ({senders} of them twice, for their requests)") } else { String::new() };
        let what = format!("has {peers} peers in all{twice}, which with {others} workers and front ends is too many");
        item.wrong(what, format!("at most {most} peers, workers and front ends in all"));
    }
}

/// What `[run]` says.
struct Run {
    horizon: Span,
    seed: u64,
    epoch: Option<Epoch>,
    start: Start,
    tie_order: TieOrder,
}

fn run_section(table: Table<'_, '_>) -> Option<Run> {
    let horizon = table.need("horizon", "a length of time, e.g. \"3d\"").and_then(|item| {
        let horizon = item.length()?;
        if horizon == Span::ZERO || horizon > HORIZON_MAX {
            item.wrong(format!("is {horizon}"), "more than 0s, at most 36525d (100 years)");
            return None;
        }
        Some(horizon)
    });
    let seed = table.get("seed").and_then(|item| item.whole(0..=u64::MAX)).unwrap_or(42);
    let epoch = table.get("epoch").and_then(|item| date::read(&item, horizon.unwrap_or(Span::ZERO)));
    let start = table.get("start").and_then(|item| item.word()).unwrap_or(Start::Connecting);
    let tie_order = table.get("tie_order").and_then(|item| item.word()).unwrap_or(TieOrder::Entity);
    table.finish();
    Some(Run { horizon: horizon?, seed, epoch, start, tie_order })
}

/// `section`: absent, there but not a table, or a table.
fn refresh_section(cx: &Context<'_>, section: Option<Option<Table<'_, '_>>>, horizon: Option<Span>) -> Option<Refresh> {
    let Some(section) = section else {
        if !cx.is_broken() {
            cx.assume("refresh", "nothing is refreshed, for there is no [refresh]");
        }
        return None;
    };
    let table = section?;
    let every = table.need("every", "a length of time, e.g. \"24h\"").and_then(|item| {
        let every = above_zero(&item)?;
        if let Some(horizon) = horizon
            && horizon.0 / every.0 >= CYCLES_MAX
        {
            let least = Span(horizon.0 / CYCLES_MAX + 1);
            item.wrong(
                format!("is {every}: more than {CYCLES_MAX} refreshes in a run of {horizon}"),
                format!("at least {least}, or a shorter run"),
            );
            return None;
        }
        Some(every)
    });
    let anchor_word = table.get("anchor").and_then(|item| item.word()).unwrap_or(AnchorWord::ServiceStart);
    let offset = table.get("offset").and_then(|item| {
        if anchor_word != AnchorWord::WallClock {
            item.wrong("does nothing here", "only with `anchor = \"wall-clock\"`");
        }
        below(&item, every)
    });
    let spread = table.get("spread").and_then(|item| below(&item, every)).unwrap_or(Span::ZERO);
    let transports = table.get("transports").and_then(|item| transports(&item)).unwrap_or([true, true]);
    let order = table.get("order").and_then(|item| item.word()).unwrap_or(Order::Topology);
    let action = table.get("action").and_then(|item| item.word()).unwrap_or(ActionWord::Revalidate);
    let initiator = table.get("initiator").and_then(|item| {
        if action != ActionWord::Reconnect {
            item.wrong("does nothing here", "only with `action = \"reconnect\"`");
        }
        item.word()
    });
    let style = style(&table, action);
    let limit = table.get("limit").and_then(|item| limit::read(&item));
    table.finish();
    let anchor = match anchor_word {
        AnchorWord::ServiceStart => Anchor::ServiceStart,
        AnchorWord::OwnAge => Anchor::OwnAge,
        AnchorWord::WallClock => Anchor::WallClock(offset.unwrap_or(Span::ZERO)),
    };
    let act = match action {
        ActionWord::Revalidate => Act::Revalidate,
        ActionWord::Reconnect => Act::Reconnect(initiator.unwrap_or(Initiator::FrontEnd)),
    };
    let [tcp, tls] = transports;
    Some(Refresh { every: every?, anchor, spread, tcp, tls, order, act, style, limit })
}

/// `style` and `grace`.
fn style(table: &Table<'_, '_>, action: ActionWord) -> Style {
    let word = table.get("style").and_then(|item| {
        if action != ActionWord::Reconnect {
            item.wrong("does nothing here", "only with `action = \"reconnect\"`");
        }
        item.word()
    });
    let grace = table.get("grace").and_then(|item| {
        if word != Some(StyleWord::MakeFirst) {
            item.wrong("does nothing here", "only with `style = \"make-first\"`");
        }
        item.length()
    });
    match word {
        Some(StyleWord::MakeFirst) => Style::MakeFirst { grace: grace.unwrap_or(Span::ZERO) },
        Some(StyleWord::BreakFirst) | None => Style::BreakFirst,
    }
}

/// The shortest idle limit: a connection is closed no sooner.
const IDLE_MIN: Span = Span::SECOND;

/// How long nothing may come over a connection; `None`: for ever.
fn idle(item: &Item<'_, '_>) -> Option<Span> {
    let idle = item.length_or_never()??;
    if idle < IDLE_MIN {
        item.wrong(format!("is {idle}"), format!("at least {IDLE_MIN}, or \"never\""));
    }
    Some(idle)
}

fn above_zero(item: &Item<'_, '_>) -> Option<Span> {
    let length = item.length()?;
    if length == Span::ZERO {
        item.wrong("is 0s", "more than 0s");
        return None;
    }
    Some(length)
}

/// A length below `every`, if that is known.
fn below(item: &Item<'_, '_>, every: Option<Span>) -> Option<Span> {
    let length = item.length()?;
    if let Some(every) = every
        && length >= every
    {
        item.wrong(format!("is {length}"), format!("less than `refresh.every`, {every}"));
        return None;
    }
    Some(length)
}

/// Whether tcp and tls are named.
fn transports(item: &Item<'_, '_>) -> Option<[bool; 2]> {
    let mut named = [false, false];
    for item in item.list(1..=2, "names of transports, e.g. [\"tcp\", \"tls\"]")? {
        let Some(transport) = item.word::<Transport>() else { continue };
        let named = &mut named[usize::from(transport == Transport::Tls)];
        if *named {
            item.wrong("names a transport twice", "each transport once");
        }
        *named = true;
    }
    Some(named)
}

fn recovery_section(cx: &Context<'_>, section: Option<Option<Table<'_, '_>>>) -> Recovery {
    let mut recovery =
        Recovery { actions: vec![Action::Restart(Span::MINUTE)], reset_period: Some(Span::DAY), dump: Span::ZERO };
    let assume_actions = |key: &str| {
        cx.assume(key, "restart after 60s, count reset after 1d: the product's own defaults are not public");
    };
    let Some(table) = section.flatten() else {
        assume_actions("recovery");
        return recovery;
    };
    match table.get("actions") {
        Some(item) => recovery.actions = actions(&item).unwrap_or_default(),
        None => cx.assume("recovery.actions", "restart after 60s: the product's own defaults are not public"),
    }
    match table.get("reset_period") {
        Some(item) => recovery.reset_period = item.length_or_never().unwrap_or_default(),
        None => cx.assume("recovery.reset_period", "1d: the product's own default is not public"),
    }
    if let Some(dump) = table.get("dump").and_then(|item| item.length()) {
        recovery.dump = dump;
    }
    table.finish();
    recovery
}

fn actions(item: &Item<'_, '_>) -> Option<Vec<Action>> {
    let accepts = "actions, e.g. [\"restart after 60s\", \"none\"]";
    Some(item.list(0..=ACTIONS_MAX, accepts)?.iter().filter_map(action).collect())
}

/// `restart [after D]`, `reboot [after D] [away D]` or `none`.
fn action(item: &Item<'_, '_>) -> Option<Action> {
    let accepts = "`restart [after D]`, `reboot [after D] [away D]` or `none`";
    let text = item.string(accepts)?;
    let (mut delay, mut away) = (None, None);
    let mut words = words(&text).into_iter().peekable();
    let verb = words.next().map_or("", |at| &text[at]);
    if !matches!(verb, "restart" | "reboot" | "none") {
        item.wrong_near(verb, ["restart", "reboot", "none"].into_iter(), accepts);
        return None;
    }
    while let Some(at) = words.next() {
        let slot = match (&text[at.clone()], verb) {
            ("after", "restart" | "reboot") if delay.is_none() => &mut delay,
            ("away", "reboot") if away.is_none() => &mut away,
            (word, _) => {
                let message = format!("has {} after `{verb}`", quoted(word));
                item.wrong_inside(at, message, accepts, None);
                return None;
            }
        };
        // A length may be several words: it goes on up to the next keyword.
        let (start, mut end) = (words.peek().map_or(text.len(), |at| at.start), at.end);
        while let Some(at) = words.next_if(|at| !matches!(&text[at.clone()], "after" | "away")) {
            end = at.end;
        }
        match span::parse(&text[start.min(end)..end]) {
            Ok(length) => *slot = Some(length),
            Err(fault) => {
                let at = if start < end { start + fault.at.start..start + fault.at.end } else { at };
                item.wrong_inside(at, format!("has a length that {}", fault.what), span::ACCEPTS, None);
                return None;
            }
        }
    }
    let delay = delay.unwrap_or(Span::ZERO);
    Some(match verb {
        "restart" => Action::Restart(delay),
        "reboot" => Action::Reboot { delay, away: away.unwrap_or(AWAY) },
        _ => Action::None,
    })
}

/// Where the words of a text stand.
fn words(text: &str) -> Vec<std::ops::Range<usize>> {
    let place = |word: &str| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        start..start + word.len()
    };
    text.split_whitespace().map(place).collect()
}

/// What `[validation]` says.
struct Validation {
    validator: Builtin,
    outside: Option<Outside>,
    accept: crate::dist::Dist,
    refresh: crate::dist::Dist,
    lookup_total: Option<Option<Span>>, // `None`: not said
    verdict_wait: Waiting,
}

fn validation_section(cx: &Context<'_>, table: Table<'_, '_>) -> Option<Validation> {
    let command = table.get("command");
    let outside = outside::section(&table, command.as_ref());
    let validator = match table.get("validator") {
        None if command.is_some() => Some(Builtin::Sfb2015Cu2),
        Some(item) => item.word(),
        None => {
            let needs = "the logic that judges peers, e.g. \"sfb2015-rtm\", or `command`, a program of your own";
            table.need("validator", needs).and_then(|item| item.word())
        }
    };
    let accept = match table.get("accept") {
        Some(item) => item.cpu(),
        None => {
            cx.assume("validation.accept", "1ms: the product's own cost is not public");
            None
        }
    };
    let accept = accept.unwrap_or(crate::dist::Dist::Constant(Span::MILLISECOND));
    let refresh = match table.get("refresh") {
        Some(item) => item.cpu(),
        None => {
            cx.assume("validation.refresh", "as validation.accept: both ask the same questions");
            None
        }
    };
    let refresh = refresh.unwrap_or_else(|| accept.clone());
    let lookup_total = table.get("lookup_total").and_then(|item| item.length_or_never());
    let verdict_wait = table.get("verdict_wait").and_then(|item| item.word()).unwrap_or_default();
    table.finish();
    Some(Validation { validator: validator?, outside, accept, refresh, lookup_total, verdict_wait })
}

fn measure_section(section: Option<Table<'_, '_>>, horizon: Span) -> MeasurePlan {
    let mut measure = MeasurePlan { from: Time::ZERO, sample: Span::MINUTE, cycles: Vec::new(), window_limit: None };
    let Some(table) = section else {
        return measure;
    };
    if let Some(item) = table.get("from")
        && let Some(from) = item.length()
    {
        within(&item, from, horizon);
        measure.from = Time(from.0);
    }
    if let Some(item) = table.get("sample")
        && let Some(sample) = item.length()
    {
        if sample < Span::SECOND {
            item.wrong(format!("is {sample}"), "at least 1s");
        }
        measure.sample = sample;
    }
    if let Some(item) = table.get("cycles") {
        measure.cycles = cycles(&item).unwrap_or_default();
    }
    if let Some(item) = table.get("window_limit") {
        measure.window_limit = item.length();
        if measure.window_limit == Some(Span::ZERO) {
            item.wrong("is 0s", "more than 0s");
        }
    }
    table.finish();
    measure
}

fn cycles(item: &Item<'_, '_>) -> Option<Vec<u32>> {
    let mut cycles = Vec::new();
    for item in item.list(0..=1000, "numbers of refresh cycles, e.g. [1, 2]")? {
        let Some(cycle) = item.whole32(1..=u32::MAX) else { continue };
        match cycles.binary_search(&cycle) {
            Ok(_) => item.wrong(format!("names cycle {cycle} twice"), "each cycle once"),
            Err(at) => cycles.insert(at, cycle),
        }
    }
    Some(cycles)
}

/// Complains of a moment after the end of the run.
fn within(item: &Item<'_, '_>, at: Span, horizon: Span) {
    if at > horizon {
        item.wrong(format!("is {at}, after the end of the run"), format!("at most `run.horizon`, {horizon}"));
    }
}

fn process_section(section: Option<Table<'_, '_>>) -> ProcessPlan {
    let Some(table) = section else {
        return ProcessPlan::default();
    };
    let text = |key| table.get(key).and_then(|item| item.name(1024, "a text in quotes"));
    let process = ProcessPlan {
        service: text("service"),
        application: text("application"),
        application_version: text("application_version"),
        application_timestamp: text("application_timestamp"),
        module: text("module"),
        module_version: text("module_version"),
        module_timestamp: text("module_timestamp"),
        process_id: table.get("process_id").and_then(|item| item.whole32(0..=u32::MAX)),
        fault_offset: table.get("fault_offset").and_then(|item| item.whole(0..=u64::MAX)),
        report_id: text("report_id"),
        application_path: text("application_path"),
        module_path: text("module_path"),
    };
    table.finish();
    process
}

fn expect_section(section: Option<Table<'_, '_>>, names: &Names<'_>) -> Vec<Expectation> {
    let Some(table) = section else {
        return Vec::new();
    };
    let mut expectations = Vec::new();
    for (name, item) in table.all() {
        if item.cx.is_full() {
            // Looking for what was meant takes time by the number of names, for a message that nobody sees.
            break;
        }
        if name.is_empty() || name.chars().any(char::is_control) || name.chars().nth(NAME_MAX).is_some() {
            let label = format!("a name of 1 to {NAME_MAX} characters, none of them a control character");
            item.cx.complain(item.key_span.clone(), "an expectation has no proper name", label, None);
            continue;
        }
        let Some(line) = item.string("a line in quotes, e.g. \"crashes : value == 0\"") else { continue };
        match expect_parse::parse(name, &line, names) {
            Ok(expectation) => expectations.push(expectation),
            Err(fault) => item.wrong_inside(fault.at, fault.message, &fault.accepts, fault.hint),
        }
    }
    expectations
}
