//! Records of changes to a process's state: mappings, descriptors, credentials, groups and sessions, the umask, signals that were sent.
//!
//! They are written only where their group was asked for ([`group`]). Kinds start at 64, item fields too.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// [`super::RecordHeader::kind`] of these records.
pub mod kind {
    /// [`super::MappingBody`]: a range of addresses was mapped, unmapped or changed. Item `PATH`.
    pub const MAPPING: u16 = 64;
    /// [`super::DescriptorBody`]: a descriptor came, went, or changed. Item `FD`.
    pub const DESCRIPTOR: u16 = 65;
    /// No body; items `BEFORE` and `AFTER`: the thread's credentials changed.
    pub const CREDENTIALS: u16 = 66;
    /// [`super::SessionBody`]: a process changed its group or session.
    pub const SESSION: u16 = 67;
    /// [`super::UmaskBody`]: the umask changed.
    pub const UMASK: u16 = 68;
    /// [`super::SentBody`]: a signal was sent; the header tells to whom.
    pub const SIGNAL_SENT: u16 = 69;
}

/// [`super::ItemHeader::arg`] of their items, and of those that exec, exit and signal records have besides.
pub mod field {
    /// The file that is mapped (STRING).
    pub const PATH: u8 = 64;
    /// The descriptor (FD).
    pub const FD: u8 = 65;
    /// Credentials as they were: [`super::CredentialSet`], then groups, 32 bits each (STRUCT).
    pub const BEFORE: u8 = 66;
    /// Credentials as they are (STRUCT).
    pub const AFTER: u8 = 67;
    /// [`super::UsageItem`]: what the thread or process has used (STRUCT).
    pub const USAGE: u8 = 68;
    /// [`super::ActionItem`]: what a delivered signal does (STRUCT).
    pub const ACTION: u8 = 69;
    /// [`super::FileItem`]: the executable (STRUCT).
    pub const FILE: u8 = 70;
}

/// Groups of events that are written only when they are asked for.
pub mod group {
    /// `MAPPING`.
    pub const MAPPINGS: u8 = 1 << 0;
    /// `DESCRIPTOR`.
    pub const DESCRIPTORS: u8 = 1 << 1;
    /// `CREDENTIALS`, `SESSION`, `UMASK`.
    pub const CREDENTIALS: u8 = 1 << 2;
    /// `SIGNAL_SENT`.
    pub const SIGNALS: u8 = 1 << 3;
}

macro_rules! body {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

/// [`MappingBody::op`].
pub mod mapping {
    /// mmap(2), or by execve.
    pub const MAP: u32 = 0;
    /// munmap(2).
    pub const UNMAP: u32 = 1;
    /// mprotect(2).
    pub const PROTECT: u32 = 2;
    /// brk(2): the heap from its start to the new break; `old_end` is the one before.
    pub const BRK: u32 = 3;
    /// mremap(2): what lay at `old_start..old_end` lies here now.
    pub const REMAP: u32 = 4;
    /// All of the address space is gone: execve, exit.
    pub const CLEAR: u32 = 5;
    /// [`super::MappingBody::flags`]: shared.
    pub const SHARED: u32 = 1;
    /// [`super::MappingBody::flags`]: not of a file.
    pub const ANONYMOUS: u32 = 2;
    /// [`super::MappingBody::flags`]: in the place of whatever was there.
    pub const FIXED: u32 = 4;
}

body! {
    /// Body of [`kind::MAPPING`].
    MappingBody {
        /// First address.
        start: u64,
        /// Address behind the last.
        end: u64,
        /// Offset in the file.
        offset: u64,
        /// Where it was before.
        old_start: u64,
        /// …
        old_end: u64,
        /// What was done: one of [`mapping`].
        op: u32,
        /// `PROT_*`.
        prot: u32,
        /// Bits of [`mapping`].
        flags: u32,
        /// Explicit padding.
        pad: u32,
    }
}

/// [`DescriptorBody::op`].
pub mod descriptor {
    /// By a call that makes or opens something.
    pub const OPENED: u32 = 0;
    /// By close(2), close_range(2), or dup2(2) over it.
    pub const CLOSED: u32 = 1;
    /// By dup(2) and its kin.
    pub const DUPLICATED: u32 = 2;
    /// Its close-on-exec flag changed.
    pub const CLOEXEC: u32 = 3;
    /// By a message's SCM_RIGHTS.
    pub const RECEIVED: u32 = 4;
    /// By execve, as it was close-on-exec.
    pub const CLOSED_BY_EXEC: u32 = 5;
}

body! {
    /// Body of [`kind::DESCRIPTOR`].
    DescriptorBody {
        /// Which table: threads, and processes made with CLONE_FILES, share one.
        table: u64,
        /// Its number.
        fd: i32,
        /// What was done: one of [`descriptor`].
        op: u32,
        /// Of which one it is a duplicate; −1: of none.
        from: i32,
        /// Whether it is closed by execve.
        cloexec: u32,
    }
}

body! {
    /// Start of the items [`field::BEFORE`] and [`field::AFTER`].
    CredentialSet {
        /// Real, effective, saved, file-system user id.
        uids: [u32; 4],
        /// Real, effective, saved, file-system group id.
        gids: [u32; 4],
        /// Effective, permitted, inheritable, bounding, ambient capabilities.
        capabilities: [u64; 5],
        /// `SECBIT_*`.
        securebits: u32,
        /// PR_SET_NO_NEW_PRIVS.
        no_new_privs: u32,
    }
}

body! {
    /// Body of [`kind::SESSION`].
    SessionBody {
        /// The process that it is about: the header's, or a child of it.
        pid: i32,
        /// Process group before.
        old_pgid: i32,
        /// Process group after.
        pgid: i32,
        /// Session before.
        old_sid: i32,
        /// Session after.
        sid: i32,
        /// Explicit padding.
        pad: u32,
    }
}

body! {
    /// Body of [`kind::UMASK`].
    UmaskBody {
        /// Before.
        before: u32,
        /// After.
        after: u32,
    }
}

/// [`SentBody::outcome`].
pub mod sent {
    /// It is pending.
    pub const QUEUED: u32 = 0;
    /// It was pending already.
    pub const MERGED: u32 = 1;
    /// The receiver ignores it.
    pub const IGNORED: u32 = 2;
    /// RLIMIT_SIGPENDING refuses it.
    pub const REFUSED: u32 = 3;
}

body! {
    /// Body of [`kind::SIGNAL_SENT`].
    SentBody {
        /// What the receiver is told.
        info: super::SignalBody,
        /// The thread that ran when it was sent: its sender, or whom a timer interrupted.
        by_pid: i32,
        /// …
        by_tid: i32,
        /// What became of it: one of [`sent`].
        outcome: u32,
        /// 1: to the header's thread alone, not to its process.
        thread: u32,
    }
}

body! {
    /// Item [`field::USAGE`].
    UsageItem {
        /// Page faults without and with reading from the host.
        faults: [u64; 2],
        /// Voluntary and involuntary context switches.
        switches: [u64; 2],
        /// Bytes read and written.
        bytes: [u64; 2],
    }
}

/// [`ActionItem::what`].
pub mod action {
    /// Nothing.
    pub const IGNORE: u32 = 0;
    /// Its handler runs.
    pub const HANDLER: u32 = 1;
    /// The process ends.
    pub const TERMINATE: u32 = 2;
    /// The process ends, with a core where the limit lets it.
    pub const CORE: u32 = 3;
    /// The process stops.
    pub const STOP: u32 = 4;
}

body! {
    /// Item [`field::ACTION`].
    ActionItem {
        /// Address of the handler; 0: none.
        handler: u64,
        /// `SA_*`.
        flags: u64,
        /// Signals blocked while it runs.
        mask: u64,
        /// One of [`action`].
        what: u32,
        /// Explicit padding.
        pad: u32,
    }
}

body! {
    /// Item [`field::FILE`].
    FileItem {
        /// Bytes.
        size: u64,
        /// Last change, nanoseconds since the epoch.
        mtime_ns: i64,
        /// Type and permissions.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// 1: its contents are those of the host's file with these numbers, nothing has changed them here.
        host: u32,
    }
}
