//! What a payment gateway is asked, and what it answers.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{money::Money, sealed::SealedMethod, text::Text};

/// The gateway's own name for an authorisation; captures and refunds refer to it.
pub type GatewayRef = Text<255>;
/// Why the gateway would not, as a stable code.
pub type GatewayCode = Text<100>;
/// Why, for people.
pub type GatewayDetail = Text<500>;

// The payment method is sealed until the gateway is called.
/// What the gateway is asked to do. Everything that it takes to ask again is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "GatewayRequest"))]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum GatewayRequest<M = SealedMethod> {
    /// Set the money aside.
    Authorise {
        /// How much.
        amount: Money,
        /// From where.
        method: M,
    },
    /// Take what was set aside.
    Capture {
        /// How much.
        amount: Money,
        /// The authorisation.
        gateway_ref: GatewayRef,
    },
    /// Let go of what was set aside, or may yet be.
    Void {
        /// The request that asked for the authorisation: it may be that no answer to it was ever heard.
        authorisation: Uuid,
    },
    /// Give back what was taken.
    Refund {
        /// How much.
        amount: Money,
        /// The authorisation.
        gateway_ref: GatewayRef,
    },
}

impl<M> GatewayRequest<M> {
    /// The same, its payment method opened.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn opened<N, E>(
        self,
        open: impl FnOnce(M) -> Result<N, E>,
    ) -> Result<GatewayRequest<N>, E> {
        Ok(match self {
            Self::Authorise { amount, method } => GatewayRequest::Authorise {
                amount,
                method: open(method)?,
            },
            Self::Capture {
                amount,
                gateway_ref,
            } => GatewayRequest::Capture {
                amount,
                gateway_ref,
            },
            Self::Void { authorisation } => GatewayRequest::Void { authorisation },
            Self::Refund {
                amount,
                gateway_ref,
            } => GatewayRequest::Refund {
                amount,
                gateway_ref,
            },
        })
    }

    /// Which of them it is.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Authorise { .. } => Operation::Authorise,
            Self::Capture { .. } => Operation::Capture,
            Self::Void { .. } => Operation::Void,
            Self::Refund { .. } => Operation::Refund,
        }
    }
}

/// What one can ask a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Set money aside.
    Authorise,
    /// Take it.
    Capture,
    /// Let go of it.
    Void,
    /// Give it back.
    Refund,
}

impl Operation {
    /// As it is spelled in JSON, and in the ids that follow from it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorise => "authorise",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatewayOutcome {
    /// The money is set aside.
    Authorised {
        /// How much.
        amount: Money,
        /// The gateway's name for it.
        gateway_ref: GatewayRef,
    },
    /// The money was taken.
    Captured {
        /// How much.
        amount: Money,
    },
    /// The authorisation is gone.
    Voided,
    /// The money went back.
    Refunded {
        /// How much.
        amount: Money,
    },
    /// The gateway would not: an authorisation was declined, or anything else refused.
    Refused {
        /// Why.
        code: GatewayCode,
        /// Why, for people.
        detail: GatewayDetail,
    },
    /// No definite answer was heard. It may have been done or not.
    Unknown,
}
