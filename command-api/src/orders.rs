//! Placing, paying and cancelling orders.

mod cancel;
mod pay;
mod place;

use std::sync::Arc;

use domain::{
    ids::{CommandId, OrderId, request_hash},
    order::{OrderCommand, OrderStatus, Orders},
};
use event_store::Request;
use runtime::problem::Problem;
use serde::Serialize;

pub(crate) use self::{
    cancel::{__path_cancel_order, cancel_order},
    pay::{__path_pay_order, pay_order},
    place::{__path_place_order, place_order},
};
use crate::{OpeningStore, answer::Answered, intake::Intake, problems};

/// Who acts where nobody has said who they are; there is no authentication yet.
const ANONYMOUS: &str = "anonymous";

/// What is known of a command when its body has been read.
struct Received<'a, B> {
    intake: Intake,
    command_id: CommandId,
    order_id: OrderId,
    actor: Arc<str>,
    /// Hashed as parsed, so that neither white space nor the order of members makes another request of it.
    body: &'a B,
}

/// Has the command decided and appended, and answers what has become of its order.
async fn execute<B: Serialize>(
    store: &OpeningStore<Orders>,
    command: OrderCommand,
    received: Received<'_, B>,
) -> Result<Answered, Problem> {
    let Received {
        intake,
        command_id,
        order_id,
        actor,
        body,
    } = received;
    let canonical = serde_json::to_vec(body).map_err(Problem::internal)?;
    let hash = request_hash(&canonical);
    let request = Request {
        command,
        metadata: intake.metadata(command_id, hash, order_id.as_uuid(), actor),
    };
    let accepted = store.execute(request).await;
    let accepted = accepted.map_err(|refusal| problems::order_refused(&refusal))?;
    let status = accepted.status.map(OrderStatus::as_str);
    let status = status.ok_or_else(|| Problem::internal("an accepted command left no order"))?;
    Ok(Answered::new(order_id.as_uuid(), status, &accepted))
}
