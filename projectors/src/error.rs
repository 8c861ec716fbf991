//! Why a projection could not go on.

use event_store::{LogError, Position};
use sqlx::error::DatabaseError;

use crate::{reaching::Obstacle, rebuild::Verification, registry::NotDropped};

/// SQLSTATEs of a statement that waited for a lock beyond `lock_timeout`, and of one that waited for somebody who waited for it.
const LOCK_NOT_AVAILABLE: &str = "55P03";
const DEADLOCK_DETECTED: &str = "40P01";

/// What a projector can meet.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The address of Postgres cannot be read.
    #[error("the address of postgres cannot be read; {}", Obstacle::Address.remedy())]
    Address(#[source] sqlx::Error),
    /// There is no connection to Postgres.
    #[error("postgres at {address} {obstacle}; {}", .obstacle.remedy())]
    NotConnected {
        /// Host, port and database.
        address: String,
        /// What keeps it from being made.
        obstacle: Obstacle,
        /// What was said of it.
        source: sqlx::Error,
    },
    /// Postgres has gone away, or refused a statement.
    #[error("postgres failed")]
    Postgres(#[source] sqlx::Error),
    /// A lock was waited for, and not let go in time, or never would have been.
    #[error(
        "another session of postgres holds a lock that is needed here; where it does not let go, end it (docs/operating.md says how), \
         and try again"
    )]
    Locked(#[source] sqlx::Error),
    /// A rebuild holds up a reset: it copies what it keeps, in one transaction with the version that it has begun.
    #[error(
        "{projection} is being rebuilt by session {session} of postgres, which copies what is kept before another version can begin; \
         wait until `offset-zero projections` shows the one that it builds, or end it (select pg_terminate_backend({session})), and \
         try again"
    )]
    HeldUp {
        /// Whose.
        projection: &'static str,
        /// Postgres' number of the rebuild's session.
        session: i32,
        /// What was waited for.
        source: sqlx::Error,
    },
    /// Postgres, or the way to it, is gone without a word.
    #[error("postgres at {address} {obstacle}; {}", .obstacle.remedy())]
    Unanswered {
        /// Host, port and database.
        address: String,
        /// That it is silent, and for how long.
        obstacle: Obstacle,
    },
    /// A migration could not be applied.
    #[error("a migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The registry's tables are missing or old.
    #[error("the database lacks migration {missing}; type: offset-zero migrate")]
    NotMigrated {
        /// The first one that is not applied.
        missing: i64,
    },
    /// The log is away, or does not hold what it should.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The checkpoint was moved by someone else: a swap, or a second projector.
    #[error("the checkpoint is no longer where this feed left it")]
    Superseded,
    /// An event that does not follow from the row; it is parked when the feed is opened anew.
    #[error("{position} cannot be applied: {reason}")]
    Unappliable {
        /// Of the event.
        position: Position,
        /// What is wrong.
        reason: String,
    },
    /// So many events could not be applied lately that it is no accident.
    #[error("too many events cannot be applied, last {position}: {reason}")]
    TooManyDeadLetters {
        /// Of the last one.
        position: Position,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing parked under that key.
    #[error("{projection} has parked nothing under the key {key}")]
    NotParked {
        /// Whose.
        projection: &'static str,
        /// The key.
        key: String,
    },
    /// Trying again has not helped.
    #[error("applied {applied} events; the next one still cannot be applied: {reason}")]
    StillDead {
        /// Those before it.
        applied: u64,
        /// Which one it is, and why.
        reason: String,
    },
    /// The rows belong to another log than the one that is read.
    #[error("diverged: {reason}")]
    Diverged {
        /// How that shows.
        reason: String,
    },
    /// The version was marked as failed, by this process or an earlier one; says why, and what to do.
    #[error("{0}")]
    Failed(String),
    /// It was asked to halt, or to go on, and has failed.
    #[error(
        "the live version of {projection} has failed: nobody feeds it, halted or not; mend the cause, then type: \
         offset-zero rebuild {projection}"
    )]
    NotFed {
        /// Whose.
        projection: &'static str,
    },
    /// No such projection.
    #[error("there is no projection {name}; there are: {known}")]
    UnknownProjection {
        /// The name asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// It was asked to rebuild from where it cannot.
    #[error("{projection} cannot be rebuilt from there: {reason}")]
    NotStarted {
        /// Whose.
        projection: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
    /// It was asked to go back to a version that cannot go on.
    #[error("{projection} cannot go back to version {version}: {reason}")]
    NoWayBack {
        /// Whose.
        projection: &'static str,
        /// Its number.
        version: i32,
        /// Why not.
        reason: String,
    },
    /// The live version's rows are of a shape that this program does not write.
    #[error(
        "the live version of {projection} is of shape {live}, and this program makes shape {made}: only one that makes shape {live} \
         writes it, and only a newer one replaces it"
    )]
    OtherShape {
        /// Whose.
        projection: &'static str,
        /// Of the live version.
        live: i32,
        /// This program's.
        made: i32,
    },
    /// A dry run has nothing to compare with.
    #[error("{projection} was not compared: {reason}")]
    NotCompared {
        /// Whose.
        projection: &'static str,
        /// Why not.
        reason: String,
    },
    /// Two rebuilds of one projection at a time.
    #[error("{projection} is being rebuilt already; its progress is in GET /v1/projections")]
    RebuildRunning {
        /// Whose.
        projection: &'static str,
    },
    /// Another rebuild or reset began a version at the same moment.
    #[error(
        "somebody else has just begun version {version} of {projection}; type the command again"
    )]
    VersionTaken {
        /// Whose.
        projection: &'static str,
        /// Which one this was to be, too.
        version: i32,
    },
    /// The new version did not reach the live one while that was held still.
    #[error(
        "the new version of {projection} did not catch up with the live one; type the command again to go on with it"
    )]
    NotCaughtUp {
        /// Whose.
        projection: &'static str,
    },
    /// The new version's rows are not the live version's, and they were required to be.
    #[error(
        "version {version} of {projection} was not swapped in: {verification}\n\
         find out which rows are right; the same rebuild without --verify (offset-zero rebuild {projection}) replaces the live version \
         all the same, and offset-zero projections drop {projection} {version} gives the new one up"
    )]
    Differs {
        /// Whose.
        projection: &'static str,
        /// The new version, which stays to be looked at until the next rebuild.
        version: i32,
        /// What was found.
        verification: Box<Verification>,
    },
    /// Of several projections that were to be rebuilt, or compared, some were not.
    #[error("{done} of {of} are done:\n    {told}")]
    NotAllDone {
        /// So many were.
        done: usize,
        /// Of so many.
        of: usize,
        /// What became of each.
        told: String,
        /// The first that any other one would have met, too. It is in what is told, so it is no source.
        of_all: Option<Box<ProjectorError>>,
    },
    /// A version that is needed, or that there is not.
    #[error("version {version} of {projection} was not dropped: {reason}")]
    NotDropped {
        /// Whose.
        projection: String,
        /// Which.
        version: i32,
        /// Why not.
        reason: NotDropped,
    },
    /// A task of ours panicked or was stopped with the runtime.
    #[error("a task ended before its work was done")]
    Task(#[from] tokio::task::JoinError),
}

impl From<sqlx::Error> for ProjectorError {
    fn from(error: sqlx::Error) -> Self {
        let refused = error.as_database_error();
        match refused.and_then(DatabaseError::code).as_deref() {
            Some(LOCK_NOT_AVAILABLE | DEADLOCK_DETECTED) => Self::Locked(error),
            _ => Self::Postgres(error),
        }
    }
}

impl ProjectorError {
    /// Whether trying again cannot help: the version has to be rebuilt.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Log(
                LogError::Undecodable { .. }
                | LogError::OffsetLost { .. }
                | LogError::Diverged { .. },
            )
            | Self::TooManyDeadLetters { .. }
            | Self::Diverged { .. } => true,
            Self::Address(_)
            | Self::NotConnected { .. }
            | Self::Postgres(_)
            | Self::Locked(_)
            | Self::HeldUp { .. }
            | Self::Unanswered { .. }
            | Self::Migration(_)
            | Self::NotMigrated { .. }
            | Self::Log(LogError::Unavailable { .. } | LogError::Topic { .. })
            | Self::Superseded
            | Self::Unappliable { .. }
            | Self::NotParked { .. }
            | Self::StillDead { .. }
            | Self::Failed(_)
            | Self::NotFed { .. }
            | Self::UnknownProjection { .. }
            | Self::NotStarted { .. }
            | Self::NoWayBack { .. }
            | Self::OtherShape { .. }
            | Self::NotCompared { .. }
            | Self::RebuildRunning { .. }
            | Self::VersionTaken { .. }
            | Self::NotCaughtUp { .. }
            | Self::Differs { .. }
            | Self::NotAllDone { .. }
            | Self::NotDropped { .. }
            | Self::Task(_) => false,
        }
    }

    /// Whether the log is not the one that the rows are made from.
    pub(crate) fn is_divergence(&self) -> bool {
        matches!(
            self,
            Self::Diverged { .. } | Self::Log(LogError::OffsetLost { .. })
        )
    }

    /// Whether it would be met with any other projection, too: the log or Postgres cannot be reached, or used.
    pub(crate) fn is_of_all(&self) -> bool {
        matches!(
            self,
            Self::Log(LogError::Unavailable { .. })
                | Self::Postgres(sqlx::Error::Io(_) | sqlx::Error::Tls(_))
                | Self::Address(_)
                | Self::NotConnected { .. }
                | Self::Unanswered { .. }
                | Self::NotMigrated { .. }
        )
    }

    /// The error with its causes, for logs and the registry; never for clients.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}
