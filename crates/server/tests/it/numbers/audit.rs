//! What the audit log says of sessions.

use std::time::Duration;

use serde_json::json;

use super::{
    ALL, INITIATE, NUMBER, OTHER, SUBMIT, initiate, open, status, submission, submit, submit_as,
};
use crate::harness::{Call, TestApp, flows, key_id};

flows!(
    every_request_leaves_one_record,
    refusals_leave_one_too,
    the_subject_is_the_number,
);

/// What is expected of a request and its record.
struct Case<'a> {
    call: Call,
    action: &'a str,
    status: u16,
    code: &'a str,
    detail: Option<&'a str>,
    credential: &'a str,
    has_subject: bool,
}

async fn assert_recorded(app: &TestApp, case: Case<'_>) {
    let answer = case.call.expect(case.status).await;
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1, "{} {}", case.action, case.status);
    let record = &records[0].record;
    assert_eq!(
        (&*record.action, record.outcome.status),
        (case.action, i64::from(case.status))
    );
    assert_eq!(
        (&*record.outcome.code, record.detail.as_deref()),
        (case.code, case.detail),
        "{} {}",
        case.action,
        case.status
    );
    let company = if case.credential.is_empty() {
        ""
    } else {
        "default"
    };
    assert_eq!(
        (&*record.company, &*record.credential),
        (company, case.credential)
    );
    assert_eq!(
        record.subject.is_some(),
        case.has_subject,
        "{} {}",
        case.action,
        case.status
    );
    assert!(record.client.is_some() && record.occurrences == 1);
}

async fn every_request_leaves_one_record(app: TestApp) {
    let key = app.key("default", ALL).await;
    let known = format!("key:{}", key_id(&key));
    let session = open(&app, &key, "a").await;
    let lost = open(&app, &key, "b").await;
    let late = open(&app, &key, "c").await;
    for _ in 0..2 {
        submit_as(&app, &key, &lost, OTHER).expect(200).await;
    }
    let (start, end, ask) = ("number.initiate", "number.submit", "number.status");
    let before = app.records().await.len();
    let cases = [
        (
            initiate(&app, &key, NUMBER, "d"),
            start,
            201,
            None,
            known.as_str(),
        ),
        (initiate(&app, &key, NUMBER, "d"), start, 200, None, &known),
        (
            submit(&app, &session, OTHER),
            end,
            200,
            Some("pending"),
            "session",
        ),
        (
            submit_as(&app, &key, &session, OTHER),
            end,
            200,
            Some("pending"),
            &known,
        ),
        (
            submit(&app, &session, NUMBER),
            end,
            200,
            Some("verified assurance=self_declared"),
            "session",
        ),
        (
            submit_as(&app, &key, &lost, OTHER),
            end,
            200,
            Some("failed"),
            &known,
        ),
        (status(&app, &key, &session.id), ask, 200, None, &known),
    ];
    let count = cases.len();
    for (call, action, status, detail, credential) in cases {
        let case = Case {
            call,
            action,
            status,
            code: "ok",
            detail,
            credential,
            has_subject: true,
        };
        assert_recorded(&app, case).await;
    }
    assert_eq!(app.records().await.len(), before + count);
    for (call, credential) in [
        (submit(&app, &session, NUMBER), "session"),
        (submit_as(&app, &key, &lost, NUMBER), &known),
    ] {
        let case = Case {
            call,
            action: end,
            status: 409,
            code: "session_closed",
            detail: None,
            credential,
            has_subject: true,
        };
        assert_recorded(&app, case).await;
    }
    app.advance(Duration::from_secs(600));
    for (call, credential) in [
        (submit(&app, &late, NUMBER), "session"),
        (submit_as(&app, &key, &late, NUMBER), &known),
    ] {
        let case = Case {
            call,
            action: end,
            status: 410,
            code: "session_expired",
            detail: None,
            credential,
            has_subject: true,
        };
        assert_recorded(&app, case).await;
    }
}

async fn refusals_leave_one_too(app: TestApp) {
    let key = app.key_with("default", ALL, "initiate=3/1h", None).await;
    let reader = app.key("default", "numbers:read").await;
    let (known, reading) = (
        format!("key:{}", key_id(&key)),
        format!("key:{}", key_id(&reader)),
    );
    let session = open(&app, &key, "a").await;
    let mut stranger = session.clone();
    stranger.token.push('x');
    let unreadable = submission(&session, "no number");
    let bad = "unauthenticated";
    let none = json!({});
    let cases = [
        (
            app.post(SUBMIT).json(&none),
            "number.submit",
            401,
            bad,
            Some("no credential"),
            "",
            false,
        ),
        (
            submit(&app, &stranger, NUMBER),
            "number.submit",
            401,
            bad,
            Some("bad token"),
            "",
            false,
        ),
        (
            app.post(INITIATE),
            "number.initiate",
            401,
            bad,
            Some("no credential"),
            "",
            false,
        ),
        (
            app.post(SUBMIT).json(&unreadable),
            "number.submit",
            400,
            "invalid_number",
            None,
            "session",
            true,
        ),
        (
            app.post(INITIATE).bearer(&key).json(&none),
            "number.initiate",
            400,
            "invalid_request",
            None,
            &known,
            false,
        ),
        (
            initiate(&app, &key, OTHER, "a"),
            "number.initiate",
            409,
            "conflict",
            None,
            &known,
            true,
        ),
        (
            initiate(&app, &key, NUMBER, "a"),
            "number.initiate",
            429,
            "rate_limited",
            None,
            &known,
            false,
        ),
        (
            initiate(&app, &reader, NUMBER, "a"),
            "number.initiate",
            403,
            "forbidden",
            None,
            &reading,
            false,
        ),
        (
            status(&app, &key, "nv_1"),
            "number.status",
            404,
            "not_found",
            None,
            &known,
            false,
        ),
        (
            status(&app, &key, &session.id.replace("nv_0", "nv_1")),
            "number.status",
            404,
            "not_found",
            None,
            &known,
            false,
        ),
        (
            app.get(INITIATE),
            "request.unknown",
            405,
            "method_not_allowed",
            None,
            "",
            false,
        ),
    ];
    for (call, action, status, code, detail, credential, has_subject) in cases {
        let case = Case {
            call,
            action,
            status,
            code,
            detail,
            credential,
            has_subject,
        };
        assert_recorded(&app, case).await;
    }
}

async fn the_subject_is_the_number(app: TestApp) {
    app.company("acme").await;
    let (key, theirs) = (app.key("default", ALL).await, app.key("acme", ALL).await);
    let subject = async |call: Call| {
        let answer = call.send().await;
        app.records_of(answer.request_id()).await[0]
            .record
            .subject
            .unwrap()
    };
    let ann = subject(initiate(&app, &key, NUMBER, "a")).await;
    assert_eq!(
        subject(initiate(&app, &key, "+1 (415) 555-0123", "b")).await,
        ann
    );
    let session = open(&app, &key, "c").await;
    // Whatever is submitted, it is about the session's number.
    assert_eq!(subject(submit(&app, &session, OTHER)).await, ann);
    assert_eq!(subject(status(&app, &key, &session.id)).await, ann);
    assert_ne!(subject(initiate(&app, &key, OTHER, "d")).await, ann);
    assert_ne!(subject(initiate(&app, &theirs, NUMBER, "a")).await, ann);
}
