//! Tokens of an identity provider: its keys fetched, rotated and out of reach.

use std::sync::Arc;
use std::time::Duration;

use bonafide::tokens::{Expected, Jwks, Tokens};
use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::provider::{Provider, Reply, set};
use super::signing::{Identity, compact, hmac256, hs256};
use super::{claims, claims_with, expect, refusal};
use crate::harness::{Engine, JWT_SECRET, Settings, TestApp, run};

/// Tests of what no database has a part in.
macro_rules! on_sqlite {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() {
                super::run(super::Engine::Sqlite, concat!("jwks_", stringify!($name)), super::$name);
            })+
        }
    };
}

on_sqlite!(
    each_algorithm_is_accepted,
    a_key_checks_its_own_algorithm_alone,
    secrets_and_keys_for_other_uses_are_not_taken,
    a_token_may_leave_the_key_unnamed_when_there_is_one,
    a_new_key_is_fetched_and_a_withdrawn_one_forgotten,
    many_unknown_keys_are_one_fetch,
    a_provider_that_is_away_takes_no_key_from_us,
    redirects_are_not_followed,
    a_provider_that_never_answers_is_given_up,
    who_goes_away_ends_no_fetch_of_others,
    keys_come_without_being_asked_for,
);

/// Another instance, which trusts the provider too.
async fn trusting(app: &TestApp, provider: &Provider) -> (TestApp, Arc<Tokens>) {
    trusting_keys(app, Jwks::new(&provider.url).unwrap()).await
}

async fn trusting_keys(app: &TestApp, jwks: Jwks) -> (TestApp, Arc<Tokens>) {
    let tokens = Arc::new(Tokens::new(JWT_SECRET, Some(jwks), Expected::default()));
    let settings = Settings {
        tokens: tokens.clone(),
        ..Settings::default()
    };
    (app.another(settings).await, tokens)
}

async fn each_algorithm_is_accepted(app: TestApp) {
    let identities = [
        Identity::rs256("r"),
        Identity::es256("e"),
        Identity::eddsa("d"),
    ];
    let provider = Provider::publishing(&identities.each_ref()).await;
    let (trusting, _) = trusting(&app, &provider).await;
    for identity in &identities {
        let token = identity.token(&claims(&app));
        expect(&trusting, &token, 200).await;
        expect(&trusting, &token, 200).await;
        assert_eq!(refusal(&app, &token).await, "bad token");
        let expired = identity.token(&claims_with(&app, json!({"exp": 1})));
        assert_eq!(refusal(&trusting, &expired).await, "expired token");
        // Only our own signature names a key of ours.
        let keyed = identity.token(&claims_with(&app, json!({"key": "abcdefghij23"})));
        assert_eq!(refusal(&trusting, &keyed).await, "bad token");
    }
    assert_eq!(provider.fetches(), 1);
    // A token that was accepted once is not accepted for ever.
    let token = identities[0].token(&claims(&app));
    expect(&trusting, &token, 200).await;
    app.advance(Duration::from_secs(3660));
    assert_eq!(refusal(&trusting, &token).await, "expired token");
    expect(&trusting, &hs256(JWT_SECRET, &claims(&app)), 200).await;
}

async fn a_key_checks_its_own_algorithm_alone(app: TestApp) {
    let identities = [
        Identity::rs256("r"),
        Identity::es256("e"),
        Identity::eddsa("d"),
    ];
    let provider = Provider::publishing(&identities.each_ref()).await;
    let (trusting, _) = trusting(&app, &provider).await;
    let good = claims(&app);
    let mut forged = Vec::new();
    for identity in &identities {
        // A public key is no secret, in whatever form it is taken for one.
        for secret in [
            identity.public(),
            identity.public_der(),
            identity.jwk().to_string().into(),
        ] {
            for algorithm in ["HS256", identity.algorithm()] {
                let header = json!({"alg": algorithm, "kid": identity.kid});
                forged.push(compact(&header, &good, |message| hmac256(&secret, message)));
            }
        }
        for other in [
            "RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA", "none", "HS256",
        ] {
            if other != identity.algorithm() {
                let header = json!({"alg": other, "kid": identity.kid});
                forged.push(identity.token_headed(&header, &good));
            }
        }
        // A key that a token brings along is a key of the attacker's.
        let stranger = Identity::eddsa(&identity.kid);
        let header = json!({"alg": "EdDSA", "kid": identity.kid, "jwk": stranger.jwk()});
        forged.push(stranger.token_headed(&header, &good));
    }
    for token in forged {
        let reason = refusal(&trusting, &token).await;
        assert!(
            ["bad token", "malformed credential"].contains(&reason.as_str()),
            "{token}"
        );
    }
}

async fn secrets_and_keys_for_other_uses_are_not_taken(app: TestApp) {
    let secret = b"a secret that somebody has published by mistake";
    let identity = Identity::es256("e");
    let with = |name: &str, value: serde_json::Value| {
        let mut jwk = identity.jwk();
        jwk[name] = value;
        jwk
    };
    let shared =
        json!({"kty": "oct", "kid": "o", "alg": "HS256", "k": BASE64URL_NOPAD.encode(secret)});
    let provider = Provider::publishing(&[]).await;
    let good = claims(&app);
    let by_secret = compact(&json!({"alg": "HS256", "kid": "o"}), &good, |message| {
        hmac256(secret, message)
    });
    for (jwk, accepted) in [
        (shared, false),
        (with("use", json!("enc")), false),
        (with("alg", json!("ES384")), false),
        (with("crv", json!("P-384")), false),
        (with("key_ops", json!(["sign"])), false),
        (with("x", json!("AAAA")), false),
        (with("key_ops", json!(["verify"])), true),
        (with("alg", json!("ES256")), true),
    ] {
        // Keys that cannot be read leave those that can.
        let body = json!({"keys": [{"kty": "unheard-of"}, 7, jwk]}).to_string();
        provider.answer(Reply::Body(body.into_bytes()));
        let (trusting, _) = trusting(&app, &provider).await;
        refusal(&trusting, &by_secret).await;
        let status = if accepted { 200 } else { 401 };
        expect(&trusting, &identity.token(&good), status).await;
    }
}

async fn a_token_may_leave_the_key_unnamed_when_there_is_one(app: TestApp) {
    let (one, other) = (Identity::es256("1"), Identity::es256("2"));
    let provider = Provider::publishing(&[&one, &Identity::eddsa("3")]).await;
    let unnamed = one.token_headed(&json!({"alg": "ES256"}), &claims(&app));
    let (clear, _) = trusting(&app, &provider).await;
    expect(&clear, &unnamed, 200).await;
    provider.publish(&[&one, &other]);
    let (unclear, _) = trusting(&app, &provider).await;
    assert_eq!(refusal(&unclear, &unnamed).await, "bad token");
}

async fn a_new_key_is_fetched_and_a_withdrawn_one_forgotten(app: TestApp) {
    let (old, new) = (Identity::es256("old"), Identity::eddsa("new"));
    let provider = Provider::publishing(&[&old]).await;
    let (trusting, _) = trusting(&app, &provider).await;
    let (by_old, by_new) = (old.token(&claims(&app)), new.token(&claims(&app)));
    expect(&trusting, &by_old, 200).await;
    provider.publish(&[&new]);
    // Not so soon after the fetch before.
    assert_eq!(refusal(&trusting, &by_new).await, "bad token");
    expect(&trusting, &by_old, 200).await;
    assert_eq!(provider.fetches(), 1);
    app.advance(Duration::from_secs(10));
    expect(&trusting, &by_new, 200).await;
    assert_eq!(provider.fetches(), 2);
    // The token had been checked before; with the key went what was believed because of it.
    assert_eq!(refusal(&trusting, &by_old).await, "bad token");
}

async fn many_unknown_keys_are_one_fetch(app: TestApp) {
    let known = Identity::es256("known");
    let provider = Provider::publishing(&[&known]).await;
    let (trusting, _) = trusting(&app, &provider).await;
    let by_known = known.token(&claims(&app));
    let strangers: Vec<_> = (0..20)
        .map(|number| Identity::eddsa(&format!("stranger {number}")).token(&claims(&app)))
        .collect();
    let asked = strangers.iter().map(|token| super::ask(&trusting, token));
    let (refused, answered) = tokio::join!(
        futures_util::future::join_all(asked),
        futures_util::future::join_all((0..5).map(|_| super::ask(&trusting, &by_known))),
    );
    assert!(refused.iter().all(|answer| answer.status == 401));
    assert!(answered.iter().all(|answer| answer.status == 200));
    assert_eq!(provider.fetches(), 1);
}

async fn a_provider_that_is_away_takes_no_key_from_us(app: TestApp) {
    let (known, unknown) = (Identity::es256("known"), Identity::es256("unknown"));
    let provider = Provider::publishing(&[&known]).await;
    let (trusting, _) = trusting(&app, &provider).await;
    let (by_known, by_unknown) = (known.token(&claims(&app)), unknown.token(&claims(&app)));
    expect(&trusting, &by_known, 200).await;
    let mut endless = set(&[&known, &unknown]);
    endless.resize(256 * 1024 + 1, b' ');
    let replies = [
        Reply::Status(500),
        Reply::Status(204),
        Reply::Body(b"{\"keys\":".to_vec()),
        Reply::Body(b"[]".to_vec()),
        Reply::Body(endless),
    ];
    for (fetches, reply) in (2..).zip(replies) {
        provider.answer(reply);
        app.advance(Duration::from_secs(10));
        expect_unavailable(&trusting, &by_unknown).await;
        assert_eq!(provider.fetches(), fetches);
        expect(&trusting, &by_known, 200).await;
        // It is the key that is known whose signature this is not.
        let forged = Identity::es256("known").token(&claims(&app));
        assert_eq!(refusal(&trusting, &forged).await, "bad token");
    }
    provider.publish(&[&known]);
    app.advance(Duration::from_secs(10));
    assert_eq!(refusal(&trusting, &by_unknown).await, "bad token");
    provider.stop().await;
    app.advance(Duration::from_secs(10));
    expect_unavailable(&trusting, &by_unknown).await;
    expect(&trusting, &by_known, 200).await;
}

/// While nobody can say whether a token is good, it is not refused.
async fn expect_unavailable(app: &TestApp, bearer: &str) {
    let answer = expect(app, bearer, 503).await;
    assert_eq!(answer.code(), "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

async fn redirects_are_not_followed(app: TestApp) {
    let identity = Identity::es256("e");
    let provider = Provider::publishing(&[]).await;
    provider.answer(Reply::Elsewhere("/elsewhere".to_owned(), set(&[&identity])));
    let (trusting, _) = trusting(&app, &provider).await;
    expect_unavailable(&trusting, &identity.token(&claims(&app))).await;
    provider.publish(&[&identity]);
    app.advance(Duration::from_secs(10));
    expect(&trusting, &identity.token(&claims(&app)), 200).await;
}

async fn a_provider_that_never_answers_is_given_up(app: TestApp) {
    let identity = Identity::es256("e");
    let provider = Provider::publishing(&[]).await;
    provider.answer(Reply::Held(set(&[&identity])));
    let jwks = Jwks::with_timeout(&provider.url, Duration::from_millis(50)).unwrap();
    let (trusting, _) = trusting_keys(&app, jwks).await;
    let token = identity.token(&claims(&app));
    expect_unavailable(&trusting, &token).await;
    assert_eq!(provider.fetches(), 1);
}

async fn who_goes_away_ends_no_fetch_of_others(app: TestApp) {
    let identity = Identity::es256("e");
    let provider = Provider::publishing(&[]).await;
    provider.answer(Reply::Held(set(&[&identity])));
    let (trusting, _) = trusting(&app, &provider).await;
    let token = identity.token(&claims(&app));
    let (gone, asked) = (trusting.clone(), token.clone());
    let call = tokio::spawn(async move { super::ask(&gone, &asked).await });
    provider.asked(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    provider.release();
    expect(&trusting, &token, 200).await;
    assert_eq!(provider.fetches(), 1);
}

async fn keys_come_without_being_asked_for(app: TestApp) {
    let identity = Identity::eddsa("d");
    let provider = Provider::publishing(&[&identity]).await;
    let (trusting, tokens) = trusting(&app, &provider).await;
    let stop = CancellationToken::new();
    let fresh = tokio::spawn(tokens.keep_fresh(stop.clone()));
    provider.asked(1).await;
    expect(&trusting, &identity.token(&claims(&app)), 200).await;
    assert_eq!(provider.fetches(), 1);
    stop.cancel();
    fresh.await.unwrap();
}
