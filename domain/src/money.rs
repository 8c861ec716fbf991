//! Money as integers of the currency's minor unit. Arithmetic is checked; there are no floats.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a JSON number holds exactly everywhere: 2^53 - 1.
pub const MAX_AMOUNT: i64 = (1 << 53) - 1;

/// An ISO 4217 code, such as `EUR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is made of ASCII letters only")
    }
}

impl FromStr for Currency {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(InvalidMoney::Currency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidMoney;

    fn try_from(text: String) -> Result<Self, InvalidMoney> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why something is no money, or two amounts cannot be reckoned with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoney {
    /// Not an ISO 4217 code.
    #[error("a currency is three upper-case letters, such as EUR")]
    Currency,
    /// Below zero or above what a JSON number holds exactly.
    #[error("an amount is a whole number of minor units from 0 to {MAX_AMOUNT}")]
    Amount,
    /// Two amounts of different currencies.
    #[error("amounts of different currencies cannot be added")]
    CurrencyMismatch,
}

/// An amount of one currency, from 0 to [`MAX_AMOUNT`] minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedMoney")]
pub struct Money {
    amount: i64,
    currency: Currency,
}

#[derive(Deserialize)]
struct UncheckedMoney {
    amount: i64,
    currency: Currency,
}

impl TryFrom<UncheckedMoney> for Money {
    type Error = InvalidMoney;

    fn try_from(money: UncheckedMoney) -> Result<Self, InvalidMoney> {
        Self::new(money.amount, money.currency)
    }
}

impl Money {
    /// An amount in minor units.
    ///
    /// # Errors
    /// When it is below zero or above [`MAX_AMOUNT`].
    pub fn new(amount: i64, currency: Currency) -> Result<Self, InvalidMoney> {
        if (0..=MAX_AMOUNT).contains(&amount) {
            Ok(Self { amount, currency })
        } else {
            Err(InvalidMoney::Amount)
        }
    }

    /// Nothing, of that currency.
    #[must_use]
    pub fn zero(currency: Currency) -> Self {
        Self {
            amount: 0,
            currency,
        }
    }

    /// Minor units.
    #[must_use]
    pub fn amount(self) -> i64 {
        self.amount
    }

    /// Currency.
    #[must_use]
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The sum.
    ///
    /// # Errors
    /// When the currencies differ, or the sum is too large.
    pub fn plus(self, other: Self) -> Result<Self, InvalidMoney> {
        if self.currency != other.currency {
            return Err(InvalidMoney::CurrencyMismatch);
        }
        // Neither is above 2^53, so the sum of two does not overflow.
        Self::new(self.amount + other.amount, self.currency)
    }

    /// So many times the amount.
    ///
    /// # Errors
    /// When the product is too large.
    pub fn times(self, factor: u32) -> Result<Self, InvalidMoney> {
        let amount = self.amount.checked_mul(i64::from(factor));
        Self::new(amount.ok_or(InvalidMoney::Amount)?, self.currency)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}
