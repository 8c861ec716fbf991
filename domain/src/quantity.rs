//! How many.

use serde::{Deserialize, Serialize};

/// How many of one line are ordered: 1 to 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Quantity(u32);

/// Not a quantity that can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {}", Quantity::MAX)]
pub struct InvalidQuantity;

impl Quantity {
    /// At most so many of one line.
    pub const MAX: u32 = 100_000;

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(number: i64) -> Result<Self, InvalidQuantity> {
        match u32::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(InvalidQuantity),
        }
    }
}

/// Pieces in stock, or of one SKU in a whole order: its lines summed.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Units(u64);

/// Not a number of pieces that can be received at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {}", Units::MAX_RECEIVED)]
pub struct InvalidUnits;

impl Units {
    /// At most so many are received at once; sums of far more of them than a life has seconds still fit.
    pub const MAX_RECEIVED: u64 = 1_000_000_000;
    /// None.
    pub const ZERO: Self = Self(0);

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; none where there are not so many.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl TryFrom<i64> for Units {
    type Error = InvalidUnits;

    fn try_from(number: i64) -> Result<Self, InvalidUnits> {
        match u64::try_from(number) {
            Ok(number @ 1..=Self::MAX_RECEIVED) => Ok(Self(number)),
            _ => Err(InvalidUnits),
        }
    }
}

impl From<Quantity> for Units {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.get().into())
    }
}

/// So many of one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkuUnits {
    /// What.
    pub sku: crate::ids::Sku,
    /// How many.
    pub quantity: Units,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_bounds() {
        for number in [1, 100_000] {
            assert!(Quantity::try_from(number).is_ok());
        }
        for number in [i64::MIN, -1, 0, 100_001, i64::MAX] {
            assert_eq!(Quantity::try_from(number), Err(InvalidQuantity));
        }
    }

    #[test]
    fn units_have_bounds() {
        for number in [1, 1_000_000_000] {
            assert!(Units::try_from(number).is_ok());
        }
        for number in [i64::MIN, -1, 0, 1_000_000_001] {
            assert_eq!(Units::try_from(number), Err(InvalidUnits));
        }
    }
}
