//! `[group.validity]`: how long certificates are good.

use crate::dist::Dist;
use crate::policy::{LIFE_MIN, Replaced, Validity};
use crate::scenario::decode::Item;
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
    if let (Some(_), Some(after)) = (&before, &after) {
        after.wrong("does nothing here", "`renew_before` or `replaced`, not both");
    }
    let replaced = match (before, after) {
        (Some(before), _) => above_zero(&before).map(Replaced::Before),
        (None, Some(after)) => after.dist().map(Replaced::After),
        (None, None) => {
            assume("validity.replaced", "never: nobody notices, and the timeline says what is done");
            Some(Replaced::Never)
        }
    };
    table.finish();
    Some(Validity { not_after, lives, replaced: replaced? })
}
