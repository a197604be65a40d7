//! Figures of the operating system about a process.

/// CPU time of this process in seconds, all threads, user and system; to 10 ms.
#[must_use]
pub(super) fn cpu_s() -> f64 {
    cpu_s_at("/proc/self/stat")
}

/// CPU time of another process in seconds; to 10 ms.
#[must_use]
pub(super) fn cpu_s_of(pid: u32) -> f64 {
    cpu_s_at(&format!("/proc/{pid}/stat"))
}

/// Peak resident memory of this process so far, MB (10^6 bytes).
#[must_use]
pub(super) fn peak_mb() -> f64 {
    field_mb("/proc/self/status", "VmHWM:")
}

/// Resets the peak of this process; returns its resident memory now, MB.
pub(super) fn reset_peak_mb() -> f64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    field_mb("/proc/self/status", "VmRSS:")
}

/// Peak resident memory of another process so far, MB.
#[must_use]
pub(super) fn peak_mb_of(pid: u32) -> f64 {
    field_mb(&format!("/proc/{pid}/status"), "VmHWM:")
}

/// Resident memory of another process now, MB.
#[must_use]
pub(super) fn resident_mb_of(pid: u32) -> f64 {
    field_mb(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Memory of this machine, MB.
#[must_use]
pub(super) fn machine_mb() -> f64 {
    field_mb("/proc/meminfo", "MemTotal:")
}

fn cpu_s_at(path: &str) -> f64 {
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

fn field_mb(path: &str, name: &str) -> f64 {
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) * 1_024.0 / 1e6
}
