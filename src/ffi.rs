//! The C interface of `SQLite`, from the build that fits the target. The only place that tells the two apart.

#[cfg(not(target_arch = "wasm32"))]
pub use libsqlite3_sys::*;
#[cfg(target_arch = "wasm32")]
pub use sqlite_wasm_rs::*;
