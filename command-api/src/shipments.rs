//! Having goods leave, and telling whether they arrived.

mod deliver;
mod dispatch;
mod fail;

use domain::{
    ids::ShipmentId,
    shipping::{ShipmentStatus, Shipments, ShippingCommand},
};
use runtime::problem::Problem;
use serde::Serialize;

pub(crate) use self::{
    deliver::{__path_deliver_shipment, deliver_shipment},
    dispatch::{__path_dispatch_shipment, dispatch_shipment},
    fail::{__path_fail_shipment, fail_shipment},
};
use crate::{OpeningStore, answer::Answered, execute, execute::Received};

/// Has the command decided and appended, and answers what has become of its shipment.
async fn execute<B: Serialize>(
    store: &OpeningStore<Shipments>,
    command: ShippingCommand,
    received: Received<'_, B>,
) -> Result<Answered, Problem> {
    let shipment_id: ShipmentId = command.shipment_id();
    let accepted = execute::execute(store, command, received).await?;
    let status = accepted.status.map(ShipmentStatus::as_str);
    let status = status.ok_or_else(|| Problem::internal("an accepted command left no shipment"))?;
    Ok(Answered::new(shipment_id, status, &accepted))
}
