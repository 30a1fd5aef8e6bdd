//! Customers in the console: found, shown masked, changed with a reason, exported, erased.

use serde_json::Value;

use super::{Admin, named, record};
use crate::customers::{BOTH, check, prove};
use crate::harness::{Answer, TestApp, flows};
use crate::orders::{ALL, placed};

flows!(
    somebody_is_found_by_address_or_number_and_named_by_neither,
    whoever_is_not_there_is_not_found,
    a_customer_is_masked_until_more_is_asked_for,
    a_proof_is_changed_with_a_reason,
    a_change_needs_a_reason_and_a_proof,
    everything_is_exported,
    erasing_is_meant,
    who_is_under_legal_hold_is_not_erased,
    another_companys_customers_are_not_there,
);

const ADA: &str = "ada.lovelace@example.com";
const NUMBER: &str = "+14155550123";

/// A customer with a number and a proof.
async fn known(app: &TestApp) -> String {
    let key = app.key("default", BOTH).await;
    let change = serde_json::json!({"email": ADA, "phone": NUMBER, "verification_type": "veriff",
        "status": true, "metadata": {"ip_address": "198.51.100.77", "verification_id": "v-81"}});
    crate::customers::update(app, &key, &change)
        .expect(200)
        .await;
    key
}

async fn find(admin: &Admin, whom: &str) -> Answer {
    let fields = [("whom", whom)];
    admin.send("/console/customers/find", &fields).send().await
}

/// Where a customer's page is.
async fn path(admin: &Admin) -> String {
    let found = find(admin, ADA).await;
    assert_eq!(found.status.as_u16(), 303, "{}", found.text());
    found
        .header("location")
        .trim_start_matches("../..")
        .to_owned()
}

async fn somebody_is_found_by_address_or_number_and_named_by_neither(app: TestApp) {
    known(&app).await;
    let admin = Admin::new(&app).await;
    let path = path(&admin).await;
    assert!(!path.contains("ada") && !path.contains("0123"), "{path}");
    for whom in [" Ada.Lovelace@Example.com ", NUMBER, "+1 (415) 555-0123"] {
        let found = find(&admin, whom).await;
        assert_eq!(found.header("location"), format!("../..{path}"), "{whom}");
        let records = app.records_of(found.request_id()).await;
        assert_eq!(records[0].record.action, "console.customer.find");
        assert!(records[0].record.subject.is_some(), "looking is recorded");
    }
}

async fn whoever_is_not_there_is_not_found(app: TestApp) {
    known(&app).await;
    let admin = Admin::new(&app).await;
    for (whom, status) in [
        ("bob@example.com", 404),
        ("+14155550199", 404),
        ("ada", 400),
        ("", 400),
    ] {
        let answer = find(&admin, whom).await;
        assert_eq!(answer.status.as_u16(), status, "{whom}");
        assert!(answer.text().contains("aria-invalid"), "{whom}");
    }
    let nobody = format!("/console/customers/{}", "0".repeat(32));
    admin.get(&nobody).expect(404).await;
    admin
        .get("/console/customers/ada@example.com")
        .expect(404)
        .await;
}

async fn a_customer_is_masked_until_more_is_asked_for(app: TestApp) {
    known(&app).await;
    let admin = Admin::new(&app).await;
    let path = path(&admin).await;
    let page = admin.get(&path).expect(200).await;
    let text = page.text();
    assert!(
        text.contains("a***@example.com") && text.contains("+1******0123"),
        "{text}"
    );
    for hidden in [ADA, NUMBER, "198.51.100.77", "v-81"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    let records = app.records_of(page.request_id()).await;
    assert_eq!(records[0].record.action, "console.customer.show");
    assert!(records[0].record.subject.is_some());
    let whole = admin.send(&format!("{path}/reveal"), &[]).expect(200).await;
    let text = whole.text();
    for shown in [ADA, NUMBER, "198.51.100.77", "v-81"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let told = record(&app, &whole).await;
    assert_eq!(
        (told.0.as_str(), told.1.as_str()),
        ("console.customer.reveal", "ok")
    );
    assert!(!admin.get(&path).expect(200).await.text().contains(ADA));
}

async fn a_proof_is_changed_with_a_reason(app: TestApp) {
    let key = known(&app).await;
    let office = app.key("default", "admin").await;
    let admin = Admin::with(&app, &office).await;
    let path = path(&admin).await;
    app.advance(std::time::Duration::from_secs(1));
    for (proof, status) in [("membership", "given"), ("veriff", "withdrawn")] {
        let fields = [
            ("proof", proof),
            ("status", status),
            ("reason", "signed on paper"),
        ];
        let answer = admin
            .send(&format!("{path}/change"), &fields)
            .expect(303)
            .await;
        let records = app.records_of(answer.request_id()).await;
        let record = &records[0].record;
        assert_eq!(record.action, "console.customer.change");
        assert_eq!(*record.credential, *named(&office));
    }
    let question = serde_json::json!({"email": ADA});
    let now = check(&app, &key, &question).expect(200).await.json;
    assert_eq!(now["membership_signed"], true);
    assert_eq!(now["veriff_approved"], false);
    let masked = admin.get(&path).expect(200).await.text();
    assert!(
        masked.contains("withdrawn") && !masked.contains("signed on paper"),
        "{masked}"
    );
    let whole = admin.send(&format!("{path}/reveal"), &[]).expect(200).await;
    assert!(whole.text().contains("signed on paper"), "{}", whole.text());
}

async fn a_change_needs_a_reason_and_a_proof(app: TestApp) {
    let key = known(&app).await;
    let admin = Admin::new(&app).await;
    let change = format!("{}/change", path(&admin).await);
    let long = "x".repeat(1_025);
    for fields in [
        [("proof", "veriff"), ("status", "withdrawn"), ("reason", "")],
        [
            ("proof", "veriff"),
            ("status", "withdrawn"),
            ("reason", &long),
        ],
        [("proof", "other"), ("status", "withdrawn"), ("reason", "x")],
        [("proof", "veriff"), ("status", "other"), ("reason", "x")],
    ] {
        admin.send(&change, &fields).expect(400).await;
    }
    let question = serde_json::json!({"email": ADA});
    let now = check(&app, &key, &question).expect(200).await.json;
    assert_eq!(now["veriff_approved"], true);
}

async fn everything_is_exported(app: TestApp) {
    known(&app).await;
    let admin = Admin::new(&app).await;
    let export = format!("{}/export", path(&admin).await);
    let answer = admin.send(&export, &[]).expect(200).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let name = answer.header("content-disposition");
    assert_eq!(name, "attachment; filename=\"customer.json\"");
    assert_eq!(answer.json["customer"]["email"], ADA);
    assert_ne!(answer.json["evidence"], Value::Null);
    let told = record(&app, &answer).await;
    assert_eq!(told.0, "console.customer.export");
}

async fn erasing_is_meant(app: TestApp) {
    let key = known(&app).await;
    let shop = app.key("default", ALL).await;
    placed(&app, &shop, "1001", ADA).await;
    let admin = Admin::new(&app).await;
    let path = path(&admin).await;
    let erase = format!("{path}/erase");
    for sure in ["", "yes", "Erase"] {
        let answer = admin.send(&erase, &[("sure", sure)]).expect(400).await;
        assert!(
            answer.text().contains("if you mean it"),
            "{}",
            answer.text()
        );
    }
    let receipt = admin.send(&erase, &[("sure", "erase")]).expect(200).await;
    let text = receipt.text();
    assert!(
        text.contains("The receipt") && text.contains("Open orders cancelled"),
        "{text}"
    );
    assert!(!text.contains("ada"), "{text}");
    let records = app.records_of(receipt.request_id()).await;
    assert!(
        records
            .iter()
            .any(|located| located.record.action == "console.customer.erase")
    );
    admin.get(&path).expect(404).await;
    assert_eq!(find(&admin, ADA).await.status.as_u16(), 404);
    let question = serde_json::json!({"email": ADA});
    let now = check(&app, &key, &question).expect(200).await.json;
    assert_eq!(now["customer_found"], false);
    app.leaves_deliveries();
}

async fn who_is_under_legal_hold_is_not_erased(app: TestApp) {
    known(&app).await;
    let office = app.key("default", "admin").await;
    let admin = Admin::with(&app, &office).await;
    let hold = serde_json::json!({"email": ADA, "hold": true, "reason": "case 17"});
    let call = app.post("/api/v1/customer/legal-hold").key(&office);
    call.json(&hold).expect(200).await;
    let path = path(&admin).await;
    let page = admin.get(&path).expect(200).await.text();
    assert!(
        page.contains("Under legal hold") && !page.contains("name=\"sure\""),
        "{page}"
    );
    let erase = admin.send(&format!("{path}/erase"), &[("sure", "erase")]);
    let answer = erase.expect(409).await;
    assert!(answer.text().contains("legal hold"), "{}", answer.text());
}

async fn another_companys_customers_are_not_there(app: TestApp) {
    known(&app).await;
    let here = Admin::new(&app).await;
    let path = path(&here).await;
    app.company("acme").await;
    let key = app.key("acme", "admin").await;
    let there = Admin::with(&app, &key).await;
    assert_eq!(find(&there, ADA).await.status.as_u16(), 404);
    there.get(&path).expect(404).await;
    for (form, fields) in [
        ("reveal", vec![]),
        ("export", vec![]),
        ("erase", vec![("sure", "erase")]),
        (
            "change",
            vec![
                ("proof", "veriff"),
                ("status", "withdrawn"),
                ("reason", "x"),
            ],
        ),
    ] {
        there
            .send(&format!("{path}/{form}"), &fields)
            .expect(404)
            .await;
    }
    let own = app.key("default", BOTH).await;
    prove(&app, &own, ADA, "membership", true).await;
    here.get(&path).expect(200).await;
}
