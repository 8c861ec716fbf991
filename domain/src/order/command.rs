//! What one may ask of an order.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::line::OrderLines;
use crate::{
    ids::{CustomerId, OrderId, PaymentId},
    money::Money,
    payment::{GatewayCode, GatewayDetail},
    personal::{Contact, ShippingAddress},
    product::reservation::Shortage,
    quantity::{SkuUnits, Units},
    sealed::SealedMethod,
    text::Text,
};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderCommand {
    /// Open an order.
    Place(Box<PlaceOrder>),
    /// Pay it.
    Pay(PayOrder),
    /// Call it off.
    Cancel(CancelOrder),
    /// Ask whether everything is in stock.
    RequestInventory(RequestInventory),
    /// Everything is in stock, and set aside.
    Confirm(ConfirmOrder),
    /// Something is not in stock.
    Reject(RejectOrder),
    /// What became of its payment.
    SettlePayment(SettlePayment),
    /// Say whether its goods may leave.
    DecideDispatch(DecideDispatch),
    /// Its money could not be taken.
    RefuseCapture(RefuseCapture),
    /// Its goods have left.
    Ship(ShipOrder),
    /// Its goods have arrived.
    Deliver(DeliverOrder),
    /// A deadline has passed.
    Expire(ExpireOrder),
    /// Have an operator look at it.
    MarkStuck(MarkOrderStuck),
    /// Try again what is stuck.
    Resume(ResumeOrder),
}

/// Opens an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// Not used before.
    pub order_id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What, how many, and for how much.
    pub lines: OrderLines,
    /// Where it goes.
    pub shipping_address: ShippingAddress,
    /// How to reach the customer.
    pub contact: Option<Contact>,
    /// When it was asked for.
    pub placed_at: DateTime<Utc>,
}

/// Pays an order in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayOrder {
    /// Which.
    pub order_id: OrderId,
    /// The payment to be.
    pub payment_id: PaymentId,
    /// From where, sealed.
    pub method: SealedMethod,
    /// What the customer expects to pay; refused where it differs from the order's total.
    pub amount: Option<Money>,
    /// When it was asked for.
    pub paid_at: DateTime<Utc>,
}

/// Calls an order off; whatever of its payment was done is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// Which.
    pub order_id: OrderId,
    /// Why, in the customer's words.
    pub reason: Option<Text<500>>,
    /// When it was asked for.
    pub cancelled_at: DateTime<Utc>,
}

/// Asks the product service whether everything is in stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestInventory {
    /// Which.
    pub order_id: OrderId,
    /// How many of each SKU: in the order of SKUs, each once.
    pub lines: Vec<SkuUnits>,
    /// When an answer is waited for no longer.
    pub stock_due_at: DateTime<Utc>,
}

/// Everything is set aside: now it is to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmOrder {
    /// Which.
    pub order_id: OrderId,
    /// Until when.
    pub payment_due_at: DateTime<Utc>,
    /// When it was learnt.
    pub confirmed_at: DateTime<Utc>,
}

/// Something is not in stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectOrder {
    /// Which.
    pub order_id: OrderId,
    /// What is missing.
    pub shortages: Vec<Shortage>,
    /// When it was learnt.
    pub rejected_at: DateTime<Utc>,
}

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlePayment {
    /// Of which order.
    pub order_id: OrderId,
    /// Which payment.
    pub payment_id: PaymentId,
    /// How it ended.
    pub settlement: Settlement,
    /// When that was learnt.
    pub settled_at: DateTime<Utc>,
}

/// How a payment ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settlement {
    /// The money is set aside.
    Authorised,
    /// It is not.
    Declined {
        /// Why.
        code: GatewayCode,
        /// Why, for people.
        detail: GatewayDetail,
    },
}

/// Says whether an order's goods may leave. The order is the only arbiter: who cancels in time has called it off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecideDispatch {
    /// Which.
    pub order_id: OrderId,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// The money that was set aside could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefuseCapture {
    /// For which order.
    pub order_id: OrderId,
    /// Which payment.
    pub payment_id: PaymentId,
    /// Why.
    pub code: GatewayCode,
    /// Why, for the operator.
    pub detail: GatewayDetail,
    /// When that was learnt.
    pub refused_at: DateTime<Utc>,
}

/// An order's goods have left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipOrder {
    /// Which.
    pub order_id: OrderId,
    /// How many pieces.
    pub units: Units,
    /// When.
    pub shipped_at: DateTime<Utc>,
}

/// An order's goods have arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverOrder {
    /// Which.
    pub order_id: OrderId,
    /// When nothing more is waited for.
    pub completes_at: DateTime<Utc>,
    /// When.
    pub delivered_at: DateTime<Utc>,
}

/// A deadline has passed; does something only while that very deadline stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpireOrder {
    /// Which.
    pub order_id: OrderId,
    /// The deadline.
    pub due_at: DateTime<Utc>,
}

/// What goes on by itself cannot: an operator has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkOrderStuck {
    /// Which.
    pub order_id: OrderId,
    /// The payment that does not go on, where it is one; perhaps not the order's last.
    pub payment_id: Option<PaymentId>,
    /// Why, for the operator.
    pub reason: Text<500>,
    /// When that was found.
    pub stuck_at: DateTime<Utc>,
}

/// Tries again what is stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeOrder {
    /// Which.
    pub order_id: OrderId,
    /// When an answer of the product service is waited for no longer, where that is asked again.
    pub stock_due_at: DateTime<Utc>,
    /// When it was asked for.
    pub resumed_at: DateTime<Utc>,
}

impl OrderCommand {
    /// The order that it is about.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        match self {
            Self::Place(command) => command.order_id,
            Self::Pay(command) => command.order_id,
            Self::Cancel(command) => command.order_id,
            Self::RequestInventory(command) => command.order_id,
            Self::Confirm(command) => command.order_id,
            Self::Reject(command) => command.order_id,
            Self::SettlePayment(command) => command.order_id,
            Self::DecideDispatch(command) => command.order_id,
            Self::RefuseCapture(command) => command.order_id,
            Self::Ship(command) => command.order_id,
            Self::Deliver(command) => command.order_id,
            Self::Expire(command) => command.order_id,
            Self::MarkStuck(command) => command.order_id,
            Self::Resume(command) => command.order_id,
        }
    }
}
