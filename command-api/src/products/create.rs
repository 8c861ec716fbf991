//! `POST /v1/products`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{
    ids::Sku,
    product::{
        ProductCommand,
        catalogue::{CatalogueCommand, CreateProduct},
    },
};
use runtime::{extract::ApiJson, object, problem::Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ProductService, answer, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{ANONYMOUS, Received, first_answer},
    intake::{CommandHeaders, Intake},
    problems,
    validation::{MoneyBody, Validation},
};

const PATH: &str = "/v1/products";

/// A product to be.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = CreateProduct)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateProductBody {
    /// Neither `.` nor `..`, which no path can name.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "TEA-EARL-GREY")]
    sku: String,
    /// What people call it.
    #[schema(min_length = 1, max_length = 200, example = "Earl Grey, 250 g")]
    name: String,
    #[serde(deserialize_with = "object::one")]
    price: MoneyBody,
}

/// Adds a product to the catalogue, with an empty stock.
#[utoipa::path(
    post,
    path = "/v1/products",
    tag = "products",
    params(CommandHeaders),
    request_body = CreateProductBody,
    responses(
        (status = 201, body = CommandAnswer, headers(
            ("location" = String, description = "Where the query API shows it"),
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`product-exists`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_product(
    State(service): State<ProductService>,
    intake: Intake,
    ApiJson(body): ApiJson<CreateProductBody>,
) -> Result<Answered, Problem> {
    let command = body.parse(intake.received_at)?;
    let sku = command.sku.clone();
    // Ids of events follow from the command's, so one key for two products must not make one command.
    let command_id = intake.command_id(sku.as_str(), PATH);
    let (correlation_id, is_free) = match intake.has_key() {
        true => {
            // What begins with one key shows that it is one.
            let journey = intake.command_id(ANONYMOUS, PATH).as_uuid();
            (journey, is_free(&service, journey, &sku).await)
        }
        false => (command_id.as_uuid(), Ok(())),
    };
    let received = Received {
        intake,
        command_id,
        correlation_id,
        actor: ANONYMOUS.into(),
        body: &body,
    };
    let command = ProductCommand::Catalogue(CatalogueCommand::Create(command));
    let answered = match is_free {
        Ok(()) => execute(&service.store, command, &sku, received).await?,
        // Whatever is known of the key elsewhere, a repetition gets the first answer.
        Err(problem) => {
            let accepted = first_answer(&service.store, command, received, problem).await?;
            answer(&sku, &accepted)?
        }
    };
    Ok(answered.created(format!("{PATH}/{sku}")))
}

/// Whether the key has created no other product: the writers of two know nothing of each other's keys.
async fn is_free(service: &ProductService, journey: Uuid, sku: &Sku) -> Result<(), Problem> {
    match service.catalogue.has_created_another(journey, sku).await? {
        true => Err(problems::key_reused()),
        false => Ok(()),
    }
}

impl CreateProductBody {
    fn parse(&self, created_at: DateTime<Utc>) -> Result<CreateProduct, Problem> {
        let mut validation = Validation::default();
        let sku = validation.parse(format_args!("/sku"), &self.sku);
        let name = validation.parse(format_args!("/name"), &self.name);
        let price = validation.money(format_args!("/price"), &self.price);
        let (Some(sku), Some(name), Some(price)) = (sku, name, price) else {
            return Err(validation.into_problem());
        };
        Ok(CreateProduct {
            sku,
            name,
            price,
            created_at,
        })
    }
}
