use super::StockRejection::*;
use crate::{
    Context,
    product::{ProductEvent, Products, stock::StockItem, testing::*},
};

/// So many, and what happened to them.
fn stock(quantity: i64, then: &[ProductEvent]) -> Given {
    let begin = [stock_opened(), received(quantity)];
    given(&[begin.as_slice(), then].concat())
}

#[test]
fn goods_are_received_into_an_open_stock() {
    given(&[stock_opened()])
        .when(&receive(5))
        .then(&[received(5)]);
    given(&[]).when(&receive(5)).then_rejected(ProductNotFound);
}

#[test]
fn what_is_there_is_reserved() {
    stock(5, &[]).when(&reserve(1, 5)).then(&[reserved(1, 5)]);
    stock(5, &[reserved(1, 2)])
        .when(&reserve(2, 3))
        .then(&[reserved(2, 3)]);
}

#[test]
fn what_cannot_be_there_is_denied() {
    stock(5, &[]).when(&reserve(1, 6)).then(&[denied(1, 6, 5)]);
    stock(5, &[reserved(1, 2), allocated(1)])
        .when(&reserve(2, 4))
        .then(&[denied(2, 4, 3)]);
}

#[test]
fn a_stock_that_is_not_open_answers_all_the_same() {
    given(&[]).when(&reserve(1, 1)).then(&[denied(1, 1, 0)]);
    let unopened = given(&[denied(1, 1, 0)]);
    unopened.when(&reserve(2, 1)).then(&[denied(2, 1, 0)]);
    unopened.when(&receive(5)).then_rejected(ProductNotFound);
    for command in [allocate(1), release(1), commit(1)] {
        unopened.when(&command).then(&[]);
    }
    given(&[denied(1, 1, 0), stock_opened(), received(5)])
        .when(&reserve(1, 1))
        .then(&[reserved(1, 1)]);
}

#[test]
fn what_an_undecided_order_holds_is_waited_for() {
    stock(5, &[reserved(1, 4)])
        .when(&reserve(2, 5))
        .then(&[awaited(2, 5)]);
    stock(5, &[reserved(1, 4)])
        .when(&reserve(2, 6))
        .then(&[denied(2, 6, 1)]);
}

#[test]
fn nobody_overtakes_who_waits_nor_is_refused_for_it() {
    stock(5, &[reserved(1, 4), awaited(2, 5)])
        .when(&reserve(3, 1))
        .then(&[awaited(3, 1)]);
}

#[test]
fn an_order_reserves_once() {
    let stock = stock(
        5,
        &[reserved(1, 4), awaited(2, 5), reserved(3, 1), allocated(3)],
    );
    for number in [1, 2, 3] {
        stock.when(&reserve(number, 1)).then(&[]);
    }
}

#[test]
fn an_order_that_was_denied_or_gave_back_may_ask_again() {
    for history in [
        vec![denied(1, 6, 5)],
        vec![reserved(1, 5), released(1, 5)],
        vec![reserved(1, 5), allocated(1), released(1, 5)],
    ] {
        stock(5, &history)
            .when(&reserve(1, 5))
            .then(&[reserved(1, 5)]);
    }
}

#[test]
fn who_waits_is_denied_when_nothing_can_come_back() {
    stock(5, &[reserved(1, 4), awaited(2, 5)])
        .when(&allocate(1))
        .then(&[allocated(1), denied(2, 5, 1)]);
}

#[test]
fn who_waited_behind_a_denied_one_is_served_at_once() {
    stock(5, &[reserved(1, 4), awaited(2, 5), awaited(3, 1)])
        .when(&allocate(1))
        .then(&[allocated(1), denied(2, 5, 1), reserved(3, 1)]);
}

#[test]
fn who_can_still_be_served_goes_on_waiting() {
    let history = [reserved(1, 2), reserved(2, 3), awaited(3, 3), awaited(4, 5)];
    let stock = stock(5, &history);
    stock
        .when(&allocate(1))
        .then(&[allocated(1), denied(4, 5, 0)]);
    stock.when(&release(1)).then(&[released(1, 2)]);
}

#[test]
fn an_order_is_allocated_once_and_only_what_it_holds() {
    let stock = stock(5, &[reserved(1, 4), allocated(1), awaited(2, 1)]);
    for number in [1, 2, 3] {
        stock.when(&allocate(number)).then(&[]);
    }
}

#[test]
fn what_comes_back_serves_those_who_wait_in_their_order() {
    let history = [reserved(1, 5), awaited(2, 2), awaited(3, 2), awaited(4, 2)];
    stock(5, &history)
        .when(&release(1))
        .then(&[released(1, 5), reserved(2, 2), reserved(3, 2)]);
}

#[test]
fn what_was_allocated_comes_back_as_well() {
    let history = [reserved(1, 3), allocated(1), reserved(2, 2), awaited(3, 2)];
    stock(5, &history)
        .when(&release(1))
        .then(&[released(1, 3), reserved(3, 2)]);
}

#[test]
fn who_gives_up_waiting_makes_room_for_those_behind() {
    let history = [reserved(1, 4), awaited(2, 5), awaited(3, 1)];
    stock(5, &history)
        .when(&release(2))
        .then(&[released(2, 0), reserved(3, 1)]);
}

#[test]
fn what_is_not_held_is_neither_released_nor_committed() {
    for history in [vec![], vec![reserved(1, 4), released(1, 4)]] {
        let stock = stock(5, &history);
        stock.when(&release(1)).then(&[]);
        stock.when(&commit(1)).then(&[]);
    }
}

#[test]
fn what_has_left_is_there_no_more() {
    stock(5, &[reserved(1, 4), allocated(1)])
        .when(&commit(1))
        .then(&[committed(1, 4)]);
    let stock = stock(5, &[reserved(1, 4), allocated(1), committed(1, 4)]);
    stock.when(&commit(1)).then(&[]);
    stock.when(&release(1)).then(&[]);
    stock.when(&reserve(2, 2)).then(&[denied(2, 2, 1)]);
}

#[test]
fn what_leaves_undecided_can_be_hoped_for_no_more() {
    stock(5, &[reserved(1, 4), awaited(2, 5), awaited(3, 1)])
        .when(&commit(1))
        .then(&[committed(1, 4), denied(2, 5, 1), reserved(3, 1)]);
}

#[test]
fn new_goods_serve_those_who_wait() {
    let history = [reserved(1, 5), awaited(2, 4), awaited(3, 1)];
    let stock = stock(5, &history);
    stock.when(&receive(3)).then(&[received(3)]);
    stock
        .when(&receive(5))
        .then(&[received(5), reserved(2, 4), reserved(3, 1)]);
}

#[test]
fn only_so_many_wait() {
    let waiting = (2..)
        .take(StockItem::MAX_WAITING)
        .map(|number| awaited(number, 1));
    let history: Vec<_> = [reserved(1, 5)].into_iter().chain(waiting).collect();
    stock(5, &history)
        .when(&reserve(9_999, 1))
        .then(&[denied(9_999, 1, 0)]);
    stock(5, &history[..history.len() - 1])
        .when(&reserve(9_999, 1))
        .then(&[awaited(9_999, 1)]);
}

#[test]
fn clients_are_told_of_a_stock_that_is_open() {
    let told = |history: &[ProductEvent]| Products::status(&replay(history)).as_str();
    assert_eq!(told(&[denied(1, 1, 0)]), None);
    assert_eq!(told(&[stock_opened()]), Some("in_stock"));
}
