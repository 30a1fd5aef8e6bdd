//! What is measured: each scenario's name, subject and load.
//!
//! Guarantees: names are stable, bars and `--only` refer to them; what is compared with a baseline
//! is measured next to it, and a baseline as often as that takes.
//! Must not: know what a good figure is.

mod measure;
mod requests;
mod subject;

use super::Pace;
use super::console::Page;
use super::pgbench::Script;
pub use measure::is_empty;
pub use subject::{Engine, Records, Subject};

/// The customers of the ordinary scenarios.
pub const CUSTOMERS: u64 = 100_000;
/// The customers of the small database.
pub const FEW_CUSTOMERS: u64 = 10_000;
/// The records of the short audit log.
pub const FEW_RECORDS: u64 = 10_000;
/// The customers whose age is known.
pub const KNOWN_AGES: u64 = 100_000;
/// The sessions that are looked up.
const OPEN_SESSIONS: u64 = 100_000;
/// Addresses in one bulk request.
pub const BULK: u64 = 100;
/// Connections of the scenarios about the number of customers: few, so that nobody waits in line.
const UNHURRIED: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Check,
    CheckByPhone,
    Update,
    Bulk,
    Verify,
    VerifyAgain,
    AgeStatus,
    AgeStatistics,
    Initiate,
    Submit,
    NumberStatus,
    Deliver,
    AuditVerify,
    AuditPage(Filter),
    Console(Page),
    Erase,
    Retire,
}

/// What is looked for in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// What happened rarely
    Rare,
    /// Somebody
    Person,
    /// What never happened
    Nothing,
    /// A request of the client's own name
    Request,
}

impl Filter {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rare, Self::Person, Self::Nothing, Self::Request];
}

/// One measurement to make in each round.
pub struct Scenario {
    name: String,
    subject: Subject,
    action: Action,
    connections: usize,
}

/// Every scenario, baselines beside what is compared with them.
pub fn all(pace: Pace) -> Vec<Scenario> {
    let (most_customers, most_decisions) = (pace.most_customers, pace.most_decisions);
    let mut all = Vec::new();
    for connections in [16, 64, 256, 1000] {
        all.push(Scenario::bare(connections));
        for engine in [Engine::Sqlite, Engine::Postgres] {
            all.push(Scenario::server(engine, Action::Check, connections));
        }
        if connections == 256 {
            all.push(Scenario::pgbench(Script::Select));
        }
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        all.push(Scenario::server(engine, Action::CheckByPhone, 256));
    }
    all.push(Scenario::bare(256));
    for engine in [Engine::Sqlite, Engine::Postgres] {
        all.push(Scenario::server(engine, Action::Update, 256));
    }
    all.push(Scenario::pgbench(Script::Update));
    for engine in [Engine::Sqlite, Engine::Postgres] {
        all.push(Scenario::server(engine, Action::Bulk, 64));
        all.push(Scenario::sized(engine, FEW_CUSTOMERS));
        all.push(Scenario::sized(engine, most_customers));
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for connections in [256, 1000] {
            for action in [Action::VerifyAgain, Action::AgeStatus, Action::Verify] {
                all.push(Scenario::bare(connections));
                all.push(Scenario::server(engine, action, connections));
            }
        }
        if engine == Engine::Postgres {
            all.push(Scenario::pgbench(Script::Update));
        }
        all.push(Scenario::statistics(engine, most_decisions));
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for connections in [256, 1000] {
            for action in [Action::NumberStatus, Action::Initiate, Action::Submit] {
                all.push(Scenario::bare(connections));
                all.push(Scenario::server(engine, action, connections));
            }
        }
        all.push(Scenario::server(engine, Action::Deliver, 1));
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        all.push(Scenario::audit(engine, pace.most_answers));
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        all.push(Scenario::logged(engine, FEW_RECORDS));
        all.push(Scenario::logged(engine, pace.most_records));
        for filter in Filter::ALL {
            all.push(Scenario::page(engine, filter, pace.most_records));
        }
        for page in Page::LOGGED {
            all.push(Scenario::console(
                engine,
                page,
                Records::Past(pace.most_records),
            ));
        }
        all.push(Scenario::erase(engine, pace.most_records));
        all.push(Scenario::retire(engine, pace.most_records));
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for page in Page::ALL {
            all.push(Scenario::console(
                engine,
                page,
                Records::Shop(most_customers),
            ));
        }
    }
    all
}

impl Scenario {
    fn bare(connections: usize) -> Self {
        Self {
            name: format!("bare {connections}"),
            subject: Subject::Bare,
            action: Action::Check,
            connections,
        }
    }

    fn pgbench(script: Script) -> Self {
        let name = match script {
            Script::Select => "pgbench -S 64",
            Script::Update => "pgbench -N 64",
        };
        Self {
            name: name.to_owned(),
            subject: Subject::Pgbench(script),
            action: Action::Check,
            connections: 64,
        }
    }

    fn server(engine: Engine, action: Action, connections: usize) -> Self {
        let verb = match action {
            Action::Check => "check",
            Action::CheckByPhone => "check by phone",
            Action::Update => "update",
            Action::Bulk => "bulk",
            Action::Verify => "verify age",
            Action::VerifyAgain => "verify age again",
            Action::AgeStatus => "age status",
            Action::AgeStatistics => "age statistics",
            Action::Initiate => "initiate",
            Action::Submit => "submit",
            Action::NumberStatus => "number status",
            Action::Deliver => "deliver",
            Action::AuditVerify => "audit verify",
            Action::AuditPage(_) => "audit page",
            Action::Console(_) => "console",
            Action::Erase => "erase",
            Action::Retire => "retire",
        };
        let records = match action {
            Action::Check | Action::CheckByPhone | Action::Update | Action::Bulk => {
                Records::Customers(CUSTOMERS)
            }
            Action::Initiate | Action::Submit | Action::NumberStatus | Action::Deliver => {
                Records::Sessions(OPEN_SESSIONS)
            }
            _ => Records::Ages(KNOWN_AGES),
        };
        Self {
            name: format!("{verb} {engine} {connections}"),
            subject: Subject::Server(engine, records),
            action,
            connections,
        }
    }

    /// Checks at few connections, among so many customers.
    fn sized(engine: Engine, customers: u64) -> Self {
        Self {
            name: sized_name(engine, customers),
            subject: Subject::Server(engine, Records::Customers(customers)),
            action: Action::Check,
            connections: UNHURRIED,
        }
    }

    /// Statistics of seven years, one request after the other.
    fn statistics(engine: Engine, decisions: u64) -> Self {
        Self {
            name: statistics_name(engine, decisions),
            subject: Subject::Server(engine, Records::Decisions(decisions)),
            action: Action::AgeStatistics,
            connections: 1,
        }
    }

    /// `audit verify` over so many records.
    fn audit(engine: Engine, answers: u64) -> Self {
        Self {
            name: audit_name(engine, answers),
            subject: Subject::Server(engine, Records::Answers(answers)),
            action: Action::AuditVerify,
            connections: 1,
        }
    }

    /// Checks at few connections, with so many records in the audit log.
    fn logged(engine: Engine, records: u64) -> Self {
        Self {
            name: logged_name(engine, records),
            subject: Subject::Server(engine, Records::Past(records)),
            action: Action::Check,
            connections: UNHURRIED,
        }
    }

    /// Searches for a page, one after the other, among so many records.
    fn page(engine: Engine, filter: Filter, records: u64) -> Self {
        Self {
            name: page_name(engine, filter, records),
            subject: Subject::Server(engine, Records::Past(records)),
            action: Action::AuditPage(filter),
            connections: 1,
        }
    }

    /// A page of the console, once after the other.
    fn console(engine: Engine, page: Page, records: Records) -> Self {
        Self {
            name: console_name(engine, page, records),
            subject: Subject::Server(engine, records),
            action: Action::Console(page),
            connections: 1,
        }
    }

    /// Erasures, one after the other, with so many records in the audit log.
    fn erase(engine: Engine, records: u64) -> Self {
        Self {
            name: erase_name(engine, records),
            subject: Subject::Server(engine, Records::Past(records)),
            action: Action::Erase,
            connections: 1,
        }
    }

    /// Checks while a month of the audit log is retired.
    fn retire(engine: Engine, records: u64) -> Self {
        Self {
            name: retire_name(engine, records),
            subject: Subject::Server(engine, Records::Past(records)),
            action: Action::Retire,
            connections: UNHURRIED,
        }
    }

    /// Whether it can be measured once only: a month that is gone is gone.
    pub fn is_once(&self) -> bool {
        self.action == Action::Retire
    }

    /// Its name in tables, bars and `--only`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who is measured.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Whether it is measured for others to be compared with.
    pub fn is_baseline(&self) -> bool {
        !matches!(self.subject, Subject::Server(..))
    }
}

/// The name of the scenario about the number of customers.
pub fn sized_name(engine: Engine, customers: u64) -> String {
    format!("check {engine} {UNHURRIED} of {customers}")
}

/// The name of the scenario about the audit log.
pub fn audit_name(engine: Engine, answers: u64) -> String {
    format!("audit verify {engine} 1 of {answers}")
}

/// The name of the scenario about what a long audit log costs.
pub fn logged_name(engine: Engine, records: u64) -> String {
    format!("check {engine} {UNHURRIED} beside {records} past records")
}

/// The name of the scenario about a search in the audit log.
pub fn page_name(engine: Engine, filter: Filter, records: u64) -> String {
    let filter = format!("{filter:?}").to_lowercase();
    format!("audit page {engine} 1 {filter} of {records}")
}

/// The name of the scenario about a page of the console.
pub fn console_name(engine: Engine, page: Page, records: Records) -> String {
    let page = page.name();
    format!("console {page} {engine} 1 of {records}")
}

/// The name of the scenario about erasures.
pub fn erase_name(engine: Engine, records: u64) -> String {
    format!("erase {engine} 1 beside {records} past records")
}

/// The name of the scenario about the retirement of a month.
pub fn retire_name(engine: Engine, records: u64) -> String {
    format!("check {engine} {UNHURRIED} while a month of {records} past records is retired")
}

/// The name of the scenario about the number of decisions.
pub fn statistics_name(engine: Engine, decisions: u64) -> String {
    format!("age statistics {engine} 1 of {decisions}")
}
