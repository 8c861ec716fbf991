//! Having goods leave, and telling whether they arrived.

mod carriage;
mod deliver;
mod dispatch;
mod fail;

use domain::shipping::{ShipmentStatus, Shipments, ShippingCommand};
use runtime::problem::Problem;
use serde::Serialize;

pub(crate) use self::{
    deliver::{__path_deliver_shipment, deliver_shipment},
    dispatch::{__path_dispatch_shipment, dispatch_shipment},
    fail::{__path_fail_shipment, fail_shipment},
};
use crate::{
    OpeningStore,
    answer::Answered,
    execute::{self, ANONYMOUS, Received},
    intake::Intake,
};

/// Has the command decided and appended, and answers what has become of its shipment. The action is the last segment of the
/// route.
async fn execute<B: Serialize>(
    store: &OpeningStore<Shipments>,
    action: &str,
    intake: Intake,
    body: &B,
    command: ShippingCommand,
) -> Result<Answered, Problem> {
    let shipment_id = command.shipment_id();
    let path = format!("/v1/shipments/{shipment_id}/{action}");
    let received = Received {
        command_id: intake.command_id(&path, &path),
        correlation_id: shipment_id.order_id().as_uuid(),
        actor: ANONYMOUS.into(),
        body,
        intake,
    };
    let accepted = execute::execute(store, command, received).await?;
    let status = accepted.status.map(ShipmentStatus::as_str);
    let status = status.ok_or_else(|| Problem::internal("an accepted command left no shipment"))?;
    Ok(Answered::new(shipment_id, status, &accepted))
}
