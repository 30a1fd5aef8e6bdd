//! A real browser without a window: Chromium, driven over its DevTools protocol.
//!
//! Guarantees: a profile of its own that vanishes with it; it reaches loopback and nothing else, and
//! every address that a page asked for is on record; each [`Page`] has cookies and storage of its own;
//! the process ends when the handle is dropped.
//! Must not: know a page of the product, or repair what a page does wrong.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let browser = bonafide_test_support::Browser::start()?;
//! let mut page = browser.page()?;
//! page.resize(360, 800)?;
//! page.open("http://127.0.0.1:3000/docs")?;
//! page.click("button")?;
//! page.wait_for("document.body.innerText.includes('Thanks')")?;
//! assert_eq!(page.complaints()?, [""; 0]);
//! # Ok(())
//! # }
//! ```

#![allow(
    clippy::indexing_slicing,
    reason = "what a JSON value does not have is null, never a panic"
)]

mod connection;
mod page;

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::process::{Process, Signal};
use crate::programs;
use crate::waiting::wait_for;
use connection::{Connection, text};
pub use page::{Colours, Page};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// No window, no questions, no services of the vendor, and no host but this one.
const OPTIONS: [&str; 16] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
];

/// One browser process.
#[derive(Debug)]
pub struct Browser {
    control: Mutex<Connection>,
    port: u16,
    process: Process,
    profile: TempDir,
}

impl Browser {
    /// Starts Chromium and waits until it takes commands.
    pub fn start() -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("chromium-").tempdir()?;
        let mut command = Command::new(programs::browser()?);
        command
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("LANG", "en_US.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Process::spawn("chromium", &mut command, Signal::TERM)?;
        let announced = profile.path().join("DevToolsActivePort");
        let (port, path) = wait_for("the start of chromium", START_LIMIT, || {
            if let Some(status) = process.exit_status()? {
                bail!("chromium ended with {status}");
            }
            let announcement = std::fs::read_to_string(&announced).unwrap_or_default();
            Ok(address(&announcement))
        })?;
        Ok(Self {
            control: Mutex::new(Connection::open(port, &path)?),
            port,
            process,
            profile,
        })
    }

    /// An empty page with cookies and storage of its own, as in a private window.
    pub fn page(&self) -> Result<Page> {
        let mut control = self
            .control
            .lock()
            .ok()
            .context("an earlier call panicked")?;
        let context = control.call("Target.createBrowserContext", &json!({}))?;
        let target = control.call(
            "Target.createTarget",
            &json!({"url": "about:blank", "browserContextId": context["browserContextId"]}),
        )?;
        let path = format!("/devtools/page/{}", text(&target["targetId"])?);
        Page::attach(Connection::open(self.port, &path)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers write on for a moment when the browser has ended, so that files may come into
        // a folder that is being removed.
        let ended = self.process.stop(STOP_LIMIT).and_then(|_| {
            wait_for("the end of chromium's profile", STOP_LIMIT, || {
                let removed = std::fs::remove_dir_all(self.profile.path());
                Ok(removed.is_ok().then_some(()))
            })
        });
        if let Err(error) = ended {
            eprintln!("chromium: {error:#}");
        }
    }
}

/// Port and path, which Chromium writes on two lines.
fn address(announcement: &str) -> Option<(u16, String)> {
    let (port, path) = announcement.split_once('\n')?;
    let path = path.trim();
    (!path.is_empty()).then_some((port.parse().ok()?, path.to_owned()))
}
