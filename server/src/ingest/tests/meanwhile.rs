//! A store that runs a given action at a chosen moment, as another thread or process may.

use std::sync::{Arc, Mutex};

use crate::rules::Rules;
use crate::server::Server;
use crate::store::{Job, Reader, SealKey, SealReport, Store, StoreResult};

use super::world::TestServer;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    AfterARead,
    BeforeAWrite,
}

type Deed = Box<dyn FnOnce() + Send>;

pub(super) struct MeanwhileStore {
    inner: Arc<dyn Store>,
    next: Mutex<Option<(Moment, Deed)>>,
}

impl MeanwhileStore {
    /// Another server over the file of the world, and its store.
    pub(super) fn server(world: &TestServer) -> (Arc<Server>, Arc<Self>) {
        let store = Arc::new(Self {
            inner: world.store_again(),
            next: Mutex::default(),
        });
        let opened = Server::open(
            Arc::clone(&store) as Arc<dyn Store>,
            world.keys.clone(),
            Rules::none(),
        );
        (Arc::new(opened.unwrap()), store)
    }

    /// At the next such moment, once.
    pub(super) fn meanwhile(&self, moment: Moment, deed: impl FnOnce() + Send + 'static) {
        *self.next.lock().unwrap() = Some((moment, Box::new(deed)));
    }

    fn now_is(&self, moment: Moment) {
        let due = self.next.lock().unwrap().take_if(|(at, _)| *at == moment);
        if let Some((_, deed)) = due {
            deed();
        }
    }
}

impl Store for MeanwhileStore {
    fn run(&self, job: Job) -> StoreResult<()> {
        self.now_is(Moment::BeforeAWrite);
        self.inner.run(job)
    }

    fn run_later(&self, job: Job) {
        self.inner.run_later(job);
    }

    fn look(&self, look: &mut dyn FnMut(&dyn Reader)) -> StoreResult<()> {
        self.inner.look(look)?;
        self.now_is(Moment::AfterARead);
        Ok(())
    }

    fn seal_with(&self, key: &SealKey) -> StoreResult<()> {
        self.inner.seal_with(key)
    }

    fn seal_report(&self) -> StoreResult<Option<SealReport>> {
        self.inner.seal_report()
    }
}
