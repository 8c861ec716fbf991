use std::{collections::BTreeSet, fs};

use super::*;
use crate::notifications::testing::{MailSink, by_email, files, nobody, outgoing, sender};

const ADA: &str = "ada@example.com";

fn confirmation() -> Outgoing {
    outgoing(Template::OrderConfirmation, by_email(ADA))
}

async fn send(mailer: &Mailer, outgoing: &Outgoing, to: &str) -> DeliveryOutcome {
    mailer
        .send(outgoing, &to.parse().expect("an address"))
        .await
}

fn by_server(address: &str) -> Mailer {
    let server = format!("smtp://{address}").parse().expect("a server");
    Mailer::server(sender(), server)
}

#[test]
fn every_mail_says_which_order_it_is_about() {
    let mailer = Mailer::off(sender());
    let mut subjects = BTreeSet::new();
    for template in Template::ALL {
        let outgoing = outgoing(template, by_email(ADA));
        let to: Address = ADA.parse().expect("an address");
        let mail = mailer.written(&outgoing, to).expect("a mail").formatted();
        let mail = String::from_utf8(mail).expect("text");
        let (headers, body) = mail.split_once("\r\n\r\n").expect("headers and a body");
        for header in [
            "From: \"Offset Zero\" <orders@offset-zero.example>",
            "To: ada@example.com",
            &format!("Message-ID: <{}@offset-zero>", outgoing.notification_id),
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(
                headers.lines().any(|line| line == header),
                "{header}: {headers}"
            );
        }
        assert!(headers.contains("Date: "), "{headers}");
        assert!(body.contains(&outgoing.order_id.to_string()), "{body}");
        subjects.insert(worded(template, outgoing.order_id).0);
    }
    assert_eq!(subjects.len(), Template::ALL.len());
}

#[tokio::test]
async fn a_mail_becomes_a_file_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mails = folder.path().join("not/there/yet");
    let mailer = Mailer::folder(sender(), mails.clone());
    let mail = confirmation();
    assert_eq!(send(&mailer, &mail, ADA).await, DeliveryOutcome::Sent);
    let name = format!("{}.eml", mail.notification_id);
    assert_eq!(files(&mails), [name.as_str()]);

    fs::write(mails.join(&name), "read").expect("it can be written");
    assert_eq!(send(&mailer, &mail, ADA).await, DeliveryOutcome::Sent);
    assert_eq!(files(&mails), [name.as_str()]);
    assert_eq!(
        fs::read_to_string(mails.join(&name)).expect("a file"),
        "read"
    );
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_tried_again() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mailer = Mailer::folder(sender(), file.path().to_owned());
    let outcome = send(&mailer, &confirmation(), ADA).await;
    assert!(
        matches!(outcome, DeliveryOutcome::Failed { .. }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn without_a_way_out_nothing_is_tried_again() {
    let outcome = send(&Mailer::off(sender()), &confirmation(), ADA).await;
    assert_eq!(outcome, undeliverable("no mail transport is configured"));
}

#[tokio::test]
async fn what_is_no_address_is_not_tried_again() {
    let outcome = send(&Mailer::off(sender()), &confirmation(), "ada@-.-").await;
    assert_eq!(outcome, undeliverable("the address is none"));
}

/// One that the library takes, and would not read back from a header.
#[tokio::test]
async fn an_unusual_address_is_written_to() {
    let mail = confirmation();
    for address in ["ada@[127.0.0.1]", "\"a@b\"@example.com"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mailer = Mailer::folder(sender(), folder.path().to_owned());
        let outcome = send(&mailer, &mail, address).await;
        assert_eq!(outcome, DeliveryOutcome::Sent, "{address}");
        let file = folder.path().join(format!("{}.eml", mail.notification_id));
        let written = fs::read_to_string(file).expect("a file");
        assert!(
            written.lines().any(|line| line == format!("To: {address}")),
            "{written}"
        );

        let sink = MailSink::start("250 welcome").await;
        let outcome = send(&by_server(&sink.address), &mail, address).await;
        assert_eq!(outcome, DeliveryOutcome::Sent, "{address}");
        let mails = sink.mails();
        let recipient = format!("RCPT TO:<{address}>");
        assert!(
            mails.iter().any(|mail| mail.contains(&recipient)),
            "{mails:?}"
        );

        let outcome = send(&Mailer::off(sender()), &mail, address).await;
        assert_eq!(outcome, undeliverable("no mail transport is configured"));
    }
}

/// Its local part is `"a b"`, with the quotes, and would be `a b` in a header that is read back.
#[tokio::test]
async fn a_sender_that_cannot_be_written_is_told_of() {
    let sender = r#""\"a b\""@example.com"#.parse().expect("a sender");
    let outcome = send(&Mailer::off(sender), &confirmation(), ADA).await;
    assert_eq!(outcome, failed("no mail can be written from this sender"));
}

#[tokio::test]
async fn a_mail_arrives_at_a_server() {
    let sink = MailSink::start("250 welcome").await;
    let mail = confirmation();
    let sent = send(&by_server(&sink.address), &mail, ADA).await;
    assert_eq!(sent, DeliveryOutcome::Sent);
    let mails = sink.mails();
    let [arrived] = mails.as_slice() else {
        panic!("{mails:?} is not one mail");
    };
    for part in [
        "MAIL FROM:<orders@offset-zero.example>",
        "RCPT TO:<ada@example.com>",
        "Subject: We have your order\r\n",
        &format!("Message-ID: <{}@offset-zero>\r\n", mail.notification_id),
        &format!("Your order: {}\r\n", mail.order_id),
    ] {
        assert!(arrived.contains(part), "{part}: {arrived}");
    }
}

/// Whatever the server writes about the customer stays out of the log.
#[tokio::test]
async fn a_server_that_says_no_is_quoted_by_its_code() {
    for (answer, expected) in [
        (
            "550 ada@example.com is not known",
            undeliverable("the mail server answered 550"),
        ),
        ("530 log in first", failed("the mail server answered 530")),
        (
            "451 ada@example.com is busy",
            failed("the mail server answered 451"),
        ),
    ] {
        let sink = MailSink::start(answer).await;
        let outcome = send(&by_server(&sink.address), &confirmation(), ADA).await;
        assert_eq!(outcome, expected, "{answer}");
        assert!(sink.mails().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again() {
    let (_kept, address) = nobody();
    let outcome = send(&by_server(&address), &confirmation(), ADA).await;
    assert_eq!(outcome, failed("the mail server cannot be reached"));
}
