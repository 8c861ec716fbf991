//! What the gateway is asked and what it answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Text of the client's own choosing: 1 to 128 printable characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Text(String);

const MAX_TEXT_CHARACTERS: usize = 128;

/// Why a text is refused.
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to {MAX_TEXT_CHARACTERS} printable characters")]
pub(super) struct InvalidText;

impl TryFrom<String> for Text {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        let length = text.chars().count();
        let fits = (1..=MAX_TEXT_CHARACTERS).contains(&length);
        match fits && !text.chars().any(char::is_control) {
            true => Ok(Self(text)),
            false => Err(InvalidText),
        }
    }
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a request; the same again is answered with the same outcome.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RequestId(pub(super) Text);

/// The client's name for a payment, which may take several requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct PaymentId(pub(super) Text);

/// The client's name for what is paid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct OrderId(pub(super) Text);

/// The gateway's name for an authorisation: `auth_<32 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Reference(pub(super) Text);

/// Three letters, as in ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Currency([u8; 3]);

/// Why a currency is refused.
#[derive(Debug, thiserror::Error)]
#[error("a currency has three upper-case letters")]
pub(super) struct InvalidCurrency;

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(text: String) -> Result<Self, InvalidCurrency> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| InvalidCurrency)?;
        match letters.iter().all(u8::is_ascii_uppercase) {
            true => Ok(Self(letters)),
            false => Err(InvalidCurrency),
        }
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.0.map(char::from).into_iter().collect()
    }
}

/// More than nothing, in minor units; small enough that every reader of JSON can tell two amounts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Amount(u64);

const MAX_AMOUNT: u64 = (1 << 53) - 1;

/// Why an amount is refused.
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to {MAX_AMOUNT}")]
pub(super) struct InvalidAmount;

impl TryFrom<u64> for Amount {
    type Error = InvalidAmount;

    fn try_from(amount: u64) -> Result<Self, InvalidAmount> {
        match (1..=MAX_AMOUNT).contains(&amount) {
            true => Ok(Self(amount)),
            false => Err(InvalidAmount),
        }
    }
}

impl Amount {
    pub(super) fn minor_units(self) -> u64 {
        self.0
    }
}

/// An amount of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Money {
    pub(super) amount: Amount,
    pub(super) currency: Currency,
}

/// A request, whatever it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) request_id: RequestId,
    pub(super) payment_id: PaymentId,
    pub(super) order_id: OrderId,
    #[serde(flatten)]
    pub(super) work: Work,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub(super) enum Work {
    Authorise { amount: Money, payment_method: Text },
    Capture { reference: Reference, amount: Money },
    Void { authorisation: RequestId },
    Refund { reference: Reference, amount: Money },
}

impl Work {
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Authorise { .. } => "authorise",
            Self::Capture { .. } => "capture",
            Self::Void { .. } => "void",
            Self::Refund { .. } => "refund",
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum Outcome {
    Authorised { reference: Reference, amount: Money },
    Declined(Reason),
    Captured { reference: Reference, amount: Money },
    Voided { authorisation: RequestId },
    Refunded { reference: Reference, amount: Money },
    Refused(Reason),
}

/// Why a payment was declined, or a request refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reason {
    pub(super) code: Code,
    pub(super) detail: String,
}

/// The reasons that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Code {
    CardDeclined,
    InsufficientFunds,
    UnknownPaymentMethod,
    Voided,
    CurrencyMismatch,
    UnknownReference,
    AlreadyCaptured,
    NotCaptured,
    AmountTooLarge,
    CaptureRefused,
}

impl From<Code> for Reason {
    fn from(code: Code) -> Self {
        let detail = match code {
            Code::CardDeclined => "the card was declined",
            Code::InsufficientFunds => "there is not enough money on the card",
            Code::UnknownPaymentMethod => "there is no such payment method",
            Code::Voided => "the authorisation has been voided",
            Code::CurrencyMismatch => "the payment is in another currency",
            Code::UnknownReference => "the payment has no such authorisation",
            Code::AlreadyCaptured => "the authorisation has been captured",
            Code::NotCaptured => "nothing has been captured",
            Code::AmountTooLarge => "the amount is larger than what is left",
            Code::CaptureRefused => {
                "the card's bank does not answer for the authorisation any more"
            }
        };
        Self {
            code,
            detail: detail.to_owned(),
        }
    }
}

/// A request with its outcome, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) request: Request,
    pub(super) outcome: Outcome,
    pub(super) recorded_at: DateTime<Utc>,
}

/// An outcome as it is told, be it in an answer or in a webhook.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    request_id: &'a RequestId,
    operation: &'static str,
    payment_id: &'a PaymentId,
    order_id: &'a OrderId,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

impl Record {
    pub(super) fn told(&self) -> Told<'_> {
        Told {
            request_id: &self.request.request_id,
            operation: self.request.work.operation(),
            payment_id: &self.request.payment_id,
            order_id: &self.request.order_id,
            outcome: &self.outcome,
        }
    }
}
