//! A payment gateway in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use command_api::{Gateway, GatewayOrder, OpenedMethod};
use domain::payment::{GatewayOutcome, GatewayRequest, Operation};
use uuid::Uuid;

/// Does what it is asked, once for each name, and declines one token.
#[derive(Default)]
pub(crate) struct MemoryGateway {
    done: Mutex<BTreeMap<Uuid, GatewayOutcome>>,
}

impl MemoryGateway {
    fn carry_out(request: &GatewayRequest<OpenedMethod>) -> GatewayOutcome {
        match request {
            GatewayRequest::Authorise { method, .. } if method.as_str() == "tok_declined" => {
                GatewayOutcome::Refused {
                    code: "card-declined".parse().expect("short"),
                    detail: "no".parse().expect("short"),
                }
            }
            GatewayRequest::Authorise { amount, .. } => GatewayOutcome::Authorised {
                amount: *amount,
                gateway_ref: "auth".parse().expect("short"),
            },
            GatewayRequest::Capture { amount, .. } => GatewayOutcome::Captured { amount: *amount },
            GatewayRequest::Void { .. } => GatewayOutcome::Voided,
            GatewayRequest::Refund { amount, .. } => GatewayOutcome::Refunded { amount: *amount },
        }
    }
}

#[async_trait]
impl Gateway for MemoryGateway {
    async fn send(&self, request_id: Uuid, order: &GatewayOrder) -> GatewayOutcome {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = done
            .entry(request_id)
            .or_insert_with(|| Self::carry_out(&order.request));
        outcome.clone()
    }

    async fn ask(&self, request_id: Uuid, _: Operation) -> Option<GatewayOutcome> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.get(&request_id).cloned()
    }
}
