//! Waking another process, known by its place among the server's processes and its pid.

use pgrx::pg_sys;

/// This process' place among the server's processes.
pub(crate) fn my_place() -> u32 {
    // SAFETY: set when the process got its PGPROC, which every process that calls this has.
    #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15", feature = "pg16"))]
    unsafe {
        (*pg_sys::MyProc).pgprocno as u32
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    // SAFETY: as above.
    unsafe {
        pg_sys::MyProcNumber as u32
    }
}

/// Sets the latch of the process at `place`, if it still is the one with this pid. Cannot raise.
pub(crate) fn set(place: u32, pid: i32) {
    // SAFETY: the array of processes has a fixed length and stays where it is while the server runs. A place beyond it is
    // refused; a process that is not the one meant any more is left alone, and at worst gets a wake-up too many.
    unsafe {
        let processes = &*pg_sys::ProcGlobal;
        if pid == 0 || place >= processes.allProcCount {
            return;
        }
        let process = processes.allProcs.add(place as usize);
        if (*process).pid == pid {
            pg_sys::SetLatch(&raw mut (*process).procLatch);
        }
    }
}
