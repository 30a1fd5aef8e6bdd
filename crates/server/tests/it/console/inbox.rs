//! The inbox in the console: lists, what an event says when asked for, and processing again.

use app::inbox::{Handled, Trouble};

use super::{Admin, named, record};
use crate::harness::{TestApp, flows};
use crate::inbox::{Told, event, hook, only, taking, work};

flows!(
    an_event_is_listed_by_what_became_of_it,
    what_an_event_says_is_shown_when_asked_for,
    what_was_parked_is_processed_again,
    everything_parked_is_processed_again,
    what_nobody_wants_is_a_name_alone,
    lists_of_events_are_paged,
    another_companys_events_are_not_there,
);

async fn an_event_is_listed_by_what_became_of_it(app: TestApp) {
    let app = taking(&app).await;
    let admin = Admin::new(&app).await;
    let empty = admin.get("/console/inbox").expect(200).await.text();
    assert!(empty.contains("Nothing yet"), "{empty}");
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    let id = only(&app).await.id.to_string();
    let lists = async |admin: &Admin| {
        let mut there = Vec::new();
        for list in ["all", "waiting", "parked"] {
            let page = admin.get(&format!("/console/inbox?status={list}"));
            there.push(page.expect(200).await.text().contains(&id));
        }
        there
    };
    assert_eq!(lists(&admin).await, [true, true, false]);
    work(&app, &Told::new(|_| Err(Trouble::person("broken")))).await;
    assert_eq!(lists(&admin).await, [true, false, true]);
    let page = admin.get(&format!("/console/inbox/{id}")).expect(200).await;
    for expected in ["customer.updated", "Square", "Parked", "broken"] {
        assert!(
            page.text().contains(expected),
            "{expected}: {}",
            page.text()
        );
    }
    assert!(!page.text().contains("marker@example.com"));
    admin.get("/console/inbox?status=lost").expect(404).await;
    admin.get("/console/inbox?cursor=x").expect(400).await;
    admin.get("/console/inbox/x").expect(404).await;
}

async fn what_an_event_says_is_shown_when_asked_for(app: TestApp) {
    let app = taking(&app).await;
    let admin = Admin::new(&app).await;
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    let id = only(&app).await.id;
    let answer = admin.send(&format!("/console/inbox/{id}/open"), &[]);
    let answer = answer.expect(200).await;
    assert!(answer.text().contains("marker@example.com"));
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records[0].record.action, "console.inbox.open");
    assert_eq!(records[0].record.detail, Some(format!("event={id}")));
}

async fn what_was_parked_is_processed_again(app: TestApp) {
    let app = taking(&app).await;
    let office = app.key("default", "admin").await;
    let admin = Admin::with(&app, &office).await;
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    work(&app, &Told::new(|_| Err(Trouble::person("broken")))).await;
    let id = only(&app).await.id;
    let answer = admin.send(&format!("/console/inbox/{id}/again"), &[]);
    let answer = answer.expect(303).await;
    let told = record(&app, &answer).await;
    let expected = ("console.inbox.again".into(), "ok".into(), named(&office));
    assert_eq!(told, expected);
    let handler = Told::new(|_| Ok(Handled::done("linked")));
    work(&app, &handler).await;
    assert_eq!(handler.take(), ["e-1"]);
    let page = admin.get(&format!("/console/inbox/{id}")).expect(200).await;
    assert!(page.text().contains("Processed"), "{}", page.text());
}

async fn everything_parked_is_processed_again(app: TestApp) {
    let app = taking(&app).await;
    let admin = Admin::new(&app).await;
    for name in ["e-1", "e-2", "e-3"] {
        hook(&app, &event(name, name)).expect(200).await;
    }
    work(&app, &Told::new(|_| Err(Trouble::person("broken")))).await;
    let answer = admin.send("/console/inbox/again", &[]).expect(303).await;
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records[0].record.detail.as_deref(), Some("events=3"));
    let handler = Told::new(|_| Ok(Handled::done("linked")));
    work(&app, &handler).await;
    assert_eq!(handler.take().len(), 3);
}

async fn what_nobody_wants_is_a_name_alone(app: TestApp) {
    let app = taking(&app).await;
    let admin = Admin::new(&app).await;
    let mut unwanted = event("e-1", "c-1");
    unwanted["type"] = "invoice.published".into();
    hook(&app, &unwanted).expect(200).await;
    let id = only(&app).await.id;
    let page = admin.get(&format!("/console/inbox/{id}")).expect(200).await;
    assert!(page.text().contains("Only its name is kept"));
    assert!(!page.text().contains("Process it again"));
    let open = admin.send(&format!("/console/inbox/{id}/open"), &[]);
    open.expect(410).await;
}

async fn lists_of_events_are_paged(app: TestApp) {
    let app = taking(&app).await;
    let admin = Admin::new(&app).await;
    for number in 0..27 {
        hook(&app, &event(&format!("e-{number}"), "c-1"))
            .expect(200)
            .await;
    }
    for list in ["all", "waiting"] {
        let path = format!("/console/inbox?status={list}");
        let first = admin.get(&path).expect(200).await.text();
        assert_eq!(first.matches("customer.updated").count(), 25);
        let (_, rest) = first.split_once("&amp;cursor=").unwrap();
        let cursor = rest.split('"').next().unwrap();
        let next = admin.get(&format!("{path}&cursor={cursor}"));
        let second = next.expect(200).await.text();
        assert_eq!(second.matches("customer.updated").count(), 2, "{second}");
        assert!(!second.contains("cursor="));
    }
}

async fn another_companys_events_are_not_there(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    let id = only(&app).await.id.to_string();
    app.company("other").await;
    let admin = Admin::with(&app, &app.key("other", "admin").await).await;
    for list in ["all", "waiting", "parked"] {
        let page = admin.get(&format!("/console/inbox?status={list}"));
        assert!(!page.expect(200).await.text().contains(&id));
    }
    let path = format!("/console/inbox/{id}");
    admin.get(&path).expect(404).await;
    for form in ["open", "again"] {
        admin.send(&format!("{path}/{form}"), &[]).expect(404).await;
    }
}
