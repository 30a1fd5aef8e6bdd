//! What a provider can do to us: keep silent, talk without end, send us elsewhere.

use std::time::Duration;

use serde_json::{Value, json};

use super::provider::{ClientProof, Provider, Reply};
use super::stage::{MARIA, Stage, refused, settings};
use crate::harness::{TestApp, flows};
use crate::tokens::signing::Identity;

flows!(
    a_provider_in_trouble_costs_a_page,
    a_code_that_the_provider_refuses_is_nobody,
);

async fn a_provider_in_trouble_costs_a_page(app: TestApp) {
    let proof = ClientProof::Basic;
    let identity = Identity::es256("one");
    let away = "the identity provider does not answer";
    let garbled = "the identity provider's answer cannot be read";
    let insecure = "the identity provider's document names an address that is not HTTPS";
    let private = "the identity provider's document leads to a private address";
    let unfit = "the identity provider takes neither PKCE with S256 nor a client secret";
    let provider = Provider::open(proof, &[&identity]).await;
    let document = |changes: Value| Reply::Json(provider.document(&changes));
    for (number, (reply, detail)) in [
        (Reply::Never, away),
        (Reply::Endless, garbled),
        (Reply::Json(json!({"issuer": 7})), garbled),
        (
            Reply::Status(500),
            "the identity provider answers with status 500",
        ),
        (
            Reply::Elsewhere,
            "the identity provider answers with status 302",
        ),
        (
            document(json!({"issuer": "https://evil.example"})),
            "the identity provider calls itself something else than OIDC_ISSUER",
        ),
        (
            document(json!({"authorization_endpoint": "javascript:alert(1)"})),
            insecure,
        ),
        (
            document(json!({"token_endpoint": "http://id.example.com/token"})),
            insecure,
        ),
        (
            document(json!({"jwks_uri": "http://id.example.com/keys"})),
            insecure,
        ),
        (
            document(json!({"jwks_uri": "https://192.168.0.7/keys"})),
            private,
        ),
        (
            document(json!({"code_challenge_methods_supported": ["plain"]})),
            unfit,
        ),
        (
            document(json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]})),
            unfit,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        provider.answer("document", reply);
        let instance = app
            .another(settings(&provider.issuer, proof, &[MARIA]))
            .await;
        let address = format!("[2001:db8:{}:{number:x}::1]:1", &app.nonce()[..4]);
        let instance = instance.reached_from(&address, false);
        let answer = instance
            .get("/console/openid?way=console%2Fkeys")
            .send()
            .await;
        assert_eq!(refused(&instance, &answer, 503).await, detail, "{number}");
        let text = answer.text();
        assert!(
            text.contains("cannot be asked who you are") && text.contains("way=console%2Fkeys")
        );
        assert_eq!(answer.header("retry-after"), "30");
    }
    let instance = app
        .another(settings(&provider.issuer, proof, &[MARIA]))
        .await;
    provider.close().await;
    let answer = instance.get("/console/openid").send().await;
    assert_eq!(refused(&instance, &answer, 503).await, away);
}

async fn a_code_that_the_provider_refuses_is_nobody(app: TestApp) {
    let away = "the identity provider does not answer";
    let stage = Stage::set(&app).await;
    for (number, (at, reply, status, detail)) in [
        (
            "token",
            Reply::Refusal(400, "invalid_grant"),
            401,
            "the identity provider refuses the code",
        ),
        (
            "token",
            Reply::Refusal(401, "invalid_client"),
            503,
            "the identity provider refuses OIDC_CLIENT_ID or OIDC_CLIENT_SECRET",
        ),
        ("token", Reply::Never, 503, away),
        (
            "token",
            Reply::Endless,
            503,
            "the identity provider's answer cannot be read",
        ),
        (
            "token",
            Reply::Json(json!({"access_token": "x"})),
            503,
            "the identity provider's answer cannot be read",
        ),
        (
            "token",
            Reply::Status(500),
            503,
            "the identity provider answers with status 500",
        ),
        (
            "token",
            Reply::Elsewhere,
            503,
            "the identity provider answers with status 302",
        ),
        ("keys", Reply::Never, 503, away),
        ("keys", Reply::Status(500), 503, "no keys for the ID token"),
        ("keys", Reply::Endless, 503, "no keys for the ID token"),
        ("keys", Reply::Elsewhere, 503, "no keys for the ID token"),
    ]
    .into_iter()
    .enumerate()
    {
        // What the provider said before is old by then.
        app.advance(Duration::from_secs(600));
        stage
            .provider
            .answer("document", Reply::Json(stage.provider.document(&json!({}))));
        stage.provider.answer(at, reply);
        let instance = stage.elsewhere(number);
        let answer = stage.maria(&instance, &json!({})).await;
        let found = refused(&instance, &answer, status).await;
        assert!(
            found == detail || (at == "keys" && found == "no keys for the ID token"),
            "{number}: {found}"
        );
        if at == "token" {
            stage.provider.recover(at);
        }
    }
    stage.provider.recover("keys");
    app.advance(Duration::from_secs(600));
    // Where the code is to be shown is no place within the house either.
    let document = stage
        .provider
        .document(&json!({"token_endpoint": "https://10.0.0.7/token"}));
    stage.provider.answer("document", Reply::Json(document));
    let instance = stage.elsewhere(100);
    let answer = stage.maria(&instance, &json!({})).await;
    let detail = refused(&instance, &answer, 503).await;
    assert_eq!(
        detail,
        "the identity provider's document leads to a private address"
    );
}
