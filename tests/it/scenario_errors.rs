//! Every key of a scenario file, written wrong in every way that its schema knows, and what is said of it.
//!
//! The cases are made from the JSON Schema and one good file that has every key on a line of its own: a key that the
//! good file lacks fails the test. Words and ranges of the schema are held against the decoder in both directions.

#![expect(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

use std::collections::BTreeMap;

use refresh_sim::scenario::{Place, Plan, Problems, Setting, load, schema};
use serde_json::Value;

const GOOD: &str = include_str!("scenario_every_key.toml");
/// Another, with the keys that cannot stand beside those of the first.
const MAKE_FIRST: &str = include_str!("scenario_make_first.toml");

fn read(text: &str) -> Result<Plan, Problems> {
    load("test", "test.toml", text.as_bytes(), &[])
}

fn message(text: &str) -> String {
    match read(text) {
        // Not the plan, which may be long.
        Ok(_) => panic!("nothing is wrong with\n{text}"),
        Err(problems) => problems.to_string(),
    }
}

/// A key of the schema that holds a value of its own.
struct Leaf {
    path: String,
    schema: Value,
    kind: Option<String>, // the name of its shared schema
}

/// All leaves of the schema, but for `expect`, whose keys are free.
fn leaves() -> Vec<Leaf> {
    fn walk(root: &Value, here: &Value, path: &str, out: &mut Vec<Leaf>) {
        let kind = here["$ref"].as_str().map(|name| name.trim_start_matches("#/$defs/").to_owned());
        let target = kind.as_ref().map_or(here, |kind| &root["$defs"][kind]);
        let target = if target["type"] == "array" && target["items"]["$ref"].is_string() {
            let element = target["items"]["$ref"].as_str().unwrap().trim_start_matches("#/$defs/");
            if root["$defs"][element]["properties"].is_object() { &root["$defs"][element] } else { target }
        } else {
            target
        };
        match target["properties"].as_object() {
            Some(properties) => {
                for (key, schema) in properties {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(root, schema, &path, out);
                }
            }
            None if path == "expect" => {}
            None => out.push(Leaf { path: path.to_owned(), schema: target.clone(), kind }),
        }
    }
    let (root, mut out) = (schema(), Vec::new());
    walk(&root, &root, "", &mut out);
    out
}

/// The good file with one key's line replaced by another, and the number of that line.
fn with_line(path: &str, line: impl Fn(&str) -> String) -> (String, usize) {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    for good in [GOOD, MAKE_FIRST] {
        let mut header = "";
        for (nth, old) in good.lines().enumerate() {
            if old.starts_with('[') {
                header = old.trim_matches(['[', ']']);
            }
            if header == parent && old.starts_with(&format!("{key} = ")) {
                let all = good.lines().enumerate();
                let lines: Vec<String> =
                    all.map(|(n, old)| if n == nth { line(old) } else { old.to_owned() }).collect();
                return (lines.join("\n") + "\n", nth + 1);
            }
        }
    }
    panic!("tests/it/scenario_every_key.toml has no line for `{path}`");
}

fn with_value(path: &str, value: &str) -> (String, usize) {
    let key = path.rsplit('.').next().unwrap();
    with_line(path, |_| format!("{key} = {value}"))
}

/// Lengths and multiples have ranges that a schema cannot say.
const BEYOND_SCHEMA: [(&str, &[&str]); 60] = [
    ("group.pool", &["\"a b\"", "\"pool.\"", "\"*.contoso.com\"", "\"bücher.example\"", "\"{index}.contoso.com\""]),
    ("group.computer", &["\"app {index}\"", "\"app{idx}.contoso.com\"", "\"{pool\"", "\"{index}{pool}.\""]),
    ("group.listed.address", &["\"192.0.2\"", "\"pool.contoso.com\"", "\"\""]),
    ("group.names.dns", &["[\"bücher.example\"]", "[\"app{n}.contoso.com\"]"]),
    ("group.names.uri", &["[\"contoso.com\"]", "[\":contoso.com\"]"]),
    ("group.names.ip", &["[\"192.0.2.256\"]", "[\"{index}\"]"]),
    ("run.horizon", &["\"0s\"", "\"36526d\""]),
    ("front_end.nodes.starts", &["\"1h\""]),
    ("refresh.every", &["\"0s\""]),
    ("refresh.offset", &["\"24h\""]),
    ("refresh.spread", &["\"24h\""]),
    ("refresh.limit.rate", &["\"0/s\"", "\"5\"", "\"1.5/s\"", "\"5/0s\"", "\"5/parsec\"", "\"1000000001/s\""]),
    ("refresh.limit.every", &["\"0s\""]),
    ("refresh.limit.spacing", &["\"0s\""]),
    ("issuer.cost", &["\"0s\""]),
    ("issuer.rate", &["\"0/s\""]),
    (
        "group.validity.asks_at",
        &["[\"55%\", \"45%\"]", "[\"45%\"]", "[\"45%\", \"101%\"]", "[\"1.5\", \"2\"]", "[\"0%\", \"0%\"]"],
    ),
    ("group.validity.poll", &["\"999ms\""]),
    ("group.validity.lives", &["\"59s\""]),
    ("group.validity.renew_before", &["\"0s\""]),
    ("timeline.at", &["\"99d\""]),
    ("timeline.front_end", &["\"\"", "\"fe09\"", "\"fe1\"", "[]", "[3]", "[\"fe01\", \"fe01\"]"]),
    ("timeline.upgrade_domain", &["7"]),
    ("middlebox.probe", &["\"99ms\""]),
    ("middlebox.idle", &["\"999ms\"", "\"0s\""]),
    ("front_end.limits.idle", &["\"999ms\""]),
    ("front_end.limits.keep_alive.interval", &["\"0s\""]),
    ("group.failover.fail_back", &["\"0s\""]),
    ("pool.restart", &["\"\"", "\"automatic\"", "\"afterwards\"", "\"after\"", "\"after 5\"", "\"after 10m sharp\""]),
    (
        "pool.minimum",
        &[
            "\"sfb2016\"",
            "{ start = 1 }",
            "{ start = 3, functional = 1, among = 2 }",
            "{ start = 0, functional = -1, among = 99999 }",
            "{ start = 1, functional = 2, among = 2 }",
        ],
    ),
    ("validation.answer_limit", &["\"9ms\"", "\"61m\""]),
    ("validation.command", &["[\"\"]", "[\"./v\", 3]", "[\"./v\\u0007\"]"]),
    ("measure.from", &["\"99d\""]),
    ("measure.sample", &["\"999ms\""]),
    ("front_end.accept", &["\"0s\""]),
    ("group.tcp.give_up", &["\"9s\""]),
    ("group.tcp.resends", &["[\"0s\"]", "[\"3s\", \"3s\"]", "[\"9s\", \"3s\"]"]),
    ("group.tcp.keep_alive.interval", &["\"0s\""]),
    ("group.path.loss", &["\"100%\"", "\"1/1\"", "\"101%\"", "\"1/0\"", "\"0.00001%\"", "0.1"]),
    ("group.reconnect.factor", &["1", "1.009", "1000.1", "-2", "inf", "1.0000000001"]),
    ("group.timeouts.connect_factor", &["1", "1000.1"]),
    ("group.timeouts.connect_jitter", &["\"101%\""]),
    ("group.reconnect.jitter_share", &["\"101%\"", "\"3/2\""]),
    ("group.reconnect.connect_rate", &["\"0/s\"", "\"1/0s\"", "\"1/25h\"", "\"2000000000/s\""]),
    ("group.reconnect.budget.share", &["\"1001%\""]),
    ("group.reconnect.budget.window", &["\"999ms\"", "\"25h\""]),
    ("group.tls.finish", &["\"0s\""]),
    ("group.tls.bytes", &["[1, -1]", "[1000000001, 1]", "[1, \"2\"]", "[1, 2, 3]"]),
    ("group.tls.resumed_bytes", &["[1, -1]", "[1000000001, 1]"]),
    ("group.tls.lifetime", &["\"0s\""]),
    ("group.tls.scale_front_end", &["\"1/0\"", "\"0/1\"", "\"1001/1\"", "\"1.5\"", "\"99999999999999/1\"", "0.0009"]),
    ("lookup.failure", &["\"101%\"", "\"3/2\"", "\"0.5\"", "\"1/0\"", "0.1"]),
    ("lookup.negative", &["\"-1%\"", "\"1.234567890%\""]),
    ("lookup.cpu_before", &["\"half\"", "\"99999999999999/99999999999999\""]),
    ("timeline.factor", &["\"0/1\"", "\"1001/1\"", "\"1.5\"", "0", "1000.5", "-1", "1e2", "nan", "true"]),
    ("group.requests.every", &["\"0s\""]),
    ("group.requests.cpu", &["\"0s\""]),
    ("group.requests.timeout", &["\"0s\""]),
    ("measure.window_limit", &["\"0s\""]),
    ("group.tls.scale_peer", &["\"0.01%\"", "\"-1/2\"", "\"half\""]),
];

/// Wrong values for a leaf, each with what is wrong: made from its schema.
fn wrong_values(leaf: &Leaf) -> Vec<(&'static str, String)> {
    let mut cases = Vec::new();
    let of_length = matches!(leaf.kind.as_deref(), Some("Length" | "LengthOrNever" | "Distribution"));
    let schema = &leaf.schema;
    let kind = schema["type"].as_str().unwrap_or("string");
    let wrong_type = match kind {
        "boolean" | "integer" => "\"three\"",
        _ => "true",
    };
    cases.push(("wrong type", wrong_type.to_owned()));
    cases.push(("wrong type", "{ a = 1 }".to_owned()));
    let bare: &[&str] = match leaf.kind.as_deref() {
        Some("Share") => &["20", "0.2", "\"0.2\"", "\"-20%\"", "\"1/0\"", "\"%\"", "\"20 percent\"", "nan"],
        Some("RateText") => &["10", "\"10\"", "\"10/parsec\"", "\"-1/s\"", "\"1.5/s\"", "\"/s\"", "inf"],
        _ => &[],
    };
    cases.extend(bare.iter().map(|value| ("wrong unit", (*value).to_owned())));
    let has_unit = of_length
        || schema["items"]["$ref"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("Distribution") || kind.ends_with("Length"));
    if has_unit {
        let (open, close) = if kind == "array" { ("[", "]") } else { ("", "") };
        for value in ["30", "1.5", "\"30\"", "\"30 parsecs\"", "\"-1s\"", "\"600 years\"", "inf", "nan"] {
            cases.push(("wrong unit", format!("{open}{value}{close}")));
        }
    }
    if kind == "array" {
        let element = if schema["items"]["type"] == "integer" { "[\"three\"]" } else { "[true]" };
        cases.push(("wrong type", element.to_owned()));
        if schema["minItems"].as_u64() >= Some(1) {
            cases.push(("out of range", "[]".to_owned()));
        }
    }
    let (numbers, open, close) = if kind == "array" { (&schema["items"], "[", "]") } else { (schema, "", "") };
    if let Some(min) = numbers["minimum"].as_i64() {
        cases.push(("out of range", format!("{open}{}{close}", min - 1)));
    }
    if numbers["type"] == "integer" {
        let max = numbers["maximum"].as_u64().map_or(u128::from(u64::MAX), u128::from);
        cases.push(("out of range", format!("{open}{}{close}", max + 1)));
    }
    if numbers["enum"].is_array() {
        let word = numbers["enum"][0].as_str().unwrap();
        cases.push((
            "unknown word",
            format!("{open}\"{}\"{close}", word.replacen(|c: char| c.is_ascii_alphabetic(), "", 1)),
        ));
        cases.push(("unknown word", format!("{open}\"xyzzy\"{close}")));
    }
    if kind == "string" && schema["minLength"].as_u64() >= Some(1) {
        cases.push(("out of range", "\"\"".to_owned()));
        let max = schema["maxLength"].as_u64().unwrap() as usize;
        cases.push(("out of range", format!("\"{}\"", "x".repeat(max + 1))));
    }
    let lengths = BEYOND_SCHEMA.iter().filter(|(path, _)| *path == leaf.path).flat_map(|(_, values)| *values);
    cases.extend(lengths.map(|value| ("out of range", (*value).to_owned())));
    cases
}

#[test]
fn the_good_file_is_good() {
    for good in [GOOD, MAKE_FIRST] {
        if let Err(problems) = read(good) {
            panic!("{problems}");
        }
    }
}

#[test]
fn every_key_of_the_schema_is_refused_when_it_is_wrong_and_the_message_stands_at_its_line() {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for leaf in leaves() {
        let section = leaf.path.split('.').next().unwrap().to_owned();
        let told = told.entry(section).or_default();
        let mut cases: Vec<(&str, (String, usize))> =
            wrong_values(&leaf).into_iter().map(|(what, value)| (what, with_value(&leaf.path, &value))).collect();
        // The key without its second letter.
        cases.push(("misspelt", with_line(&leaf.path, |old| old[..1].to_owned() + &old[2..])));
        for (what, (text, line)) in cases {
            let wrong = text.lines().nth(line - 1).unwrap().to_owned();
            let problems = read(&text).expect_err(&format!("{}: {what}: {wrong}", leaf.path));
            let there = problems.list.iter().any(|problem| {
                let is_there = problems.line_and_column(problem).is_some_and(|(at, _)| at == line);
                let key = leaf.path.rsplit('.').next().unwrap();
                is_there && (problem.message.contains(key) || problem.hint.iter().any(|hint| hint.contains(key)))
            });
            assert!(there, "{}: {what}: {wrong}\n{problems}", leaf.path);
            if what == "misspelt"
                && !["timeline.do", "timeline.at", "lookup.on", "group.names.ip"].contains(&leaf.path.as_str())
            {
                let hinted =
                    problems.list.iter().any(|p| p.hint.as_deref().is_some_and(|h| h.starts_with("did you mean")));
                assert!(hinted, "{}: {wrong}\n{problems}", leaf.path);
            }
            *told += &format!("=== {}: {what}\n{problems}\n", leaf.path);
        }
    }
    for (section, told) in told {
        insta::assert_snapshot!(format!("every_key_of_{section}"), told);
    }
}

#[test]
fn every_word_and_every_end_of_a_range_in_the_schema_is_accepted() {
    for leaf in leaves() {
        let (numbers, open, close) =
            if leaf.schema["type"] == "array" { (&leaf.schema["items"], "[", "]") } else { (&leaf.schema, "", "") };
        let words = numbers["enum"].as_array().into_iter().flatten().map(Value::to_string);
        let ends = ["minimum", "maximum"].into_iter().filter_map(|end| numbers[end].as_u64().map(|n| n.to_string()));
        for value in words.chain(ends) {
            let (text, line) = with_value(&leaf.path, &format!("{open}{value}{close}"));
            // What goes together with others may be refused, but not for its own word or range.
            if let Err(problems) = read(&text) {
                for problem in
                    problems.list.iter().filter(|p| problems.line_and_column(p).is_some_and(|at| at.0 == line))
                {
                    let own = problem.message.contains("cannot be") || problem.message.ends_with("is out of range");
                    assert!(!own || leaf.schema["items"]["type"] == "integer", "{} = {value}\n{problems}", leaf.path);
                }
            }
        }
    }
}

/// Files that are wrong in what belongs together, in TOML or as a whole: a name and the change to the good file.
#[test]
fn faults_beyond_one_key_are_told_with_what_would_be_right() {
    let value = |path: &str, value: &str| with_value(path, value).0;
    let add = |line: &str| format!("{GOOD}\n{line}\n");
    let without = |lines: &str| GOOD.replace(lines, "");
    let add_to_waits = |line: &str| GOOD.replace("waits = [", &format!("{line}\nwaits = ["));
    let entry = |at: &str, rest: &str| format!("[[timeline]]\nat = \"{at}\"\n{rest}\n");
    // In place of all that the good file has.
    let timeline = |at: &str, rest: &str| {
        let (before, after) = (GOOD.split("[[timeline]]").next().unwrap(), GOOD.split("[measure]").nth(1).unwrap());
        format!("{before}[measure]{after}\n{}", entry(at, rest))
    };
    let node = |n: usize| format!("[[front_end.nodes]]\nname = \"more{n}\"\n\n");
    let thirteen: String = (2..13).map(node).collect::<String>() + "[refresh]";
    let five = format!("\n{}[[front_end.nodes]]", (2..5).map(node).collect::<String>());
    let cases = [
        ("duplicate key", value("run.seed", "1\nseed = 2")),
        ("duplicate table", add("[run]\nseed = 2")),
        ("dotted key conflict", value("run.seed", "1\nhorizon.days = 3")),
        ("three syntax errors", format!("a b\nc = = 3\n[x\n{GOOD}")),
        ("tables missing", "schema = 1\nsemantics = 1\n".to_owned()),
        ("nothing", String::new()),
        ("newer", value("schema", "2")),
        (
            "table is a value",
            GOOD.replace("[measure]", "[measured]").replacen("semantics = 1", "semantics = 1\nmeasure = 1", 1),
        ),
        ("unknown table", add("[validaton]\nx = 1")),
        ("only and omit", value("group.only", "[0]\nomit = [1]")),
        ("omit leaves nobody", value("group.omit", "[0, 1, 2, 3]")),
        ("index beyond count", value("group.only", "[999]")),
        ("index twice", value("group.only", "[3, 3]")),
        ("handshake and flights", value("group.handshake", "\"tls1.3\"\nflights = [\"1ms\"]")),
        ("client_cpu of another length", value("group.client_cpu", "[\"1us\"]")),
        ("flight of no time", value("group.flights", "[\"0s\"]")),
        ("tls and handshake", GOOD.replace("name = \"voice\"", "name = \"voice\"\nhandshake = \"tls1.3\"")),
        ("tls and client_cpu", GOOD.replace("name = \"voice\"", "name = \"voice\"\nclient_cpu = [\"1us\"]")),
        (
            "tls over tcp",
            GOOD.replace("name = \"voice\"\ntransport = \"tls\"", "name = \"voice\"\ntransport = \"tcp\""),
        ),
        (
            "tls kind not measured",
            value("group.tls.version", "\"tls1.2\"").replace("key = \"p-256\"", "key = \"ed25519\""),
        ),
        ("tls resumption not measured", value("group.tls.key", "\"rsa-4096\"")),
        (
            "tls mutual without a certificate",
            GOOD.replace("name = \"voice\"", "name = \"voice\"\ncertificate = \"none\""),
        ),
        (
            "tls version beside flights",
            value("group.tls.finish", "\"1us\"\nversion = \"tls1.2\"\nscale_peer = \"2/1\""),
        ),
        ("tls finish beside measured", value("group.tls.mutual", "true\nfinish = \"1us\"\nbytes = [1, 2]")),
        (
            "tls flights and finish",
            value("group.flights", "[\"1us\", \"1us\", \"1us\", \"1us\", \"1us\", \"1us\", \"1us\"]")
                .replace("client_cpu = [\"356us\", \"357us\"]\n", ""),
        ),
        ("tls without resumption", GOOD.replace("resumption = \"cache\"\n", "")),
        ("tls ticket_key of a cache", GOOD.replace("entries = 20000", "ticket_key = \"pool\"")),
        ("tls entries of tickets", GOOD.replace("ticket_key = \"host\"", "entries = 7")),
        (
            "tls lifetime beyond a ticket",
            GOOD.replace(
                "resumption = \"cache\"\nentries = 20000\nlifetime = \"10h\"",
                "resumption = \"tickets\"\nlifetime = \"8d\"",
            ),
        ),
        ("tls resumption without costs", GOOD.replace("resumed_flights = [\"177us\"]\n", "")),
        ("tls resumed_client_cpu of another length", value("group.tls.resumed_client_cpu", "[\"1us\", \"1us\"]")),
        (
            "tls caches of two sizes",
            format!(
                "{}\n[[group]]\nname = \"x\"\ntransport = \"tls\"\ntls = {{ resumption = \"cache\", entries = 7, lifetime = \"1h\" }}\n",
                GOOD.split("\n[[timeline]]").next().unwrap()
            ),
        ),
        ("requests without costs", GOOD.replace("cpu = \"2ms\"\n", "")),
        (
            "requests that never time out",
            GOOD.replace("timeout = \"10s\"\non_timeout", "timeout = \"never\"\non_timeout"),
        ),
        ("requests of nothing", GOOD.replace("every = { exponential = \"5s\" }\n", "rate = 5\n")),
        ("too many entities with requests", GOOD.replace("name = \"voice\"", "name = \"voice\"\ncount = 20_000_000")),
        ("tcp with a certificate", value("group.transport", "\"tcp\"")),
        ("address overflow", value("group.address", "\"255.255.255.250\"")),
        ("group name with slash", value("group.name", "\"a/b\"")),
        ("group name with control character", value("group.name", "\"a\\u0007b\"")),
        ("group name twice", value("group.name", "\"web\"")),
        (
            "too many entities",
            value("group.count", "33_000_000")
                .replace("only = [3, 5]\n", "")
                .replace("count = 4 ", "count = 33_000_000 "),
        ),
        ("node twice", add("[[front_end.nodes]]\nname = \"fe01\"")),
        ("unknown front end", value("group.front_ends", "[\"fe1\"]")),
        ("front end twice", value("group.front_ends", "[\"fe01\", \"fe01\"]")),
        ("cores above workers", value("front_end.cores", "9")),
        ("when_full without limit", GOOD.replace("queue_limit = 1000\n", "")),
        ("offset without wall clock", value("refresh.anchor", "\"own-age\"")),
        ("initiator without reconnect", value("refresh.action", "\"revalidate\"")),
        ("style and grace without reconnect", MAKE_FIRST.replace("\"reconnect\"", "\"revalidate\"")),
        ("made first beside others", value("refresh.style", "\"make-first\"")),
        ("grace of who breaks first", MAKE_FIRST.replace("make-first", "break-first")),
        ("limit of nothing", without("rate = \"50/s\"\nburst = 5\nbatch = 100\nevery = \"10s\"\nspacing = \"5ms\"\n")),
        ("limit in batches without end", without("every = \"10s\"\n")),
        ("limit of no batches", without("batch = 100\n")),
        ("limit that saves up nothing", GOOD.replace("\nrate = \"50/s\"\n", "\n")),
        ("issuer that nobody asks", without("asks_at = [\"45%\", \"55%\"]\npoll = \"5s\"\nthen = \"stay\"\n")),
        ("poll of who does not ask", without("asks_at = [\"45%\", \"55%\"]\n")),
        ("rotation beside ticks", value("group.validity.then", "\"reconnect\"")),
        ("validity asked for and replaced", value("group.validity.poll", "\"5s\"\nreplaced = \"1h\"")),
        ("validity without end", without("not_after = \"30h\"\nlives = { uniform = [\"80d\", \"90d\"] }\n")),
        ("validity of what is not valid", value("group.certificate", "\"untrusted\"")),
        ("validity renewed and replaced", value("group.validity.replaced", "\"2h\"\nrenew_before = \"1h\"")),
        (
            "timeline of a certificate that is not shown",
            add(
                "[[group]]\nname = \"plain\"\ntransport = \"tcp\"\n[[timeline]]\nat = \"1s\"\ndo = \"certificate-expires\"\ngroup = \"plain\"",
            ),
        ),
        ("transport twice", value("refresh.transports", "[\"tcp\", \"tcp\"]")),
        (
            "actions",
            value(
                "recovery.actions",
                "[\"restrat\", \"restart after\", \"restart after 5\", \"none after 5s\", \"restart away 5m\", \"reboot after 1 parsec away 5m\"]",
            ),
        ),
        ("seventeen actions", value("recovery.actions", &format!("[{}]", "\"none\",".repeat(17)))),
        ("cycle twice", value("measure.cycles", "[2, 2]")),
        ("leave of who is not there", add("[[timeline]]\nat = \"3h\"\ndo = \"leave\"\ngroup = \"web\"")),
        (
            "join of who is there",
            add("[[timeline]]\nat = \"1s\"\ndo = \"join\"\ngroup = \"contact-centre\"\nonly = [3]"),
        ),
        (
            "timeline of an index left out",
            add("[[timeline]]\nat = \"1s\"\ndo = \"leave\"\ngroup = \"contact-centre\"\nonly = [4]"),
        ),
        ("stop before the first start", timeline("5h", "do = \"stop\"\nfront_end = \"fe02\"")),
        ("crash at the first start", timeline("0s", "do = \"crash\"\nfront_end = [\"fe01\"]")),
        (
            "stop of who is stopped",
            timeline("7h", "do = \"stop\"\nfront_end = \"fe02\"") + &entry("8h", "do = \"stop\"\nfront_end = \"fe02\""),
        ),
        (
            "crash of who is stopped",
            timeline("7h", "do = \"stop\"\nfront_end = \"fe02\"")
                + &entry("8h", "do = \"crash\"\nfront_end = \"fe02\""),
        ),
        (
            "stop of who is away",
            timeline("7h", "do = \"patch\"\naway = \"1h\"\nfront_end = \"fe02\"")
                + &entry("8h", "do = \"stop\"\nfront_end = \"fe02\""),
        ),
        (
            "start of who runs",
            timeline("7h", "do = \"start\"\nfront_end = \"fe02\"")
                .replace("[pool]\nminimum = \"sfb2015\"\nquorum = false\nrestart = \"manual\"\n", "")
                .replace("sfb2015-rtm", "sfb2015-cu2"),
        ),
        ("stop of nobody", timeline("7h", "do = \"stop\"")),
        ("stop of a group", timeline("7h", "do = \"stop\"\ngroup = \"web\"\nonly = [1]\nfront_end = \"fe01\"")),
        (
            "leave with keys of a patch",
            timeline("7h", "do = \"leave\"\ngroup = \"voice\"\naway = \"1h\"\nfront_end = \"fe01\""),
        ),
        ("patch without its time", timeline("7h", "do = \"patch\"\nfront_end = \"fe01\"\ngap = \"1h\"")),
        (
            "stop with keys of a patch",
            timeline("7h", "do = \"stop\"\nfront_end = \"fe01\"\naway = \"1h\"\nvalidator = \"tls-only\""),
        ),
        ("front end and domain", timeline("7h", "do = \"stop\"\nfront_end = \"fe01\"\nupgrade_domain = 1")),
        ("rolling patch of some", timeline("7h", "do = \"rolling-patch\"\nfront_end = \"fe01\"\naway = \"1h\"")),
        (
            "middlebox that is not there",
            GOOD.replace("[middlebox]\nprobe = \"5s\"\npersistence = true\nidle = \"4m\"\non_idle = \"reset\"\n", ""),
        ),
        ("middlebox that forgets beside who never notices", value("middlebox.on_idle", "\"silent\"")),
        ("middlebox whose idle limit has no length", GOOD.replace("idle = \"4m\"\n", "")),
        ("middlebox and black list", value("group.failover.order", "\"middlebox\"")),
        ("pool of thirteen", GOOD.replace("[refresh]", &thirteen)),
        ("pool that stops at its start", value("pool.minimum", "{ start = 1, functional = 1, among = 1 }")),
        (
            "pool without its quorum",
            value("pool.quorum", "true")
                .replace("upgrade_domain = 1\n\n[[front_end.nodes]]", &five)
                .replace("minimum = \"sfb2015\"", "minimum = { start = 2, functional = 1, among = 5 }"),
        ),
        ("timeline of an unknown group", value("timeline.group", "\"contact-center\"")),
        (
            "cut of a path that is cut",
            add("[[timeline]]\nat = \"25h\"\ndo = \"cut-off\"\ngroup = \"web\"\nfront_end = \"fe02\""),
        ),
        (
            "slow group that is as slow",
            add("[[timeline]]\nat = \"24h\"\ndo = \"slow\"\ngroup = \"web\"\nfactor = \"150%\""),
        ),
        ("end of what is not slow", add("[[timeline]]\nat = \"26h\"\ndo = \"slow-ends\"\ngroup = \"web\"")),
        (
            "slow group that is fast",
            add("[[timeline]]\nat = \"26h\"\ndo = \"slow\"\ngroup = \"web\"\nfactor = \"1/2\""),
        ),
        (
            "slow group without its factor, some of it, at a front end",
            add("[[timeline]]\nat = \"26h\"\ndo = \"slow\"\ngroup = \"web\"\nonly = [0]\nfront_end = \"fe02\""),
        ),
        ("factor of who leaves", timeline("26h", "do = \"leave\"\ngroup = \"voice\"\nfactor = \"2/1\"")),
        ("heal of a path that is whole", add("[[timeline]]\nat = \"25h\"\ndo = \"heal\"\ngroup = \"contact-centre\"")),
        (
            "cut from a front end that the group never uses",
            value("group.front_ends", "[\"fe01\"]")
                + "[[timeline]]\nat = \"1h\"\ndo = \"cut-off\"\ngroup = \"contact-centre\"\nfront_end = \"fe02\"\n",
        ),
        (
            "cut from an unknown front end",
            add("[[timeline]]\nat = \"25h\"\ndo = \"heal\"\ngroup = \"web\"\nfront_end = \"fe2\""),
        ),
        ("cut of some of a group", add("[[timeline]]\nat = \"1h\"\ndo = \"cut-off\"\ngroup = \"web\"\nonly = [0]")),
        (
            "leave from a front end",
            add("[[timeline]]\nat = \"1h\"\ndo = \"leave\"\ngroup = \"contact-centre\"\nfront_end = \"fe01\""),
        ),
        (
            "more cuts than are looked at",
            (0..501).fold(GOOD.to_owned(), |text, nth| {
                let at = |ms| format!("at = \"{ms}ms\"\ngroup = \"web\"\nfront_end = \"fe01\"");
                let (cut, heal) = (at(2 * nth), at(2 * nth + 1));
                format!("{text}[[timeline]]\n{cut}\ndo = \"cut-off\"\n[[timeline]]\n{heal}\ndo = \"heal\"\n")
            }),
        ),
        ("repeats of a known stack", value("group.tcp.stack", "\"linux\"")),
        ("custom stack without repeats", GOOD.replace("resends = [\"3s\", \"9s\"]\ngive_up = \"21s\"\n", "")),
        ("repeats beyond giving up", value("group.tcp.resends", "[\"9s\", \"30s\"]")),
        ("ports of an unknown system", value("group.tcp.ports", "\"linx\"")),
        ("ports without number", value("group.tcp.ports", "0")),
        ("more addresses than peers", value("group.tcp.addresses", "301")),
        ("keep-alive without count", GOOD.replace("interval = \"60s\"\ncount = 3\n", "interval = \"60s\"\n")),
        ("backlog where it was", GOOD.replace("accept = \"50us\"\n", "accept = \"50us\"\nbacklog = 200\n")),
        ("look-up twice", add("[[lookup]]\nname = \"crl\"\nlatency = \"1ms\"")),
        (
            "look-up without latency",
            GOOD.replace("latency = { lognormal = { median = \"20ms\", p99 = \"200ms\" } }\n", ""),
        ),
        ("look-up of a moment twice", value("lookup.on", "[\"refresh\", \"refresh\"]")),
        ("look-up that keeps hard failures", value("lookup.on_failure", "\"hard-fail\"")),
        ("seventeen look-ups", {
            let one = |n| format!("[[lookup]]\nname = \"l{n}\"\nlatency = \"1ms\"\n");
            add(&(0..16).map(one).collect::<String>())
        }),
        ("timeline of an unknown look-up", value("timeline.lookup", "\"clr\"")),
        (
            "timeline of look-ups that there are not",
            "schema = 1\nsemantics = 1\nrun.horizon = \"1h\"\nvalidation.validator = \"tls-only\"\n\
             timeline = [{ at = \"1m\", do = \"lookup-fails\", lookup = \"crl\" }]\n\
             [[group]]\nname = \"a\"\ntransport = \"tcp\"\n"
                .to_owned(),
        ),
        (
            "look-up changes to what it is",
            ["slow\"\nfactor = \"10/1", "fails\"\nlatency = \"3s", "heals"].into_iter().zip([24, 25, 27]).fold(
                GOOD.to_owned(),
                |text, (change, hour)| {
                    let at = format!("at = \"{hour}h\"\ndo = \"lookup-{change}\"");
                    format!("{text}\n[[timeline]]\n{at}\nlookup = \"crl\"\n")
                },
            ),
        ),
        (
            "an issuer that nobody asks fails",
            "schema = 1\nsemantics = 1\nrun.horizon = \"1h\"\nvalidation.validator = \"tls-only\"\n\
             timeline = [{ at = \"1m\", do = \"issuer-fails\" }]\n\
             [[group]]\nname = \"a\"\ntransport = \"tcp\"\n"
                .to_owned(),
        ),
        ("an issuer that heals twice", format!("{GOOD}\n[[timeline]]\nat = \"29h\"\ndo = \"issuer-heals\"\n")),
        (
            "group of an issuer that fails",
            GOOD.replace("do = \"issuer-fails\"", "do = \"issuer-fails\"\ngroup = \"web\""),
        ),
        ("slow look-up without a measure", GOOD.replace("factor = \"10/1\"\n", "")),
        ("slow look-up with two measures", value("timeline.factor", "\"2/1\"\nlatency = \"1s\"")),
        ("factor of a look-up that fails", value("timeline.latency", "\"3s\"\nfactor = \"2/1\"")),
        (
            "latency of a look-up that heals",
            GOOD.replace("do = \"lookup-heals\"", "do = \"lookup-heals\"\nlatency = \"3s\""),
        ),
        ("group of a changed look-up", GOOD.replace("do = \"lookup-heals\"", "do = \"lookup-heals\"\ngroup = \"web\"")),
        ("look-up of those who leave", GOOD.replace("do = \"leave\"", "do = \"leave\"\nlookup = \"crl\"")),
        ("epoch that is no date", value("run.epoch", "\"2015-02-29T00:00:00Z\"")),
        ("epoch too late", value("run.epoch", "9999-12-31T00:00:00Z")),
        ("delay and back-off", value("group.reconnect.delay", "\"5s\"\nbase = \"1s\"")),
        ("back-off without a base", value("group.reconnect.delay", "\"5s\"").replace("base = \"1s\"\nstep", "step")),
        ("step without linear growth", GOOD.replace("growth = \"linear\"", "growth = \"exponential\"")),
        ("linear growth without a step", GOOD.replace("step = \"500ms\"\n", "")),
        ("waits and growth", add_to_waits("growth = \"fixed\"\nbase = \"1s\"")),
        ("waits and decorrelated", add_to_waits("jitter = \"decorrelated\"")),
        ("share without a jitter that has one", add_to_waits("jitter = \"full\"\njitter_share = \"20%\"")),
        ("jitter without its share", add_to_waits("jitter = \"later\"")),
        (
            "cap order without jitter",
            add_to_waits("jitter_at = \"before-cap\"\njitter_first = false\njitter_tries = 3"),
        ),
        ("cap of what does not grow", value("group.timeouts.connect_factor", "2").replace("connect_factor = 2\n", "")),
        (
            "growth of what is not timed",
            GOOD.replace("connect = \"10s\"\n", "").replace("connect_cap = \"30s\"\nconnect_jitter = \"20%\"\n", ""),
        ),
        ("jitter of a plain delay", value("group.reconnect.delay", "\"5s\"\njitter_first = false")),
        ("nothing to validate by", GOOD.replace("validator = \"sfb2015-rtm\"\n", "")),
    ];
    for (name, text) in cases {
        insta::assert_snapshot!(format!("beyond {name}").replace(' ', "_"), message(&text));
    }
}

#[test]
fn wrong_distributions_are_told_with_the_forms_there_are() {
    let mut told = String::new();
    for value in [
        "5",
        "[]",
        "{}",
        "{ unifrom = [\"1ms\", \"2ms\"] }",
        "{ uniform = [\"1ms\", \"2ms\"], exponential = \"1ms\" }",
        "{ uniform = [\"2ms\", \"1ms\"] }",
        "{ uniform = [1, \"2\"] }",
        "{ uniform = \"1ms\" }",
        "{ exponential = \"0s\" }",
        "{ exponential = 5 }",
        "{ lognormal = { median = \"1ms\" } }",
        "{ lognormal = { median = \"1ms\", p99 = \"9ms\", p90 = \"5ms\" } }",
        "{ lognormal = { median = \"9ms\", p99 = \"1ms\" } }",
        "{ lognormal = { median = \"1ms\", p50 = \"9ms\" } }",
        "{ lognormal = { median = \"1ms\", p99.9.9 = \"9ms\" } }",
        "{ lognormal = { mean = \"1ms\" } }",
        "{ lognormal = { mena = \"1ms\", sd = \"1ms\" } }",
        "{ pareto = { minimum = \"1ms\", shape = 0 } }",
        "{ pareto = { minimum = \"1ms\", shape = nan } }",
        "{ pareto = { minimum = \"1ms\", shape = \"2\" } }",
        "{ weibull = { scale = \"1ms\", shape = inf } }",
        "{ weibull = { scale = \"1ms\", shape = 1e400 } }",
        "{ weibull = { scal = \"1ms\", shape = 0.7 } }",
        "{ percentiles = [[\"p0\", \"1ms\"]] }",
        "{ percentiles = [[\"p1\", \"1ms\"], [\"p100\", \"2ms\"]] }",
        "{ percentiles = [[\"p0\", \"1ms\"], [\"q50\", \"2ms\"], [\"p100\"]] }",
        "{ percentiles = [[\"p0\", \"2ms\"], [\"p100\", \"1ms\"]] }",
    ] {
        told += &format!("=== rtt = {value}\n{}\n", message(&with_value("group.rtt", value).0));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn wrong_expectations_are_told_at_their_place_in_the_line() {
    let mut told = String::new();
    for line in [
        "",
        "crashs : value == 3",
        "crashes value == 3",
        "crashes : p99 == 3",
        "crashes : value = 3",
        "crashes : value == 3s",
        "crashes : value == -1",
        "crashes : value == 3 min 5",
        "crashes in refresh : value == 3",
        "crashes{group=web} : value == 3",
        "crashes{front_end=fe1} : value == 3",
        "up{front_end=fe01} : value == 3",
        "lookups.made{lookup=clr} : value == 3",
        "lookups.made{group=web} : value == 3",
        "blocked{lookup=crl} : value <= 3%",
        "availability : value >= 0.5",
        "availability : value >= 101%",
        "availability : value >= 1/0",
        "first_crash : value <= 5",
        "refresh : p99 <= 250",
        "refresh : p99 <= 250 parsecs",
        "refresh : p101 <= 250ms",
        "refresh : p99.99999 <= 250ms",
        "refresh : p99",
        "refresh : p99 <=",
        "refresh : p99 <= 250ms max 3",
        "refresh : p99 <= 250ms min",
        "refresh : avg <= 250ms",
        "refresh : count >= 5ms",
        "refresh in initail : p99 <= 250ms",
        "refresh in refresh 0 : p99 <= 250ms",
        "queue in refresh 2 : p99 <= 250ms",
        "sweep{group=web} : p99 <= 250ms",
        "sweep in refresh : p99 <= 250ms",
        "queue{cause=refresh} in refresh : p99 <= 250ms",
        "queue{group=wbe} : p99 <= 250ms",
        "queue{grup=web} : p99 <= 250ms",
        "queue{transport=udp} : p99 <= 250ms",
        "queue{group=web,group=web} : p99 <= 250ms",
        "queue{group=web : p99 <= 250ms",
        "queue{group} : p99 <= 250ms",
        "refresh : p99 <= 250ms — and more",
        "refresh in 2d..1d : p99 <= 250ms",
        "refresh in .. : p99 <= 250ms",
        "refresh in 1d..2 : p99 <= 250ms",
        "refresh in 1x..2d : p99 <= 250ms",
        "refresh in refresh 1 1d..2d : p99 <= 250ms",
        "refresh in 1d..2d refresh : p99 <= 250ms",
        "losses in 1d..2d : value == 0",
        "valid in refresh : always >= 3",
        "valid{group=web} : always >= 3",
        "valid : p99 >= 3",
        "valid : awlays >= 3",
        "valid : always >= 3s",
        "valid : always >= 3 min 9",
        "valid : eventually >= 3",
        "valid : eventually >= 3 within",
        "valid : eventually >= 3 within 0s",
        "valid : eventually >= 3 within 10",
        "valid : eventually >= 3 within 10m of tick",
        "valid : always >= baseline",
        "verdict : value == baseline",
        "refresh : p99 <= baseline * 1.02",
        "refresh : p99 <= baseline + 2",
        "refresh : p99 <= baseline - 101%",
        "refresh : p99 <= baselines",
        "questions{certificate=none} : value >= 1",
        "questions{phase=initial} : value >= 1",
        "questions{verdict=rejected} : value >= 1",
        "questions{cause=refresh} : value >= 1",
        "questions{certificate=absent} : p99 >= 1",
        "rejections{phase=refresh} : value >= 1",
    ] {
        told += &format!("=== {line}\n{}\n", message(&with_value("expect.fast", &format!("\"{line}\"")).0));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn wrong_settings_name_the_setting_and_no_line() {
    let mut told = String::new();
    for (path, value) in [
        ("front_end.workers", "0"),
        ("front_end.workrs", "4"),
        ("run.horizon", "7"),
        ("run.horizon", "7 parsecs"),
        ("group.contact-center.count", "10"),
        ("group.7.count", "10"),
        ("run.horizon.days", "10"),
        ("refresh.transports.5", "tcp"),
        ("", "3"),
        ("run..seed", "3"),
        ("group.0.rtt", "{ uniform = [\"2ms\", \"1ms\"] }"),
        ("expect.fast", "crashs : value == 3"),
        ("run.seed", &format!("{}1{}", "[".repeat(99), "]".repeat(99))),
    ] {
        let set = [
            Setting { path: "run.seed".into(), value: "7".into() },
            Setting { path: path.into(), value: value.into() },
        ];
        let problems = load("test", "test.toml", GOOD.as_bytes(), &set).expect_err(path);
        assert!(problems.list.iter().all(|problem| matches!(problem.place, Place::Setting(1, _))), "{problems}");
        told += &format!("=== {path}={value}\n{problems}\n");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn files_that_are_no_text_or_too_much_of_it_are_told_so() {
    let mut told = String::new();
    let deep = format!("{GOOD}\nx = {}", "[".repeat(100_000));
    let dots = format!("{GOOD}\n{}a = 1", "a.".repeat(500_000));
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(GOOD.encode_utf16().flat_map(u16::to_le_bytes));
    let latin1 = GOOD.as_bytes().iter().copied().chain(*b"# caf\xe9\n").collect();
    let cases: [(&str, Vec<u8>); 8] = [
        ("17 MiB", vec![b'#'; 17 << 20]),
        ("deep", deep.into_bytes()),
        ("dots", dots.into_bytes()),
        ("UTF-16", utf16),
        ("Latin-1", latin1),
        ("NUL", [GOOD.as_bytes(), b"\na = \"\0\"\n\0"].concat()),
        ("one long line", format!("run = {{ x = \"{}\", horizon = 5 }}", "é".repeat(1 << 20)).into_bytes()),
        ("many errors", (0..5000).flat_map(|n| format!("key{n} = 1\n").into_bytes()).collect()),
    ];
    for (name, bytes) in cases {
        let problems = load("test", "test.toml", &bytes, &[]).expect_err(name);
        assert!(problems.list.len() <= 50);
        let text = problems.to_string();
        assert!(text.len() < 100_000, "{name}: {} bytes of message", text.len());
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{name}");
        told += &format!("=== {name}\n{text}\n");
    }
    insta::assert_snapshot!(told);
}
