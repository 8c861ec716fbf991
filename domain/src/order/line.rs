//! What is bought.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{LineId, Sku},
    money::{Currency, Money, MoneyError},
    quantity::{Quantity, SkuUnits, Units},
};

/// So many of one thing at one price. The same SKU may come up in several lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderLine {
    /// Tells lines of the same SKU apart.
    pub line_id: LineId,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// For how much each; nothing is a price.
    pub unit_price: Money,
}

impl OrderLine {
    /// What the line costs.
    ///
    /// # Errors
    /// When that is more than money can say.
    pub fn total(&self) -> Result<Money, MoneyError> {
        self.unit_price.checked_mul(self.quantity.get())
    }
}

/// What an order costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Totals {
    /// The sum of the lines.
    pub items: Money,
    /// What is to be paid.
    pub total: Money,
}

/// 1 to 100 lines in one currency, and what they cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<OrderLine>", into = "Vec<OrderLine>")]
pub struct OrderLines {
    lines: Vec<OrderLine>,
    totals: Totals,
}

/// Lines that are no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLines {
    /// None, or more than 100.
    #[error("must be 1 to {} lines", OrderLines::COUNT.end())]
    Count,
    /// A line is in another currency than the first.
    #[error("must be in {expected}, as the first line, not in {given}")]
    CurrencyMismatch {
        /// Which line, from 0.
        index: usize,
        /// The first line's.
        expected: Currency,
        /// This line's.
        given: Currency,
    },
    /// With this line, the total is more than money can say.
    #[error("brings the total above {}", Money::MAX_AMOUNT)]
    Overflow {
        /// Which line, from 0.
        index: usize,
    },
}

impl TryFrom<Vec<OrderLine>> for OrderLines {
    type Error = InvalidLines;

    fn try_from(lines: Vec<OrderLine>) -> Result<Self, InvalidLines> {
        Self::new(lines)
    }
}

impl From<OrderLines> for Vec<OrderLine> {
    fn from(lines: OrderLines) -> Self {
        lines.lines
    }
}

impl OrderLines {
    /// How many lines there may be.
    pub const COUNT: RangeInclusive<usize> = 1..=100;

    /// Adds the lines up.
    ///
    /// # Errors
    /// See [`InvalidLines`].
    pub fn new(lines: Vec<OrderLine>) -> Result<Self, InvalidLines> {
        let Some(first) = lines.first().filter(|_| Self::COUNT.contains(&lines.len())) else {
            return Err(InvalidLines::Count);
        };
        let mut items = Money::zero(first.unit_price.currency());
        for (index, line) in lines.iter().enumerate() {
            let sum = line.total().and_then(|total| items.checked_add(total));
            items = sum.map_err(|error| match error {
                MoneyError::CurrencyMismatch { expected, given } => {
                    InvalidLines::CurrencyMismatch {
                        index,
                        expected,
                        given,
                    }
                }
                MoneyError::Negative | MoneyError::Overflow => InvalidLines::Overflow { index },
            })?;
        }
        let totals = Totals {
            items,
            total: items,
        };
        Ok(Self { lines, totals })
    }

    /// The lines, in the customer's order.
    #[must_use]
    pub fn as_slice(&self) -> &[OrderLine] {
        &self.lines
    }

    /// How many of each SKU, in the order of SKUs.
    #[must_use]
    pub fn units(lines: &[OrderLine]) -> Vec<SkuUnits> {
        let mut units = BTreeMap::<&Sku, Units>::new();
        for line in lines {
            let sum = units.entry(&line.sku).or_default();
            *sum = sum.plus(line.quantity.into());
        }
        let units = units.into_iter();
        units
            .map(|(sku, quantity)| SkuUnits {
                sku: sku.clone(),
                quantity,
            })
            .collect()
    }

    /// What they cost.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn line(quantity: i64, amount: i64, currency: &str) -> OrderLine {
        OrderLine {
            line_id: Uuid::nil().into(),
            sku: "TEA".parse().unwrap(),
            quantity: quantity.try_into().unwrap(),
            unit_price: Money::new(amount, currency.parse().unwrap()).unwrap(),
        }
    }

    #[test]
    fn lines_are_added_up() {
        let lines = OrderLines::new(vec![line(2, 1_999, "EUR"), line(1, 0, "EUR")]).unwrap();
        assert_eq!(lines.totals().total.amount(), 3_998);
        assert_eq!(lines.totals().items, lines.totals().total);
    }

    #[test]
    fn units_are_of_a_sku_whichever_lines_they_are_in() {
        let of = |sku: &str, quantity| OrderLine {
            sku: sku.parse().unwrap(),
            ..line(quantity, 1, "EUR")
        };
        let units = OrderLines::units(&[of("TEA", 2), of("MUG", 1), of("TEA", 3)]);
        let numbers: Vec<_> = units
            .iter()
            .map(|units| (units.sku.as_str(), units.quantity.get()))
            .collect();
        assert_eq!(numbers, [("MUG", 1), ("TEA", 5)]);
    }

    #[test]
    fn there_are_1_to_100_lines() {
        assert_eq!(OrderLines::new(vec![]), Err(InvalidLines::Count));
        assert!(OrderLines::new(vec![line(1, 1, "EUR"); 100]).is_ok());
        let too_many = vec![line(1, 1, "EUR"); 101];
        assert_eq!(OrderLines::new(too_many), Err(InvalidLines::Count));
    }

    #[test]
    fn the_line_at_fault_is_named() {
        let mixed = vec![line(1, 1, "EUR"), line(1, 1, "EUR"), line(1, 1, "USD")];
        assert!(matches!(
            OrderLines::new(mixed),
            Err(InvalidLines::CurrencyMismatch { index: 2, .. })
        ));
        let most = Money::MAX_AMOUNT;
        for (lines, index) in [
            (vec![line(2, most, "EUR")], 0),
            (vec![line(1, most, "EUR"), line(1, 1, "EUR")], 1),
        ] {
            assert_eq!(
                OrderLines::new(lines),
                Err(InvalidLines::Overflow { index })
            );
        }
    }
}
