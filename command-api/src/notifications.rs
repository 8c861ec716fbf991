//! Notifications: which of them are asked for, and how they leave.
//!
//! In reading order: `planning` (what has happened becomes messages; nobody is told of what is older than the service's
//! beginning), `delivery` (messages leave, and what became of them is recorded), `mail` and `webhook` (the two ways out),
//! `options` (how all of it is configured).
//!
//! A message leaves at least once: after a crash it is sent again, because nobody knows whether it had left. It has the same
//! name each time, so that whoever gets it can tell: a mail its `Message-ID` (a file in the folder its name), a webhook its
//! `webhook-id`.

mod delivery;
mod mail;
mod options;
mod planning;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod webhook;

pub use self::{
    delivery::Delivering,
    mail::{InvalidMailServer, MailServer, Mailer},
    options::NotificationArgs,
    planning::{Beginning, Planning},
    webhook::WebhookSender,
};
