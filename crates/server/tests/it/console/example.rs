//! The example that a newcomer is offered: made once, real in all but its people, and taken away.

use super::Admin;
use crate::harness::{self, TestApp, flows};
use crate::inbox::taking;
use crate::orders::{ALL, ANN, placed};

flows!(
    a_newcomer_is_offered_an_example_and_gets_it,
    the_example_is_taken_away,
    a_company_with_a_life_of_its_own_gets_no_example,
    nothing_made_up_reaches_anybody,
);

const OFFER: &str = "Show me an example";
const GUIDE: &str = "What you could try";

async fn overview(admin: &Admin) -> String {
    admin.get("/console").expect(200).await.text()
}

async fn a_newcomer_is_offered_an_example_and_gets_it(app: TestApp) {
    let admin = Admin::new(&app).await;
    let page = overview(&admin).await;
    assert!(page.contains(OFFER) && !page.contains(GUIDE), "{page}");
    let answer = admin.send("/console/example", &[]).expect(303).await;
    let page = overview(&admin).await;
    assert!(!page.contains(OFFER) && page.contains(GUIDE), "{page}");
    let order = admin.get("/console/orders/ex-1002").expect(200).await;
    assert!(order.text().contains("Release it"), "{}", order.text());
    let whom = [("whom", "maria@bonafide.example")];
    admin
        .send("/console/customers/find", &whom)
        .expect(303)
        .await;
    let mails = admin.get("/console/deliveries").expect(200).await.text();
    assert_eq!(mails.matches("console/deliveries/").count(), 3, "{mails}");
    for (path, expected) in [
        ("/console/numbers", "Verified"),
        ("/console/numbers", "Pending"),
        ("/console/ages", ">TX<"),
        ("/console/orders?status=all", "ex-1001"),
    ] {
        let text = admin.get(path).expect(200).await.text();
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let records = app.records_of(answer.request_id()).await;
    let actions: Vec<_> = records.iter().map(|one| &*one.record.action).collect();
    for action in [
        "console.example.make",
        "example.order",
        "example.proof",
        "example.age",
        "example.number",
        "example.check",
    ] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    admin.send("/console/example", &[]).expect(409).await;
    app.leaves_deliveries();
}

async fn the_example_is_taken_away(app: TestApp) {
    let admin = Admin::new(&app).await;
    admin.send("/console/example", &[]).expect(303).await;
    admin.send("/console/example/remove", &[]).expect(303).await;
    let page = overview(&admin).await;
    assert!(!page.contains(OFFER) && !page.contains(GUIDE), "{page}");
    let whom = [("whom", "maria@bonafide.example")];
    admin
        .send("/console/customers/find", &whom)
        .expect(404)
        .await;
    let held = admin.get("/console/orders").expect(200).await.text();
    assert!(!held.contains("ex-100"), "{held}");
    admin.send("/console/example/remove", &[]).expect(303).await;
    app.leaves_deliveries();
}

async fn a_company_with_a_life_of_its_own_gets_no_example(app: TestApp) {
    let admin = Admin::new(&app).await;
    placed(&app, &app.key("default", ALL).await, "1001", ANN).await;
    assert!(!overview(&admin).await.contains(OFFER));
    admin.send("/console/example", &[]).expect(409).await;
    app.leaves_deliveries();
}

async fn nothing_made_up_reaches_anybody(app: TestApp) {
    let settings = harness::Settings {
        mails: true,
        ..harness::Settings::default()
    };
    for connected in [app.another(settings).await, taking(&app).await] {
        let admin = Admin::new(&connected).await;
        assert!(!overview(&admin).await.contains(OFFER));
        admin.send("/console/example", &[]).expect(409).await;
    }
    app.webhook("default", "https://shop.example/hooks").await;
    let admin = Admin::new(&app).await;
    assert!(!overview(&admin).await.contains(OFFER));
    admin.send("/console/example", &[]).expect(409).await;
    assert_eq!(app.recorded().await.get("example.order"), None);
}
