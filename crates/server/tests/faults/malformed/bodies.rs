//! Bodies that are wrong in one way each.

use super::case::Person;
use super::chance::Chance;

/// The fields of a good update.
const FIELDS: [&str; 5] = ["email", "phone", "verification_type", "status", "metadata"];

pub fn good_check(person: &Person) -> String {
    format!(
        r#"{{"email":"{}","phone":"{}"}}"#,
        person.email, person.phone
    )
}

pub fn good_update(person: &Person) -> String {
    format!(
        r#"{{"email":"{}","phone":"{}","verification_type":"veriff","status":true,"metadata":{}}}"#,
        person.email,
        person.phone,
        metadata(person)
    )
}

fn metadata(person: &Person) -> String {
    format!(
        r#"{{"ip_address":"{}","user_agent":"{}","verification_id":"v-1"}}"#,
        person.address, person.agent
    )
}

/// A good body cut off somewhere.
pub fn truncated(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let body = good_update(person);
    body.as_bytes()[..1 + chance.below(body.len() - 1)].to_vec()
}

/// A good body in which some bytes are others.
pub fn mutated(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let mut body = good_update(person).into_bytes();
    for _ in 0..=chance.below(4) {
        let (at, length) = (chance.below(body.len()), body.len());
        match chance.below(3) {
            0 => body[at] = chance.bytes(1)[0],
            1 => drop(body.remove(at)),
            _ => body.swap(at, length - 1),
        }
    }
    body
}

/// An update in which one field has a value of another kind.
pub fn wrong_type(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let value = chance.one_of(&[
        "1",
        "-0.5",
        "\"\"",
        "[]",
        "{}",
        "[[1]]",
        "\"yes\"",
        "null",
        "[\"a\"]",
        "{\"a\":{}}",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "true",
        "\"2024-13-45T99:99:99Z\"",
    ]);
    replaced(person, chance, value)
}

/// An update in which one field is a number that no machine holds.
pub fn huge_number(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let digits = "9".repeat(1 + chance.below(5_000));
    let value = chance.one_of(&[
        digits.clone(),
        format!("-{digits}"),
        format!("1e{digits}"),
        format!("0.{digits}e-{digits}"),
        "1e400".into(),
        "18446744073709551616".into(),
        "NaN".into(),
        "-Infinity".into(),
        "0x1F".into(),
        "00001".into(),
    ]);
    replaced(person, chance, &value)
}

/// Brackets in brackets, closed or not.
pub fn nested(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let depth = 1 + chance.below(30_000);
    let (open, close) = chance.one_of(&[("[", "]"), ("{\"a\":", "}"), ("[{\"a\":[", "]}]")]);
    let depth = depth / open.len();
    let closing = close.repeat(if chance.below(2) == 0 { depth } else { 0 });
    let value = format!("{}1{closing}", open.repeat(depth));
    match chance.below(2) {
        0 => value.into_bytes(),
        _ => replaced(person, chance, &value),
    }
}

/// A string that is no UTF-8, or no UTF-8 at all.
pub fn not_utf8(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let bad = chance.one_of(&[
        b"\xff\xfe".to_vec(),
        b"\xc3\x28".to_vec(),
        b"\xed\xa0\x80".to_vec(),
        b"\xf4\x90\x80\x80".to_vec(),
        b"\xc0\xaf".to_vec(),
    ]);
    if chance.below(5) == 0 {
        return chance.bytes(200);
    }
    let mut body = good_update(person).into_bytes();
    let at = chance.below(body.len());
    body.splice(at..at, bad);
    body
}

/// A field far longer than anybody's.
pub fn long_field(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let filler = "a".repeat(300 + chance.below(50_000));
    let value = match chance.below(4) {
        0 => format!("\"{filler}{}\"", person.email),
        1 => format!("\"{}.{filler}\"", person.email),
        2 => format!("\"{}{}\"", person.phone, "0".repeat(filler.len())),
        _ => format!(
            "{{\"user_agent\":\"{}{filler}\",\"ip_address\":\"{}{filler}\"}}",
            person.agent, person.address
        ),
    };
    replaced(person, chance, &value)
}

/// NUL and its kind, raw or escaped.
pub fn control_characters(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let control = chance.one_of(&[
        "\0",
        "\\u0000",
        "\x07",
        "\\u001b[31m",
        "\\r\\nX-Injected: 1",
        "\u{202e}",
        "\\u2028",
    ]);
    let value = match chance.below(3) {
        0 => format!("\"{control}{}\"", person.email),
        1 => format!("\"{}{control}\"", person.phone),
        _ => format!(
            "{{\"ip_address\":\"{}{control}\",\"user_agent\":5}}",
            person.address
        ),
    };
    replaced(person, chance, &value)
}

/// A field that is named twice.
pub fn duplicate(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let field = chance.one_of(&FIELDS);
    let body = good_update(person);
    let twice = format!("{{\"{field}\":null,{}", &body[1..]);
    twice.into_bytes()
}

/// Evidence that is wrong inside.
pub fn wrong_metadata(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let field = chance.one_of(&["ip_address", "user_agent", "verification_id", "occurred_at"]);
    let value = match chance.below(8) {
        0 => format!("\"{}/300.1\"", person.address),
        1 => format!("[\"{}\"]", person.agent),
        2 => "\"9999-12-31T23:59:59Z\"".into(),
        3 => "\"-009999-01-01T00:00:00Z\"".into(),
        4 => "\"2024-02-30T00:00:00Z\"".into(),
        5 => format!("\"{} not a time\"", person.email),
        6 => "1700000000".into(),
        _ => format!("\"{}\"", chance.word(2_000).replace(['"', '\\'], "x")),
    };
    replaced(
        person,
        chance,
        &format!("{{\"{field}\":{value},\"ip_address\":17}}"),
    )
}

/// Lists that are too short, too long, or hold something else.
pub fn wrong_list(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let email = format!("\"{}\"", person.email);
    let emails = match chance.below(6) {
        0 => "[]".into(),
        1 => format!("[{}]", vec![email.as_str(); 501].join(",")),
        2 => format!("[{email},\"{} at nowhere\",{email}]", person.email),
        3 => format!("[{email},7,null,{{}},[{email}]]"),
        4 => format!("{{\"0\":{email}}}"),
        _ => email,
    };
    format!(r#"{{"emails":{emails}}}"#).into_bytes()
}

/// No object at all.
pub fn no_object(person: &Person, chance: &mut Chance) -> Vec<u8> {
    let email = &person.email;
    let body = chance.one_of(&[
        String::new(),
        " ".into(),
        "null".into(),
        "true".into(),
        "\"\"".into(),
        "[]".into(),
        "{}".into(),
        format!("\"{email}\""),
        format!("[\"{email}\"]"),
        format!("email={email}"),
        format!("<email>{email}</email>"),
        format!("{{\"email\":\"{email}\"}}{{}}"),
        format!("{{\"email\":\"{email}\",}}"),
        format!("{{'email':'{email}'}}"),
        format!("{{email:\"{email}\"}}"),
        format!("\u{feff}{{\"email\":\"{email}\"}}"),
        format!("/**/{{\"emial\":\"{email}\"}}"),
    ]);
    body.into_bytes()
}

/// A good update with one field's value replaced by this text.
fn replaced(person: &Person, chance: &mut Chance, value: &str) -> Vec<u8> {
    let wrong = chance.one_of(&FIELDS);
    let good = |field: &str| match field {
        "email" => format!("\"{}\"", person.email),
        "phone" => format!("\"{}\"", person.phone),
        "verification_type" => "\"veriff\"".into(),
        "status" => "true".into(),
        _ => metadata(person),
    };
    let fields = FIELDS.map(|field| {
        let value = if field == wrong {
            value.to_owned()
        } else {
            good(field)
        };
        format!("\"{field}\":{value}")
    });
    format!("{{{}}}", fields.join(",")).into_bytes()
}
