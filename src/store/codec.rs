//! Little-endian fields and the checksum that seals every stored value. Called by the format modules beside it.
//!
//! A sealed value ends with the XXH3-64 of all bytes before it. `unseal` is the only way in: no field of a stored
//! value is looked at before its checksum holds.

use twox_hash::XxHash3_64;

/// Bytes of the checksum.
pub const SEAL_BYTES: usize = 8;

/// The checksum of some bytes.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// Appends the checksum.
#[must_use]
pub fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&body);
    body.extend_from_slice(&sum.to_le_bytes());
    body
}

/// The value without its checksum, or `None` where the checksum does not hold.
#[must_use]
pub fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let (body, sum) = sealed.split_at_checked(sealed.len().checked_sub(SEAL_BYTES)?)?;
    (checksum(body).to_le_bytes() == sum).then_some(body)
}

/// Reads fields in order; `None` past the end.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // At stake: a record damaged on disk must never be taken for a commit.
        #[test]
        fn any_flipped_bit_and_any_torn_tail_is_detected(body in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let sealed = seal(body.clone());
            prop_assert_eq!(unseal(&sealed), Some(&body[..]));
            let i = at.index(sealed.len());
            let mut flipped = sealed.clone();
            flipped[i] ^= 1 << bit;
            prop_assert_eq!(unseal(&flipped), None);
            prop_assert_eq!(unseal(&sealed[..i]), None);
        }
    }
}
