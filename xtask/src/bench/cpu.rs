//! CPU time and memory of running processes, from `/proc` (Linux).
//!
//! Guarantees: a process counts with its children, those that ended included.
//! Must not: be read more often than every few seconds; its ticks are 10 ms long.

use std::path::PathBuf;

use anyhow::{Context, Result};
use test_support::process::tree;

/// CPU seconds that these processes and their descendants have used so far.
pub fn seconds(roots: &[u32]) -> Result<f64> {
    let mut ticks = 0;
    for root in roots {
        for process in tree(*root)? {
            // A session that ended since the listing is in its parent's sum.
            ticks += ticks_of(process, 4).unwrap_or(0);
        }
    }
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// CPU seconds of this process alone: of the load generator.
pub fn own_seconds() -> f64 {
    let own = ticks_of(std::process::id(), 2).unwrap_or(0);
    own as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// CPU seconds of the children of this process that have ended.
pub fn ended_children_seconds() -> f64 {
    let own = std::process::id();
    let both = ticks_of(own, 4).unwrap_or(0);
    let ended = both.saturating_sub(ticks_of(own, 2).unwrap_or(0));
    ended as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The first `fields` of: user time, system time, and both of the children that ended.
fn ticks_of(process: u32, fields: usize) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    // utime is field 14 of the file, and the state after the name is field 3.
    let times = after_name.split_whitespace().skip(11).take(fields);
    times.map(|time| time.parse::<u64>().ok()).sum()
}

/// Forgets the highest memory use of a process so far.
pub fn forget_peak(process: u32) -> Result<()> {
    let path = proc_file(process, "clear_refs");
    std::fs::write(&path, "5").with_context(|| format!("cannot write {}", path.display()))
}

/// The most memory that a process had resident since [`forget_peak`], in MiB.
pub fn peak_mebibytes(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(proc_file(process, "status"))?;
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .context("the kernel tells no VmHWM")?
        .parse()?;
    Ok(kibibytes / 1024.0)
}

fn proc_file(process: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{process}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_time_and_memory() {
        let own = std::process::id();
        let before = seconds(&[own]).unwrap();
        let begin = std::time::Instant::now();
        while begin.elapsed().as_millis() < 100 {
            std::hint::black_box(before);
        }
        assert!(seconds(&[own]).unwrap() > before);
        assert!(peak_mebibytes(own).unwrap() > 0.5);
    }
}
