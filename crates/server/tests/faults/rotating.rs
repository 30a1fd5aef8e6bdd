//! Every kind of secret is replaced under a steady load that sees nothing of it; and `seal rotate`
//! goes on where a `kill -9` left it.

use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::Server;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{Connection, ask_once, post_to};
use crate::office::Key;
use crate::scene::{Engine, Scene, builder};

const OLD: &str = "k1:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
const NEW: &str = "k2:Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M=";

/// Customers, each with a key that is to be put under another.
const CUSTOMERS: usize = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_goes_on_on_sqlite() {
    kill_while_rotating(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_goes_on_on_postgres() {
    kill_while_rotating(Engine::Postgres).await;
}

fn update(key: &Key, customer: usize) -> Vec<u8> {
    let change = json!({"email": format!("a{customer}@example.com"), "verification_type": "veriff", "status": true});
    let path = "/api/v1/customer/update-verification";
    post_to(path, &key.text, &[], &change.to_string())
}

/// Has the server know of all customers, a few at a time.
async fn tell_of_all(scene: &Scene) {
    let mut clients = JoinSet::new();
    for client in 0..8 {
        let (port, key) = (scene.server.port(), scene.key.clone());
        clients.spawn(async move {
            let mut connection = Connection::open(port).await.unwrap();
            for customer in (client..CUSTOMERS).step_by(8) {
                let answer = connection.ask(&update(&key, customer)).await.unwrap();
                assert_eq!(answer.status, 200);
            }
        });
    }
    clients.join_all().await;
}

/// `seal rotate` of a second process, as programs read what it says; `None` when it was killed.
async fn rotate(scene: &Scene, killed_after: Option<Duration>) -> Option<Value> {
    let mut rotation = scene.server.begin(["seal", "rotate", "--json"]).unwrap();
    if let Some(moment) = killed_after {
        tokio::time::sleep(moment).await;
        rotation.kill().unwrap();
    }
    let ended = tokio::task::block_in_place(|| rotation.wait_with_output()).unwrap();
    let said = ended.status.success().then_some(ended.stdout)?;
    Some(serde_json::from_slice(&said).unwrap())
}

async fn kill_while_rotating(engine: Engine) {
    let mut scene = Scene::start(engine, "rotating").await;
    tell_of_all(&scene).await;
    scene.server.terminate().unwrap();
    scene.server.set("ENCRYPTION_KEYS", &format!("{NEW},{OLD}"));
    scene.server.start_again().unwrap();
    let mut kills = 0;
    let done = loop {
        // A little later each time, until it comes to an end.
        let moment = Duration::from_millis(40 + 15 * kills);
        match rotate(&scene, Some(moment)).await {
            None => kills += 1,
            Some(done) => break done,
        }
        let answer = ask_once(scene.server.port(), &update(&scene.key, 7)).await;
        assert_eq!(answer.unwrap().status, 200);
    };
    assert!(kills > 0, "it was never interrupted");
    let rewrapped = done["rewrapped"].as_u64().unwrap();
    assert!(rewrapped < CUSTOMERS as u64, "it began anew: {done}");
    assert_eq!(rotate(&scene, None).await.unwrap()["rewrapped"], 0);
    // The old key is not needed any more.
    scene.server.terminate().unwrap();
    scene.server.set("ENCRYPTION_KEYS", NEW);
    scene.server.start_again().unwrap();
    let mut connection = Connection::open(scene.server.port()).await.unwrap();
    for customer in (0..CUSTOMERS).step_by(10) {
        let answer = connection.ask(&update(&scene.key, customer)).await.unwrap();
        assert_eq!(answer.status, 200, "{customer}");
    }
    assert!(scene.server.terminate().unwrap().success());
}

/// Requests a second, over so many connections.
const RATE: u32 = 200;
const CLIENTS: u32 = 20;

const OLD_JWT_SECRET: &str = "a token secret for tests that has more than 32 bytes";
const NEW_JWT_SECRET: &str = "another token secret for tests, of more than 32 bytes";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_secret_is_replaced_under_a_steady_load_on_sqlite() {
    replace_everything(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_secret_is_replaced_under_a_steady_load_on_postgres() {
    replace_everything(Engine::Postgres).await;
}

/// What a shop asks with, and whom.
#[derive(Clone)]
struct Access {
    port: u16,
    /// Keys and tokens; any of them must be good.
    credentials: Vec<String>,
}

/// A steady load: requests leave when it is their time, however long the others take.
struct Steady {
    access: Arc<Mutex<Access>>,
    stop: CancellationToken,
    clients: JoinSet<(u32, Vec<String>)>,
    began: Instant,
}

impl Steady {
    fn start(access: Access) -> Self {
        let (access, stop) = (Arc::new(Mutex::new(access)), CancellationToken::new());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(client(number, access.clone(), stop.clone()));
        }
        Self {
            access,
            stop,
            clients,
            began: Instant::now(),
        }
    }

    /// From now on requests are sent like this.
    fn change(&self, change: impl FnOnce(&mut Access)) {
        change(&mut self.access.lock().unwrap());
    }

    /// Ends it; every request must have been answered well.
    async fn stop(self) {
        self.stop.cancel();
        let mut answered = 0;
        for (fine, failures) in self.clients.join_all().await {
            assert_eq!(failures, Vec::<String>::new());
            answered += fine;
        }
        let wanted = self.began.elapsed().as_secs_f64() * f64::from(RATE);
        assert!(f64::from(answered) > 0.8 * wanted, "{answered} of {wanted}");
    }
}

/// Sends requests until it is stopped; returns how many were answered well, and what the others got.
async fn client(
    number: u32,
    access: Arc<Mutex<Access>>,
    stop: CancellationToken,
) -> (u32, Vec<String>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) * CLIENTS / RATE);
    let mut connection: Option<(u16, Connection)> = None;
    let (mut round, mut fine, mut failures) = (number * 1_000, 0, Vec::new());
    loop {
        tokio::select! {
            () = stop.cancelled() => return (fine, failures),
            _ = ticks.tick() => {}
        }
        round += 1;
        let access = access.lock().unwrap().clone();
        if connection
            .as_ref()
            .is_none_or(|(port, _)| *port != access.port)
        {
            let opened = Connection::open(access.port).await.unwrap();
            connection = Some((access.port, opened));
        }
        let credential = &access.credentials[round as usize % access.credentials.len()];
        let (_, connection) = connection.as_mut().unwrap();
        match connection.ask(&request(round, credential)).await {
            Ok(answer) if answer.status == 200 => fine += 1,
            Ok(answer) => failures.push(format!("{}: {}", answer.status, answer.text())),
            Err(error) => failures.push(error.to_string()),
        }
    }
}

/// A check or an update, of one of some customers.
fn request(round: u32, credential: &str) -> Vec<u8> {
    let authorization = format!("Bearer {credential}");
    let email = format!("a{round}@example.com");
    let (path, body) = match round % 3 {
        0 => {
            let change = json!({"email": email, "verification_type": "membership", "status": true});
            ("/api/v1/customer/update-verification", change)
        }
        _ => (
            "/api/v1/customer/check-verification",
            json!({ "email": email }),
        ),
    };
    let headers = [("Authorization", authorization.as_str())];
    post_to(path, "", &headers, &body.to_string())
}

/// Runs a command beside the load, which has to succeed; returns what it printed.
async fn run(server: &Server, arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::task::block_in_place(|| server.command(arguments)).unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{arguments:?}: {said}");
    String::from_utf8(stdout).unwrap().trim().to_owned()
}

async fn replace_everything(engine: Engine) {
    let mut scene = Scene::start_with(engine, "steady", |builder| {
        builder
            .variable("LIMIT_CUSTOMERS", "off")
            .variable("ENCRYPTION_KEYS", format!("{OLD},{NEW}"))
            .variable("JWT_SECRET", OLD_JWT_SECRET)
            .variable("JWT_PREVIOUS_SECRET", NEW_JWT_SECRET)
    })
    .await;
    let mut next = builder(&scene.database.url())
        .variable("LIMIT_CUSTOMERS", "off")
        .variable("ENCRYPTION_KEYS", format!("{NEW},{OLD}"))
        .variable("JWT_SECRET", NEW_JWT_SECRET)
        .variable("JWT_PREVIOUS_SECRET", OLD_JWT_SECRET)
        .prepare()
        .unwrap();
    let issue = [
        "tokens",
        "issue",
        "--subject",
        "shop",
        "--scope",
        "customers:read",
    ];
    let issue = [&issue[..], &["--scope", "customers:write"]].concat();
    let old_token = run(&scene.server, &issue).await;
    let load = Steady::start(Access {
        port: scene.server.port(),
        credentials: vec![scene.key.text.clone(), old_token],
    });
    let pause = || tokio::time::sleep(Duration::from_millis(500));
    pause().await;
    // The API key, the webhook's secret, the key of checkpoints.
    let rotate = ["keys", "rotate", &scene.key.id, "--grace", "1h"];
    let new_key = run(&scene.server, &rotate).await;
    load.change(|access| access.credentials.push(new_key.clone()));
    pause().await;
    let url = ["--webhook-url", "https://hooks.example.com/"];
    let update = ["companies", "update", "default"];
    run(&scene.server, &[&update[..], &url].concat()).await;
    let rotate = ["--rotate-secret", "--grace", "1h"];
    run(&scene.server, &[&update[..], &rotate].concat()).await;
    run(&scene.server, &["audit", "rotate-key"]).await;
    // The tokens' secret and the master key: another instance takes over, and then wraps anew.
    tokio::task::block_in_place(|| next.start_again()).unwrap();
    let new_token = run(&next, &issue).await;
    load.change(|access| {
        // Both instances take it.
        access.credentials.push(new_token);
        access.port = next.port();
    });
    pause().await;
    assert!(
        tokio::task::block_in_place(|| scene.server.terminate())
            .unwrap()
            .success()
    );
    let done: Value =
        serde_json::from_str(&run(&next, &["seal", "rotate", "--json"]).await).unwrap();
    // How many keys there are depends on how much was answered; none is left under the old one.
    assert!(done["rewrapped"].as_u64().unwrap() > 0, "{done}");
    let old = &done["master_keys"][1];
    assert_eq!(
        (&old["id"], &old["removable"]),
        (&json!("k1"), &json!(true))
    );
    load.change(|access| drop(access.credentials.drain(..2)));
    pause().await;
    load.stop().await;
    assert!(next.terminate().unwrap().success());
    run(&next, &["audit", "verify"]).await;
}
