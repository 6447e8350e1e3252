//! Writing a response's header. The shapes are those of `hub-js/protocol.ts`; `tests/wire_golden` holds one of each.

use super::json::Writer;
use super::message::{
    Body, Changed, CheckStage, Column, LogLevel, Outcome, Persistence, Response, ResultShape, StorageState, WireError,
};

/// Appends the header of a response.
pub fn write_response(response: &Response, out: &mut Vec<u8>) {
    write_header(&response.hub, response.re, out, |w| w.object(|w| write_body(&response.body, w)));
}

/// Appends a response's header with a body that [`body_text`] has written earlier.
pub fn write_stored(hub: &str, re: u64, body: &str, out: &mut Vec<u8>) {
    write_header(hub, re, out, |w| w.word(body));
}

fn write_header(hub: &str, re: u64, out: &mut Vec<u8>, body: impl FnOnce(&mut Writer<'_>)) {
    Writer(out).object(|w| {
        w.key("hub").text(hub);
        w.key("re").number(re);
        body(w.key("body"));
    });
}

/// A body by itself, to be kept.
#[must_use]
pub fn body_text(body: &Body) -> Vec<u8> {
    let mut out = vec![];
    Writer(&mut out).object(|w| write_body(body, w));
    out
}

fn write_body(body: &Body, w: &mut Writer<'_>) {
    match body {
        Body::Welcome(b) => w.key("welcome").object(|w| {
            w.key("protocol").number(b.protocol.into());
            w.key("format").number(b.format.into());
            w.key("version").text(&b.version);
            w.key("sqlite").text(&b.sqlite);
            w.key("persistence").text(match b.persistence {
                Persistence::IndexedDb => "indexeddb",
                Persistence::Memory => "memory",
            });
            w.key("epoch").number(b.epoch);
            w.key("commit").number(b.commit);
            w.key("storage").text(storage_name(b.storage));
        }),
        Body::Rows(result) => write_result(result, w.key("rows")),
        Body::Results(b) => w.key("results").object(|w| {
            w.key("results").list(|w| b.results.iter().for_each(|result| write_result(result, w)));
        }),
        Body::Done(b) => w.key("done").object(|w| write_effect(b.changes, b.last_insert_rowid, w)),
        Body::Begun(b) => w.key("begun").object(|w| w.key("tx").number(b.tx)),
        Body::Chunk(b) => w.key("chunk").object(|w| {
            if let Some(columns) = &b.columns {
                write_columns(columns, w);
            }
            w.key("rows").number(b.rows.into());
            w.key("end").boolean(b.end);
        }),
        Body::Live(b) => w.key("live").object(|w| {
            w.key("commit").number(b.commit);
            if let Some(columns) = &b.columns {
                write_columns(columns, w);
            }
            w.key("fresh").number(b.fresh.into());
            w.key("parts").list(|w| b.parts.iter().for_each(|part| w.number((*part).into())));
        }),
        Body::Changed(b) => write_changed(b, w.key("changed")),
        Body::Kept(b) => w.key("kept").object(|w| w.key("commit").number(b.commit)),
        Body::Changeset(b) => w.key("changeset").object(|w| {
            w.key("commit").number(b.commit);
            w.key("schema").boolean(b.schema);
            w.key("applied").boolean(b.applied);
            w.key("end").boolean(b.end);
        }),
        Body::Bytes(b) => w.key("bytes").object(|w| {
            w.key("offset").number(b.offset);
            w.key("total").number(b.total);
            w.key("end").boolean(b.end);
            if let Some(lost) = b.lost {
                w.key("lost").number(lost);
            }
        }),
        Body::Checked(b) => w.key("checked").object(|w| {
            w.key("stage").text(match b.stage {
                CheckStage::Log => "log",
                CheckStage::Groups => "groups",
                CheckStage::Sqlite => "sqlite",
            });
            w.key("done").number(b.done);
            w.key("total").number(b.total);
            w.key("problems").list(|w| b.problems.iter().for_each(|problem| w.text(problem)));
            w.key("end").boolean(b.end);
        }),
        Body::More(b) => w.key("more").object(|w| w.key("received").number(b.received)),
        Body::Metrics(figures) => w.key("metrics").object(|w| {
            figures.0.iter().for_each(|(name, value)| w.key(name).number(*value));
        }),
        Body::Error(error) => write_error(error, w.key("error")),
        Body::Fatal(error) => write_error(error, w.key("fatal")),
        Body::Log(b) => w.key("log").object(|w| {
            w.key("level").text(level_name(b.level));
            w.key("message").text(&b.message);
        }),
        Body::Storage(b) => w.key("storage").object(|w| {
            w.key("state").text(storage_name(b.state));
            w.key("message").text(&b.message);
        }),
    }
}

/// A level as it is written.
#[must_use]
pub fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

fn write_changed(changed: &Changed, w: &mut Writer<'_>) {
    w.object(|w| {
        w.key("commit").number(changed.commit);
        w.key("own").boolean(changed.own);
        w.key("schema").boolean(changed.schema);
        w.key("tables").list(|w| {
            for change in &changed.tables {
                w.object(|w| {
                    w.key("table").text(&change.table);
                    w.key("insert").boolean(change.insert);
                    w.key("update").boolean(change.update);
                    w.key("delete").boolean(change.delete);
                    if let Some(rows) = change.rows {
                        w.key("rows").number(rows.into());
                    }
                });
            }
        });
    });
}

fn storage_name(state: StorageState) -> &'static str {
    match state {
        StorageState::Ok => "ok",
        StorageState::Reconnecting => "reconnecting",
        StorageState::Stalled => "stalled",
        StorageState::ReadOnly => "read-only",
    }
}

fn write_result(result: &ResultShape, w: &mut Writer<'_>) {
    w.object(|w| {
        write_columns(&result.columns, w);
        w.key("rows").number(result.rows.into());
        write_effect(result.changes, result.last_insert_rowid, w);
        if let Some(times) = result.times {
            w.key("times").number(times.into());
        }
    });
}

/// The rowid goes as decimal text: a JSON number in JavaScript ends at 2^53.
fn write_effect(changes: u64, last_insert_rowid: i64, w: &mut Writer<'_>) {
    w.key("changes").number(changes);
    w.key("last_insert_rowid").text(&last_insert_rowid.to_string());
}

fn write_columns(columns: &[Column], w: &mut Writer<'_>) {
    w.key("columns").list(|w| {
        for column in columns {
            w.object(|w| {
                w.key("name").text(&column.name);
                match &column.declared {
                    Some(declared) => w.key("type").text(declared),
                    None => w.key("type").word("null"),
                }
            });
        }
    });
}

fn write_error(error: &WireError, w: &mut Writer<'_>) {
    w.object(|w| {
        w.key("code").text(&error.code);
        w.key("message").text(&error.message);
        w.key("outcome").text(match error.outcome {
            Outcome::NotApplied => "not-applied",
            Outcome::Applied => "applied",
            Outcome::Unknown => "unknown",
        });
        if let Some(code) = error.sqlite {
            w.key("sqlite").number(code.unsigned_abs().into());
        }
        if let Some(sql) = &error.sql {
            w.key("sql").text(sql);
        }
        if let Some(offset) = error.offset {
            w.key("offset").number(offset.into());
        }
        if let Some(index) = error.index {
            w.key("index").number(index.into());
        }
    });
}
