//! What is ordered: lines that have been checked together, and what they add up to.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{LineId, OrderId, Sku},
    money::{InvalidMoney, Money},
};

/// At most so many lines in an order.
pub const MAX_LINES: usize = 100;

/// How many units: 1 to 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Quantity(u32);

impl Quantity {
    /// The largest quantity of one line.
    pub const MAX: u32 = 100_000;

    /// Units.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Quantity {
    type Error = InvalidLines;

    fn try_from(units: u32) -> Result<Self, InvalidLines> {
        if (1..=Self::MAX).contains(&units) {
            Ok(Self(units))
        } else {
            Err(InvalidLines::Quantity)
        }
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

/// Why lines cannot be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLines {
    /// None, or too many.
    #[error("an order has 1 to {MAX_LINES} lines")]
    Count,
    /// No quantity.
    #[error("a quantity is a whole number from 1 to {}", Quantity::MAX)]
    Quantity,
    /// More than one currency.
    #[error("all prices of an order are in one currency")]
    CurrencyMismatch,
    /// The total is no amount.
    #[error("the total is above what an amount can hold")]
    TotalOverflow,
}

impl From<InvalidMoney> for InvalidLines {
    fn from(error: InvalidMoney) -> Self {
        match error {
            InvalidMoney::CurrencyMismatch => Self::CurrencyMismatch,
            InvalidMoney::Amount | InvalidMoney::Currency => Self::TotalOverflow,
        }
    }
}

/// So many units of something at a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// The line itself; a SKU may repeat.
    pub line_id: LineId,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// What one unit costs.
    pub unit_price: Money,
}

/// What an order costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// All lines together.
    pub items: Money,
    /// What is to be paid.
    pub total: Money,
}

/// Lines of one currency whose total is an amount: 1 to [`MAX_LINES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLines {
    lines: Vec<OrderLine>,
    totals: Totals,
}

impl OrderLines {
    /// Checks lines together; each gets its id from its place.
    ///
    /// # Errors
    /// When there are none or too many, the currencies differ, or the total is too large.
    pub fn new(
        order_id: OrderId,
        lines: impl IntoIterator<Item = (Sku, Quantity, Money)>,
    ) -> Result<Self, InvalidLines> {
        let lines: Vec<OrderLine> = (1..)
            .zip(lines)
            .map(|(place, (sku, quantity, unit_price))| OrderLine {
                line_id: LineId::of(order_id, place),
                sku,
                quantity,
                unit_price,
            })
            .collect();
        let first = lines.first().ok_or(InvalidLines::Count)?;
        if lines.len() > MAX_LINES {
            return Err(InvalidLines::Count);
        }
        let nothing = Money::zero(first.unit_price.currency());
        let items = lines.iter().try_fold(nothing, |sum, line| {
            sum.plus(line.unit_price.times(line.quantity.get())?)
        })?;
        Ok(Self {
            totals: Totals {
                items,
                total: items,
            },
            lines,
        })
    }

    /// The lines, in order.
    #[must_use]
    pub fn lines(&self) -> &[OrderLine] {
        &self.lines
    }

    /// What they cost.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }
}
