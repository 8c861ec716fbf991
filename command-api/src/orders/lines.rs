//! The lines of an order to be: what the client asks for, and what the catalogue asks for it.

use domain::{
    ids::{LineId, OrderId, Sku},
    money::Money,
    order::{OrderLine, OrderLines},
    quantity::Quantity,
};
use runtime::{object, problem::Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    catalogue::{Catalogue, Listing},
    problems::{self, LineCount, PriceChanged},
    validation::{MoneyBody, Validation},
};

/// So many of one thing.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = PlaceOrderLine)]
#[serde(deny_unknown_fields)]
pub(super) struct LineBody {
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "TEA-EARL-GREY")]
    sku: String,
    #[schema(minimum = 1, maximum = 100_000, example = 2)]
    quantity: i64,
    /// What the client has shown its customer; refused where the catalogue asks for something else.
    #[serde(
        default,
        deserialize_with = "object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    unit_price: Option<MoneyBody>,
}

/// A line as it was asked for.
pub(super) struct WantedLine {
    sku: Sku,
    quantity: Quantity,
    unit_price: Option<Money>,
}

/// Reads all lines; none, and the errors are noted, where one of them is invalid.
pub(super) fn parse(lines: &[LineBody], validation: &mut Validation) -> Option<Vec<WantedLine>> {
    if !OrderLines::COUNT.contains(&lines.len()) {
        // What is wrong with each of too many lines would be too much to tell.
        return validation.check(format_args!("/lines"), Err(LineCount));
    }
    let mut parsed = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        parsed.push(line.parse(index, validation));
    }
    parsed.into_iter().collect()
}

impl LineBody {
    fn parse(&self, index: usize, validation: &mut Validation) -> Option<WantedLine> {
        let sku = validation.parse(format_args!("/lines/{index}/sku"), &self.sku);
        let quantity = Quantity::try_from(self.quantity);
        let quantity = validation.check(format_args!("/lines/{index}/quantity"), quantity);
        let pointer = format_args!("/lines/{index}/unit_price");
        let unit_price = match &self.unit_price {
            Some(price) => validation.money(pointer, price).map(Some),
            None => Some(None),
        };
        Some(WantedLine {
            sku: sku?,
            quantity: quantity?,
            unit_price: unit_price?,
        })
    }
}

/// Gives every line the catalogue's price, which is final from now on.
///
/// Of what is wrong, the worst is told, for all lines that it is wrong with.
pub(super) async fn price(
    wanted: &[WantedLine],
    order_id: OrderId,
    catalogue: &Catalogue,
) -> Result<OrderLines, Problem> {
    let skus: Vec<_> = wanted.iter().map(|line| &line.sku).collect();
    let listings = catalogue.find(&skus).await?;
    let unknown = places(&listings, Option::is_none);
    if !unknown.is_empty() {
        return Err(problems::unknown_products(&unknown));
    }
    let listings: Vec<_> = listings.into_iter().flatten().collect();
    let discontinued = places(&listings, |listing| listing.discontinued);
    if !discontinued.is_empty() {
        return Err(problems::discontinued_products(&discontinued));
    }
    let changed = changed_prices(wanted, &listings);
    if !changed.is_empty() {
        return Err(problems::prices_changed(&changed));
    }
    let lines = wanted.iter().zip(&listings).enumerate();
    let lines = lines.map(|(index, (line, listing))| OrderLine {
        line_id: LineId::of(order_id, index),
        sku: line.sku.clone(),
        quantity: line.quantity,
        unit_price: listing.price,
    });
    OrderLines::new(lines.collect()).map_err(problems::invalid_lines)
}

fn places<T>(listings: &[T], is_wrong: impl Fn(&T) -> bool) -> Vec<usize> {
    let numbered = listings.iter().enumerate();
    let wrong = numbered.filter(|(_, listing)| is_wrong(listing));
    wrong.map(|(index, _)| index).collect()
}

fn changed_prices(wanted: &[WantedLine], listings: &[Listing]) -> Vec<(usize, PriceChanged)> {
    let numbered = wanted.iter().zip(listings).enumerate();
    let changed = numbered.filter_map(|(index, (line, listing))| {
        let given = line.unit_price.filter(|given| *given != listing.price)?;
        let changed = PriceChanged {
            current: listing.price,
            given,
        };
        Some((index, changed))
    });
    changed.collect()
}
