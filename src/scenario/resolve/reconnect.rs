//! `[group.reconnect]` and `[group.timeouts]`: how the peers of a group wait, give up and come back.

use std::borrow::Cow;

use crate::dist::Dist;
use crate::policy::{
    Backoff, Budget, ConnectGrowth, ConnectLimit, FACTOR_MAX, FACTOR_MIN, GiveUp, Growth, Jitter, JitterAt, PRESETS,
    Preset, Rate, Ratio, Reconnect, Scope, Timeouts,
};
use crate::scenario::decode::{Item, Table};
use crate::scenario::file::{GrowthWord, JitterWord, PresetWord};
use crate::time::Span;

use super::group::Reader;

/// Most waits of a list.
const WAITS_MAX: usize = 1_000;
/// The longest window of a budget.
const WINDOW_MAX: Span = Span::DAY;
/// A budget where the scenario does not say: Finagle's.
const BUDGET: Budget = Budget {
    share: Ratio::percent(20),
    floor: Rate::per_second(10),
    window: Span(10 * Span::SECOND.0),
    scope: Scope::Group,
};
/// Keys that make a back-off of the waits.
const BACKOFF_KEYS: [&str; 10] =
    ["growth", "base", "step", "factor", "waits", "cap", "jitter", "jitter_share", "jitter_at", "jitter_tries"];

impl Reader<'_, '_, '_> {
    /// How long they wait for each step.
    pub(super) fn timeouts(&self) -> Timeouts {
        let mut timeouts = self.preset().map_or(Timeouts::NONE, |preset| preset.timeouts);
        let item = self.table.get("timeouts");
        let Some(table) = item.and_then(|item| item.table("a table, e.g. { connect = \"5s\" }")) else {
            return timeouts;
        };
        let Timeouts { connect, flight, answer, .. } = &mut timeouts;
        for (key, step) in [("connect", connect), ("flight", flight), ("answer", answer)] {
            if let Some(item) = table.get(key) {
                *step = item.length_or_never().flatten();
            }
        }
        connect_growth(&table, &mut timeouts);
        table.finish();
        timeouts
    }

    fn preset(&self) -> Option<&'static Preset> {
        preset(&self.table.get("reconnect")?.as_table()?)
    }

    /// How long an attempt may take, if a preset of their waits says so.
    pub(super) fn preset_timeout(&self) -> Option<Span> {
        self.preset()?.attempt_timeout
    }

    /// How they come back.
    pub(super) fn reconnect(&self, label: &str) -> Reconnect {
        let plain = |seconds| Dist::Constant(Span::SECOND.times(seconds));
        let item = self.table.get("reconnect");
        if item.is_none() {
            self.assume(label, "reconnect", "first 0s, delay 5s: the product's own times are not public");
        }
        let table = item.and_then(|item| item.table("a table, e.g. { first = \"0s\", delay = \"5s\" }"));
        let Some(table) = table else { return Reconnect::plain(plain(0), plain(5)) };
        let preset = preset(&table);
        if let Some(Preset { name, evidence, source, .. }) = preset {
            let text = format!("as in preset {name}, {}: {source}", evidence.name());
            self.assume(label, "reconnect", &text);
        }
        let mut reconnect = preset.map_or_else(|| Reconnect::plain(plain(0), plain(5)), |preset| (preset.settings)());
        let backs_off = preset.is_some() || BACKOFF_KEYS.iter().any(|key| table.get(key).is_some());
        let jitter_first = table.get("jitter_first");
        match table.get("first") {
            Some(item) => reconnect.first = item.dist().unwrap_or(plain(0)),
            None if preset.is_none() => {
                self.assume(label, "reconnect.first", "0s: the product's own time is not public");
            }
            None => {}
        }
        match table.get("delay") {
            Some(item) if backs_off => item.wrong("does nothing here", "`delay`, or the keys of a back-off, not both"),
            Some(item) => reconnect.delay = item.dist().unwrap_or(plain(5)),
            None if backs_off => reconnect.delay = plain(0),
            None => self.assume(label, "reconnect.delay", "5s: the product's own time is not public"),
        }
        if backs_off {
            reconnect.backoff = Some(backoff(&table, reconnect.backoff.take(), jitter_first));
        } else if let Some(item) = jitter_first {
            item.wrong("does nothing here", "only with `jitter`");
        }
        self.rest(&table, &mut reconnect);
        table.finish();
        reconnect
    }

    /// What goes with every way of waiting.
    fn rest(&self, table: &Table<'_, '_>, reconnect: &mut Reconnect) {
        if let Some(word) = table.get("counted_from").and_then(|item| item.word()) {
            reconnect.counted_from = word;
        }
        if let Some(length) = table.get("reset_after").and_then(|item| item.length()) {
            reconnect.reset_after = length;
        }
        let GiveUp { attempts, after } = &mut reconnect.give_up;
        if let Some(item) = table.get("give_up_attempts") {
            *attempts = whole16(&item);
        }
        if let Some(item) = table.get("give_up_after") {
            *after = item.length_or_never().flatten();
        }
        if let Some(stretch) = table.get("stretch_attempt").and_then(|item| item.boolean()) {
            reconnect.stretch_attempt = stretch;
        }
        let ConnectLimit { rate, in_flight } = &mut reconnect.limit;
        if let Some(item) = table.get("connect_rate") {
            *rate = item.rate(1);
        }
        if let Some(item) = table.get("connects_in_flight") {
            *in_flight = item.whole32(1..=u32::MAX);
        }
        if let Some(item) = table.get("budget") {
            reconnect.budget = budget(&item, reconnect.budget);
        }
    }
}

/// How the time-out of connecting grows.
fn connect_growth(table: &Table<'_, '_>, timeouts: &mut Timeouts) {
    let (factor, cap, jitter) = (table.get("connect_factor"), table.get("connect_cap"), table.get("connect_jitter"));
    let mut growth = timeouts.connect_growth;
    if let Some(item) = &factor {
        if table.get("connect").is_none() && timeouts.connect.is_none() {
            item.wrong("does nothing here", "only with `connect`");
        }
        let factor = item.factor(FACTOR_MIN, FACTOR_MAX).unwrap_or(FACTOR_MAX);
        let nothing = ConnectGrowth { factor, cap: None, jitter: Ratio::percent(0) };
        growth = Some(growth.map_or(nothing, |growth| ConnectGrowth { factor, ..growth }));
    }
    for item in [&cap, &jitter].into_iter().flatten().filter(|_| growth.is_none()) {
        item.wrong("does nothing here", "only with `connect_factor`");
    }
    if let Some(growth) = &mut growth {
        if let Some(item) = cap {
            growth.cap = item.length_or_never().flatten();
        }
        if let Some(share) = jitter.and_then(|item| item.share(100)) {
            growth.jitter = share;
        }
    }
    // What never times out does not grow.
    timeouts.connect_growth = growth.filter(|_| timeouts.connect.is_some());
}

/// The preset that is named.
fn preset(table: &Table<'_, '_>) -> Option<&'static Preset> {
    PRESETS.get(table.get("preset")?.word::<PresetWord>()?.0)
}

fn whole16(item: &Item<'_, '_>) -> Option<u16> {
    item.whole(1..=65_535).and_then(|n| u16::try_from(n).ok())
}

fn budget(item: &Item<'_, '_>, preset: Option<Budget>) -> Option<Budget> {
    let table = item.table("a table, e.g. { share = \"20%\", floor = \"10/s\" }")?;
    let mut budget = preset.unwrap_or(BUDGET);
    if let Some(share) = table.get("share").and_then(|item| item.share(1_000)) {
        budget.share = share;
    }
    if let Some(floor) = table.get("floor").and_then(|item| item.rate(0)) {
        budget.floor = floor;
    }
    if let Some(item) = table.get("window")
        && let Some(window) = item.length()
    {
        if window < Budget::WINDOW_MIN || window > WINDOW_MAX {
            item.wrong(format!("is {window}"), format!("from {} to {WINDOW_MAX}", Budget::WINDOW_MIN));
        }
        budget.window = window;
    }
    if let Some(scope) = table.get("per").and_then(|item| item.word()) {
        budget.scope = scope;
    }
    table.finish();
    Some(budget)
}

/// The back-off that the keys make, over that of a preset.
fn backoff(table: &Table<'_, '_>, preset: Option<Backoff>, jitter_first: Option<Item<'_, '_>>) -> Backoff {
    let is_preset = preset.is_some();
    let mut backoff = preset.unwrap_or_else(|| Backoff::fixed(Dist::Constant(Span::SECOND)));
    let word = table.get("jitter").and_then(|item| item.word::<JitterWord>());
    let growth = growth(table, &backoff.growth, word);
    let has_base = !matches!(growth, Growth::List(_));
    backoff.growth = growth;
    match table.get("base") {
        Some(item) if !has_base => item.wrong("does nothing here", "`waits`, or `base`, not both"),
        Some(item) => backoff.base = item.dist().unwrap_or(backoff.base),
        None if has_base && !is_preset => {
            table.need("base", "the first wait of the back-off, e.g. \"1s\"");
        }
        None => {}
    }
    if let Some(item) = table.get("cap") {
        backoff.cap = item.length_or_never().flatten();
    }
    backoff.jitter = jitter(table, backoff.jitter, word);
    let has_jitter = backoff.jitter != Jitter::None;
    let useless = |item: &Item<'_, '_>| {
        if !has_jitter {
            item.wrong("does nothing here", "only with a `jitter` that is neither `none` nor `decorrelated`");
        }
    };
    if let Some(item) = table.get("jitter_at") {
        useless(&item);
        backoff.jitter_at = item.word().unwrap_or(JitterAt::AfterCap);
    }
    if let Some(item) = jitter_first {
        useless(&item);
        backoff.jitter_first = item.boolean().unwrap_or(true);
    }
    if let Some(item) = table.get("jitter_tries") {
        useless(&item);
        backoff.jitter_tries = whole16(&item);
    }
    if !has_jitter {
        let Backoff { jitter_at, jitter_first, jitter_tries, .. } = Backoff::fixed(Dist::Constant(Span::ZERO));
        (backoff.jitter_at, backoff.jitter_first, backoff.jitter_tries) = (jitter_at, jitter_first, jitter_tries);
    }
    backoff
}

/// How waits grow: by a list, by decorrelated jitter, or by a word and its number.
fn growth(table: &Table<'_, '_>, preset: &Growth, jitter: Option<JitterWord>) -> Growth {
    let (word, step, factor, waits) = (table.get("growth"), table.get("step"), table.get("factor"), table.get("waits"));
    let decorrelated = jitter == Some(JitterWord::Decorrelated);
    if waits.is_some() || decorrelated {
        let why = if decorrelated { "`jitter = \"decorrelated\"` grows by chance" } else { "`waits` says how" };
        for item in [&word, &step, &factor].into_iter().flatten() {
            item.wrong("does nothing here", why);
        }
    }
    if let Some(item) = waits {
        if decorrelated {
            item.wrong("does nothing here", "`jitter = \"decorrelated\"` grows by chance");
        }
        let items = item.list(1..=WAITS_MAX, "waits, e.g. [\"0s\", \"2s\", \"10s\"]").unwrap_or_default();
        // All are read before any is given up, so that all faults are told.
        let waits: Vec<Option<Span>> = items.iter().map(waited).collect();
        return Growth::List(Cow::Owned(waits.into_iter().flatten().collect()));
    }
    if decorrelated {
        return Growth::Decorrelated;
    }
    let preset_word = match preset {
        Growth::Linear(_) => GrowthWord::Linear,
        Growth::Exponential(_) => GrowthWord::Exponential,
        Growth::Fixed | Growth::List(_) | Growth::Decorrelated => GrowthWord::Fixed,
    };
    let word = match word {
        Some(item) => item.word().unwrap_or(preset_word),
        // Another jitter is another growth than a preset's decorrelated one.
        None if jitter.is_none() && matches!(preset, Growth::List(_) | Growth::Decorrelated) => return preset.clone(),
        None => preset_word,
    };
    for (item, only) in [(&step, GrowthWord::Linear), (&factor, GrowthWord::Exponential)] {
        if let Some(item) = item.as_ref().filter(|_| word != only) {
            let name = if only == GrowthWord::Linear { "linear" } else { "exponential" };
            item.wrong("does nothing here", format!("only with `growth = \"{name}\"`"));
        }
    }
    match word {
        GrowthWord::Fixed => Growth::Fixed,
        GrowthWord::Linear => {
            let before = if let Growth::Linear(step) = preset { Some(*step) } else { None };
            if step.is_none() && before.is_none() {
                table.need("step", "how much longer each wait is, e.g. \"1s\"");
            }
            Growth::Linear(step.and_then(|item| waited(&item)).or(before).unwrap_or(Span::ZERO))
        }
        GrowthWord::Exponential => {
            let before = if let Growth::Exponential(factor) = preset { *factor } else { Ratio::new(2, 1) };
            Growth::Exponential(factor.and_then(|item| item.factor(FACTOR_MIN, FACTOR_MAX)).unwrap_or(before))
        }
    }
}

/// A wait: a length as long as lengths of distributions may be.
fn waited(item: &Item<'_, '_>) -> Option<Span> {
    let length = item.length()?;
    if length > crate::dist::MAX {
        item.wrong(format!("is {length}"), format!("at most {}", crate::dist::MAX));
        return None;
    }
    Some(length)
}

/// What chance does, with its share.
fn jitter(table: &Table<'_, '_>, preset: Jitter, word: Option<JitterWord>) -> Jitter {
    let share = table.get("jitter_share");
    let (preset_word, preset_share) = match preset {
        Jitter::None => (JitterWord::None, None),
        Jitter::Full => (JitterWord::Full, None),
        Jitter::Equal => (JitterWord::Equal, None),
        Jitter::TwoSided(share) => (JitterWord::TwoSided, Some(share)),
        Jitter::Later(share) => (JitterWord::Later, Some(share)),
        Jitter::Earlier(share) => (JitterWord::Earlier, Some(share)),
    };
    let word = word.unwrap_or(preset_word);
    let with_share: Option<fn(Ratio) -> Jitter> = match word {
        JitterWord::TwoSided => Some(Jitter::TwoSided),
        JitterWord::Later => Some(Jitter::Later),
        JitterWord::Earlier => Some(Jitter::Earlier),
        JitterWord::None | JitterWord::Full | JitterWord::Equal | JitterWord::Decorrelated => None,
    };
    let Some(of) = with_share else {
        if let Some(item) = share {
            item.wrong("does nothing here", "only with `jitter = \"two-sided\"`, `\"later\"` or `\"earlier\"`");
        }
        return match word {
            JitterWord::Full => Jitter::Full,
            JitterWord::Equal => Jitter::Equal,
            _ => Jitter::None,
        };
    };
    let before = preset_share.filter(|_| word == preset_word);
    if share.is_none() && before.is_none() {
        table.need("jitter_share", "how much of the wait, e.g. \"20%\"");
    }
    of(share.and_then(|item| item.share(100)).or(before).unwrap_or(Ratio::ONE))
}
