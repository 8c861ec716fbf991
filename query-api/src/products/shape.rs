//! What a product looks like.

use runtime::entity_tag::EntityTag;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json::{Money, Unparsed};

const MAX_SKU_LENGTH: usize = 64;

/// A product.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Product {
    pub(super) sku: String,
    /// What people call it.
    pub(super) name: String,
    #[schema(value_type = Money)]
    pub(super) price: Unparsed,
    #[schema(value_type = ProductStatus)]
    pub(super) status: String,
    /// How many there are: what is reserved, and what is available.
    pub(super) on_hand: i64,
    /// How many of them are set aside for orders.
    pub(super) reserved: i64,
    /// How many of them can be ordered.
    pub(super) available: i64,
    /// Of the product's own stream.
    #[serde(skip)]
    pub(super) product_version: i32,
    /// Of its stock's, as far as that changes the numbers here.
    #[serde(skip)]
    pub(super) stock_version: i32,
}

impl Product {
    pub(super) fn tag(&self) -> EntityTag {
        EntityTag::with_others(self.product_version, &[self.stock_version.into()])
    }
}

/// Whether it is sold.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes text in a column")]
pub(crate) enum ProductStatus {
    Active,
    Discontinued,
}

/// Selects [`Product`]s; takes the rest of the statement and its arguments. One whose stock alone is known yet is none.
macro_rules! select_products {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            $crate::products::shape::Product,
            r#"
            select sku, name as "name!",
                   json_build_object('amount', price_amount, 'currency', price_currency) as "price!: _",
                   status as "status!", on_hand, reserved, on_hand - reserved as "available!",
                   product_version, stock_version
            from products
            where name is not null
            "# + $rest,
            $($argument),+
        )
    };
}

/// A SKU that there could be.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Sku(pub(super) String);

/// Not of the form of a SKU.
#[derive(Debug, thiserror::Error)]
#[error("a SKU is 1 to {MAX_SKU_LENGTH} of the characters A-Z, a-z, 0-9, '.', '_' and '-'")]
pub(crate) struct InvalidSku;

impl TryFrom<String> for Sku {
    type Error = InvalidSku;

    fn try_from(text: String) -> Result<Self, InvalidSku> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=MAX_SKU_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text))
        } else {
            Err(InvalidSku)
        }
    }
}
