//! Options, and their form in JavaScript. What is not set is not sent: the defaults are the JavaScript client's.

use super::convert::set;
use js_sys::{Array, Object};
use std::time::Duration;
use web_sys::AbortSignal;

/// Where the hub runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Auto,
    Shared,
    Leader,
}

/// What to do where nothing can be stored: fail, or go on in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    Required,
    Preferred,
}

/// When a write is acknowledged: `Strict` asks the browser to flush first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Strict,
    Relaxed,
}

impl Durability {
    fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Relaxed => "relaxed",
        }
    }
}

/// How to open a database; see `OpenOptions` of the JavaScript client.
///
/// ```ignore
/// let options = OpenOptions { migrations: vec![(1, "CREATE TABLE note (text)".into())], ..OpenOptions::default() };
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    pub mode: Option<Mode>,
    pub persistence: Option<Persistence>,
    pub durability: Option<Durability>,
    pub cache_bytes: Option<u32>,
    /// Where `hub.js` is served. Default: beside `tabhub.js`.
    pub worker_url: Option<String>,
    /// Where `hub.wasm` is served. Default: beside `hub.js`.
    pub wasm_url: Option<String>,
    /// Versions, rising, and the SQL that leads to each; every step is carried out once, whichever tab comes first.
    pub migrations: Vec<(u32, String)>,
}

impl OpenOptions {
    pub(super) fn to_js(&self) -> Object {
        let object = Object::new();
        if let Some(mode) = self.mode {
            set(
                &object,
                "mode",
                match mode {
                    Mode::Auto => "auto",
                    Mode::Shared => "shared",
                    Mode::Leader => "leader",
                },
            );
        }
        if let Some(persistence) = self.persistence {
            set(
                &object,
                "persistence",
                match persistence {
                    Persistence::Required => "required",
                    Persistence::Preferred => "preferred",
                },
            );
        }
        if let Some(durability) = self.durability {
            set(&object, "durability", durability.name());
        }
        if let Some(bytes) = self.cache_bytes {
            set(&object, "cacheBytes", bytes);
        }
        for (name, url) in [("workerUrl", &self.worker_url), ("wasmUrl", &self.wasm_url)] {
            if let Some(url) = url {
                set(&object, name, url);
            }
        }
        if !self.migrations.is_empty() {
            set(&object, "migrations", self.migrations.iter().map(migration).collect::<Array>());
        }
        object
    }
}

fn migration((version, up): &(u32, String)) -> Object {
    let object = Object::new();
    set(&object, "version", *version);
    set(&object, "up", up);
    object
}

/// How a call is made; [`Database::with`](super::Database::with) sets them.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// Longest time, waiting included, before `HUB_TIMEOUT`; of a transaction: between two of its statements.
    pub timeout: Option<Duration>,
    /// Stops the call with `HUB_CANCELLED`.
    pub signal: Option<AbortSignal>,
    /// Of writes outside of a transaction, and of a transaction as a whole.
    pub durability: Option<Durability>,
}

impl CallOptions {
    /// For calls that know no durability.
    pub(super) fn reading(&self) -> Object {
        let object = Object::new();
        if let Some(timeout) = self.timeout {
            set(&object, "timeout", timeout.as_secs_f64() * 1000.0);
        }
        if let Some(signal) = &self.signal {
            set(&object, "signal", signal);
        }
        object
    }

    pub(super) fn writing(&self) -> Object {
        let object = self.reading();
        if let Some(durability) = self.durability {
            set(&object, "durability", durability.name());
        }
        object
    }
}
