//! How customers show on their page who they are: to Veriff, or by the age checks.

use domain::age::AttemptPolicy;
use serde_json::{Value, json};

use super::page::{links, opt_in, ordered, send};
use super::{ALL, ANN, HOUR, SECOND, decide, placed, status};
use crate::customers::{prove, standing};
use crate::harness::{Answer, BASE_URL, Settings, TestApp, flows, logged};
use crate::veriff::office::Mood;
use crate::veriff::{Stage, decision};

flows!(
    a_customer_goes_to_veriff_and_comes_back,
    each_decision_is_told_in_plain_words,
    who_is_too_young_is_offered_nothing,
    what_was_decided_for_an_earlier_order_is_over,
    with_veriff_away_the_page_stays,
    without_veriff_the_shop_is_named,
    customers_of_others_are_not_sent_there,
    nobody_is_sent_there_for_nothing,
    an_adult_passes_the_age_checks,
    both_ways_stand_side_by_side,
    used_up_attempts_tell_nothing,
    what_is_left_out_costs_nothing,
    the_checks_say_what_is_wrong,
    age_is_asked_only_where_it_proves_something,
);

const START: &str = "step=veriff";
const ADULT: &str = "step=age&fullName=Ann+Lee&month=4&day=7&year=1991&state=TX&idNumberLast4=1234";
const CHILD: &str = "step=age&fullName=Ann+Lee&month=4&day=7&year=2015&state=TX&idNumberLast4=1234";

/// An operator for whom age verifications prove identity.
fn by_age(settings: &mut Settings) {
    settings.ages.proves_identity = true;
}

async fn aged(app: &TestApp) -> (TestApp, String, String) {
    let mut settings = Settings::default();
    by_age(&mut settings);
    let app = app.another(settings).await;
    let (key, page) = ordered(&app).await;
    (app, key, page)
}

async fn shown(app: &TestApp, page: &str) -> String {
    app.get(page).expect(200).await.text()
}

fn location(answer: &Answer) -> String {
    answer.header("location").to_owned()
}

/// Sends the customer to Veriff; returns Veriff's name for the session, and ours.
async fn begin(stage: &Stage, page: &str) -> (String, String) {
    let answer = send(&stage.app, page, START).expect(303).await;
    let session = location(&answer);
    let session = session.strip_prefix("https://magic.veriff.me/v/token-");
    let asked = stage.office.asked().pop().unwrap().2;
    let ours = asked["verification"]["vendorData"].as_str().unwrap();
    (session.unwrap().to_owned(), ours.to_owned())
}

async fn a_customer_goes_to_veriff_and_comes_back(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (key, page) = ordered(&stage.app).await;
    for proof in ["membership", "email_optin"] {
        prove(&stage.app, &key, ANN, proof, true).await;
    }
    let first = stage.app.get(&page).expect(200).await;
    let policy = first.header("content-security-policy");
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    assert!(first.text().contains("Show my ID"));

    let answer = send(&stage.app, &page, START).expect(303).await;
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    let (_, _, asked) = stage.office.asked().pop().unwrap();
    let asked = &asked["verification"];
    let back = format!("{BASE_URL}{page}?from=veriff");
    let ours = asked["vendorData"].as_str().unwrap();
    assert_eq!(asked, &json!({"vendorData": ours, "callback": back}));
    // Pressed again, the same session goes on.
    let again = send(&stage.app, &page, START).expect(303).await;
    assert_eq!(location(&again), location(&answer));
    assert_eq!(stage.office.bought(), 0);

    let begun = shown(&stage.app, &page).await;
    assert!(begun.contains("of your ID is under way") && begun.contains("Go on with my ID"));
    let back = shown(&stage.app, back.strip_prefix(BASE_URL).unwrap()).await;
    assert!(
        back.contains("Your ID is being looked at; mostly"),
        "{back}"
    );
    assert!(!back.contains(ANN) && !begun.contains("magic.veriff.me"));

    let session = stage.office.sessions().remove(0);
    let at = "2025-01-01T00:10:00.000Z";
    stage.hear(&decision(&session, ours, "approved", at)).await;
    let done = shown(&stage.app, &page).await;
    assert!(done.contains("Your order is released"), "{done}");
    assert_eq!(status(&stage.app, &key, "1001").await, "released");
    let token = page.rsplit('/').next().unwrap();
    assert!(!logged().contains(token) && !logged().contains(&session));
    let recorded = stage.app.recorded().await;
    assert_eq!(recorded["order.step"], 2);
}

async fn each_decision_is_told_in_plain_words(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (_, page) = ordered(&stage.app).await;
    stage.app.advance(SECOND);
    // One after the other: where Veriff lets the customer go on it is the same session.
    let (mut session, mut ours) = begin(&stage, &page).await;
    for (second, status, words, button) in [
        (10, "review", "looked at by a person", None),
        (
            20,
            "resubmission_requested",
            "try once more",
            Some("Try again"),
        ),
        (30, "declined", "was not accepted", Some("Try again")),
        (40, "abandoned", "was not finished", Some("Show my ID")),
        (50, "expired", "was not finished", Some("Show my ID")),
    ] {
        let at = format!("2025-01-01T00:00:{second}.000Z");
        stage.hear(&decision(&session, &ours, status, &at)).await;
        let shown = shown(&stage.app, &page).await;
        assert!(shown.contains(words), "{status}: {shown}");
        let offered = shown.contains("value=\"veriff\"");
        assert_eq!(offered, button.is_some(), "{status}");
        assert!(
            button.is_none_or(|button| shown.contains(button)),
            "{status}"
        );
        if status == "review" {
            // Nothing can be done there, and nothing is.
            send(&stage.app, &page, START).expect(200).await;
            assert!(stage.office.asked().is_empty());
        } else if status != "resubmission_requested" {
            stage.app.advance(SECOND);
            (session, ours) = begin(&stage, &page).await;
        }
    }
    for (field, value, words) in [
        ("person", json!({"dateOfBirth": null}), "could not be read"),
        (
            "document",
            json!({"validUntil": "2020-01-01"}),
            "not valid any more",
        ),
    ] {
        let mut decided = decision(&session, &ours, "approved", "2025-01-01T00:01:00.000Z");
        decided["verification"][field] = value;
        stage.hear(&decided).await;
        let shown = shown(&stage.app, &page).await;
        assert!(shown.contains(words), "{field}: {shown}");
        assert!(shown.contains("Show another ID"));
        stage.app.advance(SECOND);
        (session, ours) = begin(&stage, &page).await;
    }
}

fn of_nineteen(session: &str, ours: &str) -> Value {
    let mut decided = decision(session, ours, "approved", "2025-01-01T00:01:00.000Z");
    decided["verification"]["person"]["dateOfBirth"] = "2005-06-15".into();
    decided
}

async fn who_is_too_young_is_offered_nothing(app: TestApp) {
    let stage = Stage::set_with(&app, by_age).await;
    let (key, page) = ordered(&stage.app).await;
    let (session, ours) = begin(&stage, &page).await;
    stage.hear(&of_nineteen(&session, &ours)).await;
    let said = shown(&stage.app, &page).await;
    assert!(said.contains("By your ID you are not 21 yet"), "{said}");
    for step in ["veriff", "age"] {
        assert!(!said.contains(&format!("value=\"{step}\"")), "{step}");
    }
    for form in [START, ADULT] {
        let answer = send(&stage.app, &page, form).expect(200).await.text();
        assert!(answer.contains("By your ID you are not 21 yet"));
    }
    assert_eq!(stage.office.bought(), 0);
    let known = standing(&stage.app, &key, ANN).await;
    assert_eq!(known["veriff_approved"], false);
    assert_eq!(status(&stage.app, &key, "1001").await, "held");
    // The other steps are there all the same.
    let answer = opt_in(&stage.app, &page, 200).await.text();
    assert_eq!(answer.matches("Done").count(), 1);
}

async fn what_was_decided_for_an_earlier_order_is_over(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (key, page) = ordered(&stage.app).await;
    let (session, ours) = begin(&stage, &page).await;
    stage.hear(&of_nineteen(&session, &ours)).await;
    stage.app.advance(48 * HOUR);
    placed(&stage.app, &key, "1002", ANN).await;
    let [next, _] = links(&stage.app).await;
    let said = shown(&stage.app, &next).await;
    assert!(said.contains("Show my ID") && !said.contains("By your ID"));
}

async fn with_veriff_away_the_page_stays(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (_, page) = ordered(&stage.app).await;
    for (mood, pause) in [(Mood::RetryAfter(7), "7"), (Mood::Status(500), "60")] {
        stage.office.be(mood);
        let answer = send(&stage.app, &page, START).expect(503).await;
        assert_eq!(answer.header("retry-after"), pause);
        let said = answer.text();
        for words in [
            "cannot be reached right now",
            "Show my ID",
            "I agree",
            "Order 1001",
        ] {
            assert!(said.contains(words), "{words} in {said}");
        }
    }
    opt_in(&stage.app, &page, 200).await;
    stage.app.advance(HOUR);
    send(&stage.app, &page, START).expect(303).await;
}

async fn without_veriff_the_shop_is_named(app: TestApp) {
    let (_, page) = ordered(&app).await;
    let said = shown(&app, &page).await;
    assert!(
        said.contains("show it in person, or write to Default"),
        "{said}"
    );
    assert!(!said.contains("value=\"veriff\""));
    send(&app, &page, START).expect(400).await;
    send(&app, &page, ADULT).expect(400).await;
}

async fn customers_of_others_are_not_sent_there(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.app.company("another").await;
    let key = stage.app.key("another", ALL).await;
    placed(&stage.app, &key, "1001", ANN).await;
    let [page, _] = links(&stage.app).await;
    assert!(shown(&stage.app, &page).await.contains("in person"));
    send(&stage.app, &page, START).expect(400).await;
    assert!(stage.office.asked().is_empty());
}

async fn nobody_is_sent_there_for_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (key, page) = ordered(&stage.app).await;
    prove(&stage.app, &key, ANN, "veriff", true).await;
    send(&stage.app, &page, START).expect(200).await;
    prove(&stage.app, &key, ANN, "veriff", false).await;
    decide(&stage.app, &key, "1001", "cancel").expect(200).await;
    send(&stage.app, &page, START).expect(200).await;
    assert_eq!(stage.office.bought(), 0);
}

async fn an_adult_passes_the_age_checks(app: TestApp) {
    let (app, key, page) = aged(&app).await;
    for proof in ["membership", "email_optin"] {
        prove(&app, &key, ANN, proof, true).await;
    }
    let said = shown(&app, &page).await;
    assert!(said.contains("at least 21 years old") && !said.contains("<summary>Tell"));
    let done = send(&app, &page, ADULT).expect(200).await.text();
    assert!(done.contains("Your order is released"), "{done}");
    assert_eq!(status(&app, &key, "1001").await, "released");
    let known = standing(&app, &key, ANN).await;
    assert_eq!(
        (&known["veriff_approved"], &known["all_verified"]),
        (&json!(false), &json!(true))
    );

    // The same verification as by the age surface, with the same evidence.
    let ages = app.key("default", "ages:read ages:write").await;
    let path = "/api/age-verification/status/ann%40example.com";
    let found = app.get(path).key(&ages).expect(200).await.json;
    assert_eq!(
        (&found["verified"], &found["state"]),
        (&json!(true), &json!("TX"))
    );
    let decided = "SELECT method, assurance, source FROM age_decisions";
    let expected = [["full_verification", "self_declared", "link"]];
    assert_eq!(app.database().sql(decided).await, expected);
    let kept = "SELECT assurance, source FROM evidence WHERE proof = 'age'";
    assert_eq!(app.database().sql(kept).await, [["self_declared", "link"]]);
    for typed in ["Ann Lee", "1991-04-07"] {
        assert!(!logged().contains(typed));
        let dump = app.database().dump().await;
        assert!(!String::from_utf8_lossy(&dump).contains(typed), "{typed}");
    }
    // Sent again, it changes nothing.
    send(&app, &page, ADULT).expect(200).await;
    assert_eq!(app.database().sql(decided).await.len(), 1);
}

async fn both_ways_stand_side_by_side(app: TestApp) {
    let stage = Stage::set_with(&app, by_age).await;
    let (_, page) = ordered(&stage.app).await;
    let said = shown(&stage.app, &page).await;
    assert!(said.contains("Show my ID") && said.contains("Tell your birth date instead"));
    assert!(said.contains("<details>\n<summary>Tell"), "closed at first");
    let refused = send(&stage.app, &page, CHILD).expect(400).await.text();
    assert!(
        refused.contains("<details open>\n<summary>Tell"),
        "{refused}"
    );
    let done = send(&stage.app, &page, ADULT).expect(200).await.text();
    assert_eq!(done.matches("Done").count(), 1);
    assert!(!done.contains("Show my ID"));
}

async fn used_up_attempts_tell_nothing(app: TestApp) {
    let (app, key, page) = aged(&app).await;
    for _ in 0..AttemptPolicy::default().maximum() {
        let said = send(&app, &page, CHILD).expect(400).await.text();
        assert!(said.contains("You have to be at least 21"), "{said}");
    }
    let right = send(&app, &page, ADULT).expect(429).await;
    assert_eq!(right.header("retry-after"), "86400");
    let wrong = send(&app, &page, CHILD).expect(429).await;
    assert_eq!(right.text(), wrong.text());
    assert!(
        right.text().contains("try again in 24 hours"),
        "{}",
        right.text()
    );
    assert_eq!(standing(&app, &key, ANN).await["all_verified"], false);
    // The age surface counts the same attempts.
    let ages = app.key("default", "ages:write").await;
    let claim = json!({"customerId": ANN, "fullName": "Ann Lee", "dateOfBirth": "1991-04-07",
        "idNumberLast4": "1234", "state": "TX"});
    let call = app.post("/api/age-verification/verify").key(&ages);
    call.json(&claim).expect(429).await;
    let outcomes = "SELECT outcome, COUNT(*) FROM audit_records WHERE action = 'order.step' \
        GROUP BY outcome ORDER BY outcome";
    let expected = [["rate_limited", "2"], ["refused", "3"]];
    assert_eq!(app.database().sql(outcomes).await, expected);
    // A reminder is due by then, and sent elsewhere.
    app.leaves_deliveries();
    app.advance(24 * HOUR);
    send(&app, &page, ADULT).expect(200).await;
}

async fn what_is_left_out_costs_nothing(app: TestApp) {
    let (app, _, page) = aged(&app).await;
    for _ in 0..4 {
        let form = "step=age&fullName=Ann+Lee&month=&day=7&year=1991&state=+&idNumberLast4=1234";
        let said = send(&app, &page, form).expect(400).await.text();
        assert_eq!(said.matches("Please fill this in.").count(), 2, "{said}");
        assert!(said.contains("value=\"Ann Lee\"") && !said.contains("value=\"1234\""));
    }
    let none = "SELECT COUNT(*) FROM age_decisions";
    assert_eq!(app.database().sql(none).await, [["0"]]);
    send(&app, &page, ADULT).expect(200).await;
}

async fn the_checks_say_what_is_wrong(app: TestApp) {
    let (app, _, page) = aged(&app).await;
    for (from, to, words) in [
        ("Ann+Lee", "Ann", "your first and your last name"),
        ("day=7", "day=31", "There is no such day"),
        ("year=1991", "year=1791", "look at the year again"),
        ("1234", "12x4", "exactly four digits"),
        ("state=TX", "state=XX", "choose your state"),
    ] {
        let form = ADULT.replace(from, to);
        let said = send(&app, &page, &form).expect(400).await.text();
        assert!(said.contains(words), "{to}: {said}");
        assert_eq!(
            said.matches("aria-invalid").count(),
            if to.contains("=3") || to.contains("=17") {
                3
            } else {
                1
            }
        );
        app.advance(25 * HOUR);
    }
}

async fn age_is_asked_only_where_it_proves_something(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (_, page) = ordered(&stage.app).await;
    assert!(!shown(&stage.app, &page).await.contains("birth"));
    send(&stage.app, &page, ADULT).expect(400).await;
}
