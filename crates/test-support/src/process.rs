//! One child process: signals by its id, bounded waits, an orderly end when dropped.
//!
//! Guarantees: only the process that was started here, and on request its descendants, ever get a
//! signal; dropping the handle leaves no process behind.
//! Must not: search for processes by name.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::waiting::wait_for;

/// How long a dropped process may take for its orderly end before it is killed.
const DROP_LIMIT: Duration = Duration::from_secs(15);

/// A running (or ended, but known) child process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    stop_signal: Signal,
}

impl Process {
    /// Starts `command`; `stop_signal` is what asks this program for an orderly end.
    pub fn spawn(name: &str, command: &mut Command, stop_signal: Signal) -> Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            child,
            name: name.to_owned(),
            stop_signal,
        })
    }

    /// The operating system's id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if the process has ended.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends one signal; a process that has ended already is no error.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exit_status()?.is_none() {
            send(self.id(), signal)?;
        }
        Ok(())
    }

    /// Sends one signal to the process and to all its descendants (Linux only).
    pub fn signal_tree(&mut self, signal: Signal) -> Result<()> {
        if self.exit_status()?.is_none() {
            for id in tree(self.id())? {
                send(id, signal)?;
            }
        }
        Ok(())
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait_for(&what, limit, || self.exit_status())
    }

    /// Asks for an orderly end and waits for it; kills the process after `limit`, which is an error.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(self.stop_signal)?;
        let ended = self.wait(limit);
        if ended.is_err() {
            self.kill()?;
        }
        ended
    }

    /// Ends the process at once, as `kill -9` does.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process cannot hear that it should end.
        self.signal_tree(Signal::CONT).ok();
        if let Err(error) = self.stop(DROP_LIMIT) {
            eprintln!("{}: {error:#}", self.name);
        }
    }
}

fn send(id: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(id)?).context("no such process id")?;
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot signal process {id}")),
    }
}

/// A process and all its living descendants, parents first. Reads `/proc`, so Linux only.
pub fn tree(root: u32) -> Result<Vec<u32>> {
    let parents = parents().context("cannot read the process table in /proc")?;
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(id, _)| *id));
        next += 1;
    }
    Ok(found)
}

/// Every process with the id of its parent.
fn parents() -> Result<Vec<(u32, u32)>> {
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let parent = id.and_then(|_| parent_of(&entry.path()));
        pairs.extend(id.zip(parent));
    }
    Ok(pairs)
}

/// The second field after the parenthesised name in `/proc/<pid>/stat`; none if it just ended.
fn parent_of(directory: &Path) -> Option<u32> {
    let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Process {
        let mut command = Command::new("sleep");
        Process::spawn("sleep", command.arg("60"), Signal::TERM).unwrap()
    }

    #[test]
    fn ends_by_signal_and_says_so() {
        let mut process = sleeper();
        assert!(process.exit_status().unwrap().is_none());
        let status = process.stop(Duration::from_secs(5)).unwrap();
        assert!(!status.success());
        process.signal(Signal::TERM).unwrap();
    }

    #[test]
    fn a_dropped_process_is_gone_even_when_it_was_stopped() {
        let mut process = sleeper();
        let id = process.id();
        process.signal_tree(Signal::STOP).unwrap();
        drop(process);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn the_tree_holds_the_children() {
        let process = sleeper();
        assert!(tree(std::process::id()).unwrap().contains(&process.id()));
    }
}
