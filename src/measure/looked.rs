//! What look-ups came to, in numbers.

/// Look-ups of one kind at one front end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Looked {
    /// Fetches that began.
    pub made: u64,
    /// Questions that an answer kept from before answered.
    pub cached: u64,
    /// Questions that joined a fetch under way.
    pub joined: u64,
    /// Questions for which the validation had no time left, so that none was made.
    pub skipped: u64,
    /// Fetches that ended with a good answer.
    pub positive: u64,
    /// Fetches whose answer said no.
    pub negative: u64,
    /// Fetches that ended without an answer before their time-out.
    pub failed: u64,
    /// Fetches that ended by a time-out.
    pub timed_out: u64,
}

impl Looked {
    /// The numbers that close a digest.
    pub fn numbers(&self) -> [u64; 8] {
        [self.made, self.cached, self.joined, self.skipped, self.positive, self.negative, self.failed, self.timed_out]
    }

    /// Both together.
    pub fn and(&self, other: &Looked) -> Looked {
        Looked {
            made: self.made + other.made,
            cached: self.cached + other.cached,
            joined: self.joined + other.joined,
            skipped: self.skipped + other.skipped,
            positive: self.positive + other.positive,
            negative: self.negative + other.negative,
            failed: self.failed + other.failed,
            timed_out: self.timed_out + other.timed_out,
        }
    }
}
