//! Every topic and every event in it, in words.

/// An event as the page tells it.
pub(crate) struct Told {
    pub(crate) name: &'static str,
    pub(crate) version: u16,
    pub(crate) producer: &'static str,
    /// Whose policies and writers read it; projectors read everything.
    pub(crate) consumers: &'static str,
    pub(crate) what: &'static str,
}

const fn told(
    name: &'static str,
    producer: &'static str,
    consumers: &'static str,
    what: &'static str,
) -> Told {
    Told {
        name,
        version: 1,
        producer,
        consumers,
        what,
    }
}

pub(crate) const TOPICS: [(&str, &str, &[Told]); 7] = [
    (
        "ProductEvents",
        "the SKU",
        &[
            told(
                "ProductCreated",
                "product",
                "product, cart, order",
                "A product was added to the catalogue.",
            ),
            told(
                "ProductRepriced",
                "product",
                "cart, order",
                "Its price has changed, for what is ordered from now on.",
            ),
            told(
                "ProductDiscontinued",
                "product",
                "cart, order",
                "It is sold no longer.",
            ),
        ],
    ),
    (
        "InventoryEvents",
        "the SKU of `Stock…`, else the order's id",
        &[
            told(
                "InventoryCheck",
                "order",
                "product",
                "A message: is everything in stock?",
            ),
            told(
                "ReservationOpened",
                "product",
                "",
                "A reservation begins to collect, one SKU after the other.",
            ),
            told(
                "ReservationLineRequested",
                "product",
                "product",
                "The stock of one SKU is asked.",
            ),
            told(
                "InventoryConfirmed",
                "product",
                "order, product",
                "Every line is reserved.",
            ),
            told(
                "InventoryRejected",
                "product",
                "order, product",
                "Something is missing, and nothing is reserved any more.",
            ),
            told(
                "ReservationCancelled",
                "product",
                "product",
                "The order needs nothing any more.",
            ),
            told(
                "ReservationLineReturned",
                "product",
                "product",
                "A stock has set something aside that is not needed any more.",
            ),
            told(
                "StockOpened",
                "product",
                "",
                "There is a stock of this SKU; in one transaction with `ProductCreated`.",
            ),
            told("StockReceived", "product", "", "Goods have come in."),
            told(
                "StockReserved",
                "product",
                "product",
                "Some are set aside for an order that is still collecting.",
            ),
            told(
                "StockAwaited",
                "product",
                "",
                "There will be enough if orders that are still collecting give up; answered when that is known.",
            ),
            told("StockDenied", "product", "product", "There are not enough."),
            told(
                "StockAllocated",
                "product",
                "",
                "What an order holds is its own.",
            ),
            told(
                "StockReleased",
                "product",
                "",
                "What an order held is there for others again.",
            ),
            told(
                "ReservationCommitted",
                "product",
                "product",
                "The order's goods have left: it holds nothing any more.",
            ),
            told(
                "StockCommitted",
                "product",
                "",
                "What an order held has left.",
            ),
        ],
    ),
    (
        "CartEvents",
        "the cart's id",
        &[
            told("CartOpened", "cart", "", "Somebody began to shop."),
            told(
                "CartItemSet",
                "cart",
                "",
                "Something was put in, or how many was changed.",
            ),
            told("CartItemRemoved", "cart", "", "Something was taken out."),
            told(
                "CartCheckedOut",
                "cart",
                "",
                "Everything in it was bought; in one transaction with `OrderPlaced`.",
            ),
        ],
    ),
    (
        "OrderEvents",
        "the order's id",
        &[
            told(
                "OrderPlaced",
                "cart, order",
                "notification, order, shipping",
                "An order was opened, at prices that are final.",
            ),
            told(
                "InventoryRequested",
                "order",
                "",
                "The product service was asked; in one transaction with `InventoryCheck`.",
            ),
            told(
                "PaymentKept",
                "order",
                "",
                "A payment came while stock was still being checked.",
            ),
            told(
                "OrderConfirmed",
                "order",
                "",
                "Everything is set aside: the order is to be paid.",
            ),
            told(
                "OrderRejected",
                "order",
                "notification, shipping",
                "Something is not in stock: the order has ended.",
            ),
            told(
                "OrderExpired",
                "order",
                "notification, product, shipping",
                "A deadline has passed: the order has ended.",
            ),
            told(
                "OrderPaymentPending",
                "order",
                "",
                "The payment service was asked for the money; in one transaction with `PaymentRequested`.",
            ),
            told(
                "OrderPaid",
                "order",
                "notification, shipping",
                "The whole amount is set aside.",
            ),
            told(
                "OrderPaymentFailed",
                "order",
                "",
                "A payment came to nothing: the order waits for another.",
            ),
            told(
                "DispatchApproved",
                "order",
                "payment",
                "Its goods may leave, and its money be taken; from here on it cannot be called off.",
            ),
            told(
                "DispatchRefused",
                "order",
                "shipping",
                "Its goods may not leave.",
            ),
            told(
                "OrderCaptureRefused",
                "order",
                "",
                "The money that was set aside could not be taken: the goods stay.",
            ),
            told(
                "OrderShipped",
                "order",
                "notification",
                "Its goods have left: it is sold.",
            ),
            told(
                "OrderDelivered",
                "order",
                "notification",
                "Its goods have arrived.",
            ),
            told(
                "OrderCompleted",
                "order",
                "",
                "Nothing more will happen to it.",
            ),
            told(
                "OrderCancelled",
                "order",
                "notification, payment, product, shipping",
                "An order was called off, and the payment that it names is undone.",
            ),
            told(
                "OrderStuck",
                "order",
                "",
                "What goes on by itself cannot: an operator has to look.",
            ),
            told(
                "OrderResumed",
                "order",
                "payment",
                "What was stuck is tried again, by an operator or by a cancel; once for each payment that is to go on.",
            ),
        ],
    ),
    (
        "PaymentEvents",
        "the order's id",
        &[
            told(
                "PaymentRequested",
                "order",
                "payment",
                "A message: set this money aside.",
            ),
            told(
                "PaymentStarted",
                "payment",
                "payment",
                "The gateway is asked to set the money aside.",
            ),
            told(
                "PaymentAuthorised",
                "payment",
                "order",
                "The money is set aside.",
            ),
            told(
                "PaymentDeclined",
                "payment",
                "order",
                "It will not be: this payment has come to nothing.",
            ),
            told(
                "PaymentCaptureRequested",
                "payment",
                "payment",
                "The gateway is asked to take the money.",
            ),
            told(
                "PaymentCaptured",
                "payment",
                "shipping",
                "The money was taken.",
            ),
            told(
                "PaymentCaptureRefused",
                "payment",
                "order",
                "The money could not be taken.",
            ),
            told(
                "PaymentCancelled",
                "payment",
                "",
                "The order does not want it any more: whatever of it was done is undone.",
            ),
            told(
                "PaymentVoidRequested",
                "payment",
                "payment",
                "The gateway is asked to let go of the money.",
            ),
            told(
                "PaymentVoided",
                "payment",
                "notification",
                "It is not set aside any more.",
            ),
            told(
                "PaymentRefundRequested",
                "payment",
                "payment",
                "The gateway is asked to give the money back.",
            ),
            told(
                "PaymentRefunded",
                "payment",
                "notification",
                "The money went back.",
            ),
            told(
                "PaymentUnresolved",
                "payment",
                "",
                "It is not known what became of a request; that is looked into at a time.",
            ),
            told(
                "PaymentReconciling",
                "payment",
                "payment",
                "That is looked into: the gateway is asked, and where it does not know the request, told it again.",
            ),
            told(
                "PaymentStuck",
                "payment",
                "order",
                "It cannot be found out, or was refused where it must not be: an operator has to look.",
            ),
        ],
    ),
    (
        "ShippingEvents",
        "the order's id",
        &[
            told(
                "ShipmentPlanned",
                "shipping",
                "",
                "An order was placed: this is what would be sent, and where.",
            ),
            told(
                "ShipmentCreated",
                "shipping",
                "",
                "The order is paid: it can be packed.",
            ),
            told(
                "DispatchRequested",
                "shipping",
                "order",
                "It is packed: the order is asked whether it may leave.",
            ),
            told(
                "ShipmentDispatched",
                "shipping",
                "order, product",
                "It has left, for the first time or once more.",
            ),
            told("ShipmentDelivered", "shipping", "order", "It has arrived."),
            told(
                "ShipmentFailed",
                "shipping",
                "",
                "It did not arrive; it leaves once more where somebody posts its `/dispatch` again.",
            ),
            told("ShipmentCancelled", "shipping", "", "It will not leave."),
        ],
    ),
    (
        "NotificationEvents",
        "the order's id",
        &[
            told(
                "ContactKept",
                "notification",
                "",
                "Where an order's customer is reached was noted.",
            ),
            told(
                "NotificationDeferred",
                "notification",
                "",
                "The customer is to be told of something, and it is not known yet where.",
            ),
            told(
                "NotificationRequested",
                "notification",
                "notification",
                "Somebody is to be told.",
            ),
            told(
                "NotificationSent",
                "notification",
                "",
                "A message was taken by whoever was called.",
            ),
            told(
                "NotificationFailed",
                "notification",
                "",
                "A message has not arrived, this time.",
            ),
            told(
                "NotificationDue",
                "notification",
                "notification",
                "A message is sent again.",
            ),
            told(
                "NotificationAbandoned",
                "notification",
                "",
                "A message has not arrived, and is not sent again.",
            ),
        ],
    ),
];
