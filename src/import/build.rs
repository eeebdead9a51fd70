//! Builds of the product, and which logic each of them has.

use std::fmt;
use std::str::FromStr;

use crate::validate::Builtin;

/// The first build with the corrected validation: the March 2016 cumulative update (KB3141114).
const FIXED: [u32; 4] = [6, 0, 9319, 235];
/// Skype for Business Server 2015 as released.
const RELEASED: [u32; 4] = [6, 0, 9319, 0];

/// A build of the product, e.g. `6.0.9319.0`. Skype for Business Server 2015 or later: of Lync Server, whose builds are
/// lower, nothing is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Build([u32; 4]);

/// A text that is no such build.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    /// It is not four numbers.
    #[error("expected four numbers with points between them, e.g. 6.0.9319.0")]
    NotABuild,
    /// It is older than what is known.
    #[error(
        "Skype for Business Server 2015 begins with 6.0.9319.0; of older builds (Lync Server) nothing is known in this \
         matter"
    )]
    TooOld,
}

impl Build {
    /// The first of Skype for Business Server 2015.
    pub const RELEASED: Build = Build(RELEASED);
    /// The first with the corrected validation.
    pub const FIXED: Build = Build(FIXED);

    /// Whether it has the corrected validation.
    pub fn is_fixed(self) -> bool {
        self.0 >= FIXED
    }

    /// The logic that it has.
    pub fn validator(self) -> Builtin {
        if self.is_fixed() { Builtin::Sfb2015Cu2 } else { Builtin::Sfb2015Rtm }
    }
}

impl FromStr for Build {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Build, BuildError> {
        let parts: Vec<&str> = text.trim().split('.').collect();
        let parts: [&str; 4] = parts.try_into().map_err(|_| BuildError::NotABuild)?;
        let mut numbers = [0; 4];
        for (number, part) in numbers.iter_mut().zip(parts) {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(BuildError::NotABuild);
            }
            *number = part.parse().map_err(|_| BuildError::NotABuild)?;
        }
        if numbers < RELEASED { Err(BuildError::TooOld) } else { Ok(Build(numbers)) }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_before_235_have_the_defect_and_those_from_it_on_do_not() {
        let validator = |text: &str| text.parse::<Build>().map(Build::validator);
        for old in ["6.0.9319.0", "6.0.9319.102", "6.0.9319.234"] {
            assert_eq!(validator(old), Ok(Builtin::Sfb2015Rtm), "{old}");
        }
        for new in ["6.0.9319.235", "6.0.9319.1000", "6.0.9320.0", "7.0.2046.0"] {
            assert_eq!(validator(new), Ok(Builtin::Sfb2015Cu2), "{new}");
        }
    }

    #[test]
    fn what_is_no_build_is_told_so() {
        for text in
            ["", "6", "6.0.9319", "6.0.9319.0.1", "6.0.9319.x", "6.0.9319.-1", "6.0.9319.99999999999", "+6.0.1.1"]
        {
            assert_eq!(text.parse::<Build>(), Err(BuildError::NotABuild), "{text:?}");
        }
        assert_eq!("5.0.8308.0".parse::<Build>(), Err(BuildError::TooOld));
    }
}
