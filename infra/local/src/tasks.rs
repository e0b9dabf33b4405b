//! The emulator's background tasks; dropping the emulator ends all of them.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinSet;

/// A set of tasks that end together. Clones share the set; a closed set starts no more tasks.
#[derive(Clone, Debug)]
pub(crate) struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(JoinSet::new()))))
    }

    /// Starts a task unless the set is closed.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.0.lock().as_mut() {
            // Removes ended tasks, so that the set does not grow.
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// Ends all tasks, and accepts new ones.
    pub(crate) fn restart(&self) {
        let mut tasks = self.0.lock();
        if tasks.is_some() {
            *tasks = Some(JoinSet::new());
        }
    }

    /// Ends every task without waiting, and accepts no more.
    pub(crate) fn close(&self) {
        drop(self.0.lock().take());
    }

    /// Ends every task and waits for them.
    pub(crate) async fn shut_down(&self) {
        let tasks = self.0.lock().take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }
}
