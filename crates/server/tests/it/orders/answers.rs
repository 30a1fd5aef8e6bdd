//! The answers, to the letter.

use serde_json::json;

use super::{ALL, ANN, HOUR, ORDERS, decide, pass, place, placed, prove_all, show};
use crate::customers::prove;
use crate::harness::{TestApp, flows};

flows!(
    an_order_of_an_unknown_customer_is_held,
    an_order_of_a_verified_customer_is_released,
    the_same_order_again_is_answered_as_it_stands,
    an_order_tells_its_story,
    an_order_may_be_called_anything,
);

async fn an_order_of_an_unknown_customer_is_held(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    let order = json!({"order_id": "1001", "email": ANN, "phone": "+12345678900"});
    let answer = place(&app, &key, &order).expect(201).await;
    assert_eq!(
        answer.json,
        json!({
            "order_id": "1001",
            "source": "api",
            "status": "held",
            "missing": ["veriff", "membership", "email_optin"],
            "placed_at": "2025-01-01T00:00:00Z",
            "deadline": "2025-01-04T00:00:00Z",
            "customer": {
                "customer_found": true,
                "veriff_approved": false, "veriff_date": null,
                "membership_signed": false, "membership_date": null,
                "email_optin": false, "optin_date": null,
                "all_verified": false,
            },
        })
    );
    insta::allow_duplicates!(insta::assert_snapshot!("held", answer.wire()));
    let by_phone = crate::customers::check(&app, &key, &json!({"phone": "+12345678900"}));
    assert_eq!(by_phone.expect(200).await.json["customer_found"], true);
    let evidence = "SELECT proof, status, applied FROM evidence";
    assert_eq!(app.database().sql(evidence).await.len(), 1);
}

async fn an_order_of_a_verified_customer_is_released(app: TestApp) {
    let key = app.key("default", ALL).await;
    prove_all(&app, &key, ANN).await;
    let order = json!({"order_id": "1001", "source": "web shop", "email": "  ANN@Example.com "});
    let answer = place(&app, &key, &order).expect(201).await;
    let released = json!({
        "order_id": "1001",
        "source": "web shop",
        "status": "released",
        "missing": [],
        "placed_at": "2025-01-01T00:00:00Z",
        "deadline": null,
        "customer": {
            "customer_found": true,
            "veriff_approved": true, "veriff_date": "2025-01-01T00:00:00Z",
            "membership_signed": true, "membership_date": "2025-01-01T00:00:00Z",
            "email_optin": true, "optin_date": "2025-01-01T00:00:00Z",
            "all_verified": true,
        },
    });
    assert_eq!(answer.json, released);
    // What was released is not taken back.
    prove(&app, &key, ANN, "membership", false).await;
    let shown = show(&app, &key, "1001").await;
    assert_eq!(shown["status"], "released");
    assert_eq!(shown["missing"], json!([]));
    assert_eq!(shown["customer"]["all_verified"], false);
    assert_eq!(app.recorded().await["order.place"], 1);
}

async fn the_same_order_again_is_answered_as_it_stands(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    app.advance(HOUR);
    let order = json!({"order_id": "1001", "email": ANN});
    let again = place(&app, &key, &order).expect(200).await;
    assert_eq!(again.json["status"], "held");
    assert_eq!(again.json["deadline"], "2025-01-04T00:00:00Z");
    prove_all(&app, &key, ANN).await;
    let settled = place(&app, &key, &order).expect(200).await;
    assert_eq!(settled.json["status"], "released");
    // Whoever means another order is told so, and changes nothing.
    for other in [
        json!({"order_id": "1001", "email": "bob@example.com"}),
        json!({"order_id": "1001", "email": ANN, "source": "lightspeed"}),
    ] {
        let refused = place(&app, &key, &other).expect(409).await;
        assert_eq!(refused.code(), "conflict");
    }
    let customers = "SELECT COUNT(*) FROM customer_verification";
    assert_eq!(app.database().sql(customers).await, [["1"]]);
    // Another company has an order of its own.
    app.company("acme").await;
    let acme = app.key("acme", ALL).await;
    let theirs = placed(&app, &acme, "1001", "bob@example.com").await;
    assert_eq!(theirs.json["status"], "held");
}

async fn an_order_tells_its_story(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    pass(&app, 24).await;
    prove(&app, &key, ANN, "membership", true).await;
    pass(&app, 1).await;
    let answer = decide(&app, &key, "1001", "release").expect(200).await;
    assert_eq!(answer.json["status"], "released");
    assert_eq!(answer.json["missing"], json!(["veriff", "email_optin"]));
    assert_eq!(answer.json["deadline"], json!(null));
    let story = app
        .get(&format!("{ORDERS}/1001"))
        .key(&key)
        .expect(200)
        .await;
    insta::allow_duplicates!(insta::assert_snapshot!("story", pretty(&story.json)));
}

fn pretty(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap()
}

async fn an_order_may_be_called_anything(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    let long = "№".repeat(200);
    for id in [
        "a/b",
        "Bestellung 7",
        "注文-12",
        "100%",
        "..",
        long.as_str(),
    ] {
        placed(&app, &key, id, ANN).await;
        let path: String = url::form_urlencoded::byte_serialize(id.as_bytes())
            .collect::<String>()
            .replace('+', "%20")
            .replace('.', "%2E");
        assert_eq!(show(&app, &key, &path).await["order_id"], id);
        decide(&app, &key, &path, "cancel").expect(200).await;
    }
}
