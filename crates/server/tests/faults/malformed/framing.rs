//! Requests that HTTP itself has something against: their lines, lengths, chunks and encodings.

use super::bodies;
use super::case::{Case, Head, Sent};
use super::chance::Chance;
use super::requests::PATHS;

pub fn wrong_encoding(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let good = bodies::good_check(&person);
    let (name, value, body) = match chance.below(4) {
        0 => (
            "Content-Encoding",
            "gzip",
            [b"\x1f\x8b\x08\x00".to_vec(), chance.bytes(50)].concat(),
        ),
        1 => ("Content-Encoding", "br", chance.bytes(80)),
        2 => (
            "Accept",
            "image/png",
            good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        _ => ("Accept-Encoding", "gzip;q=x", good.bytes().rev().collect()),
    };
    let head = Head::customers("check-verification")
        .with("X-API-Key", &sent.key)
        .json();
    head.with(name, value).body(body)
}

pub fn many_headers(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let mut head = Head::customers("check-verification").with("X-API-Key", &sent.key);
    let (count, length) = chance.one_of(&[
        (90, 10),
        (150, 10),
        (20, 1_000),
        (3, 15_000),
        (2, 60_000),
        (1, 100_000),
    ]);
    for number in 0..count {
        head = head.with(&format!("X-Filler-{number}"), "f".repeat(length));
    }
    head.with_person(&person).body(bodies::good_check(&person))
}

pub fn broken_header(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let head = Head::customers("check-verification")
        .with("X-API-Key", &sent.key)
        .json();
    let line = match chance.below(7) {
        0 => format!("{}\r\n", person.email).into_bytes(),
        1 => format!("X Y: {}\r\n", person.agent).into_bytes(),
        2 => format!(": {}\r\n", person.address).into_bytes(),
        3 => b"X-Nul: a\0b\r\n".to_vec(),
        4 => format!("X-Folded: a\r\n {}\r\n", person.email).into_bytes(),
        5 => b"X-\xc3\xa9: e\r\n".to_vec(),
        _ => b"X-Bare: a\rb\r\n".to_vec(),
    };
    head.with_line(line).body(bodies::good_check(&person))
}

pub fn wrong_length(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let body = bodies::good_check(&person);
    let head = Head::customers("check-verification")
        .with("X-API-Key", &sent.key)
        .json();
    let head = match chance.below(6) {
        0 => head.with("Content-Length", "-1"),
        1 => head.with("Content-Length", "ten"),
        2 => head.with("Content-Length", "99999999999999999999999"),
        3 => head.with("Content-Length", "5").with("Content-Length", "6"),
        4 => head
            .with("Content-Length", "5")
            .with("Transfer-Encoding", "gzip"),
        _ => head.with("Transfer-Encoding", "chunked, identity"),
    };
    let mut case = head.raw(body);
    case.ends = true;
    case
}

pub fn early_end(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let body = bodies::good_update(&person);
    let head = Head::customers(chance.one_of(&PATHS))
        .with("X-API-Key", &sent.key)
        .json();
    let mut case = match chance.below(3) {
        0 => head
            .with("Content-Length", (body.len() + 10).to_string())
            .raw(body),
        1 => head
            .with("Transfer-Encoding", "chunked")
            .raw(format!("{:x}\r\n{body}", body.len() + 5)),
        _ => head
            .with("Transfer-Encoding", "chunked")
            .raw(format!("{:x}\r\n{body}\r\n", body.len())),
    };
    case.ends = true;
    case
}

pub fn broken_chunks(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let body = bodies::good_update(&person);
    let head = Head::customers("update-verification")
        .with("X-API-Key", &sent.key)
        .json();
    let size = chance.one_of(&["zz", "-5", "", "fffffffffffffffffff", "5;ext=\"", "0x10"]);
    let mut case = head
        .with("Transfer-Encoding", "chunked")
        .raw(format!("{size}\r\n{body}\r\n0\r\n\r\n"));
    case.ends = true;
    case
}

pub fn wrong_target(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let target = match chance.below(5) {
        0 => "*".to_owned(),
        1 => format!(
            "http://{}@somewhere.example/api/v1/customer/check-verification",
            person.email
        ),
        2 => "localhost:80".into(),
        3 => format!("/api/v1/customer/check-verification#{}", person.email),
        _ => format!("/api/v1/{}", "x".repeat(20_000 + chance.below(30_000))),
    };
    let method = chance.one_of(&["POST", "OPTIONS", "CONNECT"]);
    Head::new(method, &target)
        .with("X-API-Key", &sent.key)
        .json()
        .body(bodies::good_check(&person))
}

pub fn no_http(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let bytes = match chance.below(8) {
        0 => chance.bytes(100),
        1 => format!(
            "POST /api/v1/customer/check-verification HTTP/9.9\r\nHost: {}\r\n\r\n",
            person.email
        )
        .into_bytes(),
        2 => format!("{}\n\n", person.email).into_bytes(),
        3 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        4 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all".to_vec(),
        5 => format!("GET  /{} HTTP/1.1\r\n\r\n", person.email).into_bytes(),
        6 => b"\r\n\r\n\r\n\r\n".to_vec(),
        _ => b"POST\r\n\r\n".to_vec(),
    };
    Case {
        bytes,
        ends: true,
        answers: 1,
        head: false,
    }
}

pub fn expectation(sent: &Sent, chance: &mut Chance) -> Case {
    let person = sent.person(chance);
    let value = chance.one_of(&["100-continue", "200-please", ""]);
    let head = Head::customers("check-verification")
        .with("X-API-Key", &sent.key)
        .json();
    head.with("Expect", value)
        .body(bodies::no_object(&person, chance))
}
