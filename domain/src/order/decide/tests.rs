use super::OrderRejection::*;
use crate::order::testing::*;

#[test]
fn an_order_is_placed() {
    given(&[]).when(&place(lines())).then(&[placed(&lines())]);
}

#[test]
fn an_order_is_placed_once() {
    for history in [
        vec![placed(&lines())],
        checking(),
        awaiting_payment(),
        sold(),
        vec![placed(&lines()), cancelled()],
    ]
    .iter()
    .chain(&ended())
    {
        given(history)
            .when(&place(lines()))
            .then_rejected(OrderAlreadyExists);
    }
}

#[test]
fn an_order_whose_stock_is_set_aside_is_paid_in_full() {
    for amount in [None, Some(total())] {
        given(&awaiting_payment())
            .when(&pay(1, amount))
            .then(&[paid(1, total())]);
    }
}

#[test]
fn a_payment_that_comes_early_is_kept() {
    for history in [vec![placed(&lines())], checking()] {
        for amount in [None, Some(total())] {
            given(&history).when(&pay(1, amount)).then(&[kept(1)]);
        }
    }
}

#[test]
fn one_payment_is_kept() {
    for history in [
        vec![placed(&lines()), kept(1)],
        vec![placed(&lines()), kept(1), requested(stock_due_at())],
        [checking(), vec![kept(1)]].concat(),
    ] {
        let order = given(&history);
        order.when(&pay(1, None)).then(&[]);
        order.when(&pay(2, None)).then_rejected(PaymentInProgress);
    }
}

#[test]
fn an_order_that_was_not_placed_can_be_neither_paid_nor_cancelled() {
    given(&[]).when(&pay(1, None)).then_rejected(OrderNotFound);
    given(&[]).when(&cancel()).then_rejected(OrderNotFound);
}

#[test]
fn what_the_customer_expects_to_pay_must_be_the_total() {
    for history in [
        vec![placed(&lines())],
        [checking(), vec![kept(1)]].concat(),
        awaiting_payment(),
    ] {
        let order = given(&history);
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
}

#[test]
fn a_paid_order_takes_no_second_payment() {
    let order = given(&sold());
    order.when(&pay(2, None)).then_rejected(OrderAlreadyPaid);
    order.when(&pay(1, None)).then(&[]);
}

#[test]
fn an_order_that_has_ended_is_neither_paid_nor_cancelled() {
    for history in ended() {
        let order = given(&history);
        order.when(&pay(1, None)).then_rejected(OrderNotPayable);
        order.when(&cancel()).then_rejected(OrderEnded);
    }
}

#[test]
fn an_order_that_is_not_paid_is_cancelled() {
    for history in [
        vec![placed(&lines())],
        checking(),
        // Nothing was taken, so nothing goes back.
        [checking(), vec![kept(1)]].concat(),
        awaiting_payment(),
    ] {
        given(&history).when(&cancel()).then(&[cancelled()]);
    }
}

#[test]
fn a_paid_order_is_cancelled_and_refunded_in_one_decision() {
    given(&sold())
        .when(&cancel())
        .then(&[cancelled(), refunded(1, total())]);
}

#[test]
fn a_cancelled_order_stays_so() {
    for history in [
        vec![placed(&lines()), cancelled()],
        [sold(), vec![cancelled(), refunded(1, total())]].concat(),
    ] {
        let order = given(&history);
        order.when(&pay(1, None)).then_rejected(OrderCancelled);
        order.when(&cancel()).then_rejected(OrderCancelled);
    }
}
