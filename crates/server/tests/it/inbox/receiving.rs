//! A good hook is stored once, sealed, and answered with nothing.

use app::inbox::{Handled, Status};
use serde_json::json;

use super::{Told, all, event, hook, only, taking, veriff_hook, work};
use crate::harness::{TestApp, flows};

flows!(
    a_hook_is_stored_once_and_answered_with_nothing,
    a_query_string_means_nothing,
    the_same_event_from_two_instances_is_one,
    what_nobody_wants_is_known_by_name_alone,
    a_decision_is_known_by_what_it_says,
    what_came_in_is_sealed_under_a_key_of_its_own,
    what_is_not_configured_has_no_path,
    old_events_go_with_their_keys,
);

async fn a_hook_is_stored_once_and_answered_with_nothing(app: TestApp) {
    let app = taking(&app).await;
    for turn in 0..3 {
        let answer = hook(&app, &event("e-1", "c-1")).expect(200).await;
        assert!(answer.bytes.is_empty());
        let records = app.records_of(answer.request_id()).await;
        assert_eq!(records.len(), 1);
        let record = &records[0].record;
        assert_eq!(record.action, "hook.square");
        let detail = if turn == 0 { "stored" } else { "repeated" };
        assert_eq!(record.detail.as_deref(), Some(detail));
        let company = if turn == 0 { "default" } else { "" };
        assert_eq!(&*record.company, company);
    }
    let listed = only(&app).await;
    assert_eq!(
        (listed.topic.as_str(), listed.status),
        ("customer.updated", Status::Waiting)
    );
    let handler = Told::new(|_| Ok(Handled::done("linked")));
    work(&app, &handler).await;
    work(&app, &handler).await;
    assert_eq!(handler.take(), ["e-1"]);
    let listed = only(&app).await;
    assert_eq!((listed.status, listed.attempts), (Status::Done, 1));
    assert_eq!(listed.outcome.as_deref(), Some("linked"));
}

async fn a_query_string_means_nothing(app: TestApp) {
    let app = taking(&app).await;
    let body = event("e-1", "c-1").to_string();
    let key = super::key(super::SQUARE_KEY);
    let signature = domain::hook::square::sign(&key, super::ADDRESS, body.as_bytes());
    app.post("/hooks/square?eventtype=customer.deleted&sender=veriff")
        .header("x-square-hmacsha256-signature", &signature)
        .untyped(body)
        .expect(200)
        .await;
    assert_eq!(only(&app).await.topic, "customer.updated");
    leave(&app).await;
}

async fn the_same_event_from_two_instances_is_one(app: TestApp) {
    let (one, two) = (taking(&app).await, taking(&app).await);
    for number in 0..20 {
        let event = event(&format!("e-{number}"), "c-1");
        let (first, second) = tokio::join!(hook(&one, &event).send(), hook(&two, &event).send());
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    }
    assert_eq!(all(&app).await.len(), 20);
    leave(&one).await;
}

async fn what_nobody_wants_is_known_by_name_alone(app: TestApp) {
    let app = taking(&app).await;
    let mut unwanted = event("e-1", "c-1");
    unwanted["type"] = json!("invoice.published");
    hook(&app, &unwanted).expect(200).await;
    let listed = only(&app).await;
    assert_eq!((listed.status, listed.is_kept), (Status::Ignored, false));
    assert_eq!(listed.topic, "other");
    hook(&app, &unwanted).expect(200).await;
    assert_eq!(all(&app).await.len(), 1);
    let keys = app
        .database()
        .sql("SELECT id FROM data_keys WHERE purpose = 'event'");
    assert!(keys.await.is_empty());
    // What turns out to be of no interest when it is looked at is forgotten then.
    hook(&app, &event("e-2", "c-1")).expect(200).await;
    work(&app, &Told::new(|_| Ok(Handled::Ignored("nobody_we_know")))).await;
    let listed = all(&app).await;
    assert_eq!(
        (listed[0].status, listed[0].is_kept),
        (Status::Ignored, false)
    );
    let keys = app
        .database()
        .sql("SELECT id FROM data_keys WHERE purpose = 'event'");
    assert!(keys.await.is_empty());
}

async fn a_decision_is_known_by_what_it_says(app: TestApp) {
    let app = taking(&app).await;
    let decision = |attempt: &str, status: &str, time: &str| {
        json!({"status": "success", "verification": {
            "id": "12df6045-3846-3e45-946a-14fa6136d78b", "attemptId": attempt, "status": status,
            "decisionTime": time, "person": {"firstName": "SARAH"},
        }})
    };
    let first = decision("a", "resubmission_requested", "2025-01-01T00:00:00.000Z");
    let second = decision("b", "approved", "2025-01-01T00:05:00.000Z");
    let overruled = decision("b", "declined", "2025-01-01T00:06:00.000Z");
    for message in [&first, &second, &first, &overruled, &second] {
        veriff_hook(&app, message).expect(200).await;
    }
    assert_eq!(all(&app).await.len(), 3);
    let begun = json!({"id": "12df6045-3846-3e45-946a-14fa6136d78b", "attemptId": "b",
        "feature": "selfid", "code": 7001, "action": "started"});
    veriff_hook(&app, &begun).expect(200).await;
    let listed = all(&app).await;
    assert_eq!(
        (listed[0].topic.as_str(), listed[0].status),
        ("other", Status::Ignored)
    );
    assert_eq!(listed[1].topic, "decision");
    veriff_hook(&app, &json!({"status": "success"}))
        .expect(400)
        .await;
    assert_eq!(all(&app).await.len(), 4);
}

async fn what_came_in_is_sealed_under_a_key_of_its_own(app: TestApp) {
    let app = taking(&app).await;
    for number in 0..2 {
        hook(&app, &event(&format!("name-{number}"), "a-customer"))
            .expect(200)
            .await;
    }
    let dump = String::from_utf8_lossy(&app.database().dump().await).into_owned();
    for secret in [
        "marker@example.com",
        "a-customer",
        "name-0",
        "G7MMEBVW021Q4",
    ] {
        assert!(
            !dump.contains(secret),
            "{secret} can be read in the database"
        );
    }
    let keys = app
        .database()
        .sql("SELECT DISTINCT data_key FROM inbox")
        .await;
    assert_eq!(keys.len(), 2);
    // Without its key nobody can tell any more what it was about.
    let destroy = "DELETE FROM data_keys WHERE purpose = 'event'";
    app.database().sql(destroy).await;
    let handler = Told::new(|_| Ok(Handled::done("linked")));
    work(&app, &handler).await;
    assert!(handler.take().is_empty());
    for listed in all(&app).await {
        assert_eq!(listed.status, Status::Ignored);
        assert_eq!(listed.outcome.as_deref(), Some("erased"));
    }
}

async fn what_is_not_configured_has_no_path(app: TestApp) {
    for path in [
        "/hooks/square",
        "/hooks/lightspeed",
        "/hooks/veriff",
        "/hooks/others",
    ] {
        let answer = app.post(path).json(&event("e-1", "c-1")).expect(404).await;
        assert_eq!(answer.code(), "not_found");
    }
    let app = taking(&app).await;
    app.post("/hooks/lightspeed")
        .json(&json!({}))
        .expect(404)
        .await;
    assert!(all(&app).await.is_empty());
}

async fn old_events_go_with_their_keys(app: TestApp) {
    let app = taking(&app).await;
    let day = std::time::Duration::from_secs(86_400);
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    work(&app, &Told::new(|_| Ok(Handled::done("linked")))).await;
    app.advance(89 * day);
    hook(&app, &event("e-2", "c-1")).expect(200).await;
    app.chores().await;
    assert_eq!(all(&app).await.len(), 2);
    app.advance(2 * day);
    app.chores().await;
    // What still waits is never too old.
    let listed = only(&app).await;
    assert_eq!(listed.status, Status::Waiting);
    let keys = app
        .database()
        .sql("SELECT id FROM data_keys WHERE purpose = 'event'");
    assert_eq!(keys.await.len(), 1);
}

/// Processes what is left.
async fn leave(app: &TestApp) {
    work(app, &Told::new(|_| Ok(Handled::done("linked")))).await;
}
