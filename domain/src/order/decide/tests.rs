use super::OrderRejection::*;
use crate::order::testing::*;

#[test]
fn an_order_is_placed() {
    given(&[]).when(&place(lines())).then(&[placed(&lines())]);
}

#[test]
fn an_order_is_placed_once() {
    let placed = placed(&lines());
    for history in [
        vec![placed.clone()],
        vec![placed.clone(), paid(1, total())],
        vec![placed, cancelled()],
    ] {
        given(&history)
            .when(&place(lines()))
            .then_rejected(OrderAlreadyExists);
    }
}

#[test]
fn an_order_is_paid_in_full() {
    for amount in [None, Some(total())] {
        given(&[placed(&lines())])
            .when(&pay(1, amount))
            .then(&[paid(1, total())]);
    }
}

#[test]
fn an_order_that_was_not_placed_can_be_neither_paid_nor_cancelled() {
    given(&[]).when(&pay(1, None)).then_rejected(OrderNotFound);
    given(&[]).when(&cancel()).then_rejected(OrderNotFound);
}

#[test]
fn what_the_customer_expects_to_pay_must_be_the_total() {
    let order = given(&[placed(&lines())]);
    let given = money(5_496, "EUR");
    order
        .when(&pay(1, Some(given)))
        .then_rejected(AmountMismatch {
            expected: total(),
            given,
        });
    order
        .when(&pay(1, Some(money(5_497, "USD"))))
        .then_rejected(CurrencyMismatch {
            expected: "EUR".parse().unwrap(),
            given: "USD".parse().unwrap(),
        });
}

#[test]
fn a_paid_order_takes_no_second_payment() {
    let order = given(&[placed(&lines()), paid(1, total())]);
    order.when(&pay(2, None)).then_rejected(OrderAlreadyPaid);
    order.when(&pay(1, None)).then(&[]);
}

#[test]
fn an_order_that_is_not_paid_is_cancelled() {
    given(&[placed(&lines())])
        .when(&cancel())
        .then(&[cancelled()]);
}

#[test]
fn a_paid_order_is_cancelled_and_refunded_in_one_decision() {
    given(&[placed(&lines()), paid(1, total())])
        .when(&cancel())
        .then(&[cancelled(), refunded(1, total())]);
}

#[test]
fn a_cancelled_order_stays_so() {
    for history in [
        vec![placed(&lines()), cancelled()],
        vec![
            placed(&lines()),
            paid(1, total()),
            cancelled(),
            refunded(1, total()),
        ],
    ] {
        let order = given(&history);
        order.when(&pay(1, None)).then_rejected(OrderCancelled);
        order.when(&cancel()).then_rejected(OrderCancelled);
    }
}
