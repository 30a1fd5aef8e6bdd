//! The installation of the drill: proxy, instances, database servers, Redis Cluster, receiver.
//!
//! Guarantees: commits wait for the standby as long as there is one; clients know only the proxy.
//! Must not: tell an instance where the primary is now: it has both addresses, and has to find out.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use test_support::ports::free_port;
use test_support::postgres::Settings;
use test_support::process::{Process, Signal};
use test_support::programs::find_in_path;
use test_support::waiting::wait_for;
use test_support::{Postgres, Server};

use crate::drill::load::{Load, Plan, Seen, check_body, request};
use crate::drill::proof::{Losses, Place, look_back};
use crate::drill::receiver::{Manner, Receiver};
use crate::drill::site::{COMPANY, Pace, SCOPES, ask_once, await_key, builder};
use crate::program::{create_key, name_webhook};

use super::redis_cluster::RedisCluster;

/// Instances behind the proxy.
pub const INSTANCES: usize = 3;
/// How long the proxy may take to find the instances.
const PROXY_START: Duration = Duration::from_secs(10);

/// Everything that the drill leads.
pub struct Estate {
    // Each part ends before what it depends on.
    proxy: Proxy,
    servers: Vec<Server>,
    /// Where limits are shared
    pub redis: RedisCluster,
    primary: Postgres,
    standby: Option<Postgres>,
    receiver: Receiver,
    key: String,
    pace: Pace,
}

impl Estate {
    /// Starts everything.
    pub fn open(pace: &Pace) -> Result<Self> {
        let primary = Postgres::start(Settings::Durable)?;
        let database = primary.fresh_database("scale")?;
        let standby = Postgres::start_standby(&primary)?;
        primary.wait_for_standby(true)?;
        let redis = RedisCluster::start()?;
        let url = url_of_both(&database, &primary, &standby)?;
        let start = || {
            builder(&pace.binary)
                .variable("DATABASE_URL", &url)
                .variable("REDIS_URL", redis.url())
                .start()
        };
        let servers: Vec<_> = (0..INSTANCES).map(|_| start()).collect::<Result<_>>()?;
        let proxy = Proxy::start(&servers)?;
        let first = servers.first().context("there are instances")?;
        let receiver = Receiver::start(Manner::Accepts)?;
        name_webhook(first, COMPANY, &receiver.url())?;
        let key = create_key(first, COMPANY, &SCOPES, None)?;
        for server in &servers {
            await_key(server, &key)?;
        }
        proxy.await_instances(&key)?;
        Ok(Self {
            proxy,
            servers,
            redis,
            primary,
            standby: Some(standby),
            receiver,
            key,
            pace: pace.clone(),
        })
    }

    /// The instances.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// One of the instances, to be mistreated.
    pub fn server_mut(&mut self, number: usize) -> Result<&mut Server> {
        self.servers.get_mut(number).context("no such instance")
    }

    /// One from which commands are given.
    pub fn office(&self) -> Result<&Server> {
        self.servers.first().context("there are instances")
    }

    /// Starts a load through the proxy.
    pub fn load(&self, name: &str) -> Result<Load> {
        Load::start(Plan {
            name: name.to_owned(),
            ports: vec![self.proxy.port],
            key: self.key.clone(),
            clients: self.pace.clients,
            per_second: self.pace.per_second,
            has_customers: true,
            tolerated: &[],
        })
    }

    /// Looks through the proxy for everything that a load was answered.
    pub fn look_back(&self, seen: &Seen) -> Result<Losses> {
        let place = Place {
            server: self.office()?,
            port: self.proxy.port,
            key: &self.key,
            receiver: &self.receiver,
            repeats: self.pace.repeats(),
        };
        look_back(&place, seen)
    }

    /// The primary's machine is gone.
    pub fn lose_primary(&mut self) -> Result<()> {
        self.primary.crash()
    }

    /// The standby is the primary from now on, and waits for nobody.
    pub fn promote_standby(&mut self) -> Result<()> {
        let standby = self.standby.take().context("there is no standby")?;
        standby.promote()?;
        self.primary = standby;
        Ok(())
    }

    /// Another standby is made from the primary, and waited for from then on.
    pub fn add_standby(&mut self) -> Result<()> {
        self.standby = Some(Postgres::start_standby(&self.primary)?);
        self.primary.wait_for_standby(true)
    }
}

/// The address of a database that is on the first of two servers, or on the second one day.
fn url_of_both(url: &str, first: &Postgres, second: &Postgres) -> Result<String> {
    let (_, database) = url.rsplit_once('/').context("a URL names a database")?;
    let (first, second) = (first.port(), second.port());
    Ok(format!(
        "postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/{database}\
         ?target_session_attrs=read-write"
    ))
}

/// HAProxy in front of the instances.
struct Proxy {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Proxy {
    fn start(servers: &[Server]) -> Result<Self> {
        let program = find_in_path("haproxy").context("haproxy is not installed")?;
        let folder = tempfile::Builder::new().prefix("haproxy-").tempdir()?;
        let port = free_port()?;
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration(port, servers))?;
        let process = run(&program, &file)?;
        Ok(Self {
            port,
            _process: process,
            _folder: folder,
        })
    }

    /// Waits until requests go through.
    fn await_instances(&self, key: &str) -> Result<()> {
        let path = crate::drill::load::CHECK_PATH;
        let question = request(path, key, "first", &check_body("nobody@example.com"));
        wait_for("the start of HAProxy", PROXY_START, || {
            let status = ask_once(self.port, &question).ok();
            Ok((status == Some(200)).then_some(()))
        })
    }
}

fn run(program: &Path, file: &Path) -> Result<Process> {
    let mut command = Command::new(program);
    // In the foreground.
    command.arg("-db").arg("-f").arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null());
    Process::spawn("haproxy", &mut command, Signal::TERM)
}

/// What docs/scaling.md recommends: instances are asked whether they live, not whether the database
/// does, for a request waits better inside an instance than it is refused in front of all of them.
fn configuration(port: u16, servers: &[Server]) -> String {
    let mut text = format!(
        "global\n    maxconn 4000\n\
         defaults\n    mode http\n    timeout connect 1s\n    timeout client 60s\n    \
         timeout server 30s\n    retries 2\n    option redispatch 1\n    \
         retry-on conn-failure\n\
         frontend shop\n    bind 127.0.0.1:{port}\n    default_backend bonafide\n\
         backend bonafide\n    balance leastconn\n    option httpchk GET /health/live\n    \
         default-server check inter 200ms fall 1 rise 1\n"
    );
    for (number, server) in servers.iter().enumerate() {
        text.push_str(&format!(
            "    server instance{number} 127.0.0.1:{}\n",
            server.port()
        ));
    }
    text
}
