//! Every fault does what it says, seen from both ends of the wire.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Instant,
};

use super::{frame::tests::request, *};

const END_TXN: i16 = 26;
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough to be told from no delay.
const DELAY: Duration = Duration::from_millis(200);
/// Long enough for one request to arrive before another, also where the machine has others to serve.
const HEAD_START: Duration = Duration::from_secs(2);

/// Answers each request with its correlation id, and remembers what has arrived, and on which connection.
struct Broker {
    port: u16,
    arrived: Arc<Mutex<Vec<(usize, i32)>>>,
}

impl Broker {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let arrivals = Arc::clone(&arrived);
        thread::spawn(move || {
            for (number, connection) in listener.incoming().flatten().enumerate() {
                let arrivals = Arc::clone(&arrivals);
                thread::spawn(move || answer_all(connection, number, &arrivals));
            }
        });
        Self { port, arrived }
    }

    fn arrived(&self) -> Vec<(usize, i32)> {
        self.arrived.lock().expect("no panic").clone()
    }

    fn wait_for(&self, arrivals: usize) -> Vec<(usize, i32)> {
        wait_until(|| self.arrived().len() >= arrivals);
        self.arrived()
    }
}

fn answer_all(mut connection: TcpStream, number: usize, arrivals: &Mutex<Vec<(usize, i32)>>) {
    while let Some(body) = read_frame(&mut connection) {
        let correlation_id = correlation_id(&body[4..]);
        arrivals
            .lock()
            .expect("no panic")
            .push((number, correlation_id));
        let answer = [
            &10_i32.to_be_bytes()[..],
            &correlation_id.to_be_bytes(),
            &[0; 6],
        ]
        .concat();
        if connection.write_all(&answer).is_err() {
            return;
        }
    }
}

fn read_frame(connection: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    connection.read_exact(&mut length).ok()?;
    let mut body = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
    connection.read_exact(&mut body).ok()?;
    Some(body)
}

fn correlation_id(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes[..4].try_into().expect("four bytes"))
}

fn wait_until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long");
        thread::sleep(Duration::from_millis(2));
    }
}

struct Client(TcpStream);

impl Client {
    fn connect(proxy: &Proxy) -> Self {
        let client = Self(TcpStream::connect(proxy.address()).expect("the proxy listens"));
        client.give_up_after(PATIENCE);
        client
    }

    fn give_up_after(&self, time: Duration) {
        let taken = self.0.set_read_timeout(Some(time));
        taken.expect("a timeout is taken");
    }

    fn send(&mut self, correlation_id: i32) {
        let request = request(END_TXN, correlation_id, "client");
        self.0.write_all(&request).expect("sent");
    }

    /// The correlation id of the next answer; none where the connection is lost.
    fn hear(&mut self) -> Option<i32> {
        read_frame(&mut self.0).map(|body| correlation_id(&body))
    }

    /// Whether nothing comes for a while.
    fn hears_nothing(&mut self) -> bool {
        self.give_up_after(DELAY);
        let heard = self.hear();
        self.give_up_after(PATIENCE);
        heard.is_none()
    }
}

fn broken(action: Action) -> (Broker, Proxy, Client) {
    let broker = Broker::start();
    let proxy = Proxy::start(0, broker.port).expect("the proxy starts");
    let fault = Fault {
        api: Api::EndTxn,
        nth: 2,
        action,
    };
    proxy.aim("client", vec![fault]);
    let mut client = Client::connect(&proxy);
    client.send(1);
    assert_eq!(client.hear(), Some(1));
    client.send(2);
    (broker, proxy, client)
}

#[test]
fn without_a_fault_all_is_carried() {
    let broker = Broker::start();
    let proxy = Proxy::start(0, broker.port).expect("the proxy starts");
    let mut client = Client::connect(&proxy);
    for number in 1..=100 {
        client.send(number);
    }
    let heard: Vec<_> = (1..=100).map_while(|_| client.hear()).collect();
    assert_eq!(heard, (1..=100).collect::<Vec<_>>());
    assert_eq!(broker.arrived().len(), 100);
    assert!(proxy.strikes("client").is_empty());
}

#[test]
fn a_late_request_arrives_though_its_client_has_gone() {
    let gate = Gate::closed();
    let (broker, _proxy, client) = broken(Action::Late(When::Opened(gate.clone())));
    client.0.shutdown(Shutdown::Both).expect("closed");
    drop(client);
    assert_eq!(broker.arrived(), [(0, 1)]);
    gate.open();
    assert_eq!(broker.wait_for(2), [(0, 1), (0, 2)]);
}

#[test]
fn a_stray_arrives_after_what_its_client_did_next() {
    let gate = Gate::closed();
    let (broker, proxy, mut client) = broken(Action::Stray(When::Opened(gate.clone())));
    assert_eq!(client.hear(), None, "the connection is lost");
    let mut again = Client::connect(&proxy);
    again.send(3);
    assert_eq!(again.hear(), Some(3));
    assert!(proxy.strikes("client")[0].answer.is_none());
    gate.open();
    assert_eq!(broker.wait_for(3), [(0, 1), (1, 3), (2, 2)]);
    wait_until(|| proxy.strikes("client")[0].answer.is_some());
}

#[test]
fn what_is_dropped_or_cut_never_arrives() {
    for action in [Action::Dropped, Action::Cut, Action::Severed] {
        let (broker, proxy, mut client) = broken(action);
        assert_eq!(client.hear(), None, "the connection is lost");
        let mut again = Client::connect(&proxy);
        again.send(3);
        assert_eq!(again.hear(), Some(3));
        assert_eq!(broker.arrived(), [(0, 1), (1, 3)]);
        assert_eq!(proxy.strikes("client").len(), 1);
    }
}

#[test]
fn an_unanswered_request_has_arrived() {
    let (broker, _proxy, mut client) = broken(Action::Unanswered);
    assert_eq!(client.hear(), None, "the connection is lost");
    assert_eq!(broker.wait_for(2), [(0, 1), (0, 2)]);
}

#[test]
fn a_late_answer_is_of_a_request_that_arrived_in_time() {
    let gate = Gate::closed();
    let (broker, _proxy, mut client) = broken(Action::AnsweredLate(When::Opened(gate.clone())));
    assert_eq!(broker.wait_for(2), [(0, 1), (0, 2)]);
    assert!(client.hears_nothing(), "not yet");
    gate.open();
    assert_eq!(client.hear(), Some(2));
}

#[test]
fn a_repeated_request_arrives_twice_and_is_answered_once() {
    let gate = Gate::closed();
    let (broker, _proxy, mut client) = broken(Action::Repeated(When::Opened(gate.clone())));
    assert_eq!(client.hear(), Some(2));
    client.send(3);
    assert_eq!(client.hear(), Some(3));
    gate.open();
    assert_eq!(broker.wait_for(4), [(0, 1), (0, 2), (0, 3), (1, 2)]);
}

#[test]
fn all_connections_are_severed_together() {
    let broker = Broker::start();
    let proxy = Proxy::start(0, broker.port).expect("the proxy starts");
    let mut clients = [Client::connect(&proxy), Client::connect(&proxy)];
    for client in &mut clients {
        client.send(1);
        assert_eq!(client.hear(), Some(1));
    }
    let fault = Fault {
        api: Api::EndTxn,
        nth: 1,
        action: Action::Severed,
    };
    proxy.aim("client", vec![fault]);
    clients[0].send(2);
    for client in &mut clients {
        assert_eq!(client.hear(), None, "the connection is lost");
    }
}

#[test]
fn one_fault_can_have_another_strike_first() {
    let broker = Broker::start();
    let proxy = Proxy::start(0, broker.port).expect("the proxy starts");
    let gate = Gate::closed();
    let fault = |nth, action| Fault {
        api: Api::EndTxn,
        nth,
        action,
    };
    let stray = fault(1, Action::Stray(When::Opened(gate.clone())));
    let held = fault(2, Action::Late(When::Opening(gate, HEAD_START)));
    proxy.aim("client", vec![stray, held]);
    let mut client = Client::connect(&proxy);
    client.send(1);
    assert_eq!(client.hear(), None, "the connection is lost");
    let mut again = Client::connect(&proxy);
    again.send(2);
    assert_eq!(again.hear(), Some(2));
    let correlation_ids: Vec<_> = broker.wait_for(2).iter().map(|(_, id)| *id).collect();
    assert_eq!(correlation_ids, [1, 2]);
}

#[test]
fn isolation_holds_new_connections_too() {
    let gate = Gate::closed();
    let (broker, proxy, mut client) = broken(Action::Isolated(When::Opened(gate.clone())));
    let mut again = Client::connect(&proxy);
    again.send(3);
    assert!(client.hears_nothing() && again.hears_nothing(), "not yet");
    assert_eq!(broker.arrived(), [(0, 1)]);
    gate.open();
    assert_eq!(client.hear(), Some(2));
    assert_eq!(again.hear(), Some(3));
    assert_eq!(broker.arrived().len(), 3);
}
