//! The projections that are read, with the tables that projectors make.

/// A projection, as its projector would register it.
pub(crate) struct Projection {
    pub(super) name: &'static str,
    pub(super) topics: &'static [&'static str],
    pub(super) tables: &'static str,
    pub(super) indexes: &'static str,
}

pub(crate) const ORDERS: Projection = Projection {
    name: "orders",
    topics: &["OrderEvents", "PaymentEvents", "ShippingEvents"],
    tables: include_str!("../../../../projectors/src/orders/tables.sql"),
    indexes: include_str!("../../../../projectors/src/orders/indexes.sql"),
};

pub(crate) const PRODUCTS: Projection = Projection {
    name: "products",
    topics: &["ProductEvents", "InventoryEvents"],
    tables: include_str!("../../../../projectors/src/products/tables.sql"),
    indexes: include_str!("../../../../projectors/src/products/indexes.sql"),
};

pub(crate) const CARTS: Projection = Projection {
    name: "carts",
    topics: &["CartEvents"],
    tables: include_str!("../../../../projectors/src/carts/tables.sql"),
    indexes: include_str!("../../../../projectors/src/carts/indexes.sql"),
};

pub(crate) const PAYMENTS: Projection = Projection {
    name: "payments",
    topics: &["PaymentEvents"],
    tables: include_str!("../../../../projectors/src/payments/tables.sql"),
    indexes: include_str!("../../../../projectors/src/payments/indexes.sql"),
};

pub(crate) const SHIPMENTS: Projection = Projection {
    name: "shipments",
    topics: &["ShippingEvents"],
    tables: include_str!("../../../../projectors/src/shipments/tables.sql"),
    indexes: include_str!("../../../../projectors/src/shipments/indexes.sql"),
};

pub(crate) const NOTIFICATIONS: Projection = Projection {
    name: "notifications",
    topics: &["NotificationEvents"],
    tables: include_str!("../../../../projectors/src/notifications/tables.sql"),
    indexes: include_str!("../../../../projectors/src/notifications/indexes.sql"),
};

pub(crate) const SALES_DAILY: Projection = Projection {
    name: "sales_daily",
    topics: &["OrderEvents"],
    tables: include_str!("../../../../projectors/src/sales_daily/tables.sql"),
    indexes: include_str!("../../../../projectors/src/sales_daily/indexes.sql"),
};

pub(crate) const HISTORY: Projection = Projection {
    name: "history",
    topics: &[
        "OrderEvents",
        "InventoryEvents",
        "CartEvents",
        "PaymentEvents",
        "ShippingEvents",
        "NotificationEvents",
    ],
    tables: include_str!("../../../../projectors/src/history/tables.sql"),
    indexes: include_str!("../../../../projectors/src/history/indexes.sql"),
};

impl Projection {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

/// All of them.
pub(crate) const ALL: [&Projection; 8] = [
    &ORDERS,
    &PRODUCTS,
    &CARTS,
    &PAYMENTS,
    &SHIPMENTS,
    &NOTIFICATIONS,
    &SALES_DAILY,
    &HISTORY,
];
