//! Two variables at once: for values of the first, how far the second can go while all that is expected still holds.
//!
//! Knows limits and the order of values. Runs are made elsewhere, each search beginning where the one before has ended.

use serde_json::{Value as Json, json};

use crate::report::words;
use crate::scenario::Plan;

use super::answer::{calibration, word};
use super::capacity::{Find, Weighed, deciding};
use super::search::{Found, Harder};

/// Characters of a line of the picture.
const PICTURE: u64 = 40;

/// One value of the first variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its place.
    pub place: u64,
    /// Values of the second that were looked at, in order.
    pub weighed: Vec<Weighed>,
    /// What the search found of the second.
    pub found: Found,
}

/// The frontier of two variables.
#[derive(Clone, Debug)]
pub struct Frontier<'a> {
    /// The scenario as it is.
    pub plan: &'a Plan,
    /// The first variable.
    pub outer: &'a Find,
    /// The second.
    pub inner: &'a Find,
    /// Replications of each pair of values.
    pub replications: u32,
    /// In order of the first variable.
    pub rows: Vec<Row>,
    /// Paths of the scenario whose values come from measurements.
    pub measured: &'a [String],
}

/// At most `count` places of a variable, evenly, the ends among them.
pub fn places(find: &Find, count: u64) -> Vec<u64> {
    let (last, gaps) = (u128::from(find.last()), u128::from(count.max(2) - 1));
    if find.last() < count {
        return (0..=find.last()).collect();
    }
    (0..=gaps).map(|n| ((n * last + gaps / 2) / gaps) as u64).collect()
}

/// Where the limit of a row lies for sure, counted by hardness: the hardest that holds and the easiest that fails, ends of
/// the range and what lies beyond them included. `None`: it has no one limit.
fn limit(found: &Found, harder: Harder, last: u64) -> Option<(i128, i128)> {
    let hardness = |place: u64| if harder == Harder::Up { i128::from(place) } else { i128::from(last - place) };
    let beyond = i128::from(last) + 1;
    match found {
        Found::Limit { harder: own, .. } if *own != harder => None,
        Found::Limit { holds, fails, .. } => Some((holds.map_or(-1, hardness), fails.map_or(beyond, hardness))),
        Found::AllHold => Some((beyond - 1, beyond)),
        Found::AllFail => Some((-1, 0)),
        Found::Undecided => Some((-1, beyond)),
        Found::NotMonotone { .. } => None,
    }
}

impl Frontier<'_> {
    fn harder(&self) -> Harder {
        let own = self.rows.iter().find_map(|row| match row.found {
            Found::Limit { harder, .. } => Some(harder),
            _ => None,
        });
        own.unwrap_or(Harder::Up)
    }

    /// Three values of the first variable at which the limit of the second goes up and down again, or the other way, by
    /// more than is undecided; `None`: it goes one way, as far as can be said.
    fn bend(&self) -> Option<[u64; 3]> {
        let (harder, last) = (self.harder(), self.inner.last());
        let limits: Vec<(u64, i128, i128)> = self
            .rows
            .iter()
            .filter_map(|row| limit(&row.found, harder, last).map(|(holds, fails)| (row.place, holds, fails)))
            .collect();
        let rises = |a: &(u64, i128, i128), b: &(u64, i128, i128)| b.1 >= a.2;
        for (nth, middle) in limits.iter().enumerate() {
            let (before, after) = (&limits[..nth], &limits[nth + 1..]);
            let hill = (before.iter().find(|a| rises(a, middle)), after.iter().find(|c| rises(c, middle)));
            let dip = (before.iter().find(|a| rises(middle, a)), after.iter().find(|c| rises(middle, c)));
            for ends in [hill, dip] {
                if let (Some(a), Some(c)) = ends {
                    return Some([a.0, middle.0, c.0]);
                }
            }
        }
        None
    }

    /// Whether there is a limit that somebody can use: a value of the first variable with one of the second that holds and
    /// one that fails, and no bend.
    pub fn is_answer(&self) -> bool {
        let has_limit = |row: &Row| matches!(row.found, Found::Limit { holds: Some(_), fails: Some(_), .. });
        let is_odd = |row: &Row| match row.found {
            Found::NotMonotone { .. } => true,
            Found::Limit { harder, .. } => harder != self.harder(),
            _ => false,
        };
        self.rows.iter().any(has_limit) && !self.rows.iter().any(is_odd) && self.bend().is_none()
    }

    /// The expectation that decides a row, by name.
    fn decided_by(&self, row: &Row) -> Option<&str> {
        let at = match row.found {
            Found::Limit { fails: Some(place), .. } => row.weighed.iter().find(|weighed| weighed.place == place),
            Found::AllFail => row.weighed.first(),
            _ => None,
        };
        at.and_then(|weighed| deciding(self.plan, weighed)).map(|nth| self.plan.expect[nth].name.as_str())
    }

    /// What holds, what fails and what is undecided of a row, in words.
    fn cells(&self, row: &Row) -> [String; 3] {
        let text = |place: u64| self.inner.text(place);
        let (low, high) = (text(0), text(self.inner.last()));
        let dash = || "-".to_owned();
        match &row.found {
            Found::Limit { holds, fails, .. } => {
                let zone = match (holds, fails) {
                    (Some(a), Some(b)) if a.abs_diff(*b) > 1 => {
                        let (first, last) = (a.min(b) + 1, a.max(b) - 1);
                        if first == last { text(first) } else { format!("{} to {}", text(first), text(last)) }
                    }
                    _ => dash(),
                };
                [holds.map_or_else(dash, text), fails.map_or_else(dash, text), zone]
            }
            Found::AllHold => [format!("all, {low} to {high}"), dash(), dash()],
            Found::AllFail => [dash(), format!("all, {low} to {high}"), dash()],
            Found::Undecided => [dash(), dash(), format!("{low} to {high}")],
            Found::NotMonotone { at: [a, b, c], holds } => {
                let ends = format!("{} and {}", text(*a), text(*c));
                let (yes, no) = if *holds { (text(*b), ends) } else { (ends, text(*b)) };
                [format!("{yes} (!)"), format!("{no} (!)"), dash()]
            }
        }
    }

    /// The range of the second variable from left to right: `#` holds, `?` is undecided, `.` fails.
    fn picture(&self, row: &Row) -> String {
        let (harder, last) = (self.harder(), self.inner.last());
        let Some((holds, fails)) = limit(&row.found, harder, last) else { return "not monotone".to_owned() };
        let at = |n: u64| {
            let place = i128::from(n * 2 + 1) * i128::from(last + 1) / i128::from(2 * PICTURE);
            let place = place.min(i128::from(last));
            let hardness = if harder == Harder::Up { place } else { i128::from(last) - place };
            if hardness <= holds {
                '#'
            } else if hardness >= fails {
                '.'
            } else {
                '?'
            }
        };
        (0..PICTURE).map(at).collect()
    }

    /// The first sentence.
    pub fn headline(&self) -> String {
        let (outer, inner) = (self.outer.name(), self.inner.name());
        let most = if self.harder() == Harder::Up { "largest" } else { "smallest" };
        match self.bend() {
            None => format!(
                "{outer} and {inner}: for each of {} values of {outer} the {most} {inner} that holds",
                self.rows.len()
            ),
            Some([a, b, c]) => format!(
                "{outer} and {inner}: the limit of {inner} does not go one way: at {outer} {} it is not between those at {} \
                 and {}; take more --points, or a part of the range",
                self.outer.text(b),
                self.outer.text(a),
                self.outer.text(c)
            ),
        }
    }

    /// In words, with a picture.
    pub fn text(&self) -> String {
        let mut text = words::wrap(&self.headline(), 100, 2) + "\n\n";
        let head = [self.outer.name(), "holds".to_owned(), "fails".to_owned(), "undecided".to_owned()];
        let mut rows = vec![(head, "decided by".to_owned(), self.inner.name())];
        for row in &self.rows {
            let [holds, fails, zone] = self.cells(row);
            let by = self.decided_by(row).unwrap_or("-").to_owned();
            rows.push(([self.outer.text(row.place), holds, fails, zone], by, self.picture(row)));
        }
        let width = |column: usize| rows.iter().map(|row| row.0[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        let by = rows.iter().map(|row| row.1.chars().count()).max().unwrap_or(0);
        for ([value, holds, fails, zone], decided, picture) in &rows {
            let [a, b, c, d] = widths;
            let line = format!("  {value:>a$}  {holds:>b$}  {fails:>c$}  {zone:>d$}  {decided:by$}  {picture}");
            text += line.trim_end();
            text.push('\n');
        }
        let (low, high) = (self.inner.text(0), self.inner.text(self.inner.last()));
        text += &format!("  ({} from {low} to {high}: # holds, ? undecided, . fails)\n", self.inner.name());
        if self.rows.iter().any(|row| matches!(row.found, Found::NotMonotone { .. })) {
            text += "  (!: there is no one limit; what holds lies between what fails, or the other way round)\n";
        }
        text += &format!("\n{}\n", words::wrap(&calibration(self.plan, self.measured, None), 100, 2));
        let method = format!(
            "rule 32: {} replications of each pair of values, the same draws for all; each search but the first begins at \
             the limit before it; seed {}",
            self.replications, self.plan.seed
        );
        text + "\n" + &words::wrap(&method, 100, 2) + "\n"
    }

    /// As CSV: a row for each value of the first variable.
    pub fn csv(&self) -> String {
        let mut text = "value,units,found,holds,holds_units,fails,fails_units,decided_by\n".to_owned();
        for row in &self.rows {
            let (found, holds, fails) = outline(&row.found, self.inner.last());
            let two = |place: Option<u64>| {
                place.map_or([String::new(), String::new()], |place| {
                    [self.inner.text(place), self.inner.at(place).to_string()]
                })
            };
            let ([holds, holds_units], [fails, fails_units]) = (two(holds), two(fails));
            let (value, units) = (self.outer.text(row.place), self.outer.at(row.place).to_string());
            let by = super::sweep::field(self.decided_by(row).unwrap_or_default());
            text +=
                &[&value, &units, found, &holds, &holds_units, &fails, &fails_units, &by].map(str::to_owned).join(",");
            text.push('\n');
        }
        text
    }

    /// As JSON.
    pub fn json(&self) -> Json {
        let row = |row: &Row| {
            let (found, holds, fails) = outline(&row.found, self.inner.last());
            let value = |weighed: &Weighed| {
                json!({
                    "value": self.inner.text(weighed.place),
                    "weighed": word(weighed.tally()),
                    "replications": weighed.runs.len(),
                })
            };
            json!({
                "value": self.outer.text(row.place),
                "found": found,
                "holds": holds.map(|place| self.inner.text(place)),
                "fails": fails.map(|place| self.inner.text(place)),
                "decided_by": self.decided_by(row),
                "values": row.weighed.iter().map(value).collect::<Json>(),
            })
        };
        json!({
            "find": [self.outer.name(), self.inner.name()],
            "replications": self.replications,
            "not_monotone_at": self.bend().map(|bend| bend.map(|place| self.outer.text(place))),
            "measured": self.measured,
            "frontier": self.rows.iter().map(row).collect::<Json>(),
        })
    }
}

/// What was found in a word, with the places that hold and fail.
fn outline(found: &Found, last: u64) -> (&'static str, Option<u64>, Option<u64>) {
    match *found {
        Found::Limit { holds, fails, .. } => ("limit", holds, fails),
        Found::AllHold => ("all hold", Some(last), None),
        Found::AllFail => ("all fail", None, Some(0)),
        Found::Undecided => ("undecided", None, None),
        Found::NotMonotone { .. } => ("not monotone", None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    const TEXT: &[u8] = b"schema = 1\nsemantics = 1\nrun.horizon = \"1d\"\nvalidation.validator = \"sfb2015-cu2\"\n\
        [[group]]\nname = \"g\"\ntransport = \"tcp\"\n[expect]\nlives = \"crashes : value == 0\"\n";

    fn frontier<'a>(plan: &'a Plan, finds: &'a [Find; 2], limits: &[Option<(u64, u64)>]) -> Frontier<'a> {
        let row = |(place, limit): (usize, &Option<(u64, u64)>)| Row {
            place: place as u64,
            weighed: Vec::new(),
            found: limit.map_or(Found::AllHold, |(holds, fails)| Found::Limit {
                harder: Harder::Up,
                holds: Some(holds),
                fails: Some(fails),
            }),
        };
        let rows = limits.iter().enumerate().map(row).collect();
        Frontier { plan, outer: &finds[0], inner: &finds[1], replications: 59, rows, measured: &[] }
    }

    #[test]
    fn a_staircase_goes_one_way_and_a_bend_beyond_what_is_undecided_is_told() {
        let plan = scenario::load("s", "s.toml", TEXT, &[]).expect("a plan");
        let finds = ["w=1..4", "peers=1..80"].map(|text| Find::parse(text, None).expect("a question"));
        let up = frontier(&plan, &finds, &[Some((9, 10)), Some((19, 24)), Some((39, 40)), None]);
        assert!(up.is_answer());
        let text = up.text();
        for line in [
            "w and peers: for each of 4 values of w the largest peers that holds\n",
            "  1            10     11          -  -           #####.",
            "  2            20     25   21 to 24  -           ##########??.",
            "  4  all, 1 to 80      -          -  -           ########################################\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in: {text}");
        }
        assert!(up.csv().contains("\n2,2,limit,20,20,25,25,\n") && up.csv().ends_with("\n4,4,all hold,80,80,,,\n"));
        assert_eq!(up.json()["frontier"][1]["fails"], "25");
        let hill = frontier(&plan, &finds, &[Some((9, 10)), None, Some((39, 40)), Some((30, 31))]);
        assert!(hill.headline().contains("at w 2 it is not between those at 1 and 3"), "{}", hill.headline());
        assert!(!hill.is_answer());
        let unsure = frontier(&plan, &finds, &[Some((9, 10)), Some((19, 26)), Some((18, 25))]);
        assert!(unsure.is_answer(), "what is undecided may be either way");
    }

    #[test]
    fn places_are_all_or_evenly_apart_with_both_ends() {
        let find = Find::parse("w=1..64", None).expect("a question");
        assert_eq!(places(&find, 9), [0, 8, 16, 24, 32, 39, 47, 55, 63]);
        assert_eq!(places(&Find::parse("w=1..4", None).expect("a question"), 9), [0, 1, 2, 3]);
    }
}
