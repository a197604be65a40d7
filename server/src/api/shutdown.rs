//! One word to everything that runs: stop. Connections that stay open (wake-ups) listen for it as well.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Problem, Result};

/// Says “stop” to every [`Shutdown`] made with it, also when it is dropped.
#[derive(Debug)]
pub struct Trigger {
    stop: watch::Sender<bool>,
}

/// Hears “stop”; clones hear it too, also when it was said before they listened.
#[derive(Debug, Clone)]
pub struct Shutdown {
    stopped: watch::Receiver<bool>,
}

impl Trigger {
    /// Says “stop”. Saying it again changes nothing.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Shutdown {
    /// A pair: whoever holds the trigger decides.
    #[must_use]
    pub fn new() -> (Trigger, Self) {
        let (stop, stopped) = watch::channel(false);
        (Trigger { stop }, Self { stopped })
    }

    /// Stops on SIGTERM (service managers) and SIGINT (Ctrl-C). To be called inside a tokio runtime.
    pub fn on_signal() -> Result<Self> {
        let failed = |error: std::io::Error| Problem::new("server.internal").because(&error);
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let (trigger, shutdown) = Self::new();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            trigger.stop();
        });
        Ok(shutdown)
    }

    /// Comes back once “stop” was said.
    pub async fn wait(&self) {
        let mut stopped = self.stopped.clone();
        // An error means that the trigger is gone, which is “stop” as well.
        let _ = stopped.wait_for(|stop| *stop).await;
    }

    /// Whether “stop” was said.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }
}
