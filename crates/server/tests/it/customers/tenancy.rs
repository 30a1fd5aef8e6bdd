//! Companies do not see each other.

use app::companies::CompanyChange;
use serde_json::json;

use super::{BOTH, bulk, check, prove, standing, update};
use crate::harness::{TestApp, flows};

flows!(
    no_company_sees_another_companys_customers,
    an_inactive_companys_credentials_are_refused,
);

async fn no_company_sees_another_companys_customers(app: TestApp) {
    app.company("acme").await;
    let ours = app.key("default", BOTH).await;
    let theirs = app
        .key("acme", "admin customers:read customers:write")
        .await;
    let change = json!({"email": "ann@example.com", "phone": "+14155550123",
        "verification_type": "veriff", "status": true});
    update(&app, &ours, &change).expect(200).await;
    let phone = json!({"phone": "+14155550123"});
    for answer in [
        standing(&app, &theirs, "ann@example.com").await,
        check(&app, &theirs, &phone).expect(200).await.json,
        bulk(&app, &theirs, &json!(["ann@example.com"]))
            .expect(200)
            .await
            .json["results"][0]
            .clone(),
    ] {
        assert_eq!(answer["customer_found"], false);
    }
    // The same person is another customer there, and withdrawing there changes nothing here.
    prove(&app, &theirs, "ann@example.com", "veriff", false).await;
    assert_eq!(
        standing(&app, &ours, "ann@example.com").await["veriff_approved"],
        true
    );
    let rows = app
        .database()
        .sql("SELECT email_index FROM customer_verification")
        .await;
    assert_eq!(rows.len(), 2);
    assert_ne!(
        rows[0], rows[1],
        "an index must not tell that two companies share a customer"
    );
}

async fn an_inactive_companys_credentials_are_refused(app: TestApp) {
    app.company("acme").await;
    let key = app.key("acme", BOTH).await;
    standing(&app, &key, "ann@example.com").await;
    let active = |is_active| CompanyChange {
        is_active: Some(is_active),
        ..CompanyChange::default()
    };
    app.change_company("acme", active(false)).await;
    let question = json!({"email": "ann@example.com"});
    let answer = check(&app, &key, &question).expect(401).await;
    assert_eq!(answer.code(), "unauthenticated");
    app.change_company("acme", active(true)).await;
    check(&app, &key, &question).expect(200).await;
}
