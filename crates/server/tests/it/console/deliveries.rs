//! Deliveries in the console: lists, one with its attempts and what is in it, and making it again.

use super::{Admin, named, record};
use crate::deliveries::{URL, only, told, verify};
use crate::harness::{TestApp, flows};

flows!(
    a_delivery_is_listed_and_shown_with_its_attempts,
    what_is_in_it_is_shown_when_asked_for,
    a_delivery_is_made_again,
    lists_are_paged,
    another_companys_deliveries_are_not_there,
);

async fn a_delivery_is_listed_and_shown_with_its_attempts(app: TestApp) {
    let admin = Admin::new(&app).await;
    let empty = admin.get("/console/deliveries").expect(200).await.text();
    assert!(empty.contains("Nothing yet"), "{empty}");
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    receivers.answer_status(URL, 500);
    app.deliver(&receivers).await;
    let id = only(&app).await.id;
    for list in ["", "?status=waiting", "?status=all"] {
        let page = admin
            .get(&format!("/console/deliveries{list}"))
            .expect(200)
            .await;
        assert!(page.text().contains(&id.to_string()), "{}", page.text());
    }
    let none = admin
        .get("/console/deliveries?status=delivered")
        .expect(200)
        .await;
    assert!(!none.text().contains(&id.to_string()));
    let page = admin
        .get(&format!("/console/deliveries/{id}"))
        .expect(200)
        .await;
    let text = page.text();
    for expected in [
        "verification.verified",
        "1. refused",
        "answered 500",
        "Waiting",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(
        !text.contains("order-81") && !text.contains("Make it again"),
        "{text}"
    );
    admin
        .get("/console/deliveries?status=lost")
        .expect(404)
        .await;
    admin.get("/console/deliveries?cursor=x").expect(400).await;
    admin.get("/console/deliveries/x").expect(404).await;
    app.leaves_deliveries();
}

async fn what_is_in_it_is_shown_when_asked_for(app: TestApp) {
    let admin = Admin::new(&app).await;
    let (_, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    let id = only(&app).await.id;
    let answer = admin
        .send(&format!("/console/deliveries/{id}/open"), &[])
        .expect(200)
        .await;
    assert!(answer.text().contains("order-81"), "{}", answer.text());
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records[0].record.action, "console.delivery.open");
    let detail = records[0].record.detail.as_deref().unwrap();
    assert_eq!(detail, format!("delivery={id}"));
    app.leaves_deliveries();
}

async fn a_delivery_is_made_again(app: TestApp) {
    let office = app.key("default", "admin").await;
    let admin = Admin::with(&app, &office).await;
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    app.deliver(&receivers).await;
    let first = receivers.take();
    let id = only(&app).await.id;
    let again = format!("/console/deliveries/{id}/again");
    let answer = admin.send(&again, &[]).expect(303).await;
    let told = record(&app, &answer).await;
    assert_eq!(told.0, "console.delivery.again");
    assert_eq!(told.2, named(&office));
    app.deliver(&receivers).await;
    let second = receivers.take();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].id, first[0].id, "one message, one id");
    let page = admin
        .get(&format!("/console/deliveries/{id}"))
        .expect(200)
        .await;
    assert!(page.text().contains("2. delivered"), "{}", page.text());
}

async fn lists_are_paged(app: TestApp) {
    let admin = Admin::new(&app).await;
    let (_, key) = told(&app).await;
    for number in 0..27 {
        verify(&app, &key, &format!("order-{number}")).await;
        app.advance(std::time::Duration::from_secs(1));
    }
    let page = |text: &str| text.matches("verification.verified").count();
    let first = admin.get("/console/deliveries").expect(200).await.text();
    assert_eq!(page(&first), 25);
    let (_, rest) = first.split_once("status=all&amp;cursor=").unwrap();
    let cursor = rest.split('"').next().unwrap();
    let next = format!("/console/deliveries?status=all&cursor={cursor}");
    let second = admin.get(&next).expect(200).await.text();
    assert_eq!(page(&second), 2, "{second}");
    assert!(!second.contains("cursor="));
    app.leaves_deliveries();
}

async fn another_companys_deliveries_are_not_there(app: TestApp) {
    let (_, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    let id = only(&app).await.id;
    app.company("other").await;
    let office = app.key("other", "admin").await;
    let admin = Admin::with(&app, &office).await;
    let list = admin.get("/console/deliveries").expect(200).await;
    assert!(!list.text().contains(&id.to_string()));
    admin
        .get(&format!("/console/deliveries/{id}"))
        .expect(404)
        .await;
    for form in ["open", "again"] {
        admin
            .send(&format!("/console/deliveries/{id}/{form}"), &[])
            .expect(404)
            .await;
    }
    app.leaves_deliveries();
}
