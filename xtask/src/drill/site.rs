//! A small installation to mistreat: servers on one database, and a receiver of their webhooks.
//!
//! Guarantees: durable settings everywhere, limits counted but never reached, every part in private
//! folders and on loopback; all of it ends with the site.
//! Must not: be gentler than production where it counts: nothing is buffered that production commits.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use test_support::postgres::Settings;
use test_support::waiting::wait_for;
use test_support::{Postgres, Redis, Server, ServerBuilder};

use crate::program::{create_key, name_webhook};

use super::load::{Load, Plan, check_body, request};
use super::proof::{Losses, Place, look_back};
use super::receiver::{Manner, Receiver};
use super::table::Row;

/// A limit that is counted and never reached.
const LIMIT: &str = "100000000/1m";
/// What the load may do.
pub const SCOPES: [&str; 4] = [
    "customers:read",
    "customers:write",
    "numbers:read",
    "numbers:write",
];
/// The company whose sessions the load opens.
pub const COMPANY: &str = "default";
/// Longer than a lease, in milliseconds: `WEBHOOK_TIMEOUT`, which is a second here, and five more.
const REPEATS: u64 = 7_000;
/// How soon a new key is known everywhere.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);

/// What keeps the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, limits in memory
    Sqlite,
    /// PostgreSQL, limits in Redis
    Postgres,
}

/// How a drill is led.
#[derive(Clone, Debug)]
pub struct Pace {
    /// The program
    pub binary: PathBuf,
    /// Whether it is over soon
    pub quick: bool,
    /// Clients of the load
    pub clients: u32,
    /// Requests a second
    pub per_second: u32,
}

impl Pace {
    /// The shorter or the longer of two, in milliseconds.
    pub fn time(&self, quick: u64, thorough: u64) -> Duration {
        Duration::from_millis(self.count(quick, thorough))
    }

    /// The smaller or the larger of two.
    pub fn count(&self, quick: u64, thorough: u64) -> u64 {
        if self.quick { quick } else { thorough }
    }

    /// Load before and after a fault.
    pub fn calm(&self) -> Duration {
        self.time(500, 3_000)
    }

    /// How long it is looked for messages that come again: longer than a lease, after which whoever
    /// could not note an answer is replaced. In haste only those are seen that come at once.
    pub fn repeats(&self) -> Duration {
        self.time(0, REPEATS)
    }
}

/// Servers, what they stand on, and who is told.
pub struct Site {
    // Servers end before what they depend on.
    servers: Vec<Server>,
    /// The database server, unless it is SQLite
    pub postgres: Option<Postgres>,
    /// Where limits are counted, beside PostgreSQL
    pub redis: Option<Redis>,
    /// Who is told of the load's sessions
    pub receiver: Receiver,
    /// The load's key
    pub key: String,
    pace: Pace,
}

impl Site {
    /// Starts one server on an engine of its own.
    pub fn start(pace: &Pace, engine: Engine) -> Result<Self> {
        Self::start_with(pace, engine, 1, |builder| builder)
    }

    /// Starts so many servers on one engine, each configured further by `adjust`.
    pub fn start_with(
        pace: &Pace,
        engine: Engine,
        instances: usize,
        adjust: impl Fn(ServerBuilder) -> ServerBuilder,
    ) -> Result<Self> {
        let (postgres, redis) = match engine {
            Engine::Sqlite => (None, None),
            Engine::Postgres => (
                Some(Postgres::start(Settings::Durable)?),
                Some(Redis::start()?),
            ),
        };
        Self::on(pace, postgres, redis, instances, adjust)
    }

    /// Starts so many servers on these engines.
    pub fn on(
        pace: &Pace,
        postgres: Option<Postgres>,
        redis: Option<Redis>,
        instances: usize,
        adjust: impl Fn(ServerBuilder) -> ServerBuilder,
    ) -> Result<Self> {
        let database = postgres
            .as_ref()
            .map(|postgres| postgres.fresh_database("drill"));
        let database = database.transpose()?;
        let start = || {
            let mut builder = builder(&pace.binary);
            if let Some(url) = &database {
                builder = builder.variable("DATABASE_URL", url);
            }
            if let Some(redis) = &redis {
                builder = builder.variable("REDIS_URL", redis.url());
            }
            adjust(builder).start()
        };
        let servers: Vec<_> = (0..instances).map(|_| start()).collect::<Result<_>>()?;
        let first = servers.first().context("a site has a server")?;
        let receiver = Receiver::start(Manner::Accepts)?;
        name_webhook(first, COMPANY, &receiver.url())?;
        let key = create_key(first, COMPANY, &SCOPES, None)?;
        for server in &servers {
            await_key(server, &key)?;
        }
        Ok(Self {
            servers,
            postgres,
            redis,
            receiver,
            key,
            pace: pace.clone(),
        })
    }

    /// One of the servers.
    pub fn server(&self, number: usize) -> Result<&Server> {
        self.servers.get(number).context("no such server")
    }

    /// One of the servers, to be mistreated.
    pub fn server_mut(&mut self, number: usize) -> Result<&mut Server> {
        self.servers.get_mut(number).context("no such server")
    }

    /// The database server.
    pub fn postgres(&mut self) -> Result<&mut Postgres> {
        self.postgres.as_mut().context("there is no PostgreSQL")
    }

    /// Where limits are counted.
    pub fn redis(&mut self) -> Result<&mut Redis> {
        self.redis.as_mut().context("there is no Redis")
    }

    /// What the ordinary load asks of all servers.
    pub fn plan(&self) -> Plan {
        Plan {
            name: "load".to_owned(),
            ports: self.servers.iter().map(Server::port).collect(),
            key: self.key.clone(),
            clients: self.pace.clients,
            per_second: self.pace.per_second,
            has_customers: true,
            tolerated: &[],
        }
    }

    /// Starts the ordinary load, and leaves it in peace for a while.
    pub fn load(&self) -> Result<Load> {
        self.load_as(self.plan())
    }

    /// The same for a load of another kind.
    pub fn load_as(&self, plan: Plan) -> Result<Load> {
        let load = Load::start(plan)?;
        super::rest(self.pace.calm());
        Ok(load)
    }

    /// Lets the load go on after the fault, ends it, and looks for everything that it was answered.
    /// `earlier` is what was found lost already, `remark` what else there is to say.
    pub fn look_back(
        &self,
        name: &str,
        load: Load,
        earlier: Losses,
        remark: String,
    ) -> Result<Row> {
        load.goes_on()?;
        super::rest(self.pace.calm());
        let seen = load.stop()?;
        let server = self.server(0)?;
        let place = Place {
            server,
            port: server.port(),
            key: &self.key,
            receiver: &self.receiver,
            repeats: self.pace.repeats(),
        };
        let mut losses = look_back(&place, &seen)?;
        losses.add(earlier);
        Ok(Row::tried(name, &seen, losses, remark))
    }
}

/// A server as drills have it: tells receivers on this machine, and tries again soon.
pub fn builder(binary: &std::path::Path) -> ServerBuilder {
    let mut builder = ServerBuilder::new()
        .binary(binary)
        .variable("LOG_LEVEL", "warn")
        .variable("ALLOW_PRIVATE_RECEIVERS", "true")
        .variable("WEBHOOK_TIMEOUT", "1s")
        .variable("WEBHOOK_BACKOFF", ["1s"; 120].join(","));
    for limit in [
        "LIMIT_CUSTOMERS",
        "LIMIT_INITIATE",
        "LIMIT_STATUS",
        "LIMIT_SUBMIT",
    ] {
        builder = builder.variable(limit, LIMIT);
    }
    builder
}

/// Waits until a server accepts a key that another process made.
pub fn await_key(server: &Server, key: &str) -> Result<()> {
    let question = request(
        super::load::CHECK_PATH,
        key,
        "first",
        &check_body("nobody@example.com"),
    );
    wait_for("the new key's acceptance", KNOWN_WITHIN, || {
        let status = ask_once(server.port(), &question)?;
        ensure!(matches!(status, 200 | 401 | 503), "status {status}");
        Ok((status == 200).then_some(()))
    })
}

/// The status of one request over a connection of its own.
pub fn ask_once(port: u16, request: &str) -> Result<u16> {
    let mut stream = connect(port)?;
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let status = line.split(' ').nth(1).context("no status line")?;
    Ok(status.parse()?)
}

/// The whole answer to a GET.
pub fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = connect(port)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}
