//! Quotas against a real Redis: exact, shared, coalesced, and never in the way when it is gone.

use std::sync::Arc;
use std::time::Duration;

use app::quota::{Quota, QuotaHealth, QuotaKey, Verdict};
use bonafide::quota::redis::{Patience, RedisQuota};
use bonafide::quota::steady_clock;
use domain::rate::{Rate, SlidingWindow};
use futures_util::future::join_all;
use test_support::{Redis, redis::for_test};
use tokio::time::{interval, timeout};

use crate::harness::GENEROUS;

/// A quota for which a Redis that is merely slow, on a machine full of tests, is not lost.
async fn quota(url: &str) -> Arc<RedisQuota> {
    impatient(url, GENEROUS).await
}

async fn impatient(url: &str, patience: Patience) -> Arc<RedisQuota> {
    let quota = RedisQuota::connect(url, steady_clock(), patience).await;
    Arc::new(quota.unwrap())
}

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

/// A key no other run of the tests uses, for Redis may be shared.
fn key(group: &str) -> QuotaKey {
    QuotaKey::new(group, &uuid::Uuid::from_bytes(random()).to_string())
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes
}

async fn granted(quotas: &[&RedisQuota], key: &QuotaKey, rate: Rate, each: usize) -> usize {
    let takes = quotas
        .iter()
        .flat_map(|quota| (0..each).map(|_| quota.take(key, rate, 1)));
    join_all(takes)
        .await
        .iter()
        .filter(|verdict| verdict.is_granted())
        .count()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut tick = interval(Duration::from_millis(10));
    let polling = async {
        while !holds() {
            tick.tick().await;
        }
    };
    timeout(Duration::from_secs(10), polling)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_exactly_the_limit() {
    let redis = for_test().unwrap();
    let (quota, key, rate) = (quota(redis.url()).await, key("exact"), rate("5/1m"));
    assert_eq!(quota.health(), QuotaHealth::Shared);
    assert_eq!(quota.take(&key, rate, 0).await.permit().remaining, 5);
    assert_eq!(granted(&[&quota], &key, rate, 50).await, 5);
    let Verdict::Refused {
        permit,
        retry_after,
    } = quota.take(&key, rate, 0).await
    else {
        panic!("a sixth would pass");
    };
    assert_eq!(permit.remaining, 0);
    assert_eq!(permit.reset, retry_after);
    assert!(retry_after > Duration::from_secs(50) && retry_after <= Duration::from_secs(60));
}

#[tokio::test]
async fn each_is_told_what_its_own_request_left() {
    let redis = for_test().unwrap();
    let (quota, key, rate) = (quota(redis.url()).await, key("order"), rate("3/1m"));
    let verdicts = join_all((0..5).map(|_| quota.take(&key, rate, 1))).await;
    let seen = verdicts
        .iter()
        .map(|verdict| (verdict.is_granted(), verdict.permit().remaining));
    let expected = [(true, 2), (true, 1), (true, 0), (false, 0), (false, 0)];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn refused_requests_leave_no_trace_and_the_window_slides() {
    let redis = for_test().unwrap();
    let (quota, key, rate) = (quota(redis.url()).await, key("slide"), rate("2/1s"));
    assert_eq!(granted(&[&quota], &key, rate, 2).await, 2);
    // Asking all the time must not keep the window full.
    let mut tick = interval(Duration::from_millis(20));
    let asking = async {
        loop {
            tick.tick().await;
            if let Verdict::Granted(permit) = quota.take(&key, rate, 1).await {
                return permit;
            }
        }
    };
    let permit = timeout(Duration::from_secs(5), asking).await.unwrap();
    assert_eq!(permit.remaining, 1);
    let lowered = Rate::new(1, rate.window()).unwrap();
    assert!(!quota.take(&key, lowered, 1).await.is_granted());
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_share_a_window() {
    let redis = for_test().unwrap();
    let (one, two) = (quota(redis.url()).await, quota(redis.url()).await);
    assert_eq!(
        granted(&[&one, &two], &key("shared"), rate("7/1m"), 50).await,
        7
    );
}

/// How many scripts the server has run.
async fn script_calls(url: &str) -> u64 {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd("INFO");
    let info: String = command
        .arg("commandstats")
        .query_async(&mut connection)
        .await
        .unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let calls = line.and_then(|line| line.split(',').next()).unwrap_or("0");
    calls.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_together_share_a_call() {
    let server = Redis::start().unwrap();
    let (quota, rate) = (quota(&server.url()).await, rate("300/1m"));
    let keys = [key("a"), key("b")];
    let before = script_calls(&server.url()).await;
    let takes = (0..1000).map(|number| quota.take(&keys[number % 2], rate, 1));
    let verdicts = join_all(takes).await;
    assert_eq!(
        verdicts
            .iter()
            .filter(|verdict| verdict.is_granted())
            .count(),
        600
    );
    let calls = script_calls(&server.url()).await - before;
    assert!(
        (2..100).contains(&calls),
        "{calls} calls for 1000 requests on two keys"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_busy_window_grants_ahead_is_counted_for_all() {
    let server = Redis::start().unwrap();
    let (one, two) = (quota(&server.url()).await, quota(&server.url()).await);
    let (busy, rate) = (key("busy"), rate("100000/1h"));
    // So many at once that some wait together, on a machine full of tests as well.
    assert_eq!(granted(&[&one], &busy, rate, 500).await, 500);
    let before = script_calls(&server.url()).await;
    for number in 501..=2000 {
        let verdict = one.take(&busy, rate, 1).await;
        assert!(verdict.is_granted());
        assert_eq!(verdict.permit().remaining, 100_000 - number);
    }
    let calls = script_calls(&server.url()).await - before;
    assert!(calls < 400, "{calls} calls for requests one after another");
    let mut tick = interval(Duration::from_millis(10));
    let counted = async {
        while two.take(&busy, rate, 0).await.permit().remaining != 98_000 {
            tick.tick().await;
        }
    };
    timeout(Duration::from_secs(10), counted).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_window_outlives_redis() {
    let mut server = Redis::start().unwrap();
    let quota = quota(&server.url()).await;
    let (busy, rate) = (key("busy"), rate("10000/1h"));
    assert_eq!(granted(&[&quota], &busy, rate, 500).await, 500);
    server.kill().unwrap();
    // What was counted is forgotten with Redis: this process begins anew, and keeps the limit.
    let quotas = [&*quota];
    let alone = granted(&quotas, &busy, rate, 11_000);
    let alone = timeout(Duration::from_secs(5), alone).await.unwrap();
    assert!((10_000..=10_010).contains(&alone), "{alone}");
    assert!(matches!(quota.health(), QuotaHealth::Degraded { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_redis_is_replaced_and_taken_back() {
    let mut server = Redis::start().unwrap();
    let (one, two) = (quota(&server.url()).await, quota(&server.url()).await);
    let rate = rate("4/1m");
    let first = key("outage");
    assert_eq!(granted(&[&one, &two], &first, rate, 10).await, 4);

    server.kill().unwrap();
    // Each decides for itself, and at once.
    let quotas = [&*one, &*two];
    let alone = granted(&quotas, &first, rate, 10);
    assert_eq!(timeout(Duration::from_secs(2), alone).await.unwrap(), 8);
    for quota in [&one, &two] {
        assert!(matches!(quota.health(), QuotaHealth::Degraded { .. }));
    }

    server.start_again().unwrap();
    let both = || one.health() == QuotaHealth::Shared && two.health() == QuotaHealth::Shared;
    until("both return to Redis", both).await;
    assert_eq!(granted(&[&one, &two], &key("after"), rate, 10).await, 4);
}

#[tokio::test]
async fn a_silent_redis_delays_nobody_for_long() {
    // Accepts connections and never answers: what a hung machine looks like.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let begun = impatient(&url, Patience::default());
    let quota = timeout(Duration::from_secs(3), begun).await.unwrap();
    let (quotas, key) = ([&*quota], key("silent"));
    let taken = granted(&quotas, &key, rate("4/1m"), 9);
    assert_eq!(timeout(Duration::from_secs(1), taken).await.unwrap(), 4);
    assert!(matches!(quota.health(), QuotaHealth::Degraded { .. }));
}

#[tokio::test]
async fn an_impossible_address_is_an_error_without_the_password() {
    let url = "http://user:hunter2@host";
    let Err(error) = RedisQuota::connect(url, steady_clock(), GENEROUS).await else {
        panic!("connected to HTTP");
    };
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn works_on_a_cluster() {
    let server = Redis::start_cluster_node().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut node = client.get_multiplexed_async_connection().await.unwrap();
    let mut slots = redis::cmd("CLUSTER");
    let slots = slots.arg("ADDSLOTSRANGE").arg(0).arg(16_383);
    slots.exec_async(&mut node).await.unwrap();

    let url = server.url().replace("redis://", "redis+cluster://");
    let quota = quota(&url).await;
    until("the cluster is up", || {
        quota.health() == QuotaHealth::Shared
    })
    .await;
    let rate = rate("5/1m");
    for group in ["a", "b", "c"] {
        assert_eq!(granted(&[&quota], &key(group), rate, 20).await, 5);
    }
}

/// The script with its clock in our hands must agree with the rules it was written from.
#[tokio::test]
async fn the_script_keeps_the_rules_of_the_domain() {
    let redis = for_test().unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let source = include_str!("../../src/quota/take.lua");
    let timed = source.replace("redis.call('TIME')", "{ ARGV[5], ARGV[6] }");
    assert_ne!(source, timed);
    let script = redis::Script::new(&timed);

    for _ in 0..20 {
        let (mut window, mut now) = (SlidingWindow::default(), 1_700_000_000_000_u64);
        let key = key("rules");
        for _ in 0..100 {
            let [kind, step, wanted, limit, ..] = random();
            now = match kind {
                0..8 => now - 200_000,
                8..32 => now - u64::from(step),
                32..128 => now + u64::from(step) / 8,
                128..240 => now + u64::from(step) * 40,
                240.. => now + 100_000,
            };
            let limit = if limit < 32 { "3/1m" } else { "9/1m" };
            let (rate, wanted) = (rate(limit), u64::from(wanted % 4));
            let mut call = script.key(key.as_str());
            call.arg(rate.limit())
                .arg(rate.window_ms())
                .arg(rate.granule_ms())
                .arg(wanted);
            call.arg(now / 1000).arg(now % 1000 * 1000);
            let answer: [u64; 4] = call.invoke_async(&mut connection).await.unwrap();
            let taken = window.take(now, rate, wanted);
            let (reset, retry) = (taken.reset.as_millis(), taken.retry_after.as_millis());
            let expected = [taken.granted.into(), taken.remaining.into(), reset, retry];
            assert_eq!(answer.map(u128::from), expected);
        }
    }
}
