//! The payment methods: each shows one of the ways in which a gateway can behave.

use super::request::{Code, Text};

/// A payment method, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// Whatever is asked works.
    Visa,
    /// Is never authorised.
    Refusing(Code),
    /// Is authorised, and nobody is told: neither by an answer nor by a webhook.
    Timeout,
    /// Fails twice before it is as `Visa`.
    Flaky,
    /// Is authorised, and answered late.
    Slow,
    /// Is authorised; the first capture is refused.
    CaptureRefused,
    /// Is authorised; a capture happens, and is not answered.
    CaptureTimeout,
}

impl From<&Text> for Token {
    fn from(payment_method: &Text) -> Self {
        match payment_method.as_str() {
            "tok_visa" => Self::Visa,
            "tok_declined" => Self::Refusing(Code::CardDeclined),
            "tok_insufficient_funds" => Self::Refusing(Code::InsufficientFunds),
            "tok_timeout" => Self::Timeout,
            "tok_flaky" => Self::Flaky,
            "tok_slow" => Self::Slow,
            "tok_capture_refused" => Self::CaptureRefused,
            "tok_capture_timeout" => Self::CaptureTimeout,
            _ => Self::Refusing(Code::UnknownPaymentMethod),
        }
    }
}
