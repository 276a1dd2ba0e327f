//! The control API of a running sandbox: newline-delimited JSON over a Unix socket that only its user can reach.
//!
//! - [`place`]: where sockets lie and how sandboxes are named; [`client`]: the other end, for commands.
//! - [`server`]: the control thread; [`outbox`]: what waits to be sent; [`protocol`]: requests and answers; [`verbs`]: what can be asked for.
//! - [`policy`]: rules and filters, swapped whole; [`follow`]: live traces.
//!
//! `crate::requests` carries what only the guest kernel can do. `resources/control-api.md` describes the protocol.

pub mod client;
pub mod follow;
mod outbox;
pub mod place;
mod policy;
pub mod protocol;
mod server;
mod verbs;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};

use crate::jail::{Jail, ThreadKind};

use outbox::Waker;
pub use policy::Policy;
use server::Server;
pub use verbs::Context;

/// A running control thread.
pub struct Control {
    stopping: Arc<AtomicBool>,
    waker: Waker,
    handle: JoinHandle<()>,
    path: PathBuf,
}

impl Control {
    /// Starts the control thread on a bound socket.
    pub fn start(bound: place::Bound, context: Context, jail: Jail) -> io::Result<Control> {
        let waker = Waker::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let stopping = Arc::new(AtomicBool::new(false));
        let server = Server {
            listener: bound.listener,
            waker: waker.clone(),
            stopping: Arc::clone(&stopping),
            context,
        };
        let handle = std::thread::Builder::new()
            .name("control".to_owned())
            .stack_size(512 << 10)
            .spawn(move || {
                jail.confine_or_abort(ThreadKind::Control);
                server.run();
            })?;
        Ok(Control {
            stopping,
            waker,
            handle,
            path: bound.path,
        })
    }

    /// The run is over: removes the socket, and lets clients read what is left for a moment.
    pub fn finish(self) {
        let _ = std::fs::remove_file(&self.path);
        self.stopping.store(true, Ordering::SeqCst);
        self.waker.wake();
        let _ = self.handle.join();
    }
}
