//! Shopping: carts are opened, filled, and checked out.

mod check_out;
mod open;
mod set_item;

use domain::{
    cart::{CartCommand, CartStatus, Carts},
    ids::CartId,
};
use event_store::Accepted;
use runtime::problem::Problem;
use serde::Serialize;

pub(crate) use self::{
    check_out::{__path_check_out_cart, check_out_cart},
    open::{__path_open_cart, open_cart},
    set_item::{__path_set_cart_item, set_cart_item},
};
use crate::{Catalogue, OpeningStore, answer::Answered, execute, execute::Received};

/// What the routes of the cart service work with.
#[derive(Clone)]
pub(crate) struct CartService {
    pub(crate) store: OpeningStore<Carts>,
    pub(crate) catalogue: Catalogue,
}

/// Has the command decided and appended, and answers what has become of its cart.
async fn execute<B: Serialize>(
    service: &CartService,
    command: CartCommand,
    received: Received<'_, B>,
) -> Result<Answered, Problem> {
    let cart_id = command.cart_id();
    let accepted = execute::execute(&service.store, command, received).await?;
    answer(cart_id, &accepted)
}

fn answer(cart_id: CartId, accepted: &Accepted<Option<CartStatus>>) -> Result<Answered, Problem> {
    let status = accepted.status.map(CartStatus::as_str);
    let status = status.ok_or_else(|| Problem::internal("an accepted command left no cart"))?;
    Ok(Answered::new(cart_id, status, accepted))
}
