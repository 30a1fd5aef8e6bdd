//! How a scenario is carried out: what is prepared, who is loaded, and whose CPU counts.
//!
//! Guarantees: what a measurement leaves waiting is done with before the next.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use test_support::Server;
use test_support::waiting::wait_for;

use super::{Action, CUSTOMERS, Engine, FEW_CUSTOMERS, Records, Scenario, Subject};
use crate::bench::load::{self, Extent, Plan, Target};
use crate::bench::measurement::Sample;
use crate::bench::pgbench::Script;
use crate::bench::receiver::Receiver;
use crate::bench::stage::Stage;
use crate::bench::{Pace, bare, cpu, pgbench, seed, sessions};
use crate::http::Request;

/// The customers who are erased at each measurement.
const LEAVERS: u64 = 200;
/// How long the retirement of a month may take.
const RETIRED_WITHIN: Duration = Duration::from_secs(600);
/// How long the deliveries of one measurement may take.
const DELIVERED_WITHIN: Duration = Duration::from_secs(120);

impl Scenario {
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

fn measure_pgbench(stage: &Stage, script: Script, pace: Pace) -> Result<Sample> {
    let processes: Vec<u32> = stage.postgres.process_id().into_iter().collect();
    let before = cpu::seconds(&processes)?;
    let rate = pgbench::run(&stage.postgres, &stage.pgbench, script, pace.measured)?;
    let used = cpu::seconds(&processes)? - before;
    let answers = rate * pace.measured.as_secs_f64();
    Ok(Sample::of_rate(rate, used * 1e6 / answers))
}
