//! What a simulated tab does with the streams it has asked for: the rows of an `iterate`, a check's progress, an import's credits.

use super::frames;
use super::ledger::{Book, Fate, Iterated};
use super::tab::{Kind, Sent, Tab};
use crate::support::Rows;
use tabhub::wire::{self, Body, Op};

/// Bytes of a file in one part.
const PART_BYTES: usize = 60_000;

impl Tab {
    /// Takes the next piece of a stream, and asks for one more.
    pub fn streamed(&mut self, re: u64, mut sent: Sent, body: &Body, payload: &[u8], book: &mut Book) {
        let is_over = match (&mut sent.kind, body) {
            (Kind::Iterate { floor, columns, rows }, Body::Chunk(chunk)) => {
                *columns = chunk.columns.as_ref().map_or(*columns, Vec::len);
                take_rows(rows, &frames::chunk(payload, chunk.rows, *columns), book);
                if chunk.end {
                    if (rows.len() as i64) < *floor {
                        book.accuse("backwards", format!("client {} iterates {} rows after {floor}", self.client, rows.len()));
                    }
                    let attempts = book.attempts.len();
                    book.iterated.push(Iterated { client: self.client, rows: std::mem::take(rows), attempts });
                }
                chunk.end
            }
            (Kind::Check, Body::Checked(checked)) => {
                // Where the simulated storage fails a check cannot read either, and says so.
                if let Some(problem) = checked.problems.iter().find(|problem| !problem.starts_with("HUB_")) {
                    book.accuse("integrity", format!("the check says {problem}"));
                }
                checked.end
            }
            (Kind::Import { file, sent, .. }, Body::More(_)) => {
                let to = (*sent + PART_BYTES).min(file.len());
                let (part, end) = (file[*sent..to].to_vec(), to == file.len());
                *sent = to;
                self.note(Op::Part(wire::Part { target: re, end }), &part);
                false
            }
            (Kind::Import { attempt, .. }, Body::Done(_)) => {
                book.attempts[*attempt].fate = Fate::Applied;
                self.floor = 0;
                true
            }
            (_, body) => {
                book.accuse("reply", format!("a stream is answered {body:?}"));
                true
            }
        };
        if is_over {
            return;
        }
        if !matches!(sent.kind, Kind::Import { .. }) {
            self.note(Op::Pull(wire::Pull { target: re }), &[]);
        }
        self.sent.insert(re, sent);
    }
}

/// Notes iterated rows, and that the text beside each consists of its state's letter.
fn take_rows(rows: &mut Vec<[i64; 4]>, more: &Rows, book: &mut Book) {
    for row in more {
        let [seq, entry, part, v] = [0, 1, 2, 3].map(|at| frames::integer(&row[at]));
        let letter = char::from(65 + u8::try_from(v % 26).expect("less than 26"));
        let is_pure = matches!(&row[4], wire::Value::Text(text) if text.trim_matches(letter).is_empty());
        if !is_pure {
            book.accuse("reads", format!("beside row {seq} stands a text that version {v} of its cell never had"));
        }
        rows.push([seq, entry, part, v]);
    }
}
