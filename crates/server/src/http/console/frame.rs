//! What stands around every page of the console: where else one can go, and who is signed in.

use app::console::Session;
use axum::response::Response;
use minijinja::{Value, context};

use crate::http::conventions::failure::Failure;
use crate::http::conventions::visit::Visit;
use crate::http::pages;

/// The field in which a form carries the mark of its session.
pub const MARK: &str = "mark";

/// A part of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Figures, and what waits.
    Overview,
    /// Orders.
    Orders,
    /// Customers.
    Customers,
    /// Sessions about numbers.
    Numbers,
    /// Age checks.
    Ages,
    /// What leaves the house.
    Deliveries,
    /// What came in by hooks.
    Inbox,
    /// The services that we work with.
    Integrations,
    /// The audit log.
    Audit,
    /// Companies, and their settings.
    Companies,
    /// API keys.
    Keys,
    /// How the installation is.
    Health,
    /// The account of whoever is signed in.
    Sessions,
}

impl Section {
    /// What the menu leads to.
    const MENU: [Self; 12] = [
        Self::Overview,
        Self::Orders,
        Self::Customers,
        Self::Numbers,
        Self::Ages,
        Self::Deliveries,
        Self::Inbox,
        Self::Integrations,
        Self::Audit,
        Self::Companies,
        Self::Keys,
        Self::Health,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Orders => "Orders",
            Self::Customers => "Customers",
            Self::Numbers => "Numbers",
            Self::Ages => "Ages",
            Self::Deliveries => "Deliveries",
            Self::Inbox => "Inbox",
            Self::Integrations => "Integrations",
            Self::Audit => "Audit",
            Self::Companies => "Companies",
            Self::Keys => "Keys",
            Self::Health => "Health",
            Self::Sessions => "Signed in",
        }
    }

    /// From the root of the server.
    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "console",
            Self::Orders => "console/orders",
            Self::Customers => "console/customers",
            Self::Numbers => "console/numbers",
            Self::Ages => "console/ages",
            Self::Deliveries => "console/deliveries",
            Self::Inbox => "console/inbox",
            Self::Integrations => "console/integrations",
            Self::Audit => "console/audit",
            Self::Companies => "console/companies",
            Self::Keys => "console/keys",
            Self::Health => "console/health",
            Self::Sessions => "console/sessions",
        }
    }
}

/// What leads to the root of the server, as links begin with it.
pub fn root(visit: &Visit) -> Value {
    Value::from_safe_string(visit.root())
}

/// A page, with all that stands around it.
///
/// # Errors
/// When the template does not go with the values, a fault of ours.
pub fn page(
    session: &Session,
    visit: &Visit,
    section: Section,
    template: &str,
    values: Value,
) -> Result<Response, Failure> {
    let menu: Vec<Value> = Section::MENU
        .into_iter()
        .map(|entry| {
            context! {
                title => entry.title(),
                path => Value::from_safe_string(entry.path().to_owned()),
                is_here => entry == section,
            }
        })
        .collect();
    let frame = context! {
        root => root(visit),
        menu,
        section => section.title(),
        is_at_account => section == Section::Sessions,
        name => session.name.as_str(),
        company => session.caller.company(),
        mark => session.form_mark.as_str(),
    };
    pages::page(template, context! { ..values, ..frame })
}
