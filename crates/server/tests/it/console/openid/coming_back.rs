//! Coming back from the provider: once, soon, to where it began, and sent by nobody else.

use std::time::Duration;

use serde_json::json;

use super::provider::{Reply, asked};
use super::stage::{ATTEMPT, Stage, begin, cookies, refused};
use crate::harness::{TestApp, flows};

flows!(
    only_who_began_here_comes_back,
    nobody_comes_back_twice,
    another_provider_does_not_send_anybody_back,
    whoever_did_not_sign_in_there_is_told_so,
);

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
