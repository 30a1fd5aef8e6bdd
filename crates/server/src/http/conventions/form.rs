//! Reading forms, as a page or an OAuth client sends them: media type, size, encoding.

use std::collections::BTreeMap;

use app::{Code, Error};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;
use http::{HeaderMap, header};
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::body::{SMALL, collect};
use super::failure::{Failure, no_form};

/// A body that claims to be a form.
pub struct Form(Bytes);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = collect(body, SMALL).await?;
        if is_form(&parts.headers) {
            return Ok(Self(bytes));
        }
        Err(no_form().into())
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| {
            media
                .trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

/// The parameters of a form, each of which was named once.
pub struct Parameters(BTreeMap<String, Zeroizing<String>>);

impl Form {
    /// The parameters, each of which may be named once (RFC 6749 §3.2, and good sense elsewhere).
    ///
    /// # Errors
    /// When the form is malformed.
    pub fn read(&self) -> Result<Parameters, Failure> {
        if !is_well_formed(&self.0) {
            return Err(malformed("The body must be a form in UTF-8."));
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(&self.0) {
            let value = Zeroizing::new(value.into_owned());
            if parameters.insert(name.into_owned(), value).is_some() {
                return Err(malformed("Each parameter may be sent once."));
            }
        }
        Ok(Parameters(parameters))
    }
}

impl Parameters {
    /// A parameter; without a value it counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether a parameter was named, with a value or without.
    pub fn names(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Whether names and values are UTF-8 and every `%` begins an encoded byte. The
/// parser itself would make something of anything.
fn is_well_formed(form: &[u8]) -> bool {
    form.split(|byte| b"&=".contains(byte))
        .all(|part| percent_decoded(part).is_some_and(|bytes| String::from_utf8(bytes).is_ok()))
}

fn percent_decoded(part: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = part.split(|byte| *byte == b'%');
    let mut decoded = pieces.next()?.to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        decoded.extend(HEXLOWER_PERMISSIVE.decode(digits).ok()?);
        decoded.extend_from_slice(rest);
    }
    Some(decoded)
}

fn malformed(message: &str) -> Failure {
    Error::new(Code::InvalidRequest, message).into()
}
