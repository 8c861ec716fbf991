use super::{CartRejection::*, MAX_ITEMS};
use crate::{
    Context, Event,
    cart::{Carts, testing::*},
    money::Money,
};

#[test]
fn a_cart_is_opened_by_a_customer_or_by_a_guest() {
    for name in [Some("ada"), None] {
        given(&[]).when(&open(name)).then(&[opened(name)]);
    }
}

#[test]
fn a_cart_is_opened_once() {
    for history in [vec![opened(None)], [filled(), sold().to_vec()].concat()] {
        given(&history)
            .when(&open(None))
            .then_rejected(CartAlreadyExists);
    }
}

#[test]
fn that_it_was_opened_is_remembered_however_often_it_is_changed() {
    for event in [filled(), sold().to_vec()].concat() {
        let opens = event == opened(Some("ada"));
        assert_eq!(Carts::outlasts(&event), opens, "{event:?}");
    }
}

#[test]
fn a_cart_that_was_not_opened_is_not_found() {
    let nothing = given(&[]);
    for command in [
        set("TEA", 1, money(1, "EUR")),
        remove("TEA"),
        check_out(Some("ada")),
    ] {
        nothing.when(&command).then_rejected(CartNotFound);
    }
}

#[test]
fn items_are_put_in_changed_and_taken_out() {
    let price = money(1_999, "EUR");
    let cart = given(&[opened(None), item_set("TEA", 2, price)]);
    cart.when(&set("MUG", 1, price))
        .then(&[item_set("MUG", 1, price)]);
    cart.when(&set("TEA", 3, price))
        .then(&[item_set("TEA", 3, price)]);
    let cheaper = money(1_899, "EUR");
    cart.when(&set("TEA", 2, cheaper))
        .then(&[item_set("TEA", 2, cheaper)]);
    cart.when(&remove("TEA")).then(&[item_removed("TEA")]);
}

#[test]
fn what_changes_nothing_is_no_event() {
    let price = money(1_999, "EUR");
    let cart = given(&[opened(None), item_set("TEA", 2, price)]);
    cart.when(&set("TEA", 2, price)).then(&[]);
    cart.when(&remove("MUG")).then(&[]);
    given(&[opened(None), item_set("TEA", 2, price), item_removed("TEA")])
        .when(&remove("TEA"))
        .then(&[]);
}

#[test]
fn a_cart_has_room_for_as_many_items_as_an_order_has_lines() {
    let price = money(1, "EUR");
    let skus = (0..MAX_ITEMS).map(|number| item_set(&format!("SKU-{number}"), 1, price));
    let history: Vec<_> = [opened(None)].into_iter().chain(skus).collect();
    let cart = given(&history);
    cart.when(&set("TEA", 1, price)).then_rejected(TooManyItems);
    cart.when(&set("SKU-7", 2, price))
        .then(&[item_set("SKU-7", 2, price)]);
    let decision = super::decide(&replay(&history), &check_out(Some("ada")));
    assert_eq!(decision.unwrap().len(), 2);
}

#[test]
fn a_cart_is_in_one_currency() {
    let dollars = money(1, "USD");
    given(&filled())
        .when(&set("JAM", 1, dollars))
        .then_rejected(CurrencyMismatch {
            expected: "EUR".parse().unwrap(),
            given: "USD".parse().unwrap(),
        });
    // What is alone in it may change its currency.
    given(&[opened(None), item_set("TEA", 2, money(1_999, "EUR"))])
        .when(&set("TEA", 2, dollars))
        .then(&[item_set("TEA", 2, dollars)]);
}

#[test]
fn a_cart_costs_no_more_than_money_can_say() {
    let most = money(Money::MAX_AMOUNT, "EUR");
    let cart = given(&[opened(None), item_set("TEA", 1, most)]);
    cart.when(&set("TEA", 2, most))
        .then_rejected(AmountOverflow);
    cart.when(&set("MUG", 1, money(1, "EUR")))
        .then_rejected(AmountOverflow);
    let free = money(0, "EUR");
    cart.when(&set("MUG", 1, free))
        .then(&[item_set("MUG", 1, free)]);
}

#[test]
fn a_cart_becomes_an_order_in_one_decision() {
    for name in [None, Some("ada")] {
        given(&filled()).when(&check_out(name)).then(&sold());
    }
}

#[test]
fn the_order_has_the_items_in_the_order_in_which_they_were_put_in() {
    let price = money(100, "EUR");
    let history = [
        opened(Some("ada")),
        item_set("TEA", 1, price),
        item_set("MUG", 1, price),
        item_set("JAM", 1, price),
        // What is changed keeps its place; what comes back goes to the end.
        item_set("TEA", 5, price),
        item_removed("MUG"),
        item_set("MUG", 2, price),
    ];
    let items = [("TEA", 5, price), ("JAM", 1, price), ("MUG", 2, price)];
    given(&history)
        .when(&check_out(None))
        .then(&[checked_out("ada", &items), order_placed("ada", &items)]);
}

#[test]
fn a_guest_has_to_say_who_buys() {
    let price = money(100, "EUR");
    let cart = given(&[opened(None), item_set("TEA", 1, price)]);
    cart.when(&check_out(None)).then_rejected(CustomerRequired);
    let items = [("TEA", 1, price)];
    cart.when(&check_out(Some("eve")))
        .then(&[checked_out("eve", &items), order_placed("eve", &items)]);
}

#[test]
fn a_cart_is_checked_out_by_its_own_customer() {
    given(&filled())
        .when(&check_out(Some("eve")))
        .then_rejected(CustomerMismatch);
}

#[test]
fn an_empty_cart_is_not_checked_out() {
    let price = money(100, "EUR");
    for history in [
        vec![opened(Some("ada"))],
        vec![opened(None), item_set("TEA", 1, price), item_removed("TEA")],
    ] {
        given(&history)
            .when(&check_out(None))
            .then_rejected(CartEmpty);
    }
}

#[test]
fn a_cart_that_is_checked_out_changes_no_more() {
    let cart = given(&[filled(), sold().to_vec()].concat());
    for command in [
        set("TEA", 1, money(1, "EUR")),
        remove("TEA"),
        check_out(Some("ada")),
    ] {
        cart.when(&command).then_rejected(CartCheckedOut);
    }
}

#[test]
fn the_order_is_not_the_carts_own() {
    let [closing, order] = sold();
    assert!(Carts::TOPICS.contains(&closing.topic()));
    assert!(!Carts::TOPICS.contains(&order.topic()));
    assert_eq!(Carts::target(&check_out(None)), closing.stream());
}
