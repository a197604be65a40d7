//! `onegrid serve`: runs the server until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Context;
use super::reload::{Hangups, Reloading};
use super::time::now;
use crate::admin::data_dir::{DataDir, Lock};
use crate::api::{self, Listener, Node, ReloadFailures, Shell, Shutdown};
use crate::config::Config;
use crate::error::{Phrase, Problem, Result};
use crate::metrics::Metrics;
use crate::server::Server;
use crate::telemetry;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, value_name = "ADDRESS:PORT", help = "cli.arg_listen")]
    listen: Option<SocketAddr>,
    #[arg(long, help = "cli.arg_clock_is_right")]
    clock_is_right: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Binds, prints the address and serves. The printed address already answers requests.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    if let Some(listen) = args.listen {
        context.set("server", "listen", listen);
    }
    let config = context.config()?.config;
    telemetry::init(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new("server.internal").because(&error))?;
    // From the begin, because a start may take minutes and a signal without a listener ends the
    // process.
    let hangups = {
        let _entered = runtime.enter();
        Hangups::listen()?
    };
    let data = DataDir::of(&config);
    // Locks before it opens the store, because a restore that is about to end replaces the store.
    let mut lock = data.lock()?;
    if data.keys_are_open() {
        let (code, path) = ("keys.were_open", data.keys());
        let path = path.display();
        tracing::warn!(code, %path, "other users of this machine could read the keys");
    }
    for path in data.protect() {
        let (code, path) = ("data.open_to_others", path.display());
        tracing::warn!(code, %path, "other users of this machine can open this");
    }
    let server = Arc::new(data.open(&config)?);
    // An upgrade may bring new ones. Without them the server is still of use, so it starts in any case.
    if let Err(problem) = server.put_shipped_templates(now()) {
        tracing::error!(
            code = problem.code(),
            "shipped templates were not published"
        );
    }
    if args.clock_is_right {
        server.trust_clock(now())?;
    }
    // Before the first phone comes. A server that waits for the time of the network gets it.
    if let Err(problem) = server.try_write(now()) {
        context.warn(problem.phrase());
        problem.log();
    }
    let outcome = runtime.block_on(serve(
        &config, &server, &mut lock, hangups, args.json, context,
    ));
    // Work that has begun runs to its end, because its caller may already have the answer.
    drop(runtime);
    outcome?;
    let stopped = serde_json::json!({ "stopped": true });
    context.result(args.json, &stopped, &[Phrase::new("serve.stopped")])
}

async fn serve(
    config: &Config,
    server: &Arc<Server>,
    lock: &mut Lock,
    hangups: Hangups,
    json: bool,
    context: &mut Context<'_>,
) -> Result<()> {
    let shutdown = Shutdown::on_signal()?;
    let metrics = Metrics::new();
    let listener = Listener::bind(config)?.with_metrics(&metrics);
    let blobs = DataDir::of(config).open_files(server, config)?;
    let node = Node::new(
        Arc::clone(server),
        Arc::new(blobs),
        config,
        &metrics,
        shutdown.clone(),
    );
    let ready = api::keep_time(&node);
    let tls = listener.tls();
    for warning in tls.iter().flat_map(|tls| tls.warnings(now())) {
        let code = warning.code();
        tracing::warn!(code, "{}", warning.sentence(onegrid_core::texts::Lang::En));
    }
    let inputs = context.inputs.clone();
    let reloads = ReloadFailures::default();
    let again = Reloading::new(inputs, config.clone(), Arc::clone(server), tls.clone())
        .with_backups(node.backups().clone());
    hangups.reload(again, reloads.clone());
    let shell = Shell::new(config, metrics, ready)
        .with_tls(tls)
        .with_server(Arc::clone(server))
        .with_backups(node.backups().clone())
        .with_reloads(reloads);
    let (routes, transfers) = (api::routes(node.clone()), api::transfers(node));
    let app = api::shell(routes, transfers, &shell);
    let url = listener.url();
    // Only `status` and `invite` miss the address, and a full disk must not keep the server from phones.
    if let Err(problem) = lock.note_address(&url) {
        tracing::warn!(code = problem.code(), "the address was not noted");
    }
    let value = serde_json::json!({ "listening": url });
    context.result(
        json,
        &value,
        &[Phrase::new("serve.listening").with("url", &url)],
    )?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "serving");
    let served = listener.serve(app, shutdown).await;
    tracing::info!("stopped");
    served
}
