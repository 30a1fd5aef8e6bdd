//! Only a page of the session's own can have anything done.

use super::{Admin, FORMS, record, send};
use crate::harness::{TestApp, flows};
use crate::orders::{ALL, ANN, placed, status};

flows!(
    a_form_without_the_sessions_mark_does_nothing,
    a_form_of_another_site_does_nothing,
    the_mark_is_no_key_to_the_session,
);

async fn a_form_without_the_sessions_mark_does_nothing(app: TestApp) {
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    let (admin, other) = (Admin::new(&app).await, Admin::new(&app).await);
    for path in FORMS {
        for fields in [
            vec![("reason", "x")],
            vec![("reason", "x"), ("mark", "")],
            vec![("reason", "x"), ("mark", &other.mark)],
        ] {
            let call = send(&app, path, &fields).header("cookie", &admin.cookie);
            let answer = call.expect(403).await;
            assert!(answer.text().contains("not one of your session"), "{path}");
            assert_eq!(record(&app, &answer).await.1, "forbidden");
        }
        // What is no form at all is none of ours either.
        let call = app.post(path).header("cookie", &admin.cookie);
        call.body("text/plain", "x").expect(415).await;
    }
    assert_eq!(status(&app, &key, "1001").await, "held");
    admin.get("/console").expect(200).await;
    app.leaves_deliveries();
}

async fn a_form_of_another_site_does_nothing(app: TestApp) {
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    let admin = Admin::new(&app).await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let call = admin.send("/console/orders/1001/release", &[("reason", "x")]);
        call.header("host", "verify.example.com")
            .header(name, value)
            .expect(403)
            .await;
    }
    assert_eq!(status(&app, &key, "1001").await, "held");
    let call = admin.send("/console/orders/1001/release", &[("reason", "x")]);
    let call = call.header("sec-fetch-site", "same-origin");
    call.expect(303).await;
    assert_eq!(status(&app, &key, "1001").await, "released");
    app.leaves_deliveries();
}

async fn the_mark_is_no_key_to_the_session(app: TestApp) {
    let admin = Admin::new(&app).await;
    let forged = format!("{}={}", super::COOKIE, admin.mark);
    app.get("/console")
        .header("cookie", &forged)
        .expect(401)
        .await;
}
