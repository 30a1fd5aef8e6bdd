//! What a receiver's answer means.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use domain::delivery::Outcome;

use super::receiver::{Receiver, status};
use super::{outcome, send, settings};

#[tokio::test]
async fn only_2xx_is_delivered_and_410_is_the_end() {
    let receiver = Receiver::start(|path| status(path[1..].parse().unwrap())).await;
    for (answered, expected) in [
        (200, Outcome::Delivered { status: 200 }),
        (202, Outcome::Delivered { status: 202 }),
        (204, Outcome::Delivered { status: 204 }),
        (304, Outcome::Refused { status: 304 }),
        (400, Outcome::Refused { status: 400 }),
        (404, Outcome::Refused { status: 404 }),
        (410, Outcome::Gone),
        (500, Outcome::Refused { status: 500 }),
    ] {
        let url = receiver.url(&format!("/{answered}"));
        assert_eq!(outcome(settings(), &url).await, expected);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let receiver = Receiver::start(|path| {
        let redirect = path[1..].parse().ok().map(|status: u16| {
            Response::builder()
                .status(status)
                .header("location", "/elsewhere")
                .body(Body::empty())
                .unwrap()
        });
        redirect.unwrap_or_else(|| status(200))
    })
    .await;
    for status in [301, 302, 303, 307, 308] {
        let url = receiver.url(&format!("/{status}"));
        assert_eq!(outcome(settings(), &url).await, Outcome::Refused { status });
    }
    let targets: Vec<_> = receiver
        .received()
        .into_iter()
        .map(|received| received.target)
        .collect();
    assert_eq!(targets, ["/301", "/302", "/303", "/307", "/308"]);
}

#[tokio::test]
async fn a_wish_to_be_left_alone_is_heard() {
    let receiver = Receiver::start(|path| {
        let (status, wish) = match path {
            "/seconds" => (429, "120"),
            "/date" => (429, "Fri, 20 Nov 2026 12:02:00 GMT"),
            "/past" => (503, "Fri, 20 Nov 2026 11:00:00 GMT"),
            _ => (503, "later"),
        };
        Response::builder()
            .status(status)
            .header("retry-after", wish)
            .body(Body::empty())
            .unwrap()
    })
    .await;
    for (path, status, wish) in [
        ("/seconds", 429, Some(Duration::from_secs(120))),
        // The clock stands a quarter of a second after noon.
        ("/date", 429, Some(Duration::from_millis(119_750))),
        ("/past", 503, Some(Duration::ZERO)),
        ("/senseless", 503, None),
    ] {
        let answer = send(settings(), &receiver.url(path)).await;
        assert_eq!(answer.outcome, Outcome::Refused { status }, "{path}");
        assert_eq!(answer.retry_after, wish, "{path}");
    }
}
