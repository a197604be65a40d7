//! The “stop” signal for all running tasks, including open wake-up connections.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Problem, Result};

/// Sends “stop” to every [`Shutdown`] made with it; dropping it sends “stop” too.
#[derive(Debug)]
pub struct Trigger {
    stop: watch::Sender<bool>,
}

/// Receives “stop”. Clones receive it too, even if it was sent before they waited.
#[derive(Debug, Clone)]
pub struct Shutdown {
    stopped: watch::Receiver<bool>,
}

impl Trigger {
    /// Sends “stop”. Repeated calls have no effect.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Shutdown {
    /// Creates a connected pair of sender and receiver.
    #[must_use]
    pub fn new() -> (Trigger, Self) {
        let (stop, stopped) = watch::channel(false);
        (Trigger { stop }, Self { stopped })
    }

    /// Stops on SIGTERM (service managers) and SIGINT (Ctrl-C). Call it inside a tokio runtime.
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

    /// Returns after “stop” was sent.
    pub async fn wait(&self) {
        let mut stopped = self.stopped.clone();
        // An error means that the trigger was dropped, which counts as “stop”.
        let _ = stopped.wait_for(|stop| *stop).await;
    }

    /// Whether “stop” was sent.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }
}
