//! The orders that benchmarks place.

use anyhow::Result;
use chrono::{DateTime, Utc};
use domain::{
    ids::{LineId, OrderId},
    money::Money,
    order::{OrderCommand, OrderLine, OrderLines, PlaceOrder},
    personal::ShippingAddress,
};

/// So many that none of them has many orders.
const CUSTOMERS: u64 = 100_000;

/// As [`body`], for who asks the order service itself: of this customer.
pub fn place_by(
    customer: u64,
    order_id: OrderId,
    placed_at: DateTime<Utc>,
) -> Result<OrderCommand> {
    let line = |index, sku: &str, quantity: i64, amount| -> Result<OrderLine> {
        Ok(OrderLine {
            line_id: LineId::of(order_id, index),
            sku: sku.parse()?,
            quantity: quantity.try_into()?,
            unit_price: Money::new(amount, "EUR".parse()?)?,
        })
    };
    Ok(OrderCommand::Place(Box::new(PlaceOrder {
        order_id,
        customer_id: format!("customer-{customer}").parse()?,
        lines: OrderLines::new(vec![
            line(0, "TEA-EARL-GREY", 2, 1_999)?,
            line(1, "MUG-BLUE", 1, 1_499)?,
        ])?,
        shipping_address: ShippingAddress {
            name: "Ada Lovelace".parse()?,
            line1: "12 St James's Square".parse()?,
            line2: None,
            postal_code: "SW1Y 4JH".parse()?,
            city: "London".parse()?,
            country: "GB".parse()?,
        },
        contact: None,
        placed_at,
    })))
}

/// A request of two lines; customers differ so that none has many orders.
pub fn body(number: u64) -> String {
    let customer = number % CUSTOMERS;
    format!(
        concat!(
            r#"{{"customer_id":"customer-{}","lines":["#,
            r#"{{"sku":"TEA-EARL-GREY","quantity":2,"unit_price":{{"amount":1999,"currency":"EUR"}}}},"#,
            r#"{{"sku":"MUG-BLUE","quantity":1,"unit_price":{{"amount":1499,"currency":"EUR"}}}}],"#,
            r#""shipping_address":{{"name":"Ada Lovelace","line1":"12 St James's Square","#,
            r#""postal_code":"SW1Y 4JH","city":"London","country":"GB"}}}}"#
        ),
        customer
    )
}

/// A payment of any order.
pub const PAYMENT: &str = r#"{"payment_method":"tok_visa"}"#;

/// About what a placed order's record holds, headers included; so large are the raw producer's messages.
pub fn record_bytes() -> usize {
    1_400
}
