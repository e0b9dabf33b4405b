//! The stage's background tasks, so that dropping the stage ends every one of them.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinSet;

/// A set of tasks with one end. Clones share the set; a closed set starts nothing more.
#[derive(Clone, Debug)]
pub(crate) struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(JoinSet::new()))))
    }

    /// Starts a task unless the set is closed.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.0.lock().as_mut() {
            // Lets go of what has ended, so that the set does not grow.
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// Ends what is under way and goes on empty.
    pub(crate) fn restart(&self) {
        let mut tasks = self.0.lock();
        if tasks.is_some() {
            *tasks = Some(JoinSet::new());
        }
    }

    /// Ends every task, now and from now on, without waiting.
    pub(crate) fn close(&self) {
        drop(self.0.lock().take());
    }

    /// Ends every task and waits until all are gone.
    pub(crate) async fn shut_down(&self) {
        let tasks = self.0.lock().take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }
}
