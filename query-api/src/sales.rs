//! `GET /v1/sales/daily`: the newest day first, as the projection `sales_daily` has them.

use axum::{Json, extract::State};
use chrono::{Datelike, NaiveDate};
use runtime::{extract::ApiQuery, problem::Problem};
use serde::{Deserialize, Serialize};
use sqlx::{Error, PgConnection};
use utoipa::{IntoParams, ToSchema};

use crate::{
    database::Database,
    integer,
    json::{Money, Unparsed},
    min_position::{MinPosition, WaitHeaders},
    page::{self, SortKey},
    snapshot::{self, Read},
};

/// Which days, and how many of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Only this day and later ones.
    from: Option<NaiveDate>,
    /// Only this day and earlier ones.
    to: Option<NaiveDate>,
    /// At most so many.
    #[serde(default, deserialize_with = "integer::read")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before, with the same days.
    cursor: Option<String>,
}

/// What was sold on a day for one currency. An order is sold when its goods leave.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SalesDay {
    /// In UTC.
    day: NaiveDate,
    #[schema(example = "EUR")]
    currency: String,
    orders: i64,
    #[schema(value_type = Money)]
    revenue: Unparsed,
    /// Pieces.
    units: i64,
}

/// A page of days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SalesDays {
    items: Vec<SalesDay>,
    /// Leads to the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Lists what was sold, by day and currency, the newest day first; days without a sale are left out.
#[utoipa::path(
    get,
    path = "/v1/sales/daily",
    params(Parameters, WaitHeaders),
    responses(
        (status = 200, body = SalesDays),
        (status = 400, description = "`invalid-query`, `invalid-cursor`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_sales_daily(
    State(database): State<Database>,
    ApiQuery(parameters): ApiQuery<Parameters>,
    min: MinPosition,
) -> Result<Json<SalesDays>, Problem> {
    parameters.validate()?;
    let list = format!("sales {:?}", (parameters.from, parameters.to));
    let page = Page {
        from: parameters.from,
        to: parameters.to,
        after: page::after(parameters.cursor.as_deref(), &list)?,
        limit: parameters.limit.unwrap_or(page::DEFAULT_LIMIT),
    };
    let limit = page.limit;

    let mut items = snapshot::read(&database, page, &min).await?;
    let next_cursor = page::cut(&mut items, limit, &list, |item| Key {
        day: item.day,
        currency: item.currency.clone(),
    });
    Ok(Json(SalesDays { items, next_cursor }))
}

impl Parameters {
    fn validate(&self) -> Result<(), Problem> {
        let mut problem = page::check_limit(Problem::validation(), self.limit);
        for (pointer, day) in [("/from", self.from), ("/to", self.to)] {
            // What RFC 3339 can say; Postgres cannot hold all that chrono can.
            if day.is_some_and(|day| !(0..=9999).contains(&day.year())) {
                problem = problem.error(pointer, "out-of-range", "the year has to be 0 to 9999");
            }
        }
        problem.if_any()
    }
}

/// The newest day first, and its currencies in the order of their letters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    day: NaiveDate,
    currency: String,
}

impl SortKey for Key {
    fn to_bytes(&self) -> Vec<u8> {
        let day = self.day.num_days_from_ce().to_be_bytes();
        [day.as_slice(), self.currency.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (day, currency) = bytes.split_first_chunk::<4>()?;
        Some(Self {
            day: page::day(*day)?,
            currency: page::text(currency)?,
        })
    }
}

#[derive(Clone)]
struct Page {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    after: Option<Key>,
    limit: i64,
}

impl Read for Page {
    type Answer = Vec<SalesDay>;

    const PROJECTION: &'static str = "sales_daily";

    // How much of the table is read depends on which days are given.
    const IS_PLANNED: bool = true;

    const IS_OF_MANY: bool = true;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        // A row is what one partition adds to its day. What those of a foreign producer add up to may be more than can be held.
        sqlx::query_as!(
            SalesDay,
            r#"
            select day, currency, sum(orders)::bigint as "orders!",
                   json_build_object('amount', least(sum(revenue), 9223372036854775807), 'currency', currency) as "revenue!: _",
                   least(sum(units), 9223372036854775807)::bigint as "units!"
            from sales_daily
            where ($1::date is null or day >= $1)
              and ($2::date is null or day <= $2)
              and ($3::date is null or (day <= $3 and (day < $3 or currency > $4::text)))
            group by day, currency
            order by day desc, currency
            limit $5
            "#,
            self.from,
            self.to,
            self.after.as_ref().map(|key| key.day),
            self.after.as_ref().map(|key| key.currency.as_str()),
            self.limit + 1,
        )
        .fetch_all(connection)
        .await
    }
}
