//! Tokens signed with `JWT_SECRET`: which are accepted, and what they allow.

use std::sync::Arc;
use std::time::Duration;

use app::companies::CompanyChange;
use bonafide::tokens::{Expected, Tokens};
use serde_json::{Value, json};

use super::signing::{compact, hmac256, hs256};
use super::{ask, claims, claims_with, expect, refusal};
use crate::harness::{JWT_SECRET, Settings, TestApp, flows};

flows!(
    a_token_speaks_for_its_company,
    forgeries_are_refused,
    scopes_decide,
    times_have_a_minute_of_leeway,
    what_is_required_is_required,
    issuer_and_audience_are_checked_when_set,
    two_credentials_are_one_too_many,
);

fn own(claims: &Value) -> String {
    hs256(JWT_SECRET, claims)
}

async fn a_token_speaks_for_its_company(app: TestApp) {
    let answer = expect(&app, &own(&claims(&app)), 200).await;
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(&*records[0].record.company, "default");
    let credential = &records[0].record.credential;
    assert!(credential.starts_with("token:") && !credential.contains("ann"));

    let acme = own(&claims_with(&app, json!({"company": "acme"})));
    assert_eq!(refusal(&app, &acme).await, "inactive company");
    app.company("acme").await;
    expect(&app, &acme, 200).await;
    let off = CompanyChange {
        is_active: Some(false),
        ..CompanyChange::default()
    };
    app.change_company("acme", off).await;
    assert_eq!(refusal(&app, &acme).await, "inactive company");
}

async fn forgeries_are_refused(app: TestApp) {
    let good = claims(&app);
    let headed = |header: Value| compact(&header, &good, |message| hmac256(JWT_SECRET, message));
    let unsigned = |algorithm: &str| compact(&json!({"alg": algorithm}), &good, |_| Vec::new());
    let token = own(&good);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let swapped = own(&claims_with(&app, json!({"scope": "admin"})));
    let payload = swapped.split('.').nth(1).unwrap();
    for forged in [
        unsigned("none"),
        unsigned("None"),
        unsigned("HS256"),
        hs256(b"another secret that has at least 32 bytes", &good),
        headed(json!({"alg": "HS384"})),
        headed(json!({"alg": "HS512"})),
        headed(json!({"alg": "RS256"})),
        headed(json!({"alg": "none"})),
        headed(json!({"alg": "HS256", "crit": ["exp"]})),
        headed(json!({"typ": "JWT"})),
        format!("{header}.{payload}.{signature}"),
        format!("{signed}."),
        signed.to_owned(),
        format!("{token}.{signature}"),
        format!("{token}{}", "A".repeat(9000)),
        "nonsense".to_owned(),
        "..".to_owned(),
    ] {
        let reason = refusal(&app, &forged).await;
        assert!(
            ["bad token", "malformed credential"].contains(&reason.as_str()),
            "{reason}"
        );
    }
}

async fn scopes_decide(app: TestApp) {
    let without = own(&claims_with(&app, json!({"scope": null})));
    assert_eq!(expect(&app, &without, 403).await.code(), "forbidden");
    let other = own(&claims_with(
        &app,
        json!({"scope": "customers:write foreign"}),
    ));
    let refused = expect(&app, &other, 403).await;
    assert!(refused.text().contains("customers:read"));
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer realm=\"bonafide\", error=\"insufficient_scope\", scope=\"customers:read\""
    );
    let several = own(&claims_with(
        &app,
        json!({"scope": "orders:read customers:read"}),
    ));
    expect(&app, &several, 200).await;
    let admin = own(&claims_with(&app, json!({"scope": null, "role": "admin"})));
    expect(&app, &admin, 200).await;
    let guest = own(&claims_with(&app, json!({"scope": null, "role": "guest"})));
    expect(&app, &guest, 403).await;
}

async fn times_have_a_minute_of_leeway(app: TestApp) {
    let now = app.now().as_second();
    for (changes, refused_as) in [
        (json!({"exp": now - 59}), None),
        (json!({"exp": now - 60}), Some("expired token")),
        (json!({"exp": now as f64 - 59.5}), None),
        (json!({"nbf": now + 60}), None),
        (json!({"nbf": now + 61}), Some("bad token")),
        (json!({"nbf": now as f64 + 60.5}), Some("bad token")),
        (json!({"iat": now + 9999}), None),
    ] {
        let token = own(&claims_with(&app, changes.clone()));
        match refused_as {
            None => drop(expect(&app, &token, 200).await),
            Some(reason) => assert_eq!(refusal(&app, &token).await, reason, "{changes}"),
        }
    }
    let token = own(&claims(&app));
    app.advance(Duration::from_secs(3600 + 59));
    expect(&app, &token, 200).await;
    app.advance(Duration::from_secs(1));
    assert_eq!(refusal(&app, &token).await, "expired token");
}

async fn what_is_required_is_required(app: TestApp) {
    for changes in [
        json!({"exp": null}),
        json!({"exp": "tomorrow"}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"nbf": "yesterday"}),
        json!({"scope": ["customers:read"]}),
        json!({"company": 7}),
        json!({"key": "not-a-key"}),
    ] {
        let token = own(&claims_with(&app, changes.clone()));
        assert_eq!(refusal(&app, &token).await, "bad token", "{changes}");
    }
    // Of a key that does not exist, nothing can be made.
    let token = own(&claims_with(&app, json!({"key": "abcdefghij23"})));
    assert_eq!(refusal(&app, &token).await, "unknown key");
}

async fn issuer_and_audience_are_checked_when_set(app: TestApp) {
    let expected = Expected {
        issuer: Some("https://id.example.com".to_owned()),
        audience: Some("bonafide".to_owned()),
    };
    let settings = Settings {
        tokens: Arc::new(Tokens::new(JWT_SECRET, None, expected)),
        ..Settings::default()
    };
    let strict = app.another(settings).await;
    let good = json!({"iss": "https://id.example.com", "aud": "bonafide"});
    let among = json!({"iss": "https://id.example.com", "aud": ["shop", "bonafide"]});
    for changes in [&good, &among] {
        let token = own(&claims_with(&app, changes.clone()));
        expect(&strict, &token, 200).await;
        expect(&app, &token, 200).await;
    }
    for changes in [
        json!({}),
        json!({"iss": "https://id.example.com"}),
        json!({"aud": "bonafide"}),
        json!({"iss": "https://id.example.com", "aud": "shop"}),
        json!({"iss": "https://id.example.com", "aud": []}),
        json!({"iss": "https://id.example.com.evil.example", "aud": "bonafide"}),
        json!({"iss": ["https://id.example.com"], "aud": "bonafide"}),
    ] {
        let token = own(&claims_with(&app, changes.clone()));
        assert_eq!(refusal(&strict, &token).await, "bad token", "{changes}");
    }
}

async fn two_credentials_are_one_too_many(app: TestApp) {
    let key = app.key("default", "customers:read").await;
    let call = |bearer: &str| {
        app.post("/api/v1/customer/check-verification")
            .key(&key)
            .header("authorization", &format!("Bearer {bearer}"))
            .json(&json!({"email": "ann@example.com"}))
    };
    call(&key).expect(200).await;
    let refused = call(&own(&claims(&app))).expect(401).await;
    let records = app.records_of(refused.request_id()).await;
    assert_eq!(
        records[0].record.detail.as_deref(),
        Some("two different credentials")
    );
    assert_eq!(ask(&app, &key).await.status, 200);
    // A token is no key.
    let as_key = app
        .post("/api/v1/customer/check-verification")
        .key(&own(&claims(&app)))
        .json(&json!({"email": "ann@example.com"}));
    as_key.expect(401).await;
}
