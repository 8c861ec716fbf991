//! What is sold, for how much, and how many there are.

mod create;
mod discontinue;
mod receive;
mod reprice;

use domain::{
    ids::Sku,
    product::{ProductCommand, ProductServiceStatus, Products},
};
use event_store::Accepted;
use runtime::problem::Problem;
use serde::Serialize;

pub(crate) use self::{
    create::{__path_create_product, create_product},
    discontinue::{__path_discontinue_product, discontinue_product},
    receive::{__path_receive_stock, receive_stock},
    reprice::{__path_reprice_product, reprice_product},
};
use crate::{Catalogue, OpeningStore, answer::Answered, execute, execute::Received};

/// What the routes of the product service work with.
#[derive(Clone)]
pub(crate) struct ProductService {
    pub(crate) store: OpeningStore<Products>,
    pub(crate) catalogue: Catalogue,
}

/// Has the command decided and appended, and answers what has become of the product or its stock.
async fn execute<B: Serialize>(
    store: &OpeningStore<Products>,
    command: ProductCommand,
    sku: &Sku,
    received: Received<'_, B>,
) -> Result<Answered, Problem> {
    let accepted = execute::execute(store, command, received).await?;
    answer(sku, &accepted)
}

fn answer(sku: &Sku, accepted: &Accepted<ProductServiceStatus>) -> Result<Answered, Problem> {
    let status = match accepted.status {
        ProductServiceStatus::Product(status) => status.as_str(),
        ProductServiceStatus::Stock(status) => status.as_str(),
        ProductServiceStatus::Reservation(_) | ProductServiceStatus::Nothing => {
            return Err(Problem::internal(
                "an accepted command left neither a product nor a stock",
            ));
        }
    };
    Ok(Answered::new(sku, status, accepted))
}
