//! The header: the one value that says which epoch owns the database and where its committed state begins.
//! Written when a hub opens the database, when a checkpoint ends and when an import replaces everything; never by a commit.

use super::codec::{Fields, seal, unseal};
use crate::error::{Error, Result};
use crate::ids::{CommitSeq, Epoch, Generation};

/// The newest stored format this build reads, and the one it writes.
pub const FORMAT: u16 = 5;
/// `SQLite`'s default page size, and so the block size of a new database.
pub const DEFAULT_BLOCK_BYTES: u32 = 4096;
const MAGIC: [u8; 4] = *b"THUB";

/// See `format.md`, "Header".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub epoch: Epoch,
    pub generation: Generation,
    pub block_bytes: u32,
    /// Size of the database, in blocks, as of `checkpoint`.
    pub blocks: u32,
    /// Commits up to here are in the block groups; later ones are in the log.
    pub checkpoint: CommitSeq,
    /// Of how many commits, the newest, it is kept what they changed: at least.
    pub keep: u64,
}

impl Header {
    /// The header of a database nobody has opened yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            epoch: Epoch(0),
            generation: Generation(1),
            block_bytes: DEFAULT_BLOCK_BYTES,
            blocks: 0,
            checkpoint: CommitSeq(0),
            keep: 0,
        }
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(56);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.epoch.0.to_le_bytes());
        out.extend_from_slice(&self.generation.0.to_le_bytes());
        out.extend_from_slice(&self.block_bytes.to_le_bytes());
        out.extend_from_slice(&self.blocks.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.checkpoint.0.to_le_bytes());
        out.extend_from_slice(&self.keep.to_le_bytes());
        seal(out)
    }

    /// # Errors
    /// [`Error::Corrupt`] for a broken checksum or impossible fields, [`Error::Format`] for a newer format.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::Corrupt("the database header is damaged: restore a backup or delete the database".into());
        let mut f = Fields(unseal(bytes).ok_or_else(corrupt)?);
        if f.bytes(4) != Some(&MAGIC) {
            return Err(corrupt());
        }
        let format = f.u16().ok_or_else(corrupt)?;
        if format > FORMAT {
            return Err(Error::Format(format!(
                "stored in format {format} by a newer tabhub; this one reads up to {FORMAT}: reload to get the newer script"
            )));
        }
        let header = Self::fields(&mut f).ok_or_else(corrupt)?;
        let sound = header.block_bytes.is_power_of_two() && (512..=65536).contains(&header.block_bytes);
        if sound { Ok(header) } else { Err(corrupt()) }
    }

    fn fields(f: &mut Fields<'_>) -> Option<Self> {
        f.bytes(2)?;
        let epoch = Epoch(f.u64()?);
        let generation = Generation(f.u32()?);
        let block_bytes = f.u32()?;
        let blocks = f.u32()?;
        f.bytes(4)?;
        let checkpoint = CommitSeq(f.u64()?);
        // Not in format 4.
        let keep = if f.0.is_empty() { 0 } else { f.u64()? };
        Some(Self { epoch, generation, block_bytes, blocks, checkpoint, keep })
    }
}

impl Default for Header {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes the database over: the stored header (or none) with the next epoch, and its bytes, to be written in the
/// transaction that read it. From then on every older hub is fenced.
///
/// # Errors
/// As [`Header::decode`].
pub fn claim(stored: Option<&[u8]>) -> Result<(Header, Vec<u8>)> {
    let mut header = stored.map_or_else(|| Ok(Header::new()), Header::decode)?;
    header.epoch = header.epoch.next();
    let bytes = header.encode();
    Ok((header, bytes))
}

/// The stored header, if it still carries our epoch; asked inside every transaction but the claim.
///
/// # Errors
/// [`Error::Fenced`] when it does not, [`Error::Deleted`] when there is none, [`Error::Corrupt`] when it cannot be read.
pub fn check_epoch(stored: Option<&[u8]>, ours: Epoch) -> Result<Header> {
    let Some(bytes) = stored else {
        return Err(Error::Deleted(
            "the database was deleted while it was open: open it again to begin with an empty one".into(),
        ));
    };
    let header = Header::decode(bytes)?;
    if header.epoch == ours {
        return Ok(header);
    }
    Err(Error::Fenced(format!("another hub opened the database (epoch {}, ours is {})", header.epoch.0, ours.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_raises_the_epoch_and_fences_the_one_before_but_a_deletion_is_told_as_such() {
        let (first, bytes) = claim(None).unwrap();
        assert_eq!(check_epoch(Some(&bytes), first.epoch), Ok(first.clone()));
        let (second, bytes) = claim(Some(&bytes)).unwrap();
        assert_eq!(second.epoch, first.epoch.next());
        assert!(matches!(check_epoch(Some(&bytes), first.epoch), Err(Error::Fenced(_))));
        assert!(matches!(check_epoch(None, second.epoch), Err(Error::Deleted(_))));
    }

    #[test]
    fn every_damaged_header_is_refused() {
        let good = Header { epoch: Epoch(7), generation: Generation(3), blocks: 9, keep: 5, ..Header::new() };
        let bytes = good.encode();
        assert_eq!(Header::decode(&bytes), Ok(good));
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 0x10;
            assert!(matches!(Header::decode(&bad), Err(Error::Corrupt(_))), "byte {i}");
            assert!(matches!(Header::decode(&bytes[..i]), Err(Error::Corrupt(_))), "cut at {i}");
        }
    }

    #[test]
    fn a_newer_format_is_named_not_guessed_at() {
        let mut body = Header::new().encode();
        body.truncate(body.len() - super::super::codec::SEAL_BYTES);
        body[4] = FORMAT.to_le_bytes()[0] + 1;
        assert!(matches!(Header::decode(&seal(body)), Err(Error::Format(_))));
    }
}
