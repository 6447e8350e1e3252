//! What hubs say, on its way to the tabs, and how the story tells of messages and operations. Called by `world`. Here it is known what the disk
//! holds at that moment, so here it is noticed when a tab is told of a commit that a crash could still take back.

use super::controls::Control;
use super::disk::HubNo;
use super::frames;
use super::tab::Kind;
use super::world::{End, World};
use tabhub::ids::PortId;
use tabhub::store::codec::checksum;
use tabhub::store::{StoreOp, Write};
use tabhub::wire::Body;

/// How the body of an answer begins that is an error, and of one that tells of commits.
const ERROR: &[u8] = b"\"body\":{\"error\"";
const LIVE: &[u8] = b"\"body\":{\"live\"";
const CHANGED: &[u8] = b"\"body\":{\"changed\"";

impl World {
    pub(super) fn post(&mut self, hub: HubNo, port: PortId, frame: Vec<u8>) {
        self.note(checksum(&frame));
        self.tell(|| format!("    hub {hub} to {port:?}: {}", text(&frame)));
        if begins(&frame, ERROR) {
            self.note_refusal(port, &frame);
        } else if begins(&frame, LIVE) || begins(&frame, CHANGED) {
            self.note_promise(&frame);
        }
        if self.is_dropped(&frame) {
            return;
        }
        if let Some(port) = self.ports.get_mut(&port).filter(|port| port.end == End::Open) {
            port.to_tab.push_back(frame);
        }
    }

    /// Whether the control has it never arrive. The first word of a hub is spared: that it lacks is noticed by whoever waits.
    fn is_dropped(&mut self, frame: &[u8]) -> bool {
        let is_meant = match self.disk.control {
            Some(Control::DroppedState) => begins(frame, LIVE) && !text(frame).contains("\"columns\""),
            Some(Control::DroppedChange) => begins(frame, CHANGED) && text(frame).contains("\"tables\":[{"),
            _ => false,
        };
        is_meant && self.chance.one_in(4)
    }

    /// A write that a hub has refused may come after later ones when it is sent again, because the refusal never arrived.
    fn note_refusal(&mut self, port: PortId, frame: &[u8]) {
        let Some(port) = self.ports.get(&port) else { return };
        let re = frames::decode(frame).0.re;
        let sent = self.tabs.iter().find(|tab| tab.client == port.client).and_then(|tab| tab.sent.get(&re));
        if let Some(Kind::Write(attempt)) = sent.map(|sent| &sent.kind) {
            self.book.attempts[*attempt].may_be_late = true;
        }
    }

    /// What is told of a commit is told after it has become durable.
    fn note_promise(&mut self, frame: &[u8]) {
        let commit = match frames::decode(frame).0.body {
            Body::Live(update) => update.commit,
            Body::Changed(changed) => changed.commit,
            _ => return,
        };
        let newest = self.disk.commits.newest();
        if commit > newest {
            self.book.accuse("told too early", format!("commit {commit} is told while {newest} is stored: {}", text(frame)));
        }
    }
}

fn begins(frame: &[u8], body: &[u8]) -> bool {
    frame.windows(body.len()).take(80).any(|window| window == body)
}

/// The header of a frame.
pub(super) fn text(frame: &[u8]) -> String {
    let length = u32::from_le_bytes(frame[..4].try_into().expect("four bytes")) as usize;
    String::from_utf8_lossy(&frame[4..4 + length]).chars().take(300).collect()
}

pub(super) fn operation(op: &StoreOp) -> String {
    let StoreOp::Write(batch) = op else { return format!("{op:?}") };
    let key = |write: &Write| match write {
        Write::Put(key, value) => format!("put {key:?} ({} bytes)", value.len()),
        Write::Delete(from, to) => format!("delete {from:?} to {to:?}"),
    };
    format!("epoch {}: {}", batch.epoch.0, batch.writes.iter().map(key).collect::<Vec<_>>().join(", "))
}
