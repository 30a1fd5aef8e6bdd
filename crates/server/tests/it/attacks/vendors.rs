//! Attacks on what Veriff, Square and the customer's page are believed.

use std::time::Duration;

use app::veriff::poll_due;
use serde_json::{Value, json};

use crate::customers::{prove, standing};
use crate::harness::{TestApp, flows};
use crate::lightspeed;
use crate::orders::page::{links, ordered, send};
use crate::orders::{ANN, placed, status};
use crate::square;
use crate::veriff::office::Mood;
use crate::veriff::{Stage, decision};

flows!(
    a_session_that_veriff_answers_badly_keeps_no_other_from_its_turn,
    who_is_too_young_by_an_id_is_not_of_age_by_their_word_for_the_next_order,
    who_is_too_young_by_an_id_is_not_of_age_by_their_word_after_a_new_beginning,
    the_link_to_a_wrong_address_takes_no_step_for_the_right_one,
    a_number_that_a_stranger_typed_takes_no_proof_away,
    the_links_of_an_inactive_company_open_nothing,
);

const HOUR: Duration = Duration::from_secs(3_600);
const AT: &str = "2025-01-01T00:01:00.000Z";
const START: &str = "step=veriff";
const ADULT: &str = "step=age&fullName=Ann+Lee&month=4&day=7&year=1991&state=TX&idNumberLast4=1234";

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

/// Sends the customer to Veriff, who finds them to be nineteen.
async fn found_too_young(stage: &Stage, page: &str) {
    send(&stage.app, page, START).expect(303).await;
    let (_, _, asked) = stage.office.asked().pop().unwrap();
    let ours = asked["verification"]["vendorData"].as_str().unwrap();
    let session = stage.office.sessions().pop().unwrap();
    let mut decided = decision(&session, ours, "approved", AT);
    decided["verification"]["person"]["dateOfBirth"] = "2005-06-15".into();
    stage.hear(&decided).await;
}

async fn young(app: &TestApp) -> (Stage, String, String) {
    let stage = Stage::set_with(app, |settings| settings.ages.proves_identity = true).await;
    let (key, page) = ordered(&stage.app).await;
    for proof in ["membership", "email_optin"] {
        prove(&stage.app, &key, ANN, proof, true).await;
    }
    found_too_young(&stage, &page).await;
    (stage, key, page)
}

async fn refused_to_say(stage: &Stage, key: &str, page: &str) {
    let said = stage.app.get(page).expect(200).await.text();
    assert!(!said.contains("value=\"age\""), "{said}");
    send(&stage.app, page, ADULT).send().await;
    let known: Value = standing(&stage.app, key, ANN).await;
    assert_eq!(known["all_verified"], json!(false));
    assert_eq!(status(&stage.app, key, "1001").await, "held");
}

async fn who_is_too_young_by_an_id_is_not_of_age_by_their_word_for_the_next_order(app: TestApp) {
    let (stage, key, _) = young(&app).await;
    stage.app.advance(HOUR);
    placed(&stage.app, &key, "1002", ANN).await;
    let [next, _] = links(&stage.app).await;
    refused_to_say(&stage, &key, &next).await;
    assert_eq!(status(&stage.app, &key, "1002").await, "held");
}

/// The shop, or a page of another order, has sent them to Veriff again.
async fn who_is_too_young_by_an_id_is_not_of_age_by_their_word_after_a_new_beginning(app: TestApp) {
    let (stage, key, page) = young(&app).await;
    stage.app.advance(HOUR);
    stage.start(ANN).expect(200).await;
    refused_to_say(&stage, &key, &page).await;
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

async fn the_links_of_an_inactive_company_open_nothing(app: TestApp) {
    let (_, own) = ordered(&app).await;
    app.get(&own).expect(200).await;
    let change = app::companies::CompanyChange {
        is_active: Some(false),
        ..Default::default()
    };
    app.change_company("default", change).await;
    app.get(&own).expect(401).await;
    send(&app, &own, "step=email_optin").expect(401).await;
}

/// Ann is at Square twice, once by her number alone, and staff bring the two together. A stranger has
/// typed her number at the checkout, and was refused by Veriff.
async fn a_number_that_a_stranger_typed_takes_no_proof_away(app: TestApp) {
    let stage = square::Stage::set(&app).await;
    let number = "+12126668929";
    stage
        .prove_at(ANN, "veriff", true, "2024-12-01T00:00:00Z")
        .await;
    let order = json!({"order_id": "S-1", "email": "eve@example.com", "phone": number});
    let call = stage
        .app
        .post(crate::orders::ORDERS)
        .key(&stage.key)
        .json(&order);
    call.expect(201).await;
    let mut counter = square::customer("P", ANN, 0);
    counter["email_address"] = Value::Null;
    counter["phone_number"] = json!(number);
    let whole = square::customer("C", ANN, 1);
    let events = square::merge(
        "m",
        "2024-12-20T00:00:00Z",
        &[square::customer("A", ANN, 1), counter],
        &whole,
    );
    for event in &events {
        stage.hear(event).await;
    }
    assert!(stage.proofs(ANN).await[0]);
    stage
        .prove_at("eve@example.com", "veriff", false, "2024-12-30T00:00:00Z")
        .await;
    assert!(stage.proofs(ANN).await[0], "taken by a stranger");
}
