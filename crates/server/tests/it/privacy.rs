//! A copy of the database shows no person, and neither does the log or an answer that failed.

use serde_json::json;

use crate::customers::{BOTH, bulk, check, prove, update};
use crate::harness::{TestApp, flows, logged};
use crate::{ages, numbers, orders};

flows!(
    a_copy_of_the_database_and_the_log_show_no_person,
    what_the_database_said_reaches_the_log_and_no_answer,
);

async fn a_copy_of_the_database_and_the_log_show_no_person(app: TestApp) {
    let nonce = app.nonce();
    let email = format!("ann.{nonce}@example.com");
    let (phone, agent, evidence) = (
        "+14155550187",
        format!("agent-{nonce}"),
        format!("v-{nonce}"),
    );
    let (ip, forwarded) = ("198.51.100.187", "2001:db8::5eed");
    let app = app.reached_from("198.51.100.187:1", false);
    let key = app.key("default", BOTH).await;
    let change = json!({
        "email": email,
        "phone": phone,
        "verification_type": "veriff",
        "status": true,
        "metadata": {"ip_address": forwarded, "user_agent": agent, "verification_id": evidence},
    });
    let idempotency_key = format!("order-{nonce}");
    for _ in 0..2 {
        let call = update(&app, &key, &change).header("user-agent", &agent);
        call.header("idempotency-key", &idempotency_key)
            .expect(200)
            .await;
    }
    prove(&app, &key, &email, "membership", true).await;
    for call in [
        check(&app, &key, &json!({"email": email})),
        check(&app, &key, &json!({"phone": phone})),
        check(
            &app,
            &key,
            &json!({"email": "nobody@example.com", "phone": phone}),
        ),
        bulk(&app, &key, &json!([email])),
        app.get(&format!("/api/v1/customer/{email}")).key(&key),
        check(&app, &key, &json!({"email": email, "phone": email})),
        check(&app, &email, &json!({"email": email})),
    ] {
        call.header("user-agent", &agent).send().await;
    }
    let shopper = tell_an_age(&app, &nonce, &email).await;
    let holder = tell_a_number(&app, &nonce).await;
    let buyer = tell_an_order(&app, &nonce).await;
    app.chores().await;
    let secrets = [
        email.as_str(),
        phone,
        &agent,
        &evidence,
        ip,
        forwarded,
        &idempotency_key,
        &key,
        "1977-03-09",
        "last4\":\"8642",
    ];
    let secrets = secrets.into_iter().chain(
        shopper
            .iter()
            .chain(&holder)
            .chain(&buyer)
            .map(String::as_str),
    );
    let (database, log) = (app.database().dump().await, logged());
    let metrics = bonafide::metrics::render();
    assert!(
        contains(&database, b"customer.update"),
        "the dump shows nothing at all"
    );
    for secret in secrets {
        assert!(
            !contains(&database, secret.as_bytes()),
            "the database shows {secret}"
        );
        assert!(!log.contains(secret), "the log shows {secret}");
        assert!(!metrics.contains(secret), "the metrics show {secret}");
    }
    assert!(
        !contains(&database, nonce.as_bytes()),
        "the database shows a part"
    );
    assert!(!log.contains(&nonce), "the log shows a part");
    assert!(!metrics.contains(&nonce), "the metrics show a part");
}

/// Has an age verified in every way; returns what names the person.
async fn tell_an_age(app: &TestApp, nonce: &str, email: &str) -> [String; 2] {
    let key = app.key("default", ages::ALL).await;
    let (customer, name) = (format!("shopper-{nonce}"), format!("Ada Lovelace-{nonce}"));
    let mut claim = json!({"customerId": customer, "fullName": name, "dateOfBirth": "1977-03-09",
        "idNumberLast4": "8642", "state": "TX", "email": email});
    for _ in 0..2 {
        let call = ages::verify(app, &key, &claim);
        let call = call.header("idempotency-key", &format!("age-{nonce}"));
        call.expect(200).await;
    }
    ages::verify(app, &key, &claim).expect(200).await;
    ages::status(app, &key, &customer).expect(200).await;
    for field in ["state", "dateOfBirth", "fullName"] {
        claim[field] = format!("{nonce}x").into();
        ages::resubmit(app, &key, &claim).expect(400).await;
    }
    ages::verify(app, &key, &claim).expect(429).await;
    ages::status(app, &key, &customer).expect(404).await;
    claim["fullName"] = json!([name]);
    ages::verify(app, &key, &claim).expect(400).await;
    ages::statistics(app, &key, &format!("?days={nonce}"))
        .expect(400)
        .await;
    [customer, name]
}

/// Has a number verified in every way; returns what names the person, and what opens sessions.
async fn tell_a_number(app: &TestApp, nonce: &str) -> Vec<String> {
    const NUMBER: &str = "+14155550388";
    app.webhook("default", "https://hooks.example.com/numbers")
        .await;
    app.leaves_deliveries();
    let key = app.key("default", numbers::ALL).await;
    let mut secrets = vec![NUMBER[1..].to_owned()];
    // The right number, another one, what is no mobile number, and nothing in time.
    for named in [NUMBER, "+14155550399", "+442079460388", ""] {
        let request = format!("request-{nonce}-{named}");
        let opening = json!({"mobileNumber": NUMBER, "requestId": request});
        let open = || app.post(numbers::INITIATE).bearer(&key).json(&opening);
        let once = open().header("idempotency-key", &request).expect(201).await;
        open().header("idempotency-key", &request).expect(201).await;
        let dead = numbers::Opened::of(&once);
        let session = numbers::Opened::of(&open().expect(200).await);
        let mut naming = numbers::submission(&session, named);
        naming["appUserId"] = format!("user-{nonce}").into();
        for _ in 0..4 {
            let name = || app.post(numbers::SUBMIT).json(&naming);
            let once = name().header("idempotency-key", &format!("name-{request}"));
            once.send().await;
            if !named.is_empty() {
                name().send().await;
            }
        }
        numbers::submit(app, &dead, NUMBER).expect(401).await;
        numbers::status(app, &key, &session.id).expect(200).await;
        numbers::status(app, &key, NUMBER).expect(404).await;
        // The bodies are short enough to be guessed: no plain hash of one may be kept.
        secrets.extend([&opening, &naming].map(|body| hash_of_body(&body.to_string())));
        secrets.extend([named.trim_start_matches('+').to_owned(), request]);
        secrets.extend([dead.token, session.token]);
    }
    app.advance(std::time::Duration::from_secs(600));
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

/// Has orders held, reminded of, released, expired and decided about; returns what names the
/// person.
async fn tell_an_order(app: &TestApp, nonce: &str) -> [String; 3] {
    let key = app.key("default", orders::ALL).await;
    let email = format!("buyer.{nonce}@example.com");
    let (phone, reason) = ("+14155550977", format!("{nonce} came by"));
    for id in ["81", "82", "83"] {
        let order = json!({"order_id": id, "email": email, "phone": phone});
        for status in [201, 200] {
            orders::place(app, &key, &order).expect(status).await;
        }
    }
    let why = json!({"reason": reason});
    let cancel = app.post(&format!("{}/81/cancel", orders::ORDERS));
    cancel.key(&key).json(&why).expect(200).await;
    orders::pass(app, 72).await;
    orders::prove_all(app, &key, &email).await;
    let release = app.post(&format!("{}/82/release", orders::ORDERS));
    release.key(&key).json(&why).expect(200).await;
    orders::show(app, &key, "82").await;
    [email, phone.to_owned(), reason]
}

/// What is compared when a request is sent again, in hexadecimal.
fn hash_of_body(body: &str) -> String {
    let whole = [b"\0", body.as_bytes()].concat();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &whole);
    data_encoding::HEXLOWER.encode(hash.as_ref())
}

async fn what_the_database_said_reaches_the_log_and_no_answer(app: TestApp) {
    let marker = format!("marker_{}", app.nonce());
    let key = app.key("default", BOTH).await;
    let database = app.database();
    let table = "customer_verification";
    // A table of that name is there, but it lacks every column.
    database
        .sql(&format!("ALTER TABLE {table} RENAME TO {marker}"))
        .await;
    database
        .sql(&format!(
            "CREATE VIEW {table} AS SELECT 1 AS {marker}_column"
        ))
        .await;
    let change = json!({"email": "ann@example.com", "verification_type": "veriff", "status": true});
    for call in [
        check(&app, &key, &json!({"email": "ann@example.com"})),
        check(&app, &key, &json!({"phone": "+14155550123"})),
        bulk(&app, &key, &json!(["ann@example.com"])),
        update(&app, &key, &change),
    ] {
        let answer = call.expect(500).await;
        assert_eq!(answer.code(), "internal");
        let text = answer.wire();
        for word in [
            &marker, table, "column", "SELECT", "select", "sqlite", "postgres", "SQL",
        ] {
            assert!(!text.contains(word), "{text}");
        }
        let log = logged();
        let line = log
            .lines()
            .find(|line| line.contains(answer.request_id()) && line.contains("cause="));
        let line = line.expect("no line tells the operator why");
        assert!(line.contains("column"), "{line}");
    }
    database.sql(&format!("DROP VIEW {table}")).await;
    let answer = update(&app, &key, &change).expect(500).await;
    assert!(!answer.text().contains("verification"), "{}", answer.text());
    database
        .sql(&format!("ALTER TABLE {marker} RENAME TO {table}"))
        .await;
    check(&app, &key, &json!({"email": "ann@example.com"}))
        .expect(200)
        .await;
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window.eq_ignore_ascii_case(needle))
}
