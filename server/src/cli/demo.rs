//! `onegrid demo`: a server, seven phones and three stories on this machine.

use super::Context;
use crate::demo::{self, Options};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, help = "cli.arg_once")]
    once: bool,
    #[arg(long, help = "cli.arg_kill_server")]
    kill_server: bool,
    #[arg(long, value_name = "PORT", default_value_t = 0, help = "cli.arg_port")]
    port: u16,
}

/// Plays, and unless told to end stays with the page.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let options = Options {
        once: args.once,
        kill_server: args.kill_server,
        port: args.port,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| crate::error::Problem::new("server.internal").because(&error))?;
    let outcome = runtime.block_on(demo::run(options, context.lang, context.out));
    // Nobody waits for drivers that are still under way.
    runtime.shutdown_background();
    outcome
}
