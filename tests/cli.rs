//! The command line as people run it: what it prints, how it exits, what it leaves behind.

mod directory;

use directory::Directory;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tabhub::native::LocalHub;

const GROUPS: TableDefinition<u64, &[u8]> = TableDefinition::new("groups");

/// What a run of the program came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn tabhub<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_tabhub")).args(args).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ran { code: output.status.code().expect("it ends by itself"), out: text(output.stdout), err: text(output.stderr) }
}

fn arguments<'a>(command: &'a str, paths: &[&'a Path], flags: &'a [&str]) -> Vec<&'a OsStr> {
    let paths = paths.iter().map(|path| path.as_os_str());
    [OsStr::new(command)].into_iter().chain(paths).chain(flags.iter().map(OsStr::new)).collect()
}

/// Runs a command over paths, and expects it to do well.
fn fine(command: &str, paths: &[&Path], flags: &[&str]) -> String {
    let args = arguments(command, paths, flags);
    let ran = tabhub(&args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}: {}", ran.out);
    ran.out
}

/// As [`fine`], but expects it to fail; returns both outputs.
fn fails(command: &str, paths: &[&Path], flags: &[&str]) -> String {
    let args = arguments(command, paths, flags);
    let ran = tabhub(&args);
    assert_eq!(ran.code, 1, "{args:?}: {}{}", ran.out, ran.err);
    ran.out + &ran.err
}

/// A database of about a megabyte, whose table has an index.
fn filled(dir: &Path) {
    let mut db = LocalHub::open(dir).unwrap();
    db.script(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
         CREATE INDEX t_text ON t (text);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 4000)
         INSERT INTO t SELECT n, printf('%08d', n) || hex(randomblob(50)) FROM n",
    )
    .unwrap();
    db.close().unwrap();
}

/// What `SQLite` itself says of a file, where its command line is installed.
fn sqlite(file: &Path, sql: &str) -> Option<String> {
    match Command::new("sqlite3").arg(file).arg(sql).output() {
        Ok(output) => Some(String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()),
        Err(_) => {
            eprintln!("sqlite3 is not installed, so what it would say of {} is not checked", file.display());
            None
        }
    }
}

/// Changes a byte of a stored block group, behind the store's back.
fn damage(dir: &Path) -> u64 {
    let database = redb::Database::open(dir.join("tabhub.redb")).unwrap();
    let (key, mut value) = {
        let groups = database.begin_read().unwrap().open_table(GROUPS).unwrap();
        let (key, value) = groups.iter().unwrap().nth(3).expect("a fourth group").unwrap();
        (key.value(), value.value().to_vec())
    };
    let middle = value.len() / 2;
    value[middle] ^= 1;
    let transaction = database.begin_write().unwrap();
    transaction.open_table(GROUPS).unwrap().insert(key, value.as_slice()).unwrap();
    transaction.commit().unwrap();
    key & u64::from(u32::MAX)
}

#[test]
fn a_database_goes_in_and_comes_out_whole() {
    let directory = Directory::new();
    let (source, dir, again) = (directory.path().join("source"), directory.path().join("dir"), directory.path().join("again"));
    filled(&source);
    let (first, second) = (directory.path().join("first.sqlite"), directory.path().join("second.sqlite"));
    fine("export", &[&source, &first], &[]);
    if let Some(said) = sqlite(&first, "PRAGMA integrity_check; SELECT count(*), min(length(text)) FROM t") {
        assert_eq!(said, "ok\n4000|108\n");
    }
    assert!(fine("import", &[&dir, &first], &[]).contains("bytes imported"));
    fine("export", &[&dir, &second], &[]);
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap(), "the same bytes come out");
    fine("import", &[&again, &second], &[]);
    fine("import", &[&again, &first], &[]);
    let info = fine("info", &[&again], &[]);
    let size = std::fs::metadata(&first).unwrap().len();
    assert!(info.contains(&format!("{size} bytes in")) && info.contains("storage    ok"), "{info}");
    for flags in [&[][..], &["--full"]] {
        assert!(fine("check", &[&again], flags).contains("no problems found"));
    }
}

#[test]
fn chinook_survives_the_way_through() {
    let chinook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/chinook/Chinook_Sqlite.sqlite");
    if !chinook.exists() {
        eprintln!("skipped: {} is not there", chinook.display());
        return;
    }
    let directory = Directory::new();
    let (dir, out) = (directory.path().join("dir"), directory.path().join("out.sqlite"));
    fine("import", &[&dir, &chinook], &[]);
    assert!(fine("check", &[&dir], &["--full"]).contains("no problems found"));
    fine("export", &[&dir, &out], &[]);
    assert!(std::fs::read(&chinook).unwrap() == std::fs::read(&out).unwrap(), "the same bytes come out");
    let tracks = LocalHub::open(&dir).unwrap().query("SELECT count(*) FROM Track", &[]).unwrap();
    assert_eq!(tracks.rows, [[3503i64.into()]]);
}

#[test]
fn damage_is_named_and_what_is_left_can_be_saved() {
    let directory = Directory::new();
    let (dir, file) = (directory.path().join("dir"), directory.path().join("out.sqlite"));
    filled(&dir);
    // An import leaves nothing in the log, so that every block is read from its group.
    let whole = directory.path().join("whole.sqlite");
    fine("export", &[&dir, &whole], &[]);
    fine("import", &[&dir, &whole], &[]);
    let group = damage(&dir);

    for flags in [&[][..], &["--full"]] {
        let said = fails("check", &[&dir], flags);
        assert!(said.contains(&format!("block group {group}")), "{said}");
    }
    let said = fails("export", &[&dir, &file], &[]);
    assert!(said.contains("HUB_CORRUPT") && said.contains(&format!("block group {group}")), "{said}");
    let left = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).filter(|name| name != "dir");
    assert_eq!(left.collect::<Vec<_>>(), ["whole.sqlite"], "a failed export leaves nothing behind");

    let said = fails("export", &[&dir, &file], &["--salvage"]);
    assert!(said.contains("61440 bytes could not be read"), "{said}");
    let (saved, whole_bytes) = (std::fs::read(&file).unwrap(), std::fs::read(&whole).unwrap());
    let at = usize::try_from(group).unwrap() * 61440;
    assert_eq!(saved.len(), whole_bytes.len());
    assert!(saved[..at] == whole_bytes[..at] && saved[at + 61440..] == whole_bytes[at + 61440..], "the rest is as it was");
    assert!(saved[at..at + 61440].iter().all(|byte| *byte == 0));

    fine("import", &[&dir, &whole], &[]);
    assert!(fine("check", &[&dir], &["--full"]).contains("no problems found"), "an import heals");
}

#[test]
fn wrong_usage_names_the_offender_and_exits_with_2() {
    let cases: [(&[&str], &str); 11] = [
        (&[], "there is no command"),
        (&["chekc", "dir"], "\"chekc\""),
        (&["check"], "check needs <dir>"),
        (&["check", "dir", "--fill"], "check has no option --fill"),
        (&["check", "dir", "more"], "\"more\" is one too many for check"),
        (&["check", ""], "an empty path"),
        (&["info", "dir", "--full"], "info has no option --full"),
        (&["export", "dir"], "export needs <file>"),
        (&["export", "--salvage"], "export needs <dir>"),
        (&["import", "dir"], "import needs <file>"),
        (&["import", "dir", "file", "--salvage"], "import has no option --salvage"),
    ];
    for (args, offender) in cases {
        let ran = tabhub(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(offender) && ran.err.contains("usage:"), "{args:?}: {}", ran.err);
    }
    let help = tabhub(&["--help"]);
    assert!(help.code == 0 && help.out.starts_with("usage:"));
    assert_eq!(tabhub(&["--version"]).out, format!("tabhub {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_cannot_be_done_says_why_and_changes_nothing() {
    let directory = Directory::new();
    let path = |name: &str| -> PathBuf { directory.path().join(name) };
    filled(&path("dir"));
    std::fs::write(path("text"), "this is not a database, however long it may be. ".repeat(100)).unwrap();
    std::fs::write(path("empty"), "").unwrap();
    let cases: [(&str, &[&str], &str); 8] = [
        ("check", &["missing"], "HUB_STORAGE_UNAVAILABLE"),
        ("info", &["."], "is not a tabhub store"),
        ("export", &["text", "out"], "is not a directory"),
        ("export", &["dir", "text"], "is there already"),
        ("export", &["dir", "nowhere/out"], "nowhere/out"),
        ("import", &["dir", "missing"], "missing"),
        ("import", &["dir", "text"], "HUB_NOT_A_DATABASE"),
        ("import", &["dir", "empty"], "HUB_NOT_A_DATABASE"),
    ];
    for (command, names, why) in cases {
        let paths: Vec<PathBuf> = names.iter().map(|name| path(name)).collect();
        let said = fails(command, &paths.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &[]);
        assert!(said.contains(why), "{command} {names:?}: {said}");
    }
    assert!(!path("missing").exists());
    let count = LocalHub::open(path("dir")).unwrap().query("SELECT count(*) FROM t", &[]).unwrap();
    assert_eq!(count.rows, [[4000i64.into()]]);
}

#[test]
fn a_second_process_is_refused_while_the_first_has_the_directory() {
    let directory = Directory::new();
    let dir = directory.path().join("dir");
    let mut db = LocalHub::open(&dir).unwrap();
    db.script("CREATE TABLE t (x)").unwrap();
    let said = fails("check", &[&dir], &[]);
    assert!(said.contains("HUB_STORAGE_UNAVAILABLE") && said.contains("open in another process"), "{said}");
    db.script("INSERT INTO t VALUES (1)").unwrap();
    db.close().unwrap();
    fine("check", &[&dir], &["--full"]);
}
