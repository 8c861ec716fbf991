//! Products: what is sold, and for how much.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub(super) use self::decide::decide;
pub use self::{
    command::{CatalogueCommand, CreateProduct, DiscontinueProduct, RepriceProduct},
    decide::CatalogueRejection,
    event::{ProductCreated, ProductDiscontinued, ProductRepriced},
    state::{Product, ProductStatus},
};
