//! What a connection notes of its statements: what they touch, and, while somebody wants to know, what its commits change.

use super::Connection;
use crate::engine::authorizer::Touched;
use crate::engine::changes::{WriteSet, is_shadow};
use crate::engine::changeset::CHANGESET_BYTES_MAX;
use crate::engine::{Attempt, Params, Prepared, Recording, Sql, ValueRef};
use crate::ids::CommitSeq;
use crate::store::Changes;
use std::rc::Rc;

impl Connection {
    /// Notes from now on what commits change, or does not any more; outside of transactions. It costs each row a call, so only while
    /// somebody wants to know.
    pub fn record(&mut self, recording: Option<&Recording>) {
        let is_on = recording.is_some();
        self.recorder.watch(recording.cloned().unwrap_or_default());
        if std::mem::replace(&mut self.is_recording, is_on) != is_on {
            self.recorder.install(self.db.0, is_on);
            // Compiled without it, a DELETE of all rows does not tell of them.
            self.forget_schema();
        }
    }

    /// Says what the open transaction changes, where that is kept, before it is committed.
    ///
    /// # Errors
    /// A miss.
    pub(super) fn tell_changes(&mut self) -> Attempt<()> {
        let recorder = self.recorder.clone();
        if recorder.keeps() {
            let (schema, applied) = (recorder.has_another_schema(), recorder.has_applied.get());
            if schema {
                // It may have been changed back since its tables were asked for, by a savepoint.
                recorder.rows.borrow_mut().schema_changes();
            }
            let changeset = self.changeset()?;
            self.file.set_changes(Some(Changes { changeset, schema, applied }));
        }
        Ok(())
    }

    /// None where nobody knows.
    fn changeset(&mut self) -> Attempt<Option<Vec<u8>>> {
        let (recorder, db) = (self.recorder.clone(), self.db.0);
        // Where a virtual table keeps what it holds is its own business.
        let virtual_tables = self.virtual_tables()?;
        let is_kept = |table: &str| !virtual_tables.iter().any(|(name, _)| is_shadow(table, name));
        // SAFETY: a live handle.
        let taken = unsafe { recorder.rows.borrow_mut().take(db, is_kept) };
        let Some(tables) = taken.or_else(|rc| self.check(rc).map(|()| None))? else { return Ok(None) };
        let mut changeset = vec![];
        for mut table in tables {
            let query = self.prepare(&table.shape.query)?;
            for at in 0..table.len() {
                let Some(values) = table.key(at) else { return Ok(None) };
                self.start(&query, &Params { values, names: None })?;
                let is_there = self.step(&query)?;
                table.found(at, is_there.then_some(&query));
                query.reset();
            }
            table.append_to(&mut changeset);
        }
        Ok((changeset.len() <= CHANGESET_BYTES_MAX).then_some(changeset))
    }

    /// What the commits changed that were made since this was asked last and noted.
    pub fn take_changes(&self) -> Vec<(CommitSeq, WriteSet)> {
        self.recorder.take()
    }

    pub(super) fn forget_schema(&mut self) {
        self.statements.clear();
        self.forget_virtual_tables();
    }

    pub(in crate::engine) fn forget_virtual_tables(&mut self) {
        self.virtual_tables = None;
    }

    /// The virtual tables, with the SQL that made them.
    ///
    /// # Errors
    /// A miss.
    pub(in crate::engine) fn virtual_tables(&mut self) -> Attempt<&[(String, String)]> {
        if self.virtual_tables.is_none() {
            let sql = Sql::new("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND rootpage = 0")?;
            let statement = self.compile(&sql, 0)?.statement.expect("it is one");
            let mut found = vec![];
            let text = |value: ValueRef<'_>| if let ValueRef::Text(text) = value { text.into_owned() } else { String::new() };
            self.run(&statement, &Params::default(), &mut |row| {
                found.push((text(row.value(0)), text(row.value(1))));
                Ok(())
            })?;
            self.virtual_tables = Some(found);
        }
        Ok(self.virtual_tables.as_deref().unwrap_or_default())
    }

    /// Prepares a statement, and notes what it touches.
    pub(in crate::engine) fn compile_noting(&mut self, sql: &Sql, from: usize) -> Attempt<(Prepared, Touched)> {
        self.authorizer.touched.replace(Some(Touched::default()));
        let prepared = self.compile(sql, from);
        let touched = self.authorizer.touched.take().unwrap_or_default();
        Ok((prepared?, touched))
    }

    /// Prepares a statement that says when it is run what its rows do not say by themselves.
    pub(super) fn compile_for_recorder(&mut self, sql: &Sql, from: usize) -> Attempt<Prepared> {
        let (mut prepared, mut touched) = self.compile_noting(sql, from)?;
        if let Some(statement) = prepared.statement.as_mut().and_then(Rc::get_mut) {
            touched.schema = statement.is_vacuum || touched.schema && !statement.is_readonly();
            // The rows of the others tell of themselves.
            let known = if touched.writes.is_empty() { &[] } else { self.virtual_tables()? };
            touched.writes.retain(|(table, _)| known.iter().any(|(name, _)| name == table));
            statement.touched = (touched.schema || !touched.writes.is_empty()).then_some(touched);
        }
        Ok(prepared)
    }
}
