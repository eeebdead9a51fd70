//! Two streams of decisions against each other, in bounded memory: the first difference, or none.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender};

use crate::host::signals::Interrupt;
use crate::measure::Decision;
use crate::scenario::Plan;
use crate::sim::{Names, Watch};
use crate::time::Time;

/// Bytes of a decision.
const DECISION: usize = 16;
/// Bytes sent at once; a whole number of decisions.
const CHUNK: usize = 64 * 1024;
/// Chunks that may be under way: how far one side may be ahead.
pub(super) const CHUNKS: usize = 16;
/// What the second process writes after its last decision and before its digest. No decision looks like this.
pub(super) const END: [u8; DECISION] = [0xff; DECISION];
/// More than a digest has; who sends more is not our child.
const DIGEST_MAX: usize = 256;

/// Watches the run on this side, and passes its decisions on.
pub(super) struct Passing<'a> {
    interrupt: &'a Interrupt,
    chunk: Vec<u8>,
    /// `None` once nobody listens any more.
    to: Option<SyncSender<Vec<u8>>>,
}

impl<'a> Passing<'a> {
    pub(super) fn new(interrupt: &'a Interrupt, to: SyncSender<Vec<u8>>) -> Passing<'a> {
        Passing { interrupt, chunk: Vec::with_capacity(CHUNK), to: Some(to) }
    }

    /// Passes the rest on and ends the stream.
    pub(super) fn finish(mut self) {
        self.pass();
    }

    fn pass(&mut self) {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        if self.to.as_ref().is_some_and(|to| to.send(chunk).is_err()) {
            self.to = None;
        }
    }
}

impl Watch for Passing<'_> {
    fn progress(&mut self, _at: Time, _steps: u64) -> ControlFlow<()> {
        if self.interrupt.is_raised() || self.to.is_none() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        self.chunk.extend_from_slice(&decision.bytes());
        if self.chunk.len() >= CHUNK {
            self.pass();
        }
    }
}

/// The first decision that is not the same on both sides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Difference {
    /// Its number; 0 = the first.
    index: u64,
    /// `None`: there is none any more.
    here: Option<[u8; DECISION]>,
    there: Option<[u8; DECISION]>,
}

/// Compares what comes from the second process with what comes from the run on this side.
#[derive(Debug)]
pub(super) struct Compare {
    here: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    /// The beginning of a decision from there whose rest has not come yet.
    part: Vec<u8>,
    /// Decisions that were the same.
    same: u64,
    difference: Option<Difference>,
    /// The digest from there; `None`: its decisions have not ended.
    digest: Option<Vec<u8>>,
}

impl Compare {
    pub(super) fn new(here: Receiver<Vec<u8>>) -> Compare {
        Compare { here, chunk: Vec::new(), at: 0, part: Vec::new(), same: 0, difference: None, digest: None }
    }

    pub(super) fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// The digest from there, if its stream ended as it should.
    pub(super) fn digest(&self) -> Option<String> {
        self.digest.as_deref().map(|digest| String::from_utf8_lossy(digest).trim().to_owned())
    }

    /// Takes the next bytes from there; breaks when there is a difference.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> ControlFlow<()> {
        while !bytes.is_empty() {
            if let Some(digest) = &mut self.digest {
                digest.extend_from_slice(bytes);
                return if digest.len() > DIGEST_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            }
            let whole = self.same_ahead(bytes);
            bytes = &bytes[whole..];
            let wanted = DECISION - self.part.len();
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.part.extend_from_slice(part);
            bytes = rest;
            if let Ok(there) = <[u8; DECISION]>::try_from(self.part.as_slice()) {
                self.part.clear();
                self.one(there)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// How many bytes, in whole decisions, are the same as what has already come from here: the quick way.
    fn same_ahead(&mut self, bytes: &[u8]) -> usize {
        let here = &self.chunk[self.at..];
        let length = bytes.len().min(here.len()) / DECISION * DECISION;
        if !self.part.is_empty() || bytes[..length] != here[..length] {
            return 0;
        }
        self.at += length;
        self.same += (length / DECISION) as u64;
        length
    }

    fn one(&mut self, there: [u8; DECISION]) -> ControlFlow<()> {
        let here = self.next_here();
        if there == END && here.is_none() {
            self.digest = Some(Vec::new());
        } else if here == Some(there) {
            self.same += 1;
        } else {
            let there = (there != END).then_some(there);
            self.difference = Some(Difference { index: self.same, here, there });
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// The next decision from here; waits for it. `None`: there is none any more.
    fn next_here(&mut self) -> Option<[u8; DECISION]> {
        while self.at == self.chunk.len() {
            self.chunk = self.here.recv().ok()?;
            self.at = 0;
        }
        let decision = self.chunk.get(self.at..self.at + DECISION)?.try_into().ok();
        self.at += DECISION;
        decision
    }
}

impl Difference {
    /// Both sides in words.
    pub(super) fn text(&self, plan: &Plan) -> String {
        self.sides([("here", plan), ("there", plan)])
    }

    /// Both sides in words, each by its own name and in the names of its own plan.
    pub(super) fn sides(&self, [here, there]: [(&str, &Plan); 2]) -> String {
        let mut text = format!("decision {} (0 = the first) is not the same:\n", self.index);
        for ((side, plan), bytes) in [(here, self.here), (there, self.there)] {
            let words = bytes.map_or_else(|| "no decision any more".to_owned(), |bytes| words(plan, &bytes));
            // A string takes all that is written to it.
            let _ = writeln!(text, "  {side:5}  {words}");
        }
        text
    }
}

fn words(plan: &Plan, bytes: &[u8; DECISION]) -> String {
    let Some(decision) = Decision::from_bytes(bytes) else {
        return format!("16 bytes that are no decision: {bytes:02x?}");
    };
    let names = Names::new(plan);
    let who = if decision.what.is_of_front_end() {
        u16::try_from(decision.who).map_or("?", |place| names.front_end(place)).to_owned()
    } else {
        names.peer(decision.who)
    };
    let Decision { at, what, detail, extra, .. } = decision;
    format!("at {at} ({} ns), {who}: {}, detail {detail}, extra {extra}", at.0, what.name())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn decisions(count: u64) -> Vec<u8> {
        (0..count).flat_map(|n| [n.to_le_bytes(), [7; 8]].concat()).collect()
    }

    /// What comes of two streams, for some ways to cut each into pieces.
    fn compared(here: &[u8], there: &[u8]) -> (Option<Difference>, Option<String>) {
        let mut results = Vec::new();
        for (chunk, piece) in [(16, 1), (16, 1000), (48, 17), (160, 16), (4096, 31), (64, 4096)] {
            let (send, receive) = sync_channel(1000);
            here.chunks(chunk).for_each(|chunk| send.send(chunk.to_vec()).expect("room"));
            drop(send);
            let mut compare = Compare::new(receive);
            let _ = there.chunks(piece).try_for_each(|piece| compare.take(piece));
            results.push((compare.difference().cloned(), compare.digest()));
        }
        results.dedup();
        assert_eq!(results.len(), 1, "the cuts matter: {results:?}");
        results.remove(0)
    }

    #[test]
    fn streams_that_are_the_same_give_the_digest() {
        let here = decisions(100);
        let there = [here.as_slice(), &END, b"abc\n"].concat();
        assert_eq!(compared(&here, &there), (None, Some("abc".to_owned())));
        assert_eq!(compared(&[], &there[1600..]), (None, Some("abc".to_owned())));
    }

    #[test]
    fn the_first_difference_is_found_wherever_it_is() {
        let here = decisions(50);
        for index in 0..50u64 {
            let mut there = [here.as_slice(), &END, b"abc\n"].concat();
            there[index as usize * 16 + 13] ^= 1;
            let (difference, digest) = compared(&here, &there);
            assert_eq!((difference.map(|d| d.index), digest), (Some(index), None));
        }
    }

    #[test]
    fn a_stream_that_ends_early_on_either_side_is_a_difference() {
        let (long, short) = (decisions(9), decisions(8));
        let there = |decisions: &[u8]| [decisions, &END, b"abc\n"].concat();
        let only_here = compared(&long, &there(&short)).0.expect("a difference");
        assert_eq!((only_here.index, only_here.here.is_some(), only_here.there), (8, true, None));
        let only_there = compared(&short, &there(&long)).0.expect("a difference");
        assert_eq!((only_there.index, only_there.here, only_there.there.is_some()), (8, None, true));
        assert_eq!(compared(&long, &short), (None, None), "a stream without its end has no digest");
    }
}
