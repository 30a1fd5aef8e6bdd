//! Administration as an operator's programs see it.

mod companies;
mod keys;

use crate::harness::{Call, TestApp};

/// The paths.
pub const COMPANIES: &str = "/api/v1/admin/companies";
pub const KEYS: &str = "/api/v1/admin/keys";

/// An operator's key, and requests with it.
pub struct Operator<'a> {
    app: &'a TestApp,
    key: String,
}

impl<'a> Operator<'a> {
    /// With a key of the company `default`.
    pub async fn of(app: &'a TestApp) -> Self {
        Self {
            app,
            key: app.key("default", "admin").await,
        }
    }

    /// A request with the key.
    pub fn call(&self, method: &str, path: &str) -> Call {
        self.app.call(method, path).key(&self.key)
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.call("PATCH", path)
    }
}
