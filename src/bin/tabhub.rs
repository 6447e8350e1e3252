//! The command line over a directory: check, info, export, import. Native only; everything it does, `tabhub::native` does.
//! Results go to stdout, progress to stderr where that is a terminal. A kill at any moment leaves the database as it was or as it
//! should be. Exit code: 0 all is well, 1 it failed or problems were found, 2 wrong usage.

#[cfg(target_arch = "wasm32")]
fn main() {
    panic!("the command line is a native program: build it for the machine it is to run on");
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    native::main()
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::ffi::OsString;
    use std::fs::{self, File};
    use std::io::{BufReader, BufWriter, IsTerminal, Write};
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use tabhub::native::{CheckLevel, LocalError, LocalHub, LocalOptions, StorageState};

    const USAGE: &str = "\
usage: tabhub check <dir> [--full]             verify what is stored and SQLite's structures (--full: all of them)
       tabhub info <dir>                       what is in the directory
       tabhub export <dir> <file> [--salvage]  write the database as a SQLite file (--salvage: zeros for what cannot be read)
       tabhub import <dir> <file>              replace the database by a SQLite file; makes the directory
       tabhub --help | --version";

    enum Command {
        Check { dir: PathBuf, level: CheckLevel },
        Info { dir: PathBuf },
        Export { dir: PathBuf, file: PathBuf, salvage: bool },
        Import { dir: PathBuf, file: PathBuf },
        Say(String),
    }

    pub fn main() -> ExitCode {
        let command = match parse(std::env::args_os().skip(1)) {
            Ok(command) => command,
            Err(why) => {
                eprintln!("tabhub: {why}\n{USAGE}");
                return ExitCode::from(2);
            }
        };
        let done = match command {
            Command::Check { dir, level } => check(&dir, level),
            Command::Info { dir } => info(&dir),
            Command::Export { dir, file, salvage } => export(&dir, &file, salvage),
            Command::Import { dir, file } => import(&dir, &file),
            Command::Say(text) => say(&text).map(|()| ExitCode::SUCCESS),
        };
        done.unwrap_or_else(|why| {
            eprintln!("tabhub: {why}");
            ExitCode::FAILURE
        })
    }

    fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
        let mut args = args.peekable();
        let name = args.next().ok_or("there is no command")?;
        let (operands, flag): (&[&str], &str) = match name.to_str() {
            Some("check") => (&["<dir>"], "--full"),
            Some("info") => (&["<dir>"], ""),
            Some("export") => (&["<dir>", "<file>"], "--salvage"),
            Some("import") => (&["<dir>", "<file>"], ""),
            Some("--help" | "-h" | "help") => return Ok(Command::Say(USAGE.into())),
            Some("--version" | "-V") => return Ok(Command::Say(format!("tabhub {}", env!("CARGO_PKG_VERSION")))),
            _ => return Err(format!("there is no command \"{}\"", name.display())),
        };
        let (mut paths, mut flagged) = (vec![], false);
        for arg in args {
            match arg.to_str() {
                Some(text) if !flag.is_empty() && text == flag => flagged = true,
                Some(text) if text.starts_with("--") => return Err(format!("{} has no option {text}", name.display())),
                _ if arg.is_empty() => return Err(format!("{} got an empty path", name.display())),
                _ if paths.len() == operands.len() => {
                    return Err(format!("\"{}\" is one too many for {}", arg.display(), name.display()));
                }
                _ => paths.push(PathBuf::from(arg)),
            }
        }
        if let Some(missing) = operands.get(paths.len()) {
            return Err(format!("{} needs {missing}", name.display()));
        }
        let mut paths = paths.into_iter();
        let mut path = || paths.next().expect("as many as there are operands");
        Ok(match name.to_str() {
            Some("check") => Command::Check { dir: path(), level: if flagged { CheckLevel::Full } else { CheckLevel::Quick } },
            Some("info") => Command::Info { dir: path() },
            Some("export") => Command::Export { dir: path(), file: path(), salvage: flagged },
            _ => Command::Import { dir: path(), file: path() },
        })
    }

    type Done = Result<ExitCode, String>;

    fn check(dir: &Path, level: CheckLevel) -> Done {
        let mut hub = open(dir)?;
        let mut progress = Progress::new();
        let problems = hub.check(level, |step| progress.show(&format!("{:?}", step.stage).to_lowercase(), step.done, step.total));
        progress.end();
        let problems = problems.map_err(text)?;
        if problems.is_empty() {
            say(&format!("{}: no problems found", dir.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        say(&problems.join("\n"))?;
        eprintln!("tabhub: {} problem(s) found; `tabhub export --salvage` saves what can be read", problems.len());
        Ok(ExitCode::FAILURE)
    }

    fn info(dir: &Path) -> Done {
        let mut hub = open(dir)?;
        let welcome = hub.welcome().clone();
        let (state, why) = hub.storage();
        let storage = if state == StorageState::Ok { "ok".into() } else { format!("{state:?}: {why}").to_lowercase() };
        let figures = hub.metrics().map_err(text)?;
        let figure = |name: &str| figures.get(name).copied().unwrap_or_default();
        let bytes = figure("blocks_total") * figure("block_bytes");
        let lines = [
            ("directory", dir.display().to_string()),
            ("tabhub", welcome.version),
            ("SQLite", welcome.sqlite),
            ("storage", storage),
            ("epoch", welcome.epoch.to_string()),
            ("commit", welcome.commit.to_string()),
            ("size", format!("{bytes} bytes in {} pages of {}", figure("blocks_total"), figure("block_bytes"))),
            ("log", format!("{} bytes in {} records", figure("log_bytes"), figure("log_records"))),
        ];
        for (name, value) in lines {
            say(&format!("{name:<10} {value}"))?;
        }
        hub.close().map_err(text)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Under another name until it is whole, so that a file of the wanted name is never half a database.
    fn export(dir: &Path, file: &Path, salvage: bool) -> Done {
        if file.exists() {
            return Err(format!("{} is there already: name another file, or remove it", file.display()));
        }
        let mut partial = file.to_path_buf().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut hub = open(dir)?;
        let exported = export_to(&mut hub, &partial, salvage);
        if exported.is_err() {
            // What went wrong before says more than what goes wrong here.
            let _ = fs::remove_file(&partial);
        }
        let (bytes, lost) = exported.map_err(|error| named(file, &error))?;
        fs::rename(&partial, file).map_err(|error| format!("{}: {error}", file.display()))?;
        say(&format!("{}: {bytes} bytes", file.display()))?;
        if lost > 0 {
            eprintln!("tabhub: {lost} bytes could not be read and are zeros; try sqlite3's .recover on the file");
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn export_to(hub: &mut LocalHub, path: &Path, salvage: bool) -> Result<(u64, u64), LocalError> {
        let mut progress = Progress::new();
        let mut to = BufWriter::new(File::create(path)?);
        let mut written = 0;
        let exported = hub.export(&mut to, salvage, |done, total| {
            written = done;
            progress.show("exported", done, total);
        });
        progress.end();
        let lost = exported?;
        to.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        Ok((written, lost))
    }

    fn import(dir: &Path, file: &Path) -> Done {
        let from = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let size = from.metadata().map_err(|error| format!("{}: {error}", file.display()))?.len();
        let mut hub = LocalHub::open(dir).map_err(text)?;
        let mut progress = Progress::new();
        let imported = hub.import(&mut BufReader::new(from), size, |done| progress.show("imported", done, size));
        progress.end();
        imported.map_err(|error| named(file, &error))?;
        hub.close().map_err(text)?;
        say(&format!("{}: {size} bytes imported", dir.display()))?;
        Ok(ExitCode::SUCCESS)
    }

    fn open(dir: &Path) -> Result<LocalHub, String> {
        LocalHub::open_with(dir, LocalOptions { create: false, ..LocalOptions::default() }).map_err(text)
    }

    #[allow(clippy::needless_pass_by_value, reason = "for map_err")]
    fn text(error: LocalError) -> String {
        error.to_string()
    }

    /// A failure of the file itself does not say which file.
    fn named(file: &Path, error: &LocalError) -> String {
        match error {
            LocalError::Io(error) => format!("{}: {error}", file.display()),
            LocalError::Hub(_) => error.to_string(),
        }
    }

    /// A line of results; a reader that has gone (`tabhub check … | head`) is an error like any other.
    fn say(line: &str) -> Result<(), String> {
        writeln!(std::io::stdout(), "{line}").map_err(|error| format!("stdout: {error}"))
    }

    /// One line on stderr that is written over, for people only.
    struct Progress {
        for_people: bool,
        percent: Option<u64>,
    }

    impl Progress {
        fn new() -> Self {
            Self { for_people: std::io::stderr().is_terminal(), percent: None }
        }

        fn show(&mut self, what: &str, done: u64, total: u64) {
            let percent = done * 100 / total.max(1);
            if self.for_people && self.percent.replace(percent) != Some(percent) {
                eprint!("\r{what} {percent} % ");
            }
        }

        fn end(&self) {
            if self.percent.is_some() {
                eprint!("\r\x1b[K");
            }
        }
    }
}
