//! A command on its way from a route to the writer, whichever service's it is.

use std::sync::Arc;

use domain::{
    Context,
    ids::{CommandId, request_hash},
};
use event_store::{Accepted, ExpectedVersion, Refusal, Request};
use runtime::problem::Problem;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    OpeningStore,
    intake::Intake,
    problems::{self, Rejection},
};

/// Who acts where nobody has said who they are; there is no authentication yet.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// The body of a command that says nothing more than its path does. May be absent.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoMembers {}

/// What is known of a command when its body has been read.
pub(crate) struct Received<'a, B> {
    pub(crate) intake: Intake,
    pub(crate) command_id: CommandId,
    /// The journey that it belongs to.
    pub(crate) correlation_id: Uuid,
    pub(crate) actor: Arc<str>,
    /// Hashed as parsed, so that neither white space nor the order of members makes another request of it.
    pub(crate) body: &'a B,
}

/// Has the command decided and appended.
pub(crate) async fn execute<C, B>(
    store: &OpeningStore<C>,
    command: C::Command,
    received: Received<'_, B>,
) -> Result<Accepted<C::Status>, Problem>
where
    C: Context<Rejection: Rejection>,
    B: Serialize,
{
    let request = request(command, received)?;
    let accepted = store.execute(request).await;
    accepted.map_err(|refusal| problems::refused(&refusal))
}

/// Of a command that cannot be made of what is known now: the first answer where it repeats one that was accepted, else the
/// problem.
///
/// The question is any command for the same stream; it takes the command's place, and is never carried out.
pub(crate) async fn first_answer<C, B>(
    store: &OpeningStore<C>,
    question: C::Command,
    received: Received<'_, B>,
    problem: Problem,
) -> Result<Accepted<C::Status>, Problem>
where
    C: Context<Rejection: Rejection>,
    B: Serialize,
{
    // Without a key, it repeats nothing.
    if !received.intake.has_key() {
        return Err(problem);
    }
    let mut request: Request<C> = request(question, received)?;
    request.metadata.expected_version = Some(ExpectedVersion::Never);
    let asked = store.execute(request).await;
    asked.map_err(|refusal| match refusal {
        Refusal::Rejected(_) | Refusal::VersionMismatch { .. } => problem,
        Refusal::KeyReused | Refusal::Unavailable { .. } | Refusal::OutcomeUnknown { .. } => {
            problems::refused(&refusal)
        }
    })
}

/// What the event store is asked.
fn request<C: Context, B: Serialize>(
    command: C::Command,
    received: Received<'_, B>,
) -> Result<Request<C>, Problem> {
    let Received {
        intake,
        command_id,
        correlation_id,
        actor,
        body,
    } = received;
    let canonical = serde_json::to_vec(body).map_err(Problem::internal)?;
    let hash = request_hash(&canonical);
    Ok(Request {
        command,
        metadata: intake.metadata(command_id, hash, correlation_id, actor),
    })
}
