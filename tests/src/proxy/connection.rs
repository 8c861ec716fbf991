//! One client's connection, carried to the broker and back.

use std::{io, sync::Arc};

use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use super::{
    Shared,
    fault::{Action, Script, StrikeNumber, When},
    frame::Frame,
};

/// What is to happen to an answer. Kafka answers each connection's requests in their order.
enum Fate {
    Passed,
    Held(When),
    /// Read, and the connection is lost.
    Lost,
}

/// Carries until one side closes or a fault does.
pub(super) async fn carry(client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (mut from_client, to_client) = client.into_split();
    let Some(first) = Frame::read(&mut from_client).await? else {
        return Ok(());
    };
    let script = shared.script(first.client_id().unwrap_or_default());
    let mut severings = script.severings();
    let (from_broker, to_broker) = shared.connect().await?.into_split();
    let (expected, fates) = mpsc::unbounded_channel();
    let requests = Requests {
        shared,
        script,
        to_broker,
        expected,
    };
    let carried = async {
        tokio::try_join!(
            requests.carry(first, from_client),
            answers(fates, from_broker, to_client)
        )
    };
    tokio::select! {
        carried = carried => carried.map(drop),
        _ = severings.changed() => Err(lost()),
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "a fault")
}

struct Requests {
    shared: Arc<Shared>,
    script: Arc<Script>,
    to_broker: OwnedWriteHalf,
    expected: mpsc::UnboundedSender<Fate>,
}

impl Requests {
    /// Ends well where the client has closed; what it has sent before is still answered, so that the broker does it.
    async fn carry(mut self, first: Frame, mut from_client: OwnedReadHalf) -> io::Result<()> {
        let mut next = Some(first);
        while let Some(request) = next {
            match self.script.meet(request.api()) {
                Some((action, number)) => self.strike(action, number, request).await?,
                None => self.send(&request, Fate::Passed).await?,
            }
            next = Frame::read(&mut from_client).await?;
        }
        Ok(())
    }

    async fn send(&mut self, request: &Frame, fate: Fate) -> io::Result<()> {
        self.script.reachable().await;
        self.to_broker.write_all(request.bytes()).await?;
        self.expected.send(fate).map_err(|_| lost())
    }

    async fn strike(
        &mut self,
        action: Action,
        number: StrikeNumber,
        request: Frame,
    ) -> io::Result<()> {
        match action {
            Action::Late(until) => {
                until.come().await;
                self.send(&request, Fate::Passed).await
            }
            Action::Stray(until) => {
                self.send_apart(request, until, number);
                Err(lost())
            }
            Action::Dropped => Err(lost()),
            Action::Cut => {
                let half = &request.bytes()[..request.bytes().len() / 2];
                self.to_broker.write_all(half).await?;
                Err(lost())
            }
            Action::Unanswered => self.send(&request, Fate::Lost).await,
            Action::AnsweredLate(until) => self.send(&request, Fate::Held(until)).await,
            Action::Repeated(until) => {
                self.send(&request, Fate::Passed).await?;
                self.send_apart(request, until, number);
                Ok(())
            }
            Action::Severed => {
                self.script.sever();
                Err(lost())
            }
            Action::Isolated(until) => {
                self.script.isolate(until);
                self.send(&request, Fate::Passed).await
            }
        }
    }

    /// Sends it later, on a connection of its own, and keeps the answer for those who want to know.
    fn send_apart(&self, request: Frame, until: When, number: StrikeNumber) {
        let (shared, script) = (Arc::clone(&self.shared), Arc::clone(&self.script));
        tokio::spawn(async move {
            until.come().await;
            let answer = shared.ask(&request).await;
            script.note_answer(number, answer.unwrap_or_default());
        });
    }
}

/// Ends well when every request is answered and no further one will come.
async fn answers(
    mut fates: mpsc::UnboundedReceiver<Fate>,
    mut from_broker: OwnedReadHalf,
    to_client: OwnedWriteHalf,
) -> io::Result<()> {
    let mut to_client = Some(to_client);
    while let Some(fate) = fates.recv().await {
        let answer = Frame::read(&mut from_broker).await?.ok_or_else(lost)?;
        match fate {
            Fate::Passed => {}
            Fate::Held(until) => until.come().await,
            Fate::Lost => return Err(lost()),
        }
        if let Some(client) = &mut to_client
            && client.write_all(answer.bytes()).await.is_err()
        {
            // Gone. Its requests arrive all the same.
            to_client = None;
        }
    }
    Ok(())
}
