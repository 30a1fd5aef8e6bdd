//! The customer's page, from the link of the mail.

use std::sync::{Arc, Mutex};

use app::deliveries::{Channels, Dispatcher};
use app::mail::{Letter, MAIL, Mailer, Mails, Policy};
use app::orders::OrderLetters;
use bonafide::mail::render;
use domain::agreement::Agreement;
use domain::mail::Outcome;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::{ALL, ANN, HOUR, decide, pass, place, placed, status};
use crate::customers::{prove, standing};
use crate::harness::{
    Answer, BASE_URL, Call, Settings, TestApp, deliveries_settings, flows, logged,
};

flows!(
    what_is_missing_is_shown_and_the_opt_in_is_taken,
    the_last_step_releases_the_order,
    a_step_too_late_still_counts,
    an_order_that_is_settled_asks_for_nothing,
    looking_changes_nothing,
    no_other_link_is_accepted,
    what_cannot_be_done_here_is_refused,
    the_agreement_is_signed_and_its_text_is_kept,
    nothing_is_signed_under_a_text_of_yesterday,
    an_erased_customer_has_no_page,
    names_are_shown_as_they_are,
    without_a_good_link_nothing_else_is_looked_at,
    what_is_settled_takes_no_more_steps,
    after_the_deadline_every_step_can_still_be_done,
    the_page_gives_nothing_away,
);

/// Keeps the links of mails.
#[derive(Default)]
struct Pocket(Mutex<Vec<[String; 2]>>);

impl Mailer for Pocket {
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Outcome> {
        let links = [&letter.links.verify, &letter.links.stop];
        let paths = links.map(|link| link.strip_prefix(BASE_URL).unwrap().to_owned());
        self.0.lock().unwrap().push(paths);
        std::future::ready(Outcome::Delivered).boxed()
    }
}

/// The paths of the links in the newest mail: the page's, and that which stops the reminders.
pub async fn links(app: &TestApp) -> [String; 2] {
    let pocket = Arc::new(Pocket::default());
    let letters = Arc::new(OrderLetters::new(app.app.clone()));
    let policy = Policy {
        base_url: BASE_URL.into(),
        render,
    };
    let mails = Mails::new(app.app.clone(), letters, pocket.clone(), policy);
    let channels = Channels::default().with(MAIL, mails);
    let mut worker = Dispatcher::new(app.app.clone(), channels, deliveries_settings());
    worker.run_due().await.unwrap();
    let newest = pocket.0.lock().unwrap().pop();
    newest.unwrap()
}

/// An order of Ann's, and the path of its page.
pub async fn ordered(app: &TestApp) -> (String, String) {
    let key = app.key("default", ALL).await;
    placed(app, &key, "1001", ANN).await;
    let [page, _] = links(app).await;
    (key, page)
}

/// Sends a form of the page.
pub fn send(app: &TestApp, page: &str, form: &str) -> Call {
    let call = app.post(page).header("user-agent", "A browser");
    call.body("application/x-www-form-urlencoded", form.to_owned())
}

pub async fn opt_in(app: &TestApp, page: &str, expected: u16) -> Answer {
    send(app, page, "step=email_optin").expect(expected).await
}

async fn what_is_missing_is_shown_and_the_opt_in_is_taken(app: TestApp) {
    let (key, page) = ordered(&app).await;
    prove(&app, &key, ANN, "veriff", true).await;
    let shown = app.get(&page).expect(200).await.text();
    for words in ["Default", "Order 1001", "3 days left", "Your ID", "I agree"] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    assert_eq!(shown.matches("Done").count(), 1);
    assert!(!shown.contains(ANN), "a link may be passed on");

    let shown = opt_in(&app, &page, 200).await.text();
    assert_eq!(shown.matches("Done").count(), 2);
    assert!(!shown.contains("I agree"));
    let known = standing(&app, &key, ANN).await;
    assert_eq!(known["email_optin"], true);
    assert_eq!(status(&app, &key, "1001").await, "held");
    let source = "SELECT source FROM evidence WHERE proof = 'email_optin'";
    assert_eq!(app.database().sql(source).await, [["link"]]);
    let recorded = app.recorded().await;
    assert_eq!((recorded["order.page"], recorded["order.step"]), (1, 1));
    let token = page.rsplit('/').next().unwrap();
    assert!(!logged().contains(token), "a link is a credential");
}

async fn the_last_step_releases_the_order(app: TestApp) {
    let (key, page) = ordered(&app).await;
    prove(&app, &key, ANN, "veriff", true).await;
    prove(&app, &key, ANN, "membership", true).await;
    let first = opt_in(&app, &page, 200).await.text();
    assert!(first.contains("Your order is released"));
    assert_eq!(status(&app, &key, "1001").await, "released");
    // Whoever presses again, or goes back, changes nothing.
    let given = standing(&app, &key, ANN).await;
    app.advance(HOUR);
    let again = opt_in(&app, &page, 200).await.text();
    assert_eq!(again, first);
    assert_eq!(standing(&app, &key, ANN).await, given);
}

async fn a_step_too_late_still_counts(app: TestApp) {
    app.leaves_deliveries();
    let (key, page) = ordered(&app).await;
    pass(&app, 72).await;
    let shown = app.get(&page).expect(200).await.text();
    assert!(shown.contains("The time for your order is over"));
    assert!(shown.contains("still counts"));
    let shown = opt_in(&app, &page, 200).await.text();
    assert!(shown.contains("the shop decides now"));
    assert_eq!(status(&app, &key, "1001").await, "late");
    // A month after the deadline the link is dead.
    app.advance(31 * 24 * HOUR);
    app.get(&page).expect(401).await;
}

async fn an_order_that_is_settled_asks_for_nothing(app: TestApp) {
    let (key, page) = ordered(&app).await;
    decide(&app, &key, "1001", "cancel").expect(200).await;
    let shown = app.get(&page).expect(200).await.text();
    assert!(shown.contains("Your order was cancelled"));
    assert!(!shown.contains("<form"));
}

async fn looking_changes_nothing(app: TestApp) {
    let (key, page) = ordered(&app).await;
    let before = standing(&app, &key, ANN).await;
    for _ in 0..3 {
        let answer = app.get(&page).expect(200).await;
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(standing(&app, &key, ANN).await, before);
}

async fn no_other_link_is_accepted(app: TestApp) {
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    let [page, stop] = links(&app).await;
    let token = page.strip_prefix("/verify/").unwrap();
    let other = stop.strip_prefix("/stop/").unwrap();
    let flipped = token.replacen(
        &token[..1],
        if token.starts_with('A') { "B" } else { "A" },
        1,
    );
    let cut = &token[..token.len() - 1];
    for wrong in [other, &flipped, cut, "x", "%00", "no/such"] {
        let path = format!("/verify/{wrong}");
        let expected = if wrong.contains('/') { 404 } else { 401 };
        app.get(&path).expect(expected).await;
        opt_in(&app, &path, expected).await;
    }
    assert_eq!(standing(&app, &key, ANN).await["email_optin"], false);
}

async fn what_cannot_be_done_here_is_refused(app: TestApp) {
    let (key, page) = ordered(&app).await;
    for body in [
        "step=veriff",
        "step=membership",
        "step=",
        "",
        "step=EMAIL_OPTIN",
        "step=age",
        "step=email_optin&step=email_optin",
        "step=%",
    ] {
        send(&app, &page, body).expect(400).await;
    }
    app.post(&page)
        .json(&json!({"step": "email_optin"}))
        .expect(415)
        .await;
    assert_eq!(standing(&app, &key, ANN).await["email_optin"], false);
}

async fn without_a_good_link_nothing_else_is_looked_at(app: TestApp) {
    let (_, page) = ordered(&app).await;
    let wrong = &page[..page.len() - 1];
    let refused = app.get(wrong).expect(401).await.text();
    for form in ["step=no_such", "", "step=%", "step=age", "step=veriff"] {
        let answer = send(&app, wrong, form).expect(401).await;
        assert_eq!(answer.text(), refused, "{form}");
    }
    app.post(wrong).json(&json!({})).expect(401).await;
    let large = "x".repeat(100_000);
    send(&app, wrong, &large).expect(401).await;
    send(&app, &page, &large).expect(413).await;
}

async fn what_is_settled_takes_no_more_steps(app: TestApp) {
    let (key, page) = ordered(&app).await;
    decide(&app, &key, "1001", "cancel").expect(200).await;
    opt_in(&app, &page, 200).await;
    assert_eq!(standing(&app, &key, ANN).await["email_optin"], false);
}

async fn after_the_deadline_every_step_can_still_be_done(app: TestApp) {
    let (app, version) = with_agreement(&app, "I am a member.").await;
    app.leaves_deliveries();
    let (key, page) = ordered(&app).await;
    pass(&app, 72).await;
    let shown = opt_in(&app, &page, 200).await.text();
    assert!(shown.contains("the shop decides now"));
    sign(&app, &page, &version).await;
    prove(&app, &key, ANN, "veriff", true).await;
    let known = standing(&app, &key, ANN).await;
    assert_eq!(known["all_verified"], true);
    let shown = app.get(&page).expect(200).await.text();
    assert!(!shown.contains("<form"), "nothing is left to do");
    assert_eq!(status(&app, &key, "1001").await, "late");
}

async fn the_page_gives_nothing_away(app: TestApp) {
    let (_, page) = ordered(&app).await;
    let answer = app.get(&page).expect(200).await;
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(policy.contains("form-action 'self';"), "{policy}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-frame-options"), "DENY");
}

/// An instance whose operator has an agreement.
async fn with_agreement(app: &TestApp, text: &str) -> (TestApp, String) {
    let agreement = Arc::new(Agreement::new(text).unwrap());
    let version = agreement.version().to_owned();
    let mut settings = Settings::default();
    settings.orders.agreement = Some(agreement);
    (app.another(settings).await, version)
}

pub async fn sign(app: &TestApp, page: &str, version: &str) -> String {
    let form = format!("step=membership&agreement={version}");
    send(app, page, &form).expect(200).await.text()
}

async fn texts(app: &TestApp) -> Vec<Vec<String>> {
    let sql = "SELECT version, text FROM agreements ORDER BY first_signed_at, version";
    app.database().sql(sql).await
}

async fn the_agreement_is_signed_and_its_text_is_kept(app: TestApp) {
    let text = "I am <21> or older,\nand a member.";
    let (app, version) = with_agreement(&app, text).await;
    let (key, page) = ordered(&app).await;
    let shown = app.get(&page).expect(200).await.text();
    assert!(shown.contains("I am &lt;21&gt; or older,\nand a member."));
    assert!(shown.contains(&version));
    assert!(texts(&app).await.is_empty(), "nobody has signed it");
    let shown = sign(&app, &page, &version).await;
    assert_eq!(shown.matches("Done").count(), 1);
    let known = standing(&app, &key, ANN).await;
    assert_eq!(known["membership_signed"], true);
    assert_eq!(texts(&app).await, [[&*version, text]]);
    // Signed again, nothing changes.
    app.advance(HOUR);
    sign(&app, &page, &version).await;
    assert_eq!(standing(&app, &key, ANN).await, known);
    let sql = "SELECT source FROM evidence WHERE proof = 'membership'";
    assert_eq!(app.database().sql(sql).await, [["link"]]);
}

async fn nothing_is_signed_under_a_text_of_yesterday(app: TestApp) {
    let (before, yesterday) = with_agreement(&app, "Yesterday's.").await;
    let (key, page) = ordered(&before).await;
    let (app, today) = with_agreement(&app, "Today's.").await;
    for version in [&*yesterday, "", "x"] {
        let shown = sign(&app, &page, version).await;
        assert!(shown.contains("Today&#x27;s."), "{shown}");
        assert_eq!(standing(&app, &key, ANN).await["membership_signed"], false);
    }
    assert!(texts(&app).await.is_empty());
    sign(&app, &page, &today).await;
    assert_eq!(standing(&app, &key, ANN).await["membership_signed"], true);
    assert_eq!(texts(&app).await.len(), 1);
}

async fn an_erased_customer_has_no_page(app: TestApp) {
    let (_, page) = ordered(&app).await;
    app.database()
        .sql("DELETE FROM customer_verification")
        .await;
    app.get(&page).expect(401).await;
    opt_in(&app, &page, 401).await;
}

async fn names_are_shown_as_they_are(app: TestApp) {
    let key = app.key("default", ALL).await;
    let id = r#"<b onclick="x()">7 & 8</b>"#;
    place(&app, &key, &json!({"order_id": id, "email": ANN}))
        .expect(201)
        .await;
    let [page, _] = links(&app).await;
    let shown = app.get(&page).expect(200).await.text();
    assert!(!shown.contains("<b onclick"), "{shown}");
    assert!(shown.contains("7 &amp; 8"));
}
