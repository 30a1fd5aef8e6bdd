//! Which hooks are the shop's.

use serde_json::{Value, json};

use super::{CLIENT_SECRET, Stage, event, hook, signature};
use crate::harness::{TestApp, flows};

flows!(
    forged_hooks_are_refused,
    a_captured_signature_is_good_for_one_event,
    another_store_is_refused_and_uses_up_nothing,
    a_late_retry_is_taken,
    a_replay_changes_nothing,
);

const PATH: &str = "/hooks/lightspeed";
const SIGNATURE: &str = "x-ecwid-webhook-signature";

async fn stored(app: &TestApp) -> usize {
    let chosen = app::inbox::Chosen::default();
    app::inbox::list(&app.app, chosen, 100).await.unwrap().len()
}

async fn forged_hooks_are_refused(app: TestApp) {
    let stage = Stage::set(&app).await;
    let sent = event(
        "80aece08-40e8-4145-8764-6c2f0d38678",
        "order.created",
        "XJ12H",
    );
    let good = signature(&sent);
    let of_body = {
        let key = domain::hook::HookKey::new(CLIENT_SECRET).unwrap();
        domain::hook::square::sign(&key, "", sent.to_string().as_bytes())
    };
    for forged in ["", "x", &good[..43], &good.to_lowercase(), &of_body] {
        let call = stage.app.post(PATH).header(SIGNATURE, forged);
        let answer = call.body("application/json", sent.to_string());
        assert_eq!(answer.expect(401).await.code(), "unauthenticated");
    }
    let unsigned = stage
        .app
        .post(PATH)
        .body("application/json", sent.to_string());
    let answer = unsigned.expect(401).await;
    let records = stage.app.records_of(answer.request_id()).await;
    assert_eq!(records[0].record.detail.as_deref(), Some("signature"));
    let mut changed = sent.clone();
    for (field, value) in [("eventId", json!("80aece08")), ("eventCreated", json!(1))] {
        changed[field] = value;
        let call = stage.app.post(PATH).header(SIGNATURE, &good);
        call.body("application/json", changed.to_string())
            .expect(401)
            .await;
        changed = sent.clone();
    }
    let text = sent.to_string();
    let doubled = text.replacen('{', r#"{"eventId":"another","#, 1);
    for body in [&text[..text.len() - 1], "", "[]", &doubled] {
        let call = stage.app.post(PATH).header(SIGNATURE, &good);
        call.body("application/json", body.to_owned())
            .expect(401)
            .await;
    }
    assert_eq!(stored(&stage.app).await, 0);
    assert!(stage.shop.asked().is_empty());
}

async fn a_captured_signature_is_good_for_one_event(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    hook(&stage.app, &event("e-1", "order.created", "XJ12H"))
        .expect(200)
        .await;
    // The signature says nothing of the order: with another one it is the same event still.
    hook(&stage.app, &event("e-1", "order.deleted", "OTHER"))
        .expect(200)
        .await;
    assert_eq!(stored(&stage.app).await, 1);
    stage.work().await;
    assert!(stage.standing("XJ12H").await.is_some() && stage.standing("OTHER").await.is_none());
}

async fn another_store_is_refused_and_uses_up_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    let sent = event("e-1", "order.created", "XJ12H");
    for store in [json!(1004), json!("1004"), json!(null), json!(1003.5)] {
        let mut other = sent.clone();
        other["storeId"] = store;
        let answer = hook(&stage.app, &other).expect(401).await;
        let records = stage.app.records_of(answer.request_id()).await;
        assert_eq!(records[0].record.detail.as_deref(), Some("another store"));
    }
    assert_eq!(stored(&stage.app).await, 0);
    hook(&stage.app, &sent).expect(200).await;
    assert_eq!(stored(&stage.app).await, 1);
    stage.shop.order("XJ12H", json!({}));
    stage.work().await;
}

async fn a_late_retry_is_taken(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    let day = std::time::Duration::from_secs(86_400);
    stage.app.advance(day + day / 12);
    hook(&stage.app, &event("e-1", "order.created", "XJ12H"))
        .expect(200)
        .await;
    stage.work().await;
    assert!(stage.standing("XJ12H").await.is_some());
}

async fn a_replay_changes_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.shop.order("XJ12H", json!({}));
    let sent: Value = event("e-1", "order.created", "XJ12H");
    hook(&stage.app, &sent).expect(200).await;
    stage.work().await;
    stage.shop.asked();
    for _ in 0..5 {
        hook(&stage.app, &sent).expect(200).await;
        stage.work().await;
    }
    assert!(stage.shop.asked().is_empty(), "nobody is even asked");
}
