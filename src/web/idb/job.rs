//! What one transaction does: the requests it issues at once, the check when the header has arrived, the answer when it is
//! complete, and what its abort means. Used by `idb` only; it knows nothing of deadlines, and it never opens anything.

use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

use super::connection::{self, GROUPS, LOG, store_of};
use crate::error::Error;
use crate::ids::{Epoch, Generation, GroupNo};
use crate::store::header::{Header, check_epoch, claim};
use crate::store::ops::{Key, LogValues, StoreFailure, StoreOp, StoreReply, StoreResult, Write};
use crate::web::js;

/// Groups of one generation lie in a row of this many numbers. Exact in a JavaScript number for two million imports.
const GENERATION_STRIDE: f64 = 4_294_967_296.0;
/// Where in `meta` what commits changed begins: 2³².
const CHANGES: f64 = 4_294_967_296.0;

/// A transaction under way. Its handlers must be attached before [`Job::new`] issues the first request.
pub struct Job {
    transaction: IdbTransaction,
    /// The error is why we aborted the transaction ourselves.
    work: Result<Work, Error>,
}

/// What has been asked for. Every transaction begins by reading the header.
struct Work {
    stored: IdbRequest,
    /// Whose the database must be; nobody's in [`StoreOp::Open`], which claims it.
    epoch: Option<Epoch>,
    /// As it was claimed or found.
    header: Option<Header>,
    wanted: Wanted,
}

enum Wanted {
    Opened { sessions: IdbRequest, log: Found },
    Reopened,
    Groups(Generation, Found),
    Log(Found),
    Changes(Found),
    Written,
}

/// The keys and values of a range, read in one transaction and so of equal length.
struct Found {
    keys: IdbRequest,
    values: IdbRequest,
}

impl Job {
    /// Issues every request of `op` in this turn. `handler` gets the header's `success` event.
    pub fn new(transaction: IdbTransaction, op: &StoreOp, handler: &Function) -> Self {
        let work = Work::issue(&transaction, op, handler).map_err(|thrown| refused(&thrown));
        if work.is_err() {
            abort(&transaction);
        }
        Self { transaction, work }
    }

    /// The header has arrived: claim it or check the epoch; then let it commit, or abort with the reason.
    pub fn header_arrived(&mut self) {
        let Ok(work) = &mut self.work else { return };
        match work.check(&self.transaction) {
            // Chromium completes a transaction that was told to commit before it has delivered a large result.
            Ok(()) if !matches!(work.wanted, Wanted::Written) => {}
            Ok(()) => {
                // Old engines have no commit(): they commit by themselves once the requests are done.
                #[allow(deprecated, reason = "deprecated in web-sys alone")]
                let _ = self.transaction.commit();
            }
            Err(error) => {
                self.work = Err(error);
                abort(&self.transaction);
            }
        }
    }

    /// The transaction is complete.
    pub fn reply(self) -> StoreResult {
        let why = match self.work.map(Work::reply) {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => "it came before its results".into(),
            Err(error) => error.to_string(),
        };
        let why = ["IndexedDB completed a transaction that must not complete (", &why, "): reopen the database"].concat();
        Err(StoreFailure::InDoubt(Error::Poisoned(why)))
    }

    /// The transaction has been aborted.
    pub fn failure(self) -> StoreFailure {
        if let Err(error) = self.work {
            return StoreFailure::NotApplied(error);
        }
        let thrown = self.transaction.error().map_or(JsValue::UNDEFINED, JsValue::from);
        let why = js::describe(&thrown);
        match js::exception_name(&thrown).as_str() {
            "QuotaExceededError" => StoreFailure::NotApplied(Error::full()),
            // What a dying connection or a failing disk says; of a transaction, too, whose commit it may have carried out.
            "AbortError" | "UnknownError" | "" => connection::lost(&why),
            _ => connection::not_applied(&why),
        }
    }

    /// Stops it where that is still possible, and lets go of the handlers, so that they can be dropped.
    pub fn abandon(&self) {
        self.transaction.set_oncomplete(None);
        self.transaction.set_onabort(None);
        if let Ok(work) = &self.work {
            work.stored.set_onsuccess(None);
        }
        abort(&self.transaction);
    }
}

impl Work {
    fn issue(transaction: &IdbTransaction, op: &StoreOp, handler: &Function) -> Result<Self, JsValue> {
        let stored = get(transaction, Key::Header)?;
        stored.set_onsuccess(Some(handler));
        let (epoch, wanted) = match op {
            StoreOp::Open => {
                let sessions = get(transaction, Key::Sessions)?;
                (None, Wanted::Opened { sessions, log: whole_log(transaction)? })
            }
            StoreOp::Reopen(epoch) => (Some(*epoch), Wanted::Reopened),
            StoreOp::ReadGroups { epoch, generation, first, last } => {
                let found = found(transaction, Key::Group(*generation, *first), Key::Group(*generation, *last))?;
                (Some(*epoch), Wanted::Groups(*generation, found))
            }
            StoreOp::ReadLog(epoch) => (Some(*epoch), Wanted::Log(whole_log(transaction)?)),
            StoreOp::ReadChanges { epoch, first, last } => {
                (Some(*epoch), Wanted::Changes(found(transaction, Key::Changes(*first), Key::Changes(*last))?))
            }
            StoreOp::Write(batch) => {
                for write in &batch.writes {
                    apply(transaction, write)?;
                }
                (Some(batch.epoch), Wanted::Written)
            }
        };
        Ok(Work { stored, epoch, header: None, wanted })
    }

    /// Asks `store::header` whether to go on, and carries out what a claim writes.
    fn check(&mut self, transaction: &IdbTransaction) -> Result<(), Error> {
        let stored = value(&self.stored).ok_or_else(|| Error::Storage("IndexedDB gave no header".into()))?;
        let header = match self.epoch {
            Some(epoch) => check_epoch(stored.as_deref(), epoch)?,
            None => {
                let (header, bytes) = claim(stored.as_deref())?;
                apply(transaction, &Write::Put(Key::Header, bytes)).map_err(|thrown| refused(&thrown))?;
                drop_other_generations(transaction, header.generation).map_err(|thrown| refused(&thrown))?;
                header
            }
        };
        self.header = Some(header);
        Ok(())
    }

    /// `None` where a request has no result: nothing must be taken for an empty one.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`number` made these keys from whole numbers")]
    fn reply(self) -> Option<StoreReply> {
        let header = self.header?;
        Some(match self.wanted {
            Wanted::Opened { sessions, log } => StoreReply::Opened { header, sessions: value(&sessions)?, log: log.log()? },
            Wanted::Reopened => StoreReply::Reopened,
            Wanted::Groups(generation, found) => {
                let first = group_key(generation, GroupNo(0));
                StoreReply::Groups(found.entries(|key| GroupNo((key - first) as u32))?)
            }
            Wanted::Log(found) => StoreReply::Log { header, log: found.log()? },
            Wanted::Changes(found) => StoreReply::Changes(found.entries(|key| (key - CHANGES) as u64)?),
            Wanted::Written => StoreReply::Written,
        })
    }
}

impl Found {
    fn entries<K>(&self, name: impl Fn(f64) -> K) -> Option<Vec<(K, Vec<u8>)>> {
        let list = |request: &IdbRequest| request.result().ok()?.dyn_into::<Array>().ok();
        let (keys, values) = (list(&self.keys)?, list(&self.values)?);
        let entry = |i| Some((name(keys.get(i).as_f64()?), js::bytes(&values.get(i)).unwrap_or_default()));
        (0..keys.length()).map(entry).collect()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`number` made these keys from whole numbers")]
    fn log(&self) -> Option<LogValues> {
        self.entries(|position| position as u64)
    }
}

fn refused(thrown: &JsValue) -> Error {
    Error::Storage(["IndexedDB refused a request: ", &js::describe(thrown)].concat())
}

/// It throws only where the transaction has ended already; then its own event tells how.
fn abort(transaction: &IdbTransaction) {
    let _ = transaction.abort();
}

fn get(transaction: &IdbTransaction, key: Key) -> Result<IdbRequest, JsValue> {
    transaction.object_store(store_of(key))?.get(&number(key))
}

fn whole_log(transaction: &IdbTransaction) -> Result<Found, JsValue> {
    let log = transaction.object_store(LOG)?;
    Ok(Found { keys: log.get_all_keys()?, values: log.get_all()? })
}

fn found(transaction: &IdbTransaction, first: Key, last: Key) -> Result<Found, JsValue> {
    let (store, range) = (transaction.object_store(store_of(first))?, range(first, last)?);
    Ok(Found { keys: store.get_all_keys_with_key(&range)?, values: store.get_all_with_key(&range)? })
}

fn apply(transaction: &IdbTransaction, write: &Write) -> Result<(), JsValue> {
    let store = |key: Key| -> Result<IdbObjectStore, JsValue> { transaction.object_store(store_of(key)) };
    match write {
        Write::Put(key, value) => store(*key)?.put_with_key(&Uint8Array::from(value.as_slice()), &number(*key))?,
        Write::Delete(first, last) => store(*first)?.delete(&range(*first, *last)?)?,
    };
    Ok(())
}

fn drop_other_generations(transaction: &IdbTransaction, ours: Generation) -> Result<(), JsValue> {
    let groups = transaction.object_store(GROUPS)?;
    let (first, after) = (group_key(ours, GroupNo(0)), group_key(ours.next(), GroupNo(0)));
    groups.delete(&IdbKeyRange::upper_bound_with_open(&first.into(), true)?.into())?;
    groups.delete(&IdbKeyRange::lower_bound(&after.into())?.into())?;
    Ok(())
}

fn range(first: Key, last: Key) -> Result<JsValue, JsValue> {
    Ok(IdbKeyRange::bound(&number(first), &number(last))?.into())
}

/// A key as `IndexedDB` has it. Log positions and commits are consecutive, so they stay far below 2⁵³.
#[allow(clippy::cast_precision_loss, reason = "log positions are consecutive from 1")]
fn number(key: Key) -> JsValue {
    match key {
        Key::Header => 0.0,
        Key::Sessions => 1.0,
        Key::Changes(commit) => CHANGES + commit.0 as f64,
        Key::Log(position) => position.0 as f64,
        Key::Group(generation, group) => group_key(generation, group),
    }
    .into()
}

fn group_key(generation: Generation, group: GroupNo) -> f64 {
    f64::from(generation.0) * GENERATION_STRIDE + f64::from(group.0)
}

/// The bytes that a request found, if there were any; `None` where it has no result. What is not bytes reads as none at all: no
/// checksum accepts that.
#[allow(clippy::option_option, reason = "no result is another thing than a result that is nothing")]
fn value(request: &IdbRequest) -> Option<Option<Vec<u8>>> {
    let found = request.result().ok()?;
    Some(if found.is_undefined() { None } else { Some(js::bytes(&found).unwrap_or_default()) })
}
