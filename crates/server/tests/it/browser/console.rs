//! The console in a browser: from the link of the first start to a released order, on a phone and on
//! a desk, by day and by night, with the keyboard alone, and without scripts.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::browser::{Colours, Page};
use test_support::{Browser, Server, ServerBuilder, waiting};
use tokio::runtime::Runtime;

use super::layout::{has_names, look_at, look_unaided};
use crate::console::openid::provider::{CLIENT, ClientProof, Provider};
use crate::tokens::signing::Identity;

const LIMIT: Duration = Duration::from_secs(30);

/// A server that was started for the first time, and the shop that asks it things.
struct House {
    server: Server,
    client: reqwest::Client,
    key: String,
    link: String,
    runtime: Runtime,
}

impl House {
    fn open() -> Self {
        let server = ServerBuilder::first_run()
            .binary(env!("CARGO_BIN_EXE_bonafide"))
            .variable("MEMBERSHIP_AGREEMENT", "I keep to the rules of the shop.")
            .start()
            .unwrap();
        let line = |begin: &str| {
            waiting::wait_for(begin, LIMIT, || {
                let greeting = server.stdout();
                let mut lines = greeting.lines().map(str::trim);
                Ok(lines
                    .find(|line| line.starts_with(begin))
                    .map(str::to_owned))
            })
            .unwrap()
        };
        let (key, link) = (line("bf_"), line("http"));
        Self {
            client: reqwest::Client::new(),
            runtime: Runtime::new().unwrap(),
            server,
            key,
            link,
        }
    }

    fn call(&self, path: &str, body: &Value) {
        let url = self.server.base_url() + path;
        let call = self.client.post(url).header("x-api-key", &self.key);
        let answer = self.runtime.block_on(call.json(body).send()).unwrap();
        assert!(
            answer.status().as_u16() < 500,
            "{path}: {}",
            answer.status()
        );
    }

    /// A day in the life of a shop.
    fn live(&self) {
        for number in 0..4 {
            let email = format!("customer{number}@example.com");
            let order = json!({"order_id": format!("{}", 1_001 + number), "source": "web shop", "email": email});
            self.call("/api/v1/orders", &order);
            for proof in ["veriff", "membership"].into_iter().take(number) {
                let proof = json!({"email": email, "verification_type": proof, "status": true});
                self.call("/api/v1/customer/update-verification", &proof);
            }
            for born in ["1990-04-27", "2015-01-01"] {
                let claim = json!({"customerId": format!("c{number}{born}"), "fullName": "Ann Lee",
                    "dateOfBirth": born, "idNumberLast4": "1234", "state": "TX"});
                self.call("/api/age-verification/verify", &claim);
            }
        }
        for _ in 0..20 {
            let check = json!({"email": "customer1@example.com"});
            self.call("/api/v1/customer/check-verification", &check);
        }
    }

    /// Waits until the worker has counted what was asked.
    fn wait_for_figures(&self, page: &mut Page) {
        waiting::wait_for("the figures", LIMIT, || {
            page.open(&self.url("/console"))?;
            let is_there = page.evaluate("Boolean(document.querySelector('.plot'))")?;
            Ok((is_there == true).then_some(()))
        })
        .unwrap();
    }

    fn url(&self, path: &str) -> String {
        self.server.base_url() + path
    }

    /// A browser window, signed in.
    fn enter(&self, browser: &Browser) -> Page {
        let mut page = browser.page().unwrap();
        page.open(&self.url("/console")).unwrap();
        page.fill("#credential", &self.key).unwrap();
        page.press("Enter").unwrap();
        page.wait_for("document.querySelector('.tiles')").unwrap();
        page.complaints().unwrap();
        page
    }
}

#[test]
fn the_printed_link_opens_the_console_once() {
    let house = House::open();
    let browser = Browser::start().unwrap();
    let mut page = browser.page().unwrap();
    page.open(&house.link).unwrap();
    page.wait_for("document.querySelector('.tiles')").unwrap();
    assert_eq!(page.text("h1").unwrap(), "Overview");
    assert_eq!(page.text(".who strong").unwrap(), "administrator");
    let cookie = page.evaluate("document.cookie").unwrap();
    assert_eq!(cookie, "", "no script reads the cookie");
    assert_eq!(page.complaints().unwrap(), [""; 0]);
    let mut other = browser.page().unwrap();
    other.open(&house.link).unwrap();
    other
        .wait_for("document.querySelector('#credential')")
        .unwrap();
    assert!(other.text("main").unwrap().contains("This link was used"));
}

#[test]
fn every_page_fits_every_screen_by_day_and_by_night() {
    let house = House::open();
    let browser = Browser::start().unwrap();
    let mut page = browser.page().unwrap();
    for (width, height) in [(360, 740), (1280, 800)] {
        page.resize(width, height).unwrap();
        page.open(&house.url("/console")).unwrap();
        look_at(&mut page, &format!("console-sign-in-{width}"));
        has_names(&mut page, "sign-in");
    }
    let mut page = house.enter(&browser);
    each_look(
        &mut page,
        &house,
        &[("empty", "/console"), ("orders-empty", "/console/orders")],
    );
    house.live();
    house.wait_for_figures(&mut page);
    let customer = find(&mut page, &house, "customer2@example.com");
    let delivery = first(&mut page, &house, "/console/deliveries");
    let record = first(&mut page, &house, "/console/audit?action=customer.check");
    page.open(&house.url("/console/audit/check")).unwrap();
    page.click("main button").unwrap();
    page.wait_for("document.querySelector('h2 .chip.good')")
        .unwrap();
    each_look(
        &mut page,
        &house,
        &[
            ("overview", "/console"),
            ("overview-7d", "/console?figures=7d"),
            ("orders", "/console/orders"),
            ("order", "/console/orders/1002"),
            ("customers", "/console/customers"),
            ("customer", &customer),
            ("inbox", "/console/inbox"),
            ("integrations", "/console/integrations"),
            ("companies", "/console/companies"),
            ("company", "/console/companies/default"),
            ("health", "/console/health"),
            ("deliveries", "/console/deliveries"),
            ("delivery", &delivery),
            ("audit", "/console/audit"),
            ("audit-search", "/console/audit?action=customer.check"),
            ("audit-record", &record),
            ("audit-check", "/console/audit/check"),
            ("numbers", "/console/numbers"),
            ("ages", "/console/ages"),
            ("keys", "/console/keys"),
            ("sessions", "/console/sessions"),
        ],
    );
    assert_eq!(page.complaints().unwrap(), [""; 0]);
    let own = house.server.base_url();
    // What the browser draws itself (the sign in a field for a day) comes from nowhere.
    let is_fine = |url: &&String| url.starts_with(&own) || url.starts_with("data:");
    let requests = page.requests().unwrap();
    let foreign: Vec<_> = requests.iter().filter(|url| !is_fine(url)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// Finds a customer by the form; where their page is.
fn find(page: &mut Page, house: &House, email: &str) -> String {
    page.open(&house.url("/console/customers")).unwrap();
    page.fill("#whom", email).unwrap();
    page.press("Enter").unwrap();
    page.wait_for("document.querySelector('#evidence')")
        .unwrap();
    let path = page.evaluate("location.pathname").unwrap();
    path.as_str().unwrap().to_owned()
}

/// Where the first thing of a list leads.
fn first(page: &mut Page, house: &House, list: &str) -> String {
    page.open(&house.url(list)).unwrap();
    page.wait_for("document.querySelector('tbody a')").unwrap();
    let path = page.evaluate("document.querySelector('tbody a').pathname");
    path.unwrap().as_str().unwrap().to_owned()
}

/// Opens pages on each screen, by day and by night, and looks at them.
fn each_look(page: &mut Page, house: &House, pages: &[(&str, &str)]) {
    for (width, height) in [(360, 740), (1280, 800)] {
        page.resize(width, height).unwrap();
        for (colours, word) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
            page.prefer(colours).unwrap();
            for (name, path) in pages {
                page.open(&house.url(path)).unwrap();
                look_at(page, &format!("console-{name}-{width}-{word}"));
                has_names(page, name);
                has_landmarks(page, name);
            }
        }
    }
}

/// Whoever does not see the page finds their way: landmarks, headings in order, named controls, and
/// table heads.
fn has_landmarks(page: &mut Page, name: &str) {
    for (rule, expression) in [
        (
            "one main part",
            "document.querySelectorAll('main').length === 1",
        ),
        (
            "a way past the menu",
            "document.querySelector('a.skip')?.hash === '#main'",
        ),
        ("a language", "document.documentElement.lang === 'en'"),
        (
            "a title of its own",
            "document.title.endsWith(' · Bonafide')",
        ),
        (
            "parts with names",
            "[...document.querySelectorAll('nav, section, [role=region]')].every((part) => \
             part.ariaLabel || document.getElementById(part.getAttribute('aria-labelledby')))",
        ),
        (
            "headings that skip no level",
            "[...document.querySelectorAll('h1, h2, h3')].every((heading, at, all) => \
             at === 0 ? heading.tagName === 'H1' : heading.tagName[1] - all[at - 1].tagName[1] <= 1)",
        ),
        (
            "buttons and links with names",
            "[...document.querySelectorAll('a, button, summary')].every((one) => \
             one.ariaLabel || one.textContent.trim())",
        ),
        (
            "pictures with names, or none on purpose",
            "[...document.querySelectorAll('img, svg')].every((one) => \
             one.hasAttribute('alt') || one.ariaLabel || one.ariaHidden === 'true')",
        ),
        (
            "heads for every column",
            "[...document.querySelectorAll('table')].every((table) => \
             [...table.tHead.rows[0].cells].every((cell) => cell.scope === 'col'))",
        ),
        (
            "targets that a finger hits",
            "[...document.querySelectorAll('button, .side nav a, .tabs a')].every((one) => { \
             const box = one.getBoundingClientRect(); return box.height >= 24 && box.width >= 24 })",
        ),
    ] {
        assert_eq!(page.evaluate(expression).unwrap(), true, "{rule} on {name}");
    }
}

#[test]
fn an_order_is_released_with_the_keyboard_alone() {
    let house = House::open();
    house.live();
    let browser = Browser::start().unwrap();
    let mut page = house.enter(&browser);
    page.open(&house.url("/console/orders")).unwrap();
    tab_to(
        &mut page,
        "document.activeElement?.textContent === 'To the content'",
    );
    page.press("Enter").unwrap();
    tab_to(&mut page, "document.activeElement?.textContent === '1002'");
    let ring = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(
        page.evaluate(ring).unwrap(),
        "solid",
        "the focus can be seen"
    );
    page.press("Enter").unwrap();
    page.wait_for("document.querySelector('#reason')").unwrap();
    tab_to(&mut page, "document.activeElement?.id === 'reason'");
    page.type_text("ID seen in the store").unwrap();
    page.press("Tab").unwrap();
    page.press("Enter").unwrap();
    page.wait_for("document.querySelector('h1 .chip.good')")
        .unwrap();
    assert!(
        page.text(".timeline")
            .unwrap()
            .contains("ID seen in the store")
    );
    assert_eq!(page.complaints().unwrap(), [""; 0]);
}

/// From the printed link to all that the example offers, led by nothing but the pages.
#[test]
fn a_newcomer_needs_no_manual() {
    let house = House::open();
    let browser = Browser::start().unwrap();
    let mut page = browser.page().unwrap();
    page.open(&house.link).unwrap();
    page.wait_for("document.querySelector('.guide')").unwrap();
    page.click(".guide button").unwrap();
    page.wait_for("document.querySelector('.steps')").unwrap();
    for (width, height) in [(360, 740), (1280, 800)] {
        page.resize(width, height).unwrap();
        for (colours, word) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
            page.prefer(colours).unwrap();
            look_at(&mut page, &format!("console-example-{width}-{word}"));
        }
    }

    step(&mut page, 1);
    page.wait_for("document.querySelector('#whom')").unwrap();
    page.fill("#whom", "maria@bonafide.example").unwrap();
    page.press("Enter").unwrap();
    page.wait_for("document.querySelector('#evidence')")
        .unwrap();
    assert!(
        page.text("h1")
            .unwrap()
            .starts_with("m***@bonafide.example")
    );

    step(&mut page, 2);
    page.wait_for("document.querySelector('#reason')").unwrap();
    page.fill("#reason", "signed on paper").unwrap();
    page.click("form.fields button").unwrap();
    page.wait_for("document.querySelector('h1 .chip.good')")
        .unwrap();

    step(&mut page, 3);
    page.wait_for("document.querySelector('tbody a')").unwrap();
    page.click("tbody a").unwrap();
    page.wait_for("document.querySelector('#attempts')")
        .unwrap();
    attempts(&mut page, 1);
    page.evaluate("window.isBefore = true").unwrap();
    page.click("form[action$=again] button").unwrap();
    page.wait_for("document.querySelector('#attempts') && !window.isBefore")
        .unwrap();
    attempts(&mut page, 2);

    step(&mut page, 4);
    page.wait_for("document.querySelector('#stage')").unwrap();
    page.click("main button").unwrap();
    page.wait_for("document.querySelector('h2 .chip.good')")
        .unwrap();
    assert_eq!(page.complaints().unwrap(), [""; 0]);
}

/// Goes where a step of the guide leads, over the first page.
fn step(page: &mut Page, number: u8) {
    if page
        .evaluate("document.querySelector('.steps') === null")
        .unwrap()
        == true
    {
        page.click(".brand").unwrap();
        page.wait_for("document.querySelector('.steps')").unwrap();
    }
    page.click(&format!(".steps li:nth-child({number}) a"))
        .unwrap();
}

/// Waits until a delivery has been tried so often, and that went well.
fn attempts(page: &mut Page, count: u8) {
    let address = page.evaluate("location.href").unwrap();
    let tried = format!("document.querySelectorAll('.timeline .good').length === {count}");
    waiting::wait_for("an attempt", LIMIT, || {
        page.open(address.as_str().unwrap())?;
        Ok((page.evaluate(&tried)? == true).then_some(()))
    })
    .unwrap();
}

fn tab_to(page: &mut Page, condition: &str) {
    for _ in 0..40 {
        page.press("Tab").unwrap();
        if page.evaluate(condition).unwrap() == true {
            return;
        }
    }
    panic!("no tab leads to where {condition}");
}

/// The provider is another site: what a browser shows it, and what not before it is back, is the point.
#[test]
fn an_administrator_signs_in_by_their_provider() {
    let runtime = Runtime::new().unwrap();
    let identity = Identity::es256("one");
    let provider = runtime.block_on(Provider::open(ClientProof::Public, &[&identity]));
    let claims = json!({"sub": "1", "email": "maria@example.com", "email_verified": true});
    provider.know(identity, claims);
    let server = ServerBuilder::first_run()
        .binary(env!("CARGO_BIN_EXE_bonafide"))
        .variable("OIDC_ISSUER", &provider.issuer)
        .variable("OIDC_CLIENT_ID", CLIENT)
        .variable("OIDC_ADMINS", "maria@example.com")
        .start()
        .unwrap();
    let home = format!("http://localhost:{}", server.port());
    let browser = Browser::start().unwrap();
    for has_scripts in [true, false] {
        let mut page = browser.page().unwrap();
        if !has_scripts {
            page.without_scripts().unwrap();
        }
        page.open(&format!("{home}/console/keys")).unwrap();
        match has_scripts {
            true => look_at(&mut page, "console-sign-in-by-provider"),
            false => look_unaided(&mut page, "console-sign-in-by-provider-unaided"),
        }
        page.complaints().unwrap();
        page.click("a.button").unwrap();
        page.wait_for("document.title === 'Provider'").unwrap();
        page.click("a").unwrap();
        page.wait_for("document.querySelector('.who strong')")
            .unwrap();
        let address = page.evaluate("location.href").unwrap();
        assert_eq!(address, format!("{home}/console/keys"));
        assert_eq!(page.text(".who strong").unwrap(), "maria@example.com");
        assert_eq!(page.complaints().unwrap(), [""; 0]);
        page.click(".who button").unwrap();
        page.wait_for("document.querySelector('#credential')")
            .unwrap();
    }
}

#[test]
fn everything_works_without_scripts() {
    let house = House::open();
    house.live();
    let browser = Browser::start().unwrap();
    let mut page = browser.page().unwrap();
    page.without_scripts().unwrap();
    // The cookie is for the host that set it, and the link is for `localhost`.
    page.open(&house.link.replace("localhost", "127.0.0.1"))
        .unwrap();
    page.click("main button").unwrap();
    page.wait_for("document.querySelector('.tiles')").unwrap();
    page.open(&house.url("/console/orders/1001")).unwrap();
    page.wait_for("document.querySelector('#reason')").unwrap();
    page.fill("#reason", "not to be sold").unwrap();
    page.click("button.danger").unwrap();
    page.wait_for("document.querySelector('h1 .chip.bad')")
        .unwrap();
    page.click(".who button").unwrap();
    page.wait_for("document.querySelector('#credential')")
        .unwrap();
    assert_eq!(page.text("h1").unwrap(), "Sign in to the console");
}
