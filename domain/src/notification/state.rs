//! What decisions need to know of what was told of an order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    event::{NotificationDeferred, NotificationEvent},
    message::Message,
};
use crate::{ids::NotificationId, personal::Email};

/// All that is told of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correspondence {
    /// Whether the customer is reached, and where.
    pub customer: Reach,
    /// What others are told, by its name. Nothing is taken out, so that nobody is told again.
    pub messages: BTreeMap<NotificationId, Delivery>,
}

/// Whether a customer is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// That is not known yet.
    Unknown {
        /// What is told when it is.
        deferred: Vec<NotificationDeferred>,
    },
    /// The customer did not say.
    Nowhere,
    /// By e-mail.
    At(Email),
}

impl Default for Reach {
    fn default() -> Self {
        Self::Unknown { deferred: vec![] }
    }
}

/// How far a message has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// It is being sent.
    Sending {
        /// What.
        message: Box<Message>,
        /// How often it was sent before.
        tries: u32,
    },
    /// It did not arrive, and is sent again.
    Waiting {
        /// What.
        message: Box<Message>,
        /// How often it was sent.
        tries: u32,
        /// When it is sent again.
        retry_at: DateTime<Utc>,
    },
    /// It has arrived.
    Sent,
    /// It is not sent again.
    Abandoned,
}

impl Correspondence {
    /// The state after one more event.
    #[must_use]
    pub fn evolve(mut self, event: &NotificationEvent) -> Self {
        match event {
            NotificationEvent::ContactKept(event) => {
                let contact = event.personal.data.contact.as_ref();
                self.customer =
                    contact.map_or(Reach::Nowhere, |contact| Reach::At(contact.email.clone()));
            }
            NotificationEvent::Deferred(event) => {
                if let Reach::Unknown { deferred } = &mut self.customer {
                    deferred.push(event.clone());
                }
            }
            NotificationEvent::Requested(event) => {
                let sending = Delivery::Sending {
                    message: Box::new(event.message.clone()),
                    tries: 0,
                };
                self.messages.insert(event.notification_id, sending);
            }
            NotificationEvent::Sent(event) => {
                self.messages.insert(event.notification_id, Delivery::Sent);
            }
            NotificationEvent::Failed(event) => {
                if let Some(delivery) = self.messages.get_mut(&event.notification_id) {
                    delivery.wait(event.tries, event.retry_at);
                }
            }
            NotificationEvent::Due(event) => {
                let tries = self.messages.get(&event.notification_id);
                let sending = Delivery::Sending {
                    message: Box::new(event.message.clone()),
                    tries: tries.map_or(0, Delivery::tries),
                };
                self.messages.insert(event.notification_id, sending);
            }
            NotificationEvent::Abandoned(event) => {
                self.messages
                    .insert(event.notification_id, Delivery::Abandoned);
            }
        }
        self
    }

    /// When the next message is sent again.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        self.messages.values().filter_map(Delivery::retry_at).min()
    }
}

impl Delivery {
    fn wait(&mut self, tries: u32, retry_at: DateTime<Utc>) {
        if let Self::Sending { message, .. } | Self::Waiting { message, .. } = self {
            *self = Self::Waiting {
                message: message.clone(),
                tries,
                retry_at,
            };
        }
    }

    /// How often it was sent, while that still matters.
    const fn tries(&self) -> u32 {
        match self {
            Self::Sending { tries, .. } | Self::Waiting { tries, .. } => *tries,
            Self::Sent | Self::Abandoned => 0,
        }
    }

    /// When it is sent again, where it waits for that.
    #[must_use]
    pub const fn retry_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Waiting { retry_at, .. } => Some(*retry_at),
            Self::Sending { .. } | Self::Sent | Self::Abandoned => None,
        }
    }
}
