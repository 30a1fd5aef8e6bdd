//! Reading JSON bodies: media type, size, syntax; then field by field.

use app::{Code, Error, FieldProblem};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::error::Category;

use super::failure::{Failure, too_large, wrong_media_type};
use super::fields::{Fields, is_object};

/// The largest body of most paths, in bytes.
pub const SMALL: usize = 64 * 1024;

/// The largest body of bulk paths, in bytes.
pub const LARGE: usize = 256 * 1024;

/// A body of at most `LIMIT` bytes that claims to be JSON.
pub struct Body<const LIMIT: usize = SMALL> {
    bytes: Bytes,
}

impl<S: Send + Sync, const LIMIT: usize> FromRequest<S> for Body<LIMIT> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let declared = is_json(&parts.headers);
        let bytes = collect(body, LIMIT).await?;
        match declared {
            Some(true) => Ok(Self { bytes }),
            None if bytes.is_empty() => Ok(Self { bytes }),
            _ => Err(wrong_media_type().into()),
        }
    }
}

impl<const LIMIT: usize> Body<LIMIT> {
    /// Reads the body as an object and hands its fields to `read`, which reports
    /// every unacceptable one; returns what it made of them.
    ///
    /// # Errors
    /// Everything that is wrong with the body, together.
    pub fn read<'a, T: Deserialize<'a>, V>(
        &'a self,
        read: impl FnOnce(T, &mut Fields) -> Option<V>,
    ) -> Result<V, Failure> {
        parse(&self.bytes, read)
    }

    /// The same for a body that may be left out or null, which reads as an object
    /// without fields.
    ///
    /// # Errors
    /// Everything that is wrong with the body, together.
    pub fn read_if_any<'a, T: Deserialize<'a>, V>(
        &'a self,
        read: impl FnOnce(T, &mut Fields) -> Option<V>,
    ) -> Result<V, Failure> {
        if matches!(self.bytes.trim_ascii(), b"" | b"null") {
            return parse(b"{}", read);
        }
        self.read(read)
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn parse<'a, T: Deserialize<'a>, V>(
    bytes: &'a [u8],
    read: impl FnOnce(T, &mut Fields) -> Option<V>,
) -> Result<V, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(error.valid_up_to()))?;
    let object = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    if !is_object(text) {
        return Err(no_object().into());
    }
    let mut fields = Fields::default();
    let value = read(object, &mut fields);
    Ok(fields.finish(value)?)
}

/// The whole body, if it has at most `limit` bytes.
///
/// # Errors
/// When it is larger, or ends before its time.
pub async fn collect(body: axum::body::Body, limit: usize) -> Result<Bytes, Failure> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large().into()),
        Err(_) => Err(Error::new(Code::InvalidRequest, "The body ended early.").into()),
    }
}

/// Whether the body is declared as JSON in UTF-8; `None` when nothing is said.
fn is_json(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(header::CONTENT_TYPE)?;
    let Ok(value) = value.to_str() else {
        return Some(false);
    };
    let mut parts = value.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => charset
            .trim()
            .trim_matches('"')
            .eq_ignore_ascii_case("utf-8"),
        _ => true,
    });
    Some(json && utf8)
}

/// The parser does not look into what it skips.
fn not_utf8(at: usize) -> Error {
    of_body(format!("must be valid JSON in UTF-8; see byte {}", at + 1))
}

fn no_object() -> Error {
    of_body("must be a JSON object that names each field once".to_owned())
}

/// The parser's own message may quote the body, so ours says only where.
fn malformed(error: &serde_json::Error) -> Error {
    match error.classify() {
        Category::Data => no_object(),
        Category::Eof | Category::Syntax | Category::Io => of_body(format!(
            "must be valid JSON in UTF-8; see line {}, column {}",
            error.line(),
            error.column()
        )),
    }
}

fn of_body(message: String) -> Error {
    Error::invalid(vec![FieldProblem {
        field: "body".into(),
        message,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::conventions::fields::Raw;

    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow, default)]
        inner: Raw<'a>,
    }

    #[derive(Deserialize)]
    struct Inner {}

    fn is_read(bytes: &'static [u8]) -> bool {
        let body: Body = Body {
            bytes: Bytes::from_static(bytes),
        };
        let read = |outer: Outer<'_>, fields: &mut Fields| {
            fields.object("inner", outer.inner, |_: Inner, _| ());
            Some(())
        };
        body.read(read).is_ok()
    }

    #[test]
    fn objects_are_read_whatever_else_they_hold() {
        for fine in [
            &b"{}"[..],
            b" \n{\"inner\":{}, \"more\":[1]} ",
            b"{\"inner\":null}",
        ] {
            assert!(is_read(fine), "{fine:?}");
        }
    }

    #[test]
    fn lists_are_no_objects() {
        for wrong in [&b"[]"[..], b"[null]", b"{\"inner\":[]}", b"null", b""] {
            assert!(!is_read(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn all_of_a_body_is_utf8() {
        assert!(is_read("{\"more\":\"\u{e9}\"}".as_bytes()));
        assert!(!is_read(b"{\"more\":\"\xff\"}"));
    }
}
