//! What a cart's events make of its row. JSON columns have the shape that the API answers with.

use std::borrow::Cow;

use domain::{
    ReadEvent,
    cart::{CartItemRemoved, CartItemSet, CartOpened, CartStatus},
    ids::{CartId, CustomerId, OrderId, Sku},
    money::Money,
    quantity::Quantity,
    upcast::only,
};
use event_store::Recorded;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{
    copy::{CopyBuffer, json},
    projection::{storable, stream_version},
};

const COLUMNS: i16 = 7;

/// What carts are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CartView {
    /// It was opened.
    CartOpened(CartOpened),
    /// Something was put in, or how many was changed.
    CartItemSet(CartItemSet),
    /// Something was taken out.
    CartItemRemoved(CartItemRemoved),
    /// It became an order.
    CartCheckedOut(CheckedOut),
    /// Something else, which changes no cart.
    Other,
}

/// As much of `CartCheckedOut` as a cart shows: what was bought lies in it already.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckedOut {
    /// Which cart.
    pub cart_id: CartId,
    /// The order that it became.
    pub order_id: OrderId,
    /// Who bought.
    pub customer_id: CustomerId,
}

impl ReadEvent for CartView {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "CartOpened" => only(version, payload).map(Self::CartOpened),
            "CartItemSet" => only(version, payload).map(Self::CartItemSet),
            "CartItemRemoved" => only(version, payload).map(Self::CartItemRemoved),
            "CartCheckedOut" => only(version, payload).map(Self::CartCheckedOut),
            _ => Ok(Self::Other),
        }
    }
}

impl CartView {
    /// The cart that it changes.
    pub(super) fn cart_id(&self) -> Option<CartId> {
        match self {
            Self::CartOpened(event) => Some(event.cart_id),
            Self::CartItemSet(event) => Some(event.cart_id),
            Self::CartItemRemoved(event) => Some(event.cart_id),
            Self::CartCheckedOut(event) => Some(event.cart_id),
            Self::Other => None,
        }
    }
}

/// A cart.
#[derive(Debug)]
pub struct CartRow {
    pub(super) customer_id: Option<Box<str>>,
    pub(super) status: Cow<'static, str>,
    /// Of the stream, at the last event that counts here; zero until it is opened.
    pub(super) version: i32,
    pub(super) items: Vec<Item>,
    pub(super) order_id: Option<Uuid>,
}

/// What is in a cart, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Item {
    sku: Sku,
    quantity: Quantity,
    unit_price: Money,
    total: Money,
}

/// What it all costs, as the API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Totals {
    items: Money,
    total: Money,
}

fn customer(id: &CustomerId) -> Result<Box<str>, String> {
    storable("customer_id", id.as_str()).map(Into::into)
}

impl Default for CartRow {
    fn default() -> Self {
        Self {
            customer_id: None,
            status: CartStatus::Open.as_str().into(),
            version: 0,
            items: Vec::new(),
            order_id: None,
        }
    }
}

impl CartRow {
    /// What the row holds already changes nothing.
    pub(super) fn apply(&mut self, event: &Recorded<CartView>) -> Result<(), String> {
        let version = stream_version(event)?;
        let is_new = self.version == 0;
        if is_new && !matches!(event.event, CartView::CartOpened(_)) {
            return Err(format!(
                "it is version {version} of a stream that has no row"
            ));
        }
        if version <= self.version {
            return Ok(());
        }
        self.version = version;
        match &event.event {
            CartView::CartOpened(opened) if is_new => {
                self.customer_id = opened.customer_id.as_ref().map(customer).transpose()?;
            }
            CartView::CartOpened(_) => return Err("the cart is open already".to_owned()),
            CartView::CartItemSet(set) => self.set(Item::new(set)?),
            CartView::CartItemRemoved(removed) => {
                self.items.retain(|item| item.sku != removed.sku);
            }
            CartView::CartCheckedOut(checked_out) => {
                self.status = CartStatus::CheckedOut.as_str().into();
                self.customer_id = Some(customer(&checked_out.customer_id)?);
                self.order_id = Some(checked_out.order_id.as_uuid());
            }
            CartView::Other => {}
        }
        Ok(())
    }

    /// An item that is there already keeps its place.
    fn set(&mut self, new: Item) {
        match self.items.iter_mut().find(|item| item.sku == new.sku) {
            Some(item) => *item = new,
            None => self.items.push(new),
        }
    }

    /// None where there is nothing to add up, or it cannot be: nothing in it, or several currencies.
    pub(super) fn totals(&self) -> Option<Totals> {
        let (first, others) = self.items.split_first()?;
        let mut others = others.iter();
        let sum = others.try_fold(first.total, |sum, item| sum.checked_add(item.total));
        sum.ok().map(|sum| Totals {
            items: sum,
            total: sum,
        })
    }

    pub(super) fn copy(&self, id: Uuid, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        to.uuid(id);
        match &self.customer_id {
            Some(customer_id) => to.text(customer_id),
            None => to.null(),
        }
        to.text(&self.status);
        to.integer(self.version);
        to.json(&json(&self.items));
        match self.totals() {
            Some(totals) => to.json(&json(&totals)),
            None => to.null(),
        }
        match self.order_id {
            Some(order_id) => to.uuid(order_id),
            None => to.null(),
        }
    }
}

impl Item {
    fn new(event: &CartItemSet) -> Result<Self, String> {
        let total = event.unit_price.checked_mul(event.quantity.get());
        Ok(Self {
            sku: event.sku.clone(),
            quantity: event.quantity,
            unit_price: event.unit_price,
            total: total.map_err(|error| format!("the item's total {error}"))?,
        })
    }
}
