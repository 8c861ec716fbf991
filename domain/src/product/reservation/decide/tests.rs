use crate::{
    Context,
    product::{ProductEvent, Products, testing::*},
    quantity::SkuUnits,
};

/// Two of A, one of B, three of C.
fn lines() -> [SkuUnits; 3] {
    [line("A", 2), line("B", 1), line("C", 3)]
}

/// The first so many lines are held, the next one is awaited.
fn collecting(held: usize) -> Vec<ProductEvent> {
    let requests = lines().into_iter().take(held + 1).map(requested);
    [reservation_opened(&lines())]
        .into_iter()
        .chain(requests)
        .collect()
}

fn after(held: usize, event: ProductEvent) -> Vec<ProductEvent> {
    collecting(held).into_iter().chain([event]).collect()
}

fn holding_all() -> Vec<ProductEvent> {
    after(2, confirmed(&lines()))
}

#[test]
fn a_reservation_begins_with_its_first_line() {
    given(&[])
        .when(&open(&lines()))
        .then(&[reservation_opened(&lines()), requested(line("A", 2))]);
}

#[test]
fn lines_are_taken_in_the_order_of_skus_each_once() {
    let jumbled = [line("C", 3), line("A", 1), line("B", 1), line("A", 1)];
    given(&[])
        .when(&open(&jumbled))
        .then(&[reservation_opened(&lines()), requested(line("A", 2))]);
}

#[test]
fn who_needs_nothing_has_everything() {
    given(&[])
        .when(&open(&[]))
        .then(&[reservation_opened(&[]), confirmed(&[])]);
}

#[test]
fn one_line_follows_the_other_until_all_are_held() {
    for (held, next) in [(0, line("B", 1)), (1, line("C", 3))] {
        let sku = &lines()[held].sku;
        given(&collecting(held))
            .when(&answer_reserved(sku.as_str()))
            .then(&[requested(next)]);
    }
    given(&collecting(2))
        .when(&answer_reserved("C"))
        .then(&[confirmed(&lines())]);
}

#[test]
fn what_is_held_already_changes_nothing() {
    given(&collecting(1)).when(&answer_reserved("A")).then(&[]);
    for sku in ["A", "B", "C"] {
        given(&holding_all()).when(&answer_reserved(sku)).then(&[]);
    }
}

#[test]
fn what_is_missing_makes_everything_go_back() {
    for (held, released) in [(0, &[] as &[&str]), (1, &["A"]), (2, &["A", "B"])] {
        let missing = lines()[held].clone();
        given(&collecting(held))
            .when(&answer_denied(missing.sku.as_str(), 0))
            .then(&[rejected(missing, 0, released)]);
    }
}

#[test]
fn a_refusal_that_nobody_waits_for_changes_nothing() {
    for history in [
        vec![],
        collecting(1),
        holding_all(),
        after(1, rejected(line("B", 1), 0, &["A"])),
        after(1, cancelled(&["A", "B"])),
    ] {
        for sku in ["A", "C", "D"] {
            given(&history).when(&answer_denied(sku, 0)).then(&[]);
        }
    }
}

#[test]
fn what_nobody_waits_for_goes_back() {
    for (history, sku) in [
        (vec![], "A"),
        (collecting(1), "C"),
        (collecting(1), "D"),
        (holding_all(), "D"),
        (after(1, rejected(line("B", 1), 0, &["A"])), "B"),
        (after(1, cancelled(&["A", "B"])), "B"),
    ] {
        given(&history)
            .when(&answer_reserved(sku))
            .then(&[returned(sku)]);
    }
}

#[test]
fn what_went_back_leaves_the_rest_as_it_was() {
    given(&after(1, returned("D")))
        .when(&answer_reserved("B"))
        .then(&[requested(line("C", 3))]);
}

#[test]
fn a_second_check_waits_for_the_same_answer() {
    given(&collecting(1)).when(&open(&lines())).then(&[]);
}

#[test]
fn a_check_of_what_is_confirmed_is_answered_again() {
    given(&holding_all())
        .when(&open(&lines()))
        .then(&[confirmed(&lines())]);
}

#[test]
fn a_check_of_what_was_rejected_takes_nothing() {
    let released = rejected(line("B", 1), 0, &["A"]);
    let history = after(1, released);
    given(&history).when(&open(&lines())).then(&[]);
}

#[test]
fn what_is_held_or_awaited_is_given_back_by_a_cancellation() {
    for (history, released) in [
        (collecting(0), &["A"] as &[&str]),
        (collecting(1), &["A", "B"]),
        (collecting(2), &["A", "B", "C"]),
        (holding_all(), &["A", "B", "C"]),
    ] {
        given(&history).when(&cancel()).then(&[cancelled(released)]);
    }
}

#[test]
fn a_cancellation_that_finds_nothing_is_remembered() {
    for history in [vec![], after(1, rejected(line("B", 1), 0, &["A"]))] {
        given(&history).when(&cancel()).then(&[cancelled(&[])]);
    }
    given(&[cancelled(&[])]).when(&open(&lines())).then(&[]);
}

#[test]
fn a_cancelled_reservation_stays_so() {
    let reservation = given(&after(1, cancelled(&["A", "B"])));
    reservation.when(&cancel()).then(&[]);
    reservation.when(&open(&lines())).then(&[]);
}

fn sent() -> Vec<ProductEvent> {
    [holding_all(), vec![reservation_committed(&lines())]].concat()
}

#[test]
fn what_is_held_leaves_at_once() {
    given(&holding_all())
        .when(&fulfil())
        .then(&[reservation_committed(&lines())]);
}

#[test]
fn nothing_leaves_that_is_not_held_and_nothing_twice() {
    for history in [
        vec![],
        collecting(2),
        after(1, rejected(line("B", 1), 0, &["A"])),
        after(2, cancelled(&["A", "B", "C"])),
        sent(),
    ] {
        given(&history).when(&fulfil()).then(&[]);
    }
}

#[test]
fn what_has_left_is_not_collected_nor_given_back() {
    let reservation = given(&sent());
    reservation.when(&open(&lines())).then(&[]);
    reservation.when(&cancel()).then(&[]);
    reservation.when(&answer_denied("A", 0)).then(&[]);
}

/// A stock that was asked twice must not keep it.
#[test]
fn what_is_set_aside_after_the_goods_have_left_goes_back() {
    given(&sent())
        .when(&answer_reserved("A"))
        .then(&[returned("A")]);
}

#[test]
fn every_stage_has_a_status() {
    let told = |history: &[ProductEvent]| Products::status(&replay(history)).as_str();
    for (history, status) in [
        (collecting(0), "collecting"),
        (holding_all(), "confirmed"),
        (after(0, rejected(line("A", 2), 0, &[])), "rejected"),
        (after(0, cancelled(&["A"])), "cancelled"),
        (sent(), "committed"),
    ] {
        assert_eq!(told(&history), Some(status));
    }
}

#[test]
fn the_question_itself_is_not_part_of_the_answer() {
    given(&[check(&lines())])
        .when(&open(&lines()))
        .then(&[reservation_opened(&lines()), requested(line("A", 2))]);
}
