//! What goes wrong, and when: a script for each client, counted by its own requests, so that the same script breaks the
//! same things however fast the machine is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::frame::{Api, Frame};

/// The `nth` request of a kind, counted from 1 over all connections of the client, meets this.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What kind of request.
    pub api: Api,
    /// Which of them, from 1.
    pub nth: u32,
    /// What happens to it.
    pub action: Action,
}

/// What happens to a request or to its connection.
#[derive(Debug, Clone)]
pub enum Action {
    /// Held, and what follows on its connection behind it. It arrives even where its client has given up meanwhile.
    Late(When),
    /// Its connection is lost at once, and it arrives later all the same: what its sender does next may come before it.
    Stray(When),
    /// Its connection is lost before it has arrived.
    Dropped,
    /// Its connection is lost when half of it has arrived.
    Cut,
    /// It arrives, and its connection is lost before the answer.
    Unanswered,
    /// It arrives, and its answer is held, and what follows behind it.
    AnsweredLate(When),
    /// It arrives, is answered, and arrives once more by itself. TCP does not do that: the sender notices nothing.
    Repeated(When),
    /// All connections of the client are lost.
    Severed,
    /// Nothing from the client arrives any more, on whatever connection, until then.
    Isolated(When),
}

impl Action {
    /// What it is called, without its times.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Late(_) => "late",
            Self::Stray(_) => "stray",
            Self::Dropped => "dropped",
            Self::Cut => "cut",
            Self::Unanswered => "unanswered",
            Self::AnsweredLate(_) => "answered late",
            Self::Repeated(_) => "repeated",
            Self::Severed => "severed",
            Self::Isolated(_) => "isolated",
        }
    }
}

/// When something held goes on.
#[derive(Debug, Clone)]
pub enum When {
    /// So much later.
    After(Duration),
    /// When somebody says so.
    Opened(Gate),
    /// Twice so much later. In between the gate is opened: what went ahead has arrived by then, and what was held there comes
    /// before.
    Opening(Gate, Duration),
}

impl When {
    pub(super) async fn come(&self) {
        match self {
            Self::After(delay) => tokio::time::sleep(*delay).await,
            Self::Opened(gate) => gate.opened().await,
            Self::Opening(gate, delay) => {
                tokio::time::sleep(*delay).await;
                gate.open();
                tokio::time::sleep(*delay).await;
            }
        }
    }
}

/// Holds something until it is opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets what is held go on, now and ever after.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn opened(&self) {
        // The sender lives as long as we do, so waiting cannot fail.
        drop(self.0.subscribe().wait_for(|open| *open).await);
    }
}

/// A fault that has happened.
#[derive(Debug, Clone)]
pub struct Strike {
    /// What it has hit.
    pub fault: Fault,
    /// Whether the request is to arrive by itself, and has not been answered yet.
    pub is_under_way: bool,
    /// What the broker has answered to it then.
    pub answer: Option<Frame>,
}

/// One client's faults, those to come and those that have happened.
#[derive(Default)]
pub(super) struct Script {
    state: Mutex<State>,
    severed: watch::Sender<u32>,
}

#[derive(Default)]
struct State {
    to_come: Vec<Fault>,
    seen: HashMap<Api, u32>,
    strikes: Vec<Strike>,
    /// Closed while nothing arrives.
    isolation: Option<Gate>,
}

/// Which strike of its script.
#[derive(Debug, Clone, Copy)]
pub(super) struct StrikeNumber(usize);

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Further faults; their counting begins now.
    pub(super) fn aim(&self, faults: Vec<Fault>) {
        let mut state = self.state();
        state.seen.clear();
        state.to_come = faults;
    }

    /// Counts a request, and tells what happens to it.
    pub(super) fn meet(&self, api: Api) -> Option<(Action, StrikeNumber)> {
        let mut state = self.state();
        let seen = state.seen.entry(api).or_insert(0);
        *seen += 1;
        let seen = *seen;
        let is_due = |fault: &Fault| fault.api == api && fault.nth == seen;
        let index = state.to_come.iter().position(is_due)?;
        let fault = state.to_come.swap_remove(index);
        let action = fault.action.clone();
        state.strikes.push(Strike {
            is_under_way: matches!(action, Action::Stray(_) | Action::Repeated(_)),
            fault,
            answer: None,
        });
        Some((action, StrikeNumber(state.strikes.len() - 1)))
    }

    /// From now on nothing arrives, until then.
    pub(super) fn isolate(&self, until: When) {
        let gate = Gate::closed();
        self.state().isolation = Some(gate.clone());
        tokio::spawn(async move {
            until.come().await;
            gate.open();
        });
    }

    /// Waits while nothing arrives.
    pub(super) async fn reachable(&self) {
        let isolation = self.state().isolation.clone();
        if let Some(gate) = isolation {
            gate.opened().await;
        }
    }

    pub(super) fn note_answer(&self, number: StrikeNumber, answer: Option<Frame>) {
        if let Some(strike) = self.state().strikes.get_mut(number.0) {
            strike.is_under_way = false;
            strike.answer = answer;
        }
    }

    pub(super) fn strikes(&self) -> Vec<Strike> {
        self.state().strikes.clone()
    }

    pub(super) fn sever(&self) {
        self.severed.send_modify(|times| *times += 1);
    }

    pub(super) fn severings(&self) -> watch::Receiver<u32> {
        self.severed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_the_nth_request_of_its_kind_once() {
        let fault = |api, nth, action| Fault { api, nth, action };
        let script = Script::default();
        script.aim(vec![
            fault(Api::EndTxn, 2, Action::Dropped),
            fault(Api::Produce, 1, Action::Cut),
        ]);
        assert!(script.meet(Api::EndTxn).is_none());
        assert!(matches!(script.meet(Api::Produce), Some((Action::Cut, _))));
        assert!(matches!(
            script.meet(Api::EndTxn),
            Some((Action::Dropped, _))
        ));
        assert!(script.meet(Api::EndTxn).is_none());
        assert_eq!(script.strikes().len(), 2);

        script.aim(vec![fault(Api::EndTxn, 1, Action::Severed)]);
        assert!(matches!(
            script.meet(Api::EndTxn),
            Some((Action::Severed, _))
        ));
    }
}
