//! Searching the log: what is found is what reading all of it finds, indexed or not.

use std::time::Duration;

use domain::audit::{Outcome, Record};
use domain::seal::BlindIndex;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::customers::{CHECK, check, prove};
use crate::harness::{Call, TestApp, flows};

flows!(
    what_is_found_is_what_is_there_indexed_or_not,
    a_page_follows_the_other_while_more_is_written,
    a_person_is_found_by_what_people_know_of_them,
    a_request_is_found_by_its_id,
    a_tenant_sees_its_own,
    what_cannot_be_meant_is_refused,
    the_log_is_read_out_line_by_line,
    a_page_that_finds_nothing_ends_and_the_next_goes_on,
);

pub const AUDIT: &str = "/api/v1/audit";

/// Enough for two blocks of the index and a tail.
const MANY: usize = 5000;

fn search(app: &TestApp, key: &str, query: &str) -> Call {
    app.get(&format!("{AUDIT}?{query}")).key(key)
}

/// Every page of a search, from the first to the last.
async fn found(app: &TestApp, key: &str, query: &str) -> Vec<Value> {
    let (mut records, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = search(app, key, &format!("{query}{cursor}"))
            .expect(200)
            .await;
        records.extend(page.json["records"].as_array().unwrap().iter().cloned());
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return records,
        }
    }
}

fn ids(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record["id"].as_str().unwrap())
        .collect()
}

/// The subject of the nth record: a few people, of whom some are met rarely.
fn subject(n: usize) -> Option<BlindIndex> {
    let person = match n % 1000 {
        0 => 7,
        1..=9 => 8,
        _ if n.is_multiple_of(3) => return None,
        _ => u8::try_from(n % 5).unwrap(),
    };
    BlindIndex::from_bytes(&[person; 16])
}

/// The nth record, of all kinds.
fn record(app: &TestApp, n: usize) -> Record {
    let word = |is_rare, rare, usual| if is_rare { rare } else { usual };
    Record {
        at: app.now(),
        request_id: format!("request-{n}").into(),
        company: word(n.is_multiple_of(7), "acme", "default").into(),
        credential: "command".into(),
        action: word(n.is_multiple_of(900), "thing.rare", "thing.usual").into(),
        subject: subject(n),
        outcome: Outcome {
            code: word(n.is_multiple_of(11), "not_found", "ok").into(),
            status: 200,
        },
        latency: 1,
        occurrences: 1,
        data_key: None,
        client: None,
        detail: None,
    }
}

/// Writes many records of all kinds, a second every so many.
async fn write_many(app: &TestApp, many: usize, a_second: usize) {
    for chunk in 0..many / a_second {
        let records = (0..a_second).map(|at| record(app, chunk * a_second + at));
        let written = records.map(|record| app.app.store.append(record));
        for appended in join_all(written).await {
            appended.unwrap();
        }
        app.advance(Duration::from_secs(1));
    }
}

async fn what_is_found_is_what_is_there_indexed_or_not(app: TestApp) {
    let key = app.key("default", "admin").await;
    write_many(&app, MANY, 100).await;
    let seventh = "07".repeat(16);
    let eighth = "08".repeat(16);
    let queries = [
        "action=thing.usual&outcome=not_found".to_owned(),
        "action=thing.rare".to_owned(),
        "company=acme&action=thing.rare".to_owned(),
        "company=nobody".to_owned(),
        format!("subject={seventh}"),
        format!("subject={eighth}&outcome=ok&company=default"),
        "action=thing.usual&from=2025-01-01T00:00:10Z&to=2025-01-01T00:00:12Z".to_owned(),
    ];
    let wanted: [&dyn Fn(usize) -> bool; 7] = [
        &|n| !n.is_multiple_of(900) && n.is_multiple_of(11),
        &|n| n.is_multiple_of(900),
        &|n| n.is_multiple_of(900) && n.is_multiple_of(7),
        &|_| false,
        &|n| n.is_multiple_of(1000),
        &|n| (1..=9).contains(&(n % 1000)) && !n.is_multiple_of(11) && !n.is_multiple_of(7),
        &|n| (1000..1200).contains(&n) && !n.is_multiple_of(900),
    ];
    let mut before = Vec::new();
    for (query, wanted) in queries.iter().zip(wanted) {
        let found = found(&app, &key, &format!("{query}&limit=97")).await;
        let mut names: Vec<_> = found
            .iter()
            .map(|record| record["request_id"].clone())
            .collect();
        names.sort_by_key(|name| {
            name.as_str()
                .unwrap()
                .trim_start_matches("request-")
                .parse::<usize>()
                .unwrap()
        });
        let expected: Vec<_> = (0..MANY)
            .filter(|n| wanted(*n))
            .map(|n| json!(format!("request-{n}")))
            .collect();
        assert_eq!(names, expected, "{query}");
        let times: Vec<_> = found
            .iter()
            .map(|record| record["at"].as_str().unwrap())
            .collect();
        assert!(
            times.is_sorted_by(|left, right| left >= right),
            "{query}: the newest first"
        );
        before.push(found);
    }
    let blocks = app::audit::extend_index(&app.app).await.unwrap();
    assert!(blocks >= 1, "nothing was indexed");
    assert_eq!(
        app::audit::extend_index(&app.app).await.unwrap(),
        0,
        "all is indexed"
    );
    for (query, before) in queries.iter().zip(&before) {
        let again = found(&app, &key, &format!("{query}&limit=97")).await;
        assert_eq!(ids(&again), ids(before), "{query}");
    }
    app.assert_audit_is_clean().await;
}

async fn a_page_follows_the_other_while_more_is_written(app: TestApp) {
    let key = app.key("default", "audit:read").await;
    for _ in 0..5 {
        search(&app, &key, "limit=1").expect(200).await;
    }
    // Each page is itself recorded, and comes before what is being read.
    let records = found(&app, &key, "limit=2").await;
    let mut seen = ids(&records);
    assert_eq!(seen.len(), 5);
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

async fn a_person_is_found_by_what_people_know_of_them(app: TestApp) {
    let key = app
        .key("default", "customers:read customers:write audit:read")
        .await;
    prove(&app, &key, "ann@example.com", "veriff", true).await;
    check(&app, &key, &json!({"email": "bob@example.com"}))
        .expect(200)
        .await;
    check(&app, &key, &json!({"phone": "+12345678900"}))
        .expect(200)
        .await;
    let of_ann = found(&app, &key, "email=Ann%40Example.com").await;
    assert_eq!(of_ann.len(), 1);
    assert_eq!(of_ann[0]["action"], "customer.update");
    let subject = of_ann[0]["subject"].as_str().unwrap();
    let by_subject = found(&app, &key, &format!("subject={subject}")).await;
    assert_eq!(ids(&by_subject), ids(&of_ann));
    assert_eq!(found(&app, &key, "phone=%2B12345678900").await.len(), 1);
    assert!(found(&app, &key, "number=%2B12025550123").await.is_empty());
    assert!(found(&app, &key, "customer_id=c1").await.is_empty());
}

async fn a_request_is_found_by_its_id(app: TestApp) {
    let key = app.key("default", "customers:read audit:read").await;
    let answer = check(&app, &key, &json!({"email": "ann@example.com"}))
        .expect(200)
        .await;
    app.advance(Duration::from_secs(3600));
    let query = format!("request_id={}", answer.request_id());
    let records = found(&app, &key, &query).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["action"], "customer.check");
    assert_eq!(records[0]["outcome"], "ok");
    assert_eq!(records[0]["status"], 200);
    assert_eq!(records[0]["company"], "default");
}

async fn a_tenant_sees_its_own(app: TestApp) {
    app.company("acme").await;
    let ours = app.key("default", "audit:read").await;
    let theirs = app.key("acme", "audit:read").await;
    let admin = app.key("default", "admin").await;
    app.post(CHECK).key("bf_bad").expect(401).await;
    search(&app, &theirs, "").expect(200).await;
    for record in found(&app, &ours, "").await {
        assert_eq!(record["company"], "default");
    }
    search(&app, &ours, "company=acme").expect(400).await;
    let of_theirs = found(&app, &admin, "company=acme").await;
    assert_eq!(of_theirs.len(), 1);
    let refused = found(&app, &admin, "outcome=unauthenticated").await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["company"], "");
    let reader = app.key("default", "customers:read").await;
    search(&app, &reader, "").expect(403).await;
}

async fn what_cannot_be_meant_is_refused(app: TestApp) {
    let key = app.key("default", "admin").await;
    for query in [
        "cursor=x",
        "limit=0",
        "from=yesterday",
        "to=2025",
        "company=NO%20company",
        "email=nobody",
        "phone=12",
        "subject=12",
        "action=",
        "action=%00",
        "outcome=a%00",
        "request_id=%00",
        "customer_id=%00",
        "email=ann%40example.com",
        "company=default&email=ann%40example.com&customer_id=c1",
    ] {
        let answer = search(&app, &key, query).expect(400).await;
        assert_eq!(answer.json["error"]["code"], "invalid_request", "{query}");
    }
}

async fn the_log_is_read_out_line_by_line(app: TestApp) {
    app.company("acme").await;
    let ours = app.key("default", "audit:read customers:read").await;
    let theirs = app.key("acme", "customers:read").await;
    for key in [&ours, &theirs, &ours] {
        check(&app, key, &json!({"email": "ann@example.com"}))
            .expect(200)
            .await;
        app.advance(Duration::from_secs(60));
    }
    let read = async |query: &str| {
        let path = format!("{AUDIT}/export{query}");
        let answer = app.get(&path).key(&ours).expect(200).await;
        assert_eq!(answer.headers["content-type"], "application/x-ndjson");
        let lines: Vec<Value> = answer
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        lines
    };
    let lines = read("").await;
    assert!(lines.iter().all(|line| line["company"] == "default"));
    let checks = |lines: &[Value]| {
        let checks = lines
            .iter()
            .filter(|line| line["action"] == "customer.check");
        checks.count()
    };
    assert_eq!(checks(&lines), 2);
    let later = read("?from=2025-01-01T00:01:00Z&to=2025-01-01T00:03:00Z").await;
    assert_eq!((later.len(), checks(&later)), (1, 1));
    app.get(&format!("{AUDIT}/export?from=x"))
        .key(&ours)
        .expect(400)
        .await;
    app.get(&format!("{AUDIT}/export"))
        .key(&theirs)
        .expect(403)
        .await;
}

/// More than is read for one page, in parts that are not indexed and in parts that are.
async fn a_page_that_finds_nothing_ends_and_the_next_goes_on(app: TestApp) {
    const MORE: usize = 40_000;
    let key = app.key("default", "admin").await;
    write_many(&app, MORE, 1_000).await;
    let subject = "07".repeat(16);
    for _ in 0..2 {
        let (mut pages, mut found, mut cursor) = (0, Vec::new(), String::new());
        loop {
            let query = format!("request_id=request-5{cursor}");
            let page = search(&app, &key, &query).expect(200).await.json;
            pages += 1;
            found.extend(page["records"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found.len(), 1);
        assert!((2..=4).contains(&pages), "{pages} pages");
        // What is known to be nowhere is answered at once, and whoever is indexed too.
        let nobody = search(&app, &key, "action=thing.new").expect(200).await;
        assert_eq!(nobody.json["records"], json!([]));
        let person = self::found(&app, &key, &format!("subject={subject}")).await;
        assert_eq!(person.len(), MORE / 1000);
        app::audit::extend_index(&app.app).await.unwrap();
    }
    let nobody = search(&app, &key, "action=thing.new").expect(200).await;
    assert_eq!(nobody.json["next_cursor"], Value::Null);
}
