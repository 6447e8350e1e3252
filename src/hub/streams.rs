//! Streams: the rows of an `iterate` and the bytes of an `export`, sent chunk by chunk as the tab takes them. A stream reads
//! one snapshot, pinned for its whole life. A cursor that misses a block runs again and skips the rows it has sent.

use super::check::Check;
use super::database::Database;
use super::lanes::{Ask, Job};
use super::reply::{Reply, Rows, wire_columns};
use super::work::Call;
use crate::engine::{Attempt, Connection, Failure, Statement};
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq, GroupNo, PortId};
use crate::store::{Lookup, Pager};
use crate::vfs::{ReadAt, Role};
use crate::wire;
use std::cell::RefCell;
use std::rc::Rc;

/// Cursors open at once, over all tabs; each has a connection of its own. More wait their turn.
const CURSORS_MAX: usize = 16;
/// A chunk is sent when it has this many bytes or rows.
const CHUNK_BYTES: usize = 64 << 10;
const CHUNK_ROWS: u32 = 1000;
const EXPORT_CHUNK_BYTES: u32 = 256 << 10;
/// Chunks on their way before the tab has taken any.
const CREDITS: u32 = 2;
/// How far ahead a cursor goes on to fetch once it has run through a chunk: 2⁵ groups, about 2 MB.
const DOUBLINGS_KEPT: u32 = 5;
/// Groups fetched ahead of an export: it reads everything, in order.
const EXPORT_AHEAD: u32 = 16;

/// Fields in the order in which they must be dropped.
pub struct Cursor {
    statement: Option<Rc<Statement>>,
    connection: Option<Connection>,
    call: Call,
    sent: u64,
    first: bool,
}

pub enum StreamKind {
    Rows(Box<Cursor>),
    /// To salvage: the groups that cannot be read.
    Export {
        next: BlockNo,
        salvage: Option<Vec<GroupNo>>,
    },
    Check(Box<Check>),
}

impl StreamKind {
    pub fn rows(call: Call) -> Self {
        StreamKind::Rows(Box::new(Cursor { statement: None, connection: None, call, sent: 0, first: true }))
    }

    pub fn export(salvage: bool) -> Self {
        StreamKind::Export { next: BlockNo(0), salvage: salvage.then(Vec::new) }
    }

    pub fn check(level: wire::CheckLevel) -> Self {
        StreamKind::Check(Box::new(Check::new(level)))
    }
}

pub struct Stream {
    pub job: Job,
    pub at: CommitSeq,
    pub(super) kind: StreamKind,
    credits: u32,
    /// How long one chunk may take, in ms.
    chunk_ms: f64,
}

/// A chunk, and whether it is the last.
pub type Chunk = (Reply, bool);

impl Database {
    pub(super) fn cursors_are_taken(&self) -> bool {
        self.streams.iter().filter(|s| matches!(s.kind, StreamKind::Rows(_))).count() >= CURSORS_MAX
    }

    pub(super) fn open_stream(&mut self, job: Job, kind: StreamKind) {
        let at = self.snapshot_of(job.port);
        self.pager.borrow_mut().pin(at);
        let chunk_ms = job.deadline - job.unit.0;
        self.streams.push(Stream { job, at, kind, credits: CREDITS, chunk_ms });
    }

    pub(super) fn pull(&mut self, port: PortId, target: u64) {
        if let Some(stream) = self.streams.iter_mut().find(|s| s.job.port == port && s.job.id == target) {
            stream.credits += 1;
        }
    }

    /// Sends what has credit and blocks.
    pub(super) fn pump_streams(&mut self, now: f64) {
        for mut stream in std::mem::take(&mut self.streams) {
            let mut open = true;
            while open && stream.credits > 0 && !stream.is_verifying() && self.are_resident(&stream.job.misses) {
                stream.job.misses.clear();
                match self.next_chunk(&mut stream, now) {
                    Ok(None) => {}
                    Ok(Some((reply, end))) => {
                        stream.credits -= 1;
                        stream.job.tries = stream.job.tries.min(DOUBLINGS_KEPT);
                        self.reply_after(stream.at, stream.job.port, stream.job.id, reply);
                        open = !end;
                    }
                    Err(Failure::Missed(blocks)) => self.fetch_for(&mut stream.job, blocks),
                    Err(Failure::Failed(error)) => {
                        self.fail_job(&stream.job, &error, None);
                        open = false;
                    }
                }
            }
            if open {
                self.streams.push(stream);
            } else {
                self.pager.borrow_mut().unpin(stream.at);
            }
        }
    }

    /// The next chunk, or none where it is yet to be verified.
    fn next_chunk(&mut self, stream: &mut Stream, now: f64) -> Attempt<Option<Chunk>> {
        match &mut stream.kind {
            StreamKind::Export { next, salvage } => {
                export_chunk(&mut self.pager.borrow_mut(), stream.at, next, salvage.as_deref()).map(Some)
            }
            StreamKind::Check(check) => self.next_check(check, stream.at),
            StreamKind::Rows(cursor) => {
                if cursor.statement.is_none() {
                    stream.job.enter_unit();
                }
                let result = cursor.next_chunk(&self.pager, &self.clock, stream.at, now + stream.chunk_ms);
                if result.is_err() {
                    cursor.statement = None;
                }
                result.map(Some)
            }
        }
    }

    /// Ends the streams that `which` picks, with an error to their tabs.
    pub(super) fn end_streams(&mut self, why: &Error, which: &dyn Fn(&Stream) -> bool) {
        for stream in std::mem::take(&mut self.streams) {
            if which(&stream) {
                self.pager.borrow_mut().unpin(stream.at);
                self.fail_job(&stream.job, why, None);
            } else {
                self.streams.push(stream);
            }
        }
    }
}

impl Cursor {
    fn next_chunk(
        &mut self,
        pager: &Rc<RefCell<Pager>>,
        clock: &crate::engine::Clock,
        at: CommitSeq,
        deadline: f64,
    ) -> Attempt<Chunk> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(pager, Role::Reader, clock.clone())?);
        }
        let connection = self.connection.as_mut().expect("just opened");
        connection.set_deadline(Some(deadline));
        let statement = match &self.statement {
            Some(statement) => statement.clone(),
            None => {
                connection.read_at(ReadAt::Commit(at));
                let statement = connection.prepare(&self.call.sql)?;
                if !statement.is_readonly() || statement.control.is_some() {
                    return Err(
                        Error::Refused("iterate() takes a reading statement: use query() or exec() to write".into()).into()
                    );
                }
                connection.start(&statement, &self.call.params())?;
                for _ in 0..self.sent {
                    connection.step(&statement)?;
                }
                self.statement.insert(statement).clone()
            }
        };
        let (mut rows, mut end) = (Rows::default(), false);
        while !end && rows.bytes() < CHUNK_BYTES && rows.count < CHUNK_ROWS {
            if connection.step(&statement)? {
                rows.push(&statement)?;
            } else {
                end = true;
            }
        }
        self.sent += u64::from(rows.count);
        let columns = std::mem::take(&mut self.first).then(|| wire_columns(statement.columns()));
        let mut payload = vec![];
        rows.write_to(&mut payload);
        Ok((Reply { body: wire::Body::Chunk(wire::Chunk { columns, rows: rows.count, end }), payload }, end))
    }
}

fn export_chunk(pager: &mut Pager, at: CommitSeq, next: &mut BlockNo, salvage: Option<&[GroupNo]>) -> Attempt<Chunk> {
    let (block_bytes, blocks, grouping) = (pager.block_bytes(), pager.blocks_at(at), pager.grouping());
    let to = next.0.saturating_add(EXPORT_CHUNK_BYTES / block_bytes).min(blocks);
    let is_lost = |number| salvage.is_some_and(|lost| lost.contains(&grouping.group_of(number)));
    let (mut payload, mut missed, mut lost) = (vec![], vec![], 0);
    for number in (next.0..to).map(BlockNo) {
        match pager.lookup(number, at) {
            Lookup::Data(data) => payload.extend_from_slice(&data),
            Lookup::Miss if !is_lost(number) => missed.push(number),
            lookup => {
                lost += if lookup == Lookup::Miss { u64::from(block_bytes) } else { 0 };
                payload.resize(payload.len() + block_bytes as usize, 0);
            }
        }
    }
    if !missed.is_empty() {
        pager.fetch(&missed, if salvage.is_some() { 0 } else { EXPORT_AHEAD });
        return Err(Failure::Missed(missed));
    }
    let position = |block: u32| u64::from(block) * u64::from(block_bytes);
    let lost = salvage.is_some().then_some(lost);
    let bytes = wire::Bytes { offset: position(next.0), total: position(blocks), end: to == blocks, lost };
    *next = BlockNo(to);
    let end = bytes.end;
    Ok((Reply { body: wire::Body::Bytes(bytes), payload }, end))
}

impl Stream {
    /// Whether it answers this request.
    pub fn is(&self, port: PortId, id: u64) -> bool {
        self.job.port == port && self.job.id == id
    }

    pub fn is_cursor(&self) -> bool {
        matches!(self.job.ask, Ask::Iterate(_))
    }

    /// Whether it waits for the store to be read.
    fn is_verifying(&self) -> bool {
        matches!(&self.kind, StreamKind::Check(check) if check.is_verifying())
    }

    /// Groups it waits for cannot be read: to salvage and to check that is a result, to others the end.
    pub fn unreadable(&mut self, first: GroupNo, last: GroupNo, error: &Error) {
        match &mut self.kind {
            StreamKind::Export { salvage: Some(lost), .. } => lost.extend((first.0..=last.0).map(GroupNo)),
            StreamKind::Check(check) => check.unreadable(error),
            _ => return,
        }
        self.job.misses.clear();
    }
}
