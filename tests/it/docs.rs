//! What the documents say, held against the program: examples load, commands run, exit codes and metrics are those
//! that there are.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use refresh_sim::cli::exit::Exit;
use refresh_sim::host::validator::wire;
use refresh_sim::measure::{Figure, Metric, Signal};
use refresh_sim::scenario::load;
use refresh_sim::study::audit::KnownBad;
use refresh_sim::time::Time;
use refresh_sim::validate::{PeerName, Question, Rejection};

const PROGRAM: &str = env!("CARGO_BIN_EXE_refresh-sim");

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The README and every page below `docs`, with their texts.
fn documents() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned()];
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().expect("a type").is_dir() {
                folders.push(name);
            } else if name.ends_with(".md") {
                names.push(name);
            }
        }
    }
    names.sort();
    names.into_iter().map(|name| (name.clone(), document(&name))).collect()
}

/// The fenced blocks in `language`, each with the line that it begins in.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let fence = format!("```{language}");
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (line, number) in text.lines().zip(1..) {
        match &mut open {
            Some(_) if line == "```" => found.extend(open.take()),
            Some((_, block)) => *block += &format!("{line}\n"),
            None if line == fence => open = Some((number + 1, String::new())),
            None => {}
        }
    }
    assert!(open.is_none(), "a block without an end: {open:?}");
    found
}

/// A scenario without the section that `part` shows, and with `part` in its place.
fn with_part(scenario: &str, part: &str) -> String {
    let header = part.lines().next().unwrap_or_default();
    let from = scenario.find(&format!("{header}\n")).unwrap_or(scenario.len());
    let rest = scenario.get(from + 1..).unwrap_or_default();
    let to = rest.find("\n[").map_or(scenario.len(), |at| from + 1 + at + 1);
    format!("{}{part}{}", &scenario[..from], &scenario[to..])
}

/// A row of a table: its cells.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(inner.split(" | ").collect())
}

#[test]
fn every_toml_example_is_a_scenario_or_a_part_of_the_one_before() {
    let mut examples = 0;
    for (name, text) in documents() {
        let mut whole: Option<String> = None;
        for (line, block) in blocks(&text, "toml") {
            let scenario = match &whole {
                Some(whole) if !block.contains("schema =") => with_part(whole, &block),
                _ => block,
            };
            let file = format!("{name}:{line}");
            load("example", &file, scenario.as_bytes(), &[]).unwrap_or_else(|problems| panic!("{file}: {problems}"));
            whole.get_or_insert(scenario);
            examples += 1;
        }
    }
    assert!(examples >= 3, "{examples}");
}

/// The subcommands that `--help` lists.
fn subcommands() -> BTreeSet<String> {
    let output = Command::new(PROGRAM).arg("--help").output().expect("it starts");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list");
    let names = list.lines().filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_conversation_with_a_validator_is_one_that_could_be() {
    let page = document("docs/validator.md");
    let (mut hellos, mut answers, mut questions) = (0, 0, 0);
    let name = PeerName { group: "rcc-gateway", index: Some(0) };
    let mut line = Vec::new();
    wire::put_question(&mut line, 1, &Question::about(name, Time(1)), true);
    let keys = |text: &[u8]| -> BTreeSet<String> {
        let json: serde_json::Map<_, _> = serde_json::from_slice(text).expect("JSON");
        json.keys().cloned().collect()
    };
    for (_, block) in blocks(&page, "text") {
        for said in block.lines().filter_map(|line| line.strip_prefix("< ")) {
            let is_hello = said.contains("protocol");
            if is_hello { wire::hello(said.as_bytes()).map(drop) } else { wire::answer(said.as_bytes()).map(drop) }
                .unwrap_or_else(|error| panic!("{said}: {error}"));
            if is_hello { hellos += 1 } else { answers += 1 }
        }
        for asked in block.lines().filter_map(|line| line.strip_prefix("> ")) {
            assert_eq!(keys(asked.as_bytes()), keys(&line), "{asked}");
            questions += 1;
        }
    }
    assert_eq!((hellos, answers, questions), (1, 2, 3));
    // Every key of a question and every reason has its place on the page.
    for key in keys(&line) {
        assert!(page.contains(&format!("| `{key}` |")), "{key}");
    }
    for reason in Rejection::ALL {
        assert!(page.contains(&format!("`{}`", reason.word())), "{}", reason.word());
    }
}

#[test]
fn only_subcommands_that_there_are_are_mentioned() {
    let known = subcommands();
    let mut mentioned = BTreeSet::new();
    for (name, text) in documents() {
        for start in ["cargo run --release -- ", "`refresh-sim ", "$ refresh-sim "] {
            for after in text.split(start).skip(1) {
                let word: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                assert!(word.starts_with("--") || known.contains(&word), "{name}: {start}{word}");
                mentioned.insert(word);
            }
        }
    }
    assert!(mentioned.contains("run") && mentioned.contains("selfcheck"), "{mentioned:?}");
}

#[test]
fn the_commands_of_the_readme_run_and_end_as_they_say() {
    let home = tempfile::tempdir().expect("a folder");
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), home.path().join("scenarios")).expect("linked");
    let mut commands = 0;
    for (line, block) in blocks(&document("README.md"), "console") {
        for command in block.lines() {
            let command = command.strip_prefix("$ ").unwrap_or_else(|| panic!("README.md:{line}: {command}"));
            let Some(args) = command.strip_prefix("cargo run --release -- ") else { continue };
            let code = if args.contains("# ") && args.ends_with("expectations fail") { 1 } else { 0 };
            let script = format!("exec {PROGRAM} {args}");
            let output = Command::new("sh").args(["-c", &script]).current_dir(home.path()).output().expect("sh");
            let err = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{command}: {err}");
            commands += 1;
        }
    }
    assert!(commands >= 5, "{commands}");
    // The first command's words.
    assert!(home.path().join("results/runs/incident/summary.json").is_file());
}

#[test]
fn the_commands_of_the_capacity_page_print_what_stands_below_them() {
    let mut commands = 0;
    for (line, block) in blocks(&document("docs/capacity.md"), "console") {
        let mut lines = block.lines();
        let command = lines.next().and_then(|first| first.strip_prefix("$ refresh-sim ")).expect("a command");
        let script = format!("exec {PROGRAM} {command}");
        let home = env!("CARGO_MANIFEST_DIR");
        let output = Command::new("sh").args(["-c", &script]).current_dir(home).output().expect("sh");
        assert_eq!(output.status.code(), Some(0), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        let mut printed = out.lines();
        for (below, number) in lines.zip(line + 1..).filter(|(below, _)| *below != "...") {
            assert!(
                printed.any(|line| line == below),
                "docs/capacity.md:{number}: {below:?} is not in order in\n{out}"
            );
        }
        commands += 1;
    }
    assert!(commands >= 5, "{commands}");
}

#[test]
fn documented_exit_codes_are_those_of_the_program() {
    let known: BTreeSet<u8> = Exit::BY_PRECEDENCE.map(Exit::code).into();
    let readme = document("README.md");
    let table = readme.split("| exit | meaning |").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a table");
    let first = |line| cells(line).map(|cells| cells[0]);
    let documented: BTreeSet<u8> = table
        .lines()
        .filter_map(first)
        .flat_map(|codes| codes.split(", ").map(|code| code.parse().expect("a number")))
        .collect();
    assert!(documented.len() > 5 && documented.is_subset(&known), "{documented:?} of {known:?}");
    let output = Command::new(PROGRAM).arg("--help").output().expect("it starts");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let list = help.split("Exit codes:").nth(1).expect("exit codes").replace([';', ','], " ");
    let said: BTreeSet<u8> = list.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(said.len() > 5 && said.is_subset(&documented), "--help says {said:?}, the README {documented:?}");
}

#[test]
fn the_table_of_known_bad_logic_is_the_registry() {
    let text = document("docs/audit.md");
    let rest = text.split("|---|---|---|---|---|\n").nth(1).expect("a table");
    let rows: Vec<Vec<String>> = rest
        .lines()
        .map_while(cells)
        .map(|cells| cells.into_iter().map(|cell| cell.trim_matches('`').to_owned()).collect())
        .collect();
    let known = KnownBad::ALL.iter().map(|bad| {
        let cells = [bad.name(), bad.kind().name(), bad.defect(), bad.effect(), bad.needs()];
        cells.map(|cell| cell.trim_matches('`').to_owned()).to_vec()
    });
    assert_eq!(rows, known.collect::<Vec<_>>());
}

#[test]
fn the_tables_of_metrics_are_the_registry() {
    let text = document("docs/scenario.md");
    let part = |from: &str| {
        let rest = text.split(from).nth(1).expect("a table").trim_start();
        rest.split("\n\n").next().expect("an end").lines().skip(2).collect::<Vec<_>>()
    };
    let row = |line: &str| {
        let cells = cells(line).unwrap_or_else(|| panic!("not a row: {line}"));
        (cells[0].trim_matches('`').to_owned(), cells[2].to_owned())
    };
    let latencies: Vec<_> = part("\nLatencies:\n").into_iter().map(row).collect();
    let known: Vec<_> =
        Metric::ALL.iter().map(|metric| (metric.name().to_owned(), metric.about().to_owned())).collect();
    assert_eq!(latencies, known);
    let figures: Vec<_> = part("\nOne value a run:\n").into_iter().map(row).collect();
    let known: Vec<_> =
        Figure::ALL.iter().map(|figure| (figure.name().to_owned(), figure.about().to_owned())).collect();
    assert_eq!(figures, known);
    let signals: Vec<_> = part("\nLooked at again and again:\n").into_iter().map(row).collect();
    let known: Vec<_> =
        Signal::ALL.iter().map(|signal| (signal.name().to_owned(), signal.about().to_owned())).collect();
    assert_eq!(signals, known);
}
