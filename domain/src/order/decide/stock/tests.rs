use crate::order::{OrderRejection::*, testing::*};

#[test]
fn the_product_service_is_asked_once() {
    given(&[placed(&lines())])
        .when(&request())
        .then(&[requested(stock_due_at()), check()]);
    given(&checking()).when(&request()).then(&[]);
    for history in past_checking() {
        given(&history).when(&request()).then(&[]);
    }
}

#[test]
fn an_order_is_confirmed() {
    given(&checking()).when(&confirm()).then(&[confirmed()]);
}

#[test]
fn a_payment_that_was_kept_is_asked_for_on_confirmation() {
    let [pending, request] = asked(1, 1, 3);
    let expected = [confirmed(), pending, request];
    for history in [
        vec![
            placed(&lines()),
            kept(1),
            requested(stock_due_at()),
            check(),
        ],
        [checking(), vec![kept(1)]].concat(),
    ] {
        given(&history).when(&confirm()).then(&expected);
    }
}

#[test]
fn an_order_is_rejected_whether_or_not_a_payment_was_kept() {
    for history in [checking(), [checking(), vec![kept(1)]].concat()] {
        given(&history).when(&reject()).then(&[rejected()]);
    }
}

#[test]
fn answers_that_come_late_or_unasked_change_nothing() {
    for history in past_checking().iter().chain([&vec![placed(&lines())]]) {
        let order = given(history);
        order.when(&confirm()).then(&[]);
        order.when(&reject()).then(&[]);
    }
}

#[test]
fn an_order_that_was_not_placed_has_no_stock() {
    for command in [request(), confirm(), reject()] {
        given(&[]).when(&command).then_rejected(OrderNotFound);
    }
}
