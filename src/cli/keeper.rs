//! The thread that puts cells into their places, so that none that could run another waits for a disk.
//!
//! Knows the folder and the order of arrival. Does not know what runs.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::cells::Folder;
use super::exit::Exit;

/// Cells that may wait for the disk: where it is slower than the runs, these wait in the end, and a kill loses no more.
const WAITING: usize = 16;

/// A cell, as its file has it.
struct Text {
    text: String,
    key: String,
}

/// Takes cells from any thread.
pub(super) struct Keeper<'scope> {
    cells: SyncSender<Text>,
    thread: ScopedJoinHandle<'scope, Result<u64, Exit>>,
}

/// The keeper has ended before its time: it has said why.
pub(super) struct Gone;

impl<'scope> Keeper<'scope> {
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start<'env>(scope: &'scope Scope<'scope, 'env>, folder: &'env Folder) -> io::Result<Keeper<'scope>> {
        let (cells, waiting) = sync_channel(WAITING);
        let thread = Builder::new().name("cells".to_owned()).spawn_scoped(scope, move || keep_all(folder, &waiting))?;
        Ok(Keeper { cells, thread })
    }

    /// Hands over the text of a cell, which the keeper's thread then writes to the place of its key.
    pub(super) fn keep(&self, text: String, key: String) -> Result<(), Gone> {
        self.cells.send(Text { text, key }).map_err(|_cell| Gone)
    }

    /// How many cells are in their places, all that were handed over; or why not. A panic goes on.
    pub(super) fn end(self) -> Result<u64, Exit> {
        drop(self.cells);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn keep_all(folder: &Folder, waiting: &Receiver<Text>) -> Result<u64, Exit> {
    let mut kept = 0;
    for Text { text, key } in waiting {
        folder.keep(&key, &text)?;
        kept += 1;
    }
    Ok(kept)
}
