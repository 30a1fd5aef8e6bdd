//! Redis servers for tests: private ones on free loopback ports, which keep no data on disk and
//! are killed when dropped.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// A Redis to test against: the one named by `TEST_REDIS_URL`, or a private one. Use keys of your
/// own: it may be shared.
///
/// # Panics
/// When there is neither that variable nor the program `redis-server`.
#[must_use]
pub fn any_redis() -> AnyRedis {
    match env::var("TEST_REDIS_URL") {
        Ok(url) => AnyRedis { url, _server: None },
        Err(_) => {
            let server = RedisServer::start();
            AnyRedis {
                url: server.url(),
                _server: Some(server),
            }
        }
    }
}

/// See [`any_redis`].
pub struct AnyRedis {
    url: String,
    _server: Option<RedisServer>,
}

impl AnyRedis {
    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A private Redis server that keeps nothing on disk.
pub struct RedisServer {
    port: u16,
    is_cluster: bool,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server and waits until it accepts connections.
    ///
    /// # Panics
    /// When the program `redis-server` is missing or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(false)
    }

    /// Starts a server in cluster mode, which as yet serves no slots.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_cluster_node() -> Self {
        Self::with(true)
    }

    fn with(is_cluster: bool) -> Self {
        let mut server = Self {
            port: free_port(),
            is_cluster,
            child: None,
        };
        server.start_again();
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the server without a warning. What it held is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Neither fails but for a process that has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the server on the port it had.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_again(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir(env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if self.is_cluster {
            self.join_cluster(&mut command);
        }
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("redis-server (Debian: apt install redis-server): {error}")
        });
        let output = child.stdout.take();
        self.child = Some(child);
        let mut lines = output
            .into_iter()
            .flat_map(|output| BufReader::new(output).lines());
        let ready = lines.any(|line| line.is_ok_and(|line| line.contains("Ready to accept")));
        assert!(ready, "redis-server ended before it was ready");
    }

    /// What a cluster node insists on keeping, in the directory it runs in.
    fn nodes_file(&self) -> String {
        format!("bonafide-test-nodes-{}.conf", self.port)
    }

    fn join_cluster(&self, command: &mut Command) {
        // By default the bus is 10,000 ports higher, where there may be none.
        let bus = free_port().to_string();
        let nodes = self.nodes_file();
        command.args(["--cluster-enabled", "yes", "--cluster-port", &bus]);
        command.args(["--cluster-config-file", &nodes]);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        if self.is_cluster {
            // Left behind at worst, where the system tidies up.
            let _ = std::fs::remove_file(env::temp_dir().join(self.nodes_file()));
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    listener
        .local_addr()
        .expect("a bound listener has an address")
        .port()
}
