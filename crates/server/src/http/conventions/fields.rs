//! The fields of a body, read one by one so that every mistake is reported.
//!
//! A wire type holds each field as it came ([`Raw`]); absent and `null` are the
//! same. Messages never repeat what was sent.

use std::fmt::{self, Formatter};

use app::{Code, Error, FieldProblem};
use domain::contact::{E164, Email};
use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A field as it came.
pub type Raw<'a> = Option<&'a RawValue>;

/// A field of which absent and `null` are not the same: `null` is `Some(None)`.
/// To be read with [`nullable`].
pub type Nullable<'a> = Option<Raw<'a>>;

/// Reads a [`Nullable`].
///
/// # Errors
/// Those of the reader.
pub fn nullable<'de, D: Deserializer<'de>>(reader: D) -> Result<Nullable<'de>, D::Error> {
    Raw::deserialize(reader).map(Some)
}

/// The longest text that is read from a field that has no shorter limit, in
/// characters.
pub const LONGEST: usize = 1024;

/// Collects what is wrong.
#[derive(Default)]
pub struct Fields {
    prefix: String,
    problems: Vec<FieldProblem>,
    code: Option<Code>,
}

impl Fields {
    /// Notes a problem with a field.
    pub fn refuse(&mut self, field: &str, message: impl Into<String>) {
        let field = format!("{}{field}", self.prefix);
        self.problems.push(FieldProblem {
            field,
            message: message.into(),
        });
    }

    /// Notes a problem with a field that has a word of its own, for when it is the only one.
    pub fn refuse_as(&mut self, code: Code, field: &str, message: impl Into<String>) {
        self.code = Some(code);
        self.refuse(field, message);
    }

    /// The value, unless something was wrong.
    ///
    /// # Errors
    /// Everything that was wrong.
    pub fn finish<V>(self, value: Option<V>) -> Result<V, Error> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => {
                let code = self.code.filter(|_| self.problems.len() == 1);
                let error = Error::invalid(self.problems);
                Err(code.map_or(error.clone(), |code| error.with_code(code)))
            }
        }
    }

    /// A required field; says so when it is missing.
    pub fn required<T>(&mut self, field: &str, value: Option<T>, raw: Raw<'_>) -> Option<T> {
        if raw.is_none() {
            self.refuse(field, FieldProblem::MISSING);
        }
        value
    }

    /// Required text that is not blank, of at most 1,024 characters; blank counts as
    /// missing.
    pub fn filled(&mut self, field: &str, raw: Raw<'_>) -> Option<String> {
        let text = self.text(field, raw);
        let blank = text.as_ref().is_some_and(|text| text.trim().is_empty());
        if raw.is_none() || blank {
            self.refuse(field, FieldProblem::MISSING);
            return None;
        }
        text
    }

    /// Text of at most 1,024 characters.
    pub fn text(&mut self, field: &str, raw: Raw<'_>) -> Option<String> {
        let text: String = self.typed(field, raw, "must be a string")?;
        if text.chars().count() > LONGEST {
            self.refuse(field, format!("must have at most {LONGEST} characters"));
            return None;
        }
        Some(text)
    }

    /// Text that `parse` understands; its error says what it expects.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        field: &str,
        raw: Raw<'_>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text: String = self.typed(field, raw, "must be a string")?;
        parse(&text)
            .map_err(|error| self.refuse(field, error.to_string()))
            .ok()
    }

    /// Text that is not blank, of at most `longest` characters, without control
    /// characters.
    pub fn name(&mut self, field: &str, raw: Raw<'_>, longest: usize) -> Option<String> {
        let text = self.text(field, raw)?;
        let text = text.trim();
        if text.is_empty() || text.chars().count() > longest || text.chars().any(char::is_control) {
            self.refuse(
                field,
                format!("must be 1 to {longest} printable characters"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// A truth value.
    pub fn boolean(&mut self, field: &str, raw: Raw<'_>) -> Option<bool> {
        self.typed(field, raw, "must be true or false")
    }

    /// An e-mail address.
    pub fn email(&mut self, field: &str, raw: Raw<'_>) -> Option<Email> {
        let text: String = self.typed(field, raw, "must be a string")?;
        Email::parse(&text)
            .map_err(|error| self.refuse(field, error.to_string()))
            .ok()
    }

    /// An e-mail address in a list; its path is made only when it is refused.
    pub fn indexed_email(&mut self, list: &str, at: usize, raw: Raw<'_>) -> Option<Email> {
        let text: Option<std::borrow::Cow<'_, str>> =
            raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let email = match &text {
            None => Err("must be a string".to_owned()),
            Some(text) => Email::parse(text).map_err(|error| error.to_string()),
        };
        email
            .map_err(|message| self.refuse(&format!("{list}[{at}]"), message))
            .ok()
    }

    /// A phone number.
    pub fn phone(&mut self, field: &str, raw: Raw<'_>) -> Option<E164> {
        let text: String = self.typed(field, raw, "must be a string")?;
        E164::parse(&text)
            .map_err(|error| self.refuse(field, error.to_string()))
            .ok()
    }

    /// A time as in RFC 3339.
    pub fn time(&mut self, field: &str, raw: Raw<'_>) -> Option<Timestamp> {
        let text: String = self.typed(field, raw, "must be a string")?;
        let time = text.parse().ok();
        if time.is_none() {
            self.refuse(field, "must be a time as in 2024-09-15T14:32:00Z");
        }
        time
    }

    /// An object within; `read` sees its fields under their full path.
    pub fn object<'a, T: Deserialize<'a>, V>(
        &mut self,
        field: &str,
        raw: Raw<'a>,
        read: impl FnOnce(T, &mut Self) -> V,
    ) -> Option<V> {
        const EXPECTED: &str = "must be an object that names each field once";
        if !is_object(raw?.get()) {
            self.refuse(field, EXPECTED);
            return None;
        }
        let object = self.typed(field, raw, EXPECTED)?;
        let outer = self.prefix.len();
        self.prefix.push_str(field);
        self.prefix.push('.');
        let value = read(object, self);
        self.prefix.truncate(outer);
        Some(value)
    }

    /// A list within.
    pub fn list<'a>(&mut self, field: &str, raw: Raw<'a>) -> Option<Vec<Raw<'a>>> {
        self.typed(field, raw, "must be a list")
    }

    /// A value of a JSON type.
    pub fn typed<'a, T: Deserialize<'a>>(
        &mut self,
        field: &str,
        raw: Raw<'a>,
        expected: &str,
    ) -> Option<T> {
        let value = serde_json::from_str(raw?.get()).ok();
        if value.is_none() {
            self.refuse(field, expected);
        }
        value
    }
}

/// Whether valid JSON is an object. Types that name their fields would take a list too, as the
/// values in order.
pub fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{')
}

/// The members of an object in their order, those that are named twice among them.
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'a> Deserialize<'a> for Members<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EachMember)
    }
}

struct EachMember;

impl<'a> Visitor<'a> for EachMember {
    type Value = Members<'a>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
