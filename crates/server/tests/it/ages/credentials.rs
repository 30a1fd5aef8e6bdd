//! Who may do what.

use serde_json::{Value, json};

use super::{STATISTICS, STATUS, VERIFY, adult, pass, statistics, status, verify, wire};
use crate::harness::{Call, JWT_SECRET, TestApp, flows};
use crate::tokens::signing::hs256;

flows!(
    each_path_needs_its_scope,
    a_token_without_scopes_verifies_and_looks_up,
    administrators_may_count,
    strangers_are_refused_in_the_surfaces_words,
    no_limit_of_customers_applies,
);

fn token(app: &TestApp, more: &Value) -> String {
    let mut claims = json!({"sub": "shop", "exp": app.now().as_second() + 600});
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    hs256(JWT_SECRET, &claims)
}

/// One request to each path, with this bearer credential.
fn calls(app: &TestApp, bearer: &str) -> [(Call, &'static str); 4] {
    let with = |call: Call| call.header("authorization", &format!("Bearer {bearer}"));
    let claim = adult("customer-81");
    [
        (with(app.post(VERIFY)).json(&claim), "ages:write"),
        (with(app.post(super::RESUBMIT)).json(&claim), "ages:write"),
        (with(app.get(&format!("{STATUS}/customer-81"))), "ages:read"),
        (with(app.get(STATISTICS)), "statistics:read"),
    ]
}

async fn each_path_needs_its_scope(app: TestApp) {
    pass(&app, &app.key("default", "ages:write").await, "customer-81").await;
    for allowed in [
        "ages:write",
        "ages:read",
        "statistics:read",
        "customers:write",
    ] {
        let credentials = [
            app.key("default", allowed).await,
            token(&app, &json!({"scope": allowed})),
        ];
        for bearer in credentials {
            for (call, needed) in calls(&app, &bearer) {
                if needed == allowed {
                    call.expect(200).await;
                    continue;
                }
                let answer = call.expect(403).await;
                assert_eq!(answer.code(), "forbidden");
                assert!(answer.text().contains(&format!("the scope {needed}.")));
                let challenge = answer.header("www-authenticate");
                assert!(
                    challenge.contains(&format!("scope=\"{needed}\"")),
                    "{challenge}"
                );
            }
        }
    }
}

async fn a_token_without_scopes_verifies_and_looks_up(app: TestApp) {
    for plain in [json!({}), json!({"scope": ""}), json!({"role": "guest"})] {
        let bearer = token(&app, &plain);
        for (call, needed) in calls(&app, &bearer) {
            if needed != "statistics:read" {
                call.expect(200).await;
                continue;
            }
            let answer = call.expect(403).await;
            assert!(answer.text().contains("the scope statistics:read."));
            if plain == json!({}) {
                insta::assert_snapshot!("no_statistics", wire(&answer));
            }
        }
    }
}

async fn administrators_may_count(app: TestApp) {
    let admin = token(&app, &json!({"role": "admin"}));
    for bearer in [admin, app.key("default", "admin").await] {
        for (call, _) in calls(&app, &bearer) {
            call.expect(200).await;
        }
    }
}

async fn strangers_are_refused_in_the_surfaces_words(app: TestApp) {
    let answer = app
        .post(VERIFY)
        .json(&adult("customer-81"))
        .expect(401)
        .await;
    insta::assert_snapshot!("stranger", wire(&answer));
    let expired = token(&app, &json!({"exp": app.now().as_second() - 61}));
    for bearer in ["bf_bad", "x.y.z", &expired] {
        for (call, _) in calls(&app, bearer) {
            let answer = call.expect(401).await;
            assert_eq!(
                (answer.code(), &answer.json["success"]),
                ("unauthenticated", &json!(false))
            );
            assert!(
                answer
                    .header("www-authenticate")
                    .starts_with("Bearer realm=")
            );
        }
    }
    // Who may come in at all is asked before what they bring.
    app.post(VERIFY).body("text/plain", "{").expect(401).await;
}

async fn no_limit_of_customers_applies(app: TestApp) {
    let scopes = "ages:read ages:write statistics:read";
    let key = app
        .key_with("default", scopes, "customers=1/1m", None)
        .await;
    for _ in 0..3 {
        let answer = verify(&app, &key, &adult("customer-81")).expect(200).await;
        assert!(!answer.headers.contains_key("ratelimit"));
        status(&app, &key, "customer-81").expect(200).await;
        statistics(&app, &key, "").expect(200).await;
    }
}
