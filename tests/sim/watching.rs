//! What a simulated tab follows and listens to: asked of each hub that it comes to, abandoned, and asked anew. Called by `tab` with what
//! the hub says, and by `life` with what the plan wants and for the tab that takes a dead one's place.

use super::follow::Following;
use super::frames;
use super::ledger::Book;
use super::listen::Listening;
use super::plan::Deed;
use super::queries::{FILTERS, QUERIES};
use super::tab::Tab;
use tabhub::wire::{self, Body, Op};

/// Of either kind; who wants more gives one up.
const WATCHED_MAX: usize = 4;

/// Why a live query may end by itself: the storage failed under it, or time went by.
const REASONS: [&str; 2] = ["HUB_STORAGE", "HUB_TIMEOUT"];

#[derive(Debug, Default)]
pub struct Watching {
    pub lives: Vec<Following>,
    pub listeners: Vec<Listening>,
}

impl Watching {
    /// What a page wants that is loaded again: the same, and it knows nothing.
    pub fn wishes(&self) -> Self {
        Self {
            lives: self.lives.iter().map(|live| Following::new(live.query, live.is_slow)).collect(),
            listeners: self.listeners.iter().map(|listener| Listening::new(listener.filter, listener.is_slow)).collect(),
        }
    }

    /// Whether something was asked that the hub owes an answer at once.
    pub fn is_waiting(&self) -> bool {
        self.lives.iter().any(Following::is_waiting) || self.listeners.iter().any(Listening::is_waiting)
    }
}

impl Tab {
    /// Does what the plan wants.
    pub fn watch(&mut self, deed: &Deed) {
        match deed {
            Deed::Follow { query, is_slow } => {
                self.make_room();
                self.watching.lives.push(Following::new(*query, *is_slow));
            }
            Deed::Listen { filter, is_slow } => {
                self.make_room();
                self.watching.listeners.push(Listening::new(*filter, *is_slow));
            }
            Deed::Abandon(which) => self.abandon(*which),
            Deed::CatchUp => self.catch_up(&|_| true),
            _ => unreachable!("nothing that is watched"),
        }
        self.ask_watched();
    }

    fn make_room(&mut self) {
        if self.watching.lives.len() + self.watching.listeners.len() == WATCHED_MAX {
            self.abandon(0);
        }
    }

    fn abandon(&mut self, which: usize) {
        let (lives, listeners) = (self.watching.lives.len(), self.watching.listeners.len());
        if lives + listeners == 0 {
            return;
        }
        let at = which % (lives + listeners);
        let id = if at < lives { self.watching.lives.remove(at).id } else { self.watching.listeners.remove(at - lives).id };
        if let Some(target) = id {
            self.given_up.insert(target);
            self.note(Op::Cancel(wire::Cancel { target, session: None }), &[]);
        }
    }

    /// Asks the hub for what has not been asked of it, once it has welcomed the tab.
    pub fn ask_watched(&mut self) {
        if !self.welcomed {
            return;
        }
        for at in 0..self.watching.lives.len() {
            if self.watching.lives[at].id.is_none() {
                let query = &QUERIES[self.watching.lives[at].query];
                let id = self.open(frames::live(query.sql, query.params));
                self.watching.lives[at].begin(id);
            }
        }
        for at in 0..self.watching.listeners.len() {
            if self.watching.listeners[at].id.is_none() {
                let id = self.open(frames::changes(FILTERS[self.watching.listeners[at].filter]));
                self.watching.listeners[at].begin(id);
            }
        }
    }

    pub fn lose_watched(&mut self) {
        let lives = self.watching.lives.iter_mut().filter_map(Following::lose_hub);
        self.given_up.extend(lives.chain(self.watching.listeners.iter_mut().filter_map(Listening::lose_hub)));
    }

    /// Asks for more of what it has taken: all of it, or what is not slow.
    pub fn catch_up(&mut self, is_asked: &dyn Fn(bool) -> bool) {
        let mut targets = vec![];
        for live in self.watching.lives.iter_mut().filter(|live| is_asked(live.is_slow)) {
            targets.extend(live.id.filter(|_| live.catch_up()));
        }
        for listener in self.watching.listeners.iter_mut().filter(|listener| is_asked(listener.is_slow)) {
            targets.extend(listener.id.into_iter().flat_map(|id| vec![id; listener.catch_up() as usize]));
        }
        for target in targets {
            self.note(Op::Pull(wire::Pull { target }), &[]);
        }
    }

    /// From now on nothing is slow.
    pub fn hurry(&mut self) {
        self.watching.lives.iter_mut().for_each(|live| live.is_slow = false);
        self.watching.listeners.iter_mut().for_each(|listener| listener.is_slow = false);
        self.catch_up(&|_| true);
    }

    /// Takes an answer to something that is watched; false if it is none.
    pub fn take_watched(&mut self, re: u64, body: &Body, payload: &[u8], book: &mut Book) -> bool {
        let live = self.watching.lives.iter_mut().find(|live| live.id == Some(re));
        let listener = self.watching.listeners.iter_mut().find(|listener| listener.id == Some(re));
        match (live, listener, body) {
            (None, None, _) => return false,
            (Some(live), _, Body::Live(update)) => live.take(self.client, update, payload, book),
            (_, Some(listener), Body::Changed(changed)) => listener.take(self.client, changed, payload, book),
            (Some(live), _, Body::Error(error)) if REASONS.contains(&&*error.code) => {
                live.end();
                self.given_up.insert(re);
                book.lives_ended += 1;
            }
            (.., body) => book.accuse("reply", format!("client {}: what it watches is answered {body:?}", self.client)),
        }
        self.catch_up(&|is_slow| !is_slow);
        self.ask_watched();
        true
    }
}
