//! The names of the topics, as every consumer knows them.

/// What happened to orders; opened by whoever takes the purchase, appended to by the order service.
pub const ORDER_EVENTS: &str = "OrderEvents";

/// What is sold, and for how much; the product service's.
pub const PRODUCT_EVENTS: &str = "ProductEvents";
/// What is in stock and what is reserved; the product service's. Others ask in it, by messages.
pub const INVENTORY_EVENTS: &str = "InventoryEvents";
/// Shopping carts; the cart service's.
pub const CART_EVENTS: &str = "CartEvents";

/// Payments; the payment service's. The order service asks in it, by messages.
pub const PAYMENT_EVENTS: &str = "PaymentEvents";
/// Shipments; the shipping service's.
pub const SHIPPING_EVENTS: &str = "ShippingEvents";
/// What customers are told; the notification service's.
pub const NOTIFICATION_EVENTS: &str = "NotificationEvents";

/// Those whose keys are ids of orders only, so that everything that they say of an order lies in one partition. In the others an order's
/// events lie under SKUs and carts as well.
pub const KEYED_BY_ORDER: [&str; 4] = [
    ORDER_EVENTS,
    PAYMENT_EVENTS,
    SHIPPING_EVENTS,
    NOTIFICATION_EVENTS,
];

/// All of them: a service that is started alone creates what the others will need.
pub const ALL: [&str; 7] = [
    PRODUCT_EVENTS,
    INVENTORY_EVENTS,
    CART_EVENTS,
    ORDER_EVENTS,
    PAYMENT_EVENTS,
    SHIPPING_EVENTS,
    NOTIFICATION_EVENTS,
];
