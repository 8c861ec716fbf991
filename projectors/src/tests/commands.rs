//! What the tests ask of the services.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    cart::{CartCommand, CheckOutCart, OpenCart, RemoveCartItem, SetCartItem},
    ids::{CartId, OrderId, PaymentId, Sku},
    money::Money,
    order::{
        CancelOrder, ConfirmOrder, DecideDispatch, DeliverOrder, MarkOrderStuck, OrderCommand,
        OrderLine, OrderLines, PayOrder, PlaceOrder, RequestInventory, ResumeOrder, SettlePayment,
        Settlement, ShipOrder,
    },
    personal::ShippingAddress,
    product::{
        ProductCommand,
        catalogue::{CatalogueCommand, CreateProduct, DiscontinueProduct, RepriceProduct},
        stock::{ReceiveStock, ReserveStock, StockCommand, StockOfOrder},
    },
    quantity::{Quantity, Units},
    sealed::SealedMethod,
};
use uuid::Uuid;

pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).expect("now")
}

/// What people really write, and what breaks careless formats.
const NAME: &str = "Zoë \\. \\N \"O'Neil\" \u{2028} {a,b} 😀";

pub(super) fn address() -> ShippingAddress {
    ShippingAddress {
        name: NAME.parse().expect("printable"),
        line1: "1, C:\\temp".parse().expect("printable"),
        line2: None,
        postal_code: "1010".parse().expect("printable"),
        city: "Wien".parse().expect("printable"),
        country: "AT".parse().expect("two letters"),
    }
}

pub(super) fn place(order: Uuid) -> OrderCommand {
    let line = OrderLine {
        line_id: Uuid::new_v5(&order, b"1").into(),
        sku: sku(1),
        quantity: Quantity::try_from(3).expect("a quantity"),
        unit_price: price(1999),
    };
    OrderCommand::Place(Box::new(PlaceOrder {
        order_id: order.into(),
        customer_id: NAME.parse().expect("printable"),
        lines: OrderLines::new(vec![line]).expect("lines"),
        shipping_address: address(),
        contact: None,
        placed_at: now(),
    }))
}

pub(super) fn request(order: Uuid) -> OrderCommand {
    OrderCommand::RequestInventory(RequestInventory {
        order_id: order.into(),
        lines: Vec::new(),
        stock_due_at: in_an_hour(),
    })
}

pub(super) fn confirm(order: Uuid) -> OrderCommand {
    OrderCommand::Confirm(ConfirmOrder {
        order_id: order.into(),
        payment_due_at: in_an_hour(),
        confirmed_at: now(),
    })
}

/// Which of an order's payments; from 1.
pub(super) fn payment_id(order: Uuid, attempt: u32) -> PaymentId {
    PaymentId::from(Uuid::new_v5(&order, &attempt.to_be_bytes()))
}

pub(super) fn pay(order: Uuid, attempt: u32) -> OrderCommand {
    OrderCommand::Pay(PayOrder {
        order_id: order.into(),
        payment_id: payment_id(order, attempt),
        method: method(),
        amount: None,
        paid_at: now(),
    })
}

/// What must show nowhere.
pub(super) const METHOD: &str = "sealed-tok_visa";

pub(super) fn method() -> SealedMethod {
    METHOD.parse().expect("visible")
}

pub(super) fn settle(order: Uuid, attempt: u32, is_authorised: bool) -> OrderCommand {
    OrderCommand::SettlePayment(SettlePayment {
        order_id: order.into(),
        payment_id: payment_id(order, attempt),
        settlement: match is_authorised {
            true => Settlement::Authorised,
            false => Settlement::Declined {
                code: "card-declined".parse().expect("printable"),
                detail: NAME.parse().expect("printable"),
            },
        },
        settled_at: now(),
    })
}

pub(super) fn cancel(order: Uuid) -> OrderCommand {
    OrderCommand::Cancel(CancelOrder {
        order_id: OrderId::from(order),
        reason: None,
        cancelled_at: now(),
    })
}

pub(super) fn mark_stuck(order: Uuid) -> OrderCommand {
    OrderCommand::MarkStuck(MarkOrderStuck {
        order_id: order.into(),
        payment_id: None,
        reason: "nobody knows".parse().expect("printable"),
        stuck_at: now(),
    })
}

pub(super) fn resume(order: Uuid) -> OrderCommand {
    OrderCommand::Resume(ResumeOrder {
        order_id: order.into(),
        stock_due_at: in_an_hour(),
        resumed_at: now(),
    })
}

pub(super) fn approve(order: Uuid) -> OrderCommand {
    OrderCommand::DecideDispatch(DecideDispatch {
        order_id: order.into(),
        decided_at: now(),
    })
}

pub(super) fn ship(order: Uuid) -> OrderCommand {
    OrderCommand::Ship(ShipOrder {
        order_id: order.into(),
        units: units(3),
        shipped_at: now(),
    })
}

pub(super) fn deliver(order: Uuid) -> OrderCommand {
    OrderCommand::Deliver(DeliverOrder {
        order_id: order.into(),
        completes_at: in_an_hour(),
        delivered_at: now(),
    })
}

pub(super) fn in_an_hour() -> DateTime<Utc> {
    now() + TimeDelta::hours(1)
}

pub(super) fn price(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().expect("a currency")).expect("money")
}

pub(super) fn sku(number: usize) -> Sku {
    format!("TEA-{number}").parse().expect("a SKU")
}

pub(super) fn units(number: i64) -> Units {
    Units::try_from(number).expect("units")
}

pub(super) fn create(sku: &Sku) -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Create(CreateProduct {
        sku: sku.clone(),
        name: NAME.parse().expect("printable"),
        price: price(1999),
        created_at: now(),
    }))
}

pub(super) fn reprice(sku: &Sku) -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Reprice(RepriceProduct {
        sku: sku.clone(),
        price: price(2999),
        repriced_at: now(),
    }))
}

pub(super) fn discontinue(sku: &Sku) -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Discontinue(DiscontinueProduct {
        sku: sku.clone(),
        discontinued_at: now(),
    }))
}

pub(super) fn receive(sku: &Sku, quantity: i64) -> ProductCommand {
    ProductCommand::Stock(StockCommand::Receive(ReceiveStock {
        sku: sku.clone(),
        quantity: units(quantity),
        received_at: now(),
    }))
}

/// Three for an order that gives them back, two for one that takes them, one for one that keeps it.
pub(super) fn reserve(sku: &Sku) -> Vec<ProductCommand> {
    let orders = [(); 3].map(|()| OrderId::from(Uuid::now_v7()));
    let set_aside = |order: usize, quantity| {
        StockCommand::Reserve(ReserveStock {
            sku: sku.clone(),
            order_id: orders[order],
            quantity: units(quantity),
        })
    };
    let of = |order: usize| StockOfOrder {
        sku: sku.clone(),
        order_id: orders[order],
    };
    let commands = [
        set_aside(0, 3),
        set_aside(1, 2),
        set_aside(2, 1),
        StockCommand::Release(of(0)),
        StockCommand::Allocate(of(1)),
        StockCommand::Commit(of(1)),
    ];
    commands.map(ProductCommand::Stock).into()
}

pub(super) fn open(cart_id: CartId) -> CartCommand {
    CartCommand::Open(OpenCart {
        cart_id,
        customer_id: None,
        opened_at: now(),
    })
}

pub(super) fn set(cart_id: CartId, number: usize) -> CartCommand {
    CartCommand::Set(SetCartItem {
        cart_id,
        sku: sku(number),
        quantity: Quantity::try_from(2).expect("a quantity"),
        unit_price: price(1999),
        changed_at: now(),
    })
}

pub(super) fn remove(cart_id: CartId, number: usize) -> CartCommand {
    CartCommand::Remove(RemoveCartItem {
        cart_id,
        sku: sku(number),
        changed_at: now(),
    })
}

pub(super) fn check_out(cart_id: CartId) -> CartCommand {
    CartCommand::CheckOut(Box::new(CheckOutCart {
        cart_id,
        customer_id: Some(NAME.parse().expect("printable")),
        shipping_address: address(),
        contact: None,
        checked_out_at: now(),
    }))
}
