//! What decisions need to know of a stock, and no more: of a hot SKU, many thousands of orders hold some.
//!
//! `on_hand = available + held` at all times. What is held is *undecided* until its order has all that it needs, since an
//! order that does not get all gives everything back; orders that only the undecided keep from being served wait in line.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{ids::OrderId, quantity::Units};

/// The stock of one SKU. It exists from the product's creation on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockItem {
    on_hand: Units,
    /// The sum of all holds, kept beside them, since it is asked for at every command.
    held: Units,
    /// The sum of those that are not allocated.
    undecided: Units,
    holds: BTreeMap<OrderId, Hold>,
    /// First come, first served.
    waiting: VecDeque<(OrderId, Units)>,
}

/// What an order holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// How many.
    pub quantity: Units,
    /// Whether the order has all that it needs, so that it gives this back only if it is called off.
    pub allocated: bool,
}

impl StockItem {
    /// At most so many orders wait; whoever comes then is denied.
    pub const MAX_WAITING: usize = 1_000;

    /// How many are there, held ones included.
    #[must_use]
    pub const fn on_hand(&self) -> Units {
        self.on_hand
    }

    /// How many nobody holds.
    #[must_use]
    pub fn available(&self) -> Units {
        self.on_hand.minus(self.held).unwrap_or_default()
    }

    /// How many nobody would hold if every undecided order gave back what it holds.
    #[must_use]
    pub fn possible(&self) -> Units {
        self.available().plus(self.undecided)
    }

    /// What an order holds.
    #[must_use]
    pub fn hold(&self, order_id: OrderId) -> Option<Hold> {
        self.holds.get(&order_id).copied()
    }

    /// Who holds what.
    pub fn holds(&self) -> impl Iterator<Item = (OrderId, Hold)> {
        self.holds.iter().map(|(order_id, hold)| (*order_id, *hold))
    }

    /// Who waits for how many, in the order that they came in.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = (OrderId, Units)> {
        self.waiting.iter().copied()
    }

    /// Whether an order waits.
    #[must_use]
    pub fn awaits(&self, order_id: OrderId) -> bool {
        self.waiting.iter().any(|(waiting, _)| *waiting == order_id)
    }

    pub(in crate::product) fn received(&mut self, quantity: Units) {
        self.on_hand = self.on_hand.plus(quantity);
    }

    pub(in crate::product) fn reserved(&mut self, order_id: OrderId, quantity: Units) {
        self.left_line(order_id);
        self.let_go(order_id);
        let hold = Hold {
            quantity,
            allocated: false,
        };
        self.holds.insert(order_id, hold);
        self.held = self.held.plus(quantity);
        self.undecided = self.undecided.plus(quantity);
    }

    pub(in crate::product) fn awaited(&mut self, order_id: OrderId, quantity: Units) {
        self.waiting.push_back((order_id, quantity));
    }

    pub(in crate::product) fn denied(&mut self, order_id: OrderId) {
        self.left_line(order_id);
    }

    pub(in crate::product) fn allocated(&mut self, order_id: OrderId) {
        if let Some(hold) = self.holds.get_mut(&order_id)
            && !hold.allocated
        {
            hold.allocated = true;
            self.undecided = self.undecided.minus(hold.quantity).unwrap_or_default();
        }
    }

    pub(in crate::product) fn released(&mut self, order_id: OrderId) {
        self.left_line(order_id);
        self.let_go(order_id);
    }

    pub(in crate::product) fn committed(&mut self, order_id: OrderId) {
        if let Some(hold) = self.let_go(order_id) {
            self.on_hand = self.on_hand.minus(hold.quantity).unwrap_or_default();
        }
    }

    fn let_go(&mut self, order_id: OrderId) -> Option<Hold> {
        let hold = self.holds.remove(&order_id)?;
        self.held = self.held.minus(hold.quantity).unwrap_or_default();
        if !hold.allocated {
            self.undecided = self.undecided.minus(hold.quantity).unwrap_or_default();
        }
        Some(hold)
    }

    fn left_line(&mut self, order_id: OrderId) {
        self.waiting.retain(|(waiting, _)| *waiting != order_id);
    }
}

/// A stock's status, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StockStatus {
    /// There is such a stock; perhaps with nothing in it.
    InStock,
}

impl StockStatus {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InStock => "in_stock",
        }
    }
}

impl fmt::Display for StockStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_small() {
        let size = size_of::<(OrderId, Hold)>();
        assert!(size <= 32, "{size}");
    }
}
