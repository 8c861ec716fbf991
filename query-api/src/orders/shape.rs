//! What an order looks like. Columns that hold JSON pass through as they are, unparsed, but for one that has a time in it; most of what
//! is in them stands here for the API's description only.

use chrono::{DateTime, Utc};
use runtime::entity_tag::EntityTag;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    json::{self, Money, Totals, Unparsed},
    payments::PaymentStatus,
    shipments::ShipmentStatus,
};

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Order {
    pub(super) id: Uuid,
    /// The client's own string.
    pub(super) customer_id: String,
    #[schema(value_type = Status)]
    pub(super) status: String,
    /// Whether an operator is needed.
    pub(super) stuck: bool,
    /// Counts the order's events.
    pub(super) version: i32,
    #[schema(value_type = Vec<Line>)]
    pub(super) lines: Unparsed,
    #[schema(value_type = Totals)]
    pub(super) totals: Unparsed,
    #[schema(value_type = Option<Payment>, required)]
    pub(super) payment: Option<Unparsed>,
    #[schema(value_type = Option<PaymentError>, required)]
    pub(super) last_payment_error: Option<Json<PaymentError>>,
    #[schema(value_type = Vec<Shipment>)]
    pub(super) shipments: Unparsed,
    #[schema(value_type = Address)]
    pub(super) shipping_address: Unparsed,
    pub(super) placed_at: DateTime<Utc>,
    /// When it, its payment or a shipment of it last changed.
    pub(super) updated_at: DateTime<Utc>,
    /// How far its payments have been seen, and its shipments; 0 where there are none.
    #[serde(skip)]
    pub(super) payment_next_offset: i64,
    #[serde(skip)]
    pub(super) shipping_next_offset: i64,
}

impl Order {
    /// Payments and shipments go on when the order itself has ended: a refund, say.
    pub(super) fn tag(&self) -> EntityTag {
        match (self.payment_next_offset, self.shipping_next_offset) {
            (0, 0) => EntityTag::of_version(self.version),
            (payment, shipping) => EntityTag::with_others(self.version, &[payment, shipping]),
        }
    }
}

/// Selects [`Order`]s; takes the rest of the statement and its arguments. The one place that names the columns: a
/// checked query has to be literal. One whose payment or shipment alone is known yet is none.
macro_rules! select_orders {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            $crate::orders::shape::Order,
            r#"
            select id, customer_id as "customer_id!", status as "status!", stuck, version,
                   lines as "lines!: _",
                   json_build_object(
                       'items', json_build_object('amount', items_amount, 'currency', currency),
                       'total', json_build_object('amount', total_amount, 'currency', currency)
                   ) as "totals!: _",
                   payment as "payment: _",
                   last_payment_error as "last_payment_error: _",
                   shipments as "shipments: _",
                   shipping_address as "shipping_address!: _",
                   placed_at as "placed_at!", updated_at, payment_next_offset, shipping_next_offset
            from orders
            where placed_at is not null
            "# + $rest,
            $($argument),+
        )
    };
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Placed,
    AwaitingPayment,
    PaymentPending,
    Paid,
    Dispatching,
    Shipped,
    Delivered,
    Completed,
    Rejected,
    Cancelled,
    Expired,
}

/// So many of one article.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in a column")]
pub(crate) struct Line {
    line_id: Uuid,
    sku: String,
    quantity: i64,
    unit_price: Money,
    total: Money,
}

/// How it was, or is to be, paid: the newest payment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
// Another one is what `GET /v1/payments/{id}` answers, and the description knows one of a name.
#[schema(as = OrderPayment)]
pub(crate) struct Payment {
    pub(super) id: Uuid,
    #[schema(value_type = PaymentStatus)]
    pub(super) status: String,
    amount: Money,
    /// What of it went back; nothing, until it does.
    pub(super) refunded: Money,
}

/// Why the last payment was declined; null once one is authorised.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct PaymentError {
    code: String,
    detail: String,
    #[serde(deserialize_with = "json::time")]
    at: DateTime<Utc>,
}

/// A parcel.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderShipment)]
pub(crate) struct Shipment {
    pub(super) id: Uuid,
    #[schema(value_type = ShipmentStatus)]
    pub(super) status: String,
    #[schema(required)]
    pub(super) carrier: Option<String>,
    #[schema(required)]
    pub(super) tracking_number: Option<String>,
}

/// Where it goes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in a column")]
pub(crate) struct Address {
    name: String,
    line1: String,
    line2: Option<String>,
    postal_code: String,
    city: String,
    /// ISO 3166-1 alpha-2.
    country: String,
}
