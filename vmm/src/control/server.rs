//! The control thread: one poll(2) over the listening socket, its waker and all clients. It sleeps unless one of them has something to say.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketFlags, accept_with, recv, sockopt::socket_peercred};
use serde_json::{Value, json};

use super::outbox::{Outbox, Waker};
use super::protocol::{Failure, Kind, MAX_LINE, Request, VERSION, answer, line};
use super::verbs::{self, Context};

/// Most clients at once.
const MOST_CLIENTS: usize = 32;
/// A client that leaves so much unread gets no more requests answered until it reads.
const UNREAD: usize = 1 << 20;
/// How long a client that is dropped may take to read why, and all of them to read the last events.
const FAREWELL: Duration = Duration::from_millis(500);

struct Client {
    number: u64,
    socket: OwnedFd,
    input: Vec<u8>,
    /// The rest of a line that is too long is thrown away.
    skipping: bool,
    outbox: Arc<Outbox>,
    /// When it has to be gone.
    leaves: Option<Instant>,
}

/// The thread's side.
pub struct Server {
    /// Listens.
    pub listener: OwnedFd,
    /// Wakes the thread.
    pub waker: Waker,
    /// The run is over.
    pub stopping: Arc<AtomicBool>,
    /// What verbs work on.
    pub context: Context,
}

impl Server {
    /// The thread's body.
    pub fn run(self) {
        let mut clients: Vec<Client> = Vec::new();
        let mut next = 1;
        let mut end: Option<Instant> = None;
        loop {
            if end.is_none() && self.stopping.load(Ordering::SeqCst) {
                end = Some(Instant::now() + FAREWELL);
                for client in &clients {
                    client.outbox.push(line(&json!({ "end": "exited" })));
                    client.outbox.close();
                }
            }
            if let Some(end) = end
                && (clients.is_empty() || Instant::now() >= end)
            {
                return;
            }
            let (listening, ready) = self.wait(&clients, end);
            let mut numbers = clients
                .iter()
                .map(|client| client.number)
                .zip(ready)
                .collect::<Vec<_>>();
            clients.retain_mut(|client| {
                let events = numbers.iter().find(|(number, _)| *number == client.number);
                let events = events.map_or(PollFlags::empty(), |(_, events)| *events);
                let stays = self.tend(client, events);
                if !stays {
                    self.context.left(client.number);
                }
                stays
            });
            numbers.clear();
            if listening && let Some(client) = self.accept(next, clients.len()) {
                next += 1;
                clients.push(client);
            }
        }
    }

    /// Sleeps until something happens: whether somebody wants in, and what happened to each client.
    fn wait(&self, clients: &[Client], end: Option<Instant>) -> (bool, Vec<PollFlags>) {
        let waker = self.waker.fd();
        let mut fds = vec![
            PollFd::new(&waker, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        for client in clients {
            let waiting = client.outbox.len();
            let mut wanted = PollFlags::empty();
            if waiting < UNREAD && !client.outbox.is_closed() {
                wanted |= PollFlags::IN;
            }
            if waiting > 0 {
                wanted |= PollFlags::OUT;
            }
            fds.push(PollFd::new(&client.socket, wanted));
        }
        let deadlines = clients.iter().filter_map(|client| client.leaves).chain(end);
        let timeout = deadlines.min().map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        if let Err(error) = poll(&mut fds, timeout.as_ref())
            && error != Errno::INTR
        {
            tracing::warn!("waiting for clients of the control socket: {error}");
            std::thread::sleep(FAREWELL);
        }
        let events: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        if events.first().is_some_and(|events| !events.is_empty()) {
            let _ = rustix::io::read(waker.as_fd(), &mut [0u8; 8]);
        }
        let listening = events.get(1).is_some_and(|events| !events.is_empty());
        (listening, events.get(2..).unwrap_or_default().to_vec())
    }

    fn accept(&self, number: u64, clients: usize) -> Option<Client> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = match accept_with(&self.listener, flags) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return None,
            Err(error) => {
                // Without descriptors left the one who waits stays: not at full speed.
                tracing::warn!("taking a client of the control socket: {error}");
                std::thread::sleep(Duration::from_millis(50));
                return None;
            }
        };
        let outbox = Arc::new(Outbox::new(self.waker.clone()));
        let peer = socket_peercred(&socket).map(|peer| peer.uid.as_raw());
        let uid = self.context.uid;
        match peer {
            Ok(peer) if peer == uid || peer == 0 => {}
            _ => outbox.close_because("refused", "this sandbox belongs to another user"),
        }
        if clients >= MOST_CLIENTS {
            outbox.close_because("refused", "there are too many clients; try again later");
        }
        outbox.push(line(&json!({
            "vitrine": env!("CARGO_PKG_VERSION"),
            "version": VERSION,
            "name": self.context.name,
        })));
        Some(Client {
            number,
            socket,
            input: Vec::new(),
            skipping: false,
            outbox,
            leaves: None,
        })
    }

    /// Reads, answers and sends. False: the client goes.
    fn tend(&self, client: &mut Client, events: PollFlags) -> bool {
        let mut eof = false;
        // Nothing is done for one that was refused or is being dropped.
        if events.contains(PollFlags::IN) && !client.outbox.is_closed() {
            match self.read(client) {
                Ok(more) => eof = !more,
                Err(_) => return false,
            }
        } else if events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
            return false;
        }
        if !client.outbox.send(&client.socket) {
            return false;
        }
        if eof {
            client.outbox.close();
        }
        if client.outbox.is_closed() {
            let leaves = *client
                .leaves
                .get_or_insert_with(|| Instant::now() + FAREWELL);
            return client.outbox.len() > 0 && Instant::now() < leaves;
        }
        true
    }

    /// Takes what is there, at most a bufferful, and answers whole lines. False at the end.
    fn read(&self, client: &mut Client) -> Result<bool, Errno> {
        let mut buffer = vec![0; 64 << 10];
        let count = match recv(&client.socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Ok(false),
            Ok((count, _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(true),
            Err(error) => return Err(error),
        };
        let mut rest = buffer.get(..count).unwrap_or_default();
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
            let (head, tail) = rest.split_at(at);
            rest = tail.get(1..).unwrap_or_default();
            if !std::mem::take(&mut client.skipping) {
                client.input.extend_from_slice(head);
                let line = std::mem::take(&mut client.input);
                self.answer(client, &line);
            }
        }
        if !client.skipping {
            client.input.extend_from_slice(rest);
            if client.input.len() > MAX_LINE {
                client.input = Vec::new();
                client.skipping = true;
                let message = format!("the request is longer than {MAX_LINE} bytes");
                let failure = Failure::new(Kind::Malformed, message);
                client.outbox.push(answer(&Value::Null, &Err(failure)));
            }
        }
        Ok(true)
    }

    fn answer(&self, client: &Client, line: &[u8]) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        client.outbox.expect_answer();
        let (id, result) = match Request::parse(line) {
            Ok(request) => {
                let id = request.id.clone();
                let result = verbs::perform(&self.context, client.number, &client.outbox, request);
                (id, result)
            }
            Err((id, failure)) => (id, Err(failure)),
        };
        client.outbox.answer(answer(&id, &result));
    }
}
