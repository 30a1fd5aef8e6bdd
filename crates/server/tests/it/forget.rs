//! People who are forgotten, as those who ask for it see it, and as a thief sees what is left.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use app::forget::{Erasure, forget_again};
use bonafide::erasure_list::{ErasureList, parse};
use bonafide::http::customers::ReceiptDocument;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::customers::{check, prove, standing, update};
use crate::harness::{Answer, Call, Settings, TestApp, flows};
use crate::{ages, numbers, orders};

flows!(
    nothing_of_an_erased_person_can_be_read,
    a_receipt_is_proven_by_its_record,
    every_column_that_leads_to_a_person_is_known,
    whoever_comes_again_is_a_new_person,
    a_legal_hold_keeps_a_customer,
    what_is_sent_again_is_answered_again,
    an_export_tells_all_and_then_nothing,
    the_number_of_several_erases_nobody,
    a_restored_backup_forgets_again,
    the_list_is_written_down_once,
    a_thousand_pieces_are_erased_in_a_second,
    a_change_and_an_erasure_at_once_leave_one_person_or_none,
    the_address_of_a_visitor_goes_with_the_customer,
    the_phone_of_a_customer_leads_to_its_verifications,
    what_was_claimed_in_vain_goes_with_whom_it_was_claimed_for,
    an_answer_that_is_kept_goes_with_whom_it_is_about,
    the_number_of_a_held_customer_is_not_erased_with_another,
);

const ERASE: &str = "/api/v1/customer/erase";
const EXPORT: &str = "/api/v1/customer/export";
const HOLD: &str = "/api/v1/customer/legal-hold";
const ANN: &str = "ann@example.com";
const NUMBER: &str = "+14155550123";
const SCOPES: &str = "admin customers:read customers:write orders:read orders:write ages:read \
                      ages:write numbers:read numbers:write";

fn erase(app: &TestApp, key: &str, email: &str) -> Call {
    app.post(ERASE).key(key).json(&json!({ "email": email }))
}

fn export(app: &TestApp, key: &str, email: &str) -> Call {
    app.post(EXPORT).key(key).json(&json!({ "email": email }))
}

/// A customer of whom there is something everywhere.
async fn ann(app: &TestApp, key: &str) {
    app.leaves_deliveries();
    app.webhook("default", "https://hooks.example.com/all")
        .await;
    let change = json!({"email": ANN, "phone": NUMBER, "verification_type": "membership",
        "status": true, "metadata": {"ip_address": "198.51.100.77", "user_agent": "AnnsBrowser"}});
    let told = update(app, key, &change).header("idempotency-key", "ann-1");
    told.expect(200).await;
    orders::placed(app, key, "1001", ANN).await;
    orders::placed(app, key, "1002", ANN).await;
    orders::decide(app, key, "1002", "release")
        .expect(200)
        .await;
    let mut claim = ages::adult("shop-77");
    claim["email"] = ANN.into();
    ages::verify(app, key, &claim).expect(200).await;
    numbers::open(app, key, "request-77").await;
}

async fn rows(app: &TestApp, sql: &str) -> Vec<String> {
    app.database()
        .sql(sql)
        .await
        .into_iter()
        .flatten()
        .collect()
}

async fn nothing_of_an_erased_person_can_be_read(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    ann(&app, &key).await;
    prove(&app, &key, "bob@example.com", "veriff", true).await;
    let bobs = "SELECT data_key FROM customer_verification WHERE phone IS NULL";
    let bob = rows(&app, bobs).await;
    let wrapped = "SELECT wrapped FROM data_keys WHERE purpose = 'person' ORDER BY id";
    let before = rows(&app, wrapped).await;
    assert_eq!(before.len(), 4, "Ann, her age, her number, and Bob");
    let index = rows(&app, "SELECT email_index FROM orders LIMIT 1").await;

    let began = Instant::now();
    let receipt = erase(&app, &key, ANN).expect(200).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(receipt.json["erased"]["customers"], 1);
    assert_eq!(receipt.json["erased"]["orders"], 2);
    assert_eq!(receipt.json["erased"]["orders_cancelled"], 1);
    assert_eq!(receipt.json["erased"]["keys"], 3);
    let record = receipt.json["audit_record"].as_str().unwrap();
    let records = app.records_of(receipt.request_id()).await;
    let named = records.iter().find(|located| {
        record == format!("{}.{}.{}", located.log, located.batch, located.position)
    });
    assert_eq!(named.unwrap().record.action, "customer.erase");

    // Of all keys of persons Bob's alone is left, and none of the others in the file either.
    let people = "SELECT id FROM data_keys WHERE purpose = 'person'";
    assert_eq!(rows(&app, people).await, bob);
    let left = rows(&app, wrapped).await;
    let raw = app.database().raw();
    for destroyed in before.iter().filter(|key| !left.contains(key)) {
        let hex = destroyed.trim_start_matches("\\x");
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        assert!(!raw.windows(bytes.len()).any(|window| window == bytes));
    }
    // The keyed hash stands nowhere but in the audit log.
    for table in app.database().tables().await {
        let content = app.database().sql(&format!("SELECT * FROM {table}")).await;
        let has = content.iter().flatten().any(|value| *value == index[0]);
        assert!(!has || table.starts_with("audit_"), "{table}");
    }
    assert_eq!(standing(&app, &key, ANN).await["customer_found"], false);
    let by_phone = check(&app, &key, &json!({ "phone": NUMBER }))
        .expect(200)
        .await;
    assert_eq!(by_phone.json["customer_found"], false);
    export(&app, &key, ANN).expect(404).await;
    erase(&app, &key, ANN).expect(404).await;
    assert_eq!(orders::status(&app, &key, "1001").await, "cancelled");
    let order = orders::show(&app, &key, "1002").await.to_string();
    assert!(!order.contains("ann@") && !order.contains("seen in the store"));
    let waiting = "SELECT status FROM deliveries WHERE payload <> '' AND topic = 'order.held'";
    assert!(
        rows(&app, waiting)
            .await
            .iter()
            .all(|status| status != "waiting")
    );
    let answers = "SELECT status FROM idempotency_keys";
    assert!(rows(&app, answers).await.is_empty(), "an answer names her");
    assert_eq!(
        standing(&app, &key, "bob@example.com").await["veriff_approved"],
        true
    );
}

async fn a_receipt_is_proven_by_its_record(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    ann(&app, &key).await;
    let answer = erase(&app, &key, ANN).expect(200).await;
    let trusted = app::audit::keys(&app.app).await.unwrap().remove(0).1;
    let read = |json: &Value| serde_json::from_value::<ReceiptDocument>(json.clone());
    let receipt = read(&answer.json).unwrap();
    let proof = receipt.proof().unwrap().proof().unwrap();
    proof.check(&trusted).unwrap();
    assert!(receipt.is_borne_out_by(&proof));
    assert_eq!(*proof.record.request_id, *answer.request_id());
    for (pointer, other) in [
        ("/erasure_id", json!("01990000-0000-7000-8000-000000000001")),
        ("/erased_at", json!("2025-01-01T00:00:00.001Z")),
        ("/erased/evidence", json!(0)),
        ("/erased/keys", json!(99)),
        ("/audit_record", json!("1.1.0")),
    ] {
        let mut changed = answer.json.clone();
        *changed.pointer_mut(pointer).unwrap() = other;
        let changed = read(&changed).unwrap();
        assert!(!changed.is_borne_out_by(&proof), "{pointer}");
    }
    let mut more = answer.json.clone();
    more["remark"] = json!("in full");
    assert!(read(&more).is_err());
    // What is left of the record is what was proven, and nothing in the receipt names anybody.
    app.assert_audit_is_clean().await;
    assert!(!answer.text().contains("ann@"));
}

/// Columns that name a data key or hold a keyed hash, with the part of erasing and of the export that
/// takes care of them. Whoever adds a column decides here what becomes of it.
const KNOWN: &[(&str, &str, &str)] = &[
    ("age_customers", "customer_index", "deleted"),
    ("age_customers", "data_key", "destroyed"),
    ("age_customers", "email_index", "deleted"),
    ("age_decisions", "customer_index", "leads to nobody"),
    ("age_decisions", "data_key", "destroyed"),
    (
        "audit_records",
        "data_key",
        "the caller's of the day, or the person's",
    ),
    ("customer_verification", "data_key", "destroyed"),
    ("customer_verification", "email_index", "deleted"),
    ("customer_verification", "phone_index", "deleted"),
    ("deliveries", "data_key", "destroyed"),
    ("erased_keys", "data_key", "names nobody"),
    ("evidence", "data_key", "destroyed"),
    ("evidence", "email_index", "deleted"),
    (
        "idempotency_keys",
        "data_key",
        "the company's; rows are deleted",
    ),
    ("idempotency_keys", "key_index", "the caller's own word"),
    ("idempotency_keys", "subject_index", "deleted"),
    ("inbox", "data_key", "destroyed"),
    ("inbox", "key_index", "the sender's name for the event"),
    ("inbox", "subject_index", "emptied"),
    ("mail_suppressions", "address_index", "deleted"),
    ("orders", "data_key", "destroyed"),
    ("orders", "email_index", "leads to nobody"),
    ("square_carries", "email_index", "deleted"),
    ("square_customers", "data_key", "destroyed"),
    ("square_customers", "holder_index", "another row's name"),
    ("square_customers", "square_index", "deleted"),
    ("square_customers", "subject_index", "deleted"),
    ("veriff_sessions", "data_key", "destroyed"),
    ("veriff_sessions", "email_index", "leads to nobody"),
    ("verification_sessions", "data_key", "destroyed"),
    ("verification_sessions", "number_index", "deleted"),
    ("verification_sessions", "request_index", "deleted"),
    ("webhook_secrets", "data_key", "the company's"),
];

async fn every_column_that_leads_to_a_person_is_known(app: TestApp) {
    let known: BTreeSet<_> = KNOWN
        .iter()
        .map(|(table, column, _)| (*table, *column))
        .collect();
    let mut there = BTreeSet::new();
    for table in app.database().tables().await {
        // The tables of months are parts of one.
        let whole = match table.strip_prefix("audit_records_") {
            Some(_) => "audit_records".to_owned(),
            None => table.clone(),
        };
        let columns = match app.engine() {
            crate::harness::Engine::Sqlite => {
                format!("SELECT name FROM pragma_table_info('{table}')")
            }
            crate::harness::Engine::Postgres => format!(
                "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
            ),
        };
        for column in rows(&app, &columns).await {
            if column == "data_key" || column.ends_with("_index") {
                there.insert((whole.clone(), column));
            }
        }
    }
    let there: BTreeSet<_> = there
        .iter()
        .map(|(t, c)| (t.as_str(), c.as_str()))
        .collect();
    assert_eq!(there, known);
}

async fn whoever_comes_again_is_a_new_person(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    ann(&app, &key).await;
    let keys = "SELECT data_key FROM customer_verification";
    let before = rows(&app, keys).await;
    erase(&app, &key, ANN).expect(200).await;
    prove(&app, &key, ANN, "veriff", true).await;
    let again = standing(&app, &key, ANN).await;
    assert_eq!(again["veriff_approved"], true);
    assert_eq!(again["membership_signed"], false);
    assert_ne!(rows(&app, keys).await, before);
    // What she proves does not complete orders of before.
    orders::prove_all(&app, &key, ANN).await;
    assert_eq!(orders::status(&app, &key, "1001").await, "cancelled");
    let document = export(&app, &key, ANN).expect(200).await.json;
    assert_eq!(document["orders"], json!([]));
    assert_eq!(document["age_decisions"], json!([]));
    erase(&app, &key, ANN).expect(200).await;
}

async fn a_legal_hold_keeps_a_customer(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    prove(&app, &key, ANN, "veriff", true).await;
    let hold = |body: Value| app.post(HOLD).key(&key).json(&body);
    let missing = hold(json!({"email": ANN, "hold": true})).expect(400).await;
    assert_eq!(missing.fields(), ["reason"]);
    let held = hold(json!({"email": ANN, "hold": true, "reason": "case of Ann"}));
    let held = held.expect(200).await.json;
    assert_eq!(
        held,
        json!({"legal_hold": true, "since": "2025-01-01T00:00:00.000Z"})
    );
    assert_eq!(
        erase(&app, &key, ANN).expect(409).await.code(),
        "legal_hold"
    );
    let document = export(&app, &key, ANN).expect(200).await.json;
    assert_eq!(document["customer"]["legal_hold"], "case of Ann");
    hold(json!({"email": ANN, "hold": false})).expect(200).await;
    erase(&app, &key, ANN).expect(200).await;
    hold(json!({"email": ANN, "hold": false})).expect(404).await;
}

async fn what_is_sent_again_is_answered_again(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    prove(&app, &key, ANN, "veriff", true).await;
    let hold = |hold: bool| {
        let body = json!({"email": ANN, "hold": hold, "reason": "case 17"});
        let named = if hold { "hold-1" } else { "release-1" };
        let call = app.post(HOLD).key(&key).json(&body);
        call.header("idempotency-key", named)
    };
    let held = hold(true).expect(200).await.json;
    assert_eq!(hold(false).expect(200).await.json["legal_hold"], false);
    assert_eq!(hold(true).expect(200).await.json, held, "the first answer");

    let erase = |email| erase(&app, &key, email).header("idempotency-key", "erase-1");
    let receipt = erase(ANN).expect(200).await.json;
    assert!(receipt["proof"].is_object());
    assert_eq!(erase(ANN).expect(200).await.json, receipt);
    let other = erase("bob@example.com").expect(422).await;
    assert_eq!(other.code(), "idempotency_key_reused");
    // What was answered about Ann went with her; the receipt is about nobody.
    let kept = "SELECT COUNT(*), COUNT(subject_index) FROM idempotency_keys";
    assert_eq!(rows(&app, kept).await, ["1", "0"]);
}

async fn an_export_tells_all_and_then_nothing(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    ann(&app, &key).await;
    let answer = export(&app, &key, ANN).expect(200).await;
    let document = &answer.json;
    assert_eq!(document["customer"]["email"], ANN);
    assert_eq!(document["customer"]["phone"], NUMBER);
    assert!(document["evidence"].to_string().contains("AnnsBrowser"));
    assert_eq!(document["orders"].as_array().unwrap().len(), 2);
    let told = document["orders"].to_string();
    assert!(told.contains("seen in the store"));
    assert_eq!(document["age_decisions"][0]["passed"], true);
    assert!(document["age_decisions"][0]["claim"].is_string());
    assert!(!document["sent"].as_array().unwrap().is_empty());
    // Only the operator may ask.
    let shop = app.key("default", "customers:read customers:write").await;
    for path in [ERASE, EXPORT, HOLD] {
        let asked = json!({"email": ANN, "hold": false});
        app.post(path).key(&shop).json(&asked).expect(403).await;
        app.post(path).key(&key).json(&json!({})).expect(400).await;
    }
}

async fn the_number_of_several_erases_nobody(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    for email in [ANN, "bob@example.com"] {
        let change = json!({"email": email, "phone": NUMBER, "verification_type": "veriff",
            "status": true});
        update(&app, &key, &change).expect(200).await;
    }
    let by_phone = || app.post(ERASE).key(&key).json(&json!({ "phone": NUMBER }));
    assert_eq!(by_phone().expect(409).await.code(), "conflict");
    erase(&app, &key, "bob@example.com").expect(200).await;
    by_phone().expect(200).await;
    assert_eq!(standing(&app, &key, ANN).await["customer_found"], false);
    by_phone().expect(404).await;
}

async fn a_restored_backup_forgets_again(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    ann(&app, &key).await;
    prove(&app, &key, "bob@example.com", "veriff", true).await;
    // As the list of a database says that went on after the backup.
    let keys = "SELECT data_key FROM customer_verification WHERE phone IS NOT NULL UNION ALL \
                SELECT data_key FROM age_customers";
    let keys = rows(&app, keys).await;
    let uuid = |text: &String| text.trim_start_matches("\\x").parse().unwrap();
    let listed = Erasure {
        id: "01990000-0000-7000-8000-000000000001".parse().unwrap(),
        company_id: "default".to_owned(),
        at: app.now(),
        keys: keys.iter().map(uuid).collect(),
    };
    let forget = async || {
        let command = app.command("customer.forget");
        forget_again(&app.app, &command, std::slice::from_ref(&listed)).await
    };
    let again = forget().await.unwrap();
    assert_eq!((again.taken_in, again.customers), (1, 1));
    assert_eq!(standing(&app, &key, ANN).await["customer_found"], false);
    assert_eq!(
        standing(&app, &key, "bob@example.com").await["customer_found"],
        true
    );
    export(&app, &key, ANN).expect(404).await;
    // Once more finds nothing, and whoever came again since is not on the list.
    prove(&app, &key, ANN, "veriff", true).await;
    let again = forget().await.unwrap();
    assert_eq!(
        (again.taken_in, again.customers, again.other_keys),
        (0, 0, 0)
    );
    assert_eq!(standing(&app, &key, ANN).await["customer_found"], true);
}

async fn the_list_is_written_down_once(app: TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("erasures.ndjson");
    let settings = Settings {
        erasure_list: Some(ErasureList::at(path.clone())),
        ..Settings::default()
    };
    let other = app.another(settings).await;
    let key = app.key("default", SCOPES).await;
    for email in [ANN, "bob@example.com", "eve@example.com"] {
        prove(&app, &key, email, "veriff", true).await;
    }
    // One that nobody wrote down, one that does, and a line that a crash cut off.
    erase(&app, &key, ANN).expect(200).await;
    other.app.directory.refresh().await.unwrap();
    erase(&other, &key, "bob@example.com").expect(200).await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(parse(&text).unwrap().len(), 2);
    std::fs::write(&path, format!("{text}{}", "{\"erasure_id\":\"01")).unwrap();
    let third = erase(&other, &key, "eve@example.com").expect(200).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let listed = parse(&text).unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(third.json["erasure_id"], listed[2].id.to_string());
    assert!(!text.contains("example.com"));
}

async fn a_thousand_pieces_are_erased_in_a_second(app: TestApp) {
    let key = app
        .key_with("default", SCOPES, "customers=100000/1m", None)
        .await;
    for _ in 0..10 {
        let change = json!({"email": ANN, "verification_type": "veriff", "status": true});
        let changes = (0..100).map(|_| update(&app, &key, &change).expect(200));
        join_all(changes).await;
    }
    let began = Instant::now();
    let receipt: Answer = erase(&app, &key, ANN).expect(200).await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(receipt.json["erased"]["evidence"], 1_000);
}

async fn a_change_and_an_erasure_at_once_leave_one_person_or_none(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    let other = app.another(Settings::default()).await;
    for _ in 0..10 {
        prove(&app, &key, ANN, "membership", true).await;
        let change = json!({"email": ANN, "verification_type": "veriff", "status": true});
        let changed = update(&other, &key, &change).expect(200);
        let (_, _) = tokio::join!(changed, erase(&app, &key, ANN).expect(200));
        let standing = standing(&app, &key, ANN).await;
        assert_eq!(
            standing["membership_signed"], false,
            "nothing of before is left"
        );
        // Every row has its key, and every key of a person its row.
        let people = rows(&app, "SELECT data_key FROM customer_verification").await;
        let keys = "SELECT id FROM data_keys WHERE purpose = 'person'";
        assert_eq!(rows(&app, keys).await, people);
        let evidence = rows(&app, "SELECT DISTINCT data_key FROM evidence").await;
        assert_eq!(evidence, people);
        if !people.is_empty() {
            erase(&app, &key, ANN).expect(200).await;
        }
    }
}

async fn the_address_of_a_visitor_goes_with_the_customer(app: TestApp) {
    app.leaves_deliveries();
    let (key, page) = orders::page::ordered(&app).await;
    orders::placed(&app, &key, "1002", ANN).await;
    let [_, stop] = orders::page::links(&app).await;
    let admin = app.key("default", SCOPES).await;
    let session = numbers::open(&app, &admin, "request-77").await;
    let visits = [
        app.get(&page).expect(200).await,
        app.post(&stop).expect(200).await,
        numbers::submit(&app, &session, NUMBER).expect(200).await,
    ];
    let customer = "SELECT data_key FROM customer_verification";
    let number = "SELECT data_key FROM verification_sessions";
    for (visit, owner) in visits.iter().zip([customer, customer, number]) {
        let sealed = format!(
            "SELECT data_key FROM audit_records WHERE request_id = '{}'",
            visit.request_id()
        );
        assert_eq!(rows(&app, &sealed).await, rows(&app, owner).await);
    }
}

async fn the_phone_of_a_customer_leads_to_its_verifications(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    ann(&app, &key).await;
    let document = export(&app, &key, ANN).expect(200).await.json;
    let number = &document["number_verifications"][0];
    assert_eq!(number["mobile_number"], NUMBER);
    assert_eq!(number["request_id"], "request-77");
    let told: BTreeSet<_> = document["audit_records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["action"].as_str().unwrap())
        .collect();
    let expected = [
        "age.verify",
        "customer.update",
        "number.initiate",
        "order.place",
        "order.release",
    ];
    assert_eq!(told, BTreeSet::from(expected));
    // The shop asked, not she.
    for record in document["audit_records"].as_array().unwrap() {
        assert_eq!(record["ip_address"], Value::Null);
    }
}

async fn what_was_claimed_in_vain_goes_with_whom_it_was_claimed_for(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    prove(&app, &key, ANN, "membership", true).await;
    // Named with her address, and known by it, as on her page.
    let mut named = ages::adult_with("shop-77", "dateOfBirth", "2010-06-15");
    named["email"] = ANN.into();
    let known = ages::adult_with(ANN, "dateOfBirth", "2011-06-15");
    for claim in [named, known] {
        ages::verify(&app, &key, &claim).expect(400).await;
    }
    ages::refuse(&app, &key, "somebody-else").await;
    let told = export(&app, &key, ANN).expect(200).await.json;
    let claims = told["age_decisions"].to_string();
    assert!(claims.contains("2010-06-15") && claims.contains("2011-06-15"));
    assert_eq!(told["age_decisions"].as_array().unwrap().len(), 2);

    let erased = erase(&app, &key, ANN).expect(200).await.json;
    assert_eq!(erased["erased"]["age_customers"], 2);
    let left = "SELECT k.id FROM data_keys k JOIN age_decisions d ON d.data_key = k.id";
    assert_eq!(rows(&app, left).await.len(), 1, "somebody else's alone");
    // Who was refused under her address may try again, as somebody new.
    ages::refuse(&app, &key, ANN).await;
}

async fn an_answer_that_is_kept_goes_with_whom_it_is_about(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    let mut claim = ages::adult("shop-77");
    claim["email"] = ANN.into();
    let asked = || ages::verify(&app, &key, &claim).header("idempotency-key", "age-1");
    let first = asked().expect(200).await.json;
    assert_eq!(asked().expect(200).await.json, first);
    let session = numbers::open(&app, &key, "request-77").await;
    numbers::submit_as(&app, &key, &session, NUMBER)
        .header("idempotency-key", "number-1")
        .expect(200)
        .await;
    let both = app.post(ERASE).key(&key);
    let erased = both.json(&json!({"email": ANN, "phone": NUMBER}));
    erased.expect(200).await;
    let answers = "SELECT status FROM idempotency_keys WHERE answer IS NOT NULL";
    assert!(rows(&app, answers).await.is_empty());
    let again = asked().expect(200).await.json;
    assert_ne!(again["verificationId"], first["verificationId"]);
    app.leaves_deliveries();
}

async fn the_number_of_a_held_customer_is_not_erased_with_another(app: TestApp) {
    let key = app.key("default", SCOPES).await;
    for email in [ANN, "bob@example.com"] {
        let change = json!({"email": email, "phone": NUMBER, "verification_type": "veriff",
            "status": true});
        update(&app, &key, &change).expect(200).await;
    }
    numbers::open(&app, &key, "request-77").await;
    let held = json!({"email": ANN, "hold": true, "reason": "case of Ann"});
    app.post(HOLD).key(&key).json(&held).expect(200).await;
    let nobody = json!({"email": "nobody@example.com", "phone": NUMBER});
    app.post(ERASE).key(&key).json(&nobody).expect(404).await;
    let receipt = erase(&app, &key, "bob@example.com").expect(200).await.json;
    assert_eq!(receipt["erased"]["number_sessions"], 0);
    let told = export(&app, &key, ANN).expect(200).await.json;
    assert_eq!(told["number_verifications"][0]["request_id"], "request-77");
    let over = json!({"email": ANN, "hold": false});
    app.post(HOLD).key(&key).json(&over).expect(200).await;
    let receipt = erase(&app, &key, ANN).expect(200).await.json;
    assert_eq!(receipt["erased"]["number_sessions"], 1);
}
