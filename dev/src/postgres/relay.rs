//! A way to Postgres that can lose connections as a host does that vanishes: nothing passes any more, and nobody is told.

use std::{io, str::FromStr};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

const CHUNK_BYTES: usize = 8 << 10;

/// Ends with the runtime that it was started on.
#[derive(Debug)]
pub struct Relay {
    /// The database's, by this way.
    pub url: String,
    losses: watch::Sender<Losses>,
}

/// A loss is of the connections that there are; later ones are good.
#[derive(Debug, Clone, Copy, Default)]
struct Losses {
    count: u32,
    /// Whether the last of them lets one more answer through.
    waits_for_answer: bool,
}

impl Relay {
    /// A way to the database at this URL.
    ///
    /// # Panics
    /// When that is no URL with an authority and a database, or no port is to be had.
    pub async fn to(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).expect("a valid URL");
        let server = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (scheme, rest) = url.split_once("://").expect("a scheme");
        let (authority, database) = rest.split_once('/').expect("a database");
        let user = authority.rsplit_once('@');
        let user = user.map(|(user, _)| format!("{user}@")).unwrap_or_default();
        let relay = Self {
            url: format!("{scheme}://{user}{address}/{database}"),
            losses: watch::Sender::default(),
        };
        let losses = relay.losses.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (host, port) = &server;
                let server = TcpStream::connect((host.as_str(), *port)).await;
                let passing = Passing {
                    born: losses.borrow().count,
                    client,
                    server: server.expect("connected"),
                    losses: losses.clone(),
                };
                tokio::spawn(passing.run());
            }
        });
        relay
    }

    /// Loses the connections that there are.
    pub fn lose(&self) {
        self.lose_once(false);
    }

    /// Loses each of the connections that there are after the next answer on it.
    pub fn lose_after_answer(&self) {
        self.lose_once(true);
    }

    fn lose_once(&self, waits_for_answer: bool) {
        self.losses.send_modify(|losses| {
            losses.count += 1;
            losses.waits_for_answer = waits_for_answer;
        });
    }
}

/// One connection.
struct Passing {
    /// How many losses there had been before it.
    born: u32,
    client: TcpStream,
    server: TcpStream,
    losses: watch::Receiver<Losses>,
}

impl Passing {
    async fn run(mut self) {
        let (mut asked, mut answered) = (vec![0_u8; CHUNK_BYTES], vec![0_u8; CHUNK_BYTES]);
        loop {
            let passed = tokio::select! {
                // What is lost passes nothing more, even where there is something.
                biased;
                () = lost(&mut self.losses, self.born) => break,
                read = self.client.read(&mut asked) => pass(read, &asked, &mut self.server).await,
                read = self.server.read(&mut answered) => {
                    let passed = pass(read, &answered, &mut self.client).await;
                    if self.losses.borrow().count > self.born {
                        break;
                    }
                    passed
                }
            };
            if !passed {
                return;
            }
        }
        // Both ends stay open: whoever waits has to give up by itself.
        std::future::pending::<()>().await;
    }
}

/// Whether there was something to pass on, and somebody to take it.
async fn pass(read: io::Result<usize>, bytes: &[u8], to: &mut TcpStream) -> bool {
    match read {
        Ok(length @ 1..) => to.write_all(&bytes[..length]).await.is_ok(),
        Ok(0) | Err(_) => false,
    }
}

async fn lost(losses: &mut watch::Receiver<Losses>, born: u32) {
    let lost = losses.wait_for(|losses| losses.count > born && !losses.waits_for_answer);
    // An error, where the test is over.
    drop(lost.await);
}
