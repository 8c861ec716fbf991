//! Who is told in tests: a mail server, and a system with a webhook. Both are real, on ports of their own.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use chrono::{DateTime, Utc};
use domain::{
    notification::{Addressee, Channel, Message, Template, WebhookUrl},
    personal::Personal,
};
use runtime::signature::Secret;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
};
use uuid::Uuid;

use super::{delivery::Outgoing, mail::DEFAULT_SENDER};

pub(super) fn secret() -> Secret {
    "a secret of this test".parse().expect("a secret")
}

pub(super) fn sender() -> lettre::message::Mailbox {
    DEFAULT_SENDER.parse().expect("a sender")
}

pub(super) fn occurred_at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 123_456_000).expect("a time")
}

pub(super) fn outgoing(template: Template, channel: Channel) -> Outgoing {
    let message = Message {
        event_id: Uuid::from_u128(0xe1),
        template,
        occurred_at: occurred_at(),
        channel,
    };
    Outgoing {
        notification_id: message.id(),
        order_id: Uuid::from_u128(0xde4).into(),
        message,
    }
}

pub(super) fn by_email(to: &str) -> Channel {
    let to = to.parse().expect("an address");
    Channel::Email {
        personal: Personal::clear(Addressee { to }),
    }
}

/// Names of the files in a folder that is there.
pub(super) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// Where nobody listens, and nobody else can as long as the socket is kept.
pub(super) fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a port");
    let address = socket.local_addr().expect("an address").to_string();
    (socket, address)
}

/// A mail server that takes what comes, or answers every recipient with a line of its own.
pub(super) struct MailSink {
    pub(super) address: String,
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailSink {
    pub(super) async fn start(recipient: &'static str) -> Self {
        let (listener, address) = listen().await;
        let mails = Arc::<Mutex<Vec<String>>>::default();
        let received = Arc::clone(&mails);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let received = Arc::clone(&received);
                tokio::spawn(async move { serve(client, recipient, &received).await });
            }
        });
        Self { address, mails }
    }

    /// Envelopes and mails, as they came.
    pub(super) fn mails(&self) -> Vec<String> {
        self.mails.lock().expect("a test's own").clone()
    }
}

async fn serve(client: TcpStream, recipient: &str, mails: &Mutex<Vec<String>>) -> Option<()> {
    let mut client = BufReader::new(client);
    let mut mail = String::new();
    let mut answer = "220 sink";
    loop {
        client.write_all(answer.as_bytes()).await.ok()?;
        client.write_all(b"\r\n").await.ok()?;
        let mut line = String::new();
        client
            .read_line(&mut line)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        answer = match line.split([' ', ':', '\r']).next()? {
            "EHLO" => "250 sink",
            "MAIL" => "250 go on",
            "RCPT" => recipient,
            "DATA" => {
                client.write_all(b"354 go on\r\n").await.ok()?;
                while !mail.ends_with("\r\n.\r\n") {
                    client
                        .read_line(&mut mail)
                        .await
                        .ok()
                        .filter(|length| *length > 0)?;
                }
                mails.lock().expect("a test's own").push(mail.split_off(0));
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "502 not known",
        };
        if matches!(answer, "250 go on") || answer == recipient {
            mail.push_str(&line);
        }
    }
}

/// A system that is told over HTTP: answers with these statuses, one after the other, and then that it is fine.
pub(super) struct Receiver {
    pub(super) url: WebhookUrl,
    told: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    pub(super) async fn start(answers: &[StatusCode]) -> Self {
        let (listener, address) = listen().await;
        let told = Arc::<Mutex<Vec<(HeaderMap, Bytes)>>>::default();
        let heard = Arc::clone(&told);
        let answers = Arc::new(Mutex::new(VecDeque::from(answers.to_vec())));
        let hear = move |headers: HeaderMap, body: Bytes| {
            heard.lock().expect("a test's own").push((headers, body));
            let answer = answers.lock().expect("a test's own").pop_front();
            let answer = answer.unwrap_or(StatusCode::NO_CONTENT);
            std::future::ready((answer, [("location", "/elsewhere")]))
        };
        let router = Router::new().route("/hook", post(hear));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url: format!("http://{address}/hook").parse().expect("a URL"),
            told,
        }
    }

    /// Headers and bodies of what was told.
    pub(super) fn told(&self) -> Vec<(HeaderMap, Bytes)> {
        self.told.lock().expect("a test's own").clone()
    }
}
