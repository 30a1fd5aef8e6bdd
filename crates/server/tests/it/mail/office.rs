//! A mail server in the test's own process: real SMTP on loopback, in the clear, over STARTTLS or
//! over TLS from the start, with a throw-away authority and answers as a test wants them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bonafide::config::Secret;
use bonafide::mail::MailServer;
use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The only login that is good, in a password that a URL has to encode.
pub const USER: &str = "mailer@example.com";
pub const PASSWORD: &str = "p@ss/w:rd+ &=é";

/// How the mail server is set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// It encrypts from the start.
    pub implicit: bool,
    /// It offers STARTTLS.
    pub starttls: bool,
    /// How it lets somebody log in: `PLAIN`, `LOGIN`. It then takes mails from nobody else.
    pub login: Option<&'static str>,
}

/// What it does at a step, in place of what it should.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// It says this.
    Says(&'static str),
    /// It hangs up.
    HangsUp,
    /// It says nothing any more.
    Hangs,
    /// It does what it should, after a while.
    TakesItsTime(std::time::Duration),
}

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub from: String,
    pub to: String,
    pub mail: String,
    pub encrypted: bool,
    pub login: Option<String>,
}

impl Received {
    /// A header of the mail, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.mail.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ");
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(given, _)| given.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned())
    }

    pub fn message_id(&self) -> String {
        self.header("Message-ID").unwrap()
    }
}

#[derive(Default)]
struct State {
    manner: Manner,
    received: Mutex<Vec<Received>>,
    /// By step: `GREETING`, a command, `.` for the end of a mail.
    does: Mutex<BTreeMap<&'static str, Does>>,
    /// Everything that was said to it in the clear.
    overheard: Mutex<Vec<String>>,
    connections: Mutex<usize>,
}

/// The mail server.
pub struct Office {
    state: Arc<State>,
    port: u16,
    authority: NamedTempFile,
}

impl Office {
    pub async fn open(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (authority, tls) = certificates();
        let state = Arc::new(State {
            manner,
            ..State::default()
        });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(serving.clone(), stream, tls.clone()));
            }
        });
        Self {
            state,
            port,
            authority,
        }
    }

    /// Its address: `smtp://`, or `smtps://` when it encrypts from the start.
    pub fn url_at(&self, host: &str) -> String {
        let scheme = if self.state.manner.implicit {
            "smtps"
        } else {
            "smtp"
        };
        let login = match self.state.manner.login {
            Some(_) => "mailer%40example.com:p%40ss%2Fw%3Ard%2B%20%26%3D%C3%A9@",
            None => "",
        };
        format!("{scheme}://{login}{host}:{}", self.port)
    }

    /// As it is configured, with its authority.
    pub fn server(&self) -> MailServer {
        self.server_at(&self.url_at("localhost"))
    }

    pub fn server_at(&self, url: &str) -> MailServer {
        MailServer::parse(&Secret::new(url), Some(self.authority.path())).unwrap()
    }

    pub fn authority(&self) -> &std::path::Path {
        self.authority.path()
    }

    /// From now on it does this at a step.
    pub fn does(&self, step: &'static str, does: Does) {
        self.state.does.lock().unwrap().insert(step, does);
    }

    /// From now on it does what it should.
    pub fn behaves(&self) {
        self.state.does.lock().unwrap().clear();
    }

    /// What arrived since the last time.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.received.lock().unwrap())
    }

    pub fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    /// What was said to it in the clear.
    pub fn overheard(&self) -> String {
        self.state.overheard.lock().unwrap().join("\n")
    }
}

/// An authority that nobody else knows, in a file, and a certificate of it for `localhost`.
fn certificates() -> (NamedTempFile, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&key).unwrap();
    let authority = NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), certificate.pem()).unwrap();
    let issuer = Issuer::new(parameters, key);
    let own_key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&own_key, &issuer).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![own.der().clone()];
    let private = PrivatePkcs8KeyDer::from(own_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, private.into())
        .unwrap();
    (authority, TlsAcceptor::from(Arc::new(config)))
}

async fn serve(state: Arc<State>, stream: TcpStream, tls: TlsAcceptor) {
    *state.connections.lock().unwrap() += 1;
    let mut visit = Visit::new(state.clone(), state.manner.implicit);
    if state.manner.implicit {
        if let Ok(stream) = tls.accept(stream).await {
            visit.talk(BufReader::new(stream), true).await;
        }
        return;
    }
    if let Some(stream) = visit.talk(BufReader::new(stream), true).await
        && let Ok(stream) = tls.accept(stream.into_inner()).await
    {
        let mut visit = Visit::new(state, true);
        visit.talk(BufReader::new(stream), false).await;
    }
}

/// One connection.
struct Visit {
    state: Arc<State>,
    encrypted: bool,
    login: Option<String>,
    from: String,
    to: String,
}

impl Visit {
    fn new(state: Arc<State>, encrypted: bool) -> Self {
        Self {
            state,
            encrypted,
            login: None,
            from: String::new(),
            to: String::new(),
        }
    }

    /// Talks until the end, or until TLS is to begin: then the stream comes back.
    async fn talk<S>(&mut self, mut stream: BufReader<S>, greets: bool) -> Option<BufReader<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if greets {
            self.say(&mut stream, "GREETING", "220 fake ready").await?;
        }
        loop {
            let line = self.hear(&mut stream).await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default();
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    let offers = self.offers();
                    self.say(&mut stream, "EHLO", &offers).await?;
                }
                "STARTTLS" => {
                    self.say(&mut stream, "STARTTLS", "220 go on").await?;
                    return Some(stream);
                }
                "AUTH" => self.log_in(&mut stream, &line).await?,
                "MAIL" => {
                    self.from = address(&line);
                    let may = self.state.manner.login.is_none() || self.login.is_some();
                    let reply = if may {
                        "250 ok"
                    } else {
                        "530 5.7.0 log in first"
                    };
                    self.say(&mut stream, "MAIL", reply).await?;
                }
                "RCPT" => {
                    self.to = address(&line);
                    self.say(&mut stream, "RCPT", "250 ok").await?;
                }
                "DATA" => {
                    if self.say(&mut stream, "DATA", "354 go on").await? {
                        self.take_mail(&mut stream).await?;
                    }
                }
                "QUIT" => {
                    self.say(&mut stream, "QUIT", "221 bye").await?;
                    return None;
                }
                _ => {
                    self.say(&mut stream, "NOOP", "250 ok").await?;
                }
            }
        }
    }

    async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
    ) -> Option<String> {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if !self.encrypted {
            self.state.overheard.lock().unwrap().push(line.clone());
        }
        Some(line.trim_end().to_owned())
    }

    /// Says what is to be said at a step; `false` when that was not the usual.
    async fn say<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        step: &'static str,
        usual: &str,
    ) -> Option<bool> {
        let does = self.state.does.lock().unwrap().get(step).copied();
        let reply = match does {
            None => usual,
            Some(Does::Says(reply)) => reply,
            Some(Does::HangsUp) => return None,
            Some(Does::Hangs) => std::future::pending().await,
            Some(Does::TakesItsTime(time)) => {
                tokio::time::sleep(time).await;
                usual
            }
        };
        let reply = format!("{reply}\r\n");
        stream.write_all(reply.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        Some(does.is_none())
    }

    fn offers(&self) -> String {
        let mut offers = vec!["fake".to_owned(), "8BITMIME".to_owned()];
        if self.state.manner.starttls && !self.encrypted {
            offers.push("STARTTLS".to_owned());
        }
        offers.extend(self.state.manner.login.map(|how| format!("AUTH {how}")));
        let last = offers.len() - 1;
        let lines = offers.iter().enumerate().map(|(at, offer)| {
            let sign = if at == last { ' ' } else { '-' };
            format!("250{sign}{offer}")
        });
        lines.collect::<Vec<_>>().join("\r\n")
    }

    async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut BufReader<S>,
        line: &str,
    ) -> Option<()> {
        let mut words = line.split(' ').skip(1);
        let given = match words.next()? {
            "PLAIN" => {
                let given = decoded(words.next()?);
                given.trim_start_matches('\0').replace('\0', "\n")
            }
            _ => {
                let mut given = Vec::new();
                for asked in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                    self.say(stream, "LOGIN", asked).await?;
                    given.push(decoded(&self.hear(stream).await?));
                }
                given.join("\n")
            }
        };
        let good = given == format!("{USER}\n{PASSWORD}");
        self.login = good.then(|| USER.to_owned());
        let reply = if good { "235 welcome" } else { "535 5.7.8 no" };
        self.say(stream, "AUTH", reply).await?;
        Some(())
    }

    async fn take_mail<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut BufReader<S>,
    ) -> Option<()> {
        let mut mail = String::new();
        loop {
            let line = self.hear(stream).await?;
            if line == "." {
                break;
            }
            mail.push_str(line.strip_prefix('.').unwrap_or(&line));
            mail.push_str("\r\n");
        }
        // What hangs now may have been taken or not: nobody knows but the mail server.
        let refuses = matches!(
            self.state.does.lock().unwrap().get("."),
            Some(Does::Says(reply)) if !reply.starts_with('2')
        );
        if !refuses {
            let received = Received {
                from: self.from.clone(),
                to: self.to.clone(),
                mail,
                encrypted: self.encrypted,
                login: self.login.clone(),
            };
            self.state.received.lock().unwrap().push(received);
        }
        self.say(stream, ".", "250 taken").await?;
        Some(())
    }
}

fn address(line: &str) -> String {
    let (_, rest) = line.split_once('<').unwrap();
    rest.split('>').next().unwrap().to_owned()
}

fn decoded(text: &str) -> String {
    String::from_utf8(BASE64.decode(text.as_bytes()).unwrap()).unwrap()
}
