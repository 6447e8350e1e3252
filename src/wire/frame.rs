//! Frames: `u32 LE header length | header (JSON) | padding to 8 | payload`. The payload is left to `value` or to the reader.
//!
//! Called by `web` for every message on a port. It trusts nothing it is given and never panics.

use super::body::{write_response, write_stored};
use super::message::{Request, Response};
use super::op::read_request;

/// Why bytes from a port are not a frame, or its payload not what the header promised. Answered as `HUB_PROTOCOL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The bytes end before what their own lengths announce.
    Truncated(&'static str),
    /// The header is not JSON, or not a message of this protocol.
    Header(String),
    /// The bundle contradicts itself.
    Bundle(&'static str),
    /// The value block contradicts itself or its header.
    Block(&'static str),
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (what, detail) = match self {
            Self::Truncated(part) => ("frame ends inside its ", *part),
            Self::Header(detail) => ("frame header is not understood: ", detail.as_str()),
            Self::Bundle(detail) => ("bundle is malformed: ", *detail),
            Self::Block(detail) => ("value block is malformed: ", *detail),
        };
        f.write_str(what)?;
        f.write_str(detail)
    }
}

impl core::error::Error for FrameError {}

/// Splits a frame from a tab into its request and its payload.
///
/// # Errors
/// When the frame is cut short or its header is not a request of this protocol version.
pub fn decode_request(frame: &[u8]) -> Result<(Request, &[u8]), FrameError> {
    let (length, rest) = frame.split_first_chunk::<4>().ok_or(FrameError::Truncated("header length"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let header = rest.get(..length).ok_or(FrameError::Truncated("header"))?;
    let header = std::str::from_utf8(header).map_err(|_| FrameError::Header("not UTF-8".into()))?;
    let request = read_request(header).map_err(FrameError::Header)?;
    let payload = frame.get(padded(4 + length)..).ok_or(FrameError::Truncated("padding"))?;
    Ok((request, payload))
}

/// One frame for a tab. `payload` is what the body promises: value blocks, raw bytes or nothing.
pub fn encode_response(response: &Response, payload: &[u8]) -> Vec<u8> {
    encode(|frame| write_response(response, frame), payload)
}

/// One frame for a tab, with a body that was kept as [`body_text`](super::body_text).
pub fn encode_stored(hub: &str, re: u64, body: &str, payload: &[u8]) -> Vec<u8> {
    encode(|frame| write_stored(hub, re, body, frame), payload)
}

fn encode(header: impl FnOnce(&mut Vec<u8>), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(256 + payload.len());
    frame.extend_from_slice(&[0; 4]);
    header(&mut frame);
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame.resize(padded(frame.len()), 0);
    frame.extend_from_slice(payload);
    frame
}

/// The next multiple of 8.
pub(super) fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::padded;
    use proptest::prelude::*;

    fn frame(header: &str, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(padded(bytes.len()), 0);
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn a_request_is_split_into_header_and_payload() {
        let bytes = frame(r#"{"id":7,"op":{"part":{"target":3,"end":true}}}"#, &[1, 2, 3]);
        let (request, payload) = decode_request(&bytes).unwrap();
        assert_eq!(request, Request { id: 7, write: None, answered: None, op: Op::Part(Part { target: 3, end: true }) });
        assert_eq!(payload, [1, 2, 3]);
    }

    #[test]
    fn a_misspelt_option_is_refused_and_named() {
        let bytes = frame(r#"{"id":1,"op":{"exec":{"sql":"","durabilty":"strict"}}}"#, &[]);
        let error = decode_request(&bytes).unwrap_err().to_string();
        assert!(error.contains("durabilty"), "{error}");
    }

    #[test]
    fn a_newer_hello_is_understood_so_that_its_version_can_be_refused() {
        let header = r#"{"id":1,"op":{"hello":{"protocol":9,"client":"c","lock":"","build":"b","persistence":"required","durability":"strict","colour":1}}}"#;
        let bytes = frame(header, &[]);
        let Op::Hello(hello) = decode_request(&bytes).unwrap().0.op else { panic!("not a hello") };
        assert_eq!(hello.protocol, 9);
    }

    #[test]
    fn an_older_hello_is_understood_so_that_its_version_can_be_refused() {
        let header = r#"{"id":1,"op":{"hello":{"protocol":2,"client":"c","lock":"","build":"b","persistence":"required","durability":"strict"}}}"#;
        let bytes = frame(header, &[]);
        let Op::Hello(hello) = decode_request(&bytes).unwrap().0.op else { panic!("not a hello") };
        assert_eq!((hello.protocol, hello.format), (2, 0));
    }

    #[test]
    fn every_cut_of_a_frame_is_an_error() {
        let whole = frame(r#"{"id":1,"op":{"close":{}}}"#, &[]);
        for length in 0..whole.len() {
            assert!(decode_request(&whole[..length]).is_err(), "cut at {length}");
        }
        assert!(decode_request(&whole).is_ok());
    }

    #[test]
    fn a_response_payload_starts_at_a_multiple_of_eight() {
        for hub in ["", "a", "ab", "abc", "abcdefgh"] {
            let response = Response { hub: hub.into(), re: 1, body: Body::Begun(Begun { tx: 1 }) };
            let bytes = encode_response(&response, b"payload");
            let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
            assert_eq!(serde_json::from_slice::<Response>(&bytes[4..4 + length]).unwrap(), response);
            assert_eq!(&bytes[padded(4 + length)..], b"payload");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_request(&bytes);
        }

        #[test]
        fn no_flipped_byte_makes_the_decoder_panic(at in 0usize..64, with in any::<u8>()) {
            let mut bytes = frame(r#"{"id":1,"op":{"begin":{"mode":"read","timeout":5000}}}"#, &[0; 8]);
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = decode_request(&bytes);
        }
    }
}
