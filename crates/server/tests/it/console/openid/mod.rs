//! Signing in by an identity provider: who comes in, who does not, and what a provider can do to us.

pub mod provider;
mod stage;

use std::time::Duration;

use serde_json::{Value, json};

use self::provider::{BACK, CLIENT, ClientProof, Provider, Reply, SECRET, asked};
use self::stage::{ATTEMPT, Begun, MARIA, SUBJECT, Stage, begin, cookies, pair, refused, settings};
use super::{Admin, record};
use crate::harness::{Settings, TestApp, flows};
use crate::tokens::signing::{Identity, compact, hmac256};

flows!(
    an_administrator_signs_in_by_their_provider,
    every_kind_of_key_and_client_will_do,
    nobody_else_is_let_in,
    what_the_provider_says_must_be_said_to_us_and_now,
    what_no_public_key_has_signed_is_not_believed,
    only_who_began_here_comes_back,
    nobody_comes_back_twice,
    a_new_key_is_fetched_and_one_that_nobody_publishes_is_not_believed,
    another_provider_does_not_send_anybody_back,
    whoever_did_not_sign_in_there_is_told_so,
    a_provider_in_trouble_costs_a_page,
    a_code_that_the_provider_refuses_is_nobody,
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

async fn only_who_began_here_comes_back(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (here, there) = (stage.elsewhere(1), stage.elsewhere(2));
    let (mine, other) = (begin(&here, "").await, begin(&there, "").await);
    let token = stage.identity.token(&stage.claims(&other, &json!({})));
    let query = stage.provider.approve(&other.door, token);
    let state = &asked(&mine.door)["state"];
    let (code, _) = query.split_once('&').unwrap();
    let both = format!("{}; {}", mine.cookie, other.cookie);
    let (own, nonsense) = (mine.cookie.as_str(), format!("{ATTEMPT}=nonsense"));
    for (number, (query, cookie)) in [
        // A sign-in that somebody else began, slipped to me.
        (query.clone(), own),
        (query.clone(), ""),
        (query.clone(), both.as_str()),
        (query.clone(), nonsense.as_str()),
        (code.to_owned(), own),
        (format!("{code}&state=nonsense"), own),
        (format!("{code}&state={state}x"), own),
        (String::new(), own),
    ]
    .into_iter()
    .enumerate()
    {
        let app = stage.elsewhere(10 + number);
        let call = app.get(&format!("/console/openid/callback?{query}"));
        let answer = call.header("cookie", cookie).send().await;
        assert_eq!(
            refused(&app, &answer, 401).await,
            "no such sign-in",
            "{number}"
        );
        assert!(cookies(&answer).is_empty(), "what is under way goes on");
        let text = answer.text();
        assert!(
            text.contains("https:&#x2f;&#x2f;verify.example.com&#x2f;console"),
            "{text}"
        );
    }
    // Another one's code beside my own state: the provider wants what proves that it was mine.
    let answer = mine.back(&here, &format!("{code}&state={state}")).await;
    let detail = refused(&here, &answer, 401).await;
    assert_eq!(detail, "the identity provider refuses the code");
    // Said twice is not said.
    let twice = there.get(&format!("/console/openid/callback?{query}&state={state}"));
    twice.header("cookie", &other.cookie).expect(400).await;
    // Too late is not at all.
    let late = begin(&there, "").await;
    let token = stage.identity.token(&stage.claims(&late, &json!({})));
    let query = stage.provider.approve(&late.door, token);
    app.advance(Duration::from_secs(600));
    let answer = late.back(&there, &query).await;
    assert_eq!(refused(&there, &answer, 401).await, "no such sign-in");
}

async fn nobody_comes_back_twice(app: TestApp) {
    let stage = Stage::set(&app).await;
    let app = &stage.app;
    let begun = begin(app, "").await;
    let token = || stage.identity.token(&stage.claims(&begun, &json!({})));
    let query = stage.provider.approve(&begun.door, token());
    let answer = begun.back(app, &query).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    // Were the provider to give another code for it, and the browser to keep the cookie.
    for query in [&query, &stage.provider.approve(&begun.door, token())] {
        let answer = begun.back(app, query).await;
        assert_eq!(refused(app, &answer, 401).await, "no such sign-in");
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

async fn another_provider_does_not_send_anybody_back(app: TestApp) {
    let stage = Stage::set(&app).await;
    let names_itself = json!({"authorization_response_iss_parameter_supported": true});
    let document = stage.provider.document(&names_itself);
    stage.provider.answer("document", Reply::Json(document));
    let own = stage.provider.issuer.clone();
    for (number, (issuer, is_good)) in [
        (Some("https://evil.example".to_owned()), false),
        (Some(String::new()), false),
        (None, false),
        (Some(own), true),
    ]
    .into_iter()
    .enumerate()
    {
        let app = stage.elsewhere(number);
        let begun = begin(&app, "").await;
        let token = stage.identity.token(&stage.claims(&begun, &json!({})));
        let mut query = stage.provider.approve(&begun.door, token);
        if let Some(issuer) = issuer {
            query += &format!("&iss={issuer}");
        }
        let answer = begun.back(&app, &query).await;
        if is_good {
            assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        } else {
            let detail = refused(&app, &answer, 401).await;
            assert_eq!(detail, "sent back by another identity provider");
        }
    }
}

async fn whoever_did_not_sign_in_there_is_told_so(app: TestApp) {
    let stage = Stage::set(&app).await;
    let begun = begin(&stage.app, "console/keys").await;
    let state = &asked(&begun.door)["state"];
    let query = format!("error=access_denied&error_description=%3Cb%3Ex&state={state}");
    let answer = begun.back(&stage.app, &query).await;
    let detail = refused(&stage.app, &answer, 401).await;
    assert_eq!(detail, "not signed in at the identity provider");
    let text = answer.text();
    assert!(text.contains("Nobody signed in at 127.0.0.1"), "{text}");
    assert!(
        text.contains("way=console%2Fkeys") && !text.contains("<b>x"),
        "{text}"
    );
}

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
