//! Lightspeed eCom's interface (Ecwid REST API v3), as far as we use it.
//!
//! Guarantees: the token goes to the configured address alone (no redirect is followed) and reaches
//! neither log nor error; a request ends within its time and an answer within its size; what one
//! process asks stays within the shop's limit, and a shop that refuses the token or wants to be left
//! alone is (see [`manners`]).
//! Must not: try again; whoever asked knows when to.

mod manners;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use app::lightspeed::{LightspeedShop, OrderName, OrderPage, ShopOrder, ShopProblem};
use domain::clock::Clock;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::retry_after;
use crate::config::{Lightspeed, Secret};
use manners::Manners;

/// How this server names itself.
const USER_AGENT: &str = concat!("Bonafide/", env!("CARGO_PKG_VERSION"));

/// The longest wait for a connection.
const CONNECTION: Duration = Duration::from_secs(3);

/// The longest request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer, in bytes: a hundred orders of many items each.
const LARGEST: usize = 16 * 1024 * 1024;

/// A store, asked over HTTP.
pub struct LightspeedClient {
    client: Client,
    /// The address of the store, without a slash at its end.
    store: Url,
    token: Secret,
    manners: Manners,
    clock: Arc<dyn Clock>,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The system's certificates cannot be used.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The address cannot be appended to.
    #[error("LIGHTSPEED_API_URL is no address to ask at")]
    Address,
}

impl LightspeedClient {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// When the configuration or the system's certificates cannot be used.
    pub fn new(config: &Lightspeed, clock: Arc<dyn Clock>) -> Result<Self, Unusable> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECTION)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        let api = Url::parse(config.api_url.as_str()).map_err(|_| Unusable::Address)?;
        Ok(Self {
            client,
            store: under(&api, &[&config.store_id]).ok_or(Unusable::Address)?,
            token: config.token.clone(),
            manners: Manners::new().map_err(|_| Unusable::Address)?,
            clock,
        })
    }

    /// Whether the store can be asked for its orders.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), ShopProblem> {
        let request = self.request(Method::GET, &["orders"])?;
        let page = self.ask(request.query(&[("limit", "1")])).await?;
        page.ok_or(ShopProblem::Unacceptable).map(drop)
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, ShopProblem> {
        let url = under(&self.store, path).ok_or(ShopProblem::Unacceptable)?;
        Ok(self
            .client
            .request(method, url)
            .bearer_auth(self.token.expose()))
    }

    /// Sends a request; returns what is answered, or `None` for "there is none" (404).
    async fn ask(&self, request: RequestBuilder) -> Result<Option<Value>, ShopProblem> {
        self.manners.ask(self.clock.now())?;
        // An error of the client could name the address; what matters is that there was no answer.
        let response = request.send().await.map_err(|_| ShopProblem::Away)?;
        if let Some(problem) = self.objection(response.status(), response.headers()) {
            return Err(problem);
        }
        self.manners.accepted();
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let body = whole(response).await?;
        let value = serde_json::from_slice(&body).map_err(|_| ShopProblem::Garbled)?;
        Ok(Some(value))
    }

    /// What a status says against the request.
    fn objection(&self, status: StatusCode, headers: &HeaderMap) -> Option<ShopProblem> {
        let now = self.clock.now();
        match status.as_u16() {
            200..=299 | 404 => None,
            401..=403 => {
                let status = status.as_u16();
                tracing::warn!(status, "Lightspeed refuses the token and is left alone");
                Some(self.manners.refused(now))
            }
            429 => {
                let wish = retry_after::wish(headers, now);
                Some(self.manners.asked_for_rest(now, wish))
            }
            400..=499 => Some(ShopProblem::Unacceptable),
            // A redirect too: whoever answers is not the interface.
            _ => Some(ShopProblem::Away),
        }
    }

    async fn find(&self, name: &OrderName) -> Result<Option<ShopOrder>, ShopProblem> {
        match name {
            OrderName::Number(number) => self.find_by_number(number).await,
            OrderName::Internal(number) => self.find_by_internal(number).await,
        }
    }

    async fn find_by_number(&self, number: &str) -> Result<Option<ShopOrder>, ShopProblem> {
        let request = self.request(Method::GET, &["orders", number])?;
        let asked = request.query(&[("responseFields", wire::FIELDS)]);
        let Some(value) = self.ask(asked).await? else {
            return Ok(None);
        };
        let order = wire::order(&value).filter(|order| order.id == number);
        order.ok_or(ShopProblem::Garbled).map(Some)
    }

    async fn find_by_internal(&self, number: &str) -> Result<Option<ShopOrder>, ShopProblem> {
        let request = self.request(Method::GET, &["orders"])?;
        let found = self.ask(request.query(&[("ids", number)])).await?;
        let found = found.ok_or(ShopProblem::Unacceptable)?;
        let items = found.get("items").and_then(Value::as_array);
        let mut items = items.ok_or(ShopProblem::Garbled)?.iter();
        // Should the filter be ignored one day, another order must not stand in for it.
        let is_meant = |item: &&Value| wire::internal_number(item).as_deref() == Some(number);
        match items.find(is_meant) {
            None => Ok(None),
            Some(item) => wire::order(item).ok_or(ShopProblem::Garbled).map(Some),
        }
    }

    async fn list_changed(
        &self,
        since: Timestamp,
        offset: u64,
        limit: u32,
    ) -> Result<OrderPage, ShopProblem> {
        let request = self.request(Method::GET, &["orders"])?.query(&[
            ("updatedFrom", since.as_second().to_string()),
            ("offset", offset.to_string()),
            ("limit", limit.to_string()),
        ]);
        let page = self.ask(request).await?.ok_or(ShopProblem::Unacceptable)?;
        wire::page(&page).ok_or(ShopProblem::Garbled)
    }

    /// A field that the order has is changed. What the shop does with a second field of the same
    /// name nobody knows, so one is made only where none was changed.
    async fn put_field(&self, order: &str, value: &str) -> Result<(), ShopProblem> {
        let path = ["orders", order, "extraFields", app::lightspeed::FIELD];
        let change = self.request(Method::PUT, &path)?;
        let changed = self.ask(with(change, &wire::FieldValue { value })).await?;
        if changed.is_some_and(|changed| wire::update_count(&changed) > 0) {
            return Ok(());
        }
        let creation = self.request(Method::POST, &["orders", order, "extraFields"])?;
        let created = self.ask(with(creation, &wire::NewField::of(value))).await?;
        created.ok_or(ShopProblem::Unacceptable).map(drop)
    }

    async fn put_status(&self, order: &str, status: &str) -> Result<(), ShopProblem> {
        let change = self.request(Method::PUT, &["orders", order])?;
        let body = wire::NewStatus {
            fulfillment_status: status,
        };
        let changed = self.ask(with(change, &body)).await?;
        match changed.map(|changed| wire::update_count(&changed)) {
            Some(1..) => Ok(()),
            // It says 200 as well when it has changed nothing.
            _ => Err(ShopProblem::Unacceptable),
        }
    }
}

impl LightspeedShop for LightspeedClient {
    fn order<'a>(
        &'a self,
        name: &'a OrderName,
    ) -> BoxFuture<'a, Result<Option<ShopOrder>, ShopProblem>> {
        self.find(name).boxed()
    }

    fn changed(
        &self,
        since: Timestamp,
        offset: u64,
        limit: u32,
    ) -> BoxFuture<'_, Result<OrderPage, ShopProblem>> {
        self.list_changed(since, offset, limit).boxed()
    }

    fn set_field<'a>(
        &'a self,
        order: &'a ShopOrder,
        value: &'a str,
    ) -> BoxFuture<'a, Result<(), ShopProblem>> {
        self.put_field(&order.id, value).boxed()
    }

    fn set_fulfilment<'a>(
        &'a self,
        order: &'a str,
        status: &'a str,
    ) -> BoxFuture<'a, Result<(), ShopProblem>> {
        self.put_status(order, status).boxed()
    }
}

/// A body of JSON.
fn with(request: RequestBuilder, body: &impl Serialize) -> RequestBuilder {
    request.json(body)
}

/// An address below another, whatever letters its parts are made of.
fn under(base: &Url, parts: &[&str]) -> Option<Url> {
    let mut url = base.clone();
    // These would be dropped, and the address would be another.
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return None;
    }
    url.path_segments_mut().ok()?.pop_if_empty().extend(parts);
    Some(url)
}

/// The whole body of an answer, if it is not too large.
async fn whole(mut response: Response) -> Result<Vec<u8>, ShopProblem> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| ShopProblem::Away)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(ShopProblem::Garbled);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_never_another_place() {
        let store = Url::parse("https://app.ecwid.com/api/v3/1003").unwrap();
        let order = |number| under(&store, &["orders", number]).map(String::from);
        assert_eq!(
            order("a/../b?c#d").unwrap(),
            "https://app.ecwid.com/api/v3/1003/orders/a%2F..%2Fb%3Fc%23d"
        );
        for nowhere in ["", ".", ".."] {
            assert_eq!(order(nowhere), None);
        }
    }
}
