//! Companies in the console: added, changed, given a new secret, switched off and on, and their keys.

use app::companies as use_cases;

use super::{Admin, named, record};
use crate::customers::check;
use crate::harness::{Answer, TestApp, flows, key_id};
use serde_json::json;

flows!(
    a_company_is_added_and_its_secret_shown_once,
    what_cannot_be_a_company_is_not_added,
    settings_are_changed,
    wrong_settings_change_nothing,
    a_secret_is_replaced_with_a_grace,
    a_company_is_switched_off_and_on_but_never_ones_own,
    keys_of_another_company_are_made_and_revoked,
    companies_are_paged,
);

/// The secret that a page shows, if it shows one.
fn secret(page: &Answer) -> Option<String> {
    let text = page.text();
    let (_, rest) = text.split_once("<code>whsec_")?;
    Some(format!("whsec_{}", rest.split('<').next().unwrap()))
}

async fn a_company_is_added_and_its_secret_shown_once(app: TestApp) {
    let office = app.key("default", "admin").await;
    let admin = Admin::with(&app, &office).await;
    let fields = [
        ("id", "acme"),
        ("name", "Acme <1>"),
        ("webhook_url", "https://acme.example/hooks"),
    ];
    let answer = admin.send("/console/companies", &fields).expect(200).await;
    let made = secret(&answer).unwrap();
    let told = record(&app, &answer).await;
    let expected = ("console.company.create".into(), "ok".into(), named(&office));
    assert_eq!(told, expected);
    let page = admin.get("/console/companies/acme").expect(200).await;
    let text = page.text();
    assert!(
        text.contains("Acme &lt;1&gt;") && text.contains("https:&#x2f;&#x2f;acme.example"),
        "{text}"
    );
    assert!(!text.contains(&made), "never again");
    let list = admin.get("/console/companies").expect(200).await.text();
    assert!(list.contains("Acme &lt;1&gt;") && list.contains("console/companies/default"));
    admin.get("/console/companies/none").expect(404).await;
    admin.get("/console/companies/No!").expect(404).await;
}

async fn what_cannot_be_a_company_is_not_added(app: TestApp) {
    let admin = Admin::new(&app).await;
    for (fields, status) in [
        (vec![("id", "Acme"), ("name", "Acme")], 400),
        (vec![("id", "acme"), ("name", "")], 400),
        (
            vec![("id", "acme"), ("name", "Acme"), ("webhook_url", "ftp://x")],
            400,
        ),
        (vec![("id", "default"), ("name", "Acme")], 409),
    ] {
        let answer = admin.send("/console/companies", &fields);
        let text = answer.expect(status).await.text();
        assert!(text.contains("role=\"alert\""), "{text}");
    }
    assert_eq!(use_cases::list(&app.app).await.unwrap().len(), 1);
}

async fn settings_are_changed(app: TestApp) {
    app.company("acme").await;
    let admin = Admin::new(&app).await;
    let fields = [
        ("name", "Acme Ltd"),
        ("webhook_url", "https://acme.example/new"),
        ("app_link", "acme://verify"),
    ];
    let form = "/console/companies/acme/change";
    let answer = admin.send(form, &fields).expect(303).await;
    assert_eq!(record(&app, &answer).await.0, "console.company.change");
    let company = use_cases::get(&app.app, "acme").await.unwrap();
    assert_eq!(company.name, "Acme Ltd");
    assert_eq!(
        company.webhook_url.as_deref(),
        Some("https://acme.example/new")
    );
    assert_eq!(company.app_link.as_deref(), Some("acme://verify"));
    admin.send(form, &[("name", "Acme Ltd")]).expect(303).await;
    let company = use_cases::get(&app.app, "acme").await.unwrap();
    assert_eq!((company.webhook_url, company.app_link), (None, None));
    let unknown = "/console/companies/none/change";
    admin.send(unknown, &[("name", "x")]).expect(404).await;
}

async fn wrong_settings_change_nothing(app: TestApp) {
    app.company("acme").await;
    let admin = Admin::new(&app).await;
    let before = use_cases::get(&app.app, "acme").await.unwrap();
    for fields in [
        vec![("name", "")],
        vec![("name", "Kept typing"), ("webhook_url", "not an address")],
        vec![
            ("name", "Kept typing"),
            ("app_link", "https://acme.example"),
        ],
    ] {
        let answer = admin.send("/console/companies/acme/change", &fields);
        let text = answer.expect(400).await.text();
        assert!(text.contains("role=\"alert\""), "{text}");
        let is_kept = fields[0].1.is_empty() || text.contains("value=\"Kept typing\"");
        assert!(is_kept, "what was typed stands there again: {text}");
    }
    assert_eq!(use_cases::get(&app.app, "acme").await.unwrap(), before);
}

async fn a_secret_is_replaced_with_a_grace(app: TestApp) {
    app.company("acme").await;
    let admin = Admin::new(&app).await;
    let form = "/console/companies/acme/secret";
    let answer = admin.send(form, &[("grace", "24")]).expect(200).await;
    let made = secret(&answer).unwrap();
    assert!(answer.text().contains("for 24 hours"), "{}", answer.text());
    assert_eq!(record(&app, &answer).await.0, "console.company.secret");
    let answer = admin.send(form, &[("grace", "0")]).expect(200).await;
    assert_ne!(secret(&answer).unwrap(), made);
    assert!(answer.text().contains("signs no more"));
    for grace in ["", "5", "x"] {
        admin.send(form, &[("grace", grace)]).expect(400).await;
    }
}

async fn a_company_is_switched_off_and_on_but_never_ones_own(app: TestApp) {
    app.company("acme").await;
    let theirs = app.key("acme", "customers:read").await;
    let admin = Admin::new(&app).await;
    let question = json!({"email": "ann@example.com"});
    let off = admin.send("/console/companies/acme/off", &[]);
    let answer = off.expect(303).await;
    assert_eq!(record(&app, &answer).await.0, "console.company.off");
    check(&app, &theirs, &question).expect(401).await;
    let page = admin.get("/console/companies/acme").expect(200).await;
    assert!(page.text().contains("Switch it on"));
    let on = admin.send("/console/companies/acme/on", &[]);
    on.expect(303).await;
    check(&app, &theirs, &question).expect(200).await;
    let own = admin.send("/console/companies/default/off", &[]);
    own.expect(409).await;
    let page = admin.get("/console/companies/default").expect(200).await;
    assert!(!page.text().contains("Switch it off"));
}

async fn keys_of_another_company_are_made_and_revoked(app: TestApp) {
    app.company("acme").await;
    let admin = Admin::new(&app).await;
    let fields = [
        ("company", "acme"),
        ("name", "checkout"),
        ("scope customers:read", "on"),
    ];
    let page = admin.send("/console/keys", &fields).expect(200).await;
    let text = page.text();
    let (_, rest) = text.split_once("<code>bf_").unwrap();
    let key = format!("bf_{}", rest.split('<').next().unwrap());
    let question = json!({"email": "ann@example.com"});
    check(&app, &key, &question).expect(200).await;
    let own = admin.get("/console/keys").expect(200).await.text();
    assert!(!own.contains(key_id(&key)));
    let list = admin.get("/console/keys?company=acme").expect(200).await;
    let records = app.records_of(list.request_id()).await;
    assert_eq!(records[0].record.detail.as_deref(), Some("company=acme"));
    assert!(list.text().contains(key_id(&key)), "{}", list.text());
    let revoke = format!("/console/keys/{}/revoke", key_id(&key));
    admin.send(&revoke, &[]).expect(404).await;
    let answer = admin.send(&revoke, &[("company", "acme")]);
    answer.expect(303).await;
    check(&app, &key, &question).expect(401).await;
    admin.get("/console/keys?company=none").expect(404).await;
}

async fn companies_are_paged(app: TestApp) {
    for number in 0..51 {
        app.company(&format!("shop-{number:02}")).await;
    }
    let admin = Admin::new(&app).await;
    let first = admin.get("/console/companies").expect(200).await.text();
    let rows = |text: &str| text.matches("<th scope=\"row\">").count();
    assert_eq!(rows(&first), 50);
    let (_, rest) = first.split_once("companies?cursor=").unwrap();
    let cursor = rest.split('"').next().unwrap();
    let next = format!("/console/companies?cursor={cursor}");
    let second = admin.get(&next).expect(200).await.text();
    assert_eq!(rows(&second), 2, "{second}");
}
