use super::*;

fn parse(arguments: &[&str]) -> Result<Args, String> {
    let arguments = [&["command-api"], arguments].concat();
    Args::try_parse_from(arguments).map_err(|error| error.to_string())
}

#[test]
fn has_a_default_for_everything() {
    let args = parse(&[]).expect("defaults");
    assert_eq!(args.services, ServiceName::ALL);
    assert_eq!(args.deadlines(), OrderPolicy::default());
    assert_eq!(args.partitions, 4);
    assert_eq!(args.durability(), Durability::DEVELOPMENT);
}

#[test]
fn an_unknown_service_is_answered_by_the_known_ones() {
    let error = parse(&["--services", "order,returns"]).expect_err("unknown");
    assert!(error.contains("'returns'"), "{error}");
    assert!(
        error.contains("[possible values: product, cart, order, payment, shipping, notification]"),
        "{error}"
    );
}

#[test]
fn others_are_told_an_address_that_they_can_reach() {
    let bound = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let args = parse(&[]).expect("defaults");
    assert_eq!(args.advertised(bound("10.0.0.7:8080")), "10.0.0.7:8080");
    let named = args.advertised(bound("0.0.0.0:8080"));
    assert!(
        named.ends_with(":8080") && !named.starts_with("0.0.0.0"),
        "{named}"
    );
    let args = parse(&["--advertise", "shop-1:80"]).expect("an address");
    assert_eq!(args.advertised(bound("0.0.0.0:8080")), "shop-1:80");
    let name = args.membership("shop-1:80").name.expect("a name");
    assert!(name.ends_with("/shop-1:80"), "{name}");
}

#[test]
fn runs_the_services_that_are_named() {
    let args = parse(&["--services", "order,product"]).expect("two services");
    assert!(args.runs(ServiceName::Product) && args.runs(ServiceName::Order));
    assert!(!args.runs(ServiceName::Cart));
}

#[test]
fn deadlines_are_seconds_and_at_least_one() {
    let args = parse(&["--stock-deadline", "2", "--payment-deadline", "3"]).expect("seconds");
    let expected = OrderPolicy {
        stock_within: TimeDelta::seconds(2),
        payment_within: TimeDelta::seconds(3),
        ..OrderPolicy::default()
    };
    assert_eq!(args.deadlines(), expected);
    for seconds in ["0", "-1", "1.5", "60s"] {
        let flag = format!("--stock-deadline={seconds}");
        assert!(parse(&[&flag]).is_err(), "{seconds}");
    }
}
