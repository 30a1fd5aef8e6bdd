//! The ID token: what it must say, and who must have signed it.

use std::time::Duration;

use serde_json::json;

use super::provider::{CLIENT, ClientProof, SECRET};
use super::stage::{Stage, begin, refused};
use crate::harness::{TestApp, flows};
use crate::tokens::signing::{Identity, compact, hmac256};

flows!(
    what_the_provider_says_must_be_said_to_us_and_now,
    what_no_public_key_has_signed_is_not_believed,
    a_new_key_is_fetched_and_one_that_nobody_publishes_is_not_believed,
);

async fn what_the_provider_says_must_be_said_to_us_and_now(app: TestApp) {
    let stage = Stage::set(&app).await;
    let now = app.now().as_second();
    let cases = [
        (
            json!({"iss": "https://evil.example"}),
            "ID token of another issuer",
        ),
        (
            json!({"iss": format!("{}/", stage.provider.issuer)}),
            "ID token of another issuer",
        ),
        (
            json!({"aud": "another client"}),
            "ID token for another audience",
        ),
        (json!({"aud": []}), "ID token for another audience"),
        (
            json!({"aud": [CLIENT, "another"]}),
            "ID token for another audience",
        ),
        (
            json!({"aud": [CLIENT, "another"], "azp": "another"}),
            "ID token for another audience",
        ),
        (json!({"azp": "another"}), "ID token for another audience"),
        (json!({"nonce": "another"}), "ID token with another nonce"),
        (json!({"nonce": null}), "ID token with another nonce"),
        (json!({"exp": now - 61}), "ID token of another time"),
        (json!({"iat": now + 61}), "ID token of another time"),
        (json!({"nbf": now + 61}), "ID token of another time"),
        (json!({"exp": null}), "unsigned ID token"),
        (json!({"iat": null}), "unsigned ID token"),
        (json!({"exp": "tomorrow"}), "unsigned ID token"),
        (json!({"sub": ""}), "ID token without a subject"),
        (
            json!({"sub": "x".repeat(256)}),
            "ID token without a subject",
        ),
    ];
    for (number, (changes, detail)) in cases.into_iter().enumerate() {
        let app = stage.elsewhere(number);
        let answer = stage.maria(&app, &changes).await;
        assert_eq!(refused(&app, &answer, 401).await, detail, "{changes}");
        assert!(
            answer.text().contains("did not confirm who you are"),
            "{changes}"
        );
    }
    for (number, changes) in [
        json!({"exp": now - 59, "iat": now + 59, "nbf": now + 59}),
        json!({"aud": [CLIENT, "another"], "azp": CLIENT}),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = stage.maria(&stage.elsewhere(100 + number), &changes).await;
        assert_eq!(answer.status.as_u16(), 200, "{changes}: {}", answer.text());
    }
}

async fn what_no_public_key_has_signed_is_not_believed(app: TestApp) {
    let stage = Stage::with(&app, ClientProof::Basic, Identity::rs256("one")).await;
    let identity = &stage.identity;
    for number in 0..8 {
        let app = stage.elsewhere(number);
        let begun = begin(&app, "").await;
        let claims = stage.claims(&begun, &json!({}));
        let header = |algorithm: &str| json!({"alg": algorithm, "kid": "one"});
        let (token, detail) = match number {
            0 => (
                compact(&header("none"), &claims, |_| Vec::new()),
                "malformed ID token",
            ),
            1 => {
                let sign = |message: &[u8]| hmac256(SECRET.as_bytes(), message);
                (
                    compact(&header("HS256"), &claims, sign),
                    "ID token of another algorithm",
                )
            }
            2 => {
                let sign = |message: &[u8]| hmac256(&identity.public_der(), message);
                (
                    compact(&header("HS256"), &claims, sign),
                    "ID token of another algorithm",
                )
            }
            3 => (
                identity.token_headed(&header("RS512"), &claims),
                "ID token of another algorithm",
            ),
            4 => (
                identity.token_headed(&header("ES256"), &claims),
                "unsigned ID token",
            ),
            5 => (Identity::rs256("one").token(&claims), "unsigned ID token"),
            6 => {
                let header = json!({"alg": "RS256", "kid": "one", "crit": ["x"], "x": 1});
                (
                    identity.token_headed(&header, &claims),
                    "malformed ID token",
                )
            }
            _ => ("a.b.c".to_owned(), "malformed ID token"),
        };
        let answer = begun
            .back(&app, &stage.provider.approve(&begun.door, token))
            .await;
        assert_eq!(refused(&app, &answer, 401).await, detail, "{number}");
    }
}

async fn a_new_key_is_fetched_and_one_that_nobody_publishes_is_not_believed(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    let answer = stage.maria(&stage.app, &json!({})).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    stage.identity = Identity::rs256("two");
    app.advance(Duration::from_secs(10));
    let answer = stage.maria(&stage.elsewhere(1), &json!({})).await;
    assert_eq!(refused(&stage.app, &answer, 401).await, "unsigned ID token");
    stage.provider.publish(&[&stage.identity]);
    app.advance(Duration::from_secs(10));
    let answer = stage.maria(&stage.elsewhere(2), &json!({})).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    // What is withdrawn is believed no longer than the provider's word is kept.
    stage.provider.publish(&[]);
    app.advance(Duration::from_secs(600));
    let answer = stage.maria(&stage.elsewhere(3), &json!({})).await;
    assert_eq!(refused(&stage.app, &answer, 401).await, "unsigned ID token");
}
