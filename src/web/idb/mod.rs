//! The block store over `IndexedDB`. Called by the host with store operations; answers each exactly once, and drops what
//! comes after a deadline. It decides nothing: what a header means is asked of `store::header`.
//!
//! One database `tabhub:<name>`, version 1 for ever (a version bump would have to wait for every open tab); object stores `meta`
//! (0: the header), `log` (by position) and `groups` (generation · 2³² + number); every value is a `Uint8Array`.

mod connection;
mod job;

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{Event, IdbDatabase};

use super::js::{self, Timer};
use crate::error::Error;
use crate::ids::OpId;
use crate::store::ops::{BlockStore, StoreFailure, StoreOp, StoreResult};
use connection::{Connection, Opened};
use job::Job;

/// Private modes may never answer an open. Less than the 10 s a client waits for its welcome, so that it hears why.
const OPEN_SECONDS: u32 = 8;
/// A transaction's deadline is two of these: a worker that was frozen hears its answer before the second one ends.
const HALF_DEADLINE_SECONDS: u32 = 15;

/// The store. What it holds lives on in the callbacks it gave to `IndexedDB`.
pub struct IdbStore(Rc<Inner>);

struct Inner {
    name: String,
    connection: RefCell<Connection>,
    pending: RefCell<Vec<Pending>>,
    answer: Box<dyn Fn(OpId, StoreResult)>,
}

/// An operation that is owed an answer.
struct Pending {
    id: OpId,
    is_write: bool,
    deadline: Timer,
    /// `None` while the database is being opened.
    running: Option<Running>,
}

/// Its transaction.
struct Running {
    job: Job,
    _on_event: Closure<dyn FnMut(Event)>,
}

impl IdbStore {
    /// `answer` gets the answer to each operation, where nothing can even be tried before `submit` returns.
    pub fn new(name: &str, answer: impl Fn(OpId, StoreResult) + 'static) -> Self {
        Self(Rc::new(Inner {
            name: format!("tabhub:{name}"),
            connection: RefCell::new(Connection::Closed),
            pending: RefCell::default(),
            answer: Box::new(answer),
        }))
    }
}

impl BlockStore for IdbStore {
    fn submit(&mut self, id: OpId, op: StoreOp) {
        match op {
            StoreOp::Open => self.0.connect(id),
            op => self.0.run(id, op),
        }
    }
}

impl Inner {
    /// Opens the database, then runs [`StoreOp::Open`] in it.
    fn connect(self: &Rc<Self>, id: OpId) {
        let inner = Rc::clone(self);
        let deadline = Timer::after(f64::from(OPEN_SECONDS) * 1000.0, move || {
            let why = format!("IndexedDB did not open {} within {} s (private window?)", inner.name, OPEN_SECONDS);
            inner.finish(id, Err(StoreFailure::NotApplied(Error::StorageUnavailable(why))));
        });
        self.pending.borrow_mut().push(Pending { id, is_write: false, deadline, running: None });
        let inner = Rc::clone(self);
        connection::open(&self.name, move |opened| inner.opened(id, opened));
    }

    fn opened(self: &Rc<Self>, id: OpId, opened: Result<IdbDatabase, StoreFailure>) {
        let is_late = self.take(id).is_none();
        match opened {
            Ok(database) if is_late => database.close(),
            Ok(database) => {
                let (deleted, lost) = (Rc::clone(self), Rc::clone(self));
                let on_delete = move || drop(deleted.connection.replace(Connection::Deleted));
                let on_lost = move || lost.lose("the browser closed the connection to IndexedDB");
                self.connection.replace(Connection::Open(Opened::new(database, on_delete, on_lost)));
                self.run(id, StoreOp::Open);
            }
            Err(_) if is_late => {}
            Err(failure) => (self.answer)(id, Err(failure)),
        }
    }

    /// Runs one operation as one transaction, its requests issued before this returns.
    fn run(self: &Rc<Self>, id: OpId, op: StoreOp) {
        let is_write = matches!(op, StoreOp::Write(_));
        let transaction = match self.begin(&op) {
            Ok(transaction) => transaction,
            Err(failure) => return (self.answer)(id, Err(failure)),
        };
        let inner = Rc::clone(self);
        let on_event = Closure::new(move |event: Event| inner.on_event(id, &event));
        let handler = on_event.as_ref().unchecked_ref();
        // At once, and before any request: Firefox never calls a handler that comes late.
        transaction.set_oncomplete(Some(handler));
        transaction.set_onabort(Some(handler));
        let job = Job::new(transaction, op, handler);
        let inner = Rc::clone(self);
        let deadline = Timer::after(f64::from(HALF_DEADLINE_SECONDS) * 1000.0, move || inner.half_time(id));
        let running = Some(Running { job, _on_event: on_event });
        self.pending.borrow_mut().push(Pending { id, is_write, deadline, running });
    }

    fn begin(&self, op: &StoreOp) -> Result<web_sys::IdbTransaction, StoreFailure> {
        let is_write = matches!(op, StoreOp::Write(_));
        let begun = match &*self.connection.borrow() {
            Connection::Open(opened) => opened.begin(op),
            closed => return Err(closed.refusal(is_write)),
        };
        begun.map_err(|thrown| match js::exception_name(&thrown).as_str() {
            "InvalidStateError" | "UnknownError" => {
                let why = format!("the connection to IndexedDB is gone ({})", js::describe(&thrown));
                let failure = connection::lost(&why, is_write);
                self.connection.replace(Connection::Lost(why));
                failure
            }
            _ => connection::not_applied(&js::describe(&thrown)),
        })
    }

    fn on_event(&self, id: OpId, event: &Event) {
        match event.type_().as_str() {
            "success" => {
                let mut pending = self.pending.borrow_mut();
                let running = pending.iter_mut().find(|p| p.id == id).and_then(|p| p.running.as_mut());
                if let Some(running) = running {
                    running.job.header_arrived();
                }
            }
            "complete" => self.end(id, Job::reply),
            _ => self.end(id, |job| Err(job.failure())),
        }
    }

    fn end(&self, id: OpId, result: impl FnOnce(Job) -> StoreResult) {
        if let Some(Pending { running: Some(Running { job, _on_event }), .. }) = self.take(id) {
            (self.answer)(id, result(job));
        }
    }

    fn half_time(self: &Rc<Self>, id: OpId) {
        let inner = Rc::clone(self);
        let deadline = Timer::after(f64::from(HALF_DEADLINE_SECONDS) * 1000.0, move || {
            let why = format!("IndexedDB did not end a transaction of {} within {} s", inner.name, 2 * HALF_DEADLINE_SECONDS);
            inner.give_up(id, &why);
        });
        if let Some(pending) = self.pending.borrow_mut().iter_mut().find(|p| p.id == id) {
            drop(std::mem::replace(&mut pending.deadline, deadline));
        }
    }

    /// The browser has taken the connection away, and with it every answer that is still owed.
    fn lose(&self, why: &str) {
        self.connection.replace(Connection::Lost(why.into()));
        let owed: Vec<OpId> = self.pending.borrow().iter().map(|p| p.id).collect();
        for id in owed {
            self.give_up(id, why);
        }
    }

    fn give_up(&self, id: OpId, why: &str) {
        if let Some(pending) = self.take(id) {
            if let Some(running) = &pending.running {
                running.job.detach();
            }
            let failure = connection::lost(why, pending.is_write);
            drop(pending);
            (self.answer)(id, Err(failure));
        }
    }

    fn finish(&self, id: OpId, result: StoreResult) {
        if self.take(id).is_some() {
            (self.answer)(id, result);
        }
    }

    fn take(&self, id: OpId) -> Option<Pending> {
        let mut pending = self.pending.borrow_mut();
        let at = pending.iter().position(|p| p.id == id)?;
        Some(pending.remove(at))
    }
}
