//! A command on its way from a route to the writer, whichever service's it is.

use std::sync::Arc;

use domain::{
    Context,
    ids::{CommandId, request_hash},
};
use event_store::{Accepted, Request};
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

/// What the event store is asked.
pub(crate) fn request<C: Context, B: Serialize>(
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
