//! What is stored, into bytes and out of them: commit records, block groups, and the checksum that seals both.

use divan::Bencher;
use divan::counter::BytesCount;
use tabhub::ids::{BlockNo, CommitSeq, Epoch, Generation, GroupNo};
use tabhub::store::codec::checksum;
use tabhub::store::group::Grouping;
use tabhub::store::record::CommitRecord;
use tabhub::store::{Block, Limits};

const BLOCK_BYTES: usize = 4096;
/// Blocks of a commit: one row; as many as stay one value; a large one, in parts.
const COMMITS: [u32; 3] = [2, 14, 1_000];

fn main() {
    divan::main();
}

#[divan::bench(args = [100, BLOCK_BYTES, 60 << 10])]
fn seal(bencher: Bencher, bytes: usize) {
    let value: Vec<u8> = content(bytes).collect();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| checksum(divan::black_box(&value)));
}

#[divan::bench(args = COMMITS)]
fn encode_commit(bencher: Bencher, blocks: u32) {
    let record = record(blocks);
    let bytes = bytes_of(&stored(&record));
    bencher.counter(BytesCount::new(bytes)).with_inputs(|| record.clone()).bench_local_values(|record| parts(record).count());
}

#[divan::bench(args = COMMITS)]
fn decode_commit(bencher: Bencher, blocks: u32) {
    let stored = stored(&record(blocks));
    bencher.counter(BytesCount::new(bytes_of(&stored))).bench_local(|| CommitRecord::decode(&stored));
}

#[divan::bench]
fn encode_group(bencher: Bencher) {
    let blocks = group();
    bencher
        .counter(BytesCount::new(blocks.len() * BLOCK_BYTES))
        .bench_local(|| GROUPING.encode(Generation(1), GroupNo(0), &blocks));
}

#[divan::bench]
fn decode_group(bencher: Bencher) {
    let stored = GROUPING.encode(Generation(1), GroupNo(0), &group());
    bencher.counter(BytesCount::new(stored.len())).bench_local(|| GROUPING.decode(Generation(1), GroupNo(0), &stored));
}

const GROUPING: Grouping = Grouping { block_bytes: BLOCK_BYTES as u32 };

fn group() -> Vec<(BlockNo, Block)> {
    GROUPING.blocks_of(GroupNo(0)).map(|number| (number, block())).collect()
}

fn record(blocks: u32) -> CommitRecord {
    CommitRecord {
        epoch: Epoch(1),
        generation: Generation(1),
        first: CommitSeq(1),
        last: CommitSeq(1),
        blocks,
        block_bytes: BLOCK_BYTES as u32,
        pages: (0..blocks).map(|number| (BlockNo(number), block())).collect(),
        patches: std::iter::empty().collect(),
        // About what the reply to one write takes.
        sessions: content(200).collect(),
    }
}

fn parts(record: CommitRecord) -> impl Iterator<Item = Vec<u8>> {
    record.into_parts(Limits::default().part_bytes)
}

fn stored(record: &CommitRecord) -> Vec<(u64, Vec<u8>)> {
    (1..).zip(parts(record.clone())).collect()
}

fn bytes_of(stored: &[(u64, Vec<u8>)]) -> usize {
    stored.iter().map(|(_, value)| value.len()).sum()
}

fn block() -> Block {
    content(BLOCK_BYTES).collect()
}

/// Bytes that are not all the same.
fn content(bytes: usize) -> impl Iterator<Item = u8> {
    (0..bytes).map(|at| (at * 31 % 251) as u8)
}
