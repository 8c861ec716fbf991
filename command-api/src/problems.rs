//! How everything that can go wrong with a command is told to its client: statuses and codes, in one place.

use std::{fmt::Display, time::Duration};

use axum::http::StatusCode;
use domain::{
    ids::InvalidSku,
    money::{InvalidCurrency, MoneyError},
    order::{InvalidLines, InvalidQuantity, OrderLines, OrderRejection},
    personal::{InvalidCountry, InvalidEmail},
    text::InvalidText,
};
use event_store::Refusal;
use runtime::problem::Problem;

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
    MoneyError => "out-of-range",
    LineCount => "out-of-range",
    Missing => "missing-field",
}

/// Too few lines to buy anything, or too many to look at each.
#[derive(Debug, thiserror::Error)]
#[error("must be {} to {} lines", OrderLines::COUNT.start(), OrderLines::COUNT.end())]
pub(crate) struct LineCount;

/// A member that may be left out one day, and has to be there today.
#[derive(Debug, thiserror::Error)]
#[error("is required")]
pub(crate) struct Missing;

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
        InvalidLines::Overflow { index } => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "amount-overflow",
            "The amounts add up to too much",
        )
        .error(format!("/lines/{index}"), "amount-overflow", error),
    }
}

/// Tells why an order's command was not accepted, or not surely.
pub(crate) fn order_refused(refusal: &Refusal<OrderRejection>) -> Problem {
    match refusal {
        Refusal::Rejected(rejection) => order_rejected(*rejection),
        Refusal::KeyReused => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "The Idempotency-Key was used before for another request",
        ),
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

fn order_rejected(rejection: OrderRejection) -> Problem {
    let conflict = |code, title| Problem::new(StatusCode::CONFLICT, code, title);
    match rejection {
        OrderRejection::OrderNotFound => Problem::new(
            StatusCode::NOT_FOUND,
            "order-not-found",
            "There is no such order",
        ),
        OrderRejection::OrderAlreadyExists => conflict("order-exists", "The order exists already"),
        OrderRejection::OrderAlreadyPaid => {
            conflict("order-already-paid", "The order is paid already")
        }
        OrderRejection::OrderCancelled => conflict("order-cancelled", "The order is cancelled"),
        OrderRejection::AmountMismatch { .. } => {
            conflict("amount-mismatch", "The order costs something else").detail(rejection)
        }
        OrderRejection::CurrencyMismatch { .. } => {
            currency_mismatch().error("/amount/currency", "currency-mismatch", rejection)
        }
    }
}

fn currency_mismatch() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "currency-mismatch",
        "The amounts are in different currencies",
    )
}

/// `Retry-After` knows no fractions; sooner than said would be too soon.
fn whole_seconds(duration: Duration) -> u32 {
    let seconds = duration.as_millis().div_ceil(1_000);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
