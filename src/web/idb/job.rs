//! What one transaction does: the requests it issues at once, the check when the header has arrived, the answer when it is
//! complete, and what its abort means. Used by `idb` only; it knows nothing of deadlines or connections.

use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

use super::connection::{self, GROUPS, LOG, META, store_of};
use crate::error::Error;
use crate::ids::{Epoch, Generation, GroupNo};
use crate::store::header::{Header, check_epoch, claim};
use crate::store::ops::{Key, StoreFailure, StoreOp, StoreReply, StoreResult, Write, WriteBatch};
use crate::web::js;

/// Groups of one generation lie in a row of this many numbers. Exact in a JavaScript number for two million imports.
const GENERATION_STRIDE: f64 = 4_294_967_296.0;

/// A transaction under way. Its handlers must be attached before [`Job::new`] issues the first request.
pub struct Job {
    transaction: IdbTransaction,
    /// The error is why we aborted the transaction ourselves.
    work: Result<Work, Error>,
    /// Nothing but the browser can stop it from now on, and it may already be applied.
    may_commit: bool,
}

enum Work {
    Open { stored: IdbRequest, positions: IdbRequest, records: IdbRequest, claimed: Option<Header> },
    Read { generation: Generation, keys: IdbRequest, values: IdbRequest },
    Write { stored: IdbRequest, epoch: Epoch },
}

impl Job {
    /// Issues every request of `op` in this turn. `handler` gets the header's `success` event.
    pub fn new(transaction: IdbTransaction, op: StoreOp, handler: &Function) -> Self {
        let work = Work::issue(&transaction, op, handler).map_err(refused);
        if work.is_err() {
            abort(&transaction);
        }
        Self { transaction, work, may_commit: false }
    }

    /// The header has arrived: claim it or check the epoch; then commit, or abort with the reason.
    pub fn header_arrived(&mut self) {
        let Ok(work) = &mut self.work else { return };
        match work.check(&self.transaction) {
            Ok(()) => {
                self.may_commit = true;
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
        self.work.map_err(|error| connection::lost(error.message(), true)).map(Work::reply)
    }

    /// The transaction has been aborted.
    pub fn failure(self) -> StoreFailure {
        let work = match self.work {
            Ok(work) => work,
            Err(error) => return StoreFailure::NotApplied(error),
        };
        let thrown = self.transaction.error().map_or(JsValue::UNDEFINED, JsValue::from);
        let why = js::describe(&thrown);
        match js::exception_name(&thrown).as_str() {
            "QuotaExceededError" => StoreFailure::NotApplied(Error::full()),
            // What a dying connection or a failing disk says of a transaction whose commit it may have carried out.
            "AbortError" | "UnknownError" | "" if self.may_commit => connection::lost(&why, matches!(work, Work::Write { .. })),
            _ => connection::not_applied(&why),
        }
    }

    /// Lets go of the handlers, so that they can be dropped.
    pub fn detach(&self) {
        self.transaction.set_oncomplete(None);
        self.transaction.set_onabort(None);
        if let Ok(Work::Open { stored, .. } | Work::Write { stored, .. }) = &self.work {
            stored.set_onsuccess(None);
        }
    }
}

impl Work {
    fn issue(transaction: &IdbTransaction, op: StoreOp, handler: &Function) -> Result<Self, JsValue> {
        match op {
            StoreOp::Open => {
                let stored = read_header(transaction, handler)?;
                let log = transaction.object_store(LOG)?;
                Ok(Work::Open { stored, positions: log.get_all_keys()?, records: log.get_all()?, claimed: None })
            }
            StoreOp::ReadGroups(generation, first, last) => {
                let range = range(Key::Group(generation, first), Key::Group(generation, last))?;
                let groups = transaction.object_store(GROUPS)?;
                let (keys, values) = (groups.get_all_keys_with_key(&range)?, groups.get_all_with_key(&range)?);
                Ok(Work::Read { generation, keys, values })
            }
            StoreOp::Write(WriteBatch { epoch, writes, .. }) => {
                let stored = read_header(transaction, handler)?;
                for write in &writes {
                    apply(transaction, write)?;
                }
                Ok(Work::Write { stored, epoch })
            }
        }
    }

    /// Asks `store::header` whether to go on, and carries out what a claim writes.
    fn check(&mut self, transaction: &IdbTransaction) -> Result<(), Error> {
        match self {
            Work::Open { stored, claimed, .. } => {
                let (header, bytes) = claim(value(stored).as_deref())?;
                apply(transaction, &Write::Put(Key::Header, bytes)).map_err(refused)?;
                drop_other_generations(transaction, header.generation).map_err(refused)?;
                *claimed = Some(header);
                Ok(())
            }
            Work::Write { stored, epoch } => check_epoch(value(stored).as_deref(), *epoch),
            Work::Read { .. } => Ok(()),
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "these keys were made from whole numbers by `number`"
    )]
    fn reply(self) -> StoreReply {
        match self {
            Work::Open { positions, records, claimed, .. } => StoreReply::Opened {
                header: claimed.expect("the header is claimed before the transaction can complete"),
                log: entries(&positions, &records).map(|(position, record)| (position as u64, record)).collect(),
            },
            Work::Read { generation, keys, values } => {
                let first = group_key(generation, GroupNo(0));
                StoreReply::Groups(entries(&keys, &values).map(|(key, group)| (GroupNo((key - first) as u32), group)).collect())
            }
            Work::Write { .. } => StoreReply::Written,
        }
    }
}

fn refused(thrown: JsValue) -> Error {
    Error::Storage(format!("IndexedDB refused a request: {}", js::describe(&thrown)))
}

/// It throws only where the transaction has ended already; then its own event tells how.
fn abort(transaction: &IdbTransaction) {
    let _ = transaction.abort();
}

fn read_header(transaction: &IdbTransaction, handler: &Function) -> Result<IdbRequest, JsValue> {
    let request = transaction.object_store(META)?.get(&number(Key::Header))?;
    request.set_onsuccess(Some(handler));
    Ok(request)
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

/// A key as `IndexedDB` has it. Log positions are consecutive, so they stay far below 2⁵³.
#[allow(clippy::cast_precision_loss, reason = "log positions are consecutive from 1")]
fn number(key: Key) -> JsValue {
    match key {
        Key::Header => 0.0,
        Key::Log(position) => position.0 as f64,
        Key::Group(generation, group) => group_key(generation, group),
    }
    .into()
}

fn group_key(generation: Generation, group: GroupNo) -> f64 {
    f64::from(generation.0) * GENERATION_STRIDE + f64::from(group.0)
}

/// The bytes a request found, if it found any. What is not bytes reads as none at all: no checksum accepts that.
fn value(request: &IdbRequest) -> Option<Vec<u8>> {
    let found = request.result().unwrap_or_default();
    if found.is_undefined() { None } else { Some(js::bytes(&found).unwrap_or_default()) }
}

/// Keys and values of one range, read in one transaction and so of equal length.
fn entries(keys: &IdbRequest, values: &IdbRequest) -> impl Iterator<Item = (f64, Vec<u8>)> {
    let list = |request: &IdbRequest| Array::from(&request.result().unwrap_or_default());
    let (keys, values) = (list(keys), list(values));
    (0..keys.length()).map(move |i| (keys.get(i).as_f64().unwrap_or_default(), js::bytes(&values.get(i)).unwrap_or_default()))
}
