//! Plans from the text of a scenario, for tests that write one as a user does.

use refresh_sim::scenario::{Plan, Setting, load};

/// The plan of a scenario that is good.
#[track_caller]
pub(super) fn read(text: &str) -> Plan {
    with(text, &[])
}

/// The same with settings, each a path and its value.
#[track_caller]
pub(super) fn with(text: &str, set: &[(&str, &str)]) -> Plan {
    let set: Vec<Setting> =
        set.iter().map(|(path, value)| Setting { path: (*path).into(), value: (*value).into() }).collect();
    load("test", "test.toml", text.as_bytes(), &set).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// The same with settings as the command line has them, `path=value`.
#[track_caller]
pub(super) fn with_lines(text: &str, set: &[&str]) -> Plan {
    let set: Vec<(&str, &str)> = set.iter().map(|line| line.split_once('=').expect("path=value")).collect();
    with(text, &set)
}
