//! Bundles: several frames as one message, because a message costs more than what is in it:
//! `u32 LE 0 | u32 count | u32 length[count] | padding to 8 | frames, each padded to 8`. A header is never empty, so the 0 tells a bundle
//! from a frame. Both ways; `hub-js/bundle.ts` is the tab's side. Frames keep their order, in a bundle and beside it.

use super::frame::{FrameError, padded};

/// A larger frame goes by itself: to copy it once more would cost more than its message.
const FRAME_BYTES_MAX: usize = 4 << 10;
/// So much goes at once, so that the other end can begin with it while the next is made.
const BUNDLE_BYTES: usize = 16 << 10;

/// Frames on their way to one tab.
#[derive(Debug, Default)]
pub struct Bundler {
    frames: Vec<Vec<u8>>,
    bytes: usize,
}

impl Bundler {
    /// Takes a frame; posts what must not wait for more.
    pub fn add(&mut self, frame: Vec<u8>, mut post: impl FnMut(&[u8])) {
        if frame.len() > FRAME_BYTES_MAX {
            self.flush(&mut post);
            return post(&frame);
        }
        self.bytes += frame.len();
        self.frames.push(frame);
        if self.bytes >= BUNDLE_BYTES {
            self.flush(post);
        }
    }

    /// Posts what there is.
    pub fn flush(&mut self, mut post: impl FnMut(&[u8])) {
        match &*self.frames {
            [] => return,
            [frame] => post(frame),
            frames => post(&bundle(frames, self.bytes)),
        }
        self.frames.clear();
        self.bytes = 0;
    }
}

fn bundle(frames: &[Vec<u8>], bytes: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(8 + frames.len() * 12 + bytes);
    let mut word = |word: usize| message.extend_from_slice(&(word as u32).to_le_bytes());
    word(0);
    word(frames.len());
    frames.iter().for_each(|frame| word(frame.len()));
    for frame in frames {
        message.resize(padded(message.len()), 0);
        message.extend_from_slice(frame);
    }
    message.resize(padded(message.len()), 0);
    message
}

/// Whether a message is a bundle; else it is one frame.
pub fn is_bundle(message: &[u8]) -> bool {
    message.starts_with(&[0; 4])
}

/// The frames of a bundle.
///
/// # Errors
/// When it is cut short, longer than its frames, or has fewer than two of them.
pub fn unbundle(message: &[u8]) -> Result<Vec<&[u8]>, FrameError> {
    let word = |index: usize| {
        let bytes = message.get(index * 4..).and_then(<[u8]>::first_chunk::<4>).ok_or(FrameError::Truncated("bundle"))?;
        Ok(u32::from_le_bytes(*bytes) as usize)
    };
    let count = word(1)?;
    if count < 2 {
        return Err(FrameError::Bundle("it has fewer than two frames"));
    }
    let mut frames = vec![];
    // Of a count that is too large, the missing lengths tell before anything is made of it.
    let mut at = padded(count.saturating_mul(4).saturating_add(8).min(message.len() + 1));
    for index in 0..count {
        let length = word(2 + index)?;
        let frame = message.get(at..).and_then(|rest| rest.get(..length)).ok_or(FrameError::Truncated("bundle"))?;
        if is_bundle(frame) || length < 4 {
            return Err(FrameError::Bundle("it has something other than frames in it"));
        }
        frames.push(frame);
        at = padded(at + length);
    }
    if at == message.len() {
        Ok(frames)
    } else {
        Err(FrameError::Bundle("bytes follow the last frame, or its padding is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn posted(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let (mut bundler, mut posted) = (Bundler::default(), vec![]);
        for frame in frames {
            bundler.add(frame.clone(), |message| posted.push(message.to_vec()));
        }
        bundler.flush(|message| posted.push(message.to_vec()));
        bundler.flush(|_| panic!("it was empty"));
        posted
    }

    fn frames_of(message: &[u8]) -> Vec<Vec<u8>> {
        if is_bundle(message) {
            unbundle(message).unwrap().into_iter().map(<[u8]>::to_vec).collect()
        } else {
            vec![message.to_vec()]
        }
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let size = prop_oneof![20 => 0..200usize, 1 => 0..FRAME_BYTES_MAX * 2];
        size.prop_flat_map(|size| proptest::collection::vec(any::<u8>(), size)).prop_map(|rest| [&[1, 0, 0, 0], &*rest].concat())
    }

    proptest! {
        #[test]
        fn frames_arrive_whole_and_in_order(frames in proptest::collection::vec(frame(), 0..200)) {
            let arrived: Vec<_> = posted(&frames).iter().flat_map(|message| frames_of(message)).collect();
            prop_assert_eq!(arrived, frames);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unbundle(&[&[0; 4], &*bytes].concat());
        }
    }

    #[test]
    fn a_frame_by_itself_goes_as_it_is() {
        assert_eq!(posted(&[vec![9; 12]]), [vec![9; 12]]);
    }

    // At stake: where 500 answers are ready at once, their tab gets a few messages and not 500.
    #[test]
    fn many_small_frames_are_few_messages() {
        assert_eq!(posted(&vec![vec![9; 164]; 500]).len(), 5);
    }

    #[test]
    fn every_cut_and_every_excess_of_a_bundle_is_an_error() {
        let whole = posted(&[vec![9; 12], vec![8; 7], vec![7; 8]]).remove(0);
        for length in 4..whole.len() {
            assert!(unbundle(&whole[..length]).is_err(), "cut at {length}");
        }
        assert!(unbundle(&[&*whole, &[0; 8]].concat()).is_err());
        assert_eq!(unbundle(&whole).unwrap(), [&[9; 12][..], &[8; 7], &[7; 8]]);
    }

    #[test]
    fn a_bundle_in_a_bundle_and_one_of_less_than_two_frames_are_refused() {
        let inner = posted(&[vec![9; 8], vec![9; 8]]).remove(0);
        assert!(unbundle(&bundle(&[inner.clone(), inner], 0)).is_err());
        assert!(unbundle(&bundle(&[vec![9; 8]], 0)).is_err());
        assert!(unbundle(&bundle(&[], 0)).is_err());
    }
}
