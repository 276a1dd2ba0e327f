//! Guest RAM: one anonymous mapping whose offset is the guest physical address, and every access that the VMM makes to it.
//!
//! What lies here changes under our hands, so nothing hands out a reference to it but the shared pages of atomics. All addresses
//! and lengths are checked against the RAM's size.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use vitrine_abi::boot::Region;
use vitrine_abi::hostcall::HostCallSlot;
use vitrine_abi::layout::{CONTROL_PAGE, HOST_CALL_SLOTS, HUGE_PAGE_SIZE};
use vitrine_abi::shared::{ControlPage, RingHeader};
use vm_memory::bitmap::BitmapSlice;
use vm_memory::{MmapRegion, VolatileMemory, VolatileSlice};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Least guest RAM that a kernel boots in.
pub const MIN_RAM: u64 = 16 << 20;
/// Most pieces that one [`GuestRam::read_file`] takes.
pub const MAX_PIECES: usize = 512;

/// Why guest memory could not be had or reached.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The host refused the mapping.
    #[error("reserving {bytes} bytes of guest memory: {cause}; try a smaller --mem")]
    Map {
        /// Bytes asked for.
        bytes: u64,
        /// The host's answer.
        cause: io::Error,
    },
    /// A range that is not RAM.
    #[error("guest physical range {addr:#x}+{len:#x} lies outside of the guest's RAM")]
    OutOfRange {
        /// Guest physical address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
}

/// The guest's RAM.
pub struct GuestRam {
    region: MmapRegion,
}

impl GuestRam {
    /// Reserves `bytes` (a multiple of 2 MiB) of zeroed RAM. From `huge_from` on the host is asked for 2 MiB pages.
    pub fn new(bytes: u64, huge_from: u64) -> Result<GuestRam, MemoryError> {
        let fail = |cause| MemoryError::Map { bytes, cause };
        let invalid = || fail(io::Error::from(io::ErrorKind::InvalidInput));
        let len = usize::try_from(bytes).map_err(|_| invalid())?;
        let align = HUGE_PAGE_SIZE as usize;
        if len == 0 || !len.is_multiple_of(align) {
            return Err(invalid());
        }
        let reserved = len.checked_add(align).ok_or_else(invalid)?;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), reserved, prot, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(fail(io::Error::last_os_error()));
        }
        // Guest 2 MiB pages can be host 2 MiB pages only if both are aligned alike: cut what is too much at both ends.
        let head = base.align_offset(align).min(align);
        let start = base.wrapping_byte_add(head);
        // SAFETY: both ranges are parts of the mapping just made, outside of what stays in use; the advice changes no contents.
        unsafe {
            if head > 0 {
                libc::munmap(base, head);
            }
            if align > head {
                libc::munmap(start.wrapping_byte_add(len), align - head);
            }
            libc::madvise(start, len, libc::MADV_DONTDUMP);
            if let Ok(from) = usize::try_from(huge_from)
                && from < len
            {
                libc::madvise(
                    start.wrapping_byte_add(from),
                    len - from,
                    libc::MADV_HUGEPAGE,
                );
            }
        }
        // SAFETY: start..start+len is mapped with these flags, and unmapped only by `drop`.
        let region = unsafe { MmapRegion::build_raw(start.cast(), len, prot, flags) };
        region
            .map(|region| GuestRam { region })
            .map_err(|_| invalid())
    }

    /// Bytes of RAM.
    pub fn bytes(&self) -> u64 {
        self.region.size() as u64
    }

    /// Where the RAM lies in this process, for KVM.
    pub(super) fn host_address(&self) -> u64 {
        self.region.as_ptr() as u64
    }

    fn slice(
        &self,
        addr: u64,
        len: u64,
    ) -> Result<VolatileSlice<'_, impl BitmapSlice + use<'_>>, MemoryError> {
        let out = MemoryError::OutOfRange { addr, len };
        let (Ok(start), Ok(count)) = (usize::try_from(addr), usize::try_from(len)) else {
            return Err(out);
        };
        self.region.get_slice(start, count).map_err(|_| out)
    }

    /// Whether the range is RAM.
    pub fn contains(&self, addr: u64, len: u64) -> bool {
        self.slice(addr, len).is_ok()
    }

    /// Copies out of guest memory.
    pub fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        let slice = self.slice(addr, buf.len() as u64)?;
        slice.copy_to(buf);
        Ok(())
    }

    /// Copies into guest memory.
    pub fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        let slice = self.slice(addr, buf.len() as u64)?;
        slice.copy_from(buf);
        Ok(())
    }

    /// Copies a plain structure out of guest memory.
    pub fn read_obj<T: FromBytes + IntoBytes>(&self, addr: u64) -> Result<T, MemoryError> {
        let mut value = T::new_zeroed();
        self.read(addr, value.as_mut_bytes())?;
        Ok(value)
    }

    /// Copies a plain structure into guest memory.
    pub fn write_obj<T: IntoBytes + Immutable>(
        &self,
        addr: u64,
        value: &T,
    ) -> Result<(), MemoryError> {
        self.write(addr, value.as_bytes())
    }

    /// The control page.
    pub fn control(&self) -> &ControlPage {
        self.shared(CONTROL_PAGE)
    }

    /// The host-call slot of the only vCPU.
    pub fn host_call_slot(&self) -> &HostCallSlot {
        self.shared(HOST_CALL_SLOTS)
    }

    /// The ring header at `addr`: page aligned and inside RAM, or `None`.
    pub fn ring_header(&self, addr: u64) -> Option<&RingHeader> {
        let fits = addr.is_multiple_of(4096) && self.contains(addr, size_of::<RingHeader>() as u64);
        fits.then(|| self.shared(addr))
    }

    fn shared<T: Shared>(&self, addr: u64) -> &T {
        assert!(
            self.contains(addr, size_of::<T>() as u64)
                && addr.is_multiple_of(align_of::<T>() as u64),
            "shared page outside of RAM"
        );
        // SAFETY: in range and aligned (just checked), mapped as long as `self` lives, and made of atomics only, which the guest may
        // change at any time; every bit pattern is a valid value.
        unsafe { &*self.region.as_ptr().wrapping_add(addr as usize).cast::<T>() }
    }

    /// Reads from a file straight into guest memory, like preadv(2). At most [`MAX_PIECES`] pieces.
    pub fn read_file(
        &self,
        fd: BorrowedFd<'_>,
        offset: u64,
        pieces: &[Region],
    ) -> Result<usize, io::Error> {
        let bad = |code| io::Error::from_raw_os_error(code);
        if pieces.len() > MAX_PIECES {
            return Err(bad(libc::EINVAL));
        }
        let offset = libc::off_t::try_from(offset).map_err(|_| bad(libc::EINVAL))?;
        let mut iov: Vec<libc::iovec> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            if !self.contains(piece.addr, piece.len) {
                return Err(bad(libc::EFAULT));
            }
            let base = self.region.as_ptr().wrapping_add(piece.addr as usize);
            match iov.last_mut() {
                Some(last) if last.iov_base.wrapping_byte_add(last.iov_len) == base.cast() => {
                    last.iov_len = last.iov_len.saturating_add(piece.len as usize);
                }
                _ => iov.push(libc::iovec {
                    iov_base: base.cast(),
                    iov_len: piece.len as usize,
                }),
            }
        }
        // SAFETY: every piece lies in guest RAM (checked above), which stays mapped and is never referenced by a Rust reference to
        // anything but atomics.
        let read = unsafe { libc::preadv(fd.as_raw_fd(), iov.as_ptr(), iov.len() as i32, offset) };
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }

    /// Writes from guest memory to a descriptor, like write(2). `now`: fails with EAGAIN instead of blocking, or with EOPNOTSUPP where the
    /// descriptor can't tell.
    pub fn write_out(
        &self,
        fd: BorrowedFd<'_>,
        addr: u64,
        len: u64,
        now: bool,
    ) -> Result<usize, io::Error> {
        let iov = self.iovec(addr, len)?;
        let flags = if now { libc::RWF_NOWAIT } else { 0 };
        // SAFETY: the vector names guest RAM (checked), which stays mapped and is only read. Offset -1: the descriptor's own position.
        let written = unsafe { libc::pwritev2(fd.as_raw_fd(), &iov, 1, -1, flags) };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }

    /// Reads from a descriptor into guest memory, like read(2).
    pub fn read_in(&self, fd: BorrowedFd<'_>, addr: u64, len: u64) -> Result<usize, io::Error> {
        let iov = self.iovec(addr, len)?;
        // SAFETY: the vector names guest RAM (checked), which stays mapped and is never referenced by a Rust reference to anything
        // but atomics.
        let read = unsafe { libc::readv(fd.as_raw_fd(), &iov, 1) };
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }

    fn iovec(&self, addr: u64, len: u64) -> Result<libc::iovec, io::Error> {
        if !self.contains(addr, len) {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        Ok(libc::iovec {
            iov_base: self.region.as_ptr().wrapping_add(addr as usize).cast(),
            iov_len: len as usize,
        })
    }

    /// Gives the pages that lie wholly in the range back to the host; they read as zero afterwards.
    pub fn discard(&self, addr: u64, len: u64) -> Result<(), MemoryError> {
        self.advise(addr, len, libc::MADV_DONTNEED)
    }

    /// Has the host make the range present now, in one go: much cheaper than a fault a page later.
    pub fn populate(&self, addr: u64, len: u64) -> Result<(), MemoryError> {
        self.advise(addr, len, libc::MADV_POPULATE_WRITE)
    }

    fn advise(&self, addr: u64, len: u64, advice: i32) -> Result<(), MemoryError> {
        self.slice(addr, len)?;
        let start = addr.next_multiple_of(4096);
        let end = (addr + len) & !4095;
        if start < end {
            let base = self.region.as_ptr().wrapping_add(start as usize);
            // SAFETY: whole pages of guest RAM; no Rust value but the shared atomics lives there, and those bear any contents.
            unsafe { libc::madvise(base.cast(), (end - start) as usize, advice) };
        }
        Ok(())
    }
}

impl Drop for GuestRam {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made; nothing borrows from it any more.
        unsafe { libc::munmap(self.region.as_ptr().cast(), self.region.size()) };
    }
}

/// Pages that both sides share, made of atomics only.
trait Shared {}
impl Shared for ControlPage {}
impl Shared for HostCallSlot {}
impl Shared for RingHeader {}
