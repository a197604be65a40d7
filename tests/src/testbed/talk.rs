//! The lines: every command of a suite, and its effect.

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onegrid_core::domain::form::Date;
use onegrid_core::id::{DeviceId, RecordId};
use onegrid_core::net::now_ms;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use super::Options;
use super::answer::{self, Answer, Refusal};
use super::deployment::Deployment;
use super::gate::{Gate, Way};
use super::records::{Past, RECORDS_MAX};
use super::serving::{Serving, TlsFiles};
use super::{locks, look};

/// A request: a command and its arguments.
#[derive(Debug, Deserialize)]
struct Request {
    #[serde(rename = "do")]
    command: String,
    #[serde(default)]
    with: Map<String, Value>,
}

/// Answers requests until the input ends or a request ends the testbed. Then everything of it is
/// removed.
pub fn serve(options: Options, input: impl BufRead, mut output: impl Write) -> Result<(), Refusal> {
    let testbed = Arc::new(Mutex::new(Some(Testbed::start(options)?)));
    end_on_signal(&testbed)?;
    let mut lines = input.lines();
    while let Some(line) = lines.next().transpose()? {
        if line.trim().is_empty() {
            continue;
        }
        let mut locked = lock(&testbed);
        let Some(running) = locked.as_mut() else {
            break;
        };
        let (answer, over) = match serde_json::from_str::<Request>(&line) {
            Err(error) => (
                Err(Refusal::new("testbed.not_json", error.to_string())),
                false,
            ),
            Ok(request) if request.command == "shutdown" => (Ok(json!({})), true),
            Ok(request) => (
                running.answer(&request.command, &Arguments(request.with)),
                false,
            ),
        };
        writeln!(output, "{}", answer::line(&answer))?;
        output.flush()?;
        if over {
            break;
        }
    }
    drop(lock(&testbed).take());
    Ok(())
}

type Shared = Arc<Mutex<Option<Testbed>>>;

fn lock(testbed: &Shared) -> MutexGuard<'_, Option<Testbed>> {
    testbed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process, server and folder included, when a suite terminates it or a person presses Ctrl-C.
fn end_on_signal(testbed: &Shared) -> Result<(), Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut terminate = {
        let _entered = runtime.enter();
        signal(SignalKind::terminate())?
    };
    let testbed = Arc::clone(testbed);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        });
        drop(lock(&testbed).take());
        std::process::exit(0);
    });
    Ok(())
}

/// The parts of a testbed. Fields are dropped in this order: the server before its folder.
struct Testbed {
    serving: Option<Serving>,
    stranger: Option<(Deployment, Serving)>,
    deployment: Deployment,
    gate: Gate,
    past: Past,
    tls: bool,
    folder: TempDir,
}

impl Testbed {
    fn start(options: Options) -> Result<Self, Refusal> {
        let folder = tempfile::Builder::new()
            .prefix("onegrid-testbed-")
            .tempdir()?;
        let deployment = Deployment::prepare(&folder.path().join("own"), options.extent)?;
        let mut testbed = Self {
            serving: None,
            stranger: None,
            deployment,
            gate: Gate::listen()?,
            past: Past::default(),
            tls: options.tls,
            folder,
        };
        testbed.start_server()?;
        Ok(testbed)
    }

    fn answer(&mut self, command: &str, with: &Arguments) -> Answer {
        match command {
            "address" => Ok(self.address()),
            "now" => {
                let now = now_ms();
                Ok(json!({ "now_ms": now, "day": Date::in_china(now).to_string() }))
            }
            "invite" => self.invite(with),
            "foreign_invitation" => self.foreign_invitation(),
            "expire_invitation" => {
                self.deployment.expire(with.text("code")?)?;
                Ok(json!({}))
            }
            "person" => self.person(with),
            "unit" => {
                let unit = with.text("unit")?;
                Ok(json!({ "unit": Deployment::unit(unit) }))
            }
            "revoke" => self.revoke(with),
            "template" => self.template(with),
            "records" => self.records(with),
            "photo" => photo(with),
            "checkpoint" => self.checkpoint(with),
            "start_server" => self.start_server(),
            "stop_server" => self.end_server(Serving::stop),
            "kill_server" => self.end_server(Serving::kill),
            "backup" => self.backup(with),
            "restore" => self.restore(with),
            "route" => self.route(with),
            "line" => self.line(with),
            "line_held" => self.line_held(),
            "traffic" => Ok(self.traffic()),
            "locks" => locks::of_folder(Path::new(with.text("folder")?)),
            "server_view" => {
                let record: RecordId = with.parse("record")?;
                look::record(self.deployment.server(), record)
            }
            "server_counts" => Ok(look::counts(self.deployment.server())?),
            "server_verify" => look::verify(self.deployment.server()),
            other => Err(Refusal::new(
                "testbed.unknown_command",
                format!("no command is called {other:?}"),
            )),
        }
    }

    fn url(&self) -> String {
        let address = self.gate.address();
        if self.tls {
            format!("https://localhost:{}", address.port())
        } else {
            format!("http://{address}")
        }
    }

    fn address(&self) -> Value {
        let roots = self.tls.then(|| tls_file("ca.pem"));
        json!({
            "address": self.url(),
            "tls_roots": roots.map(|path| path.display().to_string()),
            "pid": self.serving.as_ref().map(Serving::pid),
            "folder": self.folder.path().display().to_string(),
        })
    }

    fn invite(&self, with: &Arguments) -> Answer {
        let who = with.text("who")?;
        let invited = self.deployment.invite(who, with.number("valid_ms")?)?;
        let person = self.deployment.person(who)?;
        Ok(json!({
            "qr": invited.qr(self.deployment.server().keys(), &self.url()),
            "code": invited.code,
            "address": self.url(),
            "member": person.id.to_string(),
            "name": person.public_name,
        }))
    }

    /// Prints a checkpoint, as the office does; `foreign` = true prints one of the other deployment.
    fn checkpoint(&mut self, with: &Arguments) -> Answer {
        let section = with.text("section")?.to_owned();
        let number = with.number("number")?.unwrap_or(1);
        let deployment = if with.flag("foreign")? == Some(true) {
            &self.stranger()?.0
        } else {
            &self.deployment
        };
        let code = deployment.checkpoint(&section, number)?;
        Ok(json!({ "code": code }))
    }

    fn foreign_invitation(&mut self) -> Answer {
        let url = self.url();
        let (deployment, _) = self.stranger()?;
        let invited = deployment.invite_stranger()?;
        Ok(json!({
            "qr": invited.qr(deployment.server().keys(), &url),
            "code": invited.code,
            "address": url,
        }))
    }

    /// Returns the other deployment and its server, made at the first request.
    fn stranger(&mut self) -> Result<&(Deployment, Serving), Refusal> {
        if self.stranger.is_none() {
            let deployment = Deployment::foreign(&self.folder.path().join("foreign"))?;
            let serving = self.serve_from(&deployment)?;
            self.stranger = Some((deployment, serving));
        }
        Ok(self.stranger.as_ref().expect("it was made just now"))
    }

    fn person(&self, with: &Arguments) -> Answer {
        let who = with.text("who")?;
        let person = self.deployment.person(who)?;
        let devices = self.deployment.devices(who)?;
        let devices: Vec<String> = devices.iter().map(ToString::to_string).collect();
        Ok(json!({
            "member": person.id.to_string(),
            "name": person.public_name,
            "devices": devices,
        }))
    }

    fn revoke(&self, with: &Arguments) -> Answer {
        let devices: Vec<DeviceId> = match with.optional("who") {
            Some(_) => self.deployment.devices(with.text("who")?)?,
            None => vec![with.parse("device")?],
        };
        let mut revoked = 0;
        for device in devices {
            revoked += u32::from(self.deployment.revoke(device)?);
        }
        Ok(json!({ "revoked": revoked }))
    }

    /// Publishes a version of a template.
    fn template(&self, with: &Arguments) -> Answer {
        let wrong = || Refusal::argument("template");
        let template = with.optional("template").ok_or_else(wrong)?;
        let id = template["id"].as_str().ok_or_else(wrong)?;
        let version = template["version"].as_u64();
        let version = version.and_then(|version| u32::try_from(version).ok());
        let version = version.ok_or_else(wrong)?;
        self.deployment.publish_template(id, version, template)?;
        Ok(json!({ "id": id, "version": version }))
    }

    fn records(&mut self, with: &Arguments) -> Answer {
        let count = with.number("n")?.and_then(|n| usize::try_from(n).ok());
        let count = count.filter(|n| (1..=RECORDS_MAX).contains(n));
        let count = count.ok_or_else(|| Refusal::argument("n"))?;
        let whole = with.flag("whole")?.unwrap_or(true);
        let server = self.deployment.without_rules()?;
        let records = self.past.bring(&server, count, whole)?;
        Ok(json!({ "records": records }))
    }

    fn serve_from(&self, deployment: &Deployment) -> Result<Serving, Refusal> {
        let (certificate, key) = (tls_file("server.pem"), tls_file("server.key"));
        let files = TlsFiles {
            certificate: &certificate,
            key: &key,
        };
        Serving::start(deployment.path(), self.tls.then_some(&files))
    }

    fn start_server(&mut self) -> Answer {
        if self.serving.is_some() {
            return Err(Refusal::new(
                "testbed.running",
                "the server runs already; stop it first",
            ));
        }
        let serving = self.serve_from(&self.deployment)?;
        self.lead_to(Some(serving.address));
        self.serving = Some(serving);
        Ok(self.address())
    }

    fn end_server(&mut self, how: fn(Serving) -> Result<(), Refusal>) -> Answer {
        let serving = self.serving.take().ok_or_else(|| {
            Refusal::new(
                "testbed.not_running",
                "the server does not run; start it first",
            )
        })?;
        how(serving)?;
        self.lead_to(None);
        Ok(json!({}))
    }

    fn lead_to(&mut self, server: Option<SocketAddr>) {
        self.gate.lead_to(server);
    }

    fn backup(&self, with: &Arguments) -> Answer {
        let name = name_of(with)?;
        self.deployment.backup(&self.deployment.beside(&name))?;
        Ok(json!({ "name": name }))
    }

    /// Puts the backup in place of the data; a running server is killed for it and starts again.
    fn restore(&mut self, with: &Arguments) -> Answer {
        let from = self.deployment.beside(&name_of(with)?);
        let ran = self.serving.is_some();
        if ran {
            self.end_server(Serving::kill)?;
        }
        let restored = self.deployment.restore(&from);
        if ran {
            self.start_server()?;
        }
        Ok(json!({ "generation": restored? }))
    }

    fn route(&mut self, with: &Arguments) -> Answer {
        let server = match with.text("to")? {
            "own" => self.serving.as_ref().map(|serving| serving.address),
            "foreign" => Some(self.stranger()?.1.address),
            _ => return Err(Refusal::argument("to")),
        };
        self.lead_to(server);
        Ok(json!({}))
    }

    fn line(&mut self, with: &Arguments) -> Answer {
        let bytes = |name: &'static str| match with.number(name) {
            Ok(Some(bytes)) => u64::try_from(bytes)
                .map(Some)
                .map_err(|_| Refusal::argument(name)),
            other => other.map(|_| None),
        };
        let way = if with.flag("up")? == Some(false) {
            Way::Down
        } else if let Some(bytes) = bytes("cut_every")?.filter(|bytes| *bytes > 0) {
            Way::CutEvery(bytes)
        } else if let Some(bytes) = bytes("hold_after")? {
            Way::HoldAfter(bytes)
        } else {
            Way::Open
        };
        self.gate.set(way);
        Ok(self.traffic())
    }

    fn line_held(&self) -> Answer {
        if self.gate.wait_held() {
            return Ok(self.traffic());
        }
        Err(Refusal::new(
            "testbed.not_held",
            "fewer bytes than that went to phones",
        ))
    }

    fn traffic(&self) -> Value {
        let counted = self.gate.counted();
        json!({
            "bytes_up": counted.up,
            "bytes_down": counted.down,
            "connections": counted.connections,
        })
    }
}

/// The arguments of a request.
struct Arguments(Map<String, Value>);

impl Arguments {
    fn optional(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<&str, Refusal> {
        let value = self.optional(name).and_then(Value::as_str);
        value.ok_or_else(|| Refusal::argument(name))
    }

    fn parse<T: std::str::FromStr>(&self, name: &str) -> Result<T, Refusal> {
        self.text(name)?
            .parse()
            .map_err(|_| Refusal::argument(name))
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let read = |value: &Value| value.as_i64().ok_or_else(|| Refusal::argument(name));
        self.optional(name).map(read).transpose()
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let read = |value: &Value| value.as_bool().ok_or_else(|| Refusal::argument(name));
        self.optional(name).map(read).transpose()
    }
}

/// Returns the name of a backup: a folder beside the data.
fn name_of(with: &Arguments) -> Result<String, Refusal> {
    let name = match with.optional("name") {
        None => "backup",
        Some(_) => with.text("name")?,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name == "server" || !name.chars().all(plain) {
        return Err(Refusal::argument("name"));
    }
    Ok(name.to_owned())
}

/// Returns a photo of the scenarios: its path for a phone that adds it, and its bytes for comparison.
fn photo(with: &Arguments) -> Answer {
    let name = with.text("name")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if name.starts_with('.') || !name.chars().all(plain) {
        return Err(Refusal::argument("name"));
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../mobile-bindings/scenarios/photos")
        .join(name);
    let bytes = std::fs::read(&path)?;
    let hex = crate::killed::life::hex(&bytes);
    Ok(json!({ "path": path.display().to_string(), "size": bytes.len(), "hex": hex }))
}

fn tls_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data/tls")
        .join(name)
}
