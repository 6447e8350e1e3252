//! Reading a request's header: `{ "id": 1, "op": { "query": { … } } }`. Every field must be known and of its type; only `hello`
//! may have more of them, so that a newer tab gets as far as the version check, or lack a younger one, so that an older tab does.

use super::json::{Node, Object, Parsed, parse};
use super::message::{
    Apply, Batch, Begin, Cancel, Changes, Changesets, Check, CheckLevel, Close, Commit, Destroy, Durability, Exec, Export, Hello,
    Import, Inspect, Iterate, Keep, Live, Metrics, OnConflict, Op, ParamsShape, Part, PersistenceWanted, Pull, Query, Request,
    Resume, Rollback, StatementShape, TransactionMode,
};

/// Reads a request.
///
/// # Errors
/// Names the field that is missing, unknown or of another type.
pub fn read_request(header: &str) -> Parsed<Request> {
    let mut fields = parse(header)?;
    let id = fields.number("id")?;
    let (write, answered) = (fields.option("write", as_number)?, fields.option("answered", as_number)?);
    let mut op = fields.object("op")?;
    fields.finish()?;
    match op.take_only() {
        Some((name, Node::Object(mut fields))) => {
            let op = read_op(&name, &mut fields)?;
            if name != "hello" {
                fields.finish()?;
            }
            Ok(Request { id, write, answered, op })
        }
        _ => Err("`op` is not one operation with its fields".into()),
    }
}

fn read_op(name: &str, f: &mut Object<'_>) -> Parsed<Op> {
    Ok(match name {
        "hello" => Op::Hello(Hello {
            protocol: f.short("protocol")?,
            format: f.option("format", as_short)?.unwrap_or(0),
            client: f.text("client")?,
            lock: f.text("lock")?,
            build: f.text("build")?,
            persistence: one_of(
                &f.text("persistence")?,
                &[("required", PersistenceWanted::Required), ("preferred", PersistenceWanted::Preferred)],
            )?,
            durability: f.durability()?.ok_or_else(|| missing("durability"))?,
            cache_bytes: f.option("cache_bytes", as_number)?,
            cache_blocks: f.option("cache_blocks", as_number)?,
            resume: f.option("resume", as_resume)?,
        }),
        "query" => Op::Query(Query {
            sql: f.text("sql")?,
            params: f.params()?,
            tx: f.option("tx", as_number)?,
            durability: f.durability()?,
            timeout: f.option("timeout", as_short)?,
        }),
        "exec" => Op::Exec(Exec {
            sql: f.text("sql")?,
            tx: f.option("tx", as_number)?,
            durability: f.durability()?,
            timeout: f.option("timeout", as_short)?,
        }),
        "batch" => Op::Batch(Batch {
            statements: f.required("statements", as_statements)?,
            tx: f.option("tx", as_number)?,
            durability: f.durability()?,
            timeout: f.option("timeout", as_short)?,
        }),
        "iterate" => Op::Iterate(Iterate { sql: f.text("sql")?, params: f.params()?, timeout: f.option("timeout", as_short)? }),
        "live" => Op::Live(Live { sql: f.text("sql")?, params: f.params()? }),
        "changes" => Op::Changes(Changes { tables: f.option("tables", as_names)? }),
        "keep" => Op::Keep(Keep { commits: f.number("commits")? }),
        "changesets" => Op::Changesets(Changesets { since: f.number("since")? }),
        "apply" => Op::Apply(Apply {
            conflict: one_of(
                &f.text("conflict")?,
                &[("abort", OnConflict::Abort), ("omit", OnConflict::Omit), ("replace", OnConflict::Replace)],
            )?,
            tx: f.option("tx", as_number)?,
            durability: f.durability()?,
            timeout: f.option("timeout", as_short)?,
        }),
        "begin" => Op::Begin(Begin { mode: mode(&f.text("mode")?)?, timeout: f.short("timeout")? }),
        "commit" => Op::Commit(Commit { tx: f.number("tx")?, durability: f.durability()? }),
        "rollback" => Op::Rollback(Rollback { tx: f.number("tx")? }),
        "import" => Op::Import(Import { size: f.number("size")? }),
        "part" => Op::Part(Part { target: f.number("target")?, end: f.required("end", as_bool)? }),
        "pull" => Op::Pull(Pull { target: f.number("target")? }),
        "cancel" => Op::Cancel(Cancel { target: f.number("target")?, session: f.option("session", as_number)? }),
        "export" => Op::Export(Export { salvage: f.option("salvage", as_bool)? }),
        "check" => {
            Op::Check(Check { level: one_of(&f.text("level")?, &[("quick", CheckLevel::Quick), ("full", CheckLevel::Full)])? })
        }
        "metrics" => Op::Metrics(Metrics {}),
        "inspect" => Op::Inspect(Inspect {}),
        "close" => Op::Close(Close {}),
        "destroy" => Op::Destroy(Destroy {}),
        _ => return Err(["unknown operation `", name, "`"].concat()),
    })
}

fn missing(name: &str) -> String {
    ["missing field `", name, "`"].concat()
}

fn one_of<T: Copy>(word: &str, words: &[(&str, T)]) -> Parsed<T> {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).ok_or_else(|| ["unknown value `", word, "`"].concat())
}

fn mode(word: &str) -> Parsed<TransactionMode> {
    one_of(
        word,
        &[("deferred", TransactionMode::Deferred), ("immediate", TransactionMode::Immediate), ("read", TransactionMode::Read)],
    )
}

fn as_number(node: Node<'_>) -> Option<u64> {
    if let Node::Number(number) = node { Some(number) } else { None }
}

fn as_short(node: Node<'_>) -> Option<u32> {
    as_number(node)?.try_into().ok()
}

fn as_bool(node: Node<'_>) -> Option<bool> {
    if let Node::Bool(value) = node { Some(value) } else { None }
}

fn as_text(node: Node<'_>) -> Option<String> {
    if let Node::Text(text) = node { Some(text.into_owned()) } else { None }
}

fn as_params(node: Node<'_>) -> Option<ParamsShape> {
    let Node::Object(mut f) = node else { return None };
    let params = ParamsShape { count: f.short("count").ok()?, names: f.option("names", as_names).ok()? };
    f.finish().ok().map(|()| params)
}

fn as_resume(node: Node<'_>) -> Option<Resume> {
    let Node::Object(mut f) = node else { return None };
    let resume = Resume { since: f.number("since").ok()?, last: f.number("last").ok()?, epoch: f.number("epoch").ok()? };
    f.finish().ok().map(|()| resume)
}

fn as_names(node: Node<'_>) -> Option<Vec<String>> {
    if let Node::List(names) = node { names.into_iter().map(as_text).collect() } else { None }
}

fn as_statements(node: Node<'_>) -> Option<Vec<StatementShape>> {
    if let Node::List(statements) = node { statements.into_iter().map(as_statement).collect() } else { None }
}

fn as_statement(node: Node<'_>) -> Option<StatementShape> {
    let Node::Object(mut f) = node else { return None };
    let times = f.option("times", as_short).ok()?;
    let statement = StatementShape { sql: f.text("sql").ok()?, params: f.params().ok()?, times };
    f.finish().ok().map(|()| statement)
}

/// Fields by name and type.
impl<'a> Object<'a> {
    fn option<T>(&mut self, name: &str, read: fn(Node<'a>) -> Option<T>) -> Parsed<Option<T>> {
        let read = |node| read(node).ok_or_else(|| ["field `", name, "` has the wrong type or shape"].concat());
        self.take(name).map(read).transpose()
    }

    fn required<T>(&mut self, name: &str, read: fn(Node<'a>) -> Option<T>) -> Parsed<T> {
        self.option(name, read)?.ok_or_else(|| missing(name))
    }

    fn number(&mut self, name: &str) -> Parsed<u64> {
        self.required(name, as_number)
    }

    fn short(&mut self, name: &str) -> Parsed<u32> {
        self.required(name, as_short)
    }

    fn text(&mut self, name: &str) -> Parsed<String> {
        self.required(name, as_text)
    }

    fn object(&mut self, name: &str) -> Parsed<Object<'a>> {
        self.required(name, |node| if let Node::Object(object) = node { Some(object) } else { None })
    }

    fn params(&mut self) -> Parsed<ParamsShape> {
        self.required("params", as_params)
    }

    fn durability(&mut self) -> Parsed<Option<Durability>> {
        let word = self.option("durability", as_text)?;
        word.map(|word| one_of(&word, &[("strict", Durability::Strict), ("relaxed", Durability::Relaxed)])).transpose()
    }
}
