//! A projector of a newer shape than the live version's does not feed that one. It fills a version of its own beside it and takes
//! over, one process for all; until then it is not ready, so that a rolling deployment leaves the older ones running
//! (docs/adr/0011-shapes-side-by-side.md). A version that fails for good is not begun anew before somebody may have looked at it.

use event_store::log::Log;

use super::{FIRST_PAUSE, Live, longer, serving::STANDBY_PAUSE};
use crate::{
    Projection, ProjectorError,
    rebuild::{Options, Show, candidate, succeed},
    registry,
};

impl<S: Log> Live<S> {
    /// Returns when the live version is of this projector's shape, or of a newer one; false where told to stop before.
    pub(super) async fn succeed<P: Projection>(&mut self) -> bool {
        let mut stop = self.stop.clone();
        let mut pause = FIRST_PAUSE;
        loop {
            // What is dropped here holds connections of its own; an unfinished version is resumed.
            let succeeded = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return false,
                succeeded = self.try_to_succeed::<P>() => succeeded,
            };
            let wait = match succeeded {
                Ok(()) => return true,
                // By another process of this shape, or an operator.
                Err(ProjectorError::RebuildRunning { .. }) => STANDBY_PAUSE,
                Err(error) => {
                    self.ails(error.in_full());
                    pause = longer(pause);
                    pause
                }
            };
            if self.stopped_within(wait).await {
                return false;
            }
        }
    }

    async fn try_to_succeed<P: Projection>(&self) -> Result<(), ProjectorError> {
        let mut registry = self.database.connect().await?;
        let live = registry::live(&mut registry, P::NAME).await?;
        let Some(live) = live.filter(|live| live.shape < P::SHAPE) else {
            return Ok(());
        };
        let options = Options {
            show: Show::Lines,
            ..Options::default()
        };
        // Before it says that it begins.
        candidate::require_not_failed::<P>(&mut registry, &options.start).await?;
        self.ails(format!(
            "version {} is of shape {}; one of shape {} is being filled beside it",
            live.number,
            live.shape,
            P::SHAPE
        ));
        if let Some(report) = succeed::<P, S>(&self.source, &self.database, options).await? {
            tracing::info!(
                projection = P::NAME, version = report.version, replaced = report.replaced, shape = P::SHAPE,
                events = report.events, seconds = report.seconds, verification = %report.verification,
                "a version of a newer shape has taken over"
            );
        }
        Ok(())
    }
}
