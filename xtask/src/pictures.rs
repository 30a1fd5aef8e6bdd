//! `cargo xtask pictures`: what the console looks like, for the documentation.
//!
//! Guarantees: taken by Chromium of a server that was started for the first time, with the example
//! that every newcomer is offered and nothing else; no picture is larger than its reader's patience.
//! Must not: retouch anything.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use test_support::browser::{Colours, Page};
use test_support::waiting::wait_for;
use test_support::{Browser, Server, ServerBuilder};

use crate::workspace::{cargo, root, succeed, target};

/// How long a page may take to show what it is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest picture, in bytes.
const LARGEST: usize = 150 * 1024;

/// A desk and a phone: the window's size in CSS pixels.
const DESK: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (360, 740);

/// A picture: its name, the page's path, the window, and the time of day.
type Picture = (&'static str, &'static str, (u32, u32), Colours);

const PICTURES: [Picture; 9] = [
    ("overview", "console", DESK, Colours::Light),
    ("overview-phone", "console", PHONE, Colours::Light),
    ("order", "console/orders/ex-1002", DESK, Colours::Light),
    (
        "orders-dark",
        "console/orders?status=all",
        DESK,
        Colours::Dark,
    ),
    ("deliveries", "console/deliveries", DESK, Colours::Light),
    ("audit", "console/audit", DESK, Colours::Light),
    ("integrations", "console/integrations", DESK, Colours::Light),
    ("health", "console/health", DESK, Colours::Light),
    ("company", "console/companies/default", DESK, Colours::Light),
];

/// Takes every picture.
pub fn run() -> Result<()> {
    crate::install::chromium()?;
    succeed(cargo()?.args(["build", "--package", "bonafide"]))?;
    let server = ServerBuilder::first_run()
        .binary(target()?.join("debug/bonafide"))
        .start()?;
    let browser = Browser::start()?;
    let mut page = browser.page()?;
    let base = enter(&server, &mut page)?;
    let folder = root()?.join("docs/pictures");
    std::fs::create_dir_all(&folder)?;
    for (name, path, (width, height), colours) in PICTURES {
        page.resize(width, height)?;
        page.prefer(colours)?;
        page.open(&format!("{base}/{path}"))?;
        keep(&mut page, &folder, name)?;
    }
    customer(&mut page, &base)?;
    keep(&mut page, &folder, "customer")
}

/// Follows the printed link, has the example made, and waits until its figures are counted. Returns
/// where the server is.
fn enter(server: &Server, page: &mut Page) -> Result<String> {
    let link = wait_for("the greeting", PATIENCE, || {
        let greeting = server.stdout();
        let mut lines = greeting.lines().map(str::trim);
        Ok(lines
            .find(|line| line.starts_with("http") && line.contains("/console/enter/"))
            .map(str::to_owned))
    })?;
    page.open(&link)?;
    page.wait_for("document.querySelector('.guide button')")?;
    page.click(".guide button")?;
    page.wait_for("document.querySelector('.steps')")?;
    let (base, _) = link.split_once("/console/").unwrap_or((&link, ""));
    for (path, sign) in [
        ("console", ".plot"),
        (
            "console/deliveries?status=delivered",
            "tbody tr:nth-child(3)",
        ),
    ] {
        wait_for(path, PATIENCE, || {
            page.open(&format!("{base}/{path}"))?;
            let is_there = page.evaluate(&format!("document.querySelector('{sign}') !== null"))?;
            Ok((is_there == true).then_some(()))
        })?;
    }
    Ok(base.to_owned())
}

/// Finds a customer, as a person does.
fn customer(page: &mut Page, base: &str) -> Result<()> {
    page.resize(DESK.0, DESK.1)?;
    page.prefer(Colours::Light)?;
    page.open(&format!("{base}/console/customers"))?;
    page.fill("#whom", "maria@bonafide.example")?;
    page.press("Enter")?;
    page.wait_for("document.querySelector('#evidence')")
}

fn keep(page: &mut Page, folder: &Path, name: &str) -> Result<()> {
    let picture = page.view()?;
    ensure!(
        picture.len() <= LARGEST,
        "the picture `{name}` has {} bytes, which is more than {LARGEST}",
        picture.len()
    );
    let file = folder.join(format!("{name}.png"));
    std::fs::write(&file, &picture)?;
    eprintln!("{:>7} bytes  {}", picture.len(), file.display());
    Ok(())
}
