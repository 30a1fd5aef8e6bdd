//! The example shop beside a running server, and somebody in front of a browser.

use test_support::browser::Page;
use test_support::{Browser, Server, ServerBuilder};

use super::site::Site;

/// Somebody who visits the shop.
pub struct Visit {
    pub page: Page,
    pub server: Server,
    pub site: Site,
    _browser: Browser,
}

impl Visit {
    /// A shop and a server that takes its pages' requests, and a browser on an empty page.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// The same with more settings for the server.
    pub fn with(settle: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let site = Site::of_the_shop();
        let builder = ServerBuilder::new()
            .binary(env!("CARGO_BIN_EXE_bonafide"))
            .variable("CORS_ORIGINS", site.origin());
        let server = settle(builder).start().unwrap();
        let browser = Browser::start().unwrap();
        let page = browser.page().unwrap();
        Self {
            page,
            server,
            site,
            _browser: browser,
        }
    }

    /// A token as the shop's own server would issue it; `more` says what else it may do.
    pub fn token(&self, more: &[&str]) -> String {
        let fixed = ["tokens", "issue", "--subject", "shop"];
        let issued = self.server.command([&fixed, more].concat()).unwrap();
        assert!(issued.status.success(), "{issued:?}");
        String::from_utf8(issued.stdout).unwrap().trim().to_owned()
    }

    /// Opens a page of the shop.
    pub fn open(&mut self, file: &str) {
        let url = format!("{}/{file}", self.site.origin());
        self.page.open(&url).unwrap();
        self.page
            .wait_for("document.querySelector('#token')")
            .unwrap();
    }

    /// Fills in the connection panel, which is open on the first visit, and saves it.
    pub fn connect(&mut self, base_url: &str, token: &str, customer: Option<&str>) {
        if self
            .page
            .evaluate("document.querySelector('#connection').open")
            .unwrap()
            != true
        {
            self.page.click("#connection summary").unwrap();
        }
        self.page.fill("#base-url", base_url).unwrap();
        self.page.fill("#token", token).unwrap();
        if let Some(customer) = customer {
            self.page.fill("#customer-id", customer).unwrap();
        }
        self.page.click("#connection button").unwrap();
        self.page
            .wait_for("!document.querySelector('#connection').open")
            .unwrap();
    }

    /// Opens a page of the shop as this customer.
    pub fn sign_in(&mut self, file: &str, customer: &str) {
        let token = self.token(&[]);
        self.open(file);
        self.connect(&self.server.base_url(), &token, Some(customer));
    }

    /// Fills in and sends the form of `verify.html`. The birth date reads `4/27/1991`.
    pub fn claim(&mut self, name: &str, born: &str, digits: &str, state: &str) {
        let mut born = born.split('/');
        for (field, text) in [
            ("#full-name", name),
            ("#birth-month", born.next().unwrap_or_default()),
            ("#birth-day", born.next().unwrap_or_default()),
            ("#birth-year", born.next().unwrap_or_default()),
            ("#id-digits", digits),
        ] {
            self.page.fill(field, text).unwrap();
        }
        let choose = format!("document.querySelector('#state').value = '{state}'");
        self.page.evaluate(&choose).unwrap();
        self.send();
    }

    /// Sends the form and waits for the answer.
    pub fn send(&mut self) {
        let button = "document.querySelector('#claim button')";
        let sent = format!("{button}.ariaDisabled = 'sent'");
        self.page.evaluate(&sent).unwrap();
        self.page.click("#claim button").unwrap();
        let answered = format!("{button}.ariaDisabled === 'false'");
        self.page.wait_for(&answered).unwrap();
    }

    /// Waits for a notice with this title, and returns what it says below.
    pub fn notice(&mut self, title: &str) -> String {
        let shown = format!("document.querySelector('.notice h2')?.textContent === '{title}'");
        self.page.wait_for(&shown).unwrap();
        self.page.text(".notice p").unwrap()
    }

    /// The id of the element that has the focus, or else its text.
    pub fn focused(&mut self) -> String {
        let focused = "document.activeElement.id || document.activeElement.textContent";
        let focused = self.page.evaluate(focused).unwrap();
        focused.as_str().unwrap().to_owned()
    }

    /// The answers with an error that came since the last call, as `409 verify`; anything else that
    /// the browser complains of ends the test, and so does a request to any other host.
    pub fn refusals(&mut self) -> Vec<String> {
        let (api, own) = (self.server.base_url(), self.site.origin());
        for url in self.page.requests().unwrap() {
            let known = [&api, &own]
                .iter()
                .any(|origin| url.starts_with(origin.as_str()));
            assert!(known, "a request to {url}");
        }
        let complaints = self.page.complaints().unwrap();
        let prefix = format!("{api}/api/age-verification/");
        let refusal = |complaint: &String| {
            let (status, url) = complaint.split_once(' ')?;
            let path = url.strip_prefix(&prefix)?;
            Some(format!("{status} {path}"))
        };
        let refusals: Option<Vec<_>> = complaints.iter().map(refusal).collect();
        refusals.unwrap_or_else(|| panic!("the browser complains: {complaints:?}"))
    }
}
