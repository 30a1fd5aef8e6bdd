//! Every secret is replaced while requests are answered, and none of them fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use app::companies::CompanyChange;
use app::rewrap;
use bonafide::tokens::{Expected, Tokens};
use domain::webhook::WebhookSecret;
use futures_util::future::join_all;
use serde_json::json;

use crate::customers::{BOTH, CHECK, check, prove, standing};
use crate::harness::{JWT_SECRET, Receivers, Settings, TestApp, flows, key_id};
use crate::tokens::{claims, signing::hs256};

flows!(
    every_secret_is_replaced_under_load,
    what_was_interrupted_goes_on,
    a_key_that_does_not_open_is_left_as_it_is,
    tokens_of_the_previous_secret_stay_good,
);

const OLD: (&str, [u8; 32]) = ("k1", [0x42; 32]);
const NEW: (&str, [u8; 32]) = ("k2", [0x43; 32]);
const NEW_JWT_SECRET: &[u8] = b"another secret for the tokens of tests, long enough";

/// An instance with these master keys, the newest first.
async fn with_keys(app: &TestApp, keys: &[(&'static str, [u8; 32])]) -> TestApp {
    let settings = Settings {
        master_keys: keys.to_vec(),
        tokens: tokens_in_change(),
        ..Settings::default().customers("off")
    };
    app.another(settings).await
}

/// The new secret signs, and the one before is accepted.
fn tokens_in_change() -> Arc<Tokens> {
    let tokens = Tokens::new(NEW_JWT_SECRET, None, Expected::default());
    Arc::new(tokens.with_previous(JWT_SECRET))
}

/// So many customers, each with a key of its own.
async fn customers(app: &TestApp, key: &str, count: usize) {
    for wave in (0..count).step_by(50) {
        let proven = (wave..count.min(wave + 50)).map(|at| async move {
            prove(app, key, &format!("a{at}@example.com"), "veriff", true).await
        });
        join_all(proven).await;
    }
}

async fn rewrapped(app: &TestApp) -> rewrap::Outcome {
    let command = app.command("seal.rotate");
    rewrap::run(&app.app, &command, |_, _| {}).await.unwrap()
}

async fn every_secret_is_replaced_under_load(app: TestApp) {
    let old = with_keys(&app, &[OLD]).await;
    let key = &old.key("default", BOTH).await;
    let receivers = Receivers::new();
    let url = "https://shop.example.com/hook";
    let first_secret = old.webhook("default", url).await;
    customers(&old, key, 450).await;
    // First every instance learns to open what is wrapped with the new key, then one wraps with it.
    let opens = &with_keys(&app, &[OLD, NEW]).await;
    let wraps = &with_keys(&app, &[NEW, OLD]).await;
    let token = &hs256(JWT_SECRET, &claims(&app));
    let done = &AtomicBool::new(false);
    let load = async {
        let mut round = 0;
        while !done.load(Ordering::SeqCst) || round < 5 {
            let requests = (0..10).map(|at| async move {
                let email = format!("a{}@example.com", (round * 7 + at * 41) % 450);
                assert_eq!(standing(opens, key, &email).await["veriff_approved"], true);
                prove(wraps, key, &email, "membership", round % 2 == 0).await;
                prove(wraps, key, &format!("new{at}@example.com"), "veriff", true).await;
                let asked = wraps
                    .post(CHECK)
                    .header("authorization", &format!("Bearer {token}"));
                asked.json(&json!({"email": email})).expect(200).await;
            });
            join_all(requests).await;
            round += 1;
        }
    };
    let replace = async {
        let outcome = rewrapped(wraps).await;
        assert!(outcome.rewrapped > 450, "{outcome:?}");
        assert_eq!(outcome.unopened, 0);
        crate::audit::grown::rotate(wraps).await;
        let next = wraps.rotate(key, Duration::from_secs(3_600)).await;
        check(wraps, &next, &json!({"email": "a1@example.com"}))
            .expect(200)
            .await;
        done.store(true, Ordering::SeqCst);
        next
    };
    let ((), next) = tokio::join!(load, replace);
    let again = rewrapped(wraps).await;
    assert_eq!((again.rewrapped, again.in_use), (0, vec!["k2".to_owned()]));

    app.advance(Duration::from_secs(1));
    let change = CompanyChange {
        rotate_secret: Some(Duration::from_secs(3_600)),
        ..CompanyChange::default()
    };
    let second_secret = wraps.change_company("default", change).await.webhook_secret;
    let second_secret = WebhookSecret::parse(&second_secret.unwrap()).unwrap();
    let only = with_keys(&app, &[NEW]).await;
    for at in 0..450 {
        let known = standing(&only, &next, &format!("a{at}@example.com")).await;
        assert_eq!(known["veriff_approved"], true, "{at}");
    }
    let order = json!({"order_id": "1001", "email": "a7@example.com"});
    let orders = only.key("default", "orders:write").await;
    only.post("/api/v1/orders")
        .key(&orders)
        .json(&order)
        .expect(201)
        .await;
    only.deliver(&receivers).await;
    let heard = receivers.take();
    assert!(!heard.is_empty());
    assert!(
        heard
            .iter()
            .all(|one| one.is_signed_with(&[second_secret.clone(), first_secret.clone()]))
    );
    only.leaves_deliveries();
    only.chores().await;
    only.revoke(key).await;
    assert_ne!(key_id(key), key_id(&next));
    only.assert_audit_is_clean().await;
}

async fn what_was_interrupted_goes_on(app: TestApp) {
    let old = with_keys(&app, &[OLD]).await;
    let key = &old.key("default", BOTH).await;
    customers(&old, key, 450).await;
    let wraps = with_keys(&app, &[NEW, OLD]).await;
    let command = wraps.command("seal.rotate");
    let (told, heard) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let interrupted = rewrap::run(&wraps.app, &command, |done, all| {
        if let Some(told) = told.take() {
            told.send((done, all)).unwrap();
        }
    });
    let (done, all) = tokio::select! {
        biased;
        heard = heard => heard.unwrap(),
        _ = interrupted => panic!("it was not interrupted"),
    };
    assert!(done < all, "{done} of {all}");
    let outcome = rewrapped(&wraps).await;
    assert!(
        outcome.rewrapped > 0 && outcome.rewrapped <= all - done,
        "{outcome:?}"
    );
    assert_eq!(outcome.in_use, ["k2"]);
    let only = with_keys(&app, &[NEW]).await;
    for at in 0..450 {
        let known = standing(&only, key, &format!("a{at}@example.com")).await;
        assert_eq!(known["veriff_approved"], true, "{at}");
    }
    let recorded = app.records().await;
    let recorded = recorded
        .iter()
        .filter(|located| located.record.action == "seal.rotate");
    assert!(recorded.count() >= 3);
}

async fn a_key_that_does_not_open_is_left_as_it_is(app: TestApp) {
    const LOST: (&str, [u8; 32]) = ("k0", [0x41; 32]);
    let lost = with_keys(&app, &[LOST, OLD]).await;
    let key = &lost.key("default", BOTH).await;
    customers(&lost, key, 3).await;
    let wraps = with_keys(&app, &[NEW, OLD]).await;
    let outcome = rewrapped(&wraps).await;
    assert!(outcome.unopened >= 3, "{outcome:?}");
    assert!(outcome.in_use.contains(&"k0".to_owned()));
    // With the key at hand again it is made good.
    let found = with_keys(&app, &[NEW, OLD, LOST]).await;
    let again = rewrapped(&found).await;
    assert_eq!((again.unopened, again.rewrapped), (0, outcome.unopened));
    assert_eq!(again.in_use, ["k2"]);
}

async fn tokens_of_the_previous_secret_stay_good(app: TestApp) {
    let changed = with_keys(&app, &[OLD]).await;
    let ask = |secret: &[u8]| {
        let token = hs256(secret, &claims(&app));
        let call = changed
            .post(CHECK)
            .header("authorization", &format!("Bearer {token}"));
        call.json(&json!({"email": "ann@example.com"}))
    };
    ask(JWT_SECRET).expect(200).await;
    ask(NEW_JWT_SECRET).expect(200).await;
    ask(b"a third secret that nobody has ever set, long enough")
        .expect(401)
        .await;
    let tokens = tokens_in_change();
    let own = Tokens::new(NEW_JWT_SECRET, None, Expected::default());
    let key = changed.key("default", BOTH).await;
    let answer = changed
        .post("/api/v1/auth/token")
        .body(
            "application/x-www-form-urlencoded",
            format!(
                "grant_type=client_credentials&client_id={}&client_secret={key}",
                key_id(&key)
            ),
        )
        .expect(200)
        .await;
    let signed = answer.json["access_token"].as_str().unwrap();
    for tokens in [&*tokens, &own] {
        assert!(
            tokens.verify(signed, app.now()).await.unwrap().is_ok(),
            "the new secret signs"
        );
    }
}
