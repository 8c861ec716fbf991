//! Mails to customers: what they say, and how they leave.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use domain::{
    ids::OrderId,
    notification::{DeliveryOutcome, Template},
    personal::Email,
};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{Mailbox, header::ContentType},
    transport::smtp::{self, response::Category},
};

use super::delivery::{Outgoing, SEND_TIMEOUT, failed, timed_out, undeliverable};

/// Who writes, where nobody was named.
pub(super) const DEFAULT_SENDER: &str = "Offset Zero <orders@offset-zero.example>";
/// The right side of every `Message-ID`.
const MESSAGE_ID_HOST: &str = "offset-zero";

/// Writes mails, and has them leave.
#[derive(Debug, Clone)]
pub struct Mailer {
    sender: Mailbox,
    way: Way,
}

/// How mails leave.
#[derive(Debug, Clone)]
enum Way {
    /// Into files that anybody can look at, for development.
    Folder(PathBuf),
    /// By a mail server.
    Server(MailServer),
    /// They do not.
    Off,
}

/// A mail server: `smtp://host:port`, `smtps://user:password@host`, and `smtp://…?tls=required` for STARTTLS. Nothing is
/// asked of it yet. Its URL may hold a password, so it is never shown.
#[derive(Clone)]
pub struct MailServer(AsyncSmtpTransport<Tokio1Executor>);

/// Not the address of a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as smtp://127.0.0.1:25 or smtps://user:password@mail.example.com")]
pub struct InvalidMailServer;

impl FromStr for MailServer {
    type Err = InvalidMailServer;

    fn from_str(url: &str) -> Result<Self, InvalidMailServer> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let builder = builder.map_err(|_: smtp::Error| InvalidMailServer)?;
        Ok(Self(builder.timeout(Some(SEND_TIMEOUT)).build()))
    }
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailServer(…)")
    }
}

impl Mailer {
    /// Mails become files in a folder, `<notification id>.eml`; it is created where it is missing.
    #[must_use]
    pub const fn folder(sender: Mailbox, folder: PathBuf) -> Self {
        let way = Way::Folder(folder);
        Self { sender, way }
    }

    /// Mails leave by a mail server.
    #[must_use]
    pub const fn server(sender: Mailbox, server: MailServer) -> Self {
        let way = Way::Server(server);
        Self { sender, way }
    }

    /// Mails do not leave: each is given up at once.
    #[must_use]
    pub const fn off(sender: Mailbox) -> Self {
        let way = Way::Off;
        Self { sender, way }
    }

    pub(super) async fn send(&self, outgoing: &Outgoing, to: &Email) -> DeliveryOutcome {
        // What the domain takes for an address need not be one.
        let Ok(to) = to.to_string().parse::<Address>() else {
            return undeliverable("the address is none");
        };
        // The recipient's address is one, so it is the sender's that cannot be written.
        let Ok(mail) = self.written(outgoing, to) else {
            return failed("no mail can be written from this sender");
        };
        match &self.way {
            Way::Folder(folder) => {
                let name = format!("{}.eml", outgoing.notification_id);
                file(folder.clone(), name, mail.formatted()).await
            }
            Way::Server(MailServer(server)) => match server.send(mail).await {
                Ok(_) => DeliveryOutcome::Sent,
                Err(error) => refused(&error),
            },
            Way::Off => undeliverable("no mail transport is configured"),
        }
    }

    /// The envelope is given, since lettre would read it back from the headers, by a grammar narrower than that of an
    /// [`Address`]: without domain literals and quotes.
    fn written(&self, outgoing: &Outgoing, to: Address) -> Result<Message, lettre::error::Error> {
        let (subject, body) = worded(outgoing.message.template, outgoing.order_id);
        let id = format!("<{}@{MESSAGE_ID_HOST}>", outgoing.notification_id);
        let envelope = Envelope::new(Some(self.sender.email.clone()), vec![to.clone()])?;
        Message::builder()
            .from(self.sender.clone())
            .to(to.into())
            .subject(subject)
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN)
            .envelope(envelope)
            .body(body)
    }
}

/// Subject and text.
fn worded(template: Template, order_id: OrderId) -> (String, String) {
    let (subject, news) = match template {
        Template::OrderConfirmation => (
            "We have your order",
            "thank you for your order. We will write as soon as there is news of it.",
        ),
        Template::Payment => (
            "Your payment has come in",
            "your payment has come in. We are getting your order ready.",
        ),
        Template::Shipped => (
            "Your order is on its way",
            "your order has left our warehouse and is on its way to you.",
        ),
        Template::Delivered => (
            "Your order has arrived",
            "your order has been delivered. We hope that you like it.",
        ),
        Template::Cancelled => (
            "Your order is cancelled",
            "your order is cancelled and will not be sent. If money was set aside or taken for it, you get it back.",
        ),
        Template::Refunded => (
            "A payment is undone",
            "a payment for your order is undone: what it had set aside or taken is yours again. It may be some days before your bank \
             shows it. If you have paid in another way since, that payment stands.",
        ),
    };
    let text = format!("Hello,\r\n\r\n{news}\r\n\r\nYour order: {order_id}\r\n\r\nOffset Zero\r\n");
    (subject.to_owned(), text)
}

async fn file(folder: PathBuf, name: String, mail: Vec<u8>) -> DeliveryOutcome {
    let written = tokio::task::spawn_blocking(move || write_once(&folder, &name, &mail)).await;
    match written {
        Ok(Ok(())) => DeliveryOutcome::Sent,
        Ok(Err(error)) => failed(&format!(
            "the mail folder cannot be written: {}",
            error.kind()
        )),
        Err(_) => failed("the mail folder was not written"),
    }
}

/// Whoever looks sees whole mails only, and one that is there is the same.
fn write_once(folder: &Path, name: &str, mail: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    if path.try_exists()? {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
    fs::write(&unfinished, mail)?;
    fs::rename(&unfinished, &path)
}

/// What the server writes may name the customer, so only its code is told.
fn refused(error: &smtp::Error) -> DeliveryOutcome {
    match error.status() {
        // It is about this mail, not about who sends it: the same again would get the same answer.
        Some(code) if error.is_permanent() && matches!(code.category, Category::MailSystem) => {
            undeliverable(&format!("the mail server answered {code}"))
        }
        Some(code) => failed(&format!("the mail server answered {code}")),
        None if error.is_timeout() => failed(&timed_out()),
        None => failed("the mail server cannot be reached"),
    }
}

#[cfg(test)]
mod tests;
