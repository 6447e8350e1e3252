//! Imports: a tab sends a whole database file, part by part, and the hub puts it in the place of the present one. The import
//! has the writer until it ends; readers go on with the old database until the moment of replacement.

use super::database::Database;
use super::reply::Reply;
use super::writer::Slot;
use crate::error::Error;
use crate::ids::PortId;
use crate::wire;

/// How long the hub waits for the next part.
const PART_MS: f64 = 30_000.0;

#[derive(Debug)]
pub struct ImportTurn {
    pub port: PortId,
    pub id: u64,
    pub deadline: f64,
    size: u64,
    begun: bool,
}

impl Database {
    pub fn is_importing(&self) -> bool {
        matches!(self.slot, Slot::Import(_))
    }

    pub(super) fn begin_import(&mut self, port: PortId, id: u64, size: u64, now: f64) {
        self.slot = Slot::Import(ImportTurn { port, id, deadline: now + PART_MS, size, begun: false });
        self.pump_import();
    }

    /// An import begins when everything published is durable.
    pub(super) fn pump_import(&mut self) {
        let Slot::Import(turn) = &mut self.slot else { return };
        let quiet = {
            let pager = self.pager.borrow();
            pager.durable() == pager.published()
        };
        if turn.begun || !quiet {
            return;
        }
        turn.begun = true;
        let (port, id, size) = (turn.port, turn.id, turn.size);
        let begun = self.pager.borrow_mut().import_begin(size);
        match begun {
            Ok(()) => self.want_part(port, id),
            Err(error) => self.import_failed(&error),
        }
    }

    fn want_part(&mut self, port: PortId, id: u64) {
        let received = self.pager.borrow().import_received();
        self.reply_now(port, id, Reply::bare(wire::Body::More(wire::More { received })));
    }

    pub(super) fn import_part(&mut self, port: PortId, target: u64, bytes: &[u8], end: bool, now: f64) {
        let Slot::Import(turn) = &mut self.slot else { return };
        if turn.port != port || turn.id != target || !turn.begun {
            return;
        }
        // After the last part nothing is awaited but the store.
        turn.deadline = if end { f64::INFINITY } else { now + PART_MS };
        let taken = self.pager.borrow_mut().import_part(bytes, end);
        if let Err(error) = taken {
            self.import_failed(&error);
        }
    }

    pub(super) fn import_step(&mut self, result: Result<(), Error>) {
        match (&self.slot, result) {
            (Slot::Import(turn), Ok(())) => self.want_part(turn.port, turn.id),
            (Slot::Import(_), Err(error)) => self.import_failed(&error),
            _ => {}
        }
    }

    /// Gives an import up that its tab has lost interest in, unless it is too late for that.
    pub(super) fn give_up_import(&mut self, why: &Error, which: impl Fn(&ImportTurn) -> bool) {
        let is_decided = self.pager.borrow().import_is_decided();
        if !is_decided && matches!(&self.slot, Slot::Import(turn) if which(turn)) {
            self.import_failed(why);
        }
    }

    /// The import is over; the database is as before.
    pub(super) fn import_failed(&mut self, error: &Error) {
        if let Some(turn) = self.slot.take_import() {
            self.pager.borrow_mut().import_abort();
            self.fail(turn.port, turn.id, error);
        }
    }

    /// The database is another one now: nothing that was read from the old one may go on.
    pub(super) fn imported(&mut self) {
        let why = Error::TransactionLost("the database was replaced by an import".into());
        self.end_streams(&why, &|_| true);
        self.end_read_transactions(&why, &|_, _| true);
        // Single reads begin again on the new database.
        self.fibers.stop(&why, &|_, _| true);
        self.forget_connections();
        for session in self.sessions.values_mut() {
            session.last_write = crate::ids::CommitSeq(0);
            session.lane.iter_mut().for_each(|job| job.forget_misses());
        }
        // What they wait for were the old database's blocks, and its fetches went with it.
        self.reads.iter_mut().chain(self.inside_reads.iter_mut().map(|(_, job)| job)).for_each(|job| job.forget_misses());
        self.turns.iter_mut().for_each(|job| job.forget_misses());
        self.lives.forget_misses();
        if let Some(turn) = self.slot.take_import() {
            self.reply_now(turn.port, turn.id, Reply::done(0, 0));
            self.everything_changed(turn.port);
        }
    }
}
