//! Placing, paying, cancelling and resuming orders.

mod cancel;
mod lines;
mod pay;
mod place;
mod resume;

use domain::{
    ids::OrderId,
    order::{OrderCommand, OrderPolicy, OrderStatus, Orders},
};
use event_store::Accepted;
use runtime::problem::Problem;
use serde::Serialize;

pub(crate) use self::{
    cancel::{__path_cancel_order, cancel_order},
    pay::{__path_pay_order, pay_order},
    place::{__path_place_order, place_order},
    resume::{__path_resume_order, resume_order},
};
use crate::{Catalogue, OpeningStore, PaymentKey, answer::Answered, execute, execute::Received};

/// What the routes of the order service work with.
#[derive(Clone)]
pub(crate) struct OrderService {
    pub(crate) store: OpeningStore<Orders>,
    pub(crate) catalogue: Catalogue,
    pub(crate) deadlines: OrderPolicy,
    pub(crate) payment_key: PaymentKey,
}

/// Has the command decided and appended, and answers what has become of its order.
async fn execute<B: Serialize>(
    store: &OpeningStore<Orders>,
    command: OrderCommand,
    received: Received<'_, B>,
) -> Result<Answered, Problem> {
    let order_id = command.order_id();
    let accepted = execute::execute(store, command, received).await?;
    answer(order_id, &accepted)
}

fn answer(
    order_id: OrderId,
    accepted: &Accepted<Option<OrderStatus>>,
) -> Result<Answered, Problem> {
    let status = accepted.status.map(OrderStatus::as_str);
    let status = status.ok_or_else(|| Problem::internal("an accepted command left no order"))?;
    Ok(Answered::new(order_id, status, accepted))
}
