//! Whether stock was conserved: computed from the log alone, by code that knows nothing of the product service's own.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    order::OrderEvent,
    product::ProductEvent,
    topics::{INVENTORY_EVENTS, ORDER_EVENTS},
};
use event_store::{Recorded, kafka::KafkaLog};

use crate::journal::read_topic;

/// How long a workflow may take to come to rest on a busy machine.
const REST_WITHIN: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(200);

/// The pieces of one SKU.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pieces {
    /// That ever came in.
    pub received: u64,
    /// That left.
    pub shipped: u64,
    /// That orders hold, by order.
    pub held: BTreeMap<String, u64>,
}

impl Pieces {
    /// That nobody holds; none where more are held than there are.
    fn available(&self) -> Option<u64> {
        self.received
            .checked_sub(self.shipped)?
            .checked_sub(self.held.values().sum())
    }
}

/// How an order ended up, as far as stock is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// The product service has not been heard.
    Open,
    /// It holds what it needs.
    Holds,
    /// It holds nothing.
    Nothing,
    /// What it held has left.
    Shipped,
}

/// What the log says of stock when nothing moves any more.
#[derive(Debug)]
pub struct Stock {
    /// By SKU.
    pub pieces: BTreeMap<String, Pieces>,
    claims: BTreeMap<String, Claim>,
    needs: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Stock {
    /// Waits until no order is open any more, and checks on the way, after every single event, that no piece was held twice;
    /// at the end, that orders hold exactly what they claim.
    pub async fn at_rest(log: &KafkaLog) -> Self {
        let begun = std::time::Instant::now();
        loop {
            let stock = Self::read(log).await;
            match stock.complaint() {
                None => return stock,
                Some(complaint) => assert!(
                    begun.elapsed() < REST_WITHIN,
                    "not at rest, or not conserved: {complaint}\n{stock:#?}"
                ),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read(log: &KafkaLog) -> Self {
        let mut stock = Self {
            pieces: BTreeMap::new(),
            claims: BTreeMap::new(),
            needs: BTreeMap::new(),
        };
        // Inventory first: what an order claims later than this read is then missing, and the next read finds it.
        for recorded in read_topic::<ProductEvent>(log, INVENTORY_EVENTS).await {
            stock.move_pieces(&recorded);
        }
        for recorded in read_topic::<OrderEvent>(log, ORDER_EVENTS).await {
            stock.claim(&recorded.event);
        }
        stock
    }

    fn move_pieces(&mut self, recorded: &Recorded<ProductEvent>) {
        let position = &recorded.position;
        let sku = match &recorded.event {
            ProductEvent::StockReceived(event) => {
                let sku = event.sku.to_string();
                self.pieces.entry(sku.clone()).or_default().received += event.quantity.get();
                sku
            }
            ProductEvent::StockReserved(event) => {
                let sku = event.sku.to_string();
                let held = &mut self.pieces.entry(sku.clone()).or_default().held;
                let before = held.insert(event.order_id.to_string(), event.quantity.get());
                assert_eq!(before, None, "{position}: the order holds {sku} already");
                sku
            }
            ProductEvent::StockReleased(event) => {
                let sku = event.sku.to_string();
                let held = &mut self.pieces.entry(sku.clone()).or_default().held;
                let before = held.remove(&event.order_id.to_string());
                assert_eq!(
                    before.unwrap_or(0),
                    event.quantity.get(),
                    "{position}: another number than was held"
                );
                sku
            }
            ProductEvent::StockCommitted(event) => {
                let sku = event.sku.to_string();
                let pieces = self.pieces.entry(sku.clone()).or_default();
                let before = pieces.held.remove(&event.order_id.to_string());
                assert_eq!(
                    before,
                    Some(event.quantity.get()),
                    "{position}: another number than was held"
                );
                pieces.shipped += event.quantity.get();
                sku
            }
            _ => return,
        };
        let pieces = &self.pieces[&sku];
        assert!(
            pieces.available().is_some(),
            "{position}: {sku} is oversold: {pieces:?}"
        );
    }

    fn claim(&mut self, event: &OrderEvent) {
        let order_id = event.order_id().to_string();
        let claim = match event {
            OrderEvent::Placed(placed) => {
                let needs = self.needs.entry(order_id.clone()).or_default();
                for line in &placed.lines {
                    *needs.entry(line.sku.to_string()).or_default() +=
                        u64::from(line.quantity.get());
                }
                Claim::Open
            }
            OrderEvent::Confirmed(_) => Claim::Holds,
            OrderEvent::Rejected(_) | OrderEvent::Expired(_) | OrderEvent::Cancelled(_) => {
                Claim::Nothing
            }
            OrderEvent::Shipped(_) => Claim::Shipped,
            _ => return,
        };
        self.claims.insert(order_id, claim);
    }

    /// What is not as it has to be once nothing moves.
    fn complaint(&self) -> Option<String> {
        for (order_id, claim) in &self.claims {
            if *claim == Claim::Open {
                return Some(format!("order {order_id} is still open"));
            }
            for (sku, needed) in &self.needs[order_id] {
                let held = self
                    .pieces
                    .get(sku)
                    .and_then(|pieces| pieces.held.get(order_id));
                let expected = (*claim == Claim::Holds).then_some(needed);
                if held != expected {
                    return Some(format!(
                        "order {order_id} holds {held:?} of {sku}, not {expected:?}"
                    ));
                }
            }
        }
        self.unshipped().or_else(|| self.strangers())
    }

    /// What left is what was ordered, and nothing else.
    fn unshipped(&self) -> Option<String> {
        self.pieces.iter().find_map(|(sku, pieces)| {
            let shipped = self
                .needs
                .iter()
                .filter(|(order_id, _)| self.claims.get(*order_id) == Some(&Claim::Shipped));
            let expected: u64 = shipped.filter_map(|(_, needs)| needs.get(sku)).sum();
            let message = format!("{} of {sku} have left, not {expected}", pieces.shipped);
            (pieces.shipped != expected).then_some(message)
        })
    }

    fn strangers(&self) -> Option<String> {
        self.pieces.iter().find_map(|(sku, pieces)| {
            let stranger = pieces
                .held
                .keys()
                .find(|order_id| !self.claims.contains_key(*order_id))?;
            Some(format!("{sku} is held by {stranger}, which is no order"))
        })
    }

    /// How many orders' goods have left.
    #[must_use]
    pub fn shipped(&self) -> usize {
        let claims = self.claims.values();
        claims.filter(|claim| **claim == Claim::Shipped).count()
    }

    /// How many orders hold what they need.
    #[must_use]
    pub fn holders(&self) -> usize {
        self.claims
            .values()
            .filter(|claim| **claim == Claim::Holds)
            .count()
    }

    /// Pieces of a SKU that nobody holds.
    #[must_use]
    pub fn available(&self, sku: &str) -> u64 {
        self.pieces
            .get(sku)
            .and_then(Pieces::available)
            .unwrap_or(0)
    }
}
