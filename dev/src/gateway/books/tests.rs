use chrono::DateTime;
use serde_json::{Value, json};

use super::*;
use crate::gateway::request::Text;

/// A gateway's books, asked in the words of its HTTP.
#[derive(Default)]
struct Desk {
    books: Books,
}

impl Desk {
    fn ask(&mut self, request: &Value) -> Result<Value, &'static str> {
        let request: Request = serde_json::from_value(request.clone()).expect("a request");
        let name = format!("auth_{}", request.request_id.0.as_str());
        let reference = Reference(Text::try_from(name).expect("text"));
        match self.books.receive(&request, reference) {
            Ok(Reception::Known(record)) => Ok(told(&record)),
            Ok(Reception::New(outcome)) => {
                let recorded_at = DateTime::UNIX_EPOCH;
                let record = Record {
                    request,
                    outcome,
                    recorded_at,
                };
                self.books.apply(record.clone());
                Ok(told(&record))
            }
            Ok(Reception::Fails) => Err("fails"),
            Err(Unacceptable::KeyReused) => Err("key reused"),
            Err(Unacceptable::Full) => Err("full"),
        }
    }

    fn status(&mut self, request: &Value) -> String {
        let told = self.ask(request).expect("an outcome");
        match told["code"].as_str() {
            Some(code) => format!("{} {code}", told["status"].as_str().expect("a status")),
            None => told["status"].as_str().expect("a status").to_owned(),
        }
    }

    fn payment(&self) -> Value {
        let payments = serde_json::to_value(self.books.payments()).expect("json");
        payments[0].clone()
    }

    fn answered(&self, request_id: &str) -> Answered {
        let id = RequestId(Text::try_from(request_id.to_owned()).expect("text"));
        let record = self.books.record(&id).expect("it is recorded");
        self.books.answered(record)
    }
}

fn told(record: &Record) -> Value {
    serde_json::to_value(record.told()).expect("json")
}

fn of_payment(request_id: &str, operation: &str, more: &Value) -> Value {
    let mut request = json!({
        "request_id": request_id, "operation": operation, "payment_id": "p", "order_id": "o"
    });
    let members = request.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    request
}

fn euros(amount: u64) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

fn authorise(request_id: &str, token: &str) -> Value {
    let more = json!({"amount": euros(1_999), "payment_method": token});
    of_payment(request_id, "authorise", &more)
}

fn capture(request_id: &str, amount: u64) -> Value {
    let more = json!({"reference": "auth_a", "amount": euros(amount)});
    of_payment(request_id, "capture", &more)
}

fn void(request_id: &str) -> Value {
    of_payment(request_id, "void", &json!({"authorisation": "a"}))
}

fn refund(request_id: &str, amount: u64) -> Value {
    let more = json!({"reference": "auth_a", "amount": euros(amount)});
    of_payment(request_id, "refund", &more)
}

#[test]
fn money_goes_there_and_back_once() {
    let mut desk = Desk::default();
    assert_eq!(
        desk.ask(&authorise("a", "tok_visa")),
        Ok(json!({
            "request_id": "a", "operation": "authorise", "payment_id": "p", "order_id": "o",
            "status": "authorised", "reference": "auth_a", "amount": euros(1_999),
        }))
    );
    assert_eq!(desk.status(&refund("r0", 1)), "refused not-captured");
    assert_eq!(desk.status(&capture("c", 1_999)), "captured");
    assert_eq!(desk.status(&capture("c", 1_999)), "captured");
    assert_eq!(desk.status(&capture("c2", 1)), "refused already-captured");
    assert_eq!(desk.status(&void("v")), "refused already-captured");
    assert_eq!(desk.status(&refund("r", 999)), "refunded");
    assert_eq!(desk.status(&refund("r", 999)), "refunded");
    assert_eq!(
        desk.status(&refund("r2", 1_001)),
        "refused amount-too-large"
    );
    assert_eq!(desk.status(&refund("r3", 1_000)), "refunded");
    assert_eq!(desk.status(&refund("r4", 1)), "refused amount-too-large");
    assert_eq!(
        desk.payment(),
        json!({
            "payment_id": "p", "order_id": "o", "currency": "EUR", "authorised": 1_999,
            "captured": 1_999, "refunded": 1_999, "voided": false, "requests": 4, "answers": 0,
        })
    );
}

#[test]
fn a_key_is_for_one_request() {
    let mut desk = Desk::default();
    desk.status(&authorise("a", "tok_visa"));
    assert_eq!(desk.ask(&authorise("a", "tok_slow")), Err("key reused"));
    assert_eq!(desk.ask(&capture("a", 1)), Err("key reused"));
    assert_eq!(desk.status(&authorise("a", "tok_visa")), "authorised");
}

#[test]
fn a_void_that_comes_first_wins() {
    let mut desk = Desk::default();
    assert_eq!(desk.status(&void("v")), "voided");
    assert_eq!(desk.payment()["voided"], true);
    assert_eq!(desk.status(&authorise("a", "tok_visa")), "declined voided");
    assert_eq!(desk.status(&void("v2")), "voided");
    assert_eq!(desk.payment()["authorised"], 0);
    // The next attempt has a request of its own.
    assert_eq!(desk.status(&authorise("a2", "tok_visa")), "authorised");
    assert_eq!(desk.payment()["voided"], false);
}

#[test]
fn what_is_voided_cannot_be_captured() {
    let mut desk = Desk::default();
    desk.status(&authorise("a", "tok_visa"));
    assert_eq!(desk.status(&void("v")), "voided");
    assert_eq!(desk.status(&void("v2")), "voided");
    assert_eq!(desk.status(&capture("c", 1)), "refused voided");
    assert_eq!(desk.status(&refund("r", 1)), "refused not-captured");
    assert_eq!(desk.payment()["voided"], true);
}

#[test]
fn a_declined_authorisation_can_be_voided_and_stays_declined() {
    let mut desk = Desk::default();
    desk.status(&authorise("a", "tok_declined"));
    assert_eq!(desk.status(&void("v")), "voided");
    assert_eq!(
        desk.status(&authorise("a", "tok_declined")),
        "declined card-declined"
    );
    assert_eq!(desk.status(&capture("c", 1)), "refused unknown-reference");
}

#[test]
fn amounts_and_payments_are_not_mixed_up() {
    let mut desk = Desk::default();
    desk.status(&authorise("a", "tok_visa"));
    assert_eq!(
        desk.status(&capture("c", 2_000)),
        "refused amount-too-large"
    );
    let mut dollars = capture("c2", 1);
    dollars["amount"]["currency"] = json!("USD");
    assert_eq!(desk.status(&dollars), "refused currency-mismatch");
    let mut dollars = authorise("a2", "tok_visa");
    dollars["amount"]["currency"] = json!("USD");
    assert_eq!(desk.status(&dollars), "declined currency-mismatch");
    for (request, amount) in [(capture("c3", 1), 0), (void("v3"), 0)] {
        let mut foreign = request;
        foreign["payment_id"] = json!("another");
        assert_eq!(desk.status(&foreign), "refused unknown-reference");
        assert_eq!(desk.payment()["captured"], amount);
    }
    let mut foreign = refund("r", 1);
    foreign["reference"] = json!("auth_unknown");
    assert_eq!(desk.status(&foreign), "refused unknown-reference");
}

#[test]
fn every_payment_method_does_what_it_is_for() {
    for (token, outcome) in [
        ("tok_visa", "authorised"),
        ("tok_slow", "authorised"),
        ("tok_timeout", "authorised"),
        ("tok_declined", "declined card-declined"),
        ("tok_insufficient_funds", "declined insufficient-funds"),
        ("tok_mastercard", "declined unknown-payment-method"),
    ] {
        assert_eq!(Desk::default().status(&authorise("a", token)), outcome);
    }
    let mut desk = Desk::default();
    let flaky = authorise("a", "tok_flaky");
    assert_eq!(desk.ask(&flaky), Err("fails"));
    assert_eq!(desk.ask(&flaky), Err("fails"));
    assert_eq!(desk.books.payments(), []);
    assert_eq!(desk.status(&flaky), "authorised");
    assert_eq!(desk.status(&flaky), "authorised");
}

#[test]
fn the_first_capture_can_be_refused_and_the_next_taken() {
    let mut desk = Desk::default();
    desk.status(&authorise("a", "tok_capture_refused"));
    assert_eq!(desk.status(&capture("c", 1_999)), "refused capture-refused");
    assert_eq!(desk.status(&capture("c", 1_999)), "refused capture-refused");
    assert_eq!(desk.status(&capture("c2", 1_999)), "captured");
}

#[test]
fn some_outcomes_are_told_late_or_never() {
    let mut desk = Desk::default();
    for (token, answered) in [
        ("tok_visa", Answered::AtOnce),
        ("tok_slow", Answered::Late),
        ("tok_timeout", Answered::Never),
        ("tok_capture_timeout", Answered::AtOnce),
    ] {
        desk.status(&authorise(token, token));
        assert_eq!(desk.answered(token), answered);
    }
    let mut desk = Desk::default();
    desk.status(&authorise("a", "tok_capture_timeout"));
    assert_eq!(desk.status(&capture("c", 1)), "captured");
    assert_eq!(desk.answered("c"), Answered::Never);
    assert_eq!(desk.status(&capture("c2", 1)), "refused already-captured");
    assert_eq!(desk.answered("c2"), Answered::AtOnce);
}
