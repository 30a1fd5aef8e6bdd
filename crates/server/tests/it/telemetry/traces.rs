//! A collector of OpenTelemetry, at the other end of a real connection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use test_support::ports::free_port;
use test_support::postgres::database_for_test;
use test_support::{Server, ServerBuilder};

use super::{SOON, json as body, until};
use crate::outbound::receiver::{Received, Receiver, status};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn builder(endpoint: String, share: &str) -> ServerBuilder {
    ServerBuilder::new()
        .binary(env!("CARGO_BIN_EXE_bonafide"))
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .variable("OTEL_TRACES_SAMPLER_ARG", share)
}

fn key(server: &Server) -> String {
    let words = ["keys", "create", "--company", "default", "--name", "test"];
    let scopes = ["--scope", "customers:read", "--scope", "orders:read"];
    let made = server.command(words.iter().chain(&scopes)).unwrap();
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// A look at a customer, as part of the caller's trace.
fn check(server: &Server, key: &str, flags: &str) -> RequestBuilder {
    let url = format!("{}/api/v1/customer/check-verification", server.base_url());
    Client::new()
        .post(url)
        .header("X-API-Key", key)
        .header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"))
        .json(&json!({"email": "ann@example.com"}))
}

fn spans(received: &[Received]) -> Vec<Value> {
    let documents = received.iter().map(body);
    let spans = documents.flat_map(|document| {
        let scope = &document["resourceSpans"][0]["scopeSpans"][0];
        scope["spans"].as_array().unwrap().clone()
    });
    spans.collect()
}

fn attributes(of: &Value) -> BTreeMap<String, String> {
    let pairs = of["attributes"].as_array().unwrap().iter();
    let pairs = pairs.map(|pair| {
        let value = pair["value"].as_object().unwrap().values().next().unwrap();
        (pair["key"].as_str().unwrap(), value.as_str().unwrap())
    });
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn nanoseconds(span: &Value, field: &str) -> u128 {
    span[field].as_str().unwrap().parse().unwrap()
}

async fn a_request_is_told(builder: ServerBuilder, collector: &Receiver) {
    let mut server = builder.start().unwrap();
    let key = key(&server);
    let answer = check(&server, &key, "01").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let request_id = answer.headers()["x-request-id"].to_str().unwrap();
    until(collector, |received| !received.is_empty());
    assert!(server.terminate().unwrap().success());

    let received = collector.received();
    assert_eq!(received[0].target, "/v1/traces");
    assert_eq!(received[0].header("content-type"), "application/json");
    assert_eq!(received[0].header("x-key"), "a b");
    let resource = attributes(&body(&received[0])["resourceSpans"][0]["resource"]);
    assert_eq!(resource["service.name"], "bonafide");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));

    let spans = spans(&received);
    let request: Vec<_> = spans.iter().filter(|span| span["kind"] == 2).collect();
    let [request] = request[..] else {
        panic!("{spans:?}");
    };
    assert_eq!(request["traceId"], TRACE);
    assert_eq!(request["parentSpanId"], CALLER);
    assert_eq!(request["name"], "POST /api/v1/customer/check-verification");
    assert_eq!(request["status"]["code"], 0);
    let told = attributes(request);
    let documented = crate::shipping::text("docs/telemetry.md");
    let documented = documented
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<_> = documented.map(|(name, _)| name).collect();
    assert!(told.keys().map(String::as_str).eq(documented), "{told:?}");
    assert_eq!(told["http.route"], "/api/v1/customer/check-verification");
    assert_eq!(told["http.response.status_code"], "200");
    assert_eq!(told["bonafide.action"], "customer.check");
    assert_eq!(told["bonafide.code"], "ok");
    assert_eq!(told["bonafide.request_id"], request_id);

    let work: Vec<_> = spans.iter().filter(|span| span["kind"] == 3).collect();
    let names: BTreeSet<_> = work
        .iter()
        .map(|span| span["name"].as_str().unwrap())
        .collect();
    // Whatever was looked up for the first time is there as well.
    assert!(names.contains("store.find"), "{names:?}");
    let page = crate::shipping::text("docs/telemetry.md");
    assert!(
        names.iter().all(|name| page.contains(&format!("`{name}`"))),
        "{names:?}"
    );
    for span in work {
        assert_eq!(span["traceId"], TRACE);
        assert_eq!(span["parentSpanId"], request["spanId"]);
        let within = |field| {
            nanoseconds(span, field) >= nanoseconds(request, "startTimeUnixNano")
                && nanoseconds(span, field) <= nanoseconds(request, "endTimeUnixNano")
        };
        assert!(
            within("startTimeUnixNano") && within("endTimeUnixNano"),
            "{span} {request}"
        );
    }
    let everything = received
        .iter()
        .map(|one| String::from_utf8_lossy(&one.body).into_owned());
    for sent in ["ann@example.com", key.as_str(), "127.0.0.1"] {
        assert!(
            everything.clone().all(|text| !text.contains(sent)),
            "{sent}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_with_what_it_asked_of_sqlite() {
    let collector = Receiver::start(|_| status(200)).await;
    let builder =
        builder(collector.url("/"), "0").variable("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b");
    a_request_is_told(builder, &collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_with_what_it_asked_of_postgres() {
    let database = database_for_test("traces").unwrap();
    let collector = Receiver::start(|_| status(200)).await;
    let builder = builder(collector.url(""), "0")
        .variable("DATABASE_URL", database.url())
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b");
    a_request_is_told(builder, &collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_traced_is_decided_by_callers_and_else_by_the_share() {
    for (share, expected) in [("0", 1), ("1", 2)] {
        let collector = Receiver::start(|_| status(200)).await;
        let mut server = builder(collector.url(""), share).start().unwrap();
        let key = key(&server);
        for flags in ["00", "01"] {
            assert_eq!(
                check(&server, &key, flags).send().await.unwrap().status(),
                200
            );
        }
        let order = format!("{}/api/v1/orders/of-ann", server.base_url());
        let order = Client::new().get(order).header("X-API-Key", &key);
        assert_eq!(order.send().await.unwrap().status(), 404);
        assert!(server.terminate().unwrap().success());
        let spans = spans(&collector.received());
        // The probe that waited for the start is a request too.
        let ours = spans.iter().filter(|span| {
            span["kind"] == 2 && attributes(span)["bonafide.action"] != "health.live"
        });
        assert_eq!(ours.count(), expected);
        let text = format!("{spans:?}");
        assert!(!text.contains("of-ann"), "paths may name somebody");
        assert_eq!(text.contains("/api/v1/orders/{order_id}"), share == "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_hangs_costs_nothing() {
    let away = format!("http://127.0.0.1:{}", free_port().unwrap());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = format!("http://{}", silent.local_addr().unwrap());
    for endpoint in [away, hangs] {
        let mut server = builder(endpoint, "1").start().unwrap();
        let key = key(&server);
        for _ in 0..20 {
            let asked = Instant::now();
            assert_eq!(
                check(&server, &key, "01").send().await.unwrap().status(),
                200
            );
            assert!(asked.elapsed() < SOON / 4);
        }
        let stopped = Instant::now();
        assert!(server.terminate().unwrap().success());
        assert!(stopped.elapsed() < SOON / 2, "{:?}", stopped.elapsed());
    }
}
