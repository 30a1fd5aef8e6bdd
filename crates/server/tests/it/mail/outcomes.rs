//! What becomes of a mail by what the mail server says.

use std::time::Duration;

use app::Error;

use super::office::Does;
use super::{CUSTOMER, LEASE, Post};
use crate::harness::{TestApp, flows, logged};

flows!(
    a_mail_leaves_once,
    what_is_refused_for_good_is_not_tried_again,
    an_address_that_refused_is_left_alone_for_a_while,
    a_refusal_that_is_not_the_mailboxs_suppresses_nobody,
    what_is_refused_for_now_is_sent_later_under_the_same_name,
    what_has_nothing_to_say_any_more_is_not_sent,
    what_cannot_be_looked_up_is_tried_when_the_lease_ends,
    what_cannot_be_put_together_is_given_up_in_the_end,
    a_process_without_mail_leaves_mails_alone,
);

/// Longer than the first pause between attempts.
const A_MOMENT: Duration = Duration::from_secs(6);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn a_mail_leaves_once(app: TestApp) {
    let post = Post::open(app).await;
    post.order(CUSTOMER).await;
    post.send().await;
    let received = post.office.take();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].to, CUSTOMER);
    assert_eq!(received[0].from, "verify@shop.example");
    assert_eq!(post.words().await, ["delivered delivered"]);
    post.app.advance(DAY);
    post.send().await;
    assert!(post.office.take().is_empty());
}

async fn what_is_refused_for_good_is_not_tried_again(app: TestApp) {
    let post = Post::open(app).await;
    for (step, reply, word) in [
        ("RCPT", "550 5.1.1 no such user", "mailbox_refused"),
        ("RCPT", "550 5.7.1 not from you", "refused"),
        ("DATA", "554 5.6.0 no", "refused"),
        (".", "554 5.7.1 looks like spam", "refused"),
        (".", "552 5.3.4 too large", "refused"),
    ] {
        post.office.behaves();
        post.office.does(step, Does::Says(reply));
        post.order("refused@example.com").await;
        post.send().await;
        assert_eq!(
            post.words().await[0],
            format!("exhausted {word}"),
            "{reply}"
        );
        // The first of them would keep the others from being sent.
        post.app
            .database()
            .sql("DELETE FROM mail_suppressions")
            .await;
    }
    post.app.advance(DAY);
    post.office.behaves();
    post.send().await;
    assert!(post.office.take().is_empty());
    let listed = post.listed().await;
    assert!(listed.iter().all(|listed| listed.attempts == 1));
}

async fn an_address_that_refused_is_left_alone_for_a_while(app: TestApp) {
    let post = Post::open(app).await;
    post.office
        .does("RCPT", Does::Says("550 5.1.1 no such user"));
    let order = post.order("gone@example.com").await;
    post.send().await;
    post.office.behaves();
    post.remind(order).await;
    post.order("gone@example.com").await;
    post.order(CUSTOMER).await;
    post.send().await;
    let words = post.words().await;
    assert_eq!(
        words,
        [
            "delivered delivered",
            "exhausted suppressed",
            "exhausted suppressed",
            "exhausted mailbox_refused",
        ]
    );
    let received = post.office.take();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].to, CUSTOMER);
    assert_eq!(post.app.recorded().await["mail.suppress"], 1);

    // A copy of the database names nobody.
    let kept = post
        .app
        .database()
        .sql("SELECT * FROM mail_suppressions")
        .await;
    assert_eq!(kept.len(), 1);
    assert!(!format!("{kept:?}").contains("gone@"));

    post.app.advance(29 * DAY);
    app::mail::clean_up(&post.app.app).await.unwrap();
    post.remind(order).await;
    post.send().await;
    assert_eq!(post.words().await[0], "exhausted suppressed");
    post.app.advance(DAY);
    assert_eq!(app::mail::clean_up(&post.app.app).await.unwrap(), 1);
    post.remind(order).await;
    post.send().await;
    assert_eq!(post.words().await[0], "delivered delivered");
}

async fn a_refusal_that_is_not_the_mailboxs_suppresses_nobody(app: TestApp) {
    let post = Post::open(app).await;
    for (step, reply, word) in [
        ("MAIL", "550 5.1.8 bad sender", "waiting not_served"),
        ("MAIL", "550 who are you", "waiting not_served"),
        ("GREETING", "554 no service", "waiting not_served"),
        ("RCPT", "550 5.7.1 no relaying", "exhausted refused"),
        ("RCPT", "552 5.2.2 full", "exhausted refused"),
        ("RCPT", "450 4.2.0 later", "waiting deferred"),
    ] {
        post.office.behaves();
        // Every mail begins with a greeting.
        post.office.does("NOOP", Does::HangsUp);
        post.office.does(step, Does::Says(reply));
        post.order(CUSTOMER).await;
        // A worker of its own each time: a line that failed rests.
        post.send().await;
        assert_eq!(post.words().await[0], word, "{step} {reply}");
    }
    assert!(!post.app.recorded().await.contains_key("mail.suppress"));
    post.office.behaves();
    post.app.advance(A_MOMENT);
    post.send().await;
    assert_eq!(post.office.take().len(), 4, "what waited is sent");
    assert!(!logged().contains(CUSTOMER), "no address is in the log");
}

async fn what_is_refused_for_now_is_sent_later_under_the_same_name(app: TestApp) {
    let post = Post::open(app).await;
    for (step, does, word) in [
        ("RCPT", Does::Says("450 4.2.0 greylisted"), "deferred"),
        ("GREETING", Does::Says("421 too busy"), "deferred"),
        ("DATA", Does::Says("451 later"), "deferred"),
        ("DATA", Does::HangsUp, "unreachable"),
        ("GREETING", Does::HangsUp, "unreachable"),
        (".", Does::Says("451 4.3.0 later"), "deferred"),
    ] {
        post.office.behaves();
        post.office.does("NOOP", Does::HangsUp);
        post.office.does(step, does);
        post.order(CUSTOMER).await;
        post.send().await;
        assert_eq!(
            post.words().await[0],
            format!("waiting {word}"),
            "{step} {does:?}"
        );
        assert!(post.office.take().is_empty());
        post.send().await;
        post.office.behaves();
        post.app.advance(A_MOMENT);
        post.send().await;
        assert_eq!(post.words().await[0], "delivered delivered");
        assert_eq!(post.office.take().len(), 1, "{step} {does:?}");
    }
    // Taken, and the news of it lost: the only way to be told twice, and then under one name.
    post.office.does(".", Does::HangsUp);
    post.order(CUSTOMER).await;
    post.send().await;
    post.office.behaves();
    post.app.advance(A_MOMENT);
    post.send().await;
    let received = post.office.take();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].message_id(), received[1].message_id());
    let newest = &post.listed().await[0];
    let name = format!("<{}@shop.example>", newest.id.simple());
    assert_eq!(received[0].message_id(), name);
    assert_eq!(newest.attempts, 2);
}

async fn what_has_nothing_to_say_any_more_is_not_sent(app: TestApp) {
    let post = Post::open(app).await;
    let order = post.order(CUSTOMER).await;
    post.office.does("RCPT", Does::Says("450 later"));
    post.send().await;
    post.office.behaves();
    post.desk.change(order, |order| order.is_over("not_held"));
    post.app.advance(A_MOMENT);
    post.send().await;
    assert!(post.office.take().is_empty());
    let listed = &post.listed().await[0];
    assert_eq!(listed.outcome.as_deref(), Some("not_held"));
    assert_eq!(listed.attempts, 1, "to send nothing is no attempt");
}

async fn what_cannot_be_looked_up_is_tried_when_the_lease_ends(app: TestApp) {
    let post = Post::open(app).await;
    let order = post.order(CUSTOMER).await;
    let away = Error::unavailable("the test says so");
    post.desk.change(order, |order| order.fails(Some(away)));
    post.send().await;
    assert_eq!(post.words().await, ["waiting "]);
    post.desk.change(order, |order| order.fails(None));
    post.send().await;
    assert!(post.office.take().is_empty(), "it is leased");
    post.app.advance(LEASE);
    post.send().await;
    assert_eq!(post.office.take().len(), 1);
    assert_eq!(post.listed().await[0].attempts, 1);
}

async fn what_cannot_be_put_together_is_given_up_in_the_end(app: TestApp) {
    let post = Post::open(app).await;
    let order = post.order(CUSTOMER).await;
    let broken = Error::internal("the test says so");
    post.desk.change(order, |order| order.fails(Some(broken)));
    post.send().await;
    assert_eq!(post.words().await, ["waiting internal"]);
    for _ in 0..7 {
        post.app.advance(2 * DAY);
        post.send().await;
    }
    assert_eq!(post.words().await, ["exhausted internal"]);
    assert!(post.office.take().is_empty());
}

async fn a_process_without_mail_leaves_mails_alone(app: TestApp) {
    let (receivers, key) = crate::deliveries::told(&app).await;
    let post = Post::open(app).await;
    post.order(CUSTOMER).await;
    crate::deliveries::verify(&post.app, &key, "order-81").await;
    post.app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 1, "the webhook is sent");
    post.send().await;
    assert_eq!(post.office.take().len(), 1, "without waiting for a lease");
}
