//! The VFS: `SQLite`'s calls go on to the operating system's own VFS, and those on recorded files are noted or fail.
//!
//! **Safety.** `SQLite` calls these functions with a file that [`open`] made, from one thread at a time per file, and
//! calls `close` last. The memory of a file begins with [`Tapped`]; the file of the inner VFS follows it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Once};

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_FCNTL_PRAGMA, SQLITE_FULL, SQLITE_IOERR, SQLITE_IOERR_FSYNC,
    SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
    SQLITE_OK, SQLITE_OPEN_CREATE, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_SUPER_JOURNAL,
    SQLITE_OPEN_WAL, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs,
    sqlite3_vfs_find, sqlite3_vfs_register,
};

use crate::fault::{Call, Failure};
use crate::recording::{FileId, Recording};

const NAME: &CStr = c"onegrid-failing-disk";

/// Makes this VFS the default of the process.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: the default VFS of SQLite lives as long as the process, and the new one is leaked.
        unsafe {
            let inner = sqlite3_vfs_find(ptr::null());
            assert!(!inner.is_null(), "SQLite has a VFS for this system");
            let mut vfs = *inner;
            vfs.zName = NAME.as_ptr();
            vfs.szOsFile += c_int::try_from(size_of::<Tapped>()).expect("a few bytes");
            vfs.pAppData = inner.cast();
            vfs.pNext = ptr::null_mut();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            let registered = sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1);
            assert_eq!(registered, SQLITE_OK, "the VFS is registered");
        }
    });
}

#[repr(C)]
struct Tapped {
    base: sqlite3_file,
    tap: *mut Tap,
}

struct Tap {
    recording: Arc<Recording>,
    path: PathBuf,
    file: FileId,
    /// `SQLite` syncs the folder with the first sync of a new log or journal.
    syncs_folder: bool,
}

unsafe fn inner_vfs(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    unsafe { (*vfs).pAppData.cast() }
}

unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    unsafe { file.cast::<Tapped>().add(1).cast() }
}

unsafe fn tap<'a>(file: *mut sqlite3_file) -> &'a mut Tap {
    unsafe { &mut *(*file.cast::<Tapped>()).tap }
}

/// Calls a method of the inner file.
macro_rules! pass_on {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let inner = inner($file);
        match (*(*inner).pMethods).$method {
            Some(method) => method(inner $(, $argument)*),
            None => SQLITE_IOERR,
        }
    }};
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    unsafe {
        let vfs = inner_vfs(vfs);
        let Some(open) = (*vfs).xOpen else {
            return SQLITE_CANTOPEN;
        };
        let path = path_of(name);
        let recorded = path.and_then(|path| Some((Recording::of(&path)?, path)));
        let Some((recording, path)) = recorded else {
            return open(vfs, name, file, flags, out_flags);
        };
        (*file).pMethods = ptr::null();
        if recording.failure(Call::Open).is_some() {
            return SQLITE_CANTOPEN;
        }
        let is_new = !path.exists();
        let inner = inner(file);
        let opened = open(vfs, name, inner, flags, out_flags);
        if opened != SQLITE_OK {
            if !(*inner).pMethods.is_null() {
                pass_on!(file, xClose);
            }
            return opened;
        }
        let journals = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
        let tap = Tap {
            file: recording.opened(&path, is_new),
            syncs_folder: flags & SQLITE_OPEN_CREATE != 0 && flags & journals != 0,
            recording,
            path,
        };
        (*file.cast::<Tapped>()).tap = Box::into_raw(Box::new(tap));
        (*file).pMethods = &raw const METHODS;
        SQLITE_OK
    }
}

unsafe extern "C" fn delete(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    syncs_folder: c_int,
) -> c_int {
    unsafe {
        let vfs = inner_vfs(vfs);
        let Some(delete) = (*vfs).xDelete else {
            return SQLITE_IOERR;
        };
        let deleted = delete(vfs, name, 0);
        if deleted == SQLITE_OK
            && let Some(path) = path_of(name)
            && let Some(recording) = Recording::of(&path)
        {
            recording.removed(&path);
            if syncs_folder != 0 {
                recording.synced_folder();
            }
        }
        deleted
    }
}

unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().ok().map(|name| Path::new(name).to_owned())
}

/// No `xFetch`, so `SQLite` reads every page by `xRead`.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    unsafe {
        let closed = pass_on!(file, xClose);
        drop(Box::from_raw((*file.cast::<Tapped>()).tap));
        closed
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    unsafe {
        match tap(file).recording.failure(Call::Read) {
            None => pass_on!(file, xRead, into, length, offset),
            Some(Failure::Short) => {
                // The rest of a short read is zeros, by SQLite's contract.
                let read = pass_on!(file, xRead, into, length, offset);
                let (half, all) = (length_of(length) / 2, length_of(length));
                ptr::write_bytes(into.cast::<u8>().add(half), 0, all - half);
                if read == SQLITE_OK {
                    SQLITE_IOERR_SHORT_READ
                } else {
                    read
                }
            }
            Some(Failure::Device | Failure::Full) => SQLITE_IOERR_READ,
        }
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    unsafe {
        let tap = tap(file);
        let (length, failed) = match tap.recording.failure(Call::Write) {
            None => (length, SQLITE_OK),
            Some(Failure::Full) => (length / 2, SQLITE_FULL),
            Some(Failure::Device | Failure::Short) => return SQLITE_IOERR_WRITE,
        };
        let written = pass_on!(file, xWrite, bytes, length, offset);
        if written != SQLITE_OK {
            return written;
        }
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length_of(length));
        let offset = u64::try_from(offset).expect("SQLite writes at no negative offset");
        tap.recording.wrote(tap.file, offset, bytes);
        failed
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: sqlite3_int64) -> c_int {
    unsafe {
        let tap = tap(file);
        if tap.recording.failure(Call::Cut).is_some() {
            return SQLITE_IOERR_TRUNCATE;
        }
        let cut = pass_on!(file, xTruncate, length);
        if cut == SQLITE_OK {
            let length = u64::try_from(length).expect("no file has a negative length");
            tap.recording.cut(tap.file, length);
        }
        cut
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    let tap = unsafe { tap(file) };
    if tap.recording.failure(Call::Sync).is_some() {
        return SQLITE_IOERR_FSYNC;
    }
    tap.recording.synced(tap.file);
    if std::mem::take(&mut tap.syncs_folder) {
        tap.recording.synced_folder();
    }
    SQLITE_OK
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    unsafe {
        if op == SQLITE_FCNTL_PRAGMA {
            // An array of the answer, the name and the value; the value may be absent.
            let texts = arg.cast::<*const c_char>();
            let (name, value) = (*texts.add(1), *texts.add(2));
            if !name.is_null() && !value.is_null() {
                let [name, value] =
                    [name, value].map(|text| CStr::from_ptr(text).to_string_lossy());
                // The key of a database is no setting.
                if name != "key" {
                    let tap = tap(file);
                    let (name, value) = (name.to_lowercase(), value.into_owned());
                    tap.recording.set(&tap.path, name, value);
                }
            }
        }
        pass_on!(file, xFileControl, op, arg)
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    unsafe { pass_on!(file, xFileSize, size) }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    unsafe { pass_on!(file, xLock, level) }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    unsafe { pass_on!(file, xUnlock, level) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, held: *mut c_int) -> c_int {
    unsafe { pass_on!(file, xCheckReservedLock, held) }
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    unsafe { pass_on!(file, xSectorSize) }
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    unsafe { pass_on!(file, xDeviceCharacteristics) }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    unsafe { pass_on!(file, xShmMap, region, size, extend, out) }
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    unsafe { pass_on!(file, xShmLock, offset, count, flags) }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    unsafe {
        let inner = inner(file);
        if let Some(barrier) = (*(*inner).pMethods).xShmBarrier {
            barrier(inner);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, deletes: c_int) -> c_int {
    unsafe { pass_on!(file, xShmUnmap, deletes) }
}

fn length_of(length: c_int) -> usize {
    usize::try_from(length).expect("SQLite reads and writes no negative length")
}
