//! The world: hubs, tabs, the ports between them, one disk, one clock. At every step it finds out what could happen next and lets
//! chance choose. Nothing here knows what a right answer is; that is the book's business.

use super::chance::Chance;
use super::controls::Control;
use super::disk::{Disk, DiskMove, HubNo, Scope};
use super::ledger::Book;
use super::plan::Plan;
use super::post::{operation, text};
use super::tab::{News, Tab};
use super::tally::Tally;
use crate::support::stacks::{self, Stacks};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tabhub::hub::{Action, Event, Fiber, Hub, HubConfig, Pacing};
use tabhub::ids::{OpId, PortId};
use tabhub::store::codec::checksum;
use tabhub::store::{Limits, StoreOp, Write};

thread_local! {
    /// Whether simulations tell what happens in them.
    pub static IS_TOLD: Cell<bool> = const { Cell::new(false) };
}

/// The moment at which every simulation begins, in ms since 1970.
const BEGINNING: f64 = 1_700_000_000_000.0;

/// Fibers that may run one after another before something else happens.
const RUNS_MAX: u32 = 100_000;

/// On its way to a hub.
pub enum Mail {
    Connect,
    Frame(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The tab listens.
    Open,
    /// The tab lives, but on another port.
    Left,
    /// The tab is dead, and its lock released.
    Dead,
}

pub struct Port {
    pub hub: HubNo,
    pub client: u32,
    pub end: End,
    pub to_hub: VecDeque<Mail>,
    pub to_tab: VecDeque<Vec<u8>>,
    /// How much has reached the hub: the connection itself, the hello, and so on.
    pub delivered: u32,
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    ToHub(PortId),
    ToTab(PortId),
    /// The tab learns that its hub is gone.
    Notice(PortId),
    /// The hub learns that a tab is gone.
    Gone(PortId),
    Connect(usize),
    Disk(DiskMove),
    Wake(HubNo),
    /// The event loop of the hub has gone round.
    Turn(HubNo),
    /// The hub hears that another one waits for the database.
    Finish(HubNo),
}

pub struct World {
    pub now: Rc<Cell<f64>>,
    pub chance: Chance,
    pub disk: Disk,
    pub hubs: BTreeMap<HubNo, Hub>,
    /// The stacks of their fibers, if they have any.
    pub stacks: BTreeMap<HubNo, Stacks>,
    suspend_steps: Option<i32>,
    /// Hubs that have asked for a turn.
    pub turns: Vec<HubNo>,
    /// Hubs that are to make room for another, and have not heard of it yet.
    pub finishes: Vec<HubNo>,
    /// The hub that tabs connect to.
    pub newest: Option<HubNo>,
    pub ports: BTreeMap<PortId, Port>,
    pub tabs: Vec<Tab>,
    pub book: Book,
    pub tally: Tally,
    /// Over everything that has happened.
    pub digest: u64,
    limits: Limits,
    last_hub: HubNo,
    last_port: u32,
    last_client: u32,
}

impl World {
    pub fn new(plan: &Plan, control: Option<Control>) -> Self {
        Self {
            now: Rc::new(Cell::new(BEGINNING)),
            chance: Chance::new(plan.seed),
            disk: Disk::new(plan.seed, &[], control),
            hubs: BTreeMap::new(),
            stacks: BTreeMap::new(),
            suspend_steps: plan.suspend_steps,
            turns: vec![],
            finishes: vec![],
            newest: None,
            ports: BTreeMap::new(),
            tabs: vec![],
            book: Book::default(),
            tally: Tally::default(),
            digest: 0,
            limits: plan.limits,
            last_hub: 0,
            last_port: 0,
            last_client: 0,
        }
    }

    pub fn new_client(&mut self) -> Tab {
        self.last_client += 1;
        Tab::new(self.last_client)
    }

    pub fn new_hub(&mut self) -> HubNo {
        self.last_hub += 1;
        let clock = self.now.clone();
        // A statement that looks at the clock sees time pass.
        let clock = Rc::new(move || {
            clock.set(clock.get() + 0.25);
            clock.get()
        });
        let config = HubConfig {
            name: "sim".into(),
            instance: format!("hub-{}", self.last_hub),
            seed: u64::from(self.last_hub),
            clock,
            pacing: self.suspend_steps.map_or_else(Pacing::default, |steps| stacks::pacing(-1.0, steps)),
            limits: self.limits,
        };
        self.hubs.insert(self.last_hub, Hub::new(config));
        self.stacks.insert(self.last_hub, Stacks::default());
        self.newest = Some(self.last_hub);
        self.tally.add("hubs", 1);
        self.last_hub
    }

    pub fn tab_of(&self, port: PortId) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.port == Some(port))
    }

    /// Tells the story as it happens, where it was asked for.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if IS_TOLD.with(Cell::get) {
            println!("{:>9.1}  {}", self.now.get() - BEGINNING, what());
        }
    }

    pub(super) fn note(&mut self, what: u64) {
        self.digest = (self.digest.rotate_left(5) ^ what).wrapping_mul(0x517C_C1B7_2722_0A95);
    }

    // ---- what can happen

    pub fn moves(&self) -> Vec<Move> {
        let mut moves = vec![];
        for (id, port) in &self.ports {
            let hub_lives = self.hubs.contains_key(&port.hub);
            if hub_lives && !port.to_hub.is_empty() {
                moves.push(Move::ToHub(*id));
            }
            let listens = port.end == End::Open && self.tab_of(*id).is_some_and(|at| !self.tabs[at].frozen);
            if listens && !port.to_tab.is_empty() {
                moves.push(Move::ToTab(*id));
            }
            if listens && !hub_lives {
                moves.push(Move::Notice(*id));
            }
            if port.end == End::Dead && hub_lives {
                moves.push(Move::Gone(*id));
            }
        }
        let unconnected = |tab: &Tab| tab.port.is_none() && !tab.frozen;
        moves.extend(self.tabs.iter().enumerate().filter(|(_, tab)| unconnected(tab)).map(|(at, _)| Move::Connect(at)));
        moves.extend(self.finishes.iter().map(|no| Move::Finish(*no)));
        let mut disk = vec![];
        self.disk.moves(&mut disk);
        moves.extend(disk.into_iter().map(Move::Disk));
        let due = |hub: &Hub| hub.next_wake().is_some_and(|at| at <= self.now.get());
        moves.extend(self.hubs.iter().filter(|(_, hub)| due(hub)).map(|(no, _)| Move::Wake(*no)));
        moves.extend(self.turns.iter().map(|no| Move::Turn(*no)));
        moves
    }

    /// When something will happen by itself, if nothing can at present.
    pub fn next_wake(&self) -> Option<f64> {
        self.hubs.values().filter_map(Hub::next_wake).min_by(f64::total_cmp)
    }

    pub fn carry_out(&mut self, next: Move) {
        self.now.set(self.now.get() + self.chance.below(4) as f64 * 0.5);
        self.note(checksum(format!("{next:?} {}", self.now.get()).as_bytes()));
        self.tell(|| format!("{next:?}"));
        match next {
            Move::ToHub(port) => self.deliver_to_hub(port),
            Move::ToTab(port) => self.deliver_to_tab(port),
            Move::Notice(port) => {
                if let Some(at) = self.tab_of(port) {
                    self.tabs[at].lose_hub(&mut self.book);
                    self.tally.add("hubs lost by tabs", 1);
                }
                self.ports.remove(&port);
            }
            Move::Gone(port) => {
                if let Some(gone) = self.ports.remove(&port) {
                    self.event(gone.hub, Event::Gone(port));
                }
            }
            Move::Connect(at) => self.connect(at),
            Move::Disk(DiskMove::Execute(hub, at)) => {
                let crash = self.disk.execute(hub, at, &mut self.tally);
                self.take_crash(hub, crash);
            }
            Move::Disk(DiskMove::Answer(hub, at)) => {
                if let Some((id, result)) = self.disk.answer(hub, at) {
                    self.tell(|| format!("    {id:?}: {:?}", result.as_ref().map(|_| ())));
                    self.note(id.0 << 1 | u64::from(result.is_ok()));
                    self.event(hub, Event::Store(id, result));
                }
            }
            Move::Wake(hub) => self.event(hub, Event::Wake),
            Move::Turn(hub) => {
                self.turns.retain(|no| *no != hub);
                self.event(hub, Event::Turn);
            }
            Move::Finish(hub) => {
                self.finishes.retain(|no| *no != hub);
                self.tally.add("hand-overs", 1);
                self.event(hub, Event::Finish);
            }
        }
        if let Some(detail) = self.disk.unfenced.take() {
            self.book.accuse("fencing", detail);
        }
    }

    fn take_crash(&mut self, hub: HubNo, crash: Option<Scope>) {
        match crash {
            None => {}
            Some(Scope::Hub) => self.end_hub(hub),
            Some(Scope::Everything) => self.crash_everything(),
        }
    }

    fn connect(&mut self, at: usize) {
        let hub = self.newest.unwrap_or_else(|| self.new_hub());
        self.last_port += 1;
        let id = PortId(self.last_port);
        let client = self.tabs[at].client;
        let to_hub = VecDeque::from([Mail::Connect]);
        self.ports.insert(id, Port { hub, client, end: End::Open, to_hub, to_tab: VecDeque::new(), delivered: 0 });
        self.tabs[at].connect(id);
        self.flush(at);
    }

    /// Puts what a tab has to send on its way.
    pub fn flush(&mut self, at: usize) {
        let tab = &mut self.tabs[at];
        let Some(port) = tab.port.and_then(|port| self.ports.get_mut(&port)) else { return };
        port.to_hub.extend(tab.outbox.drain(..).map(Mail::Frame));
    }

    fn deliver_to_hub(&mut self, id: PortId) {
        let Some(port) = self.ports.get_mut(&id) else { return };
        let hub = port.hub;
        port.delivered += 1;
        match port.to_hub.pop_front() {
            Some(Mail::Connect) => self.event(hub, Event::Connected(id)),
            Some(Mail::Frame(frame)) => {
                self.tell(|| format!("    {id:?} to hub {hub}: {}", text(&frame)));
                self.event(hub, Event::Message(id, &frame));
            }
            None => {}
        }
    }

    fn deliver_to_tab(&mut self, id: PortId) {
        let frame = self.ports.get_mut(&id).and_then(|port| port.to_tab.pop_front());
        let (Some(frame), Some(at)) = (frame, self.tab_of(id)) else { return };
        match self.tabs[at].receive(&frame, &mut self.book) {
            News::Over => self.dismissed(at),
            News::Welcome | News::None => self.flush(at),
        }
    }

    /// The hub wants no more of a tab: some come back to another one, others begin anew.
    fn dismissed(&mut self, at: usize) {
        if self.tabs[at].client.is_multiple_of(3) {
            return self.end_tab(at, true);
        }
        self.leave_port(at);
    }

    pub fn event(&mut self, hub: HubNo, event: Event<'_>) {
        let mut todo = VecDeque::from(self.handle(hub, event));
        let mut runs = 0;
        while let Some(action) = todo.pop_front() {
            match action {
                // In a browser this is a microtask: nothing comes in between.
                Action::Run(fiber) => {
                    runs += 1;
                    assert!(runs < RUNS_MAX, "the hub runs fibers and nothing else");
                    self.run_fiber(hub, &fiber);
                    todo.extend(self.handle(hub, Event::Ran(fiber.id())));
                }
                Action::Send(port, frame) => self.post(hub, port, frame),
                Action::Store(id, op) => self.submit(hub, id, op),
                Action::End => self.end_hub(hub),
                Action::UseMemory => self.book.accuse("storage", "the hub goes on in memory, which nobody allowed".into()),
                Action::Turn => self.turns.push(hub),
                Action::Destroy => self.delete_database(hub),
                Action::Watch(..) | Action::Disconnect(_) => {}
            }
        }
    }

    fn handle(&mut self, hub: HubNo, event: Event<'_>) -> Vec<Action> {
        let now = self.now.get();
        self.hubs.get_mut(&hub).map_or_else(Vec::new, |host| host.handle(event, now))
    }

    fn run_fiber(&mut self, hub: HubNo, fiber: &Fiber) {
        let Some(stacks) = self.stacks.get_mut(&hub) else { return };
        let before = stacks.suspensions;
        if self.suspend_steps.is_some() {
            stacks.run(fiber);
        } else {
            fiber.run();
        }
        let suspended = stacks.suspensions - before;
        self.tally.add("suspensions", suspended);
    }

    fn submit(&mut self, hub: HubNo, id: OpId, op: StoreOp) {
        self.note(id.0);
        self.tell(|| format!("    hub {hub} submits {id:?}: {}", operation(&op)));
        match &op {
            StoreOp::Write(batch) => {
                self.tally.add("transactions", 1);
                for write in &batch.writes {
                    if let Write::Put(key, value) = write {
                        self.note(checksum(value));
                        self.tally.note_put(*key);
                    }
                }
            }
            StoreOp::Reopen(_) => self.tally.add("reopens", 1),
            _ => {}
        }
        self.disk.submit(hub, id, op);
    }
}
