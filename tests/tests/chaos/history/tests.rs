//! The check itself, on histories made by hand: it lets pass what is true, and finds each kind of lie.

use std::{sync::Arc, time::Duration};

use event_store::{DecisionMark, Metadata, Position};

use super::*;
use crate::{
    run::request,
    seats::{NOTICE_EVENTS, SEAT_EVENTS},
};

/// A history under construction, of one show.
struct Made {
    begun: Instant,
    show: Uuid,
    log: Log,
    attempts: Vec<Attempt>,
}

impl Made {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            show: Uuid::now_v7(),
            log: Log {
                seats: Vec::new(),
                notices: Vec::new(),
            },
            attempts: Vec::new(),
        }
    }

    fn sell(&self, seats: u32) -> Request<Seats> {
        let show = self.show;
        request(Uuid::now_v7(), SeatCommand::Sell { show, seats })
    }

    fn give_back(&self, seats: u32) -> Request<Seats> {
        let show = self.show;
        request(Uuid::now_v7(), SeatCommand::Return { show, seats })
    }

    fn state(&self) -> u32 {
        let events = self.log.seats.iter().map(|recorded| &recorded.event);
        events.fold(0, Seats::evolve)
    }

    /// Decides and logs.
    fn commit(&mut self, request: &Request<Seats>) -> Accepted<u32> {
        let events = Seats::decide(&self.state(), &request.command).expect("accepted");
        let of = u16::try_from(events.len()).expect("few");
        let mut positions: Vec<Position> = Vec::new();
        for (index, event) in (1..=of).zip(events) {
            let (topic, to) = match event {
                SeatEvent::Noticed { .. } => (NOTICE_EVENTS, &mut self.log.notices),
                SeatEvent::Sold { .. } | SeatEvent::Returned { .. } => {
                    (SEAT_EVENTS, &mut self.log.seats)
                }
            };
            let position = Position {
                topic: Arc::from(topic),
                partition: 0,
                offset: i64::try_from(to.len()).expect("few"),
            };
            positions.retain(|known| known.topic != position.topic);
            positions.push(position.clone());
            to.push(Recorded {
                position,
                key: "show".into(),
                metadata: metadata(request, index, of),
                event,
            });
            let version = u32::try_from(self.log.seats.len()).expect("few");
            let last = match event {
                SeatEvent::Noticed { .. } => self.log.notices.last_mut(),
                SeatEvent::Sold { .. } | SeatEvent::Returned { .. } => self.log.seats.last_mut(),
            };
            last.expect("just pushed").metadata.stream_version = version;
        }
        Accepted {
            stream_version: u32::try_from(self.log.seats.len()).expect("few"),
            status: self.state(),
            positions: positions.into(),
            replayed: false,
        }
    }

    fn answer(&mut self, request: &Request<Seats>, sent_ms: u64, answer: Answer<Seats>) {
        let sent = self.begun + Duration::from_millis(sent_ms);
        self.attempts.push(Attempt {
            command_id: request.metadata.command_id,
            command_hash: request.metadata.command_hash,
            command: request.command,
            owner: 0,
            sent,
            answered: sent + Duration::from_millis(5),
            answer,
        });
    }

    fn accept(&mut self, request: &Request<Seats>, sent_ms: u64) {
        let accepted = self.commit(request);
        self.answer(request, sent_ms, Ok(accepted));
    }

    fn check(&self) -> Result<(), Disagreement> {
        check(&self.attempts, &self.log)
    }

    fn finds(&self, what: &str) {
        let found = self.check().expect_err("it is not true");
        assert!(found.to_string().contains(what), "{found}");
    }
}

fn metadata(request: &Request<Seats>, index: u16, of: u16) -> Metadata {
    let command = &request.metadata;
    Metadata {
        event_id: Uuid::now_v7(),
        source: Arc::from("/seats"),
        stream: format!("show-{}", request.command.show()),
        stream_version: 0,
        time: command.time,
        correlation_id: command.correlation_id,
        causation_id: command.causation_id,
        command_id: command.command_id,
        command_hash: command.command_hash,
        actor: Arc::clone(&command.actor),
        decision: DecisionMark {
            number: u64::try_from(command.command_id.as_u128() & 0xffff).expect("small"),
            index,
            of,
        },
        traceparent: None,
    }
}

const SOLD_OUT: Answer<Seats> = Err(Refusal::Rejected(SeatRejection::SoldOut));

/// All seats are sold, another is refused, two come back, and one of them is sold.
fn sold_out_for_a_while() -> Made {
    let mut made = Made::new();
    made.accept(&made.sell(3), 0);
    made.accept(&made.sell(2), 10);
    made.answer(&made.sell(1), 20, SOLD_OUT);
    made.accept(&made.give_back(2), 30);
    made.accept(&made.sell(1), 40);
    made
}

#[test]
fn what_is_true_passes() {
    sold_out_for_a_while().check().expect("it is true");
}

#[test]
fn a_rejection_may_be_as_old_as_its_command() {
    let mut made = sold_out_for_a_while();
    // Sent before the seats were back.
    made.answer(&made.sell(3), 28, SOLD_OUT);
    made.check().expect("it is true");
}

#[test]
fn a_rejection_of_a_state_that_has_passed_is_found() {
    let mut made = sold_out_for_a_while();
    made.answer(&made.sell(1), 50, SOLD_OUT);
    made.finds("true of no state");
}

#[test]
fn half_a_decision_is_found() {
    let mut made = sold_out_for_a_while();
    made.log.notices.pop();
    made.finds("torn");
}

#[test]
fn a_decision_that_is_there_twice_is_found() {
    let mut made = sold_out_for_a_while();
    let notice = made.log.notices[0].clone();
    made.log.notices.push(notice);
    made.finds("torn or doubled");
}

#[test]
fn two_that_decide_on_one_state_are_found() {
    let mut made = Made::new();
    let (one, other) = (made.sell(1), made.sell(1));
    made.accept(&one, 0);
    made.accept(&other, 0);
    for recorded in made.log.seats.iter_mut().chain(&mut made.log.notices) {
        recorded.metadata.stream_version = 1;
    }
    made.finds("version 1 is followed by");
}

#[test]
fn an_acceptance_that_is_not_in_the_log_is_found() {
    let mut made = sold_out_for_a_while();
    let lost = made.sell(1);
    let accepted = made.commit(&lost);
    made.log.seats.pop();
    made.log.notices.pop();
    made.answer(&lost, 50, Ok(accepted));
    made.finds("true of no state");
}

#[test]
fn what_is_said_not_to_be_applied_and_is_is_found() {
    let mut made = sold_out_for_a_while();
    let applied = made.sell(1);
    made.commit(&applied);
    let unavailable = Err(Refusal::Unavailable {
        retry_after: Duration::ZERO,
        reason: "a lie",
    });
    made.answer(&applied, 50, unavailable);
    made.finds("every answer says that it is not");
}

#[test]
fn what_was_appended_before_what_was_known_is_found() {
    let mut made = Made::new();
    let (late, early) = (made.sell(1), made.sell(1));
    let late_answer = made.commit(&late);
    let early_answer = made.commit(&early);
    made.answer(&early, 0, Ok(early_answer));
    made.answer(&late, 50, Ok(late_answer));
    made.finds("had been told");
}
