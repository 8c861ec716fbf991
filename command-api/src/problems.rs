//! How everything that can go wrong with a command is told to its client: statuses and codes, in one place.

use std::{fmt::Display, time::Duration};

use axum::http::StatusCode;
use domain::{
    cart::CartRejection,
    ids::InvalidSku,
    money::{InvalidCurrency, Money, MoneyError},
    order::{InvalidLines, OrderLines, OrderRejection},
    payment::PaymentRejection,
    personal::{InvalidCountry, InvalidEmail},
    product::{ProductRejection, catalogue::CatalogueRejection, stock::StockRejection},
    quantity::{InvalidQuantity, InvalidUnits, Quantity},
    shipping::ShippingRejection,
    text::InvalidText,
};
use event_store::Refusal;
use runtime::{
    entity_tag::EntityTag,
    problem::{Problem, RETRY_AFTER_SECONDS},
    signature::InvalidSignature,
};

/// Why a member of a request is invalid.
pub(crate) trait Invalid: Display {
    /// Stable; what programs go by.
    const CODE: &'static str;
}

macro_rules! codes {
    ($($error:ty => $code:literal,)*) => {
        $(impl Invalid for $error {
            const CODE: &'static str = $code;
        })*
    };
}

codes! {
    InvalidText => "invalid-text",
    InvalidSku => "invalid-sku",
    InvalidCountry => "invalid-country",
    InvalidEmail => "invalid-email",
    InvalidCurrency => "invalid-currency",
    InvalidQuantity => "out-of-range",
    InvalidCartQuantity => "out-of-range",
    InvalidUnits => "out-of-range",
    MoneyError => "out-of-range",
    LineCount => "out-of-range",
}

/// Too few lines to buy anything, or too many to look at each.
#[derive(Debug, thiserror::Error)]
#[error("must be {} to {} lines", OrderLines::COUNT.start(), OrderLines::COUNT.end())]
pub(crate) struct LineCount;

/// Neither a quantity nor 0, which takes an item out.
#[derive(Debug, thiserror::Error)]
#[error("must be 0 to {}", Quantity::MAX)]
pub(crate) struct InvalidCartQuantity;

/// What a client has shown its customer is not what the catalogue asks.
#[derive(Debug, thiserror::Error)]
#[error("costs {current} now, not {given}")]
pub(crate) struct PriceChanged {
    pub(crate) current: Money,
    pub(crate) given: Money,
}

pub(crate) fn invalid_idempotency_key(max_length: usize) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-idempotency-key",
        "The Idempotency-Key cannot be used",
    )
    .detail(format_args!(
        "it has to be one of 1 to {max_length} visible ASCII characters"
    ))
}

pub(crate) fn invalid_if_match() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-if-match",
        "The If-Match cannot be used",
    )
    .detail("it has to be one ETag as it was given, such as \"7\" with its quotes, or *")
}

pub(crate) fn route_not_served() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "route-not-served",
        "Another process serves this route",
    )
}

/// Each line is valid by itself, and together they are no order.
pub(crate) fn invalid_lines(error: InvalidLines) -> Problem {
    match error {
        InvalidLines::Count => Problem::validation().error("/lines", LineCount::CODE, error),
        InvalidLines::CurrencyMismatch { index, .. } => currency_mismatch().error(
            format!("/lines/{index}/unit_price/currency"),
            "currency-mismatch",
            error,
        ),
        InvalidLines::Overflow { index } => {
            amount_overflow().error(format!("/lines/{index}"), "amount-overflow", error)
        }
    }
}

/// Products are not known yet.
pub(crate) fn catalogue_unread() -> Problem {
    Problem::unavailable().detail("the catalogue is being read")
}

/// What products there are by now cannot be told.
pub(crate) fn catalogue_behind() -> Problem {
    Problem::unavailable().detail("the catalogue could not be read to its end in time")
}

/// One key for two requests.
pub(crate) fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "The Idempotency-Key was used before for another request",
    )
}

/// The catalogue has not seen what the client has.
pub(crate) fn not_yet_visible() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-yet-visible",
        "The position has not been seen yet",
    )
    .detail("the catalogue did not reach x-min-position in time")
    .retry_after(RETRY_AFTER_SECONDS)
}

/// The path names no product.
pub(crate) fn product_not_found() -> Problem {
    no_product(StatusCode::NOT_FOUND)
}

/// The path names a product that is sold no longer.
pub(crate) fn product_discontinued() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "product-discontinued",
        "The product is sold no longer",
    )
}

/// Lines name no products.
pub(crate) fn unknown_products(lines: &[usize]) -> Problem {
    lines.iter().fold(
        no_product(StatusCode::UNPROCESSABLE_ENTITY),
        |problem, index| {
            let pointer = format!("/lines/{index}/sku");
            problem.error(pointer, "product-not-found", "is not in the catalogue")
        },
    )
}

/// Lines name products that are sold no longer.
pub(crate) fn discontinued_products(lines: &[usize]) -> Problem {
    lines.iter().fold(product_discontinued(), |problem, index| {
        let pointer = format!("/lines/{index}/sku");
        problem.error(pointer, "product-discontinued", "is sold no longer")
    })
}

/// Lines were to be bought for something else than what they cost.
pub(crate) fn prices_changed(lines: &[(usize, PriceChanged)]) -> Problem {
    let problem = conflict("price-changed", "The price is another now");
    lines.iter().fold(problem, |problem, (index, changed)| {
        let pointer = format!("/lines/{index}/unit_price");
        problem.error(pointer, "price-changed", changed)
    })
}

fn no_product(status: StatusCode) -> Problem {
    Problem::new(status, "product-not-found", "There is no such product")
}

/// Tells why a command was not accepted, or not surely.
pub(crate) fn refused<R: Rejection>(refusal: &Refusal<R>) -> Problem {
    match refusal {
        Refusal::Rejected(rejection) => rejection.problem(),
        Refusal::KeyReused => key_reused(),
        Refusal::VersionMismatch { current } => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "version-mismatch",
            "It has changed since",
        )
        .detail(format_args!("it is at version {current} now"))
        .entity_tag(EntityTag::of_version(*current)),
        Refusal::Unavailable {
            retry_after,
            reason,
        } => {
            let problem = Problem::unavailable().detail(reason);
            problem.retry_after(whole_seconds(*retry_after))
        }
        Refusal::OutcomeUnknown { retry_after } => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "outcome-unknown",
            "The command was perhaps carried out",
        )
        .detail("send it again with the same Idempotency-Key to find out")
        .retry_after(whole_seconds(*retry_after)),
    }
}

/// A service's reasons to refuse a command, as clients are told.
pub(crate) trait Rejection {
    fn problem(&self) -> Problem;
}

impl Rejection for ProductRejection {
    fn problem(&self) -> Problem {
        match self {
            Self::Catalogue(CatalogueRejection::ProductExists) => {
                conflict("product-exists", "The product exists already")
            }
            Self::Catalogue(CatalogueRejection::ProductNotFound)
            | Self::Stock(StockRejection::ProductNotFound) => product_not_found(),
            Self::Reservation(rejection) => match *rejection {},
        }
    }
}

impl Rejection for CartRejection {
    fn problem(&self) -> Problem {
        match self {
            Self::CartNotFound => not_found("cart-not-found", "There is no such cart"),
            Self::CartAlreadyExists => conflict("cart-exists", "The cart exists already"),
            Self::CartCheckedOut => conflict("cart-checked-out", "The cart is checked out"),
            Self::CartEmpty => conflict("cart-empty", "The cart is empty"),
            Self::TooManyItems => {
                conflict("too-many-items", "The cart has no room for it").detail(self)
            }
            Self::CurrencyMismatch { .. } => currency_mismatch().detail(self),
            Self::AmountOverflow => amount_overflow().detail(self),
            Self::CustomerRequired => {
                Problem::validation().error("/customer_id", "missing-field", self)
            }
            Self::CustomerMismatch => {
                let problem = conflict("customer-mismatch", "The cart is another customer's");
                problem.error("/customer_id", "customer-mismatch", self)
            }
        }
    }
}

impl Rejection for OrderRejection {
    fn problem(&self) -> Problem {
        match self {
            Self::OrderNotFound => not_found("order-not-found", "There is no such order"),
            Self::OrderAlreadyExists => conflict("order-exists", "The order exists already"),
            Self::OrderAlreadyPaid => conflict("order-already-paid", "The order is paid already"),
            Self::TooManyPayments => conflict(
                "too-many-payments",
                "So many payments of the order have failed that no more are taken",
            ),
            Self::PaymentInProgress => conflict(
                "payment-in-progress",
                "Another payment of the order is in progress",
            ),
            Self::OrderAlreadyShipped => conflict(
                "order-already-shipped",
                "The order's goods have left, or are about to",
            ),
            Self::OrderCancelled => conflict("order-cancelled", "The order is cancelled"),
            Self::OrderNotPayable => conflict(
                "order-not-payable",
                "The order has ended and cannot be paid",
            ),
            Self::OrderEnded => conflict("order-ended", "The order has ended"),
            Self::OrderNotStuck => conflict("order-not-stuck", "The order is not stuck"),
            Self::AmountMismatch { .. } => {
                conflict("amount-mismatch", "The order costs something else").detail(self)
            }
            Self::CurrencyMismatch { .. } => {
                currency_mismatch().error("/amount/currency", "currency-mismatch", self)
            }
        }
    }
}

impl Rejection for PaymentRejection {
    fn problem(&self) -> Problem {
        match self {
            Self::PaymentNotFound => not_found("payment-not-found", "There is no such payment"),
        }
    }
}

impl Rejection for ShippingRejection {
    fn problem(&self) -> Problem {
        match self {
            Self::ShipmentNotFound => not_found("shipment-not-found", "There is no such shipment"),
            Self::ShipmentCancelled => conflict("shipment-cancelled", "The shipment is cancelled"),
            Self::ShipmentAlreadyDispatched => conflict(
                "shipment-already-dispatched",
                "The shipment has left, or is about to",
            ),
            Self::ShipmentNotDispatched => {
                conflict("shipment-not-dispatched", "The shipment has not left")
            }
            Self::ShipmentAlreadyDelivered => {
                conflict("shipment-already-delivered", "The shipment has arrived")
            }
            Self::CarriageMismatch => {
                conflict("carriage-mismatch", "The shipment was sent in another way").detail(self)
            }
        }
    }
}

/// A webhook is not the gateway's, or an old one sent again.
pub(crate) fn invalid_signature(error: &InvalidSignature) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "invalid-signature",
        "The webhook is not signed as it has to be",
    )
    .detail(error)
}

/// A command was not handed on by a process of this deployment.
pub(crate) fn not_a_peer(error: &InvalidSignature) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "invalid-signature",
        "The route is for processes of this deployment only",
    )
    .detail(error)
}

/// A peer of another version asks for something that is not known here.
pub(crate) fn unknown_command(error: &serde_json::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed-json",
        "The command cannot be understood",
    )
    .detail(error)
}

/// A webhook that is the gateway's cannot be understood.
pub(crate) fn malformed_webhook(detail: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed-json",
        "The webhook cannot be understood",
    )
    .detail(detail)
}

fn conflict(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, title)
}

fn not_found(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, code, title)
}

fn currency_mismatch() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "currency-mismatch",
        "The amounts are in different currencies",
    )
}

fn amount_overflow() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "amount-overflow",
        "The amounts add up to too much",
    )
}

/// `Retry-After` knows no fractions; sooner than said would be too soon.
fn whole_seconds(duration: Duration) -> u32 {
    let seconds = duration.as_millis().div_ceil(1_000);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
