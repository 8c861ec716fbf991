//! The orders that benchmarks place.

/// A request of two lines; customers differ so that none has many orders.
pub fn body(number: u64) -> String {
    let customer = number % 100_000;
    format!(
        concat!(
            r#"{{"customer_id":"customer-{}","lines":["#,
            r#"{{"sku":"TEA-EARL-GREY","quantity":2,"unit_price":{{"amount":1999,"currency":"EUR"}}}},"#,
            r#"{{"sku":"MUG-BLUE","quantity":1,"unit_price":{{"amount":1499,"currency":"EUR"}}}}],"#,
            r#""shipping_address":{{"name":"Ada Lovelace","line1":"12 St James's Square","#,
            r#""postal_code":"SW1Y 4JH","city":"London","country":"GB"}}}}"#
        ),
        customer
    )
}

/// A payment of any order.
pub const PAYMENT: &str = r#"{"payment_method":"tok_visa"}"#;

/// About what a placed order's record holds, headers included; so large are the raw producer's messages.
pub fn record_bytes() -> usize {
    1_400
}
