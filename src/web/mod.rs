//! The browser around the hub, inside a worker: `IndexedDB`, Web Locks, one timer, and stacks to run on. wasm32 only.
//!
//! `hub-js/worker.ts` starts a [`Host`], tells it what comes at the tabs' ports, and posts there what it says. Every outside event
//! is given to [`Hub::handle`], and the actions it answers with are carried out in order, before the event's JavaScript turn ends:
//! a write is issued to `IndexedDB` in the very turn that brought it, because that is what survives the closing of the last tab.
//! The frames for a tab go at the end of that turn, as one message.
//!
//! *Architecture invariant:* adapters without decisions. Nothing here knows what a frame or a record says, and nothing else in
//! the crate names the browser. No borrow is held while JavaScript could call back: events that arrive meanwhile queue up.

mod fibers;
mod idb;
mod js;
mod libc;
mod locks;
mod panic;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use wasm_bindgen::prelude::*;

use crate::hub::{Action, Event, Fiber, Hub, HubConfig, Pacing};
use crate::ids::{FiberId, OpId, PortId};
use crate::store::memory::MemoryStore;
use crate::store::{BlockStore, Limits, StoreOp, StoreResult};
use crate::wire;
use idb::IdbStore;

#[wasm_bindgen]
extern "C" {
    /// What the worker script does for the host.
    #[derive(Clone)]
    pub type Shell;
    /// The hub has panicked; the host is dead.
    #[wasm_bindgen(method)]
    fn panicked(this: &Shell, message: &str);
    /// The hub has failed and told its tabs; the worker may end.
    #[wasm_bindgen(method)]
    fn ended(this: &Shell);
    /// The host has let go of the database: delete it, tell every tab, and end.
    #[wasm_bindgen(method)]
    fn destroy(this: &Shell);
    /// Post the message at that port.
    #[wasm_bindgen(method)]
    fn send(this: &Shell, port: u32, message: &[u8]);
    /// The host listens to this port no more: close it. What was posted before is still delivered.
    #[wasm_bindgen(method)]
    fn close(this: &Shell, port: u32);
    /// Enter the fiber, which was handed out, or resume it; then call [`Host::ran`]. Both later, on an empty stack.
    #[wasm_bindgen(method)]
    fn run(this: &Shell, fiber: u32);
    /// Let other events come in first, then call [`Host::turn`].
    #[wasm_bindgen(method)]
    fn turn(this: &Shell);
}

/// A running hub and its surroundings; one per worker.
#[wasm_bindgen]
pub struct Host(Rc<State>);

#[wasm_bindgen]
impl Host {
    /// Starts the hub of the database `name`. `instance` is unique to this start; `seed` is random. `suspend` is the slot of the
    /// function that suspends a fiber, 0 where the browser cannot; the pace of statements is the hub's own unless given.
    #[must_use]
    pub fn start(
        name: String,
        instance: String,
        seed: u64,
        suspend: usize,
        slice_ms: Option<f64>,
        steps: Option<i32>,
        shell: Shell,
    ) -> Host {
        panic::report_to(&shell);
        let usual = Pacing::default();
        let pacing = Pacing {
            suspend: fibers::suspend_in(suspend),
            slice_ms: slice_ms.unwrap_or(usual.slice_ms),
            steps: steps.unwrap_or(usual.steps),
        };
        let state = Rc::new_cyclic(|state: &std::rc::Weak<State>| {
            let answered = state.clone();
            let store = IdbStore::new(&name, move |id, result| {
                if let Some(state) = answered.upgrade() {
                    state.dispatch(Incoming::Store(id, result));
                }
            });
            State {
                hub: RefCell::new(Hub::new(HubConfig {
                    name,
                    instance,
                    seed,
                    clock: Rc::new(js::now),
                    pacing,
                    limits: Limits::default(),
                })),
                store: RefCell::new(Storage::IndexedDb(store)),
                ports: RefCell::default(),
                incoming: RefCell::default(),
                is_dispatching: Cell::new(false),
                wake: RefCell::default(),
                shell,
            }
        });
        state.arm();
        Host(state)
    }

    /// Takes a tab's port, which is known by this number from now on. The numbers grow.
    pub fn connect(&self, port: u32) {
        self.0.ports.borrow_mut().push((PortId(port), wire::Bundler::default()));
        self.0.dispatch(Incoming::Connected(PortId(port)));
    }

    /// What a tab has posted.
    pub fn message(&self, port: u32, message: Vec<u8>) {
        self.0.dispatch(Incoming::Message(PortId(port), message));
    }

    /// The tab at that port is gone, as far as the worker script knows.
    pub fn gone(&self, port: u32) {
        self.0.gone(PortId(port));
    }

    /// The fiber has stopped: it is suspended, or its run has come to an end.
    pub fn ran(&self, fiber: u32) {
        self.0.dispatch(Incoming::Ran(FiberId(fiber)));
    }

    /// The other events have come in.
    pub fn turn(&self) {
        self.0.dispatch(Incoming::Turn);
    }

    /// Another hub waits for the database: this one ends within two seconds, as [`Shell::ended`] tells.
    pub fn finish(&self) {
        self.0.dispatch(Incoming::Finish);
    }
}

/// An [`Event`] that can wait its turn.
enum Incoming {
    Connected(PortId),
    Message(PortId, Vec<u8>),
    Gone(PortId),
    Store(OpId, StoreResult),
    Wake,
    Ran(FiberId),
    Turn,
    Finish,
}

/// Where store operations go: to `IndexedDB`, until the hub asks for memory.
enum Storage {
    IndexedDb(IdbStore),
    Memory(MemoryStore),
}

struct State {
    hub: RefCell<Hub>,
    store: RefCell<Storage>,
    /// Those that are open, as many as there are tabs, and what is to be posted there before the turn ends.
    ports: RefCell<Vec<(PortId, wire::Bundler)>>,
    incoming: RefCell<VecDeque<Incoming>>,
    is_dispatching: Cell<bool>,
    /// The one timer, and the time it was set for.
    wake: RefCell<Option<(f64, js::Timer)>>,
    shell: Shell,
}

impl State {
    /// Gives the hub an event, carries out what it asks for, and so on until no event is left.
    fn dispatch(self: &Rc<Self>, event: Incoming) {
        self.incoming.borrow_mut().push_back(event);
        if panic::panicked() || self.is_dispatching.replace(true) {
            return;
        }
        while let Some(event) = self.next() {
            for action in self.handle(event) {
                self.act(action);
            }
        }
        self.flush();
        self.is_dispatching.set(false);
        self.arm();
    }

    fn next(&self) -> Option<Incoming> {
        self.incoming.borrow_mut().pop_front()
    }

    fn handle(&self, event: Incoming) -> Vec<Action> {
        let event = match event {
            Incoming::Connected(port) => Event::Connected(port),
            Incoming::Message(port, ref frame) => Event::Message(port, frame),
            Incoming::Gone(port) => Event::Gone(port),
            Incoming::Store(id, result) => Event::Store(id, result),
            Incoming::Wake => Event::Wake,
            Incoming::Ran(fiber) => Event::Ran(fiber),
            Incoming::Turn => Event::Turn,
            Incoming::Finish => Event::Finish,
        };
        self.hub.borrow_mut().handle(event, js::now())
    }

    fn act(self: &Rc<Self>, action: Action) {
        match action {
            Action::Send(port, frame) => self.send(port, frame),
            Action::Store(id, op) => self.submit(id, op),
            Action::Run(fiber) => self.run(fiber),
            Action::Turn => self.shell.turn(),
            Action::Watch(port, lock) => {
                let state = Rc::clone(self);
                locks::watch(&lock, move || state.gone(port));
            }
            Action::UseMemory => self.leave_storage(),
            Action::Disconnect(port) => self.close(port),
            Action::Destroy => {
                self.flush();
                self.leave_storage();
                self.shell.destroy();
            }
            Action::End => {
                self.flush();
                self.leave_storage();
                self.shell.ended();
            }
        }
    }

    /// Closes the connection to `IndexedDB`. What the hub still wants stored goes into memory.
    fn leave_storage(&self) {
        drop(self.store.replace(Storage::Memory(MemoryStore::new())));
    }

    fn submit(&self, id: OpId, op: StoreOp) {
        match &mut *self.store.borrow_mut() {
            Storage::IndexedDb(store) => store.submit(id, op),
            Storage::Memory(store) => {
                store.submit(id, op);
                let answers = store.take_completed().into_iter().map(|(id, result)| Incoming::Store(id, result));
                self.incoming.borrow_mut().extend(answers);
            }
        }
    }

    /// Most statements are over before a stack of their own could be had.
    fn run(&self, fiber: Fiber) {
        let id = fiber.id();
        if fiber.run_at_once() {
            return self.incoming.borrow_mut().push_back(Incoming::Ran(id));
        }
        fibers::hand_out(fiber);
        self.shell.run(id.0);
    }

    /// A port that is no longer open takes nothing.
    fn send(&self, port: PortId, frame: Vec<u8>) {
        if let Some((_, bundler)) = self.ports.borrow_mut().iter_mut().find(|(open, _)| *open == port) {
            bundler.add(frame, |message| self.shell.send(port.0, message));
        }
    }

    fn flush(&self) {
        for (port, bundler) in &mut *self.ports.borrow_mut() {
            bundler.flush(|message| self.shell.send(port.0, message));
        }
    }

    fn is_open(&self, port: PortId) -> bool {
        self.ports.borrow().iter().any(|(open, _)| *open == port)
    }

    /// The tab's lock is free. After an orderly disconnect that says nothing new.
    fn gone(self: &Rc<Self>, port: PortId) {
        if self.is_open(port) {
            self.dispatch(Incoming::Gone(port));
        }
    }

    fn close(&self, port: PortId) {
        if self.is_open(port) {
            self.flush();
            self.ports.borrow_mut().retain(|(open, _)| *open != port);
            self.shell.close(port.0);
        }
    }

    /// Sets the timer to the hub's next wake.
    fn arm(self: &Rc<Self>) {
        let next = self.hub.borrow().next_wake();
        let mut wake = self.wake.borrow_mut();
        // One that is set for an earlier time stays: it wakes the hub for nothing once, which is cheaper than to set it anew each time.
        if let (Some((at, _)), Some(next)) = (&*wake, next)
            && *at <= next
        {
            return;
        }
        *wake = next.map(|at| {
            let state = Rc::clone(self);
            let timer = js::Timer::after(at - js::now(), move || {
                state.wake.take();
                state.dispatch(Incoming::Wake);
            });
            (at, timer)
        });
    }
}
