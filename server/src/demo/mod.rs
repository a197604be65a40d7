//! The demo: a real server as a child process, seven real phones, and three stories that have to come out
//! right.
//!
//! ```text
//!  deployment (temp folder, seed, child `onegrid serve`)
//!        ▲  HTTP
//!  cast: seven Replicas, each in its own encrypted file, with the net driver
//!        ▲                      ▲
//!  stories (one line a step)    page (the same phones behind buttons)
//! ```
//!
//! **Contract.** Nothing here reaches into a phone or the server but through what an app or an administrator
//! has: `Replica`, the driver, `onegrid serve`, backup and restore. A step that does not show what it must
//! fails the demo, and so does a digest that differs at the end.
//!
//! **Not here:** any rule; anything that a deployment needs.

mod balance;
mod cast;
mod deployment;
mod page;
mod phone;
mod place;
mod relay;
mod script;
mod story_gas;
mod story_loss;
mod story_merge;
mod story_patrol;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use onegrid_core::texts::Lang;

use crate::api::Shutdown;
use crate::error::{Phrase, Problem, Result};
use cast::Cast;
use deployment::Deployment;
use script::Script;

/// What the demo is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// End after the stories, with an error where something differs.
    pub once: bool,
    /// Kill the server in the middle of an upload.
    pub kill_server: bool,
    /// Port of the page; 0 takes a free one.
    pub port: u16,
}

/// Plays the stories and, unless `once`, serves the page until Ctrl-C. Everything it made is gone when it
/// returns.
pub async fn run(options: Options, lang: Lang, out: &mut dyn Write) -> Result<()> {
    let shutdown = Shutdown::on_signal()?;
    let mut script = Script::new(lang, out);
    let mut deployment = Deployment::prepare(&mut script)?;
    let outcome = tokio::select! {
        outcome = play(options, &mut deployment, &mut script) => outcome,
        () = shutdown.wait() => Err(Problem::new("demo.interrupted")),
    };
    let outcome = match outcome {
        Ok(cast) if options.once => cast.close(),
        Ok(cast) => stay(options, &cast, &mut script, &shutdown).await,
        Err(problem) => Err(problem),
    };
    deployment.stop().await;
    outcome
}

async fn play(
    options: Options,
    deployment: &mut Deployment,
    script: &mut Script<'_>,
) -> Result<Arc<Cast>> {
    deployment.start().await?;
    let cast = Cast::enrol(deployment, script).await?;
    story_gas::play(&cast, script).await?;
    story_merge::play(&cast, script).await?;
    story_patrol::play(&cast, deployment, options.kill_server, script).await?;
    story_loss::play(&cast, deployment, script).await?;
    balance::check(&cast, deployment, script).await?;
    Ok(Arc::new(cast))
}

async fn stay(
    options: Options,
    cast: &Arc<Cast>,
    script: &mut Script<'_>,
    shutdown: &Shutdown,
) -> Result<()> {
    let listen = SocketAddr::from(([127, 0, 0, 1], options.port));
    let served = page::Page::bind(Arc::clone(cast), listen).await?;
    script.say(&Phrase::new("demo.page").with("url", served.url()))?;
    served.serve(shutdown.clone()).await?;
    script.say(&Phrase::new("demo.over"))
}
