//! What commits changed, told when they are durable: to live queries, and to the tabs that listen to changes.

use super::database::Database;
use super::reply::Reply;
use crate::engine::{Recording, TableChange, WriteSet, is_shadow};
use crate::ids::{CommitSeq, PortId};
use crate::wire;
use std::collections::VecDeque;

/// Commits that a tab is told of before it has taken any: one that takes none, as a frozen one, is told once, later, that there were more.
const CREDITS: u32 = 256;

/// A tab that listens, and to which tables: all, if none is named.
struct Listener {
    port: PortId,
    id: u64,
    tables: Vec<String>,
    credits: u32,
    /// Of the commits after this one it is told.
    since: CommitSeq,
    /// It has missed some.
    lags: bool,
}

/// A commit that is not durable yet. None: nobody knows what it changed.
struct Pending {
    seq: CommitSeq,
    port: PortId,
    set: Option<WriteSet>,
}

#[derive(Default)]
pub struct Changes {
    listeners: Vec<Listener>,
    pending: VecDeque<Pending>,
}

impl Changes {
    pub fn forget(&mut self, which: &dyn Fn(PortId, u64) -> bool) {
        self.listeners.retain(|listener| !which(listener.port, listener.id));
    }

    /// Whose commits will never be durable.
    pub fn lost(&mut self, durable: CommitSeq) {
        self.pending.retain(|pending| pending.seq <= durable);
    }
}

impl Database {
    pub(super) fn listen(&mut self, port: PortId, id: u64, tables: Vec<String>) {
        let since = self.newest_commit();
        self.changes.listeners.push(Listener { port, id, tables, credits: CREDITS, since, lags: false });
        let nothing = wire::Changed { commit: since.0, ..wire::Changed::default() };
        self.reply_now(port, id, changed(nothing, &wire::RowsWriter::new()));
    }

    /// What is to be noted of commits, where anybody wants to know what they change.
    pub(super) fn recorded(&mut self) -> Option<Recording> {
        let keeps = self.pager.borrow().keeps_changes();
        (keeps || self.lives.len() > 0 || !self.changes.listeners.is_empty())
            .then(|| Recording { watched: self.lives.watched(), keeps })
    }

    /// Notes the commits that a tab's work has made. `newest`: the last of them, whether its changes were recorded or not.
    pub(super) fn note_changes(&mut self, port: PortId, newest: Option<CommitSeq>, recorded: Vec<(CommitSeq, WriteSet)>) {
        let is_recorded = recorded.iter().any(|(seq, _)| Some(*seq) == newest);
        let unknown = newest.filter(|_| !is_recorded).map(|seq| Pending { seq, port, set: None });
        let recorded = recorded.into_iter().map(|(seq, set)| Pending { seq, port, set: Some(set) });
        // A script's parts may have been lost before its end; others are given their numbers.
        let published = self.published();
        self.changes.pending.extend(recorded.chain(unknown).filter(|pending| pending.seq <= published));
        // Where the store answers at once.
        self.publish_changes(self.newest_commit());
    }

    /// Tells of the commits that have become durable.
    pub(super) fn publish_changes(&mut self, durable: CommitSeq) {
        while self.changes.pending.front().is_some_and(|pending| pending.seq <= durable)
            && let Some(pending) = self.changes.pending.pop_front()
        {
            self.lives.changed(pending.seq, pending.set.as_ref());
            self.tell_listeners(&pending);
        }
    }

    /// The database was replaced.
    pub(super) fn everything_changed(&mut self, port: PortId) {
        let seq = self.newest_commit();
        self.lives.changed(seq, None);
        self.tell_listeners(&Pending { seq, port, set: None });
    }

    /// A tab has taken what it was told of one commit.
    pub(super) fn change_taken(&mut self, port: PortId, id: u64) {
        let mut listeners = self.changes.listeners.iter_mut();
        let Some(listener) = listeners.find(|listener| (listener.port, listener.id) == (port, id)) else { return };
        listener.credits += 1;
        if std::mem::take(&mut listener.lags) {
            listener.credits -= 1;
            let commit = self.newest_commit().0;
            self.reply_now(
                port,
                id,
                changed(wire::Changed { commit, schema: true, ..wire::Changed::default() }, &wire::RowsWriter::new()),
            );
        }
    }

    fn tell_listeners(&mut self, pending: &Pending) {
        let tables = pending.set.as_ref().map_or(vec![], |set| seen_tables(set));
        let is_schema = pending.set.as_ref().is_none_or(|set| set.schema);
        let mut told = vec![];
        for listener in &mut self.changes.listeners {
            let wanted = |change: &&TableChange| listener.tables.is_empty() || listener.tables.contains(&change.table);
            let tables: Vec<_> = tables.iter().copied().filter(wanted).collect();
            // The parts of a script are told when all of it has ended: some may have been durable when the tab came.
            if !is_schema && tables.is_empty() || pending.seq <= listener.since {
                continue;
            }
            listener.lags |= listener.credits == 0;
            if !listener.lags {
                listener.credits -= 1;
                told.push((listener.port, listener.id, message(pending, &tables, is_schema, listener.port)));
            }
        }
        for (port, id, reply) in told {
            self.reply_now(port, id, reply);
        }
    }
}

/// But for those in which a virtual table keeps what it holds.
fn seen_tables(set: &WriteSet) -> Vec<&TableChange> {
    let is_shadow = |name: &str| set.tables.iter().any(|other| other.is_virtual && is_shadow(name, &other.table));
    set.tables.iter().filter(|change| !is_shadow(&change.table)).collect()
}

fn message(pending: &Pending, tables: &[&TableChange], is_schema: bool, to: PortId) -> Reply {
    let mut writer = wire::RowsWriter::new();
    let mut shapes = vec![];
    for change in tables {
        if let Some(rows) = &change.rows {
            rows.keys().for_each(|row| writer.integer(row));
        }
        let rows = change.rows.as_ref().map(|rows| u32::try_from(rows.len()).expect("they are counted"));
        let kinds = change.kinds;
        shapes.push(wire::TableChanged {
            table: change.table.clone(),
            insert: kinds.insert,
            update: kinds.update,
            delete: kinds.delete,
            rows,
        });
    }
    changed(wire::Changed { commit: pending.seq.0, own: pending.port == to, schema: is_schema, tables: shapes }, &writer)
}

fn changed(changed: wire::Changed, rows: &wire::RowsWriter) -> Reply {
    let mut payload = vec![];
    rows.write_to(&mut payload);
    Reply { body: wire::Body::Changed(changed), payload }
}
