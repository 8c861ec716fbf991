//! Our own order behind the traits of cqrs-es: the same command, the same decision, the same event.

use cqrs_es::{Aggregate, DomainEvent, EventEnvelope, View, event_sink::EventSink};
use domain::{
    Context,
    order::{Order, OrderCommand, OrderEvent, OrderPlaced, OrderRejection, Orders, PlaceOrder},
};
use serde::{Deserialize, Serialize};

/// The aggregate. Its state is our own.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PlacedOrder {
    state: Order,
}

/// What happens to it here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Happened {
    /// It was opened.
    OrderPlaced(Box<OrderPlaced>),
}

impl DomainEvent for Happened {
    fn event_type(&self) -> String {
        let Self::OrderPlaced(_) = self;
        "OrderPlaced".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for PlacedOrder {
    const TYPE: &'static str = "order";
    type Command = PlaceOrder;
    type Event = Happened;
    type Error = OrderRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: PlaceOrder,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), OrderRejection> {
        for event in Orders::decide(&self.state, &OrderCommand::Place(Box::new(command)))? {
            if let OrderEvent::Placed(placed) = event {
                sink.write(Happened::OrderPlaced(placed), self).await;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: Happened) {
        let Happened::OrderPlaced(placed) = event;
        let state = std::mem::take(&mut self.state);
        self.state = Orders::evolve(state, &OrderEvent::Placed(placed));
    }
}

/// What a reader sees of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct OrderView {
    status: String,
    order: Option<Box<OrderPlaced>>,
}

impl View<PlacedOrder> for OrderView {
    fn update(&mut self, event: &EventEnvelope<PlacedOrder>) {
        let Happened::OrderPlaced(placed) = &event.payload;
        "placed".clone_into(&mut self.status);
        self.order = Some(placed.clone());
    }
}
