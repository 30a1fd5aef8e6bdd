//! Who is let in, how, and how often they may try.

use serde_json::json;

use super::{Admin, COOKIE, FORMS, PAGES, field, named, record, send, sign_in};
use crate::harness::{JWT_SECRET, Settings, TestApp, flows};
use crate::tokens::{claims, signing};

flows!(
    a_stranger_is_shown_the_door_whatever_they_want,
    an_administrator_signs_in_with_a_key,
    an_administrator_signs_in_with_a_token,
    nobody_else_signs_in,
    whoever_wanted_a_page_gets_it_afterwards,
    tries_are_counted_by_address,
    nobody_signs_in_where_others_can_read_along,
    on_the_machine_itself_the_cookie_goes_without_encryption,
    every_page_is_kept_safe_by_its_headers,
);

async fn a_stranger_is_shown_the_door_whatever_they_want(app: TestApp) {
    for path in PAGES {
        let answer = app.get(path).expect(401).await;
        let text = answer.text();
        assert!(text.contains("Sign in to the console"), "{text}");
        assert_eq!(field(&answer, "way").replace("&#x2f;", "/"), path[1..]);
        assert!(answer.headers.get("set-cookie").is_none());
    }
    for path in FORMS {
        let answer = send(&app, path, &[("reason", "x")]).expect(401).await;
        assert_eq!(field(&answer, "way"), "", "{path}");
        let (action, outcome, credential) = record(&app, &answer).await;
        assert!(action.starts_with("console."), "{action}");
        assert_eq!(
            (outcome.as_str(), credential.as_str()),
            ("unauthenticated", "")
        );
    }
    let forged = format!("{COOKIE}={}", "x".repeat(43));
    for cookie in [forged.as_str(), "__Host-bonafide=", "other=1"] {
        app.get("/console")
            .header("cookie", cookie)
            .expect(401)
            .await;
    }
}

async fn an_administrator_signs_in_with_a_key(app: TestApp) {
    let key = app.key("default", "admin").await;
    let answer = sign_in(&app, &format!(" {key} ")).expect(303).await;
    let kept = answer.header("set-cookie");
    let (pair, flags) = kept.split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-bonafide=") && pair.len() == COOKIE.len() + 44);
    assert_eq!(flags, "Path=/; HttpOnly; SameSite=Strict; Secure");
    let told = record(&app, &answer).await;
    assert_eq!(told, ("console.sign_in".into(), "ok".into(), named(&key)));
    let admin = Admin::of(&app, &answer).await;
    let page = admin.get("/console").expect(200).await;
    assert!(page.text().contains("made by a test"), "it names the key");
    let told = record(&app, &page).await;
    assert_eq!(told, ("console.overview".into(), "ok".into(), named(&key)));
}

async fn an_administrator_signs_in_with_a_token(app: TestApp) {
    let mut said = claims(&app);
    said["role"] = json!("admin");
    let token = signing::hs256(JWT_SECRET, &said);
    let admin = Admin::with(&app, &token).await;
    let page = admin.get("/console").expect(200).await;
    assert!(
        page.text().contains("ann@example.com"),
        "it names the person"
    );
    let (_, _, credential) = record(&app, &page).await;
    assert!(credential.starts_with("token:"), "{credential}");
    let database = app.database().dump().await;
    for secret in [
        "ann@example.com",
        &token,
        admin.cookie.split_once('=').unwrap().1,
    ] {
        let shown = database
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!shown, "the database shows {secret}");
    }
}

async fn nobody_else_signs_in(app: TestApp) {
    let reader = app
        .key("default", "customers:read audit:read statistics:read")
        .await;
    let answer = sign_in(&app, &reader).expect(403).await;
    assert!(answer.text().contains("scope admin"), "{}", answer.text());
    let told = record(&app, &answer).await;
    assert_eq!(
        told,
        ("console.sign_in".into(), "forbidden".into(), named(&reader))
    );
    let key = app.key("default", "admin").await;
    app.revoke(&key).await;
    let wrong = format!("{reader}x");
    let plain = signing::hs256(JWT_SECRET, &claims(&app));
    for (credential, status) in [(&key, 401), (&wrong, 401), (&plain, 403)] {
        let answer = sign_in(&app, credential).expect(status).await;
        assert!(answer.headers.get("set-cookie").is_none());
        assert!(!answer.text().contains(credential.as_str()));
    }
    for credential in ["", "nonsense", "a.b.c"] {
        sign_in(&app, credential).expect(401).await;
    }
    let key = app.key("default", "admin").await;
    let call = sign_in(&app, &key).header("sec-fetch-site", "cross-site");
    let answer = call.expect(403).await;
    assert!(answer.headers.get("set-cookie").is_none());
}

async fn whoever_wanted_a_page_gets_it_afterwards(app: TestApp) {
    let key = app.key("default", "admin").await;
    for (way, location) in [
        (
            "console/orders?status=late",
            "../console/orders?status=late",
        ),
        ("//evil.example", "../console"),
        ("https://evil.example/console", "../console"),
        ("", "../console"),
    ] {
        let fields = [("credential", key.as_str()), ("way", way)];
        let answer = send(&app, "/console/sign-in", &fields).expect(303).await;
        assert_eq!(answer.header("location"), location);
    }
}

async fn tries_are_counted_by_address(app: TestApp) {
    let app = app.reached_from(&format!("[2001:db8:{}::1]:1", &app.nonce()[..4]), false);
    for _ in 0..10 {
        sign_in(&app, "bf_aaaaaaaaaaaa_wrong").expect(401).await;
    }
    let key = app.key("default", "admin").await;
    let answer = sign_in(&app, &key).expect(429).await;
    assert!(
        answer.text().contains("Too many tries"),
        "{}",
        answer.text()
    );
    assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 60);
    let elsewhere = app.reached_from("198.51.100.7:1", false);
    sign_in(&elsewhere, &key).expect(303).await;
}

/// A server that does not know itself by an encrypted address.
async fn plain(app: &TestApp) -> TestApp {
    let mut settings = Settings::default();
    settings.orders.base_url = "http://bonafide.example:3000".into();
    app.another(settings).await
}

async fn nobody_signs_in_where_others_can_read_along(app: TestApp) {
    let plain = plain(&app).await;
    let key = plain.key("default", "admin").await;
    for call in [
        plain.get("/console"),
        sign_in(&plain, &key),
        plain.get("/console/enter/x"),
        send(&plain, "/console/enter/x", &[]),
    ] {
        let answer = call.expect(403).await;
        assert!(
            answer.text().contains("Over HTTPS only"),
            "{}",
            answer.text()
        );
        assert!(answer.headers.get("set-cookie").is_none());
    }
    let encrypted = plain.reached_from("203.0.113.7:1", true);
    let kept = sign_in(&encrypted, &key).expect(303).await;
    assert!(kept.header("set-cookie").ends_with("; Secure"));
}

async fn on_the_machine_itself_the_cookie_goes_without_encryption(app: TestApp) {
    let near = plain(&app).await.reached_from("127.0.0.1:1", false);
    let key = near.key("default", "admin").await;
    let answer = sign_in(&near, &key).expect(303).await;
    let kept = answer.header("set-cookie");
    assert!(kept.starts_with("bonafide="), "{kept}");
    assert!(
        kept.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{kept}"
    );
    Admin::of(&near, &answer).await;
}

async fn every_page_is_kept_safe_by_its_headers(app: TestApp) {
    let admin = Admin::new(&app).await;
    let mut answers = vec![
        app.get("/console").send().await,
        admin.get("/console/nowhere").expect(404).await,
        admin.get("/console/orders/none").expect(404).await,
        admin.get("/console/orders?cursor=x").expect(400).await,
        app.call("PUT", "/console").expect(405).await,
    ];
    for path in PAGES {
        answers.push(admin.get(path).expect(200).await);
    }
    for answer in answers {
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
        let text = answer.text();
        assert!(
            !text.contains("style=") && !text.contains("<style"),
            "{text}"
        );
        assert!(
            !text.contains("<script>") && !text.contains(" onclick="),
            "{text}"
        );
    }
}
