//! The console's pages, as the browser of an administrator asks for them.
//!
//! Guarantees: signed in once in a while, as people are, for tries are counted; every page is asked for
//! by a session's cookie and leaves its record, as any look does.
//! Must not: be signed in while something is measured.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The customer whose page is looked at.
const WHOM: &str = "customer-0000007%40example.com";
/// A session ends when it was not used for half an hour.
const GOOD_FOR: Duration = Duration::from_secs(20 * 60);

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The first page
    Overview,
    /// The first page, with the figures of a month
    Month,
    /// Orders that are held
    Orders,
    /// All orders
    AllOrders,
    /// One order
    Order,
    /// The form that finds a customer
    Customers,
    /// One customer
    Customer,
    /// Sessions about numbers
    Numbers,
    /// Figures of age checks
    Ages,
    /// Figures of a year's age checks
    YearOfAges,
    /// Deliveries
    Deliveries,
    /// What came in by hooks
    Inbox,
    /// The services we work with
    Integrations,
    /// The newest records
    Audit,
    /// Records of a kind that there are few of
    AuditSearch,
    /// Companies
    Companies,
    /// Keys
    Keys,
    /// How the installation is
    Health,
    /// Where somebody is signed in
    Sessions,
}

impl Page {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Overview,
        Self::Month,
        Self::Orders,
        Self::AllOrders,
        Self::Order,
        Self::Customers,
        Self::Customer,
        Self::Numbers,
        Self::Ages,
        Self::YearOfAges,
        Self::Deliveries,
        Self::Inbox,
        Self::Integrations,
        Self::Audit,
        Self::AuditSearch,
        Self::Companies,
        Self::Keys,
        Self::Health,
        Self::Sessions,
    ];

    /// Those that have to do with the audit log.
    pub const LOGGED: [Self; 4] = [Self::Overview, Self::Audit, Self::AuditSearch, Self::Health];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Month => "overview of a month",
            Self::Orders => "held orders",
            Self::AllOrders => "all orders",
            Self::Order => "order",
            Self::Customers => "customers",
            Self::Customer => "customer",
            Self::Numbers => "numbers",
            Self::Ages => "ages",
            Self::YearOfAges => "ages of a year",
            Self::Deliveries => "deliveries",
            Self::Inbox => "inbox",
            Self::Integrations => "integrations",
            Self::Audit => "audit",
            Self::AuditSearch => "audit search",
            Self::Companies => "companies",
            Self::Keys => "keys",
            Self::Health => "health",
            Self::Sessions => "sessions",
        }
    }

    /// Where it is.
    pub fn path(self, admin: &Admin) -> &str {
        match self {
            Self::Overview => "/console",
            Self::Month => "/console?figures=30d",
            Self::Orders => "/console/orders",
            Self::AllOrders => "/console/orders?status=all",
            Self::Order => "/console/orders/order-0000007",
            Self::Customers => "/console/customers",
            Self::Customer => &admin.customer,
            Self::Numbers => "/console/numbers",
            Self::Ages => "/console/ages",
            Self::YearOfAges => "/console/ages?days=365",
            Self::Deliveries => "/console/deliveries?status=all",
            Self::Inbox => "/console/inbox",
            Self::Integrations => "/console/integrations",
            Self::Audit => "/console/audit",
            Self::AuditSearch => "/console/audit?action=key.create",
            Self::Companies => "/console/companies",
            Self::Keys => "/console/keys",
            Self::Health => "/console/health",
            Self::Sessions => "/console/sessions",
        }
    }

    /// What stands on it.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Overview | Self::Month => "<h1>Overview</h1>",
            Self::Orders | Self::AllOrders => "<h1>Orders</h1>",
            Self::Order => "<h1>Order order-0000007",
            Self::Customers => "<h1>Customers</h1>",
            Self::Customer => "c***@example.com",
            Self::Numbers => "<h1>Numbers</h1>",
            Self::Ages | Self::YearOfAges => "<h1>Ages</h1>",
            Self::Deliveries => "<h1>Deliveries</h1>",
            Self::Inbox => "<h1>Inbox</h1>",
            Self::Integrations => "<h1>Integrations</h1>",
            Self::Audit | Self::AuditSearch => "<h1>Audit</h1>",
            Self::Companies => "<h1>Companies</h1>",
            Self::Keys => "<h1>Keys</h1>",
            Self::Health => "<h1>Health",
            Self::Sessions => "<h1>Where you are signed in</h1>",
        }
    }
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Admin {
    /// The cookie of the session
    pub cookie: String,
    customer: String,
    since: Instant,
}

impl Admin {
    /// Signs in with an administrator's key, and finds a customer.
    pub fn enter(port: u16, key: &str) -> Result<Self> {
        let form = format!("credential={key}&way=");
        let answer = send(port, "POST", "/console/sign-in", "", &form)?;
        let cookie = answer.header("set-cookie").context("no cookie")?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let page = send(port, "GET", "/console/customers", &cookie, "")?;
        let form = format!("whom={WHOM}&mark={}", page.mark()?);
        let found = send(port, "POST", "/console/customers/find", &cookie, &form)?;
        let customer = found.header("location").context("no customer")?;
        Ok(Self {
            customer: format!("/{}", customer.trim_start_matches("../")),
            cookie,
            since: Instant::now(),
        })
    }

    /// Whether the session is good for a while yet.
    pub fn is_fresh(&self) -> bool {
        self.since.elapsed() < GOOD_FOR
    }
}

/// A whole answer.
struct Answer(String);

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let (head, _) = self.0.split_once("\r\n\r\n")?;
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(line, _)| line.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    /// The mark of the session, which its forms carry.
    fn mark(&self) -> Result<&str> {
        let (_, rest) = self
            .0
            .split_once("name=\"mark\" value=\"")
            .with_context(|| format!("no mark: {}", self.0))?;
        Ok(rest.split('"').next().unwrap_or_default())
    }
}

/// Sends one request, with a form if there is one, over a connection of its own.
fn send(port: u16, method: &str, path: &str, cookie: &str, form: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let length = form.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    ensure!(
        matches!(status, "200" | "303"),
        "{method} {path} is answered: {answer}"
    );
    Ok(Answer(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_headers_are_found() {
        let answer = Answer(
            "HTTP/1.1 303 See Other\r\nSet-Cookie: a=b; Path=/\r\n\r\n\
             <input name=\"mark\" value=\"xyz\">"
                .to_owned(),
        );
        assert_eq!(answer.header("set-cookie"), Some("a=b; Path=/"));
        assert_eq!(answer.header("location"), None);
        assert_eq!(answer.mark().unwrap(), "xyz");
    }

    #[test]
    fn every_page_has_a_name_of_its_own() {
        let mut names: Vec<_> = Page::ALL.iter().map(|page| page.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Page::ALL.len());
    }
}
