//! The rules.

use serde::{Deserialize, Serialize};

use super::{
    command::{CatalogueCommand, CreateProduct, DiscontinueProduct, RepriceProduct},
    event::{ProductCreated, ProductDiscontinued, ProductRepriced},
    state::Product,
};
use crate::product::{ProductEvent, stock::StockOpened};

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CatalogueRejection {
    /// Another command has created it.
    #[error("the product exists already")]
    ProductExists,
    /// Nothing of this SKU was ever in the catalogue.
    #[error("there is no such product")]
    ProductNotFound,
}

pub(in crate::product) fn decide(
    state: Option<&Product>,
    command: &CatalogueCommand,
) -> Result<Vec<ProductEvent>, CatalogueRejection> {
    match command {
        CatalogueCommand::Create(command) => create(state, command),
        CatalogueCommand::Reprice(command) => reprice(state, command),
        CatalogueCommand::Discontinue(command) => discontinue(state, command),
    }
}

/// The stock is opened in the same decision, so that goods can be received at once.
fn create(
    state: Option<&Product>,
    command: &CreateProduct,
) -> Result<Vec<ProductEvent>, CatalogueRejection> {
    if state.is_some() {
        return Err(CatalogueRejection::ProductExists);
    }
    Ok(vec![
        ProductEvent::ProductCreated(ProductCreated {
            sku: command.sku.clone(),
            name: command.name.clone(),
            price: command.price,
            created_at: command.created_at,
        }),
        ProductEvent::StockOpened(StockOpened {
            sku: command.sku.clone(),
        }),
    ])
}

/// A discontinued product, too, may get another price: nobody is offered it, so nothing is to be refused.
fn reprice(
    state: Option<&Product>,
    command: &RepriceProduct,
) -> Result<Vec<ProductEvent>, CatalogueRejection> {
    let product = state.ok_or(CatalogueRejection::ProductNotFound)?;
    if product.price == command.price {
        return Ok(vec![]);
    }
    Ok(vec![ProductEvent::ProductRepriced(ProductRepriced {
        sku: command.sku.clone(),
        price: command.price,
        repriced_at: command.repriced_at,
    })])
}

fn discontinue(
    state: Option<&Product>,
    command: &DiscontinueProduct,
) -> Result<Vec<ProductEvent>, CatalogueRejection> {
    let product = state.ok_or(CatalogueRejection::ProductNotFound)?;
    if product.discontinued {
        return Ok(vec![]);
    }
    Ok(vec![ProductEvent::ProductDiscontinued(
        ProductDiscontinued {
            sku: command.sku.clone(),
            discontinued_at: command.discontinued_at,
        },
    )])
}

#[cfg(test)]
mod tests;
