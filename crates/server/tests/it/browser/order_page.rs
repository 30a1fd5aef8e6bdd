//! The page of an order's customer, from the link of the mail to the released order.
//!
//! Veriff's own pages cannot be reached from here: that the browser goes there is seen in what it
//! asks for, and what Veriff decides comes by its hook.

use std::time::Duration;

use bonafide::ambient::SystemClock;
use domain::clock::Clock as _;
use domain::hook::HookKey;
use domain::hook::veriff::sign;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use test_support::browser::{Colours, Page};
use test_support::{Browser, Server, ServerBuilder, waiting};
use tokio::runtime::Runtime;

use super::layout::{has_names, look_at};
use crate::veriff::office::{Mood, Office};
use crate::veriff::{API_KEY, SECRET, decision};

const LIMIT: Duration = Duration::from_secs(30);

/// What is signed, longer than any screen.
const AGREEMENT: &str = "Membership agreement\n\nI am 21 years of age or older.\n\n";

/// Somebody with a mail, and the shop that holds the order.
struct Visit {
    /// The person's browser window.
    page: Page,
    browser: Browser,
    shop: Shop,
}

/// A server, what the shop says to it, and Veriff.
struct Shop {
    server: Server,
    office: Office,
    client: reqwest::Client,
    key: String,
    runtime: Runtime,
}

impl Shop {
    fn open() -> Self {
        let runtime = Runtime::new().unwrap();
        let office = runtime.block_on(Office::open());
        let server = ServerBuilder::new()
            .binary(env!("CARGO_BIN_EXE_bonafide"))
            .variable("VERIFF_API_URL", office.url())
            .variable("VERIFF_API_KEY", API_KEY)
            .variable("VERIFF_SHARED_SECRET", SECRET)
            .variable("IDENTITY_PROOFS", "veriff,age")
            .variable(
                "MEMBERSHIP_AGREEMENT",
                AGREEMENT.to_owned() + &"I keep to the rules of the shop. ".repeat(120),
            )
            .start()
            .unwrap();
        let scopes = "orders:read orders:write customers:read customers:write";
        let mut arguments = vec!["keys", "create", "--company", "default", "--name", "shop"];
        arguments.extend(scopes.split(' ').flat_map(|scope| ["--scope", scope]));
        let created = server.command(arguments).unwrap();
        assert!(created.status.success(), "{created:?}");
        Self {
            key: String::from_utf8(created.stdout).unwrap().trim().to_owned(),
            client: reqwest::Client::new(),
            server,
            office,
            runtime,
        }
    }

    fn call(&self, path: &str, body: &Value) -> Value {
        let url = self.server.base_url() + path;
        let call = self.client.post(url).header("x-api-key", &self.key);
        let answer = async { call.json(body).send().await?.json().await };
        self.runtime.block_on(answer).unwrap()
    }

    /// The links that were mailed so far.
    fn links(&self) -> Vec<String> {
        let said = self.server.stderr() + &self.server.stdout();
        let links = said.split("link=\"").skip(1);
        let links = links.filter_map(|rest| rest.split('"').next());
        links.map(str::to_owned).collect()
    }

    /// An order of a customer, and the link that they are mailed.
    fn order(&self, id: &str, placed_at: Timestamp) -> String {
        let before = self.links();
        let order = json!({"order_id": id, "email": email(id), "placed_at": placed_at.to_string()});
        let answer = self.call("/api/v1/orders", &order);
        assert!(answer["status"].is_string(), "{answer}");
        waiting::wait_for("the mail", LIMIT, || {
            Ok(self.links().into_iter().find(|link| !before.contains(link)))
        })
        .unwrap()
    }

    fn status(&self, id: &str) -> String {
        let url = format!("{}/api/v1/orders/{id}", self.server.base_url());
        let call = self.client.get(url).header("x-api-key", &self.key);
        let answer = async { call.send().await?.json::<Value>().await };
        let answer = self.runtime.block_on(answer).unwrap();
        answer["status"].as_str().unwrap().to_owned()
    }

    /// Has Veriff decide on the session that was asked for last.
    fn decide(&self, status: &str, change: impl FnOnce(&mut Value)) {
        let asked = self.office.asked();
        let asked = asked.iter().rev().find(|(method, ..)| method == "POST");
        let ours = asked.unwrap().2["verification"]["vendorData"].clone();
        let session = self.office.sessions().pop().unwrap();
        let at = now().to_string();
        let mut decided = decision(&session, ours.as_str().unwrap(), status, &at);
        change(&mut decided["verification"]);
        let body = decided.to_string();
        let signature = sign(&HookKey::new(SECRET).unwrap(), body.as_bytes());
        let url = self.server.base_url() + "/hooks/veriff";
        let call = self.client.post(url).header("x-auth-client", API_KEY);
        let call = call.header("x-hmac-signature", signature).body(body);
        let answer = self.runtime.block_on(call.send()).unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }
}

/// The time of the server, which has a clock of its own.
fn now() -> Timestamp {
    SystemClock.now()
}

/// The customer of an order.
fn email(id: &str) -> String {
    format!("ann+{id}@example.com")
}

impl Visit {
    fn new() -> Self {
        let shop = Shop::open();
        let browser = Browser::start().unwrap();
        let page = browser.page().unwrap();
        Self {
            page,
            browser,
            shop,
        }
    }

    /// Opens the link of an order that was placed just now.
    fn follow(&mut self, id: &str) -> String {
        let link = self.shop.order(id, now());
        self.page.open(&link).unwrap();
        self.arrive("Your order is waiting");
        link
    }

    /// Waits for a page with this headline, drawn as a whole.
    fn arrive(&mut self, headline: &str) {
        self.see(&format!(
            "document.querySelector('h1')?.innerText === '{headline}'"
        ));
    }

    fn see(&mut self, condition: &str) {
        let drawn = format!("document.readyState === 'complete' && ({condition})");
        self.page.wait_for(&drawn).unwrap();
    }

    /// Waits until so many steps are done.
    fn done(&mut self, count: u32) {
        self.see(&format!(
            "document.querySelectorAll('.steps > .done').length === {count}"
        ));
    }

    /// Opens the page until it says these words.
    fn until(&mut self, link: &str, words: &str) {
        let page = &mut self.page;
        waiting::wait_for(words, LIMIT, || {
            page.open(link)?;
            Ok(page.text("main")?.contains(words).then_some(()))
        })
        .unwrap();
    }

    /// Presses the button to Veriff, and is gone.
    fn go_to_veriff(&mut self) {
        self.page.click(SHOW_ID).unwrap();
        let page = &mut self.page;
        waiting::wait_for("the way to Veriff", LIMIT, || {
            let last = page.requests()?.last().cloned().unwrap_or_default();
            Ok(last.starts_with("https://magic.veriff.me/v/").then_some(()))
        })
        .unwrap();
        self.see("document.querySelector('main') === null || location.protocol !== 'http:'");
    }

    fn fill_age(&mut self, year: &str) {
        for (field, text) in [
            ("#full-name", "Ann Lee"),
            ("#birth-month", "4"),
            ("#birth-day", "27"),
            ("#birth-year", year),
            ("#id-digits", "1234"),
        ] {
            self.page.fill(field, text).unwrap();
        }
        let choose = "document.querySelector('#state').value = 'TX'";
        self.page.evaluate(choose).unwrap();
    }

    fn focused(&mut self) -> String {
        let focused = "document.activeElement.id || document.activeElement.textContent.trim()";
        let focused = self.page.evaluate(focused).unwrap();
        focused.as_str().unwrap().to_owned()
    }

    /// Presses Tab until this has the focus, which can be seen.
    fn tab_to(&mut self, name: &str) {
        for _ in 0..16 {
            self.page.press("Tab").unwrap();
            if self.focused() == name {
                let ring = "getComputedStyle(document.activeElement).outlineStyle !== 'none'";
                assert_eq!(self.page.evaluate(ring).unwrap(), true, "no ring on {name}");
                return;
            }
        }
        panic!("no way to {name}");
    }

    /// All that the page asked for came from the server or led to Veriff, and the browser complained
    /// of nothing but these.
    fn assert_content(&mut self, refusals: &[&str]) {
        let own = format!("http://localhost:{}/", self.shop.server.port());
        for url in self.page.requests().unwrap() {
            // The browser's own page of a host that is not there has pictures in it.
            let known = [own.as_str(), "https://magic.veriff.me/v/", "data:"];
            let is_known = known.iter().any(|beginning| url.starts_with(beginning));
            assert!(is_known, "a request to {url}");
        }
        let mut complaints = self.page.complaints().unwrap();
        // Whoever follows a link has the browser give up what it was still fetching for the page.
        let unrelated = ["ERR_NAME_NOT_RESOLVED", "ERR_ABORTED"];
        complaints.retain(|complaint| !unrelated.iter().any(|text| complaint.contains(text)));
        let statuses: Vec<_> = complaints
            .iter()
            .map(|complaint| complaint.split_once(' ').map_or("", |(status, _)| status))
            .collect();
        assert_eq!(statuses, refusals, "{complaints:?}");
    }
}

const SHOW_ID: &str = "form:has([value=veriff]) button";
const SIGN: &str = "form:has([value=membership]) button";
const OPT_IN: &str = "form:has([value=email_optin]) button";
const TELL_AGE: &str = "form.age button";

#[test]
fn three_steps_release_the_order() {
    let mut visit = Visit::new();
    visit.page.touch().unwrap();
    visit.page.resize(360, 740).unwrap();
    let link = visit.follow("1001");
    // Nothing is signed unread: the box has to be ticked.
    visit.page.click(SIGN).unwrap();
    let asked = "document.querySelector('#agreed:invalid') !== null";
    assert_eq!(visit.page.evaluate(asked).unwrap(), true);
    visit.page.click(".steps summary").unwrap();
    visit.page.click("#agreed").unwrap();
    visit.page.click(SIGN).unwrap();
    visit.done(1);
    visit.page.click(OPT_IN).unwrap();
    visit.done(2);
    visit.go_to_veriff();
    visit.page.open(&format!("{link}?from=veriff")).unwrap();
    visit.arrive("Your order is waiting");
    visit.see("document.querySelector('.steps .note').checkVisibility()");
    let said = visit.page.text(".steps .note").unwrap();
    assert!(
        said.starts_with("Thank you. Your ID is being looked at"),
        "{said}"
    );
    // From there one can look whether it is decided.
    visit.page.click(".steps a").unwrap();
    visit.see("location.search === ''");
    visit.shop.decide("approved", |_| {});
    visit.until(&link, "Your order is released");
    assert_eq!(visit.shop.status("1001"), "released");
    visit.assert_content(&[]);
}

#[test]
fn without_scripts_everything_can_be_done() {
    let mut visit = Visit::new();
    visit.page.without_scripts().unwrap();
    let link = visit.follow("1001");
    visit.go_to_veriff();
    visit.page.open(&link).unwrap();
    visit.arrive("Your order is waiting");
    visit.page.click(OPT_IN).unwrap();
    visit.done(1);
    visit.page.click("#agreed").unwrap();
    visit.page.click(SIGN).unwrap();
    visit.done(2);
    visit.page.click(".or + details summary").unwrap();
    visit.fill_age("1991");
    visit.page.click(TELL_AGE).unwrap();
    visit.arrive("Your order is released");
    assert_eq!(visit.shop.status("1001"), "released");
    visit.assert_content(&[]);
}

#[test]
fn a_keyboard_is_enough() {
    let mut visit = Visit::new();
    let link = visit.follow("1001");
    visit.tab_to("Show my ID");
    visit.tab_to("Tell your birth date instead");
    visit.page.press("Enter").unwrap();
    for (field, text) in [
        ("full-name", "Ann Lee"),
        ("birth-month", "4"),
        ("birth-day", "31"),
        ("birth-year", "1991"),
        ("state", "Texas"),
        ("id-digits", "1234"),
    ] {
        visit.tab_to(field);
        visit.page.type_text(text).unwrap();
    }
    visit.tab_to("Confirm my age");
    visit.page.press("Enter").unwrap();
    // There is no such day: the form is open, and the field has the focus.
    visit.see("document.querySelector('.problem')");
    visit.see("document.activeElement.id === 'birth-month'");
    visit.tab_to("birth-day");
    visit.page.type_text("27").unwrap();
    visit.tab_to("id-digits");
    visit.page.type_text("1234").unwrap();
    visit.page.press("Enter").unwrap();
    visit.done(1);
    visit.tab_to("Read the agreement");
    visit.page.press("Enter").unwrap();
    visit.see("document.querySelector('.agreement').checkVisibility()");
    visit.tab_to("agreed");
    visit.page.press("Space").unwrap();
    visit.tab_to("Sign");
    visit.page.press("Enter").unwrap();
    visit.done(2);
    visit.tab_to("I agree");
    visit.page.press("Enter").unwrap();
    visit.arrive("Your order is released");
    visit.page.open(&link).unwrap();
    visit.arrive("Your order is released");
    visit.assert_content(&["400"]);
}

#[test]
fn every_page_fits_its_screen_and_can_be_read() {
    let mut visit = Visit::new();
    for (width, height) in [(360, 740), (1280, 800)] {
        for (colours, word) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
            visit.page = visit.browser.page().unwrap();
            if width == 360 {
                visit.page.touch().unwrap();
            }
            visit.page.resize(width, height).unwrap();
            visit.page.prefer(colours).unwrap();
            visit.tour(&format!("{width}-{word}"));
        }
    }
}

impl Visit {
    fn look(&mut self, name: &str, screen: &str) {
        let name = format!("order-{name}-{screen}");
        look_at(&mut self.page, &name);
        has_names(&mut self.page, &name);
    }

    /// Whatever the page can show, on one screen.
    fn tour(&mut self, screen: &str) {
        let link = self.follow(&format!("{screen}-1"));
        self.look("start", screen);
        for details in ["form details summary", ".or + details summary"] {
            self.page.click(details).unwrap();
        }
        self.look("open", screen);
        self.refuse_age(screen);
        self.send_to_veriff(&link, screen);
        self.finish(screen);
        self.end(screen);
    }

    /// Three refusals, and what follows.
    fn refuse_age(&mut self, screen: &str) {
        for name in [
            "age-refused",
            "age-refused-again",
            "age-refused-last",
            "age-closed",
        ] {
            self.fill_age("2020");
            self.page.evaluate("document.title = 'before'").unwrap();
            self.page.click(TELL_AGE).unwrap();
            self.see("document.title !== 'before'");
            self.look(name, screen);
        }
        self.assert_content(&["400", "400", "400", "429"]);
    }

    /// What is said of an ID check.
    fn send_to_veriff(&mut self, link: &str, screen: &str) {
        self.shop.office.be(Mood::RetryAfter(1));
        self.page.open(link).unwrap();
        self.page.click(SHOW_ID).unwrap();
        self.see("document.querySelector('.note[role=alert]')");
        self.look("veriff-away", screen);
        self.assert_content(&["503"]);
        self.go_to_veriff();
        self.page.open(link).unwrap();
        self.look("veriff-begun", screen);
        self.page.open(&format!("{link}?from=veriff")).unwrap();
        self.look("veriff-back", screen);
        self.shop.decide("declined", |_| {});
        self.until(link, "was not accepted");
        self.look("veriff-declined", screen);
        self.go_to_veriff();
        let child = |decided: &mut Value| decided["person"]["dateOfBirth"] = "2020-01-01".into();
        self.shop.decide("approved", child);
        self.until(link, "By your ID you are not 21 yet");
        self.look("veriff-too-young", screen);
    }

    /// The steps one after the other, for somebody else.
    fn finish(&mut self, screen: &str) {
        self.follow(&format!("{screen}-2"));
        self.page.click(OPT_IN).unwrap();
        self.done(1);
        self.look("one-done", screen);
        self.page.click("#agreed").unwrap();
        self.page.click(SIGN).unwrap();
        self.done(2);
        self.page.click(".or + details summary").unwrap();
        self.fill_age("1991");
        self.page.click(TELL_AGE).unwrap();
        self.arrive("Your order is released");
        self.look("released", screen);
    }

    /// How else it ends.
    fn end(&mut self, screen: &str) {
        let days = SignedDuration::from_hours(73);
        let id = format!("{screen}-3");
        let link = self.shop.order(&id, now() - days);
        self.page.open(&link).unwrap();
        self.arrive("The time for your order is over");
        self.see("document.querySelector('.note').checkVisibility()");
        self.look("expired", screen);
        self.page.click(OPT_IN).unwrap();
        self.arrive("Thank you: the shop decides now");
        self.look("late", screen);
        let path = format!("/api/v1/orders/{id}/cancel");
        self.shop.call(&path, &json!({"reason": "asked for"}));
        self.page.open(&link).unwrap();
        self.arrive("Your order was cancelled");
        self.look("cancelled", screen);
        self.page.open(&link[..link.len() - 1]).unwrap();
        self.arrive("This link does not work");
        self.look("refused", screen);
    }
}
