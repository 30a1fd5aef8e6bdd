//! Administration: companies and keys, over HTTP what the commands of the same
//! names do.
//!
//! The scope `admin` is the operator's: it reaches every company, and no limit
//! counts its requests. No answer shows a key or a secret a second time, or a
//! hash ever.

mod companies;
mod keys;

use utoipa_axum::router::OpenApiRouter;

use crate::http::Shared;

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    companies::routes().merge(keys::routes())
}
