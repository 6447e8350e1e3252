//! The block store over `IndexedDB`. Called by the host with store operations; answers each exactly once, except those that a
//! [`StoreOp::Reopen`] makes it forget. It decides nothing: what a header means is asked of `store::header`, when to connect again
//! and how long a transaction may take is the hub's to say. It alone watches how long connecting takes.
//!
//! One database `tabhub:<name>`, version 1 for ever (a version bump would have to wait for every open tab); object stores `meta`
//! (0: the header, 1: the sessions), `log` (by position) and `groups` (generation · 2³² + number); every value is a `Uint8Array`.

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
const CONNECT_SECONDS: u32 = 8;
/// For the transaction that claims or checks the header, which waits for those of an earlier hub, and reads the log.
const HEADER_SECONDS: u32 = 30;

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
    /// Of an open or reopen.
    _deadline: Option<Timer>,
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
            connection: RefCell::new(Connection::Lost("the database is not open".into())),
            pending: RefCell::default(),
            answer: Box::new(answer),
        }))
    }
}

impl Drop for IdbStore {
    fn drop(&mut self) {
        self.0.forget();
    }
}

impl BlockStore for IdbStore {
    fn submit(&mut self, id: OpId, op: StoreOp) {
        match op {
            StoreOp::Open => self.0.connect(id, op),
            StoreOp::Reopen(_) => {
                self.0.forget();
                self.0.connect(id, op);
            }
            op => self.0.run(id, &op, None),
        }
    }
}

impl Inner {
    /// Opens the database, then runs `op` in it.
    fn connect(self: &Rc<Self>, id: OpId, op: StoreOp) {
        let unavailable = format!("IndexedDB did not open {} within {CONNECT_SECONDS} s (private window?)", self.name);
        let deadline = self.deadline(id, CONNECT_SECONDS, failed(&op, Error::StorageUnavailable(unavailable)));
        self.pending.borrow_mut().push(Pending { id, _deadline: Some(deadline), running: None });
        let inner = Rc::clone(self);
        connection::open(&self.name, move |opened| inner.opened(id, &op, opened));
    }

    fn opened(self: &Rc<Self>, id: OpId, op: &StoreOp, opened: Result<IdbDatabase, Error>) {
        let is_late = self.take(id).is_none();
        match opened {
            Ok(database) if is_late => database.close(),
            Ok(database) => {
                let (deleted, lost) = (Rc::clone(self), Rc::clone(self));
                let on_delete = move || drop(deleted.connection.replace(Connection::Deleted));
                let on_lost = move || lost.lose("the browser closed the connection");
                self.connection.replace(Connection::Open(Opened::new(database, on_delete, on_lost)));
                let slow = format!("reading the header of {} took longer than {HEADER_SECONDS} s", self.name);
                let deadline = self.deadline(id, HEADER_SECONDS, failed(op, connection::failed(&slow)));
                self.run(id, op, Some(deadline));
            }
            Err(_) if is_late => {}
            Err(error) => (self.answer)(id, Err(failed(op, error))),
        }
    }

    /// Runs one operation as one transaction, its requests issued before this returns.
    fn run(self: &Rc<Self>, id: OpId, op: &StoreOp, deadline: Option<Timer>) {
        let transaction = match self.begin(op) {
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
        let running = Some(Running { job, _on_event: on_event });
        self.pending.borrow_mut().push(Pending { id, _deadline: deadline, running });
    }

    fn begin(&self, op: &StoreOp) -> Result<web_sys::IdbTransaction, StoreFailure> {
        let begun = match &*self.connection.borrow() {
            Connection::Open(opened) => opened.begin(op),
            Connection::Lost(why) => return Err(connection::lost(why)),
            Connection::Deleted => {
                return Err(StoreFailure::NotApplied(Error::Deleted("the database is being deleted".into())));
            }
        };
        begun.map_err(|thrown| {
            let why = js::describe(&thrown);
            match js::exception_name(&thrown).as_str() {
                "InvalidStateError" | "UnknownError" => {
                    let failure = connection::lost(&why);
                    self.connection.replace(Connection::Lost(why));
                    failure
                }
                _ => connection::not_applied(&why),
            }
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

    /// Answers for an operation that has taken too long, unless it is answered before.
    fn deadline(self: &Rc<Self>, id: OpId, seconds: u32, failure: StoreFailure) -> Timer {
        let inner = Rc::clone(self);
        Timer::after(f64::from(seconds) * 1000.0, move || inner.give_up(id, failure))
    }

    /// The browser has taken the connection away, and with it every answer that is still owed.
    fn lose(&self, why: &str) {
        self.connection.replace(Connection::Lost(why.into()));
        let owed: Vec<OpId> = self.pending.borrow().iter().map(|p| p.id).collect();
        for id in owed {
            self.give_up(id, connection::lost(why));
        }
    }

    fn give_up(&self, id: OpId, failure: StoreFailure) {
        if let Some(pending) = self.take(id) {
            pending.abandon();
            (self.answer)(id, Err(failure));
        }
    }

    /// Lets go of the connection and of every answer that is still owed.
    fn forget(&self) {
        self.connection.replace(Connection::Lost("the connection has been given up".into()));
        for pending in self.pending.take() {
            pending.abandon();
        }
    }

    fn take(&self, id: OpId) -> Option<Pending> {
        let mut pending = self.pending.borrow_mut();
        let at = pending.iter().position(|p| p.id == id)?;
        Some(pending.remove(at))
    }
}

impl Pending {
    fn abandon(&self) {
        if let Some(running) = &self.running {
            running.job.abandon();
        }
    }
}

/// An open that fails has done nothing; one that was to mend a lost connection leaves it lost.
fn failed(op: &StoreOp, error: Error) -> StoreFailure {
    match op {
        StoreOp::Reopen(_) => StoreFailure::Lost(error),
        _ => StoreFailure::NotApplied(error),
    }
}
