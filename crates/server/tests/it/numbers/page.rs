//! The page behind a link, as a browser without JavaScript meets it.

use std::time::Duration;

use app::companies::CompanyChange;
use serde_json::json;

use super::{ALL, NUMBER, OTHER, Opened, initiate, open, status, submit};
use crate::harness::{Answer, BASE_URL, Call, TestApp, flows, logged};

flows!(
    the_page_is_the_same_for_every_id_and_nothing_is_looked_up,
    following_the_link_shows_who_asks_and_changes_nothing,
    every_token_but_the_right_one_gets_one_and_the_same_page,
    the_number_confirms_the_session_once,
    three_other_numbers_and_it_has_failed,
    what_is_no_number_costs_nothing,
    a_session_whose_time_is_over_says_so,
    numbers_count_against_the_limit_of_the_session,
    many_confirmations_at_once_are_one,
    a_company_with_an_app_has_it_opened,
    whatever_a_company_is_called_is_only_text,
    every_request_leaves_its_record,
    every_answer_is_a_page_that_a_browser_keeps_safe,
    the_files_of_the_page_are_there,
    neither_the_log_nor_the_database_shows_a_code_or_a_number,
);

const FORM: &str = "application/x-www-form-urlencoded";

fn path(session: &Opened) -> String {
    format!("/v/{}", session.id)
}

/// Sends a form of these fields.
fn send(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Call {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    app.post(path)
        .body(FORM, form.extend_pairs(fields).finish())
}

fn follow(app: &TestApp, session: &Opened) -> Call {
    send(app, &path(session), &[("token", &session.token)])
}

fn confirm(app: &TestApp, session: &Opened, number: &str) -> Call {
    let fields = [("token", session.token.as_str()), ("mobileNumber", number)];
    send(app, &path(session), &fields)
}

async fn standing(app: &TestApp, key: &str, session: &Opened) -> String {
    let answer = status(app, key, &session.id).expect(200).await;
    answer.json["status"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_shows(answer: &Answer, words: &str) {
    assert!(answer.text().contains(words), "{words}: {}", answer.text());
}

#[track_caller]
fn assert_hides(answer: &Answer, words: &str) {
    assert!(!answer.text().contains(words), "{words}: {}", answer.text());
}

async fn the_page_is_the_same_for_every_id_and_nothing_is_looked_up(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let known = app.get(&path(&session)).expect(200).await;
    assert_shows(&known, "name=\"token\"");
    let unknown = session.id.replace("nv_0", "nv_1");
    let hide = "ALTER TABLE verification_sessions RENAME TO away";
    app.database().sql(hide).await;
    follow(&app, &session).expect(500).await;
    for id in [&session.id, &unknown, "x", "%00%ff", "'", &"a".repeat(2000)] {
        let answer = app.get(&format!("/v/{id}")).expect(200).await;
        assert_eq!(answer.bytes, known.bytes, "{id}");
        let head = app.call("HEAD", &format!("/v/{id}")).expect(200).await;
        assert_eq!(head.bytes, b"");
        assert_eq!(
            head.header("content-length"),
            known.bytes.len().to_string(),
            "{id}"
        );
    }
    let back = "ALTER TABLE away RENAME TO verification_sessions";
    app.database().sql(back).await;
    assert_eq!(standing(&app, &key, &session).await, "pending");
}

async fn following_the_link_shows_who_asks_and_changes_nothing(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let rename = CompanyChange {
        name: Some("Acme Wines".to_owned()),
        ..CompanyChange::default()
    };
    app.change_company("default", rename).await;
    for _ in 0..20 {
        let answer = follow(&app, &session).expect(200).await;
        assert_shows(&answer, "Acme Wines would like to know");
        let time = "<time datetime=\"2025-01-01T00:10:00Z\">10 minutes</time>";
        assert_shows(&answer, time);
        let hidden = format!("name=\"token\" value=\"{}\"", session.token);
        assert_shows(&answer, &hidden);
        assert_shows(&answer, "<svg ");
        for secret in ["order-81", "0123", "415"]
            .iter()
            .filter(|part| **part != "415")
        {
            let text = answer.text().replace("+1 415 555 0123", "");
            assert!(!text.replace(&session.token, "").contains(secret), "{text}");
        }
        assert_hides(&answer, "Open the app");
    }
    assert_eq!(standing(&app, &key, &session).await, "pending");
    app.advance(Duration::from_secs(9 * 60 + 1));
    let pasted = format!("  {BASE_URL}{}#{} ", path(&session), session.token);
    let to_the_app = format!("acme://verify?id={}&token={}", session.id, session.token);
    for pasted in [&pasted, &to_the_app] {
        let answer = send(&app, &path(&session), &[("token", pasted)]);
        assert_shows(&answer.expect(200).await, "less than a minute</time>");
    }
}

async fn every_token_but_the_right_one_gets_one_and_the_same_page(app: TestApp) {
    let key = app.key("default", ALL).await;
    let dead = open(&app, &key, "order-81").await;
    let session = Opened::of(&initiate(&app, &key, NUMBER, "order-81").expect(200).await);
    let other = open(&app, &key, "order-82").await;
    let unknown = path(&session).replace("nv_0", "nv_1");
    let own = path(&session);
    let right = session.token.as_str();
    let cases = [
        (&unknown, right),
        (&own, dead.token.as_str()),
        (&own, other.token.as_str()),
        (&own, &right.to_lowercase()),
        (&own, &right[..31]),
        (&own, &format!("{right}A")),
        (&own, "é"),
        (&own, "#"),
        (&own, ""),
        (&"/v/x".to_owned(), right),
    ];
    let mut pages = Vec::new();
    for (path, token) in cases {
        for fields in [
            &[("token", token)][..],
            &[("token", token), ("mobileNumber", NUMBER)],
            &[("token", token), ("mobileNumber", "no number")],
        ] {
            let answer = send(&app, path, fields).expect(401).await;
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            pages.push(answer.bytes);
        }
    }
    pages.push(send(&app, &own, &[]).expect(401).await.bytes);
    pages.dedup();
    assert_eq!(pages.len(), 1);
    let page = String::from_utf8(pages.remove(0)).unwrap();
    assert!(page.contains("This link does not work"), "{page}");
    assert_eq!(standing(&app, &key, &session).await, "pending");
    // Not one of them was a try.
    submit(&app, &session, NUMBER).expect(200).await;
}

async fn the_number_confirms_the_session_once(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    app.advance(Duration::from_secs(61));
    let answer = confirm(&app, &session, " +1 (415) 555-0123")
        .expect(200)
        .await;
    assert_shows(&answer, "<title>Confirmed · ");
    assert_hides(&answer, "<form");
    let verified = status(&app, &key, &session.id).expect(200).await;
    assert_eq!(verified.json["status"], "verified");
    assert_eq!(verified.json["verifiedAt"], "2025-01-01T00:01:01.000Z");
    assert_eq!(verified.json["appUserId"], json!(null));
    let again = confirm(&app, &session, NUMBER).expect(409).await;
    assert_eq!(again.bytes, answer.bytes);
    let looked = follow(&app, &session).expect(200).await;
    assert_eq!(looked.bytes, answer.bytes);
}

async fn three_other_numbers_and_it_has_failed(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    for left in ["You have 2 tries left.", "You have 1 try left."] {
        let answer = confirm(&app, &session, OTHER).expect(200).await;
        assert_shows(&answer, left);
        assert_shows(&answer, "aria-invalid=\"true\"");
        assert_hides(&answer, OTHER);
        assert_eq!(standing(&app, &key, &session).await, "pending");
    }
    let answer = confirm(&app, &session, OTHER).expect(200).await;
    assert_shows(&answer, "Not confirmed");
    assert_hides(&answer, "<form");
    assert_eq!(standing(&app, &key, &session).await, "failed");
    let late = confirm(&app, &session, NUMBER).expect(409).await;
    assert_eq!(late.bytes, answer.bytes);
}

async fn what_is_no_number_costs_nothing(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    for text in [
        "",
        "0",
        "4155550123",
        "+1",
        "+1 415 555 01234567",
        "<b>",
        "é",
    ]
    .repeat(2)
    {
        let answer = confirm(&app, &session, text).expect(400).await;
        assert_shows(&answer, "does not read as a mobile number");
        assert_hides(&answer, "<b>");
    }
    let answer = confirm(&app, &session, NUMBER).expect(200).await;
    assert_shows(&answer, "Confirmed");
}

async fn a_session_whose_time_is_over_says_so(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    app.advance(Duration::from_secs(599));
    assert_shows(&follow(&app, &session).expect(200).await, "<form");
    app.advance(Duration::from_secs(1));
    let seen = follow(&app, &session).expect(200).await;
    assert_shows(&seen, "The time is over");
    assert_hides(&seen, "<form");
    let answer = confirm(&app, &session, NUMBER).expect(410).await;
    assert_eq!(answer.bytes, seen.bytes);
    assert_eq!(standing(&app, &key, &session).await, "expired");
}

async fn numbers_count_against_the_limit_of_the_session(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    // By the app, which counts with the page.
    for _ in 0..9 {
        submit(&app, &session, "no number").expect(400).await;
    }
    let last = confirm(&app, &session, OTHER).expect(200).await;
    assert!(last.header("ratelimit").starts_with("\"submit\";r=0;"));
    let answer = confirm(&app, &session, NUMBER).expect(429).await;
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_shows(&answer, &format!("Please wait {seconds} second"));
    assert_shows(&answer, "name=\"mobileNumber\"");
    assert_eq!(standing(&app, &key, &session).await, "pending");
    // To look is no try, and neither is what is no number.
    follow(&app, &session).expect(200).await;
    confirm(&app, &session, "0").expect(400).await;
    app.advance(Duration::from_secs(60));
    app.forget_limits().await;
    confirm(&app, &session, NUMBER).expect(200).await;
}

async fn many_confirmations_at_once_are_one(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let sent = (0..8).map(|_| confirm(&app, &session, NUMBER).send());
    let answers = futures_util::future::join_all(sent).await;
    let mut statuses: Vec<_> = answers
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    for answer in answers {
        assert_shows(&answer, "<title>Confirmed · ");
    }
}

async fn a_company_with_an_app_has_it_opened(app: TestApp) {
    let key = app.key("default", ALL).await;
    let change = CompanyChange {
        app_link: Some(Some("acme://verify".to_owned())),
        ..CompanyChange::default()
    };
    app.change_company("default", change).await;
    let answer = initiate(&app, &key, NUMBER, "order-81").expect(201).await;
    let session = Opened::of(&answer);
    let link = format!("acme://verify?id={}&token={}", session.id, session.token);
    assert_eq!(answer.json["deepLink"], link);
    let href = format!(
        "href=\"acme:&#x2f;&#x2f;verify?id={}&amp;token={}\"",
        session.id, session.token
    );
    let answer = follow(&app, &session).expect(200).await;
    assert_shows(
        &answer,
        &format!("<a class=\"button\" {href} data-open>Open the app</a>"),
    );
    // Not by itself while somebody is filling in the form.
    let answer = confirm(&app, &session, OTHER).expect(200).await;
    assert_shows(&answer, &format!("{href}>Open the app</a>"));
    let answer = confirm(&app, &session, NUMBER).expect(200).await;
    assert_shows(&answer, &format!("{href}>Back to the app</a>"));
}

async fn whatever_a_company_is_called_is_only_text(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let name = "<b>\"Acme\"& {{ token }} ' <script>";
    let rename = CompanyChange {
        name: Some(name.to_owned()),
        ..CompanyChange::default()
    };
    app.change_company("default", rename).await;
    for call in [
        follow(&app, &session),
        confirm(&app, &session, OTHER),
        confirm(&app, &session, NUMBER),
    ] {
        let answer = call.expect(200).await;
        let shown = "&lt;b&gt;&quot;Acme&quot;&amp; {{ token }} &#x27; &lt;script&gt;";
        assert_shows(&answer, shown);
        assert_hides(&answer, "<b>");
        assert_hides(&answer, "<script>");
    }
}

async fn every_request_leaves_its_record(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let other = open(&app, &key, "order-82").await;
    let own = path(&session);
    let wrong = [("token", "wrong")];
    let cases = [
        (app.get(&own), "number.page", "ok", "", None),
        (app.call("HEAD", &own), "number.page", "ok", "", None),
        (follow(&app, &session), "number.open", "ok", "session", None),
        (
            send(&app, &own, &wrong),
            "number.open",
            "unauthenticated",
            "",
            Some("bad token"),
        ),
        (
            send(&app, &own, &[]),
            "number.open",
            "unauthenticated",
            "",
            Some("no credential"),
        ),
        (
            app.post(&own).body("text/plain", "token=x"),
            "number.open",
            "unsupported_media_type",
            "",
            None,
        ),
        (
            confirm(&app, &session, "0"),
            "number.confirm",
            "invalid_number",
            "session",
            None,
        ),
        (
            confirm(&app, &session, OTHER),
            "number.confirm",
            "ok",
            "session",
            Some("pending"),
        ),
        (
            confirm(&app, &session, NUMBER),
            "number.confirm",
            "ok",
            "session",
            Some("verified assurance=self_declared"),
        ),
        (
            confirm(&app, &session, NUMBER),
            "number.confirm",
            "session_closed",
            "session",
            None,
        ),
        (app.get("/v/a/b"), "request.unknown", "not_found", "", None),
        (
            app.call("DELETE", &own),
            "request.unknown",
            "method_not_allowed",
            "",
            None,
        ),
    ];
    for (call, action, code, credential, detail) in cases {
        let answer = call.send().await;
        let records = app.records_of(answer.request_id()).await;
        assert_eq!(records.len(), 1, "{action} {code}");
        let record = &records[0].record;
        assert_eq!(record.action, action);
        assert_eq!(record.outcome.code, code, "{action}");
        assert_eq!(record.outcome.status, i64::from(answer.status.as_u16()));
        assert_eq!(&*record.credential, credential, "{action} {code}");
        assert_eq!(record.detail.as_deref(), detail, "{action} {code}");
        let authorised = !credential.is_empty();
        assert_eq!(record.subject.is_some(), authorised, "{action} {code}");
        assert_eq!(&*record.company == "default", authorised, "{action} {code}");
    }
    app.advance(Duration::from_secs(600));
    let late = confirm(&app, &other, NUMBER).expect(410).await;
    let records = app.records_of(late.request_id()).await;
    assert_eq!(records[0].record.outcome.code, "session_expired");
}

async fn every_answer_is_a_page_that_a_browser_keeps_safe(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let own = path(&session);
    let mut strict = crate::harness::Settings::default();
    strict.edge.require_https = true;
    let strict = app.another(strict).await;
    let large = format!("token={}", "x".repeat(64 * 1024));
    let cases = [
        (app.get(&own), 200, "Confirm your mobile number"),
        (follow(&app, &session), 200, "Confirm your mobile number"),
        (send(&app, &own, &[]), 401, "This link does not work"),
        (confirm(&app, &session, "0"), 400, "mobile number"),
        (app.get("/v/"), 404, "There is nothing here"),
        (app.get("/v/a/b"), 404, "There is nothing here"),
        (app.call("PUT", &own), 405, "That did not work"),
        (app.post(&own).body(FORM, large), 413, "That did not work"),
        (
            app.post(&own).body("text/plain", "token=x"),
            415,
            "That did not work",
        ),
        (
            app.post(&own).body(FORM, "token=%ff"),
            400,
            "That did not work",
        ),
        (
            app.post(&own).body(FORM, "token=a&token=b"),
            400,
            "That did not work",
        ),
        (strict.get(&own), 403, "That did not work"),
    ];
    for (call, status, words) in cases {
        let answer = call.expect(status).await;
        assert_shows(&answer, words);
        assert_shows(&answer, "<!doctype html>\n<html lang=\"en\">");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        let policy = answer.header("content-security-policy");
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
    }
    let hide = "ALTER TABLE verification_sessions RENAME TO away";
    app.database().sql(hide).await;
    let answer = follow(&app, &session).expect(500).await;
    assert_shows(&answer, "Something went wrong");
    assert_shows(&answer, answer.request_id());
    assert_hides(&answer, "away");
    assert_hides(&answer, &session.token);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
}

async fn the_files_of_the_page_are_there(app: TestApp) {
    let page = app.get("/v/any").expect(200).await.text();
    let files: Vec<&str> = page
        .split("\"../assets/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(files.len(), 3, "{page}");
    for file in files {
        let answer = app.get(&format!("/assets/{file}")).expect(200).await;
        let media = match file.rsplit_once('.').unwrap().1 {
            "css" => "text/css",
            "js" => "text/javascript",
            _ => "image/svg+xml",
        };
        assert_eq!(answer.header("content-type"), media);
        let kept = answer.header("cache-control");
        assert_eq!(kept, "public, max-age=31536000, immutable");
        assert!(!answer.bytes.is_empty());
        let (stem, _) = file.split_once('.').unwrap();
        let ending = file.rsplit_once('.').unwrap().1;
        for other in [
            format!("{stem}.{ending}"),
            format!("{stem}.0123456789abcdef.{ending}"),
        ] {
            app.get(&format!("/assets/{other}")).expect(404).await;
        }
    }
}

async fn neither_the_log_nor_the_database_shows_a_code_or_a_number(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let (number, spaced) = ("+447400654321", "+44 7400 654 321");
    let request = initiate(&app, &key, number, "order-83").expect(201).await;
    let other = Opened::of(&request);
    app.get(&path(&session)).expect(200).await;
    follow(&app, &other).expect(200).await;
    confirm(&app, &session, spaced).expect(200).await;
    confirm(&app, &session, "+44 7400 654 321 000 000")
        .expect(400)
        .await;
    confirm(&app, &other, spaced).expect(200).await;
    confirm(&app, &other, spaced).expect(409).await;
    let twice = [("token", session.token.as_str()), ("token", number)];
    send(&app, &path(&session), &twice).expect(400).await;
    app.chores().await;
    let (database, log) = (app.database().dump().await, logged());
    assert!(
        log.contains("number.confirm"),
        "the log shows nothing at all"
    );
    for secret in [number, spaced, "7400654321", &session.token, &other.token] {
        assert!(!log.contains(secret), "the log shows {secret}");
        let shown = database
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!shown, "the database shows {secret}");
    }
}
