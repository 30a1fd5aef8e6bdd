//! Redis Cluster: three masters, each with a replica that takes over.
//!
//! Guarantees: when it starts, all slots are served and every replica follows its master.
//! Must not: keep anything; limits are all that is in it.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use test_support::Redis;
use test_support::programs::find_in_path;
use test_support::waiting::wait_for;

const MASTERS: usize = 3;
const START: Duration = Duration::from_secs(30);
/// How long a silent node is waited for, in milliseconds, before its replica takes over.
const NODE_TIMEOUT: &str = "2000";

/// The nodes, masters first.
pub struct RedisCluster {
    nodes: Vec<(u16, Redis)>,
}

impl RedisCluster {
    /// Starts the nodes and makes them a cluster.
    pub fn start() -> Result<Self> {
        let mut nodes = Vec::new();
        for _ in 0..2 * MASTERS {
            let node = Redis::start_cluster_node()?;
            nodes.push((port_of(&node)?, node));
        }
        let cluster = Self { nodes };
        let mut create = redis_cli()?;
        create.args(["--cluster", "create"]);
        for (port, _) in &cluster.nodes {
            settle(*port)?;
            create.arg(format!("127.0.0.1:{port}@{}", bus_port(*port)?));
        }
        create.args(["--cluster-replicas", "1", "--cluster-yes"]);
        said(&mut create)?;
        wait_for("the cluster's start", START, || {
            Ok(cluster.is_whole()?.then_some(()))
        })?;
        Ok(cluster)
    }

    /// Where some of its nodes are, as `REDIS_URL` names them.
    pub fn url(&self) -> String {
        let nodes = self.nodes.iter().map(|(_, node)| node.url());
        nodes.collect::<Vec<_>>().join(",")
    }

    /// Ends the first master at once.
    pub fn lose_master(&mut self) -> Result<()> {
        let (_, master) = self.nodes.first_mut().context("a cluster has nodes")?;
        master.kill()
    }

    /// Starts it again; whoever took over stays the master.
    pub fn return_lost(&mut self) -> Result<()> {
        let (port, node) = self.nodes.first_mut().context("a cluster has nodes")?;
        node.start_again()?;
        settle(*port)
    }

    /// Whether every node serves the whole, and every master has its replica.
    fn is_whole(&self) -> Result<bool> {
        for (index, (port, _)) in self.nodes.iter().enumerate() {
            if !ask(*port, &["CLUSTER", "INFO"])?.contains("cluster_state:ok") {
                return Ok(false);
            }
            let replication = ask(*port, &["INFO", "replication"])?;
            let wanted = match index < MASTERS {
                true => "connected_slaves:1",
                false => "master_link_status:up",
            };
            if !replication.contains(wanted) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What a node is told beyond its defaults: a replica takes over soon, the slots of a lost master are
/// nobody else's loss, and a new replica is not kept waiting for others.
const SETTINGS: [[&str; 2]; 3] = [
    ["cluster-node-timeout", NODE_TIMEOUT],
    ["cluster-require-full-coverage", "no"],
    ["repl-diskless-sync-delay", "0"],
];

fn settle(port: u16) -> Result<()> {
    for [name, value] in SETTINGS {
        ask(port, &["CONFIG", "SET", name, value])?;
    }
    Ok(())
}

fn port_of(node: &Redis) -> Result<u16> {
    let url = node.url();
    let (_, port) = url.rsplit_once(':').context("a URL has a port")?;
    Ok(port.parse()?)
}

/// The port by which nodes talk to each other.
fn bus_port(port: u16) -> Result<u16> {
    let answer = ask(port, &["CONFIG", "GET", "cluster-port"])?;
    let bus = answer.split_whitespace().nth(1);
    Ok(bus.context("a node tells no cluster-port")?.parse()?)
}

fn ask(port: u16, words: &[&str]) -> Result<String> {
    let mut command = redis_cli()?;
    said(command.args(["-p", &port.to_string()]).args(words))
}

fn redis_cli() -> Result<Command> {
    let program = find_in_path("redis-cli");
    Ok(Command::new(program.context(
        "redis-cli is not installed: on Debian or Ubuntu run `apt-get install redis-tools`",
    )?))
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "redis-cli: {printed} {complained}");
    Ok(printed)
}
