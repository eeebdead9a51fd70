//! A diagnosis as text and as JSON.

use serde_json::{Value as Json, json};

use super::{Diagnosis, Pattern, Ranked, Tried, Value, Verdict};

/// Most ranked values that the text has.
const RANKED_MAX: usize = 12;
/// Most settings of a change that the text has.
const SETTINGS_MAX: usize = 4;
/// The version of the JSON form.
const SCHEMA: &str = "refresh-sim.diagnosis/1";

/// The diagnosis for a reader; `result` as messages show it.
pub fn text(result: &str, diagnosis: &Diagnosis) -> String {
    let mut out = match (diagnosis.crashes, diagnosis.from_outside) {
        (0, 0) => return format!("{result}: no front end crashed, so there is nothing to diagnose\n"),
        (0, many) => {
            return format!("{result}: {many} crashes, all ended from outside: no question is to blame for them\n");
        }
        (1, _) => format!("{result}: 1 crash by a validation\n"),
        (many, _) => format!("{result}: {many} crashes by a validation\n"),
    };
    let Some(pattern) = &diagnosis.pattern else { return out };
    out += &rule(pattern);
    out += &ranking(pattern);
    out += &changes(&diagnosis.tried);
    out
}

fn rule(pattern: &Pattern) -> String {
    let total = pattern.crashing + pattern.others;
    let mut out = format!("\n{} of {total} questions crashed.", pattern.crashing);
    let shown = |rule: &Vec<Value>| rule.iter().map(shown).collect::<Vec<_>>().join(" and ");
    match pattern.rules.as_slice() {
        [rule, same @ ..] if !rule.is_empty() => {
            let exceptions = match pattern.exceptions {
                0 => "no other question does".to_owned(),
                1 => "one other question does too".to_owned(),
                many => format!("{many} others do too"),
            };
            out += &format!(" All of them have, and {exceptions}:\n\n    {}\n", shown(rule));
            same.iter().for_each(|rule| out += &format!("    (as well: {})\n", shown(rule)));
        }
        _ => out += " Nothing that was looked at tells them from the others.\n",
    }
    out
}

fn shown(value: &Value) -> String {
    format!("{} = {}", value.attribute.name(), value.value)
}

fn ranking(pattern: &Pattern) -> String {
    let rows: Vec<[String; 3]> = pattern
        .ranked
        .iter()
        .take(RANKED_MAX)
        .map(|it| [shown(&it.value), share(it.crashing, pattern.crashing), share(it.others, pattern.others)])
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0).max(9), width(1).max(8));
    let mut out = format!("\n{:first$}  {:>second$}  of others\n", "attribute", "of crashing");
    let second = second.max("of crashing".len());
    for [value, crashing, others] in &rows {
        out += &format!("{value:first$}  {crashing:>second$}  {others}\n");
    }
    if pattern.ranked.len() > RANKED_MAX {
        out += &format!("({} more; --format json has all)\n", pattern.ranked.len() - RANKED_MAX);
    }
    out
}

fn share(part: u64, whole: u64) -> String {
    format!("{part} of {whole}")
}

fn changes(tried: &[Tried]) -> String {
    let mut out = "\nSingle changes, each tried alone:\n".to_owned();
    let width = tried.iter().map(|it| it.what.chars().count()).max().unwrap_or(0);
    for it in tried {
        let verdict = match &it.verdict {
            Verdict::Avoids => "AVOIDS the crash".to_owned(),
            Verdict::Crashes(1) => "still crashes, once".to_owned(),
            Verdict::Crashes(many) => format!("still crashes, {many} times"),
            Verdict::NothingToChange(why) => format!("not tried: {why}"),
            Verdict::Impossible(why) => format!("cannot be tried: {why}"),
            Verdict::Interrupted => "interrupted".to_owned(),
        };
        out += &format!("  {:11}  {:width$}  {verdict}\n", it.change.name(), it.what);
    }
    let Some(first) = tried.iter().find(|it| it.verdict == Verdict::Avoids) else {
        return out + "\nNone of them avoids the crash.\n";
    };
    let sets: Vec<String> =
        first.settings.iter().take(SETTINGS_MAX).map(|it| format!("--set '{}={}'", it.path, it.value)).collect();
    let more = if first.settings.len() > SETTINGS_MAX { " ..." } else { "" };
    out + &format!("\nThe first that avoids it is to {}: {}{more}\n", first.what, sets.join(" "))
}

/// The diagnosis for a program.
pub fn json(result: &str, diagnosis: &Diagnosis) -> Json {
    let value = |it: &Value| json!({ "attribute": it.attribute.name(), "value": it.value });
    let ranked = |it: &Ranked| {
        json!({
            "attribute": it.value.attribute.name(), "value": it.value.value,
            "crashing": it.crashing, "others": it.others,
        })
    };
    let pattern = diagnosis.pattern.as_ref().map(|pattern| {
        json!({
            "crashing": pattern.crashing,
            "others": pattern.others,
            "rules": pattern.rules.iter().map(|rule| rule.iter().map(value).collect::<Vec<_>>()).collect::<Vec<_>>(),
            "exceptions": pattern.exceptions,
            "ranked": pattern.ranked.iter().map(ranked).collect::<Vec<_>>(),
        })
    });
    let tried: Vec<Json> = diagnosis
        .tried
        .iter()
        .map(|it| {
            let (verdict, left, why) = match &it.verdict {
                Verdict::Avoids => ("avoids", Some(0), None),
                Verdict::Crashes(left) => ("crashes", Some(*left), None),
                Verdict::NothingToChange(why) => ("nothing-to-change", None, Some((*why).to_owned())),
                Verdict::Impossible(why) => ("impossible", None, Some(why.clone())),
                Verdict::Interrupted => ("interrupted", None, None),
            };
            let settings: Vec<String> = it.settings.iter().map(|it| format!("{}={}", it.path, it.value)).collect();
            json!({
                "change": it.change.name(), "what": it.what, "verdict": verdict, "crashes": left, "why": why,
                "settings": settings,
            })
        })
        .collect();
    let avoids = diagnosis.tried.iter().find(|it| it.verdict == Verdict::Avoids).map(|it| it.change.name());
    json!({
        "schema": SCHEMA, "result": result, "digest": diagnosis.digest, "crashes": diagnosis.crashes,
        "crashes_from_outside": diagnosis.from_outside, "pattern": pattern, "changes": tried, "avoided_by": avoids,
    })
}
