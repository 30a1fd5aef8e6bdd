//! The log's line of a panic names the request that it ended, and says nothing of what was said.

use axum::Router;
use axum::routing::any;
use bonafide::http::Shared;
use bonafide::telemetry::report_panic;

use crate::harness::{TestApp, flows, logged};

flows!(a_panic_is_told_with_its_request);

async fn panics() {
    panic!("marker-of-a-person");
}

async fn a_panic_is_told_with_its_request(app: TestApp) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report_panic(panic);
        before(panic);
    }));
    let routes = Router::<Shared>::new().route("/api/v1/panic", any(panics));
    let answer = app
        .behind_the_edge(routes)
        .get("/api/v1/panic")
        .expect(500)
        .await;
    let logged = logged();
    let id = format!("request_id=\"{}\"", answer.request_id());
    let lines: Vec<_> = logged.lines().filter(|line| line.contains(&id)).collect();
    let told = lines
        .iter()
        .find(|line| line.contains("a task panicked"))
        .unwrap();
    assert!(told.contains("panics.rs:"), "{told}");
    assert!(!logged.contains("marker-of-a-person"));
}
