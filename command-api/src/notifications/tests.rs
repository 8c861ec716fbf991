//! The whole way, over a log in memory: from what happens to an order to what its customer gets.

mod shop;

use std::collections::BTreeSet;

use axum::http::StatusCode;
use chrono::Utc;
use domain::{
    ids::OrderId,
    notification::{NotificationEvent, Template},
    topics::ORDER_EVENTS,
};
use event_store::{Checkpoint, Reactor, log::Log, memory::MemoryLog};

use self::shop::{PARTITIONS, Shop, TOPICS};
use super::{
    Beginning, Delivering, Mailer, Planning,
    testing::{MailSink, Receiver, files, secret, sender},
};

/// Orders and templates of what was asked for.
fn requested(events: &[NotificationEvent]) -> Vec<(OrderId, Template)> {
    let requested = events.iter().filter_map(|event| match event {
        NotificationEvent::Requested(event) => Some((event.order_id, event.message.template)),
        NotificationEvent::ContactKept(_)
        | NotificationEvent::Deferred(_)
        | NotificationEvent::Sent(_)
        | NotificationEvent::Failed(_)
        | NotificationEvent::Due(_)
        | NotificationEvent::Abandoned(_) => None,
    });
    let mut requested: Vec<_> = requested.collect();
    requested.sort();
    requested
}

fn sorted<const N: usize>(mut told: [(OrderId, Template); N]) -> [(OrderId, Template); N] {
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_mailed_and_a_system_told_until_it_listens() {
    let shop = Shop::open().await;
    let busy = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::INTERNAL_SERVER_ERROR,
    ];
    let receiver = Receiver::start(&busy).await;
    let service = shop.serve(vec![receiver.url.clone()]).await;
    let order_id = shop.place().await;
    let events = shop.ended(2).await;

    let told = receiver.told();
    assert_eq!(told.len(), 3);
    let ids = told.iter().map(|(headers, body)| {
        let verified = secret().verify(headers, body, Utc::now());
        verified.expect("each is signed").to_string()
    });
    let mut ids: Vec<_> = ids.collect();
    ids.dedup();
    let names = events.iter().filter_map(NotificationEvent::to_send);
    let mails: Vec<_> = names
        .map(|(id, _)| id.to_string())
        .filter(|id| *id != ids[0])
        .collect();
    assert_eq!(ids.len(), 1, "it has the same name each time");
    assert_eq!(mails.len(), 1, "the mail was sent once");
    assert_eq!(files(&shop.mails()), [format!("{}.eml", mails[0])]);
    let mail = std::fs::read_to_string(shop.mails().join(format!("{}.eml", mails[0])));
    assert!(mail.expect("a mail").contains(&order_id.to_string()));
    let tries = events.iter().filter_map(|event| match event {
        NotificationEvent::Sent(event) => Some(event.tries),
        _ => None,
    });
    let mut tries: Vec<_> = tries.collect();
    tries.sort_unstable();
    assert_eq!(tries, [1, 3]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_what_was_before_the_beginning() {
    let shop = Shop::open().await;
    let old = shop.place().await;
    let older = shop.place().await;
    shop.cancel(older).await;

    let service = shop.serve(vec![]).await;
    let new = shop.place().await;
    // Its customer is known, though the order is older than the service.
    shop.cancel(old).await;
    let first = sorted([
        (old, Template::Cancelled),
        (new, Template::OrderConfirmation),
    ]);
    assert_eq!(requested(&shop.ended(2).await), first);
    service.stop().await;

    let meanwhile = shop.place().await;
    let service = shop.serve(vec![]).await;
    let expected = sorted([first[0], first[1], (meanwhile, Template::OrderConfirmation)]);
    assert_eq!(requested(&shop.ended(3).await), expected);
    assert_eq!(files(&shop.mails()).len(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_history_is_told_of_it() {
    let shop = Shop::open().await;
    let old = shop.place().await;
    let mailer = Mailer::folder(sender(), shop.mails());
    let service = shop.serve_by(mailer, vec![], true).await;
    let expected = [(old, Template::OrderConfirmation)];
    assert_eq!(requested(&shop.ended(1).await), expected);
    service.stop().await;
}

/// As after a crash, when the places of both groups are lost: everything is read again, and nothing leaves again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_again_is_not_sent_again() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(&[]).await;
    let service = shop.serve(vec![receiver.url.clone()]).await;
    shop.place().await;
    let before = shop.ended(2).await;
    service.stop().await;
    for (group, topics) in [
        (Planning::NAME, &TOPICS[..]),
        (Delivering::NAME, &TOPICS[..]),
    ] {
        let starts = topics
            .iter()
            .flat_map(|topic| (0..PARTITIONS).map(|partition| Checkpoint::zero(topic, partition)));
        let starts: Vec<_> = starts.collect();
        shop.log.commit(group, &starts).expect("the log answers");
    }
    let names = files(&shop.mails());
    let written = |name: &String| {
        let metadata = std::fs::metadata(shop.mails().join(name)).expect("a file");
        metadata.modified().expect("a time")
    };
    let times: Vec<_> = names.iter().map(written).collect();

    let service = shop.serve(vec![receiver.url.clone()]).await;
    shop.place().await;
    let after = shop.ended(4).await;
    service.stop().await;
    assert_eq!(requested(&after).len(), requested(&before).len() + 2);
    assert_eq!(names.iter().map(written).collect::<Vec<_>>(), times);
    assert_eq!(receiver.told().len(), 2, "each webhook came once");
    let ids = receiver.told().into_iter().map(|(headers, _)| {
        let id = headers["webhook-id"].to_str();
        id.expect("text").to_owned()
    });
    let ids: BTreeSet<_> = ids.collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_goes_by_the_server_or_is_given_up() {
    let shop = Shop::open().await;
    let sink = MailSink::start("250 welcome").await;
    let server = format!("smtp://{}", sink.address)
        .parse()
        .expect("a server");
    let service = shop
        .serve_by(Mailer::server(sender(), server), vec![], false)
        .await;
    let order_id = shop.place().await;
    shop.ended(1).await;
    assert!(sink.mails()[0].contains(&order_id.to_string()));
    service.stop().await;

    let service = shop.serve_by(Mailer::off(sender()), vec![], false).await;
    shop.place().await;
    let events = shop.ended(2).await;
    let given_up = events.iter().find_map(|event| match event {
        NotificationEvent::Abandoned(event) => Some((event.tries, event.reason.as_str())),
        _ => None,
    });
    assert_eq!(given_up, Some((1, "no mail transport is configured")));
    service.stop().await;
}

#[test]
fn a_beginning_is_kept_and_stood_for() {
    let shop = MemoryLog::new(&TOPICS, PARTITIONS);
    let establish = |history| Beginning::establish(&shop, PARTITIONS, history).expect("a log");
    let first = establish(false);
    assert_eq!(establish(false), first);
    assert_eq!(
        establish(true),
        first,
        "history is asked for at the first start"
    );

    let forgotten = MemoryLog::new(&TOPICS, PARTITIONS);
    let place = Checkpoint {
        next_offset: 7,
        ..Checkpoint::zero(ORDER_EVENTS, 1)
    };
    let planning = Planning::NAME;
    forgotten
        .commit(planning, &[place])
        .expect("the log answers");
    let stood_for = Beginning::establish(&forgotten, PARTITIONS, false).expect("a log");
    let noted = forgotten.committed("notification-beginning", ORDER_EVENTS, 1);
    let noted = noted
        .expect("the log answers")
        .map(|noted| noted.next_offset);
    assert_eq!(noted, Some(7));
    assert_ne!(stood_for, first);

    // With a topic, a log forgets what was noted in it.
    forgotten.create_anew(ORDER_EVENTS);
    stood_for.note(&forgotten).expect("the log answers");
    let again = Beginning::establish(&forgotten, PARTITIONS, false).expect("a log");
    assert_eq!(again, stood_for);

    forgotten.set_reachable(false);
    assert!(Beginning::establish(&forgotten, PARTITIONS, false).is_err());
}
