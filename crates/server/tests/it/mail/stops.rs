//! Whoever asks to be left alone is.

use app::mail::Occasion;
use domain::access::CompanyId;
use domain::mail::{Purpose, Ticket};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{CUSTOMER, Post};
use crate::harness::{BASE_URL, TestApp, flows, logged};

flows!(
    the_link_of_a_mail_stops_the_reminders,
    one_click_of_a_mail_program_is_enough,
    asking_changes_nothing,
    no_other_token_is_accepted,
    nobody_learns_whether_an_order_exists,
);

/// The path of the link that the newest mail carries.
async fn link(post: &Post) -> String {
    let received = post.office.take();
    let header = received.last().unwrap().header("List-Unsubscribe").unwrap();
    let link = header.trim_matches(['<', '>']);
    link.strip_prefix(BASE_URL).unwrap().to_owned()
}

async fn the_link_of_a_mail_stops_the_reminders(app: TestApp) {
    let post = Post::open(app).await;
    let order = post.order(CUSTOMER).await;
    post.send().await;
    let path = link(&post).await;
    for _ in 0..2 {
        let answer = post.app.post(&path).expect(200).await;
        assert!(answer.text().contains("No more reminders"));
    }
    for occasion in [Occasion::Between, Occasion::Last] {
        post.desk.change(order, |order| order.is(occasion));
        post.remind(order).await;
        post.send().await;
        assert_eq!(post.words().await[0], "exhausted stopped");
    }
    // Another order of the same person is another matter.
    post.order(CUSTOMER).await;
    post.send().await;
    assert_eq!(post.office.take().len(), 1);
    // That it was given up is told all the same, and has no reminders to stop.
    post.desk.change(order, |order| order.is(Occasion::Expired));
    post.remind(order).await;
    post.send().await;
    let received = post.office.take();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("List-Unsubscribe"), None);
    assert_eq!(post.app.recorded().await["mail.stop"], 2);
    let token = path.rsplit('/').next().unwrap();
    assert!(!logged().contains(token), "a link is a credential");
}

async fn one_click_of_a_mail_program_is_enough(app: TestApp) {
    let post = Post::open(app).await;
    let order = post.order(CUSTOMER).await;
    post.send().await;
    let path = link(&post).await;
    let form = "application/x-www-form-urlencoded";
    let call = post
        .app
        .post(&path)
        .body(form, "List-Unsubscribe=One-Click");
    call.expect(200).await;
    post.remind(order).await;
    post.send().await;
    assert_eq!(post.words().await[0], "exhausted stopped");
}

async fn asking_changes_nothing(app: TestApp) {
    let post = Post::open(app).await;
    let order = post.order(CUSTOMER).await;
    post.send().await;
    let path = link(&post).await;
    let page = post.app.get(&path).expect(200).await;
    assert!(page.text().contains("<form method=\"post\">"));
    let other = post.app.get("/stop/anything").expect(200).await;
    assert_eq!(page.text(), other.text(), "the same for everybody");
    post.remind(order).await;
    post.send().await;
    assert_eq!(post.office.take().len(), 1);
}

fn ticket(purpose: Purpose, post: &Post, lifetime: SignedDuration) -> String {
    let ticket = Ticket {
        purpose,
        company: CompanyId::default(),
        subject: Uuid::from_u128(81),
        expires_at: post.app.now() + lifetime,
    };
    ticket.token(&post.app.app.index_key)
}

async fn no_other_token_is_accepted(app: TestApp) {
    let post = Post::open(app).await;
    let hour = SignedDuration::from_hours(1);
    let good = ticket(Purpose::Stop, &post, hour);
    for token in [
        ticket(Purpose::Verify, &post, hour),
        ticket(Purpose::Stop, &post, SignedDuration::ZERO),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        "x".repeat(10_000),
        "%00".to_owned(),
    ] {
        let answer = post.app.post(&format!("/stop/{token}")).expect(401).await;
        assert!(answer.text().contains("This link does not work"), "{token}");
    }
    let stops = post.app.database().sql("SELECT * FROM mail_stops").await;
    assert!(stops.is_empty());
}

async fn nobody_learns_whether_an_order_exists(app: TestApp) {
    let post = Post::open(app).await;
    post.order(CUSTOMER).await;
    post.send().await;
    let known = post.app.post(&link(&post).await).expect(200).await;
    let unknown = ticket(Purpose::Stop, &post, SignedDuration::from_hours(1));
    let unknown = post.app.post(&format!("/stop/{unknown}")).expect(200).await;
    assert_eq!(known.text(), unknown.text());
}
