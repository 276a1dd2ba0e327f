//! What the VMM gives up before the guest's first instruction: files but reading beneath the root (landlock), sockets, new privileges,
//! capabilities, core dumps, and all system calls but those in `resources/seccomp.json`.
//!
//! Landlock and capabilities belong to a thread and are inherited: [`Jail::enter`] comes before the helper threads start. Seccomp
//! filters differ by kind of thread: each installs its own with [`Jail::confine`].

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// The compiled filters: BPF instructions as (code, jt, jf, k).
mod filters {
    include!(concat!(env!("OUT_DIR"), "/seccomp.rs"));
}

/// Why the jail could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// Landlock.
    #[error("confining vitrine to reading {}: {cause}; --no-jail runs without confinement", .root.display())]
    Landlock {
        /// The root.
        root: PathBuf,
        /// What landlock says.
        cause: String,
    },
    /// Capabilities, limits.
    #[error("giving up {what}: {cause}; --no-jail runs without confinement")]
    GiveUp {
        /// What was to be given up.
        what: &'static str,
        /// The host's answer.
        cause: rustix::io::Errno,
    },
    /// Seccomp.
    #[error("installing the system-call filter: {0}; --no-jail runs without confinement")]
    Seccomp(#[from] seccompiler::Error),
}

/// The kinds of threads, each with a filter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadKind {
    /// Runs the guest and serves host calls inline.
    Vcpu,
    /// Serves host calls while it spins.
    Service,
    /// Signals, ticker.
    Events,
    /// Writes the guest's output.
    Console,
    /// Consumes the event ring.
    Ring,
    /// Serves the control socket.
    Control,
}

/// The jail of this process.
#[derive(Clone, Copy, Debug)]
pub struct Jail {
    enabled: bool,
}

impl Jail {
    /// A jail that confines nothing.
    pub fn disabled() -> Jail {
        Jail { enabled: false }
    }

    /// Confines the calling thread, and the threads that it will start, to reading beneath `root`, and to removing files in `sockets`, where the
    /// control socket goes away at the end. Everything else that will be needed
    /// must be open already.
    pub fn enter(root: &Path, sockets: Option<&Path>) -> Result<Jail, JailError> {
        no_core_dumps()?;
        rustix::thread::set_no_new_privs(true).map_err(|cause| JailError::GiveUp {
            what: "new privileges",
            cause,
        })?;
        drop_capabilities()?;
        let status = restrict_files(root, sockets).map_err(|cause| JailError::Landlock {
            root: root.to_owned(),
            cause: cause.to_string(),
        })?;
        if status == RulesetStatus::NotEnforced {
            tracing::info!("this kernel has no landlock: only seccomp confines vitrine");
        }
        Ok(Jail { enabled: true })
    }

    /// Installs the filter of the calling thread.
    pub fn confine(self, kind: ThreadKind) -> Result<(), JailError> {
        if !self.enabled {
            return Ok(());
        }
        let filter = match kind {
            ThreadKind::Vcpu => filters::VCPU,
            ThreadKind::Service => filters::SERVICE,
            ThreadKind::Events => filters::EVENTS,
            ThreadKind::Console => filters::CONSOLE,
            ThreadKind::Ring => filters::RING,
            ThreadKind::Control => filters::CONTROL,
        };
        let program: Vec<_> = filter
            .iter()
            .map(|&(code, jt, jf, k)| seccompiler::sock_filter { code, jt, jf, k })
            .collect();
        Ok(seccompiler::apply_filter(&program)?)
    }

    /// As [`Jail::confine`], for a helper thread's first step: a thread that can't be confined must not go on.
    pub fn confine_or_abort(self, kind: ThreadKind) {
        if let Err(error) = self.confine(kind) {
            tracing::error!("{error}");
            crate::tty::restore();
            std::process::abort();
        }
    }
}

/// What landlock does on this kernel, and what to do if that isn't all; found by restricting a thread that then ends.
pub fn landlock_status() -> (String, Option<&'static str>) {
    let tried = std::thread::spawn(|| {
        restrict_files(Path::new("/"), None).map_err(|cause| cause.to_string())
    });
    match tried.join() {
        Ok(Ok(RulesetStatus::FullyEnforced)) => ("enforced".to_owned(), None),
        Ok(Ok(RulesetStatus::PartiallyEnforced)) => (
            "files confined, but not all that newer kernels can confine".to_owned(),
            Some(
                "nothing must be done; a kernel of 6.12 or later confines vitrine's sockets and signals too",
            ),
        ),
        Ok(Ok(RulesetStatus::NotEnforced)) => (
            "missing from this kernel".to_owned(),
            Some(
                "seccomp alone confines vitrine: boot a kernel of 5.13 or later with landlock in its lsm= list",
            ),
        ),
        Ok(Err(cause)) => (cause, Some("see dmesg")),
        Err(_) => ("unknown".to_owned(), Some("see the message above")),
    }
}

fn restrict_files(
    root: &Path,
    sockets: Option<&Path>,
) -> Result<RulesetStatus, Box<dyn std::error::Error>> {
    let abi = ABI::V6;
    let root = PathFd::new(root)?;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rule(PathBeneath::new(
            root,
            AccessFs::ReadFile | AccessFs::ReadDir,
        ))?;
    if let Some(sockets) = sockets {
        let sockets = PathFd::new(sockets)?;
        ruleset = ruleset.add_rule(PathBeneath::new(sockets, AccessFs::RemoveFile))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

fn no_core_dumps() -> Result<(), JailError> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none).map_err(|cause| JailError::GiveUp {
        what: "core dumps",
        cause,
    })
}

/// Keeps of root's powers only that of reading every file, which the root user's sandbox shows to the program as its own.
fn drop_capabilities() -> Result<(), JailError> {
    let give_up = |cause| JailError::GiveUp {
        what: "capabilities",
        cause,
    };
    let before = rustix::thread::capabilities(None).map_err(give_up)?;
    let kept = before.effective & CapabilitySet::DAC_READ_SEARCH;
    if before.permitted.is_empty() {
        return Ok(());
    }
    let after = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, after).map_err(give_up)
}
