//! What a query reads, so that it need not be run again after every commit: by `SQLite`'s authorizer the tables, by its compiled program
//! whether it is only one row of one table, found by its key, and by its text whether it is only rows in which a column equals a value.

use super::changes::ReadSet;
use super::connection::Connection;
use super::filter::{Filter, equalities};
use super::statement::{Params, Statement};
use super::value::ValueRef;
use super::{Attempt, Sql};
use crate::error::Error;

/// Where a program only computes, and looks at one table by its key, it has none of these.
const OTHER_WAYS_TO_READ: [&str; 16] = [
    "Rewind",
    "Last",
    "SeekGE",
    "SeekGT",
    "SeekLE",
    "SeekLT",
    "Found",
    "NotFound",
    "NoConflict",
    "IfNoHope",
    "VOpen",
    "OpenAutoindex",
    "Program",
    "OpenWrite",
    "OpenPseudo",
    "ReopenIdx",
];

impl Connection {
    /// What the query reads with these parameters.
    ///
    /// # Errors
    /// As [`Connection::prepare`]; [`Error::Refused`] for a statement that writes.
    pub fn reads_of(&mut self, sql: &str, params: &Params<'_>) -> Attempt<ReadSet> {
        let is_alone = |sql: &str| {
            let sql = sql.to_ascii_lowercase();
            (sql.contains("using fts5") && !sql.contains("content") || sql.contains("using rtree")) && !sql.contains("fts5vocab")
        };
        // Of this snapshot's schema, whatever was known before. It is asked first: SQLite sees only when it runs a statement that the schema is another, and
        // compiles by the one that it knows.
        self.forget_virtual_tables();
        let read_others: Vec<_> =
            self.virtual_tables()?.iter().filter(|(_, sql)| !is_alone(sql)).map(|(name, _)| name.clone()).collect();
        let text = Sql::new(sql)?;
        let (prepared, touched) = self.compile_noting(&text, 0)?;
        if !prepared.statement.is_some_and(|statement| statement.only_reads()) {
            return Err(Error::Refused("live() takes one reading statement: use run() or exec() to write".into()).into());
        }
        // Whoever reads no table by its name may read a table-valued function, which says nothing of what it reads.
        let anything = touched.reads.iter().any(|table| table.starts_with("sqlite_") || read_others.contains(table));
        let (mut row, mut filter) = (None, None);
        if let [table] = &touched.reads[..]
            && !anything
        {
            row = self.key_of(sql, params)?;
            filter = self.filter_of(table, sql, params)?;
        }
        Ok(ReadSet { tables: touched.reads, anything, row, filter })
    }

    /// The first of its conditions that names a stored column of this table.
    fn filter_of(&mut self, table: &str, sql: &str, params: &Params<'_>) -> Attempt<Option<Filter>> {
        let Some(said) = equalities(sql, params).filter(|said| said.table.eq_ignore_ascii_case(table)) else { return Ok(None) };
        let text = Sql::new("SELECT name, hidden FROM pragma_table_xinfo(?)")?;
        let statement = self.compile(&text, 0)?.statement.expect("it is one");
        let mut columns = vec![];
        let of_table = Params { values: vec![ValueRef::Text(table.into())], names: None };
        self.run(&statement, &of_table, &mut |row| {
            let name = if let ValueRef::Text(name) = row.value(0) { name.into_owned() } else { String::new() };
            columns.push((name, integer(&row.value(1)) == Some(0)));
            Ok(())
        })?;
        // Generated columns are not where the others are counted.
        if columns.iter().any(|(_, is_stored)| !is_stored) {
            return Ok(None);
        }
        Ok(said.columns.into_iter().find_map(|(name, value)| {
            let at = columns.iter().position(|(known, _)| known.eq_ignore_ascii_case(&name))?;
            Some(Filter { column: (table.into(), at), value })
        }))
    }

    /// The key of the only row that the program looks at.
    fn key_of(&mut self, sql: &str, params: &Params<'_>) -> Attempt<Option<i64>> {
        let text = Sql::new(&["EXPLAIN ", sql].concat())?;
        let Some(explain) = self.prepare_at(&text, 0)?.statement else { return Ok(None) };
        let mut program = vec![];
        self.run(&explain, params, &mut |row| {
            program.push(instruction(row));
            Ok(())
        })?;
        let all = |name: &str| program.iter().filter(|each| each.name == name).collect::<Vec<_>>();
        let (opened, seeks) = (all("OpenRead"), [all("SeekRowid"), all("NotExists")].concat());
        let reads_otherwise = program.iter().any(|each| OTHER_WAYS_TO_READ.contains(&&*each.name));
        let ([_], [seek], false) = (&opened[..], &seeks[..], reads_otherwise) else { return Ok(None) };
        let setting: Vec<_> =
            program.iter().filter(|each| each.p2 == seek.p3 && ["Variable", "Integer"].contains(&&*each.name)).collect();
        Ok(match &setting[..] {
            [set] if set.name == "Integer" => Some(set.p1),
            [set] => usize::try_from(set.p1 - 1)
                .ok()
                .and_then(|at| params.values.get(at))
                .and_then(integer)
                .filter(|_| params.names.is_none()),
            _ => None,
        })
    }
}

/// One of a program, as EXPLAIN shows it.
struct Instruction {
    name: String,
    p1: i64,
    p2: i64,
    p3: i64,
}

fn instruction(row: &Statement) -> Instruction {
    let name = if let ValueRef::Text(name) = row.value(1) { name.into_owned() } else { String::new() };
    let number = |column| integer(&row.value(column)).unwrap_or(-1);
    Instruction { name, p1: number(2), p2: number(3), p3: number(4) }
}

fn integer(value: &ValueRef<'_>) -> Option<i64> {
    if let ValueRef::Integer(number) = value { Some(*number) } else { None }
}
