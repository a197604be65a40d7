//! `onegrid-demo`: a real server as a child process, eight real phones, and stories that have to come out right.
//!
//! ```text
//!  deployment (temp folder, seed, child `onegrid serve`)
//!        ▲  HTTP
//!  cast: eight Replicas, each in its own encrypted file, with the net driver
//!        ▲  meetings, photos    ▲
//!  stories (one line a step)    page (the same phones behind buttons)
//! ```
//!
//! **Contract.** Phones and server are reached as an app or an administrator reaches them: by `Replica`, the driver,
//! `onegrid serve`, backup and restore. A step that does not show the expected result fails the demo, and so does
//! a digest that differs at the end.
//!
//! **Not here:** any rule; anything that a deployment needs.

mod balance;
mod cast;
mod deployment;
mod meeting;
mod page;
mod phone;
mod photo;
mod place;
mod play;
mod relay;
mod script;
mod story_gas;
mod story_loss;
mod story_meeting;
mod story_merge;
mod story_patrol;
mod story_visits;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use onegrid_core::texts::Lang;
use onegrid_server::cli::{Process, run_as};
use onegrid_server::error::{Problem, Result};

#[derive(Debug, Parser)]
#[command(name = "onegrid-demo", version, about = "cli.demo")]
struct Line {
    #[arg(long, global = true, value_name = "zh|en", help = "cli.arg_lang")]
    lang: Option<Lang>,
    #[arg(long, help = "cli.arg_once")]
    once: bool,
    #[arg(long, help = "cli.arg_kill_server")]
    kill_server: bool,
    #[arg(long, value_name = "PORT", default_value_t = 0, help = "cli.arg_port")]
    port: u16,
}

fn main() -> ExitCode {
    let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let process = Process {
        args: std::env::args_os().collect(),
        env: std::env::vars_os().filter_map(unicode).collect(),
        default_file: None,
        out: &mut std::io::stdout(),
        err: &mut std::io::stderr(),
    };
    ExitCode::from(run_as(process, |line, process, lang| {
        play(&line, process.out, lang)
    }))
}

/// Plays the stories and, unless it was told to end, serves the page.
fn play(line: &Line, out: &mut dyn Write, lang: Lang) -> Result<()> {
    let options = play::Options {
        once: line.once,
        kill_server: line.kill_server,
        port: line.port,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new("server.internal").because(&error))?;
    let outcome = runtime.block_on(play::run(options, lang, out));
    // The runtime's threads end first, because a thread that ends beside the process can free memory that OpenSSL
    // also frees.
    drop(runtime);
    outcome
}
