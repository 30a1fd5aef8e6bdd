//! One connection of the DevTools protocol: commands, their answers, and the events between them.
//!
//! Guarantees: every call has a deadline; events that arrive before an answer are kept, in order.
//! Must not: know what a command or an event means.

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket, client::client_with_config};

/// The longest wait for one message: a crowded machine may take its time to draw a page.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the browser, or to one of its pages.
#[derive(Debug)]
pub struct Connection {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    events: Vec<Event>,
}

/// Something that happened, as the protocol words it.
#[derive(Debug)]
pub struct Event {
    pub method: String,
    pub parameters: Value,
}

impl Connection {
    /// Connects to a path of the DevTools on this port of loopback.
    pub fn open(port: u16, path: &str) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        // Pictures of long pages are larger than what a client takes from a stranger.
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = client_with_config(url, stream, Some(config))
            .map_err(|error| anyhow::anyhow!("no DevTools: {error}"))?;
        Ok(Self {
            socket,
            last_id: 0,
            events: Vec::new(),
        })
    }

    /// Sends a command and waits for its result.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.last_id += 1;
        let command = json!({"id": self.last_id, "method": method, "params": parameters});
        self.socket.send(Message::text(command.to_string()))?;
        loop {
            let mut message = self.receive().with_context(|| method.to_owned())?;
            if message["id"] != self.last_id {
                self.keep(&mut message);
            } else if message["error"].is_null() {
                return Ok(message["result"].take());
            } else {
                bail!("{method}: {}", message["error"]);
            }
        }
    }

    /// Waits until there is an event of this name that has not been taken.
    pub fn wait_for_event(&mut self, name: &str) -> Result<()> {
        while !self.events.iter().any(|event| event.method == name) {
            let mut message = self.receive().with_context(|| name.to_owned())?;
            self.keep(&mut message);
        }
        Ok(())
    }

    /// Takes all events that came so far.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn receive(&mut self) -> Result<Value> {
        loop {
            if let Message::Text(message) = self.socket.read()? {
                return Ok(serde_json::from_str(message.as_str())?);
            }
        }
    }

    fn keep(&mut self, message: &mut Value) {
        if let Some(method) = message["method"].as_str() {
            self.events.push(Event {
                method: method.to_owned(),
                parameters: message["params"].take(),
            });
        }
    }
}

/// A text in an answer.
pub fn text(value: &Value) -> Result<&str> {
    value
        .as_str()
        .with_context(|| format!("not a text: {value}"))
}
