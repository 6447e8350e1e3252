//! Drives a hub by hand: sends it one tab's frames, carries its store operations out, wakes it when its time has come, and waits
//! for its answers. Used by `native` only; what is asked and answered is not its business.

use super::error::{LocalError, Result};
use super::frames::{decode_response, encode_request};
use crate::error::Error;
use crate::hub::{Action, Event, Hub, HubConfig, Pacing};
use crate::ids::{OpId, PortId};
use crate::store::file::FileStore;
use crate::store::{Limits, StoreOp};
use crate::wire::{Body, Op, StorageState};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The only tab there is.
const PORT: PortId = PortId(1);
/// The longest wait without an answer: `SQLite`'s own check of a large database takes up to ten minutes for each of its two parts.
const ANSWER: Duration = Duration::from_mins(30);

/// An answer: its body and what belongs to it.
pub struct Answer {
    pub body: Body,
    pub payload: Vec<u8>,
}

pub struct Driver {
    hub: Hub,
    store: FileStore,
    operations: VecDeque<(OpId, StoreOp)>,
    answers: VecDeque<(u64, Answer)>,
    last_id: u64,
    storage: (StorageState, String),
}

impl Driver {
    pub fn new(name: &str, store: FileStore) -> Self {
        let config = HubConfig {
            name: name.into(),
            instance: "local".into(),
            seed: RandomState::new().hash_one(std::process::id()),
            clock: Rc::new(now),
            pacing: Pacing::default(),
            limits: Limits::default(),
        };
        let mut driver = Self {
            hub: Hub::new(config),
            store,
            operations: VecDeque::new(),
            answers: VecDeque::new(),
            last_id: 0,
            storage: (StorageState::Ok, String::new()),
        };
        driver.event(Event::Connected(PORT));
        driver
    }

    pub fn storage(&self) -> (StorageState, &str) {
        (self.storage.0, &self.storage.1)
    }

    pub fn into_store(self) -> FileStore {
        self.store
    }

    /// Asks, and waits for the one answer.
    ///
    /// # Errors
    /// The hub's own, or `HUB_POISONED` where it falls silent.
    pub fn ask(&mut self, op: Op, payload: &[u8]) -> Result<Answer> {
        let id = self.send(op, payload);
        self.answer(id)
    }

    /// Asks for something with many answers; returns the number they come under.
    pub fn send(&mut self, op: Op, payload: &[u8]) -> u64 {
        self.last_id += 1;
        self.frame(self.last_id, op, payload);
        self.last_id
    }

    /// Says something that has no answer of its own.
    pub fn tell(&mut self, op: Op, payload: &[u8]) {
        self.frame(0, op, payload);
    }

    /// Waits for the next answer to a request, and then until the store has nothing to do.
    ///
    /// # Errors
    /// As [`Driver::ask`].
    pub fn answer(&mut self, id: u64) -> Result<Answer> {
        let deadline = Instant::now() + ANSWER;
        let answer = loop {
            if let Some(answer) = self.take(id) {
                break answer;
            }
            if !self.step() && !self.wait(deadline) {
                let why =
                    format!("the local hub has not answered request {id}, and does nothing any more: open the database again");
                return Err(Error::Poisoned(why).into());
            }
        };
        while self.step() {}
        match answer.body {
            Body::Error(error) | Body::Fatal(error) => Err(LocalError::Hub(error)),
            body => Ok(Answer { body, payload: answer.payload }),
        }
    }

    fn frame(&mut self, id: u64, op: Op, payload: &[u8]) {
        let frame = encode_request(id, op, payload);
        self.event(Event::Message(PORT, &frame));
    }

    /// The next answer to a request; the hub's end answers every request.
    fn take(&mut self, id: u64) -> Option<Answer> {
        if let Some(at) = self.answers.iter().position(|(re, _)| *re == id) {
            return self.answers.remove(at).map(|(_, answer)| answer);
        }
        let fatal = self.answers.iter().find(|(_, answer)| matches!(answer.body, Body::Fatal(_)))?;
        Some(Answer { body: fatal.1.body.clone(), payload: vec![] })
    }

    /// Carries one operation of the hub's out, if there is one.
    fn step(&mut self) -> bool {
        let Some((id, op)) = self.operations.pop_front() else { return false };
        let result = self.store.run(op);
        self.event(Event::Store(id, result));
        true
    }

    /// Sleeps until the hub wants to be woken, if it does.
    fn wait(&mut self, deadline: Instant) -> bool {
        let Some(at) = self.hub.next_wake().filter(|_| Instant::now() < deadline) else { return false };
        std::thread::sleep(Duration::from_secs_f64((at - now()).max(0.0) / 1000.0));
        self.event(Event::Wake);
        true
    }

    fn event(&mut self, event: Event<'_>) {
        for action in self.hub.drive(event, now()) {
            match action {
                Action::Send(_, frame) => self.receive(&frame),
                Action::Store(id, op) => self.operations.push_back((id, op)),
                Action::Run(_) | Action::Turn => unreachable!("driven"),
                Action::Destroy => unreachable!("whoever has a directory deletes it himself"),
                // There are no Web Locks here, no memory to fall back to, and the one tab knows when it leaves.
                Action::Watch(..) | Action::UseMemory | Action::Disconnect(_) | Action::End => {}
            }
        }
    }

    fn receive(&mut self, frame: &[u8]) {
        let (re, answer) = decode_response(frame);
        match answer.body {
            Body::Storage(storage) => self.storage = (storage.state, storage.message),
            Body::Log(_) => {}
            body => self.answers.push_back((re, Answer { body, payload: answer.payload })),
        }
    }
}

/// Milliseconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}
