//! What people ask.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::SKUS;
use crate::{
    ids::{LineId, OrderId, PaymentId, ShipmentId, Sku},
    money::Money,
    order::{CancelOrder, OrderCommand, OrderLine, OrderLines, PayOrder, PlaceOrder, ResumeOrder},
    personal::ShippingAddress,
    product::{
        ProductEvent,
        stock::{Location, StockOpened, StockReceived},
    },
    shipping::{Carriage, DeliverShipment, FailShipment, RequestDispatch, ShippingCommand},
};

pub(super) fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

pub(super) fn order_id(index: usize) -> OrderId {
    Uuid::from_u128(0x0de4_0000 + index as u128).into()
}

pub(super) fn sku(index: usize) -> Sku {
    SKUS[index].parse().unwrap()
}

/// So many of each SKU.
pub(super) fn stocked(quantities: [i64; 2]) -> Vec<ProductEvent> {
    let stock = |(index, quantity): (usize, i64)| {
        [
            ProductEvent::StockOpened(StockOpened { sku: sku(index) }),
            ProductEvent::StockReceived(StockReceived {
                sku: sku(index),
                quantity: quantity.try_into().unwrap(),
                location: Location::Main,
                received_at: begin(),
            }),
        ]
    };
    quantities.into_iter().enumerate().flat_map(stock).collect()
}

pub(super) fn place(order_id: OrderId, quantities: [i64; 2]) -> OrderCommand {
    let wanted = quantities.into_iter().enumerate();
    let wanted = wanted.filter(|(_, quantity)| *quantity > 0);
    let line = |(index, quantity): (usize, i64)| OrderLine {
        line_id: LineId::of(order_id, index),
        sku: sku(index),
        quantity: quantity.try_into().unwrap(),
        unit_price: Money::new(1_999, "EUR".parse().unwrap()).unwrap(),
    };
    OrderCommand::Place(Box::new(PlaceOrder {
        order_id,
        customer_id: "ada".parse().unwrap(),
        lines: OrderLines::new(wanted.map(line).collect()).unwrap(),
        shipping_address: ShippingAddress {
            name: "Ada Lovelace".parse().unwrap(),
            line1: "12 St James's Square".parse().unwrap(),
            line2: None,
            postal_code: "SW1Y 4JH".parse().unwrap(),
            city: "London".parse().unwrap(),
            country: "GB".parse().unwrap(),
        },
        contact: None,
        placed_at: begin(),
    }))
}

pub(super) fn pay(
    order_id: OrderId,
    payment_id: PaymentId,
    paid_at: DateTime<Utc>,
) -> OrderCommand {
    OrderCommand::Pay(PayOrder {
        order_id,
        payment_id,
        method: "sealed.4242".parse().unwrap(),
        amount: None,
        paid_at,
    })
}

pub(super) fn cancel(order_id: OrderId, cancelled_at: DateTime<Utc>) -> OrderCommand {
    OrderCommand::Cancel(CancelOrder {
        order_id,
        reason: None,
        cancelled_at,
    })
}

pub(super) fn resume(order_id: OrderId, resumed_at: DateTime<Utc>) -> OrderCommand {
    OrderCommand::Resume(ResumeOrder {
        order_id,
        stock_due_at: resumed_at + TimeDelta::minutes(1),
        resumed_at,
    })
}

pub(super) fn pack(shipment_id: ShipmentId, requested_at: DateTime<Utc>) -> ShippingCommand {
    ShippingCommand::RequestDispatch(RequestDispatch {
        shipment_id,
        carrier: None,
        tracking_number: None,
        requested_at,
    })
}

pub(super) fn arrive(shipment_id: ShipmentId, delivered_at: DateTime<Utc>) -> ShippingCommand {
    ShippingCommand::Deliver(DeliverShipment {
        shipment_id,
        carriage: Carriage::default(),
        delivered_at,
    })
}

pub(super) fn fail(shipment_id: ShipmentId, failed_at: DateTime<Utc>) -> ShippingCommand {
    ShippingCommand::Fail(FailShipment {
        shipment_id,
        carriage: Carriage::default(),
        failed_at,
    })
}
