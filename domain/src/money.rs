//! Money in minor units, checked: no floats, no silent overflow, no mixing of currencies.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An ISO 4217 code: three upper-case letters. Which of them are in use is not judged here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// Not three upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be three upper-case letters, as in EUR")]
pub struct InvalidCurrency;

impl Currency {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is ASCII")
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, InvalidCurrency> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(InvalidCurrency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Code;

        impl de::Visitor<'_> for Code {
            type Value = Currency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a currency's three upper-case letters")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Currency, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Code)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A currency's three upper-case letters.",
            "type": "string",
            "pattern": "^[A-Z]{3}$"
        })
    }
}

/// An amount of at least nothing, in the minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Money {
    amount: i64,
    currency: Currency,
}

/// What cannot be done with money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Below nothing.
    #[error("must not be negative")]
    Negative,
    /// More than can be counted.
    #[error("must be at most {}", Money::MAX_AMOUNT)]
    Overflow,
    /// Two currencies.
    #[error("must be in {expected}, not in {given}")]
    CurrencyMismatch {
        /// The one that it has to be.
        expected: Currency,
        /// The other.
        given: Currency,
    },
}

impl Money {
    /// The largest integer that every JSON reader reads exactly: 2^53 - 1.
    pub const MAX_AMOUNT: i64 = (1 << 53) - 1;

    /// Some money. Nothing is an amount too: things may be free.
    ///
    /// # Errors
    /// When the amount is negative or above [`Self::MAX_AMOUNT`].
    pub fn new(amount: i64, currency: Currency) -> Result<Self, MoneyError> {
        match amount {
            ..0 => Err(MoneyError::Negative),
            0..=Self::MAX_AMOUNT => Ok(Self { amount, currency }),
            _ => Err(MoneyError::Overflow),
        }
    }

    /// No money, of a currency all the same.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self {
            amount: 0,
            currency,
        }
    }

    /// Minor units.
    #[must_use]
    pub const fn amount(self) -> i64 {
        self.amount
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum.
    ///
    /// # Errors
    /// When the currencies differ, or the sum is above [`Self::MAX_AMOUNT`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch {
                expected: self.currency,
                given: other.currency,
            });
        }
        let sum = self.amount.checked_add(other.amount);
        Self::new(sum.ok_or(MoneyError::Overflow)?, self.currency)
    }

    /// So many times as much.
    ///
    /// # Errors
    /// When the product is above [`Self::MAX_AMOUNT`].
    pub fn checked_mul(self, times: u32) -> Result<Self, MoneyError> {
        let product = self.amount.checked_mul(times.into());
        Self::new(product.ok_or(MoneyError::Overflow)?, self.currency)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn euros(amount: i64) -> Money {
        Money::new(amount, "EUR".parse().unwrap()).unwrap()
    }

    #[test]
    fn currencies_are_three_upper_case_letters() {
        assert_eq!("EUR".parse::<Currency>().unwrap().as_str(), "EUR");
        for text in ["", "eur", "EU", "EURO", "E1R", "EÜ"] {
            assert_eq!(text.parse::<Currency>(), Err(InvalidCurrency), "{text}");
        }
    }

    #[test]
    fn amounts_have_bounds() {
        let currency = "EUR".parse().unwrap();
        assert_eq!(Money::new(-1, currency), Err(MoneyError::Negative));
        assert_eq!(Money::new(1 << 53, currency), Err(MoneyError::Overflow));
        assert_eq!(euros(0), Money::zero(currency));
        assert_eq!(euros(Money::MAX_AMOUNT).amount(), 9_007_199_254_740_991);
    }

    #[test]
    fn sums_and_products_are_checked() {
        let most = euros(Money::MAX_AMOUNT);
        assert_eq!(euros(2).checked_add(euros(3)), Ok(euros(5)));
        assert_eq!(most.checked_add(euros(1)), Err(MoneyError::Overflow));
        assert_eq!(euros(1_999).checked_mul(3), Ok(euros(5_997)));
        assert_eq!(most.checked_mul(u32::MAX), Err(MoneyError::Overflow));
        let dollar = Money::new(1, "USD".parse().unwrap()).unwrap();
        assert!(matches!(
            euros(1).checked_add(dollar),
            Err(MoneyError::CurrencyMismatch { .. })
        ));
    }

    #[test]
    fn is_an_object_in_json() {
        let json = json!({"amount": 1_999, "currency": "EUR"});
        assert_eq!(serde_json::to_value(euros(1_999)).unwrap(), json);
        assert_eq!(serde_json::from_value::<Money>(json).unwrap(), euros(1_999));
        assert!(serde_json::from_value::<Money>(json!({"amount": 1, "currency": "€"})).is_err());
    }
}
