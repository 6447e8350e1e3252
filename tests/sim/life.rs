//! Life and death in the world: tabs that close, freeze and lose their ports, hubs that die, and the crash of everything.

use super::disk::HubNo;
use super::ledger::{Book, SCHEMA};
use super::plan::{Act, Deed, Entry};
use super::tab::{Kind, Tab};
use super::world::{End, Mail, World};
use crate::support;
use std::collections::BTreeMap;
use tabhub::hub::Event;
use tabhub::ids::PortId;
use tabhub::wire::{Body, Metrics, Op, Request};

/// What the hub's own figures add to the tally.
const FIGURES: [&str; 8] = ["commits", "groups", "checkpoints", "misses", "restarts", "recalled", "reconnections", "live_runs"];

impl World {
    pub fn act(&mut self, act: &Act) {
        self.tell(|| format!("{act:?}"));
        match act {
            Act::Tab(at, deed) => self.deed(*at, deed),
            Act::Disk(in_ops, fault) => self.disk.armed.push((self.disk.done + in_ops, *fault)),
            Act::CrashHub => {
                if let Some(hub) = self.newest {
                    self.end_hub(hub);
                }
            }
            Act::CrashAll => self.crash_everything(),
            Act::SecondHub => self.second_hub(),
            Act::Finish => self.finishes.extend(self.newest),
            Act::Pass(ms) => self.now.set(self.now.get() + f64::from(*ms)),
            Act::Together(_) => {}
        }
    }

    fn deed(&mut self, at: usize, deed: &Deed) {
        match deed {
            Deed::Thaw => self.tabs[at].frozen = false,
            Deed::Freeze => self.tabs[at].frozen = true,
            Deed::Kill => {
                let all_sent = self.chance.one_in(2);
                self.end_tab(at, all_sent);
            }
            Deed::LosePort => self.leave_port(at),
            Deed::Repeat => self.repeat(at),
            // A frozen tab does nothing by itself.
            _ if self.tabs[at].frozen => {}
            Deed::Import(rows) => self.import(at, *rows),
            Deed::Close => {
                self.tabs[at].act(Deed::Close, &mut self.book);
                self.flush(at);
                self.end_tab(at, true);
            }
            deed => {
                self.tally.add("deeds", 1);
                self.tabs[at].act(deed.clone(), &mut self.book);
                self.flush(at);
            }
        }
    }

    /// The last frame on its way to the hub arrives twice; one that answers nothing (id 0) may not.
    fn repeat(&mut self, at: usize) {
        let Some(port) = self.tabs[at].port.and_then(|port| self.ports.get_mut(&port)) else { return };
        let last =
            port.to_hub.iter().rev().find_map(|mail| if let Mail::Frame(frame) = mail { Some(frame.clone()) } else { None });
        let Some(frame) = last else { return };
        if tabhub::wire::decode_request(&frame).is_ok_and(|(request, _)| request.id > 1) {
            port.to_hub.push_back(Mail::Frame(frame));
            self.tally.add("repeated frames", 1);
        }
    }

    /// The tab leaves its port, on which some of its frames may still arrive, and looks for a hub.
    pub fn leave_port(&mut self, at: usize) {
        if let Some(id) = self.tabs[at].port {
            self.cut(id, End::Left);
            self.tabs[at].lose_hub(&mut self.book);
            self.tally.add("ports lost", 1);
        }
    }

    /// Of what is on its way to the hub, only the first few arrive.
    fn cut(&mut self, id: PortId, end: End) {
        let Some(port) = self.ports.get_mut(&id) else { return };
        port.end = end;
        port.to_tab.clear();
        // A hello that arrived after that of the tab's next port would take its place; browsers connect in order.
        let kept = if port.delivered >= 2 { self.chance.index(port.to_hub.len() + 1) } else { 0 };
        port.to_hub.truncate(kept);
    }

    /// The tab is over, and another one takes its place, as when a page is loaded again. `all_sent`: what it has sent arrives.
    pub fn end_tab(&mut self, at: usize, all_sent: bool) {
        let dead = self.load_again(at);
        let ports: Vec<_> = self.ports.iter().filter(|(_, port)| port.client == dead.client).map(|(id, _)| *id).collect();
        for id in ports {
            if !all_sent {
                self.cut(id, End::Dead);
            }
            if let Some(port) = self.ports.get_mut(&id) {
                port.end = End::Dead;
            }
        }
        self.tally.add("tabs ended", 1);
    }

    /// Another tab, which knows nothing and wants to follow the same; the one whose place it takes.
    fn load_again(&mut self, at: usize) -> Tab {
        let mut successor = self.new_client();
        successor.watching = self.tabs[at].watching.wishes();
        std::mem::replace(&mut self.tabs[at], successor)
    }

    pub fn end_hub(&mut self, hub: HubNo) {
        self.take_figures(hub);
        self.hubs.remove(&hub);
        self.stacks.remove(&hub);
        self.turns.retain(|no| *no != hub);
        self.finishes.retain(|no| *no != hub);
        self.disk.forget(hub);
        self.ports.retain(|_, port| port.hub != hub || port.end == End::Open);
        if self.newest == Some(hub) {
            self.newest = None;
        }
        self.tally.add("hubs ended", 1);
    }

    /// The browser dies, or the machine; only the disk is left.
    pub fn crash_everything(&mut self) {
        for hub in self.hubs.keys().copied().collect::<Vec<_>>() {
            self.end_hub(hub);
        }
        self.ports.clear();
        for at in 0..self.tabs.len() {
            self.load_again(at);
        }
        self.tally.add("crashes of everything", 1);
    }

    /// A tab has the database deleted. Up to this moment everything that was acknowledged is there; afterwards everybody begins anew, and
    /// the application makes its tables again.
    pub fn delete_database(&mut self, hub: HubNo) {
        self.expect_silence(hub);
        self.audit();
        self.crash_everything();
        let mut fresh = support::World::new();
        let tab = fresh.tab();
        fresh.exec(tab, SCHEMA).expect("the tables are made");
        self.disk.replace(fresh.store);
        self.count_told();
        self.book = Book { violation: self.book.violation.take(), ..Book::default() };
        self.tally.add("deletions", 1);
    }

    /// Whatever still reaches a hub that has given its database up for deletion: it stores nothing, and promises nobody anything.
    fn expect_silence(&mut self, hub: HubNo) {
        let Some(host) = self.hubs.get_mut(&hub) else { return };
        let now = self.now.get();
        let mut said = host.handle(Event::Wake, now);
        for (id, port) in self.ports.iter_mut().filter(|(_, port)| port.hub == hub) {
            for mail in port.to_hub.drain(..) {
                let event = match &mail {
                    Mail::Connect => Event::Connected(*id),
                    Mail::Frame(frame) => Event::Message(*id, frame),
                };
                said.extend(host.handle(event, now));
            }
        }
        if !said.is_empty() {
            self.book.accuse("deleted", format!("a hub that is over wants {said:?}"));
        }
    }

    /// A second hub on the same store: about half of the tabs go over to it, the others stay with the first.
    fn second_hub(&mut self) {
        self.new_hub();
        for at in 0..self.tabs.len() {
            if self.chance.one_in(2) {
                self.leave_port(at);
            }
        }
        self.tally.add("second hubs", 1);
    }

    /// A tab replaces the database by one that another hub has made, with the same tables and rows of its own.
    fn import(&mut self, at: usize, rows: u32) {
        let tab = &mut self.tabs[at];
        let attempt = self.book.attempt(tab.client, tab.next_turn(), rows as usize, false);
        self.book.attempts[attempt].is_import = true;
        let entries: Vec<_> = (0..i64::from(rows)).map(|n| Entry { cell: n % 6, size: n * 300 % 20_000 }).collect();
        let mut other = support::World::new();
        let port = other.tab();
        let script = super::ledger::script(tab.client, attempt, &entries, false);
        other.exec(port, SCHEMA).expect("the tables are made");
        other.exec(port, &script).expect("the rows are written");
        tab.import(attempt, other.export(port));
        // What anybody has seen before says nothing about what comes after.
        self.tabs.iter_mut().for_each(|tab| tab.floor = 0);
        self.flush(at);
    }

    /// Asks a hub for its figures, on the port of some tab that it knows, just before it is gone.
    pub fn take_figures(&mut self, hub: HubNo) {
        let known = |name: &str| FIGURES.iter().find(|known| **known == name).copied();
        let figures = self.figures(hub, 1 << 51);
        figures.into_iter().filter_map(|(name, n)| Some((known(&name)?, n))).for_each(|(name, n)| self.tally.add(name, n));
    }

    /// What a hub says of itself to some tab that it knows, by a request of an id that is higher than any before; nothing where it knows none.
    pub fn figures(&mut self, hub: HubNo, id: u64) -> BTreeMap<String, u64> {
        let request = Request { id, write: None, answered: None, op: Op::Metrics(Metrics {}) };
        let frame = super::frames::encode(&request, &[]);
        let ports: Vec<_> = self.ports.iter().filter(|(_, port)| port.hub == hub).map(|(id, _)| *id).collect();
        let Some(host) = self.hubs.get_mut(&hub) else { return BTreeMap::new() };
        for port in ports {
            for action in host.drive(Event::Message(port, &frame), self.now.get()) {
                let tabhub::hub::Action::Send(_, answer) = action else { continue };
                if let Body::Metrics(figures) = super::frames::decode(&answer).0.body {
                    return figures.0.into_iter().collect();
                }
            }
        }
        BTreeMap::new()
    }

    /// What tabs were told of commits, for the tally.
    pub fn count_told(&mut self) {
        let Book { states, heard, lives_ended, .. } = &self.book;
        let count = |n: usize| n as u64;
        self.tally.add("live states", count(states.len()));
        self.tally.add("live differences", count(states.iter().filter(|state| state.is_difference).count()));
        self.tally.add("live failovers", count(states.iter().filter(|state| state.crossed).count()));
        self.tally.add("live errors", *lives_ended);
        self.tally.add("changes", count(heard.iter().map(|heard| heard.changes.len()).sum()));
        let of_everything = heard.iter().flat_map(|heard| &heard.changes).filter(|change| change.everything);
        self.tally.add("changes of everything", count(of_everything.count()));
        self.tally.add("changes over a failover", count(heard.iter().filter(|heard| heard.crossed).count()));
    }

    /// Whether somebody waits for an answer.
    pub fn has_unanswered(&self) -> bool {
        let is_asking = |tab: &Tab| tab.sent.values().any(|sent| !matches!(sent.kind, Kind::Farewell));
        self.tabs.iter().any(|tab| is_asking(tab) || tab.watching.is_waiting())
    }
}
