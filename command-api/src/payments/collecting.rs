//! Asks the gateway because something has happened, and records what it hears.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{
    Event,
    money::Money,
    payment::{
        GatewayDetail, GatewayOutcome, GatewayRequest, PaymentCommand, PaymentEvent, PaymentStream,
        Payments, RecordOutcome, asks,
    },
    policy::{Cause, Reaction},
    sealed::SealedMethod,
    topics,
};
use event_store::{Doing, Reactor, Recorded, clock};
use uuid::Uuid;

use super::{
    gateway::{Gateway, GatewayOrder, OpenedMethod},
    sealing::PaymentKey,
};

/// Label of the command. Never renamed: what is in the log was named by it.
const RECORD: &str = "record-outcome";
/// For so long gateways remember a request by its name. Where the event is older, what it asks for is asked about, and not sent.
const NAMES_LIVE: TimeDelta = TimeDelta::hours(20);

/// The payment service's effect. A request that is sent again has the same name, so that the gateway carries it out once.
pub struct Collecting {
    /// Who is asked.
    pub gateway: Arc<dyn Gateway>,
    /// What payment methods were sealed with.
    pub key: PaymentKey,
}

impl Reactor for Collecting {
    type Context = Payments;
    type Event = PaymentEvent;

    const NAME: &'static str = "payment-gateway";
    const TOPICS: &'static [&'static str] = &[topics::PAYMENT_EVENTS];

    fn react(&self, recorded: &Recorded<PaymentEvent>, cause: Cause) -> Doing<PaymentCommand> {
        let Some((request_id, request)) = asks(&recorded.event) else {
            return Doing::nothing();
        };
        let asking = Asking {
            gateway: Arc::clone(&self.gateway),
            key: self.key.clone(),
            stream: recorded.event.stream(),
            request_id,
            is_asked_about_first: matches!(recorded.event, PaymentEvent::Reconciling(_)),
            is_old: cause.now - recorded.metadata.time > NAMES_LIVE,
        };
        Doing::Effect(Box::pin(
            async move { vec![asking.ask(request, cause).await] },
        ))
    }
}

/// One request on its way.
struct Asking {
    gateway: Arc<dyn Gateway>,
    key: PaymentKey,
    stream: PaymentStream,
    request_id: Uuid,
    is_asked_about_first: bool,
    /// So that the gateway may have forgotten it.
    is_old: bool,
}

impl Asking {
    async fn ask(self, request: GatewayRequest, cause: Cause) -> Reaction<PaymentCommand> {
        let operation = request.operation();
        let outcome = self.outcome(request).await;
        let learnt_at = clock::now();
        let command = PaymentCommand::Record(RecordOutcome {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            request_id: self.request_id,
            operation,
            outcome,
            learnt_at,
        });
        cause.command(RECORD, "", command)
    }

    async fn outcome(&self, request: GatewayRequest) -> GatewayOutcome {
        if let Some(outcome) = of_nothing(&request) {
            return outcome;
        }
        let operation = request.operation();
        if self.is_asked_about_first || self.is_old {
            match self.gateway.ask(self.request_id, operation).await {
                Some(known) => return known,
                // Sent again, it might be carried out twice. A payment that still waits for it has it looked into by a younger
                // event; all others have their outcome.
                None if self.is_old => return GatewayOutcome::Unknown,
                None => {}
            }
        }
        match self.opened(request) {
            Ok(order) => self.gateway.send(self.request_id, &order).await,
            // Asking again would not help. Whether it was asked under a key that could read it, the gateway knows.
            Err(detail) => {
                let known = self.gateway.ask(self.request_id, operation).await;
                known.unwrap_or_else(|| GatewayOutcome::Refused {
                    code: "payment-method-unreadable".parse().expect("a short code"),
                    detail,
                })
            }
        }
    }

    fn opened(&self, request: GatewayRequest) -> Result<GatewayOrder, GatewayDetail> {
        let open = |method: SealedMethod| {
            let opened = self.key.open(&method, self.stream.payment_id);
            opened.map(OpenedMethod).map_err(|error| {
                tracing::error!(payment = %self.stream, %error, "cannot ask for a payment");
                error.to_string().parse().expect("a short text")
            })
        };
        Ok(GatewayOrder {
            stream: self.stream,
            request: request.opened(open)?,
        })
    }
}

/// What comes of a request about no money at all: things may be free, and no gateway takes such a request.
fn of_nothing(request: &GatewayRequest) -> Option<GatewayOutcome> {
    let is_nothing = |amount: Money| amount.amount() == 0;
    match *request {
        GatewayRequest::Authorise { amount, .. } if is_nothing(amount) => {
            Some(GatewayOutcome::Authorised {
                amount,
                gateway_ref: "nothing".parse().expect("a short text"),
            })
        }
        GatewayRequest::Capture { amount, .. } if is_nothing(amount) => {
            Some(GatewayOutcome::Captured { amount })
        }
        GatewayRequest::Refund { amount, .. } if is_nothing(amount) => {
            Some(GatewayOutcome::Refunded { amount })
        }
        GatewayRequest::Authorise { .. }
        | GatewayRequest::Capture { .. }
        | GatewayRequest::Refund { .. }
        | GatewayRequest::Void { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use chrono::{DateTime, Utc};
    use domain::payment::{Operation, PaymentVoidRequested};
    use event_store::{DecisionMark, Metadata, Position};

    use super::*;

    /// Knows nothing of any request, and counts those that it is sent or asked about.
    #[derive(Default)]
    struct Forgetful {
        sent: AtomicUsize,
        asked: AtomicUsize,
    }

    impl Forgetful {
        fn sent(&self) -> usize {
            self.sent.load(Ordering::Acquire)
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::Acquire)
        }
    }

    #[async_trait]
    impl Gateway for Forgetful {
        async fn send(&self, _: Uuid, _: &GatewayOrder) -> GatewayOutcome {
            self.sent.fetch_add(1, Ordering::AcqRel);
            GatewayOutcome::Voided
        }

        async fn ask(&self, _: Uuid, _: Operation) -> Option<GatewayOutcome> {
            self.asked.fetch_add(1, Ordering::AcqRel);
            None
        }
    }

    fn asking(gateway: &Arc<Forgetful>, is_asked_about_first: bool, is_old: bool) -> Asking {
        Asking {
            gateway: Arc::clone(gateway) as Arc<dyn Gateway>,
            key: PaymentKey::DEVELOPMENT,
            stream: PaymentStream {
                payment_id: Uuid::nil().into(),
                order_id: Uuid::nil().into(),
            },
            request_id: Uuid::nil(),
            is_asked_about_first,
            is_old,
        }
    }

    fn asked_at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 123_456_000).expect("a time")
    }

    /// Asks the gateway to let go of money.
    fn void_requested() -> Recorded<PaymentEvent> {
        let id = Uuid::nil();
        let event = PaymentVoidRequested {
            payment_id: id.into(),
            order_id: id.into(),
            authorisation: id,
            request_id: id,
            requested_at: asked_at(),
        };
        Recorded {
            position: Position {
                topic: topics::PAYMENT_EVENTS.into(),
                partition: 0,
                offset: 0,
            },
            key: id.to_string().into(),
            metadata: Metadata {
                event_id: id,
                source: "/payment".into(),
                stream: format!("payment-{id}"),
                stream_version: 3,
                time: asked_at(),
                correlation_id: id,
                causation_id: id,
                command_id: id,
                command_hash: id,
                actor: "test".into(),
                decision: DecisionMark {
                    number: 1,
                    index: 1,
                    of: 1,
                },
                traceparent: None,
            },
            event: PaymentEvent::VoidRequested(event),
        }
    }

    #[tokio::test]
    async fn for_no_money_at_all_nobody_is_asked() {
        let gateway = Arc::<Forgetful>::default();
        let amount = Money::zero("EUR".parse().expect("a currency"));
        let gateway_ref = "nothing".parse().expect("short");
        for (request, expected) in [
            (
                GatewayRequest::Capture {
                    amount,
                    gateway_ref: "a reference".parse().expect("short"),
                },
                GatewayOutcome::Captured { amount },
            ),
            (
                GatewayRequest::Authorise {
                    amount,
                    method: "v1.x".parse().expect("visible"),
                },
                GatewayOutcome::Authorised {
                    amount,
                    gateway_ref,
                },
            ),
        ] {
            let outcome = asking(&gateway, false, false).outcome(request).await;
            assert_eq!(outcome, expected);
        }
        assert_eq!((gateway.sent(), gateway.asked()), (0, 0));
    }

    #[tokio::test]
    async fn what_the_gateway_has_forgotten_is_not_sent_again() {
        for (is_asked_about_first, is_old, sent) in [
            (false, false, 1),
            (true, false, 1),
            (false, true, 0),
            (true, true, 0),
        ] {
            let gateway = Arc::<Forgetful>::default();
            let asking = asking(&gateway, is_asked_about_first, is_old);
            let authorisation = Uuid::nil();
            let outcome = asking.outcome(GatewayRequest::Void { authorisation }).await;
            let expected = match sent {
                0 => GatewayOutcome::Unknown,
                _ => GatewayOutcome::Voided,
            };
            assert_eq!(outcome, expected);
            assert_eq!(gateway.sent(), sent);
        }
    }

    /// Gateways are asked to remember for so long; what they may have forgotten could be carried out twice.
    #[tokio::test]
    async fn what_is_more_than_20_hours_old_is_asked_about_and_not_sent() {
        let limit = TimeDelta::hours(20);
        let moment = TimeDelta::microseconds(1);
        for (age, expected, sent, asked) in [
            (limit, GatewayOutcome::Voided, 1, 0),
            (limit + moment, GatewayOutcome::Unknown, 0, 1),
        ] {
            let gateway = Arc::<Forgetful>::default();
            let collecting = Collecting {
                gateway: Arc::clone(&gateway) as Arc<dyn Gateway>,
                key: PaymentKey::DEVELOPMENT,
            };
            let cause = Cause {
                event_id: Uuid::nil(),
                now: asked_at() + age,
            };
            let Doing::Effect(effect) = collecting.react(&void_requested(), cause) else {
                panic!("the gateway is asked by an effect");
            };
            let reactions = effect.await;
            let [Reaction { command, .. }] = &reactions[..] else {
                panic!("one command is expected, not {reactions:?}");
            };
            let PaymentCommand::Record(record) = command else {
                panic!("what was heard is recorded, not {command:?}");
            };
            assert_eq!(record.outcome, expected, "after {age}");
            assert_eq!((gateway.sent(), gateway.asked()), (sent, asked));
        }
    }
}
