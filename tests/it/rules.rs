//! docs/model.md and the tests: each rule has a test that bears its number, but for those that are not built yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rules of the page by number, and whether they are marked as not built yet.
fn rules(page: &str) -> BTreeMap<u32, bool> {
    let mut rules = BTreeMap::new();
    for part in page.split("\n### Rule ").skip(1) {
        let number = part.split_once(" — ").and_then(|(number, _)| number.parse().ok());
        let number =
            number.unwrap_or_else(|| panic!("a rule without its number: {}", part.lines().next().unwrap_or("")));
        let status = part.lines().find_map(|line| line.strip_prefix("Status: "));
        let status = status.unwrap_or_else(|| panic!("rule {number} has no status"));
        let built = status.starts_with("built");
        assert!(built || status == "not built yet", "rule {number}: {status}");
        assert!(rules.insert(number, !built).is_none(), "rule {number} is there twice");
    }
    rules
}

/// The numbers that the name of a test bears: `rule_08_…` or `rules_06_20_and_21_…`.
fn borne(name: &str) -> Vec<u32> {
    let Some(rest) = name.strip_prefix("rule_").or_else(|| name.strip_prefix("rules_")) else { return Vec::new() };
    let words = rest.split('_').filter(|word| *word != "and");
    words.map_while(|word| if word.len() == 2 { word.parse().ok() } else { None }).collect()
}

/// The numbers that tests in a text bear.
fn tested(text: &str) -> BTreeSet<u32> {
    let names = text.split("#[test]").skip(1).filter_map(|after| {
        let (_, name) = after.split_once("fn ")?;
        name.split_once('(').map(|(name, _)| name)
    });
    names.flat_map(borne).collect()
}

fn texts(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            texts(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(fs::read_to_string(&path).expect("text"));
        }
    }
}

/// What is wrong between the page's rules and the numbers that tests bear.
fn wrong(rules: &BTreeMap<u32, bool>, tested: &BTreeSet<u32>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, not_built) in rules {
        match (not_built, tested.contains(number)) {
            (false, false) => wrong.push(format!("rule {number} is built and no test bears its number")),
            (true, true) => wrong.push(format!("rule {number} has a test and is marked as not built yet")),
            (false, true) | (true, false) => {}
        }
    }
    wrong.extend(
        tested.iter().filter(|n| !rules.contains_key(n)).map(|n| format!("a test is of rule {n}: there is none")),
    );
    wrong
}

#[test]
fn each_rule_that_is_built_has_a_test_of_its_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = rules(&fs::read_to_string(root.join("docs/model.md")).expect("the page"));
    assert!(rules.keys().copied().eq(1..=33), "rules keep their numbers: {:?}", rules.keys());
    let mut sources = Vec::new();
    texts(&root.join("src"), &mut sources);
    texts(&root.join("tests"), &mut sources);
    let tested = sources.iter().flat_map(|text| tested(text)).collect();
    let wrong = wrong(&rules, &tested);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_missing_test_a_stale_mark_and_an_unknown_number_are_found() {
    let page = "\n### Rule 1 — A\n\nStatus: built\n\n### Rule 2 — B\n\nStatus: not built yet\n";
    let text = "#[test]\nfn rules_02_and_07_are_so() {}";
    let told = wrong(&rules(page), &tested(text));
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(wrong(&rules(page), &tested("#[test]\nfn rule_01_is_so() {}")).is_empty());
}
