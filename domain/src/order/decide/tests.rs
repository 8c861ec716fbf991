use super::{MAX_PAYMENTS, OrderRejection::*};
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
        paying(),
        sold(),
        dispatching(),
        refused(),
    ]
    .iter()
    .chain(&gone())
    .chain(&called_off())
    .chain(&ended())
    {
        given(history)
            .when(&place(lines()))
            .then_rejected(OrderAlreadyExists);
    }
}

#[test]
fn an_order_whose_stock_is_set_aside_asks_for_its_money() {
    for amount in [None, Some(total())] {
        given(&awaiting_payment())
            .when(&pay(1, amount))
            .then(&asked(1, 1, 1));
    }
}

#[test]
fn so_many_payments_are_tried_and_no_more() {
    let mut history = awaiting_payment();
    for number in 1..=MAX_PAYMENTS {
        let payment = u128::from(number);
        given(&history)
            .when(&pay(payment, None))
            .then(&asked(payment, number, 1));
        history.extend(asked(payment, number, 1));
        history.push(failed(payment));
    }
    let order = given(&history);
    order.when(&pay(1_000, None)).then_rejected(TooManyPayments);
    order.when(&cancel()).then(&[cancelled()]);
}

#[test]
fn after_a_payment_that_failed_another_one_may_be_made() {
    let history = [paying(), vec![failed(1)]].concat();
    given(&history).when(&pay(2, None)).then(&asked(2, 2, 1));
}

#[test]
fn one_payment_is_under_way() {
    let order = given(&paying());
    order.when(&pay(1, None)).then(&[]);
    order.when(&pay(2, None)).then_rejected(PaymentInProgress);
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
    for history in [sold(), dispatching(), refused()].iter().chain(&gone()) {
        let order = given(history);
        order.when(&pay(2, None)).then_rejected(OrderAlreadyPaid);
        order.when(&pay(1, None)).then(&[]);
    }
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
        [paying(), vec![failed(1)]].concat(),
    ] {
        given(&history).when(&cancel()).then(&[cancelled()]);
    }
}

#[test]
fn an_order_is_cancelled_with_its_payment_until_its_goods_may_leave() {
    for history in [paying(), sold()] {
        given(&history)
            .when(&cancel())
            .then(&[cancelled_with(Some(1))]);
    }
}

/// Nobody has to look any more, unless undoing it gets stuck.
#[test]
fn an_order_whose_money_could_not_be_taken_is_cancelled() {
    let end = [cancelled_with(Some(1)), resumed_by_cancel(1)];
    given(&refused()).when(&cancel()).then(&end);
    let history = [refused(), end.into()].concat();
    assert_eq!(replay(&history).stuck, None);
    given(&history)
        .when(&mark_stuck_by(Some(1)))
        .then(&[stuck_by(Some(1))]);
}

#[test]
fn what_else_is_stuck_stays_so_when_the_order_is_cancelled() {
    for other in [None, Some(2)] {
        let history = [refused(), vec![stuck_by(other)]].concat();
        given(&history)
            .when(&cancel())
            .then(&[cancelled_with(Some(1))]);
    }
    // That payment was undone before, and is still.
    let history = [paying(), vec![failed(1), stuck_by(Some(1))]].concat();
    given(&history).when(&cancel()).then(&[cancelled()]);
}

#[test]
fn an_order_whose_goods_may_leave_is_not_cancelled() {
    let tried_again = [refused(), vec![resumed_with(Some(1)), approved(6)]].concat();
    for history in [dispatching(), tried_again].iter().chain(&gone()) {
        given(history)
            .when(&cancel())
            .then_rejected(OrderAlreadyShipped);
    }
}

#[test]
fn a_cancelled_order_stays_so() {
    for history in called_off() {
        let order = given(&history);
        order.when(&pay(1, None)).then_rejected(OrderCancelled);
        order.when(&cancel()).then_rejected(OrderCancelled);
    }
}
