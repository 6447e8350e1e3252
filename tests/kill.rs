//! Acked is on the disk, also when the process is killed at any moment: a child writes through a `LocalHub` in strict mode and says
//! on stdout what was acknowledged; the parent kills it without warning, opens the directory and looks for every ack.
//!
//! `KILL_ROUNDS=200 cargo test --test kill -- --nocapture` runs more rounds and prints its figures, `KILL_SEED` repeats a plan.

mod directory;

use directory::Directory;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tabhub::native::{CheckLevel, LocalHub, Result, Value};

/// A way to write one event: its number and payload.
type Writer = fn(&mut LocalHub, i64, &str) -> Result<()>;

const WRITERS: [Writer; 4] = [insert, insert_in_script, insert_in_transaction, insert_in_batch];
const NAMES: [&str; 4] = ["insert", "script", "transaction", "batch"];

/// Rounds that one directory lives through.
const ROUNDS_A_DIRECTORY: u64 = 25;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS event (writer INTEGER, n INTEGER, payload TEXT, checksum TEXT);
    CREATE INDEX IF NOT EXISTS event_n ON event (writer, n);
    CREATE TABLE IF NOT EXISTS total (writer INTEGER PRIMARY KEY, events INTEGER, bytes INTEGER)";
const INSERT: &str = "INSERT INTO event VALUES (?1, ?2, ?3, ?4)";
const ADD: &str = "INSERT INTO total VALUES (?1, 1, ?2)
    ON CONFLICT (writer) DO UPDATE SET events = events + 1, bytes = bytes + excluded.bytes";

// ---- chance

struct Dice(u64);

impl Dice {
    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 33) % n
    }
}

/// The payload of an event: mostly small, sometimes so large that its commit has several parts.
fn payload(writer: usize, n: i64) -> String {
    let mut dice = Dice(writer as u64 * 1_000_003 + n.cast_unsigned());
    dice.below(2);
    let bytes = match dice.below(40) {
        0 => 100_000 + dice.below(400_000),
        1..=9 => dice.below(20_000),
        _ => dice.below(300),
    };
    let mut text = String::new();
    for _ in 0..bytes / 8 {
        write!(text, "{:08x}", dice.below(1 << 31)).unwrap();
    }
    text
}

fn checksum(payload: &str) -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325u64;
    for byte in payload.bytes() {
        sum = (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    format!("{sum:016x}")
}

// ---- the child

fn event(writer: i64, n: i64, payload: &str) -> [Value; 4] {
    [writer.into(), n.into(), payload.into(), checksum(payload).into()]
}

fn insert(db: &mut LocalHub, n: i64, payload: &str) -> Result<()> {
    db.execute(INSERT, &event(0, n, payload)).map(drop)
}

fn insert_in_script(db: &mut LocalHub, n: i64, payload: &str) -> Result<()> {
    let sum = checksum(payload);
    let script = format!(
        "INSERT INTO event VALUES (1, {n}, '', '');
         UPDATE event SET payload = '{payload}' WHERE writer = 1 AND n = {n};
         UPDATE event SET checksum = '{sum}' WHERE writer = 1 AND n = {n}"
    );
    db.script(&script).map(drop)
}

fn insert_in_transaction(db: &mut LocalHub, n: i64, payload: &str) -> Result<()> {
    db.transaction(|tx| {
        tx.execute(INSERT, &event(2, n, payload))?;
        tx.execute(ADD, &[2i64.into(), bytes(payload)]).map(drop)
    })
}

fn insert_in_batch(db: &mut LocalHub, n: i64, payload: &str) -> Result<()> {
    db.batch(&[(INSERT, &event(3, n, payload)), (ADD, &[3i64.into(), bytes(payload)])]).map(drop)
}

fn bytes(payload: &str) -> Value {
    Value::Integer(payload.len().try_into().unwrap())
}

/// Not a test: what the parent starts and kills.
#[test]
#[ignore = "the child of the other test, which never ends by itself"]
fn child_writes_until_it_is_killed() {
    let dir = std::env::var_os("KILL_DIRECTORY").expect("KILL_DIRECTORY names the database; the test beside this one sets it");
    let mut dice = Dice(std::env::var("KILL_CHILD_SEED").unwrap().parse().unwrap());
    let mut db = LocalHub::open(dir).unwrap();
    db.script(SCHEMA).unwrap();
    let mut last: Vec<i64> = (0..WRITERS.len()).map(|writer| newest(&mut db, writer)).collect();
    println!("\nopened");
    loop {
        let writer = usize::try_from(dice.below(4)).unwrap();
        let n = last[writer] + 1;
        WRITERS[writer](&mut db, n, &payload(writer, n)).unwrap();
        last[writer] = n;
        println!("ack {writer} {n}");
        std::io::stdout().flush().unwrap();
    }
}

fn newest(db: &mut LocalHub, writer: usize) -> i64 {
    integer(db, "SELECT coalesce(max(n), 0) FROM event WHERE writer = ?", writer)
}

fn integer(db: &mut LocalHub, sql: &str, writer: usize) -> i64 {
    match db.query(sql, &[i64::try_from(writer).unwrap().into()]).unwrap().rows[..] {
        [ref row] => match row[..] {
            [Value::Integer(n)] => n,
            _ => panic!("{row:?}"),
        },
        ref rows => panic!("{rows:?}"),
    }
}

// ---- the parent

#[derive(Default)]
struct Figures {
    rounds: u64,
    acks: u64,
    before_opened: u64,
    unacked_applied: i64,
}

/// Starts a child, kills it, and notes what it acknowledged.
fn round(dir: &Path, dice: &mut Dice, acked: &mut [i64], figures: &mut Figures) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_writes_until_it_is_killed", "--ignored", "--nocapture", "--test-threads=1"])
        .env("KILL_DIRECTORY", dir)
        .env("KILL_CHILD_SEED", dice.below(1 << 31).to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the test can start itself");
    let lines_before_the_kill = if dice.below(5) == 0 { 0 } else { dice.below(60) };
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (mut opened, mut acks, mut line) = (false, 0, String::new());
    let mut note = |line: &str| {
        opened |= line == "opened\n";
        if let Some(ack) = line.strip_suffix('\n').and_then(|line| line.strip_prefix("ack ")) {
            let (writer, n) = ack.split_once(' ').unwrap();
            acked[writer.parse::<usize>().unwrap()] = n.parse().unwrap();
            acks += 1;
        }
        acks
    };
    while note(&line) < lines_before_the_kill {
        line.clear();
        assert!(
            lines.read_line(&mut line).unwrap() != 0,
            "the child died by itself: {}",
            String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr)
        );
    }
    let within = if lines_before_the_kill == 0 { 60_000 } else { 4_000 };
    std::thread::sleep(Duration::from_micros(dice.below(within)));
    child.kill().unwrap();
    child.wait().unwrap();
    line.clear();
    while lines.read_line(&mut line).unwrap() > 0 {
        note(&line);
        line.clear();
    }
    figures.acks += acks;
    figures.before_opened += u64::from(!opened);
    figures.rounds += 1;
}

/// What is wrong with a database, given the newest acknowledged event of each writer. Returns how many more there are.
fn verify(db: &mut LocalHub, acked: &[i64]) -> std::result::Result<i64, String> {
    let problems = db.check(CheckLevel::Full, |_| {}).map_err(|error| error.to_string())?;
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    db.script(SCHEMA).map_err(|error| error.to_string())?;
    let mut more = 0;
    for (writer, acked) in acked.iter().enumerate() {
        more += verify_writer(db, writer, *acked).map_err(|why| format!("writer {writer} ({}): {why}", NAMES[writer]))?;
    }
    if more > 1 { Err(format!("{more} events were never acknowledged, but the child waits for each")) } else { Ok(more) }
}

fn verify_writer(db: &mut LocalHub, writer: usize, acked: i64) -> std::result::Result<i64, String> {
    let number = i64::try_from(writer).unwrap();
    let found = db.query("SELECT n, payload, checksum FROM event WHERE writer = ? ORDER BY n", &[number.into()]).unwrap();
    let mut bytes = 0;
    for (row, n) in found.rows.iter().zip(1..) {
        let expected = payload(writer, n);
        bytes += i64::try_from(expected.len()).unwrap();
        if *row != [n.into(), Value::from(expected.as_str()), checksum(&expected).into()] {
            return Err(format!("where event {n} should be, there is {:?} with {:?}", row[0], row[2]));
        }
    }
    let last = i64::try_from(found.rows.len()).unwrap();
    if last < acked {
        return Err(format!("events up to {acked} were acknowledged, those up to {last} are there"));
    }
    let totals = db.query("SELECT events, bytes FROM total WHERE writer = ?", &[number.into()]).unwrap().rows;
    let expected: &[Vec<Value>] = &[vec![last.into(), bytes.into()]];
    if writer >= 2 && last > 0 && totals != expected {
        return Err(format!("the totals are {totals:?}, of {last} events with {bytes} bytes"));
    }
    Ok(last - acked)
}

#[test]
fn every_ack_survives_kill_9() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (rounds, seed) = (number("KILL_ROUNDS", 10), number("KILL_SEED", u64::from(std::process::id())));
    println!("KILL_SEED={seed}");
    let (mut dice, mut figures) = (Dice(seed), Figures::default());
    while figures.rounds < rounds {
        let directory = Directory::new();
        let mut acked = [0; WRITERS.len()];
        for _ in 0..ROUNDS_A_DIRECTORY.min(rounds - figures.rounds) {
            round(directory.path(), &mut dice, &mut acked, &mut figures);
            let mut db = LocalHub::open(directory.path()).unwrap();
            let more = verify(&mut db, &acked).unwrap_or_else(|why| panic!("round {}, KILL_SEED={seed}: {why}", figures.rounds));
            figures.unacked_applied += more;
            // What was applied without an ack stays, and counts from now on.
            acked = std::array::from_fn(|writer| newest(&mut db, writer));
        }
    }
    let Figures { rounds, acks, before_opened, unacked_applied } = figures;
    println!(
        "{rounds} kills, {before_opened} of them before the database was open; {acks} acks, all there; \
         {unacked_applied} writes were there though their ack was cut off"
    );
    assert!(rounds < 10 || acks > rounds, "the children hardly wrote anything");
}

#[test]
fn the_check_finds_a_lost_a_repeated_and_a_changed_write() {
    let directory = Directory::new();
    let mut db = LocalHub::open(directory.path()).unwrap();
    db.script(SCHEMA).unwrap();
    for (writer, write) in WRITERS.iter().enumerate() {
        (1..=3).for_each(|n| write(&mut db, n, &payload(writer, n)).unwrap());
    }
    assert_eq!(verify(&mut db, &[3, 3, 3, 3]), Ok(0));
    assert_eq!(verify(&mut db, &[3, 2, 3, 3]), Ok(1));
    let mut after = |damage: &str| {
        db.script(&format!("CREATE TABLE kept AS SELECT * FROM event; {damage}")).unwrap();
        let found = verify(&mut db, &[3, 3, 3, 3]);
        db.script("DELETE FROM event; INSERT INTO event SELECT * FROM kept; DROP TABLE kept").unwrap();
        found.unwrap_err()
    };
    assert!(after("DELETE FROM event WHERE writer = 0 AND n = 3").contains("up to 2 are there"));
    assert!(after("DELETE FROM event WHERE writer = 1 AND n = 2").contains("where event 2 should be"));
    assert!(after("INSERT INTO event SELECT * FROM event WHERE writer = 3 AND n = 3").contains("where event 4 should be"));
    assert!(after("UPDATE event SET payload = payload || 'x' WHERE writer = 2 AND n = 1").contains("where event 1 should be"));
    db.script("UPDATE total SET events = events - 1 WHERE writer = 2").unwrap();
    assert!(verify(&mut db, &[3, 3, 3, 3]).unwrap_err().contains("the totals"));
    assert!(verify(&mut db, &[3, 3, 3, 0]).is_err());
}
