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
    /// The account of whoever is signed in.
    Sessions,
}

impl Section {
    /// What the menu leads to.
    const MENU: [Self; 2] = [Self::Overview, Self::Orders];

    const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Orders => "Orders",
            Self::Sessions => "Signed in",
        }
    }

    /// From the root of the server.
    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "console",
            Self::Orders => "console/orders",
            Self::Sessions => "console/sessions",
        }
    }
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
                path => entry.path(),
                is_here => entry == section,
            }
        })
        .collect();
    let frame = context! {
        root => visit.root(),
        menu,
        section => section.title(),
        is_at_account => section == Section::Sessions,
        name => session.name.as_str(),
        company => session.caller.company(),
        mark => session.form_mark.as_str(),
    };
    pages::page(template, context! { ..values, ..frame })
}
