//! Attacks on what Veriff, Square and the customer's page are believed.

use std::time::Duration;

use app::veriff::poll_due;
use serde_json::json;

use crate::customers::standing;
use crate::harness::{TestApp, flows};
use crate::lightspeed;
use crate::orders::ANN;
use crate::orders::page::{links, send};
use crate::veriff::office::Mood;
use crate::veriff::{Stage, decision};

flows!(
    a_session_that_veriff_answers_badly_keeps_no_other_from_its_turn,
    the_link_to_a_wrong_address_takes_no_step_for_the_right_one,
);

const HOUR: Duration = Duration::from_secs(3_600);
const AT: &str = "2025-01-01T00:01:00.000Z";

/// No hook comes through. Of three sessions that were decided Veriff answers one badly, in one way or
/// another.
async fn a_session_that_veriff_answers_badly_keeps_no_other_from_its_turn(app: TestApp) {
    let stage = Stage::set(&app).await;
    let moods = [Mood::Forged, Mood::Text("[]".to_owned()), Mood::Status(500)];
    for (round, mood) in moods.into_iter().enumerate() {
        let emails = ["ann", "bob", "cy"].map(|name| format!("{name}{round}@example.com"));
        for email in &emails {
            let (session, ours) = stage.started(email).await;
            let decided = decision(&session, &ours, "approved", AT);
            stage.office.decide(&session, decided);
        }
        stage.app.advance(HOUR);
        stage.office.be(mood);
        let polled = poll_due(&stage.app.app, &stage.veriff).await.unwrap();
        assert!(polled.problem.is_some());
        stage.work().await;
        let mut approved = 0;
        for email in &emails {
            approved += usize::from(stage.is_approved(email).await);
        }
        assert_eq!(approved, 2, "in round {round}");
        // The next time that one has its turn as well.
        stage.app.advance(HOUR);
        poll_due(&stage.app.app, &stage.veriff).await.unwrap();
        stage.work().await;
        for email in &emails {
            assert!(stage.is_approved(email).await, "{email}");
        }
    }
}

/// The first mail went to somebody else; then the shop corrected the address.
async fn the_link_to_a_wrong_address_takes_no_step_for_the_right_one(app: TestApp) {
    let stage = lightspeed::Stage::set(&app).await;
    let key = stage.app.key("default", crate::orders::ALL).await;
    stage.shop.order("XJ12H", json!({}));
    let hook = lightspeed::event("e-1", "order.created", "XJ12H");
    lightspeed::hook(&stage.app, &hook).expect(200).await;
    stage.work().await;
    let [strangers, _] = links(&stage.app).await;
    stage.app.get(&strangers).expect(200).await;
    stage
        .shop
        .order("XJ12H", json!({"email": "bob@example.com"}));
    let hook = lightspeed::event("e-2", "order.updated", "XJ12H");
    lightspeed::hook(&stage.app, &hook).expect(200).await;
    stage.work().await;
    stage.app.get(&strangers).expect(401).await;
    send(&stage.app, &strangers, "step=email_optin")
        .expect(401)
        .await;
    for email in ["bob@example.com", ANN] {
        let known = standing(&stage.app, &key, email).await;
        assert_eq!(known["email_optin"], json!(false), "{email}");
    }
    let [own, _] = links(&stage.app).await;
    stage.app.get(&own).expect(200).await;
}
