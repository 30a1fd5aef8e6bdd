//! Long lists, one page at a time: `?limit=` and `?cursor=`.
//!
//! A cursor is the id of the last thing on the page before; clients treat it as
//! opaque.

use app::Error;
use axum::extract::FromRequestParts;
use http::request::Parts;
use utoipa::IntoParams;

use super::failure::Failure;
use super::fields::Fields;

/// The longest page.
const LONGEST: u16 = 500;

/// The page of a caller who names no length.
const USUAL: u16 = 50;

/// The parameters of a request's query.
pub struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(
            url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        ))
    }
}

impl Query {
    /// Hands the parameters to `read`, which reports every unacceptable one;
    /// returns what it made of them.
    ///
    /// # Errors
    /// Everything that is wrong with them, together.
    pub fn read<V>(
        &self,
        read: impl FnOnce(&Self, &mut Fields) -> Option<V>,
    ) -> Result<V, Failure> {
        let mut fields = Fields::default();
        let value = read(self, &mut fields);
        Ok(fields.finish(value)?)
    }

    /// A parameter, which may be given once.
    pub fn text(&self, name: &str, fields: &mut Fields) -> Option<&str> {
        let mut values = self.0.iter().filter(|(given, _)| given == name);
        let value = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            fields.refuse(name, "must be given once");
        }
        value
    }

    /// Which page is asked for.
    pub fn page(&self, fields: &mut Fields) -> Page {
        let limit = self.text("limit", fields).map_or(Some(USUAL), |text| {
            text.parse()
                .ok()
                .filter(|limit| (1..=LONGEST).contains(limit))
        });
        if limit.is_none() {
            fields.refuse("limit", format!("must be 1 to {LONGEST}"));
        }
        Page {
            limit: limit.unwrap_or(USUAL),
            cursor: self.text("cursor", fields).map(str::to_owned),
        }
    }
}

/// One page of a list.
pub struct Page {
    limit: u16,
    /// The id after which it begins.
    pub cursor: Option<String>,
}

impl Page {
    /// How many to ask for: one more than the page holds, to see whether there is
    /// another page.
    pub fn wanted(&self) -> u16 {
        self.limit + 1
    }

    /// Cuts what was found to the page; returns the next page's cursor, if there
    /// is a next page.
    pub fn cut<T>(&self, found: &mut Vec<T>, id: impl FnOnce(&T) -> &str) -> Option<String> {
        let more = found.len() > usize::from(self.limit);
        found.truncate(self.limit.into());
        found
            .last()
            .filter(|_| more)
            .map(|last| id(last).to_owned())
    }
}

/// A cursor that no list gave.
pub fn unknown_cursor() -> Failure {
    Error::invalid_field("cursor", "must be a next_cursor of this list").into()
}

/// The same, for the documentation.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `Query::page` reads")]
pub struct PageParameters {
    /// How many to show.
    #[param(minimum = 1, maximum = 500, default = 50, required = false)]
    limit: u16,
    /// `next_cursor` of the page before; without it, the first page.
    cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, Failure> {
        let query = Query(
            url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        );
        query.read(|query, fields| Some(query.page(fields)))
    }

    #[test]
    fn pages_are_1_to_500_long() {
        assert_eq!(page("").unwrap().wanted(), 51);
        assert_eq!(page("limit=1&x=y").unwrap().wanted(), 2);
        assert_eq!(page("limit=500").unwrap().wanted(), 501);
        for wrong in [
            "limit=0",
            "limit=501",
            "limit=",
            "limit=-1",
            "limit=1&limit=2",
        ] {
            assert!(page(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_full_pages_have_a_next_one() {
        let page = page("limit=2").unwrap();
        let mut found = vec!["a", "b", "c"];
        assert_eq!(page.cut(&mut found, |id| id), Some("b".to_owned()));
        assert_eq!(found, ["a", "b"]);
        assert_eq!(page.cut(&mut found, |id| id), None);
        assert_eq!(page.cut(&mut Vec::new(), |id: &String| id), None);
    }
}
