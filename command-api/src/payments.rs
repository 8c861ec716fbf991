//! Payments: what the gateway is asked, and what it tells.
//!
//! In reading order: `sealing` (a payment method between the order and the payment service), `gateway` (what a gateway can do,
//! and ours over HTTP), `outage` (that it gives no answers), `collecting` (asks it because something has happened), `webhook` (it
//! tells by itself).

mod collecting;
mod gateway;
mod outage;
mod sealing;
mod webhook;

use domain::payment::Payments;
use runtime::signature::{DEVELOPMENT_SECRET, Secret};

pub(crate) use self::webhook::{__path_receive_payment_event, receive_payment_event};
pub use self::{
    collecting::Collecting,
    gateway::{Gateway, GatewayOrder, HttpGateway, InvalidGatewayUrl, OpenedMethod},
    sealing::{InvalidPaymentKey, PaymentKey},
};
use crate::OpeningStore;

/// What the routes of the payment service work with.
#[derive(Clone)]
pub(crate) struct PaymentService {
    pub(crate) store: OpeningStore<Payments>,
    pub(crate) secret: Secret,
}

/// What anybody can read in the source, for development.
#[must_use]
pub fn development_secret() -> Secret {
    DEVELOPMENT_SECRET.parse().expect("it is long enough")
}
