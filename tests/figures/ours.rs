//! A connection over the VFS, the pager and the memory store, without a hub: what is measured beside `SQLite`'s own `:memory:`.

use std::cell::RefCell;
use std::rc::Rc;
use tabhub::engine::{Clock, Connection, Pace, Pacing};
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Limits, Pager, StoreOp, StoreReply};
use tabhub::vfs::Role;

pub struct Ours {
    pub connection: Connection,
    pub pager: Rc<RefCell<Pager>>,
    store: MemoryStore,
}

impl Ours {
    pub fn new(limits: Limits, clock: Clock) -> Self {
        let mut store = MemoryStore::new();
        let Ok(StoreReply::Opened { header, sessions, log }) = store.run(StoreOp::Open) else { panic!("the store opens") };
        let pager = Pager::recover(header, sessions.as_deref(), &log, limits).expect("the format is ours");
        let pager = Rc::new(RefCell::new(pager));
        let pace = Rc::new(Pace::new(clock, Pacing::default()));
        let connection = Connection::open(&pager, Role::Writer, pace).expect("an empty database opens");
        Self { connection, pager, store }
    }

    /// Carries out what the pager asks of the store, until it asks for nothing.
    pub fn settle(&mut self) {
        loop {
            let ops = self.pager.borrow_mut().take_ops();
            if ops.is_empty() {
                return;
            }
            for (id, op) in ops {
                let result = self.store.run(op);
                self.pager.borrow_mut().complete(id, result);
            }
        }
    }
}
