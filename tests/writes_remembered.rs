//! The memory of the clients' writes ≡ a map, whatever leaves, is stored, refused, evicted or crashed.

use proptest::prelude::*;
use tabhub::ids::CommitSeq;
use tabhub::store::Limits;
use tabhub::store::sessions::{Found, Outcome, Resumed, Sessions};

#[derive(Clone, Debug)]
enum Event {
    /// The client's next write is carried out, or the one that was overtaken.
    Write(usize),
    /// Of its next two the second is carried out first: a commit overtakes what waits for its transaction.
    Overtake(usize),
    /// The client has its answers up to its last durable write.
    Answered(usize),
    /// What waits leaves with a commit record, and is stored or refused.
    Leave(bool),
    /// Writes the table down and drops the log but for the last records: a reader's snapshot may still need those.
    Checkpoint(usize),
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0usize..5).prop_map(Event::Write),
        1 => (0usize..5).prop_map(Event::Overtake),
        1 => (0usize..5).prop_map(Event::Answered),
        5 => prop::bool::weighted(0.85).prop_map(Event::Leave),
        1 => (0usize..4).prop_map(Event::Checkpoint),
        1 => Just(Event::Crash),
    ]
}

#[derive(Clone, Debug, Default)]
struct Client {
    /// Number and commit of each write that was carried out.
    writes: Vec<(u64, CommitSeq)>,
    last: u64,
    overtaken: Option<u64>,
    answered: u64,
}

struct Memory {
    sessions: Sessions,
    limits: Limits,
    checkpoint: Option<Vec<u8>>,
    log: Vec<(CommitSeq, Vec<u8>)>,
    clients: Vec<Client>,
    published: CommitSeq,
    durable: CommitSeq,
}

impl Memory {
    fn new(limits: Limits) -> Self {
        let sessions = Sessions::recover(None, limits).expect("there is nothing to misread");
        let (clients, zero) = (vec![Client::default(); 5], CommitSeq(0));
        Self { sessions, limits, checkpoint: None, log: vec![], clients, published: zero, durable: zero }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Write(at) => self.write(*at),
            Event::Overtake(at) => {
                let client = &mut self.clients[*at];
                if client.overtaken.is_none() {
                    client.last += 2;
                    client.overtaken = Some(client.last - 1);
                    self.carry_out(*at, self.clients[*at].last);
                }
            }
            Event::Answered(at) => {
                let (client, durable) = (&mut self.clients[*at], self.durable);
                let undurable = client.writes.iter().filter(|(_, after)| *after > durable).map(|(number, _)| *number);
                let open = undurable.chain(client.overtaken).min();
                client.answered = client.answered.max(open.map_or(client.last, |number| number - 1));
            }
            // Without a commit there is no record.
            Event::Leave(_) if self.published == self.durable => {}
            Event::Leave(stored) => {
                let section = self.sessions.take_section();
                if *stored {
                    self.sessions.stored();
                    self.durable = self.published;
                    self.log.push((self.durable, section));
                } else {
                    self.sessions.revert_to(self.durable);
                    self.forget_the_undone();
                }
            }
            Event::Checkpoint(kept) => {
                self.checkpoint = Some(self.sessions.snapshot(self.durable));
                self.log.drain(..self.log.len().saturating_sub(*kept));
            }
            Event::Crash => {
                self.sessions = Sessions::recover(self.checkpoint.as_deref(), self.limits).expect("it was written by us");
                for (commit, section) in &self.log {
                    self.sessions.apply(section, *commit).expect("it was written by us");
                }
                self.sessions.evict();
                self.forget_the_undone();
                self.clients.iter_mut().for_each(|client| client.overtaken = None);
            }
        }
    }

    fn write(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let number = client.overtaken.take().unwrap_or_else(|| {
            client.last += 1;
            client.last
        });
        self.carry_out(at, number);
    }

    fn carry_out(&mut self, at: usize, number: u64) {
        self.published = self.published.next();
        let (client, after) = (&mut self.clients[at], self.published);
        let resumed = Resumed { since: CommitSeq(0), last: client.last };
        client.writes.push((number, after));
        let (name, bytes) = (format!("client-{at}"), format!("{at} {number}").into_bytes());
        let outcome = Outcome { client: &name, resumed, number, answered: client.answered, is_final: true, bytes, after };
        self.sessions.keep(outcome);
    }

    fn forget_the_undone(&mut self) {
        self.published = self.durable;
        for client in &mut self.clients {
            client.writes.retain(|(_, after)| *after <= self.durable);
        }
    }

    /// What was carried out is never new, and nobody gets the reply to another write.
    fn check(&self) {
        for (at, client) in self.clients.iter().enumerate() {
            let resumed = Resumed { since: CommitSeq(0), last: client.last };
            for number in client.answered + 1..=client.last {
                let found = self.sessions.find(&format!("client-{at}"), number, resumed);
                let carried_out = client.writes.iter().any(|(n, _)| *n == number);
                match &found {
                    Found::Reply(bytes, _) => assert_eq!((&**bytes, carried_out), (format!("{at} {number}").as_bytes(), true)),
                    Found::New => assert!(!carried_out, "client {at} would repeat write {number}"),
                    Found::Forgotten => {}
                    Found::Progress(..) => panic!("{found:?} of a write that is no script"),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    // At stake: a write whose memory is lost in silence is carried out twice.
    #[test]
    fn whatever_was_carried_out_is_never_taken_for_new(sessions in 1usize..6, events in prop::collection::vec(event(), 1..80)) {
        let mut memory = Memory::new(Limits { sessions, ..Limits::default() });
        for event in &events {
            memory.take(event);
            memory.check();
        }
    }

    #[test]
    fn any_damage_to_the_stored_memory_is_noticed(at in any::<prop::sample::Index>(), mask in 1u8..) {
        let mut memory = Memory::new(Limits::default());
        (0..5).for_each(|client| memory.take(&Event::Write(client)));
        memory.take(&Event::Leave(true));
        let good = memory.sessions.snapshot(memory.durable);
        prop_assert!(Sessions::recover(Some(&good), memory.limits).is_ok());
        let at = at.index(good.len());
        let mut bad = good.clone();
        bad[at] ^= mask;
        prop_assert!(Sessions::recover(Some(&bad), memory.limits).is_err());
        prop_assert!(Sessions::recover(Some(&good[..at]), memory.limits).is_err());
    }
}
