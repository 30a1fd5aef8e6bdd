//! What mails say: plain, kind, short; text and HTML alike.
//!
//! Guarantees: every value is escaped where HTML is written; a mail names the order, what is
//! missing and until when, and nothing else that it knows.

use std::sync::LazyLock;

use app::mail::{Content, Links, Notice, Occasion};
use domain::standing::Proof;
use jiff::Timestamp;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use crate::in_words::time_left;

/// By their names.
const TEMPLATES: [(&str, &str); 4] = [
    ("reminder.txt", include_str!("templates/reminder.txt")),
    ("expired.txt", include_str!("templates/expired.txt")),
    ("layout.html", include_str!("templates/layout.html")),
    ("mail.html", include_str!("templates/mail.html")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    environment.set_loader(|name| {
        let found = TEMPLATES.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, source)| *source))
    });
    environment
});

/// The mail about an order.
///
/// # Errors
/// When a template does not go with the values, a fault of ours.
pub fn render(notice: &Notice, links: &Links, now: Timestamp) -> Result<Content, String> {
    let values = values(notice, links, now);
    let text = match notice.occasion {
        Occasion::Expired => "expired.txt",
        _ => "reminder.txt",
    };
    let filled = |name| {
        let template = ENVIRONMENT.get_template(name)?;
        template.render(&values)
    };
    let failed = |error: minijinja::Error| error.to_string();
    Ok(Content {
        text: filled(text).map_err(failed)?,
        html: filled("mail.html").map_err(failed)?,
        subject: subject(notice),
    })
}

fn values(notice: &Notice, links: &Links, now: Timestamp) -> Value {
    let (company, order) = (one_line(&notice.company_name), one_line(&notice.order_id));
    let missing = notice.missing.iter().copied().map(step);
    context! {
        subject => subject(notice),
        greeting => greeting(notice.occasion),
        missing => missing.collect::<Vec<_>>(),
        is_expired => notice.occasion == Occasion::Expired,
        time_left => time_left(notice.deadline.duration_since(now)),
        deadline => notice.deadline.strftime("%A, %-d %B %Y, %H:%M UTC").to_string(),
        verify => links.verify.as_str(),
        stop => links.stop.as_str(),
        company,
        order,
    }
}

fn subject(notice: &Notice) -> String {
    let (company, order) = (one_line(&notice.company_name), one_line(&notice.order_id));
    match notice.occasion {
        Occasion::First => format!("Your order {order} at {company} is waiting for you"),
        Occasion::Between => format!("Your order {order} at {company} is still waiting"),
        Occasion::Last => format!("Last reminder: your order {order} at {company}"),
        Occasion::Expired => format!("Your order {order} at {company} was not verified in time"),
    }
}

/// The headline.
const fn greeting(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::First => "Thank you for your order",
        Occasion::Between => "Your order is waiting",
        Occasion::Last => "Your order is about to expire",
        Occasion::Expired => "Your order has expired",
    }
}

/// What the customer does to give a proof.
const fn step(proof: Proof) -> &'static str {
    match proof {
        Proof::Veriff => "Show your ID",
        Proof::Membership => "Sign the membership agreement",
        Proof::EmailOptin => "Agree to receive e-mail",
    }
}

/// Names come from companies and shops; in a mail's headers a line break would begin another.
fn one_line(text: &str) -> String {
    let spaced = text.replace(char::is_control, " ");
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
