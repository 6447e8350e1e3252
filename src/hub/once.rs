//! Exactly once: what became of each numbered write is remembered in the store, with the commit itself, and whoever sends the
//! write again, on this hub or a later one, gets the same reply. The table and its rules are `store::sessions`; here is what
//! is put into it.

use super::database::Database;
use super::lanes::{Ask, Job};
use super::outbox::Held;
use super::reply::Reply;
use super::work::{Script, Work};
use crate::error::{Error, Result};
use crate::ids::{CommitSeq, PortId};
use crate::store::sessions::{Found, Outcome, Resumed};
use crate::wire;

impl Database {
    /// Answers a write that was carried out before; true where that is done.
    ///
    /// # Errors
    /// [`Error::SessionEvicted`] where nobody knows any more.
    pub(super) fn recall(&mut self, port: PortId, id: u64, number: u64) -> Result<bool> {
        match self.find(port, number) {
            Found::New | Found::Progress(..) => Ok(false),
            Found::Reply(stored, after) => {
                self.counters.recalled += 1;
                let (body, payload) = split(&stored).ok_or_else(|| Error::Corrupt("a stored reply is damaged".into()))?;
                let frame = wire::encode_stored(&self.instance, id, body, payload);
                self.send_after(Held { after, port, id, write: Some(number), is_last: true, frame });
                Ok(true)
            }
            Found::Forgotten => Err(Error::SessionEvicted(format!(
                "write {number} may have been carried out before, but too many other tabs have written since to know: look at the data"
            ))),
        }
    }

    fn find(&self, port: PortId, number: u64) -> Found {
        let Some(session) = self.sessions.get(port) else { return Found::New };
        self.pager.borrow().sessions().find(&session.client, number, session.resumed)
    }

    /// Lets a script go on where an earlier hub left it.
    pub(super) fn resume_script(&self, job: &mut Job) {
        let Some(number) = job.write else { return };
        if let (Ask::Work(Work::Script(script)), Found::Progress(bytes, after)) = (&mut job.ask, self.find(job.port, number)) {
            script.resume(&bytes, after);
        }
    }

    /// Remembers the final reply to a write; of one that is too large, only that the write was carried out.
    pub(super) fn keep_reply(&mut self, port: PortId, write: Option<u64>, reply: &Reply, after: CommitSeq) {
        let Some(number) = write else { return };
        let stored = match &reply.body {
            // The client knows its SQL.
            wire::Body::Error(error) => join(&wire::Body::Error(wire::WireError { sql: None, ..error.clone() }), &[]),
            body => join(body, &reply.payload),
        };
        let is_too_large = stored.len() > self.limits.reply_bytes && !matches!(reply.body, wire::Body::Error(_));
        let stored = if is_too_large { join(&wire::Body::Error(dropped(stored.len())), &[]) } else { stored };
        self.keep(port, number, true, stored, after);
    }

    /// Remembers how far a script has come.
    pub(super) fn keep_progress(&mut self, port: PortId, write: Option<u64>, script: &Script) {
        if let (Some(number), Some(after)) = (write, script.committed) {
            self.keep(port, number, false, script.progress(), after);
        }
    }

    fn keep(&mut self, port: PortId, number: u64, is_final: bool, bytes: Vec<u8>, after: CommitSeq) {
        if let Some(session) = self.sessions.get(port) {
            let (client, answered) = (&*session.client, session.answered);
            let resumed = Resumed { last: session.last_number, ..session.resumed };
            let outcome = Outcome { client, resumed, number, answered, is_final, bytes, after };
            self.pager.borrow_mut().sessions_mut().keep(outcome);
        }
    }
}

/// What a client hears that asks again for a reply that was too large to keep.
fn dropped(bytes: usize) -> wire::WireError {
    wire::WireError {
        code: "HUB_REPLY_DROPPED".into(),
        message: format!(
            "the write was carried out, but its reply of {bytes} bytes was too large to be kept over the hub's death: do not repeat it"
        ),
        outcome: wire::Outcome::Applied,
        sqlite: None,
        sql: None,
        offset: None,
        index: None,
    }
}

/// A reply as it is stored: the length of its body, the body, the payload.
fn join(body: &wire::Body, payload: &[u8]) -> Vec<u8> {
    let body = wire::body_text(body);
    let length = u32::try_from(body.len()).expect("a body is smaller than 4 GiB");
    [&length.to_le_bytes()[..], &body, payload].concat()
}

fn split(stored: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = stored.split_first_chunk::<4>()?;
    let (body, payload) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((std::str::from_utf8(body).ok()?, payload))
}
