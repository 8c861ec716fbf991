//! What a notification's events make of its row. Of who was told, and where, nothing is read: it is personal.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::{ReadEvent, upcast::only};
use event_store::Recorded;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::{
    copy::CopyBuffer,
    projection::{storable, storable_time, stream_version},
};

const COLUMNS: i16 = 10;
const REQUESTED: &str = "requested";
const SENT: &str = "sent";
const FAILED: &str = "failed";
const ABANDONED: &str = "abandoned";

/// What notifications are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationView {
    /// It is to be sent.
    Requested(NotificationRequested),
    /// It was sent.
    Sent(NotificationSent),
    /// It was not sent, and will be tried again.
    Failed(NotificationFailed),
    /// It will not be tried again.
    Abandoned(NotificationFailed),
    /// Something else, which changes no notification.
    Other,
}

/// Somebody is to be told something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NotificationRequested {
    notification_id: Uuid,
    order_id: Uuid,
    channel: Box<str>,
    template: Box<str>,
    requested_at: DateTime<Utc>,
}

/// It was sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NotificationSent {
    notification_id: Uuid,
    order_id: Uuid,
    tries: i32,
}

/// It was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NotificationFailed {
    notification_id: Uuid,
    order_id: Uuid,
    tries: i32,
    reason: Box<str>,
}

impl ReadEvent for NotificationView {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "NotificationRequested" => only(version, payload).map(Self::Requested),
            "NotificationSent" => only(version, payload).map(Self::Sent),
            "NotificationFailed" => only(version, payload).map(Self::Failed),
            "NotificationAbandoned" => only(version, payload).map(Self::Abandoned),
            _ => Ok(Self::Other),
        }
    }
}

impl NotificationView {
    /// The notification that it changes.
    pub(super) fn notification_id(&self) -> Option<Uuid> {
        match self {
            Self::Requested(event) => Some(event.notification_id),
            Self::Sent(event) => Some(event.notification_id),
            Self::Failed(event) | Self::Abandoned(event) => Some(event.notification_id),
            Self::Other => None,
        }
    }

    /// The order that it tells of.
    pub(super) fn order_id(&self) -> Option<Uuid> {
        match self {
            Self::Requested(event) => Some(event.order_id),
            Self::Sent(event) => Some(event.order_id),
            Self::Failed(event) | Self::Abandoned(event) => Some(event.order_id),
            Self::Other => None,
        }
    }
}

/// A notification.
#[derive(Debug)]
pub struct NotificationRow {
    /// Of its order's stream, at the last event that counts here.
    pub(super) version: i32,
    /// None until it is requested.
    pub(super) subject: Option<Subject>,
    pub(super) status: Cow<'static, str>,
    pub(super) tries: i32,
    /// Why it was not sent.
    pub(super) reason: Option<Box<str>>,
    pub(super) updated_at: DateTime<Utc>,
}

/// What it is about, and how it is sent.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) order_id: Uuid,
    pub(super) channel: Box<str>,
    pub(super) template: Box<str>,
    pub(super) created_at: DateTime<Utc>,
}

impl Default for NotificationRow {
    fn default() -> Self {
        Self {
            version: 0,
            subject: None,
            status: REQUESTED.into(),
            tries: 0,
            reason: None,
            updated_at: DateTime::default(),
        }
    }
}

impl NotificationRow {
    /// What the row holds already changes nothing.
    pub(super) fn apply(&mut self, event: &Recorded<NotificationView>) -> Result<(), String> {
        let version = stream_version(event)?;
        if version <= self.version {
            return Ok(());
        }
        self.version = version;
        self.updated_at = event.metadata.time;
        match &event.event {
            NotificationView::Requested(requested) => {
                self.subject = Some(Subject {
                    order_id: requested.order_id,
                    channel: storable("channel", &requested.channel)?.into(),
                    template: storable("template", &requested.template)?.into(),
                    created_at: storable_time("requested_at", requested.requested_at)?,
                });
            }
            NotificationView::Sent(sent) => self.enter(SENT, sent.tries, None),
            NotificationView::Failed(failed) => {
                let reason = storable("reason", &failed.reason)?;
                self.enter(FAILED, failed.tries, Some(reason));
            }
            NotificationView::Abandoned(abandoned) => {
                let reason = storable("reason", &abandoned.reason)?;
                self.enter(ABANDONED, abandoned.tries, Some(reason));
            }
            NotificationView::Other => {}
        }
        Ok(())
    }

    fn enter(&mut self, status: &'static str, tries: i32, reason: Option<&str>) {
        self.status = status.into();
        self.tries = tries;
        self.reason = reason.map(Into::into);
    }

    pub(super) fn copy(&self, id: Uuid, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        to.uuid(id);
        to.integer(self.version);
        match &self.subject {
            Some(subject) => {
                to.uuid(subject.order_id);
                to.text(&subject.channel);
                to.text(&subject.template);
                to.timestamp(subject.created_at);
            }
            None => (0..4).for_each(|_| to.null()),
        }
        to.text(&self.status);
        to.integer(self.tries);
        to.or_null(self.reason.as_deref(), CopyBuffer::text);
        to.timestamp(self.updated_at);
    }
}
