//! The page behind the link of a number's session, from the link to the company's answer.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::browser::{Colours, Page};
use test_support::{Browser, Server, ServerBuilder, waiting};

use super::layout::look_at;
use super::qr_code;

const NUMBER: &str = "+14155550123";
const OTHER: &str = "+14155550124";
const LONG_NAME: &str = "Weingut Söhne & Töchter Donaudampfschifffahrtsgesellschaft";

/// Somebody with a link, and the company that sent it.
struct Visit {
    /// The person's browser window.
    page: Page,
    company: Company,
    browser: Browser,
    server: Server,
}

/// What calls the API, from a window of its own.
struct Company {
    page: Page,
    token: String,
}

/// A session, as its company knows it.
struct Session {
    id: String,
    link: String,
}

impl Session {
    fn code(&self) -> &str {
        self.link.rsplit_once(['#', '=']).unwrap().1
    }
}

impl Company {
    fn call(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let headers = json!({
            "authorization": format!("Bearer {}", self.token),
            "content-type": "application/json",
        });
        let body = if body.is_null() {
            Value::Null
        } else {
            body.to_string().into()
        };
        let request = json!({"method": method, "headers": headers, "body": body});
        let path = json!(path);
        let script = format!("fetch({path}, {request}).then((answer) => answer.json())");
        self.page.evaluate(&script).unwrap()
    }

    fn initiate(&mut self, request: &str) -> Session {
        let body = json!({"mobileNumber": NUMBER, "requestId": request});
        let answer = self.call("POST", "/api/v1/verification/initiate", &body);
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        Session {
            id: text("verificationId"),
            link: text("deepLink"),
        }
    }

    /// What the server's database says of a session.
    fn status(&mut self, session: &Session) -> String {
        let path = format!("/api/v1/verification/status/{}", session.id);
        let answer = self.call("GET", &path, &Value::Null);
        answer["status"].as_str().unwrap().to_owned()
    }

    fn change(&mut self, change: &Value) {
        let answer = self.call("PATCH", "/api/v1/admin/companies/default", change);
        assert_eq!(answer["company_id"], "default", "{answer}");
    }
}

/// Waits until a condition holds of a page that has come as a whole: before, things still move.
fn drawn(page: &mut Page, condition: &str) {
    let drawn = format!("document.readyState === 'complete' && ({condition})");
    page.wait_for(&drawn).unwrap();
}

impl Visit {
    fn new() -> Self {
        let server = ServerBuilder::new()
            .binary(env!("CARGO_BIN_EXE_bonafide"))
            .start()
            .unwrap();
        let issue = ["tokens", "issue", "--subject", "shop", "--role", "admin"];
        let issued = server.command(issue).unwrap();
        assert!(issued.status.success(), "{issued:?}");
        let browser = Browser::start().unwrap();
        let mut company = Company {
            page: browser.page().unwrap(),
            token: String::from_utf8(issued.stdout).unwrap().trim().to_owned(),
        };
        let origin = format!("http://localhost:{}", server.port());
        company.page.open(&format!("{origin}/health")).unwrap();
        company.change(&json!({"name": "Acme Wines"}));
        Self {
            page: browser.page().unwrap(),
            company,
            browser,
            server,
        }
    }

    /// Follows a link and waits for the session.
    fn follow(&mut self, session: &Session) {
        self.page.open(&session.link).unwrap();
        drawn(&mut self.page, "document.querySelector('#number')");
    }

    /// Waits for a page with this headline.
    fn arrive(&mut self, headline: &str) {
        let shown = format!("document.querySelector('h1')?.innerText === '{headline}'");
        drawn(&mut self.page, &shown);
    }

    fn focused(&mut self) -> String {
        let focused = "document.activeElement.id || document.activeElement.textContent";
        let focused = self.page.evaluate(focused).unwrap();
        focused.as_str().unwrap().to_owned()
    }

    /// All that the page asked for came from the server, and the browser complained of nothing but
    /// these.
    fn assert_content(&mut self, refusals: &[&str]) {
        let own = format!("http://localhost:{}/", self.server.port());
        for url in self.page.requests().unwrap() {
            assert!(url.starts_with(&own), "a request to {url}");
        }
        let complaints = self.page.complaints().unwrap();
        let statuses: Vec<_> = complaints
            .iter()
            .map(|complaint| complaint.split_once(' ').map_or("", |(status, _)| status))
            .collect();
        assert_eq!(statuses, refusals, "{complaints:?}");
    }
}

#[test]
fn the_link_leads_to_a_confirmed_number() {
    let mut visit = Visit::new();
    let session = visit.company.initiate("order-81");
    visit.follow(&session);
    let text = visit.page.text("main").unwrap();
    assert!(text.contains("Acme Wines would like to know"), "{text}");
    assert!(text.contains("You have 9 minutes left."), "{text}");
    // The code is in no address and no history any more.
    let address = visit
        .page
        .evaluate("location.pathname + location.hash")
        .unwrap();
    assert_eq!(address, format!("/v/{}", session.id));
    assert_eq!(visit.company.status(&session), "pending");

    visit.page.fill("#number", OTHER).unwrap();
    visit.page.click("button").unwrap();
    drawn(&mut visit.page, "document.querySelector('.problem')");
    let problem = visit.page.text(".problem").unwrap();
    assert_eq!(problem, "This is not the number. You have 2 tries left.");
    assert_eq!(visit.focused(), "number");
    let typed = visit
        .page
        .evaluate("document.querySelector('#number').value");
    assert_eq!(typed.unwrap(), "");
    visit.page.picture("number-mismatch").unwrap();

    visit.page.fill("#number", "+1 415 555 0123").unwrap();
    visit.page.click("button").unwrap();
    visit.arrive("Confirmed");
    assert_eq!(visit.company.status(&session), "verified");
    visit.page.picture("number-confirmed").unwrap();
    visit.assert_content(&[]);
    assert!(!visit.server.stderr().contains(session.code()));
}

#[test]
fn without_scripts_the_code_can_be_pasted() {
    let mut visit = Visit::new();
    let session = visit.company.initiate("order-81");
    visit.page.without_scripts().unwrap();
    visit.page.open(&session.link).unwrap();
    visit.page.picture("number-start").unwrap();
    visit.page.fill("#token", "something else").unwrap();
    visit.page.click("button").unwrap();
    visit.arrive("This link does not work");
    visit.page.picture("number-refused").unwrap();
    let link = session.link.clone();
    for (field, text, headline) in [
        ("#token", session.code(), "Confirm your mobile number"),
        ("#number", NUMBER, "Confirmed"),
    ] {
        visit.page.fill(field, text).unwrap();
        visit.page.press("Enter").unwrap();
        visit.arrive(headline);
    }
    assert_eq!(visit.company.status(&session), "verified");
    visit.assert_content(&["401"]);

    // A link that was used is not refused: it tells what came of it.
    visit.page.open("about:blank").unwrap();
    visit.page.open(&link).unwrap();
    visit.page.fill("#token", &link).unwrap();
    visit.page.press("Enter").unwrap();
    visit.arrive("Confirmed");
}

#[test]
fn a_keyboard_is_enough() {
    let mut visit = Visit::new();
    let session = visit.company.initiate("order-81");
    visit
        .page
        .open(session.link.split_once('#').unwrap().0)
        .unwrap();
    let ring = "getComputedStyle(document.activeElement).outlineStyle !== 'none'";
    for (field, text, button, headline) in [
        (
            "token",
            session.code(),
            "Continue",
            "Confirm your mobile number",
        ),
        ("number", NUMBER, "Confirm", "Confirmed"),
    ] {
        drawn(
            &mut visit.page,
            &format!("document.querySelector('#{field}')"),
        );
        visit.page.press("Tab").unwrap();
        assert_eq!(visit.focused(), field);
        assert_eq!(
            visit.page.evaluate(ring).unwrap(),
            true,
            "no ring on {field}"
        );
        visit.page.type_text(text).unwrap();
        visit.page.press("Tab").unwrap();
        assert_eq!(visit.focused(), button);
        assert_eq!(
            visit.page.evaluate(ring).unwrap(),
            true,
            "no ring on {button}"
        );
        visit.page.press("Enter").unwrap();
        visit.arrive(headline);
    }
    assert_eq!(visit.company.status(&session), "verified");
    visit.assert_content(&[]);
}

#[test]
fn a_desktop_shows_a_code_for_the_phone_and_a_phone_does_not() {
    let mut visit = Visit::new();
    let session = visit.company.initiate("order-81");
    visit.page.resize(1280, 800).unwrap();
    visit.follow(&session);
    let Visit { page, browser, .. } = &mut visit;
    assert_eq!(qr_code::read(browser, page), [session.link.as_str()]);
    // Black on white also in the dark, which is what cameras know.
    page.prefer(Colours::Dark).unwrap();
    assert_eq!(qr_code::read(browser, page), [session.link.as_str()]);

    let mut phone = browser.page().unwrap();
    phone.resize(360, 740).unwrap();
    phone.touch().unwrap();
    phone.open(&session.link).unwrap();
    drawn(&mut phone, "document.querySelector('#number')");
    assert_eq!(qr_code::read(browser, &mut phone), [""; 0]);
    let shown = "document.querySelector('.qr').checkVisibility()";
    assert_eq!(phone.evaluate(shown).unwrap(), false);
    visit.assert_content(&[]);
}

#[test]
fn a_phone_opens_the_app_once_by_itself() {
    let mut visit = Visit::new();
    visit.company.change(&json!({"app_link": "acme://verify"}));
    let session = visit.company.initiate("order-81");
    let app = session.link.clone();
    assert!(app.starts_with("acme://verify?id="), "{app}");
    let page = format!("http://localhost:{}/v/{}", visit.server.port(), session.id);
    let link = format!("{page}#{}", session.code());
    let asked = |page: &mut Page| {
        let requests = page.requests().unwrap();
        requests.iter().filter(|url| **url == app).count()
    };
    visit.page.resize(1280, 800).unwrap();
    visit.page.open(&link).unwrap();
    drawn(&mut visit.page, "document.querySelector('#number')");
    let button = "document.querySelector('.app .button').checkVisibility()";
    assert_eq!(visit.page.evaluate(button).unwrap(), false);
    assert_eq!(
        qr_code::read(&visit.browser, &mut visit.page),
        [link.as_str()]
    );
    visit.page.picture("number-app-desktop").unwrap();
    assert_eq!(asked(&mut visit.page), 0);

    let mut phone = visit.browser.page().unwrap();
    phone.resize(360, 740).unwrap();
    phone.touch().unwrap();
    phone.open(&link).unwrap();
    drawn(&mut phone, "document.querySelector('#number')");
    let opened = || Ok((asked(&mut phone) > 0).then_some(()));
    waiting::wait_for("the app", Duration::from_secs(30), opened).unwrap();
    phone.picture("number-app-phone").unwrap();
    assert_eq!(phone.text(".app .button").unwrap(), "Open the app");
    // Whoever comes back to the page wants something else.
    phone
        .evaluate("document.title = 'before'; location.reload()")
        .unwrap();
    drawn(&mut phone, "document.title !== 'before'");
    assert_eq!(asked(&mut phone), 1);

    // The browser still asks there whether the app may be opened, and takes no other input.
    visit.page.fill("#number", NUMBER).unwrap();
    visit.page.press("Enter").unwrap();
    visit.arrive("Confirmed");
    let mut phone = visit.browser.page().unwrap();
    phone.resize(360, 740).unwrap();
    phone.touch().unwrap();
    phone.open(&link).unwrap();
    drawn(
        &mut phone,
        "document.querySelector('h1').innerText === 'Confirmed'",
    );
    assert_eq!(phone.text(".button").unwrap(), "Back to the app");
    phone.picture("number-app-confirmed").unwrap();
    assert_eq!(asked(&mut phone), 0);
}

#[test]
fn a_second_click_is_no_second_try() {
    let mut visit = Visit::new();
    let session = visit.company.initiate("order-81");
    visit.follow(&session);
    visit.page.fill("#number", OTHER).unwrap();
    let twice =
        "document.querySelector('button').click(); document.querySelector('button').click()";
    visit.page.evaluate(twice).unwrap();
    drawn(&mut visit.page, "document.querySelector('.problem')");
    let problem = visit.page.text(".problem").unwrap();
    assert!(problem.ends_with("You have 2 tries left."), "{problem}");
    // And back on a page that was sent before, it can be sent again.
    visit.page.fill("#number", NUMBER).unwrap();
    visit.page.press("Enter").unwrap();
    visit.arrive("Confirmed");
}

#[test]
fn every_page_fits_its_screen_and_can_be_read() {
    let mut visit = Visit::new();
    visit
        .company
        .change(&json!({"name": LONG_NAME, "app_link": null}));
    for (width, height) in [(360, 740), (1280, 800)] {
        if width == 360 {
            visit.page.touch().unwrap();
        }
        visit.page.resize(width, height).unwrap();
        for (colours, word) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
            visit.page.prefer(colours).unwrap();
            let name = |page: &str| format!("number-{page}-{width}-{word}");
            let session = visit.company.initiate(&name(""));
            let bare = session.link.split_once('#').unwrap().0;
            visit.page.open(bare).unwrap();
            look_at(&mut visit.page, &name("start"));
            let nowhere = format!("http://localhost:{}/v/", visit.server.port());
            visit.page.open(&nowhere).unwrap();
            look_at(&mut visit.page, &name("failure"));
            visit.page.open(&format!("{bare}#wrong")).unwrap();
            visit.arrive("This link does not work");
            look_at(&mut visit.page, &name("refused"));
            visit.page.open("about:blank").unwrap();
            visit.follow(&session);
            look_at(&mut visit.page, &name("open"));
            for page in ["mismatch", "mismatch-again", "failed"] {
                visit.page.fill("#number", OTHER).unwrap();
                visit.page.evaluate("document.title = 'before'").unwrap();
                visit.page.press("Enter").unwrap();
                drawn(&mut visit.page, "document.title !== 'before'");
                look_at(&mut visit.page, &name(page));
            }
            visit.arrive("Not confirmed");
            let session = visit.company.initiate(&name("again"));
            visit.follow(&session);
            visit.page.fill("#number", NUMBER).unwrap();
            visit.page.press("Enter").unwrap();
            visit.arrive("Confirmed");
            look_at(&mut visit.page, &name("confirmed"));
        }
        visit.assert_content(&["404", "401", "404", "401"]);
        visit.page = visit.browser.page().unwrap();
    }
}
