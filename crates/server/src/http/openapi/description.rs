//! What the document says of the whole: title, licence, tags, how to authorise.

use domain::access::Scope;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes,
    SecurityScheme,
};
use utoipa::openapi::{Components, OpenApi};
use utoipa::{Modify, OpenApi as _};

use crate::http::conventions::surface::{Envelope, NumberFailure, TokenFailure};
use crate::http::numbers::EventMessage;
use crate::http::orders::{CustomerEventMessage, OrderEventMessage};

/// The document without its paths.
pub fn description() -> OpenApi {
    let mut document = Description::openapi();
    document.info.contact = None;
    document
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Bonafide",
        description = "Is this customer bona fide? A verification server that you run yourself.\n\n\
            Every answer carries `X-Request-Id`; a failure carries a stable word in `code`, and \
            `details` names each field that is not acceptable. A path answers 404 when there is \
            none, and 405 with `Allow` to a method it does not take. Fields may be added to \
            answers, never renamed.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "Customers", description = "What is proven about a customer."),
        (name = "Orders", description = "May this order ship? What happens to an order is told to the \
            company's webhook as a signed `OrderEvent`, and that a customer has proven everything \
            as a `CustomerEvent` (Standard Webhooks)."),
        (name = "Numbers", description = "Does this person hold this mobile number? The end of a \
            session is told to the company's webhook as a signed `NumberEvent` \
            (Standard Webhooks)."),
        (name = "Ages", description = "Is this customer old enough?"),
        (name = "Audit", description = "What stands in the audit log, and the proof that it does."),
        (name = "Tokens", description = "An API key in, a short-lived token out."),
        (name = "Administration", description = "Companies and keys: what the operator's commands \
            do, over HTTP. The scope `admin` is the operator's: it reaches every company."),
        (name = "Health", description = "Whether the server is well; public. Its metrics are for administrators.")
    ),
    components(schemas(Envelope, NumberFailure, TokenFailure, EventMessage, OrderEventMessage, CustomerEventMessage)),
    modifiers(&Schemes)
)]
struct Description;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let key = ApiKeyValue::with_description("X-API-Key", "An API key.");
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some("An API key or a JSON Web Token.".to_owned());
        let scopes = Scope::ALL.map(|scope| (scope.as_str(), scope.meaning()));
        let exchange = ClientCredentials::new("/api/v1/auth/token", Scopes::from_iter(scopes));
        let oauth2 = OAuth2::with_description(
            [Flow::ClientCredentials(exchange)],
            "The client's id is the key's id, its secret is the whole key.",
        );
        for (name, scheme) in [
            ("api_key", SecurityScheme::ApiKey(ApiKey::Header(key))),
            ("bearer", SecurityScheme::Http(bearer)),
            ("oauth2", SecurityScheme::OAuth2(oauth2)),
        ] {
            components.add_security_scheme(name, scheme);
        }
    }
}
