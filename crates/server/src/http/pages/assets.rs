//! The files that pages need, under `/assets`: part of the program, and kept by browsers for good.
//!
//! A file's address holds a hash of its content: another content is another address, and what was
//! kept is never out of date.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use http::header;

use crate::http::Shared;
use crate::http::conventions::failure::unknown_path;

/// How many signs of the hash an address holds: enough that no two contents ever meet.
const SIGNS: usize = 16;

const TOKENS: &str = include_str!("assets/tokens.css");

/// A file.
struct Asset {
    /// As templates name it: `page.css`.
    name: &'static str,
    /// As its address names it: `page.0123456789abcdef.css`.
    file: String,
    media_type: &'static str,
    content: String,
}

impl Asset {
    fn new(name: &'static str, media_type: &'static str, content: String) -> Self {
        let hash = HEXLOWER.encode(digest(&SHA256, content.as_bytes()).as_ref());
        let hash = hash.get(..SIGNS).unwrap_or(&hash);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        Self {
            name,
            file: format!("{stem}.{hash}.{ending}"),
            media_type,
            content,
        }
    }
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    const CSS: &str = "text/css";
    const SCRIPT: &str = "text/javascript";
    let sheet = |own: &str| format!("{TOKENS}\n{own}");
    [
        Asset::new("page.css", CSS, sheet(include_str!("assets/page.css"))),
        Asset::new("page.js", SCRIPT, include_str!("assets/page.js").to_owned()),
        Asset::new(
            "console.css",
            CSS,
            sheet(include_str!("assets/console.css")),
        ),
        Asset::new(
            "console.js",
            SCRIPT,
            include_str!("assets/console.js").to_owned(),
        ),
        Asset::new(
            "icon.svg",
            "image/svg+xml",
            include_str!("assets/icon.svg").to_owned(),
        ),
    ]
});

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/assets/{file}", get(file))
}

/// The address of a file by its name, from the root of the server; `None` when there is none.
pub fn address(name: &str) -> Option<String> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    Some(format!("assets/{}", asset.file))
}

async fn file(Path(file): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.file == file) else {
        return unknown_path().await.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.content.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_is_another_address() {
        let one = Asset::new("page.css", "text/css", "a".to_owned());
        let other = Asset::new("page.css", "text/css", "b".to_owned());
        assert_eq!(one.file, "page.ca978112ca1bbdca.css");
        assert_ne!(one.file, other.file);
        assert_eq!(address("none.css"), None);
        assert!(address("page.css").unwrap().starts_with("assets/page."));
    }

    #[test]
    fn sheets_name_no_colour_of_their_own() {
        for own in [
            include_str!("assets/page.css"),
            include_str!("assets/console.css"),
        ] {
            let colours = own.split('#').skip(1).filter(|rest| {
                let word = rest
                    .split(|sign: char| !sign.is_ascii_alphanumeric())
                    .next();
                word.is_some_and(|word| {
                    matches!(word.len(), 3 | 6) && word.bytes().all(|sign| sign.is_ascii_hexdigit())
                })
            });
            assert_eq!(colours.count(), 0);
            assert!(!own.contains("rgb(") && !own.contains("hsl("));
        }
    }
}
