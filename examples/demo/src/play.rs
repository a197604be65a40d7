//! The course of the demo: a deployment, its people, the stories, and the page after them.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use onegrid_core::texts::Lang;

use onegrid_server::api::Shutdown;
use onegrid_server::error::{Phrase, Problem, Result};

use crate::cast::Cast;
use crate::deployment::Deployment;
use crate::script::Script;
use crate::{
    balance, page, story_gas, story_loss, story_meeting, story_merge, story_patrol, story_visits,
};

/// The options of the demo.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// End after the stories, with an error if a result differs.
    pub(crate) once: bool,
    /// Kill the server in the middle of an upload.
    pub(crate) kill_server: bool,
    /// Port of the page; 0 takes a free one.
    pub(crate) port: u16,
}

/// Plays the stories and, unless `once`, serves the page until Ctrl-C. Everything that it made is removed
/// when it returns.
pub(crate) async fn run(options: Options, lang: Lang, out: &mut dyn Write) -> Result<()> {
    let shutdown = Shutdown::on_signal()?;
    let mut script = Script::new(lang, out);
    let mut deployment = Deployment::prepare(&mut script)?;
    let outcome = tokio::select! {
        outcome = play(options, &mut deployment, &mut script) => outcome,
        () = shutdown.wait() => Err(Problem::new("demo.interrupted")),
    };
    let outcome = match outcome {
        Ok(cast) if options.once => cast.close(),
        Ok(cast) => {
            let stayed = stay(options, &cast, &mut script, &shutdown).await;
            stayed.and(cast.close())
        }
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
    story_visits::play(&cast, deployment, script).await?;
    story_patrol::play(&cast, deployment, options.kill_server, script).await?;
    story_meeting::play(&cast, deployment, script).await?;
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
