//! The frames of `tests/wire_golden`, which `tests/js/golden.test.mjs` reads too: the hub must read every request and write every
//! response exactly so. A change here is a change of the protocol: raise `PROTOCOL_VERSION`.

use serde::Deserialize;
use std::path::{Path, PathBuf};
use tabhub::store::header::FORMAT;
use tabhub::wire::{
    Body, Op, PROTOCOL_VERSION, Request, Response, RowsWriter, Value, ValuesReader, decode_request, encode_response,
};

#[derive(Deserialize)]
struct Golden {
    direction: String,
    header: serde_json::Value,
    values: Payload,
    hex: String,
}

/// Raw bytes as hex, or blocks of tagged values.
#[derive(Deserialize)]
#[serde(untagged)]
enum Payload {
    Bytes(String),
    Blocks(Vec<Vec<Option<Tagged>>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tagged {
    Integer(String),
    Real(String),
    Text(String),
    Blob(String),
}

fn value(tagged: Option<&Tagged>) -> Value {
    match tagged {
        None => Value::Null,
        Some(Tagged::Integer(text)) => Value::Integer(text.parse().unwrap()),
        Some(Tagged::Real(text)) => Value::Real(text.parse().unwrap()),
        Some(Tagged::Text(text)) => Value::Text(text.clone()),
        Some(Tagged::Blob(hex)) => Value::Blob(bytes(hex)),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn write_block(block: &[Option<Tagged>], payload: &mut Vec<u8>) {
    let mut writer = RowsWriter::new();
    for tagged in block {
        match value(tagged.as_ref()) {
            Value::Null => writer.null(),
            Value::Integer(value) => writer.integer(value),
            Value::Real(value) => writer.real(value),
            Value::Text(value) => writer.text(&value),
            Value::Blob(value) => writer.blob(&value),
        }
    }
    writer.write_to(payload);
}

fn check_request(file: &Path, golden: &Golden) {
    let frame = bytes(&golden.hex);
    let (request, payload) = decode_request(&frame).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let expected: Request = serde_json::from_value(golden.header.clone()).unwrap();
    assert_eq!(request, expected, "{}", file.display());
    match &golden.values {
        Payload::Bytes(hex) => assert_eq!(payload, bytes(hex), "{}", file.display()),
        Payload::Blocks(blocks) => {
            let mut reader = ValuesReader::new(payload);
            for block in blocks {
                let expected: Vec<Value> = block.iter().map(|tagged| value(tagged.as_ref())).collect();
                assert_eq!(reader.block(block.len()).unwrap(), expected, "{}", file.display());
            }
            reader.finish().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
    }
}

fn check_response(file: &Path, golden: &Golden) {
    let response: Response = serde_json::from_value(golden.header.clone()).unwrap();
    let mut payload = Vec::new();
    match &golden.values {
        Payload::Bytes(hex) => payload = bytes(hex),
        Payload::Blocks(blocks) => blocks.iter().for_each(|block| write_block(block, &mut payload)),
    }
    assert_eq!(encode_response(&response, &payload), bytes(&golden.hex), "{}", file.display());
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire_golden");
    folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_golden_frame_is_read_and_written_alike() {
    let (mut requests, mut responses) = (0, 0);
    for file in files() {
        let golden: Golden = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        if golden.direction == "request" {
            check_request(&file, &golden);
            requests += 1;
        } else {
            check_response(&file, &golden);
            responses += 1;
        }
    }
    assert!(requests >= 15 && responses >= 12, "{requests} requests, {responses} responses");
}

// At stake: the client says of itself what the hub beside it is. The client's test holds its own constants to the same frames.
#[test]
fn the_golden_hello_and_welcome_are_of_this_build() {
    let golden = |name: &str| -> Golden {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire_golden").join(name);
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    };
    let request: Request = serde_json::from_value(golden("request_hello.json").header).unwrap();
    let response: Response = serde_json::from_value(golden("response_welcome.json").header).unwrap();
    let (Op::Hello(hello), Body::Welcome(welcome)) = (request.op, response.body) else { panic!("hello and welcome") };
    assert_eq!((hello.protocol, hello.format), (PROTOCOL_VERSION, u32::from(FORMAT)));
    assert_eq!((welcome.protocol, welcome.format), (PROTOCOL_VERSION, u32::from(FORMAT)));
}
