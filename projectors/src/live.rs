//! Keeps the live version of each projection up to date, a task for each, its partitions shared with the other processes that are
//! alive ([`membership`]).
//!
//! Whoever begins to feed partitions moves the epoch of their checkpoints, and so fences whoever fed it before. What goes wrong is
//! retried with back-off. An event that cannot be decoded or applied is parked with what follows for its key. Where there are too
//! many of them, or the log is not the one that was read before, the version is marked as failed and waits for a rebuild, while the
//! others go on. A rebuild's swap shows as a checkpoint that has moved; the feed then asks the registry which version is live, and goes
//! on there. One whose rows are of another shape than this program's is for others to feed ([`succession`]).

mod announcements;
pub(crate) mod membership;
mod serving;
pub(crate) mod standing;
mod succession;

use std::{sync::Arc, time::Duration};

use event_store::{LogError, log::Log};
use futures::{FutureExt, future::BoxFuture};
use runtime::health::Readiness;
use tokio::{sync::watch, task::JoinSet};

pub(crate) use self::announcements::announce_live;
use self::{
    announcements::Announcements,
    membership::{Membership, Shares},
};
use crate::{
    Database, Projection, ProjectionName, ProjectorError, log::ask, names::OnProjection,
    registry::Origin,
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Short, since at a cold start everything waits for everything else.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Feeds all projections until `stop` turns true; every batch that was begun is finished.
///
/// # Errors
/// When a task panicked.
pub async fn run<S: Log>(
    source: &S,
    database: &Database,
    readiness: &Readiness,
    stop: &watch::Receiver<bool>,
) -> Result<(), ProjectorError> {
    let shapes = ProjectionName::ALL.map(|name| (name.as_str(), name.shape()));
    let membership = Arc::new(Membership::new(shapes.into()));
    let announcements = Arc::new(Announcements::default());
    let announcing = tokio::spawn(Arc::clone(&announcements).keep_announcing(database.clone()));
    let telling = tokio::spawn(standing::keep_telling(database.clone()));
    let mut projections = JoinSet::new();
    for name in ProjectionName::ALL {
        let live = Live::new(
            source,
            database,
            readiness,
            stop,
            &membership,
            &announcements,
            name,
        );
        projections.spawn(name.on(live));
    }
    // Its place is kept until the last batch is done.
    let (leave, mut leaving) = watch::channel(false);
    let database = database.clone();
    let keeping = tokio::spawn(async move { membership.keep(&database, &mut leaving).await });
    while let Some(ended) = projections.join_next().await {
        ended?;
    }
    announcing.abort();
    telling.abort();
    leave.send_replace(true);
    Ok(keeping.await?)
}

/// What one projection's task needs.
pub(crate) struct Live<S> {
    source: S,
    database: Database,
    readiness: Readiness,
    stop: watch::Receiver<bool>,
    share: watch::Receiver<Shares>,
    membership: Arc<Membership>,
    announcements: Arc<Announcements>,
    name: ProjectionName,
}

impl<S: Log> OnProjection for Live<S> {
    type Output = BoxFuture<'static, ()>;

    fn on<P: Projection>(self) -> Self::Output {
        self.run::<P>().boxed()
    }
}

impl<S: Log> Live<S> {
    pub(crate) fn new(
        source: &S,
        database: &Database,
        readiness: &Readiness,
        stop: &watch::Receiver<bool>,
        membership: &Arc<Membership>,
        announcements: &Arc<Announcements>,
        name: ProjectionName,
    ) -> Self {
        Self {
            source: source.clone(),
            database: database.clone(),
            readiness: readiness.clone(),
            stop: stop.clone(),
            share: membership.share(),
            membership: Arc::clone(membership),
            announcements: Arc::clone(announcements),
            name,
        }
    }

    /// What is live may turn out to be older yet: where processes of two shapes begin at once and the older one makes the first version,
    /// or where an earlier state of the database comes back.
    pub(crate) async fn run<P: Projection>(mut self) {
        while self.succeed::<P>().await && self.is_alive().await && self.serve::<P>().await {}
    }

    fn is_well(&self) {
        self.readiness.set(self.name.as_str(), Ok(()));
    }

    /// Readiness logs it, each reason once.
    fn ails(&self, reason: String) {
        self.readiness.set(self.name.as_str(), Err(reason));
    }

    /// Waits for the first sign of life: before it, nothing is known to be anybody's. False where told to stop meanwhile.
    async fn is_alive(&mut self) -> bool {
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => false,
            known = self.share.wait_for(Shares::is_known) => known.is_ok(),
        }
    }

    async fn stopped_within(&mut self, pause: Duration) -> bool {
        let stopped = self.stop.wait_for(|stop| *stop);
        tokio::time::timeout(pause, stopped).await.is_ok()
    }
}

/// What a version made from this log now would be made from: topics of as many partitions, each of which goes with those of
/// its number.
pub(crate) async fn origin_of<P: Projection, S: Log>(source: &S) -> Result<Origin, ProjectorError> {
    ask(source, |source| {
        let [first, others @ ..] = P::TOPICS else {
            unreachable!("a projection reads a topic");
        };
        let partitions = source.partitions(first)?;
        for topic in others {
            let differing = source.partitions(topic)?;
            if differing != partitions {
                return Err(LogError::Topic {
                    topic: (*topic).to_owned(),
                    reason: format!(
                        "it has {differing} partitions, where {first} has {partitions}; topics that are read together \
                         need as many, and none is ever given more (docs/operating.md says what to do)"
                    ),
                });
            }
        }
        Ok(Origin {
            cluster_id: source.cluster_id()?,
            partitions,
        })
    })
    .await
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(MAX_PAUSE)
}
