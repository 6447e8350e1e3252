//! What a connection notes of its statements: what they touch, and, while somebody wants to know, what its commits change.

use super::Connection;
use crate::engine::authorizer::Touched;
use crate::engine::changes::WriteSet;
use crate::engine::{Attempt, Params, Prepared, Sql, ValueRef, Watched};
use crate::ids::CommitSeq;
use std::rc::Rc;

impl Connection {
    /// Notes from now on what commits change, with the values of these columns, or does not any more; outside of transactions. It costs each row a call, so only
    /// while somebody wants to know.
    pub fn record(&mut self, watched: Option<&Rc<[Watched]>>) {
        let is_on = watched.is_some();
        self.recorder.watch(watched.cloned().unwrap_or_default());
        if std::mem::replace(&mut self.is_recording, is_on) != is_on {
            self.recorder.install(self.db.0, is_on);
            // Compiled without it, a DELETE of all rows does not tell of them.
            self.forget_schema();
        }
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
