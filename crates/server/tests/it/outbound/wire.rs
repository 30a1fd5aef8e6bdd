//! What a receiver sees of a delivery.

use app::deliveries::Sender as _;
use domain::delivery::Outcome;
use http::{Method, Version};

use super::receiver::{Receiver, status};
use super::{message, sender, settings};

const DELIVERED: Outcome = Outcome::Delivered { status: 200 };

#[tokio::test]
async fn exactly_the_signed_bytes_and_their_headers() {
    let receiver = Receiver::start(|_| status(200)).await;
    let message = message(&receiver.url("/hooks/a%20b?shop=1&x="));
    let answer = sender(settings()).send(&message).await;
    assert_eq!((answer.outcome, answer.retry_after), (DELIVERED, None));

    let [received] = &receiver.received()[..] else {
        panic!("one request");
    };
    assert_eq!(received.method, Method::POST);
    assert_eq!(received.version, Version::HTTP_11);
    assert_eq!(received.target, "/hooks/a%20b?shop=1&x=");
    assert_eq!(received.body, message.body);
    let mut headers: Vec<_> = received
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let agent = format!("Bonafide/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        ("accept", "*/*".to_owned()),
        ("content-length", message.body.len().to_string()),
        ("content-type", "application/json".to_owned()),
        ("host", format!("127.0.0.1:{}", receiver.port())),
        ("user-agent", agent),
        ("webhook-id", message.id.clone()),
        ("webhook-signature", message.signature.clone()),
        ("webhook-timestamp", "1795176000".to_owned()),
    ];
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn messages_share_a_connection() {
    let body = "x".repeat(60 * 1024);
    let receiver =
        Receiver::start(move |_| axum::response::Response::new(body.clone().into())).await;
    let sender = sender(settings());
    for _ in 0..3 {
        assert_eq!(
            sender.send(&message(&receiver.url("/"))).await.outcome,
            DELIVERED
        );
    }
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|one| one.peer == received[0].peer));
}

#[tokio::test]
async fn http_2_where_it_is_offered() {
    let (receiver, certificate) = Receiver::secure("localhost").await;
    let mut settings = settings();
    settings.extra_roots.push(certificate);
    let message = message(&format!("https://localhost:{}/hooks", receiver.port()));
    assert_eq!(sender(settings).send(&message).await.outcome, DELIVERED);
    let [received] = &receiver.received()[..] else {
        panic!("one request");
    };
    assert_eq!(received.version, Version::HTTP_2);
    assert_eq!(received.body, message.body);
    assert_eq!(received.header("webhook-id"), message.id);
    assert_eq!(received.header("webhook-signature"), message.signature);
}
