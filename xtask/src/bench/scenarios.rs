//! What is measured: each scenario's name, subject and load.
//!
//! Guarantees: names are stable, bars and `--only` refer to them; what is compared with a baseline
//! is measured next to it, and a baseline as often as that takes.
//! Must not: know what a good figure is.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use test_support::Server;
use test_support::waiting::wait_for;

use super::console::Page;
use super::load::{self, Extent, Plan, Target};
use super::measurement::Sample;
use super::pgbench::Script;
use super::receiver::Receiver;
use super::stage::Stage;
use super::{Pace, bare, cpu, past, pgbench, seed, sessions};
use crate::http::{Request, SESSION};

/// The customers of the ordinary scenarios.
pub const CUSTOMERS: u64 = 100_000;
/// The customers of the small database.
pub const FEW_CUSTOMERS: u64 = 10_000;
/// The records of the short audit log.
pub const FEW_RECORDS: u64 = 10_000;
/// The customers who are erased at each measurement.
const LEAVERS: u64 = 200;
/// How long the retirement of a month may take.
const RETIRED_WITHIN: Duration = Duration::from_secs(600);
/// The customers whose age is known.
pub const KNOWN_AGES: u64 = 100_000;
/// Those who are verified for the first time are drawn from so many: hardly anybody comes twice.
const STRANGERS: u64 = 10_000_000;
/// The sessions that are looked up.
const OPEN_SESSIONS: u64 = 100_000;
/// How long the deliveries of one measurement may take.
const DELIVERED_WITHIN: Duration = Duration::from_secs(120);
/// Addresses in one bulk request.
pub const BULK: u64 = 100;
/// Connections of the scenarios about the number of customers: few, so that nobody waits in line.
const UNHURRIED: usize = 16;

/// What keeps the customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// SQLite, limits in memory
    Sqlite,
    /// PostgreSQL, limits in Redis
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The bare handler
    Bare,
    /// PostgreSQL alone
    Pgbench(Script),
    /// The server on an engine with these records
    Server(Engine, Records),
}

/// What a server knows before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Records {
    /// So many customers
    Customers(u64),
    /// So many customers whose age is known
    Ages(u64),
    /// So many decisions about ages, over seven years
    Decisions(u64),
    /// So many open sessions of number verification; only requests are answered, nothing delivered
    Sessions(u64),
    /// So many answered requests in the audit log
    Answers(u64),
    /// So many customers of a shop; a tenth of them has an order that is held, a number session that is
    /// open, and an age that is known
    Shop(u64),
    /// So many records of the audit log, over a year and a month whose time is over; only requests are
    /// answered
    Past(u64),
}

impl fmt::Display for Records {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customers(count) => write!(out, "{count} customers"),
            Self::Ages(count) => write!(out, "{count} ages"),
            Self::Decisions(count) => write!(out, "{count} decisions"),
            Self::Sessions(count) => write!(out, "{count} sessions"),
            Self::Answers(count) => write!(out, "{count} answers"),
            Self::Shop(count) => write!(out, "{count} customers of a shop"),
            Self::Past(count) => write!(out, "{count} past records"),
        }
    }
}

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

    fn query(self) -> &'static str {
        match self {
            Self::Rare => "action=key.create",
            Self::Person => "subject=0000000000000000000000000#######",
            Self::Nothing => "action=never.happened",
            Self::Request => "request_id=cart-#######",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Rare | Self::Person => "\"id\":\"1.",
            Self::Nothing | Self::Request => "\"records\":[]",
        }
    }
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

    /// Measures once.
    pub fn measure(&self, stage: &Stage, pace: Pace) -> Result<Sample> {
        match self.subject {
            Subject::Pgbench(script) => measure_pgbench(stage, script, pace),
            Subject::Bare => {
                let target = Target {
                    port: stage.bare.port,
                    request: Request::post(bare::PATH, "none", seed::CHECK),
                    expected: "@example.com",
                };
                let process = stage.bare.process_id();
                self.measure_load(&target, CUSTOMERS, &[process], pace)
            }
            Subject::Server(engine, records) if self.action == Action::Submit => {
                self.submit(stage, engine, records, pace.sessions)
            }
            Subject::Server(engine, records) if self.action == Action::Deliver => {
                deliver(self, stage, engine, records, pace.sessions)
            }
            Subject::Server(engine, records) if self.action == Action::AuditVerify => {
                verify_audit(stage, engine, records)
            }
            Subject::Server(engine, records) if self.action == Action::Erase => {
                self.forget(stage, engine, records)
            }
            Subject::Server(engine, records) if self.action == Action::Retire => {
                self.retire_month(stage, engine, records, pace)
            }
            Subject::Server(engine, records) => {
                let server = stage.server(engine, records)?;
                let customers = self.action.customers(records);
                let request = match self.action {
                    Action::Console(page) => {
                        let admin = server.admin()?;
                        Request::page(page.path(&admin), &admin.cookie)
                    }
                    _ => self.action.request(&server.key, customers),
                };
                let target = Target {
                    port: server.port(),
                    request: request.of_sessions(server.sessions.clone()),
                    expected: self.action.expected(),
                };
                let processes = stage.processes(engine, records)?;
                self.measure_load(&target, customers, &processes, pace)
            }
        }
    }

    /// Submits the right number to so many fresh sessions, each once.
    fn submit(
        &self,
        stage: &Stage,
        engine: Engine,
        records: Records,
        count: u64,
    ) -> Result<Sample> {
        let server = stage.server(engine, records)?;
        let kind = format!("fresh-{}", stage.next_kind());
        let fresh = sessions::open(server.port(), &server.key, &kind, count)?;
        let target = Target {
            port: server.port(),
            request: Request::anonymous(sessions::SUBMIT_PATH, &sessions::submission())
                .of_sessions(fresh.into()),
            expected: "\"status\":\"verified\"",
        };
        let processes = stage.processes(engine, records)?;
        let plan = Plan {
            connections: self.connections,
            customers: count,
            extent: Extent::EachOnce,
        };
        measure(&target, plan, &processes)
    }

    /// Erases customers who came to be erased; each receipt must carry its proof. The first checkpoint
    /// covers all that was written before.
    fn forget(&self, stage: &Stage, engine: Engine, records: Records) -> Result<Sample> {
        let server = stage.server(engine, records)?;
        seed::leavers(server.port(), &server.key, LEAVERS)?;
        let target = Target {
            port: server.port(),
            request: Request::post(seed::ERASE_PATH, &server.key, seed::ERASE),
            expected: "\"public_key\":\"",
        };
        let plan = Plan {
            connections: self.connections,
            customers: LEAVERS,
            extent: Extent::EachOnce,
        };
        measure(&target, plan, &stage.processes(engine, records)?)
    }

    /// Has a worker retire the month whose time is over. The rate is that of months, the worker's
    /// start included; latencies are those of checks meanwhile.
    fn retire_month(
        &self,
        stage: &Stage,
        engine: Engine,
        records: Records,
        pace: Pace,
    ) -> Result<Sample> {
        let server = stage.server(engine, records)?;
        let target = Target {
            port: server.port(),
            request: Action::Check.request(&server.key, FEW_CUSTOMERS),
            expected: Action::Check.expected(),
        };
        let processes = stage.processes(engine, records)?;
        let began = Instant::now();
        let worker = stage.start_worker(engine, records)?;
        let sample = self.measure_load(&target, FEW_CUSTOMERS, &processes, pace)?;
        // It says when it was done itself, to the microsecond; whoever looks here looks later.
        wait_for("the month to be retired", RETIRED_WITHIN, || {
            Ok(worker.stderr().contains("is retired").then_some(()))
        })?;
        eprintln!("  retired after at most {:.1?}", began.elapsed());
        Ok(sample)
    }

    fn measure_load(
        &self,
        target: &Target,
        customers: u64,
        processes: &[u32],
        pace: Pace,
    ) -> Result<Sample> {
        let plan = Plan {
            connections: self.connections,
            customers,
            extent: Extent::Time {
                warm_up: pace.warm_up,
                measured: pace.measured,
            },
        };
        measure(target, plan, processes)
    }
}

/// Measures one load. The first of `processes` is the one whose memory is told.
fn measure(target: &Target, plan: Plan, processes: &[u32]) -> Result<Sample> {
    if let Some(process) = processes.first() {
        cpu::forget_peak(*process)?;
    }
    let (mut before, mut own_before) = (Ok(0.0), 0.0);
    let outcome = load::run(target, plan, || {
        before = cpu::seconds(processes);
        own_before = cpu::own_seconds();
    })?;
    let used = cpu::seconds(processes)? - before?;
    let generator = cpu::own_seconds() - own_before;
    let peak = processes
        .first()
        .map(|process| cpu::peak_mebibytes(*process));
    Sample::of_load(&outcome, used, generator, peak.transpose()?)
}

/// Has a worker of its own deliver so many webhooks that wait for it. The rate is that at which
/// they arrive, the first and the last twentieth left out.
fn deliver(
    scenario: &Scenario,
    stage: &Stage,
    engine: Engine,
    records: Records,
    count: u64,
) -> Result<Sample> {
    let seeded = stage.server(engine, records)?;
    let crowd = Scenario {
        name: scenario.name.clone(),
        connections: 256,
        ..*scenario
    };
    crowd.submit(stage, engine, records, count)?;
    let receiver = Receiver::start(seeded.receiver)?;
    let worker = stage.start_worker(engine, records)?;
    let mut processes = stage.processes(engine, records)?;
    processes.extend(worker.process_id());
    let arrived = |least: u64| {
        wait_for("webhooks to arrive", DELIVERED_WITHIN, || {
            Ok((receiver.heard() >= least).then(Instant::now))
        })
    };
    let (first, last) = (count / 20, count - count / 20);
    let began = arrived(first)?;
    let before = cpu::seconds(&processes)?;
    let ended = arrived(last)?;
    let used = cpu::seconds(&processes)? - before;
    let counted = (last - first) as f64;
    let rate = counted / (ended - began).as_secs_f64();
    // The rest, so that nothing of it is left for the next measurement.
    wait_for("the queue to be empty", DELIVERED_WITHIN, || {
        Ok(is_empty(&worker)?.then_some(()))
    })?;
    drop(worker);
    receiver.stop()?;
    Ok(Sample::of_rate(rate, used * 1e6 / counted))
}

/// Has the program check the audit log, beside the idle server. The rate is that of the whole
/// command, start included; the CPU is the command's alone, so PostgreSQL's part is not in it.
fn verify_audit(stage: &Stage, engine: Engine, records: Records) -> Result<Sample> {
    let before = cpu::ended_children_seconds();
    let began = Instant::now();
    let output = stage
        .server(engine, records)?
        .command(["audit", "verify", "--json"])?;
    let took = began.elapsed().as_secs_f64();
    let used = cpu::ended_children_seconds() - before;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the audit log is not intact: {said}"
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let checked = report.get("records").and_then(serde_json::Value::as_u64);
    let checked = checked.unwrap_or_default() as f64;
    Ok(Sample::of_rate(checked / took, used * 1e6 / checked))
}

/// Whether no delivery waits any more.
pub fn is_empty(server: &Server) -> Result<bool> {
    let output = server.command([
        "deliveries",
        "list",
        "--status",
        "waiting",
        "--limit",
        "1",
        "--json",
    ])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot list deliveries: {said}");
    Ok(output.stdout.trim_ascii() == b"[]")
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

impl Action {
    /// How many customers the requests are about.
    fn customers(self, records: Records) -> u64 {
        match (self, records) {
            (Self::Verify | Self::Initiate, _) => STRANGERS,
            (
                _,
                Records::Customers(customers)
                | Records::Ages(customers)
                | Records::Sessions(customers)
                | Records::Shop(customers)
                | Records::Answers(customers),
            ) => customers,
            (Self::AuditPage(_), Records::Past(records)) => past::people(records),
            (_, Records::Past(_)) => FEW_CUSTOMERS,
            (_, Records::Decisions(_)) => 1,
        }
    }

    fn request(self, key: &str, customers: u64) -> Request {
        match self {
            Self::Check => Request::post(seed::CHECK_PATH, key, seed::CHECK),
            Self::CheckByPhone => Request::post(seed::CHECK_PATH, key, seed::CHECK_BY_PHONE),
            Self::Update => Request::post(seed::UPDATE_PATH, key, &seed::update("membership")),
            Self::Bulk => {
                let addresses = vec!["\"customer-#######@example.com\""; BULK as usize];
                let body = format!("{{\"emails\":[{}]}}", addresses.join(","));
                Request::post("/api/v1/customer/bulk-check", key, &body).spread_over(customers)
            }
            Self::Verify => Request::post(seed::VERIFY_PATH, key, &seed::verify("stranger")),
            Self::VerifyAgain => Request::post(seed::VERIFY_PATH, key, &seed::verify("known")),
            Self::AgeStatus => Request::get("/api/age-verification/status/known-#######", key),
            Self::AgeStatistics => Request::get("/api/age-verification/statistics?days=2557", key),
            Self::Initiate => {
                Request::post(sessions::INITIATE_PATH, key, &sessions::initiation("new"))
            }
            Self::AuditPage(filter) => {
                Request::get(&format!("/api/v1/audit?{}", filter.query()), key)
            }
            Self::NumberStatus
            | Self::Submit
            | Self::Deliver
            | Self::AuditVerify
            | Self::Console(_)
            | Self::Erase
            | Self::Retire => Request::get(&format!("/api/v1/verification/status/{SESSION}"), key),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Check | Self::CheckByPhone => "\"customer_found\":true",
            Self::Update => "\"success\":true",
            Self::Bulk => "\"total_checked\":100",
            Self::Verify => "\"verified\":true",
            Self::VerifyAgain => "\"method\":\"cache\"",
            Self::AgeStatus => "\"verified\":true",
            Self::AgeStatistics => "\"successRate\"",
            Self::Initiate
            | Self::NumberStatus
            | Self::Submit
            | Self::Deliver
            | Self::AuditVerify
            | Self::Erase
            | Self::Retire => "\"status\":\"pending\"",
            Self::AuditPage(filter) => filter.expected(),
            Self::Console(page) => page.expected(),
        }
    }
}

fn measure_pgbench(stage: &Stage, script: Script, pace: Pace) -> Result<Sample> {
    let processes: Vec<u32> = stage.postgres.process_id().into_iter().collect();
    let before = cpu::seconds(&processes)?;
    let rate = pgbench::run(&stage.postgres, &stage.pgbench, script, pace.measured)?;
    let used = cpu::seconds(&processes)? - before;
    let answers = rate * pace.measured.as_secs_f64();
    Ok(Sample::of_rate(rate, used * 1e6 / answers))
}
