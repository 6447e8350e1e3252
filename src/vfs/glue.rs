//! The C side of the VFS: turns `SQLite`'s callbacks into calls of [`DbFile`], and results into result codes. Journals do
//! not exist (they are in memory).

use super::db_file::{DbFile, Fault, PragmaRuling};
use super::temp::{Purpose, TempFile};
use super::unit;
use crate::ffi;
use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::rc::Rc;
use std::sync::Once;

/// The name under which the VFS is registered.
pub const VFS_NAME: &CStr = c"tabhub";

/// What all of `SQLite`'s own memory may be: beyond it a statement fails with `SQLITE_NOMEM`, and the hub goes on.
const HEAP_BYTES_MAX: i64 = 1 << 30;

thread_local! {
    static OFFERED: RefCell<Option<Rc<DbFile>>> = const { RefCell::new(None) };
}

/// The file that the next `sqlite3_open_v2` on this thread opens.
pub fn offer(file: Rc<DbFile>) {
    OFFERED.set(Some(file));
}

enum State {
    Db(Rc<DbFile>),
    Temp(RefCell<TempFile>),
}

#[repr(C)]
struct RawFile {
    base: ffi::sqlite3_file,
    state: *mut State,
}

/// Registers the VFS, as the default one: only the default VFS seeds `SQLite`'s randomness.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the structures live for ever and hold only functions of this module.
        let (started, registered) =
            unsafe { (ffi::sqlite3_initialize(), ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs())), 1)) };
        // SAFETY: a plain call.
        unsafe { ffi::sqlite3_hard_heap_limit64(HEAP_BYTES_MAX) };
        assert_eq!((started, registered), (ffi::SQLITE_OK, ffi::SQLITE_OK), "SQLite starts and registers the VFS");
    });
}

fn vfs() -> ffi::sqlite3_vfs {
    // SAFETY: a plain C structure, for which all zeros are valid.
    let mut vfs: ffi::sqlite3_vfs = unsafe { std::mem::zeroed() };
    vfs.iVersion = 2;
    vfs.szOsFile = c_int::try_from(size_of::<RawFile>()).expect("a small structure");
    vfs.mxPathname = 512;
    vfs.zName = VFS_NAME.as_ptr();
    vfs.xOpen = Some(open);
    vfs.xDelete = Some(delete);
    vfs.xAccess = Some(access);
    vfs.xFullPathname = Some(full_pathname);
    vfs.xRandomness = Some(randomness);
    vfs.xSleep = Some(sleep);
    vfs.xCurrentTime = Some(current_time);
    vfs.xCurrentTimeInt64 = Some(current_time_ms);
    vfs
}

fn methods() -> &'static ffi::sqlite3_io_methods {
    struct Shared(ffi::sqlite3_io_methods);
    // SAFETY: only function pointers, never written after creation.
    unsafe impl Sync for Shared {}
    // SAFETY: as above.
    unsafe impl Send for Shared {}
    static METHODS: std::sync::OnceLock<Shared> = std::sync::OnceLock::new();
    &METHODS.get_or_init(|| Shared(io_methods())).0
}

fn io_methods() -> ffi::sqlite3_io_methods {
    // SAFETY: a plain C structure, for which all zeros are valid.
    let mut io: ffi::sqlite3_io_methods = unsafe { std::mem::zeroed() };
    io.iVersion = 1;
    io.xClose = Some(close);
    io.xRead = Some(read);
    io.xWrite = Some(write);
    io.xTruncate = Some(truncate);
    io.xSync = Some(sync);
    io.xFileSize = Some(file_size);
    io.xLock = Some(lock);
    io.xUnlock = Some(unlock);
    io.xCheckReservedLock = Some(check_reserved_lock);
    io.xFileControl = Some(file_control);
    io.xSectorSize = Some(sector_size);
    io.xDeviceCharacteristics = Some(device_characteristics);
    io
}

fn code(result: Result<(), Fault>) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Fault::Busy) => ffi::SQLITE_BUSY,
        Err(Fault::ShortRead) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(Fault::BadWrite) => ffi::SQLITE_IOERR_WRITE,
    }
}

fn bytes(n: impl TryInto<usize>) -> usize {
    n.try_into().unwrap_or_else(|_| unreachable!("SQLite passes lengths and offsets that are not negative"))
}

// SAFETY, for all callbacks below: SQLite passes a file that `open` has filled in and not yet closed, and buffers of the
// lengths it names.

unsafe fn state<'a>(file: *mut ffi::sqlite3_file) -> &'a State {
    unsafe { &*(*file.cast::<RawFile>()).state }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    _: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let state = if flags & ffi::SQLITE_OPEN_MAIN_DB == 0 {
        let purpose = if flags & ffi::SQLITE_OPEN_TEMP_DB == 0 { Purpose::Sort } else { Purpose::Vacuum };
        State::Temp(RefCell::new(TempFile::new(purpose)))
    } else if let Some(offered) = OFFERED.take() {
        State::Db(offered)
    } else {
        unsafe { (*file).pMethods = std::ptr::null() };
        return ffi::SQLITE_CANTOPEN;
    };
    let raw = file.cast::<RawFile>();
    unsafe {
        (*raw).base.pMethods = methods();
        (*raw).state = Box::into_raw(Box::new(state));
        if !out.is_null() {
            *out = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let state = unsafe { Box::from_raw((*file.cast::<RawFile>()).state) };
    if let State::Db(db) = *state {
        db.unlock(0);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, buf: *mut c_void, n: c_int, offset: i64) -> c_int {
    let buf = unsafe { std::slice::from_raw_parts_mut(buf.cast::<u8>(), bytes(n)) };
    match unsafe { state(file) } {
        State::Db(db) => code(db.read(buf, offset.cast_unsigned())),
        State::Temp(file) => {
            let found = file.borrow().read(buf, bytes(offset));
            if found == buf.len() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ }
        }
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, buf: *const c_void, n: c_int, offset: i64) -> c_int {
    let buf = unsafe { std::slice::from_raw_parts(buf.cast::<u8>(), bytes(n)) };
    match unsafe { state(file) } {
        State::Db(db) => code(db.write(buf, offset.cast_unsigned())),
        State::Temp(file) => {
            if file.borrow_mut().write(buf, bytes(offset)) {
                ffi::SQLITE_OK
            } else {
                ffi::SQLITE_FULL
            }
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    match unsafe { state(file) } {
        State::Db(db) => db.truncate(size.cast_unsigned()),
        State::Temp(file) => file.borrow_mut().truncate(bytes(size)),
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn sync(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    let size = match unsafe { state(file) } {
        State::Db(db) => db.size(),
        State::Temp(file) => file.borrow().size() as u64,
    };
    unsafe { *out = size.cast_signed() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    match unsafe { state(file) } {
        State::Db(db) => code(db.lock(level)),
        State::Temp(_) => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    if let State::Db(db) = unsafe { state(file) } {
        db.unlock(level);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    let State::Db(db) = (unsafe { state(file) }) else { return ffi::SQLITE_NOTFOUND };
    match op {
        ffi::SQLITE_FCNTL_BEGIN_ATOMIC_WRITE | ffi::SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE => ffi::SQLITE_OK,
        ffi::SQLITE_FCNTL_COMMIT_ATOMIC_WRITE => code(db.commit_batch()),
        ffi::SQLITE_FCNTL_COMMIT_PHASETWO => {
            db.publish();
            ffi::SQLITE_OK
        }
        ffi::SQLITE_FCNTL_PRAGMA => unsafe { pragma(db, arg.cast()) },
        _ => ffi::SQLITE_NOTFOUND,
    }
}

/// `args`: answer (out), name, value or null (<https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html>).
unsafe fn pragma(db: &DbFile, args: *mut *mut c_char) -> c_int {
    let text = |p: *mut c_char| (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) }.to_string_lossy());
    let (name, value) = unsafe { (text(*args.add(1)).unwrap_or_default(), text(*args.add(2))) };
    let (answer, rc) = match db.pragma(&name, value.as_deref()) {
        PragmaRuling::Pass => return ffi::SQLITE_NOTFOUND,
        PragmaRuling::Answer(answer) => (answer.to_owned(), ffi::SQLITE_OK),
        PragmaRuling::Refuse(reason) => (reason, ffi::SQLITE_ERROR),
    };
    unsafe { *args = sqlite_string(&answer) };
    rc
}

/// A copy that `SQLite` may free.
fn sqlite_string(text: &str) -> *mut c_char {
    // SAFETY: the allocation has room for the text and its terminator.
    unsafe {
        let copy = ffi::sqlite3_malloc64(text.len() as u64 + 1).cast::<u8>();
        if !copy.is_null() {
            std::ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
            *copy.add(text.len()) = 0;
        }
        copy.cast()
    }
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    match unsafe { state(file) } {
        State::Db(db) => db.block_bytes().cast_signed(),
        State::Temp(_) => 4096,
    }
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_BATCH_ATOMIC | ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, _: *const c_char, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

/// No journal is ever left behind.
unsafe extern "C" fn access(_: *mut ffi::sqlite3_vfs, _: *const c_char, _: c_int, out: *mut c_int) -> c_int {
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(_: *mut ffi::sqlite3_vfs, name: *const c_char, room: c_int, out: *mut c_char) -> c_int {
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if name.len() > bytes(room) {
        return ffi::SQLITE_CANTOPEN;
    }
    unsafe { std::ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    unit::fill(unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), bytes(n)) });
    n
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, _: c_int) -> c_int {
    0
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    #[allow(clippy::cast_precision_loss, reason = "SQLite asks for a floating-point day number")]
    unsafe {
        *out = unit::julian_ms() as f64 / 86_400_000.0;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_ms(_: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    unsafe { *out = unit::julian_ms() };
    ffi::SQLITE_OK
}
