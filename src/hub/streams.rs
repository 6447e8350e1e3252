//! Streams: the rows of an `iterate`, the bytes of an `export`, a check's findings and what commits changed, sent chunk by chunk as the tab takes
//! them. A stream that reads the database reads one snapshot, pinned for its whole life. A cursor that misses a block runs again and skips the rows it has sent.

use super::changesets::Changesets;
use super::check::Check;
use super::database::Database;
use super::fiber::{Seat, Task};
use super::fibers::Ticket;
use super::lanes::{Ask, Job};
use super::reply::{Reply, Rows, wire_columns};
use super::work::Call;
use crate::engine::{Attempt, Connection, Failure, Statement};
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq, GroupNo, PortId};
use crate::store::{Lookup, Pager};
use crate::vfs::{ReadAt, Role};
use crate::wire;
use std::rc::Rc;

/// Cursors open at once, of all tabs, beyond the first of each; each has a connection of its own. More wait their turn.
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

/// A query on its way through its rows.
pub struct Cursor {
    statement: Option<Rc<Statement>>,
    /// The rows of the chunk that is being made.
    rows: Rows,
    call: Call,
    sent: u64,
    /// Rows that were sent before the statement began anew, still to be passed over.
    skip: u64,
    first: bool,
}

pub enum StreamKind {
    /// The cursor first, whose statement must be dropped before its connection. None while a fiber makes the next chunk.
    Rows(Option<(Box<Cursor>, Seat)>),
    /// To salvage: the groups that cannot be read.
    Export {
        next: BlockNo,
        salvage: Option<Vec<GroupNo>>,
    },
    Check(Box<Check>),
    Changesets(Box<Changesets>),
}

impl StreamKind {
    pub fn rows(call: Call, seat: Seat) -> Self {
        let cursor = Cursor { statement: None, rows: Rows::default(), call, sent: 0, skip: 0, first: true };
        StreamKind::Rows(Some((Box::new(cursor), seat)))
    }

    pub fn export(salvage: bool) -> Self {
        StreamKind::Export { next: BlockNo(0), salvage: salvage.then(Vec::new) }
    }

    pub fn check(level: wire::CheckLevel) -> Self {
        StreamKind::Check(Box::new(Check::new(level)))
    }

    /// What commits changed is stored beside it.
    fn reads_the_database(&self) -> bool {
        !matches!(self, StreamKind::Changesets(_))
    }
}

pub struct Stream {
    pub job: Box<Job>,
    pub at: CommitSeq,
    pub(super) kind: StreamKind,
    credits: u32,
    /// How long one chunk may take, in ms.
    chunk_ms: f64,
}

/// A chunk, and whether it is the last.
pub type Chunk = (Reply, bool);

impl Database {
    /// Whether a tab must wait with another cursor. It always gets one.
    pub(super) fn cursors_are_taken(&self, port: PortId) -> bool {
        let cursors = || self.streams.iter().filter(|stream| stream.is_cursor());
        cursors().count() >= CURSORS_MAX && cursors().any(|stream| stream.job.port == port)
    }

    pub(super) fn open_stream(&mut self, job: Box<Job>, kind: StreamKind) {
        let at = self.snapshot_of(job.port);
        if kind.reads_the_database() {
            self.pager.borrow_mut().pin(at);
        }
        let chunk_ms = job.deadline - job.unit.0;
        self.streams.push(Stream { job, at, kind, credits: CREDITS, chunk_ms });
    }

    pub(super) fn pull(&mut self, port: PortId, target: u64) {
        if let Some(stream) = self.streams.iter_mut().find(|s| s.job.port == port && s.job.id == target) {
            stream.credits += 1;
        } else {
            self.lives.pull(port, target);
            self.change_taken(port, target);
        }
    }

    /// Sends what has credit and blocks.
    pub(super) fn pump_streams(&mut self, now: f64) {
        for mut stream in std::mem::take(&mut self.streams) {
            let mut open = true;
            while open && stream.credits > 0 && !stream.is_under_way() && self.are_resident(&stream.job.misses) {
                stream.job.misses.clear();
                let result = match &mut stream.kind {
                    StreamKind::Export { next, salvage } => {
                        export_chunk(&mut self.pager.borrow_mut(), stream.at, next, salvage.as_deref()).map(Some)
                    }
                    StreamKind::Check(check) => Ok(self.next_check(check, &stream.job, stream.at)),
                    StreamKind::Changesets(changesets) => self.next_changeset(changesets),
                    StreamKind::Rows(cursor) => {
                        if let Some((cursor, seat)) = cursor.take() {
                            self.start_chunk(cursor, seat, &stream, now);
                        }
                        Ok(None)
                    }
                };
                open = self.take_chunk(&mut stream, result);
            }
            if open {
                self.streams.push(stream);
            } else {
                self.close(stream);
            }
        }
    }

    fn start_chunk(&mut self, cursor: Box<Cursor>, seat: Seat, stream: &Stream, now: f64) {
        let deadline = now + stream.chunk_ms;
        let ticket = Ticket { port: stream.job.port, id: stream.job.id, tx: None, role: Role::Reader, at: stream.at, deadline };
        let task = ChunkTask { cursor, at: stream.at, unit: stream.job.unit, deadline, result: None };
        self.start(Task::Chunk(task), seat, ticket);
    }

    /// Takes the end of a chunk that a fiber has made.
    pub(super) fn chunk_ended(&mut self, task: ChunkTask, seat: Seat, ticket: &Ticket) {
        let ChunkTask { cursor, result, .. } = task;
        let Some(at) = self.streams.iter().position(|stream| stream.is(ticket.port, ticket.id)) else {
            drop(cursor);
            return self.give_back(seat);
        };
        let mut stream = self.streams.swap_remove(at);
        let result = result.expect("a chunk that is done has a result");
        stream.kind = StreamKind::Rows(Some((cursor, seat)));
        if self.take_chunk(&mut stream, result.map(Some)) {
            self.streams.push(stream);
        } else {
            self.close(stream);
        }
    }

    /// Sends a chunk, or has fetched what it lacks. False where the stream has come to its end.
    fn take_chunk(&mut self, stream: &mut Stream, result: Attempt<Option<Chunk>>) -> bool {
        match result {
            Ok(None) => true,
            Ok(Some((reply, end))) => {
                stream.credits -= 1;
                stream.job.tries = stream.job.tries.min(DOUBLINGS_KEPT);
                stream.job.pins.let_go();
                self.reply_after(stream.at, stream.job.port, stream.job.id, reply);
                !end
            }
            Err(Failure::Missed(blocks)) => match self.fetch_for(&mut stream.job, blocks) {
                Ok(()) => true,
                Err(error) => self.fail_stream(stream, &error),
            },
            Err(Failure::Failed(error)) => self.fail_stream(stream, &error),
        }
    }

    /// Its error is the last that its tab hears of it. False: it has come to its end.
    fn fail_stream(&mut self, stream: &Stream, why: &Error) -> bool {
        self.outbox.withdraw(stream.job.port, stream.job.id);
        self.fail_job(&stream.job, why, None);
        false
    }

    /// Lets go of a stream's snapshot and connection.
    fn close(&mut self, stream: Stream) {
        if stream.kind.reads_the_database() {
            self.pager.borrow_mut().unpin(stream.at);
        }
        if let StreamKind::Rows(Some((cursor, seat))) = stream.kind {
            drop(cursor);
            self.give_back(seat);
        }
    }

    /// Ends the streams that `which` picks, with an error to their tabs.
    pub(super) fn end_streams(&mut self, why: &Error, which: &dyn Fn(&Stream) -> bool) {
        for stream in std::mem::take(&mut self.streams) {
            if which(&stream) {
                self.fibers.stop(why, &|ticket, _| stream.is(ticket.port, ticket.id));
                self.fail_stream(&stream, why);
                self.close(stream);
            } else {
                self.streams.push(stream);
            }
        }
    }
}

/// The next chunk of a cursor.
pub struct ChunkTask {
    cursor: Box<Cursor>,
    at: CommitSeq,
    unit: (f64, u64),
    deadline: f64,
    result: Option<Attempt<Chunk>>,
}

impl ChunkTask {
    pub fn run(&mut self, seat: &mut Seat) -> bool {
        match self.attempt(seat) {
            Ok(None) => return false,
            Ok(Some(chunk)) => self.result = Some(Ok(chunk)),
            Err(failure) => {
                self.cursor.begin_anew();
                self.result = Some(Err(failure));
            }
        }
        true
    }

    /// None: it pauses between two rows.
    fn attempt(&mut self, seat: &mut Seat) -> Attempt<Option<Chunk>> {
        let pace = seat.pace.clone();
        pace.set_deadline(Some(self.deadline));
        if let Some(why) = pace.stopped() {
            return Err(why.into());
        }
        let cursor = &mut self.cursor;
        if cursor.statement.is_none() {
            pace.begin_unit(self.unit);
        }
        let connection = seat.connection()?;
        let statement = cursor.opened(connection, self.at)?;
        let mut end = false;
        while !end && cursor.rows.bytes() < CHUNK_BYTES && cursor.rows.count < CHUNK_ROWS {
            if connection.step(&statement)? {
                if cursor.skip > 0 {
                    cursor.skip -= 1;
                } else {
                    cursor.rows.push(&statement)?;
                }
                if pace.should_pause(|| connection.awaits_ahead()) {
                    return Ok(None);
                }
            } else {
                end = true;
            }
        }
        Ok(Some((cursor.chunk(&statement, end), end)))
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.begin_anew();
    }
}

impl Cursor {
    /// A statement that is left in its middle would hold the connection to its snapshot.
    fn begin_anew(&mut self) {
        self.rows = Rows::default();
        if let Some(statement) = self.statement.take() {
            statement.reset();
        }
    }

    /// The statement where it stopped, started anew if it has to be.
    fn opened(&mut self, connection: &mut Connection, at: CommitSeq) -> Attempt<Rc<Statement>> {
        if let Some(statement) = &self.statement {
            return Ok(statement.clone());
        }
        connection.read_at(ReadAt::Commit(at));
        let statement = connection.prepare(&self.call.sql)?;
        if !statement.only_reads() {
            return Err(Error::Refused("iterate() takes a reading statement: use query() or exec() to write".into()).into());
        }
        connection.start(&statement, &self.call.params())?;
        self.statement = Some(statement.clone());
        self.skip = self.sent;
        Ok(statement)
    }

    fn chunk(&mut self, statement: &Statement, end: bool) -> Reply {
        let rows = std::mem::take(&mut self.rows);
        self.sent += u64::from(rows.count);
        let columns = std::mem::take(&mut self.first).then(|| wire_columns(statement.columns()));
        let mut payload = vec![];
        rows.write_to(&mut payload);
        Reply { body: wire::Body::Chunk(wire::Chunk { columns, rows: rows.count, end }), payload }
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

    /// Whether its next chunk is being made, or waits for the store to be read.
    fn is_under_way(&self) -> bool {
        match &self.kind {
            StreamKind::Rows(cursor) => cursor.is_none(),
            StreamKind::Check(check) => check.is_verifying(),
            StreamKind::Changesets(changesets) => changesets.is_reading(),
            StreamKind::Export { .. } => false,
        }
    }

    /// Groups it waits for cannot be read: to salvage that is a result, to check too where they are damaged, to others the end.
    pub fn unreadable(&mut self, first: GroupNo, last: GroupNo, error: &Error) {
        match &mut self.kind {
            StreamKind::Export { salvage: Some(lost), .. } => lost.extend((first.0..=last.0).map(GroupNo)),
            StreamKind::Check(check) if matches!(error, Error::Corrupt(_)) => check.unreadable(error),
            _ => return,
        }
        self.job.misses.clear();
    }
}
