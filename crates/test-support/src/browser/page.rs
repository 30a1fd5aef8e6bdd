//! One page: going there, waiting, typing, looking, and what it complained about.
//!
//! Guarantees: keys and clicks are those of a person (they go through focus, layout and what covers
//! what), never calls of the page's own code.
//! Must not: wait without a deadline.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::connection::{Connection, Event, text};
use crate::oracle;
use crate::waiting::wait_for;

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder to put pictures in, for people to look at; without it none are taken.
const PICTURES: &str = "BONAFIDE_PICTURES";

/// What the person prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A page in a window of its own.
#[derive(Debug)]
pub struct Page {
    connection: Connection,
    requests: Vec<String>,
    complaints: Vec<String>,
    finger: bool,
}

impl Page {
    pub(super) fn attach(mut connection: Connection) -> Result<Self> {
        for domain in ["Page", "Runtime", "Network", "Log"] {
            connection.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(Self {
            connection,
            requests: Vec::new(),
            complaints: Vec::new(),
            finger: false,
        })
    }

    /// Goes to an address and waits until everything is loaded.
    pub fn open(&mut self, url: &str) -> Result<()> {
        self.note_events();
        let went = self
            .connection
            .call("Page.navigate", &json!({"url": url}))?;
        if let Some(error) = went["errorText"].as_str() {
            bail!("{url}: {error}");
        }
        // To another part of the same page nothing is loaded.
        if !went["loaderId"].is_null() {
            self.connection.wait_for_event("Page.loadEventFired")?;
        }
        Ok(())
    }

    /// The value of a JavaScript expression, which may be a promise.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let question = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let mut answer = self.connection.call("Runtime.evaluate", &question)?;
        if !answer["exceptionDetails"].is_null() {
            bail!("{expression}: {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until a JavaScript expression is true, or an element, or anything but nothing. A page
    /// that is being left has no answer yet.
    pub fn wait_for(&mut self, condition: &str) -> Result<()> {
        let question = format!("Boolean({condition})");
        let came = wait_for(condition, PATIENCE, || {
            let holds = self.evaluate(&question).unwrap_or_default();
            Ok((holds == true).then_some(()))
        });
        came.with_context(|| {
            let shown = self.evaluate("document.body.innerText").unwrap_or_default();
            format!(
                "the page shows: {shown}\nand complained: {:?}",
                self.complaints()
            )
        })
    }

    /// What the first element that matches shows as text.
    pub fn text(&mut self, selector: &str) -> Result<String> {
        let shown = self.evaluate(&format!("{}.innerText", element(selector)))?;
        Ok(text(&shown)?.to_owned())
    }

    /// Clicks into the middle of the first element that matches, as a mouse or a finger would.
    pub fn click(&mut self, selector: &str) -> Result<()> {
        let middle = self.evaluate(&format!(
            "(() => {{ const found = {}; found.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             const box = found.getBoundingClientRect(); \
             return {{x: box.x + box.width / 2, y: box.y + box.height / 2}} }})()",
            element(selector)
        ))?;
        if self.finger {
            return self.tap(&middle);
        }
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": middle["x"], "y": middle["y"], "button": "left", "clickCount": 1,
            });
            self.connection.call("Input.dispatchMouseEvent", &event)?;
        }
        Ok(())
    }

    fn tap(&mut self, place: &Value) -> Result<()> {
        for (kind, points) in [("touchStart", json!([place])), ("touchEnd", json!([]))] {
            let event = json!({"type": kind, "touchPoints": points});
            self.connection.call("Input.dispatchTouchEvent", &event)?;
        }
        Ok(())
    }

    /// Types a text, sign by sign, into whatever has the focus.
    pub fn type_text(&mut self, text: &str) -> Result<()> {
        text.chars().try_for_each(|sign| {
            let sign = sign.to_string();
            self.key(&json!({"key": sign, "text": sign}))
        })
    }

    /// Clicks on a field, replaces what is in it, and types.
    pub fn fill(&mut self, selector: &str, text: &str) -> Result<()> {
        self.click(selector)?;
        self.evaluate("document.activeElement.select?.()")?;
        if text.is_empty() {
            return self.press("Backspace");
        }
        self.type_text(text)
    }

    /// Presses a key by its name: `Tab`, `Enter`, `Space`, `Backspace`, `Escape` or an arrow, as in
    /// `ArrowDown`.
    pub fn press(&mut self, key: &str) -> Result<()> {
        let (key, sign, number) = match key {
            "Tab" => ("Tab", "", 9),
            "Enter" => ("Enter", "\r", 13),
            "Space" => (" ", " ", 32),
            "Backspace" => ("Backspace", "", 8),
            "Escape" => ("Escape", "", 27),
            "ArrowLeft" => ("ArrowLeft", "", 37),
            "ArrowUp" => ("ArrowUp", "", 38),
            "ArrowRight" => ("ArrowRight", "", 39),
            "ArrowDown" => ("ArrowDown", "", 40),
            _ => bail!("no key is known as {key}"),
        };
        self.key(&json!({"key": key, "code": key, "text": sign, "windowsVirtualKeyCode": number}))
    }

    fn key(&mut self, key: &Value) -> Result<()> {
        for kind in ["keyDown", "keyUp"] {
            let mut event = key.clone();
            event["type"] = kind.into();
            self.connection.call("Input.dispatchKeyEvent", &event)?;
        }
        Ok(())
    }

    /// Makes the window so large, in CSS pixels.
    pub fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        let resized = self
            .connection
            .call("Emulation.setDeviceMetricsOverride", &size);
        resized.map(drop)
    }

    /// Holds the page in the hand: a finger instead of a mouse, and so no pointer that hovers.
    pub fn touch(&mut self) -> Result<()> {
        let touched = self.connection.call(
            "Emulation.setTouchEmulationEnabled",
            &json!({"enabled": true, "maxTouchPoints": 5}),
        );
        self.finger = true;
        touched.map(drop)
    }

    /// Runs no script of any page that is opened from now on; [`Page::evaluate`] still works.
    pub fn without_scripts(&mut self) -> Result<()> {
        let off = json!({"value": true});
        let disabled = self
            .connection
            .call("Emulation.setScriptExecutionDisabled", &off);
        disabled.map(drop)
    }

    /// Prefers light or dark pages.
    pub fn prefer(&mut self, colours: Colours) -> Result<()> {
        let value = match colours {
            Colours::Light => "light",
            Colours::Dark => "dark",
        };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        let preferred = self
            .connection
            .call("Emulation.setEmulatedMedia", &features);
        preferred.map(drop)
    }

    /// What axe-core finds on the page that keeps people out, a line for each: the rule, and where.
    pub fn violations(&mut self) -> Result<Vec<String>> {
        // A page's policy does not bind the protocol's own scripts.
        if self.evaluate("typeof axe")? == "undefined" {
            self.evaluate(&format!("{}; null", oracle::axe()?))?;
        }
        let found = self.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => \
             violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) => \
             `${id} at ${target.join(' ')}: ${failureSummary}`)))",
        )?;
        let found = found.as_array().context("axe-core found no list")?;
        Ok(found
            .iter()
            .map(|line| line.as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// The whole page, as far down as it goes, as PNG.
    pub fn screenshot(&mut self) -> Result<Vec<u8>> {
        let metrics = self.connection.call("Page.getLayoutMetrics", &json!({}))?;
        let size = &metrics["cssContentSize"];
        self.capture(&json!({
            "format": "png",
            "captureBeyondViewport": true,
            "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1},
        }))
    }

    /// What the window shows of it, as PNG.
    pub fn view(&mut self) -> Result<Vec<u8>> {
        self.capture(&json!({"format": "png"}))
    }

    fn capture(&mut self, what: &Value) -> Result<Vec<u8>> {
        let picture = self.connection.call("Page.captureScreenshot", what)?;
        let encoded = text(&picture["data"])?.as_bytes();
        Ok(data_encoding::BASE64.decode(encoded)?)
    }

    /// Puts a picture of the page into the folder named in `BONAFIDE_PICTURES`, if one is named.
    pub fn picture(&mut self, name: &str) -> Result<()> {
        let Some(folder) = std::env::var_os(PICTURES).map(PathBuf::from) else {
            return Ok(());
        };
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{name}.png"));
        Ok(std::fs::write(file, self.screenshot()?)?)
    }

    /// Every address that was asked for, in order, since the page was made.
    pub fn requests(&mut self) -> Result<&[String]> {
        self.catch_up()?;
        Ok(&self.requests)
    }

    /// Whatever went wrong since the last call: errors on the console, exceptions that nobody
    /// caught, requests that failed or were answered with 400 or more (`409 http://…`).
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        self.catch_up()?;
        Ok(std::mem::take(&mut self.complaints))
    }

    /// Events come in order with answers, so that one more answer brings all that happened before.
    fn catch_up(&mut self) -> Result<()> {
        self.evaluate("null")?;
        self.note_events();
        Ok(())
    }

    fn note_events(&mut self) {
        for event in self.connection.take_events() {
            if event.method == "Network.requestWillBeSent" {
                let url = &event.parameters["request"]["url"];
                self.requests.extend(url.as_str().map(str::to_owned));
            }
            self.complaints.extend(complaint(&event));
        }
    }
}

/// An expression for the first element that matches a CSS selector.
fn element(selector: &str) -> String {
    format!("document.querySelector({})", json!(selector))
}

/// What an event says that has gone wrong. The log repeats what the network says already.
fn complaint(event: &Event) -> Option<String> {
    let parameters = &event.parameters;
    match event.method.as_str() {
        "Runtime.exceptionThrown" => Some(parameters["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if parameters["type"] == "error" => {
            Some(parameters["args"].to_string())
        }
        "Log.entryAdded" if parameters["entry"]["level"] == "error" => {
            let entry = &parameters["entry"];
            (entry["source"] != "network").then(|| entry["text"].to_string())
        }
        "Network.loadingFailed" => Some(format!("failed: {}", parameters["errorText"])),
        "Network.responseReceived" => {
            let response = &parameters["response"];
            let failed = response["status"].as_u64() >= Some(400);
            failed.then(|| {
                let url = response["url"].as_str().unwrap_or_default();
                format!("{} {url}", response["status"])
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Browser;
    use super::*;

    const PAGE: &str = "data:text/html,<title>t</title><input><button>Go</button><p></p><script>\
        const said = document.querySelector('p');\
        document.querySelector('button').onclick = () => {\
          said.textContent = document.querySelector('input').value };\
        </script>";

    #[test]
    fn plays_a_person() {
        let browser = Browser::start().unwrap();
        let mut page = browser.page().unwrap();
        page.open(PAGE).unwrap();
        page.fill("input", "José").unwrap();
        page.fill("input", "Ana").unwrap();
        page.click("button").unwrap();
        page.wait_for("document.querySelector('p').textContent === 'Ana'")
            .unwrap();
        assert_eq!(page.text("p").unwrap(), "Ana");
        page.fill("input", "").unwrap();
        page.press("Tab").unwrap();
        page.press("Space").unwrap();
        assert_eq!(page.text("p").unwrap(), "");
        assert_eq!(page.requests().unwrap(), [PAGE]);
        assert_eq!(page.complaints().unwrap(), [""; 0]);
    }

    #[test]
    fn may_have_a_finger_and_no_scripts() {
        let browser = Browser::start().unwrap();
        let mut page = browser.page().unwrap();
        let finger = "matchMedia('(pointer: coarse) and (hover: none)').matches";
        page.open(PAGE).unwrap();
        assert_eq!(page.evaluate(finger).unwrap(), false);
        page.touch().unwrap();
        page.open(PAGE).unwrap();
        assert_eq!(page.evaluate(finger).unwrap(), true);
        page.fill("input", "Ana").unwrap();
        page.click("button").unwrap();
        page.wait_for("document.querySelector('p').textContent === 'Ana'")
            .unwrap();
        page.without_scripts().unwrap();
        page.open(PAGE).unwrap();
        page.fill("input", "Ana").unwrap();
        page.click("button").unwrap();
        assert_eq!(page.text("p").unwrap(), "");
    }

    #[test]
    fn finds_what_keeps_people_out() {
        let browser = Browser::start().unwrap();
        let mut page = browser.page().unwrap();
        let sound = "data:text/html,<html lang=en><title>t</title><main><h1>t</h1>";
        page.open(sound).unwrap();
        assert_eq!(page.violations().unwrap(), [""; 0]);
        page.open(&format!("{sound}<input>")).unwrap();
        let found = page.violations().unwrap();
        assert!(found[0].starts_with("label at input"), "{found:?}");
    }

    #[test]
    fn leaves_nothing_behind() {
        let browser = Browser::start().unwrap();
        let profile = browser.profile.path().to_owned();
        let process = format!("/proc/{}", browser.process.id());
        browser.page().unwrap().open(PAGE).unwrap();
        drop(browser);
        assert!(!profile.exists());
        assert!(!std::path::Path::new(&process).exists());
    }

    #[test]
    fn sees_sizes_colours_and_complaints() {
        let browser = Browser::start().unwrap();
        let mut page = browser.page().unwrap();
        page.resize(360, 500).unwrap();
        page.prefer(Colours::Dark).unwrap();
        page.open(PAGE).unwrap();
        assert_eq!(page.evaluate("innerWidth").unwrap(), 360);
        let dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches");
        assert_eq!(dark.unwrap(), true);
        assert!(page.screenshot().unwrap().starts_with(b"\x89PNG"));
        let outside = "fetch('http://elsewhere.example/').catch(() => console.error('oh'))";
        page.evaluate(outside).unwrap();
        let complaints = page.complaints().unwrap();
        assert!(
            complaints[0].contains("ERR_NAME_NOT_RESOLVED"),
            "{complaints:?}"
        );
        assert!(complaints[1].contains("oh"), "{complaints:?}");
        assert!(page.requests().unwrap()[1].contains("elsewhere"));
        assert!(page.evaluate("nonsense.at.all").is_err());
    }
}
