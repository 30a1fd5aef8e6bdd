//! Requests that are wrong in one way each: every kind, and those whose content is wrong.

use super::bodies;
use super::case::{Case, Head, Person, Sent};
use super::chance::Chance;
use super::framing;

type Make = fn(&Sent, &mut Chance) -> Case;

/// The kind of request that has a shape of failure of its own.
pub const TOKEN: &str = "token";

/// Every kind of request, by name.
pub const KINDS: [(&str, Make); 33] = [
    ("method", wrong_method),
    ("path", wrong_path),
    ("content type", wrong_content_type),
    ("truncated", |sent, chance| {
        with_body(sent, chance, bodies::truncated)
    }),
    ("mutated", |sent, chance| {
        with_body(sent, chance, bodies::mutated)
    }),
    ("wrong type", |sent, chance| {
        with_body(sent, chance, bodies::wrong_type)
    }),
    ("huge number", |sent, chance| {
        with_body(sent, chance, bodies::huge_number)
    }),
    ("nested", |sent, chance| {
        with_body(sent, chance, bodies::nested)
    }),
    ("not UTF-8", |sent, chance| {
        with_body(sent, chance, bodies::not_utf8)
    }),
    ("long field", |sent, chance| {
        with_body(sent, chance, bodies::long_field)
    }),
    ("control characters", |sent, chance| {
        with_body(sent, chance, bodies::control_characters)
    }),
    ("duplicate field", |sent, chance| {
        with_body(sent, chance, bodies::duplicate)
    }),
    ("metadata", |sent, chance| {
        with_body(sent, chance, bodies::wrong_metadata)
    }),
    ("list", |sent, chance| {
        with_body(sent, chance, bodies::wrong_list)
    }),
    ("no object", |sent, chance| {
        with_body(sent, chance, bodies::no_object)
    }),
    ("long body", long_body),
    ("credential", wrong_credential),
    ("two credentials", two_credentials),
    ("request id", wrong_request_id),
    ("idempotency key", wrong_idempotency_key),
    ("encoding", framing::wrong_encoding),
    ("many headers", framing::many_headers),
    ("broken header", framing::broken_header),
    ("length", framing::wrong_length),
    ("early end", framing::early_end),
    ("broken chunks", framing::broken_chunks),
    ("pipelined", pipelined),
    ("target", framing::wrong_target),
    ("no HTTP", framing::no_http),
    ("expect", framing::expectation),
    (TOKEN, token),
    ("administration", administration),
    ("query", wrong_query),
];

/// The paths of the customers surface.
pub const PATHS: [&str; 3] = ["check-verification", "update-verification", "bulk-check"];

fn with_body(sent: &Sent, chance: &mut Chance, make: fn(&Person, &mut Chance) -> Vec<u8>) -> Case {
    let person = sent.person(chance);
    let head = Head::customers(chance.one_of(&PATHS)).with("X-API-Key", &sent.key);
    head.json().with_person(&person).body(make(&person, chance))
}

fn wrong_method(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let method = chance.one_of(&[
        "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "BREW", "post", "P",
    ]);
    let target = chance.one_of(&[
        "/api/v1/customer/check-verification",
        "/api/v1/customer/update-verification",
        "/health",
        "/health/ready",
    ]);
    let head = Head::new(method, target)
        .with("X-API-Key", &sent.key)
        .json();
    let mut case = head.with_person(&person).body(bodies::good_check(&person));
    case.head = method == "HEAD";
    case
}

fn wrong_path(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let path = match chance.below(10) {
        0 => format!("/api/v1/customer/{}", person.email),
        1 => format!("/api/v1/customer/check-verification?email={}", person.email),
        2 => "/api/v1/customer/check-verification/".into(),
        3 => "/api/../../etc/passwd".into(),
        4 => "/api/v1/customer/%00".into(),
        5 => format!("/api/{}", "a/".repeat(1 + chance.below(3_000))),
        6 => "//api//v1//customer".into(),
        7 => format!("/{}", chance.word(20).replace(['?', '#', ' '], "x")),
        8 => "/api/v1/customer/%ff%fe%zz".into(),
        _ => "/API/V1/CUSTOMER/CHECK-VERIFICATION".into(),
    };
    let head = Head::new("POST", &path).with("X-API-Key", &sent.key).json();
    head.with_person(&person).body(bodies::good_check(&person))
}

fn wrong_content_type(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let head = Head::customers("check-verification").with("X-API-Key", &sent.key);
    let kind: Option<&[u8]> = chance.one_of(&[
        None,
        Some(b"text/plain"),
        Some(b"multipart/form-data; boundary=x"),
        Some(b"application/json; charset=latin1"),
        Some(b"application/x-www-form-urlencoded"),
        Some(b"\xff\xfe"),
        Some(b""),
        Some(b";;;"),
        Some(b"application/jsonp"),
        Some(b"application/json; charset=utf-16"),
    ]);
    let head = match kind {
        Some(kind) => head.with("Content-Type", kind),
        None => head,
    };
    head.with_person(&person).body(bodies::good_check(&person))
}

fn long_body(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let path = chance.one_of(&PATHS);
    let least = if path == "bulk-check" { 256 } else { 64 } * 1024;
    let length = least + 1 + chance.below(200_000);
    let body = format!(
        "{{\"email\":\"{}\",\"x\":\"{}\"}}",
        person.email,
        "y".repeat(length)
    );
    let head = Head::customers(path).with("X-API-Key", &sent.key).json();
    if chance.below(2) == 0 {
        return head.body(body);
    }
    let chunks = body.as_bytes().chunks(10_000).map(|chunk| {
        format!(
            "{:x}\r\n{}\r\n",
            chunk.len(),
            String::from_utf8_lossy(chunk)
        )
    });
    let chunks = chunks.collect::<String>();
    head.with("Transfer-Encoding", "chunked")
        .raw(format!("{chunks}0\r\n\r\n"))
}

fn wrong_credential(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let key = &sent.key;
    let (id, secret) = key.rsplit_once('_').unwrap_or((key, key));
    let value = match chance.below(9) {
        0 => key.as_bytes()[..key.len() - 1 - chance.below(10)].to_vec(),
        1 => format!("{key}x").into_bytes(),
        2 => format!("{id}_{}", secret.chars().rev().collect::<String>()).into_bytes(),
        3 => chance.word(10_000).into_bytes(),
        4 => b"\xff\xfe\xfd".to_vec(),
        5 => Vec::new(),
        6 => b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ6cS1wZXJzb24xIn0.".to_vec(),
        7 => person.email.clone().into_bytes(),
        _ => b"bf__".to_vec(),
    };
    let head = Head::customers(chance.one_of(&PATHS)).json();
    let head = match chance.below(4) {
        0 => head.with("X-API-Key", &value),
        1 => head.with("Authorization", [b"Bearer ".as_slice(), &value].concat()),
        2 => head.with("Authorization", [b"Basic ".as_slice(), &value].concat()),
        _ => head.with("Authorization", &value),
    };
    head.with_person(&person).body(bodies::good_update(&person))
}

fn two_credentials(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let wrong = chance.word(30);
    let head = Head::customers("update-verification").json();
    let head = match chance.below(3) {
        0 => head.with("X-API-Key", &wrong).with("X-API-Key", &sent.key),
        1 => head
            .with("X-API-Key", &wrong)
            .with("Authorization", format!("Bearer {}", sent.key)),
        _ => head.with("Authorization", format!("Digest {}", sent.key)),
    };
    head.body(bodies::good_update(&person))
}

fn wrong_request_id(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let id = chance.one_of(&[
        person.email.clone().into_bytes(),
        vec![b'a'; 129],
        b"".to_vec(),
        b"a b".to_vec(),
        b"\xffid".to_vec(),
        b"<script>".to_vec(),
        vec![b'.'; 20_000],
    ]);
    let head = Head::customers("check-verification")
        .with("X-API-Key", &sent.key)
        .json();
    head.with("X-Request-Id", id)
        .body(bodies::no_object(&person, chance))
}

fn wrong_idempotency_key(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let key = chance.one_of(&[
        b"".to_vec(),
        b"\"\"".to_vec(),
        vec![b'k'; 256],
        vec![b'k'; 30_000],
        b"\xff\xff".to_vec(),
        b"\"unclosed".to_vec(),
        b"same".to_vec(),
        b"\ttab".to_vec(),
        person.email.clone().into_bytes(),
    ]);
    let head = Head::customers("update-verification")
        .with("X-API-Key", &sent.key)
        .json();
    let body = if chance.below(2) == 0 {
        bodies::good_update(&person).into_bytes()
    } else {
        bodies::wrong_type(&person, chance)
    };
    head.with("Idempotency-Key", key).body(body)
}

fn pipelined(sent: &Sent, chance: &mut Chance) -> Case {
    let count = 2 + chance.below(4);
    let mut all = with_body(sent, chance, bodies::wrong_type);
    for _ in 1..count {
        let make = chance.one_of(&[
            wrong_method as Make,
            wrong_path,
            wrong_content_type,
            wrong_credential,
        ]);
        let next = make(sent, chance);
        if !next.head {
            all.bytes.extend(next.bytes);
            all.answers += 1;
        }
    }
    all
}

fn token(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let head = Head::new(chance.one_of(&["POST", "PUT"]), "/api/v1/auth/token");
    let kind = chance.one_of(&[
        "application/x-www-form-urlencoded",
        "application/json",
        "text/plain",
    ]);
    let body = match chance.below(6) {
        0 => format!("grant_type=password&username={}", person.email).into_bytes(),
        1 => format!(
            "grant_type=client_credentials&client_id={}&client_secret={}x",
            person.email, sent.key
        )
        .into_bytes(),
        2 => b"grant_type=%ff%fe&&&=&client_id".to_vec(),
        3 => vec![b'a'; 70_000],
        4 => bodies::good_check(&person).into_bytes(),
        _ => chance.bytes(300),
    };
    let head = head.with("Content-Type", kind);
    let head = match chance.below(3) {
        0 => head.with("Authorization", format!("Basic {}", chance.word(40))),
        1 => head.with("Authorization", b"Basic \xff"),
        _ => head,
    };
    head.with_person(&person).body(body)
}

/// By somebody who may not.
fn administration(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let method = chance.one_of(&["GET", "POST", "PATCH", "DELETE"]);
    let path = chance.one_of(&[
        "companies",
        "keys",
        "companies/default",
        "keys/none",
        "keys/none/rotate",
    ]);
    let head = Head::new(method, &format!("/api/v1/admin/{path}"));
    let head = head.with("X-API-Key", &sent.key).json();
    head.with_person(&person)
        .body(bodies::wrong_type(&person, chance))
}

/// A list that is asked for what nothing can be called.
fn wrong_query(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let path = chance.one_of(&[
        "/api/v1/audit",
        "/api/v1/audit/export",
        "/api/v1/orders",
        "/api/v1/orders/%00",
        "/api/v1/admin/keys",
    ]);
    let name = chance.one_of(&[
        "action",
        "outcome",
        "request_id",
        "customer_id",
        "subject",
        "status",
        "company",
        "from",
        "limit",
        "cursor",
    ]);
    let value = match chance.below(6) {
        0 => "%00".into(),
        1 => "a%00b".into(),
        2 => "%ff%fe".into(),
        3 => "'%22;--%5C".into(),
        4 => "9".repeat(1 + chance.below(3_000)),
        _ => format!("x&{name}=y"),
    };
    let head = Head::new("GET", &format!("{path}?{name}={value}"));
    let head = head.with("X-API-Key", &sent.auditor);
    head.with_person(&person).body(Vec::new())
}
