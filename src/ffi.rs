//! The C interface of `SQLite`, from the build that fits the target. The only place that tells the two apart.

#[cfg(not(target_arch = "wasm32"))]
pub use libsqlite3_sys::*;
#[cfg(target_arch = "wasm32")]
pub use sqlite_wasm_rs::*;

/// Bytes of the module's memory, which never shrinks; natively nobody knows, 0.
pub fn memory_bytes() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) as u64 * 65536;
    #[cfg(not(target_arch = "wasm32"))]
    0
}
