//! The page of integrations: which are on, what came last, what waits and what needs somebody.

use app::inbox::Trouble;

use super::Admin;
use crate::deliveries::{URL, told, verify};
use crate::harness::{self, TestApp, flows};
use crate::inbox::{Told, event, hook, taking, work};

flows!(
    without_settings_all_is_off,
    a_service_shows_its_events,
    a_webhook_shows_its_deliveries,
    another_company_sees_none_of_it,
);

/// The part of the page about one integration, as text without markup.
fn about(page: &str, name: &str) -> String {
    let begin = format!("\">{name}</h2>");
    let (_, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{page}"));
    let part = rest.split("</section>").next().unwrap();
    let words = part.split('<').filter_map(|piece| piece.split('>').nth(1));
    let words: Vec<_> = words
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

async fn page(admin: &Admin) -> String {
    let answer = admin.get("/console/integrations").expect(200).await;
    answer.text()
}

async fn without_settings_all_is_off(app: TestApp) {
    let admin = Admin::new(&app).await;
    let page = page(&admin).await;
    for name in ["Lightspeed", "Square", "Veriff", "Your webhook", "BigQuery"] {
        assert!(about(&page, name).starts_with("Off "), "{page}");
    }
    assert!(about(&page, "Mail").starts_with("Printed "), "{page}");
    let settings = harness::Settings {
        mails: true,
        archives: true,
        ..harness::Settings::default()
    };
    let other = Admin::new(&app.another(settings).await).await;
    let page = self::page(&other).await;
    assert!(about(&page, "Mail").starts_with("On "), "{page}");
    assert!(about(&page, "BigQuery").starts_with("Well "), "{page}");
}

async fn a_service_shows_its_events(app: TestApp) {
    let app = taking(&app).await;
    let admin = Admin::new(&app).await;
    let square = about(&page(&admin).await, "Square");
    assert!(square.contains("Last event none of late"), "{square}");
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    let square = about(&page(&admin).await, "Square");
    assert!(square.starts_with("On "), "{square}");
    assert!(square.contains("just now"), "{square}");
    assert!(square.contains("Events that wait 1"), "{square}");
    assert!(square.contains("Parked events 0"), "{square}");
    work(&app, &Told::new(|_| Err(Trouble::person("broken")))).await;
    let square = about(&page(&admin).await, "Square");
    assert!(square.starts_with("Look "), "{square}");
    assert!(square.contains("Events that wait 0"), "{square}");
    assert!(square.contains("Parked events 1"), "{square}");
    let veriff = about(&page(&admin).await, "Veriff");
    assert!(veriff.contains("Parked events 0"), "{veriff}");
}

async fn a_webhook_shows_its_deliveries(app: TestApp) {
    let admin = Admin::new(&app).await;
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    let webhook = about(&page(&admin).await, "Your webhook");
    assert!(webhook.starts_with("On "), "{webhook}");
    assert!(webhook.contains("Deliveries that wait 1"), "{webhook}");
    receivers.answer_status(URL, 500);
    app.deliver(&receivers).await;
    let webhook = about(&page(&admin).await, "Your webhook");
    assert!(webhook.starts_with("Failing "), "{webhook}");
    // Gone for good: the receiver says so.
    receivers.answer_status(URL, 410);
    app.advance(std::time::Duration::from_secs(60));
    app.deliver(&receivers).await;
    let webhook = about(&page(&admin).await, "Your webhook");
    assert!(webhook.starts_with("Switched off "), "{webhook}");
    assert!(webhook.contains("Given up 1"), "{webhook}");
}

async fn another_company_sees_none_of_it(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    app.company("other").await;
    let admin = Admin::with(&app, &app.key("other", "admin").await).await;
    let page = page(&admin).await;
    assert!(page.contains("work for <strong>default</strong>"), "{page}");
    let square = about(&page, "Square");
    assert!(square.contains("Events that wait 0"), "{square}");
    assert!(square.contains("none of late"), "{square}");
}
