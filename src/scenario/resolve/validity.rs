//! `[group.validity]`: how long certificates are good.

use crate::dist::Dist;
use crate::policy::Ratio;
use crate::policy::{Ask, LIFE_MIN, POLL_MIN, Replaced, Then, Validity};
use crate::scenario::decode::{Item, Table};
use crate::time::Time;
use crate::validate::CertificateState;

use super::above_zero;

/// Reads the table of a group whose peers show `certificate`; `assume` takes the key and text of an assumption.
pub(super) fn read(
    item: &Item<'_, '_>,
    certificate: Option<CertificateState>,
    assume: impl Fn(&str, &str),
) -> Option<Validity> {
    if certificate != Some(CertificateState::Valid) {
        item.wrong("does nothing here", "only with a certificate that is `\"valid\"`");
    }
    let table = item.table("a table, e.g. { not_after = \"30h\" }")?;
    let not_after = table.get("not_after");
    let lives = table.get("lives");
    if not_after.is_none() && lives.is_none() && !item.cx.is_broken() {
        item.wrong("has no end", "at least one of `not_after`, `lives`");
    }
    let not_after = not_after.and_then(|item| item.length()).map(|length| Time(length.0));
    let lives = lives.and_then(|item| {
        let lives = item.dist()?;
        if matches!(lives, Dist::Constant(life) if life < LIFE_MIN) {
            item.wrong("is too short a life", format!("at least {LIFE_MIN}"));
        }
        Some(lives)
    });
    let (before, after) = (table.get("renew_before"), table.get("replaced"));
    let asks = table.get("asks_at");
    let given = [&before, &after, &asks].into_iter().flatten();
    for item in given.skip(1) {
        item.wrong("does nothing here", "one of `renew_before`, `replaced` and `asks_at`");
    }
    let ask = ask(&table, asks.as_ref());
    let replaced = match (before, after) {
        (Some(before), _) => above_zero(&before).map(Replaced::Before),
        (None, Some(after)) => after.dist().map(Replaced::After),
        (None, None) if asks.is_some() => ask.map(Replaced::Asked),
        (None, None) => {
            assume("validity.replaced", "never: nobody notices, and the timeline says what is done");
            Some(Replaced::Never)
        }
    };
    table.finish();
    Some(Validity { not_after, lives, replaced: replaced? })
}

/// The least share of its life at which a certificate's successor may be asked for.
const ASKED_MIN: Ratio = Ratio::new(1, 1_000);

/// `asks_at`, `poll` and `then`.
fn ask(table: &Table<'_, '_>, asks: Option<&Item<'_, '_>>) -> Option<Ask> {
    let only = "only with `asks_at`";
    let poll = table.get("poll").and_then(|item| {
        if asks.is_none() {
            item.wrong("does nothing here", only);
        }
        let poll = item.length()?;
        if poll < POLL_MIN {
            item.wrong(format!("is {poll}"), format!("at least {POLL_MIN}"));
        }
        Some(poll)
    });
    let then = table.get("then").and_then(|item| {
        if asks.is_none() {
            item.wrong("does nothing here", only);
        }
        item.word()
    });
    let asks = asks?;
    let accepts = "two shares of a certificate's life, e.g. [\"49%\", \"51%\"]";
    let shares: Vec<Option<Ratio>> = asks.list(2..=2, accepts)?.iter().map(|item| item.share(100)).collect();
    let (from, to) = (shares[0]?, shares[1]?);
    // Who asked at once, again and again, would never come to an end.
    if from.is_below(ASKED_MIN) {
        asks.wrong(format!("begins at {from}"), format!("at least {ASKED_MIN}"));
        return None;
    }
    if to.is_below(from) {
        asks.wrong("goes backwards", accepts);
        return None;
    }
    Some(Ask { from, to, poll, then: then.unwrap_or(Then::Stay) })
}
