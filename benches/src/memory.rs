//! The process's own memory, and that of another.

/// Most memory the process had resident so far, in KiB; `None` where `/proc` does not say.
pub fn peak_kib() -> Option<u64> {
    peak_kib_of("self")
}

/// The same of another process, by its id.
pub fn peak_kib_of(process: &str) -> Option<u64> {
    status(process, "VmHWM:")
}

/// Memory that a process, by its id or `self`, has resident now, in KiB; `None` where `/proc` does not say.
pub fn resident_kib_of(process: &str) -> Option<u64> {
    status(process, "VmRSS:")
}

fn status(process: &str, what: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Begins a new peak at what is resident now. Without effect where the system does not allow it.
pub fn reset_peak() {
    // 5 clears the peak (proc(5), clear_refs).
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_used_shows() {
        let before = peak_kib().unwrap();
        let used = vec![1_u8; 64 << 20];
        let after = peak_kib().unwrap();
        assert!(after >= before + (32 << 10), "{before} KiB, then {after} KiB with {} bytes more", used.len());
    }
}
