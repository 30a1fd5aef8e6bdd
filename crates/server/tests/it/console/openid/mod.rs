//! Signing in by an identity provider: who comes in, and who does not.

mod coming_back;
pub mod provider;
mod stage;
mod token;
mod trouble;

use std::time::Duration;

use serde_json::json;

use self::provider::{BACK, CLIENT, ClientProof, Provider, asked};
use self::stage::{ATTEMPT, Begun, MARIA, SUBJECT, Stage, begin, cookies, pair, refused, settings};
use super::{Admin, record};
use crate::harness::{Settings, TestApp, flows};
use crate::tokens::signing::Identity;

flows!(
    an_administrator_signs_in_by_their_provider,
    every_kind_of_key_and_client_will_do,
    nobody_else_is_let_in,
    whoever_is_taken_off_the_list_is_signed_out,
    tries_are_counted,
    another_site_cannot_begin,
    nobody_signs_in_where_others_can_read_along,
    without_a_provider_there_is_no_way_to_one,
);

async fn an_administrator_signs_in_by_their_provider(app: TestApp) {
    let stage = Stage::set(&app).await;
    let app = &stage.app;
    let page = app
        .get("/console/orders?status=late")
        .expect(401)
        .await
        .text();
    let link = "href=\"../console/openid?way=console%2Forders%3Fstatus%3Dlate\"";
    assert!(page.contains(link), "{page}");
    let path = "/console/openid?way=console%2Forders%3Fstatus%3Dlate";
    let call = app.get(path).header("sec-fetch-site", "same-origin");
    let answer = call.expect(303).await;
    let kept = answer.header("set-cookie").to_owned();
    assert!(kept.starts_with(&format!("{ATTEMPT}=")), "{kept}");
    assert!(
        kept.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"),
        "{kept}"
    );
    let told = record(app, &answer).await;
    assert_eq!(
        told,
        ("console.openid.begin".into(), "ok".into(), String::new())
    );
    let begun = Begun {
        door: answer.header("location").parse().unwrap(),
        cookie: pair(&kept),
    };
    let door = begun.door.as_str();
    assert!(
        door.starts_with(&format!("{}/door?kc_locale=en&", stage.provider.issuer)),
        "{door}"
    );
    let said = asked(&begun.door);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", BACK),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(said[name], value);
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(said[name].len(), 43, "{name}");
        assert!(!begun.cookie.contains(&said[name]), "{name}");
    }
    let token = stage.identity.token(&stage.claims(&begun, &json!({})));
    let query = stage.provider.approve(&begun.door, token.clone());
    let answer = begun.back(app, &query).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let text = answer.text();
    let way = "../../console&#x2f;orders?status=late";
    let refresh = format!("<meta http-equiv=\"refresh\" content=\"0; url={way}\">");
    assert!(
        text.contains(&refresh) && text.contains(&format!("href=\"{way}\"")),
        "{text}"
    );
    let kept = cookies(&answer);
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(
        kept[0].ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"),
        "{kept:?}"
    );
    assert!(kept[1].starts_with(&format!("{ATTEMPT}=;")) && kept[1].ends_with("Max-Age=0"));
    let (action, outcome, credential) = record(app, &answer).await;
    assert_eq!(
        (action.as_str(), outcome.as_str()),
        ("console.openid.finish", "ok")
    );
    assert!(credential.starts_with("token:"), "{credential}");
    let page = app
        .get("/console")
        .header("cookie", &pair(&kept[0]))
        .expect(200)
        .await;
    assert!(page.text().contains("Maria@Example.com"), "{}", page.text());
    assert_eq!(
        record(app, &page).await.2,
        credential,
        "acts are under the same name"
    );
    let database = app.database().dump().await;
    let secrets = [
        MARIA,
        "Maria@Example.com",
        &token,
        &begun.cookie,
        &said["state"],
    ];
    for secret in secrets {
        let shown = database
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!shown, "the database shows {secret}");
    }
    // The session is the console's: it outlives the ID token, and ends without use.
    app.advance(Duration::from_secs(29 * 60));
    let admin = app.get("/console").header("cookie", &pair(&kept[0]));
    admin.expect(200).await;
    app.advance(Duration::from_secs(31 * 60));
    app.get("/console")
        .header("cookie", &pair(&kept[0]))
        .expect(401)
        .await;
}

async fn every_kind_of_key_and_client_will_do(app: TestApp) {
    for (proof, identity) in [
        (ClientProof::Basic, Identity::rs256("r")),
        (ClientProof::Post, Identity::es256("e")),
        (ClientProof::Public, Identity::eddsa("d")),
    ] {
        let stage = Stage::with(&app, proof, identity).await;
        // Listed by the name that the provider gives, whatever the address.
        let someone = json!({"sub": SUBJECT, "email": null, "aud": [CLIENT], "azp": CLIENT});
        let answer = stage.maria(&stage.app, &someone).await;
        assert_eq!(answer.status.as_u16(), 200, "{proof:?}: {}", answer.text());
        let session = pair(&cookies(&answer)[0]);
        let page = stage
            .app
            .get("/console")
            .header("cookie", &session)
            .expect(200)
            .await;
        assert!(page.text().contains(SUBJECT), "{}", page.text());
    }
}

async fn nobody_else_is_let_in(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (number, (changes, shown)) in [
        (json!({"email": "eve@example.com"}), "eve@example.com, or 1"),
        (json!({"email_verified": false}), "as 1."),
        (json!({"email_verified": "false"}), "as 1."),
        (json!({"email_verified": null}), "as 1."),
        // What a provider calls somebody is no address.
        (
            json!({"sub": MARIA, "email": null}),
            "as maria@example.com.",
        ),
        (json!({"email": format!("{SUBJECT}")}), "or 1"),
        // Rights are not taken from the provider.
        (
            json!({"email": "eve@example.com", "role": "admin", "scope": "admin"}),
            "or 1",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let app = stage.elsewhere(number);
        let answer = stage.maria(&app, &changes).await;
        assert_eq!(refused(&app, &answer, 403).await, "not listed", "{changes}");
        let text = answer.text();
        assert!(
            text.contains(shown) && text.contains("OIDC_ADMINS"),
            "{changes}: {text}"
        );
    }
    let text = json!({"email_verified": "true"});
    let answer = stage.maria(&stage.app, &text).await;
    assert_eq!(
        answer.status.as_u16(),
        200,
        "some providers write it as a text"
    );
}

async fn whoever_is_taken_off_the_list_is_signed_out(app: TestApp) {
    let stage = Stage::set(&app).await;
    let answer = stage.maria(&stage.app, &json!({})).await;
    let session = pair(&cookies(&answer)[0]);
    let issuer = stage.provider.issuer.as_str();
    let proof = ClientProof::Basic;
    for (settings, status) in [
        (settings(issuer, proof, &["Maria@Example.com"]), 200),
        (settings(issuer, proof, &["eve@example.com"]), 401),
        (
            settings("https://other.example", proof, &["Maria@Example.com"]),
            401,
        ),
        (Settings::default(), 401),
    ] {
        let instance = app.another(settings).await;
        let page = instance.get("/console").header("cookie", &session);
        page.expect(status).await;
    }
    let page = stage.app.get("/console").header("cookie", &session);
    page.expect(200).await;
}

async fn tries_are_counted(app: TestApp) {
    let stage = Stage::set(&app).await;
    let app = stage.elsewhere(1);
    let begun = begin(&app, "").await;
    for _ in 0..9 {
        begun.back(&app, "state=x").await;
    }
    let answer = app.get("/console/openid").send().await;
    assert_eq!(refused(&app, &answer, 429).await, "");
    assert!(
        answer.text().contains("Too many tries"),
        "{}",
        answer.text()
    );
    let answer = begun.back(&app, "state=x").await;
    refused(&app, &answer, 429).await;
}

async fn another_site_cannot_begin(app: TestApp) {
    let stage = Stage::set(&app).await;
    for site in ["cross-site", "same-site"] {
        let call = stage
            .app
            .get("/console/openid")
            .header("sec-fetch-site", site);
        let answer = call.expect(403).await;
        assert!(answer.headers.get("set-cookie").is_none());
    }
    let call = stage.app.get("/console/openid");
    call.header("sec-fetch-site", "none").expect(303).await;
    // Nobody is led anywhere but into the console afterwards.
    let begun = begin(&stage.app, "//evil.example").await;
    let token = stage.identity.token(&stage.claims(&begun, &json!({})));
    let query = stage.provider.approve(&begun.door, token);
    let text = begun.back(&stage.app, &query).await.text();
    assert!(text.contains("content=\"0; url=../../console\""), "{text}");
}

async fn nobody_signs_in_where_others_can_read_along(app: TestApp) {
    let provider = Provider::open(ClientProof::Basic, &[]).await;
    let mut settings = settings(&provider.issuer, ClientProof::Basic, &[MARIA]);
    settings.orders.base_url = "http://bonafide.example:3000".into();
    let plain = app.another(settings).await;
    for path in ["/console/openid", "/console/openid/callback?state=x&code=y"] {
        let answer = plain.get(path).expect(403).await;
        assert!(
            answer.text().contains("Over HTTPS only"),
            "{}",
            answer.text()
        );
        assert!(answer.headers.get("set-cookie").is_none());
    }
}

async fn without_a_provider_there_is_no_way_to_one(app: TestApp) {
    for path in ["/console/openid", "/console/openid/callback"] {
        app.get(path).expect(404).await;
    }
    let page = app.get("/console").expect(401).await.text();
    assert!(
        !page.contains("openid") && !page.contains("Sign in with"),
        "{page}"
    );
    let admin = Admin::new(&app).await;
    admin.get("/console/openid").expect(404).await;
}
