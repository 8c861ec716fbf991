use super::CatalogueRejection::*;
use crate::{
    Context,
    money::Money,
    product::{ProductEvent, ProductServiceStatus, Products, testing::*},
};

#[test]
fn a_product_is_created_with_an_empty_stock() {
    given(&[])
        .when(&create(euros(1_999)))
        .then(&[created(euros(1_999)), stock_opened()]);
}

#[test]
fn a_product_is_created_once() {
    for history in [
        vec![created(euros(1_999))],
        vec![created(euros(1_999)), discontinued()],
    ] {
        given(&history)
            .when(&create(euros(1_999)))
            .then_rejected(ProductExists);
    }
}

#[test]
fn that_it_was_created_is_remembered_however_often_it_is_repriced() {
    assert!(Products::outlasts(&created(euros(1))));
    for event in [repriced(euros(2)), discontinued(), stock_opened()] {
        assert!(!Products::outlasts(&event), "{event:?}");
    }
}

#[test]
fn what_was_not_created_can_be_neither_repriced_nor_discontinued() {
    let nothing = given(&[]);
    nothing
        .when(&reprice(euros(1)))
        .then_rejected(ProductNotFound);
    nothing.when(&discontinue()).then_rejected(ProductNotFound);
}

#[test]
fn a_product_is_repriced_even_in_another_currency() {
    let product = given(&[created(euros(1_999))]);
    let dollars = Money::new(1_999, "USD".parse().unwrap()).unwrap();
    for price in [euros(2_499), dollars] {
        product.when(&reprice(price)).then(&[repriced(price)]);
    }
    product.when(&reprice(euros(1_999))).then(&[]);
}

#[test]
fn the_last_price_counts() {
    let product = given(&[created(euros(1_999)), repriced(euros(2_499))]);
    product.when(&reprice(euros(2_499))).then(&[]);
    product
        .when(&reprice(euros(1_999)))
        .then(&[repriced(euros(1_999))]);
}

#[test]
fn a_product_is_discontinued_once_and_keeps_a_price() {
    given(&[created(euros(1_999))])
        .when(&discontinue())
        .then(&[discontinued()]);
    let product = given(&[created(euros(1_999)), discontinued()]);
    product.when(&discontinue()).then(&[]);
    product.when(&reprice(euros(1_999))).then(&[]);
    product.when(&reprice(euros(1))).then(&[repriced(euros(1))]);
}

#[test]
fn a_repriced_product_stays_discontinued() {
    let history = [created(euros(1_999)), discontinued(), repriced(euros(1))];
    given(&history).when(&discontinue()).then(&[]);
}

#[test]
fn clients_are_told_whether_it_is_sold() {
    let told = |history: &[ProductEvent]| Products::status(&replay(history)).as_str();
    assert_eq!(told(&[]), None);
    assert_eq!(told(&[created(euros(1))]), Some("active"));
    assert_eq!(
        told(&[created(euros(1)), discontinued()]),
        Some("discontinued")
    );
    assert_eq!(
        Products::status(&replay(&[])),
        ProductServiceStatus::Nothing
    );
}
