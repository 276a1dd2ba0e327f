//! memfd_create(2).

use super::Table;
use crate::{
    Errno, SysResult, call,
    fs::{self, Location, SetAttr, anon, tmpfs},
    mm,
};
use linux_raw_sys::general::{
    MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_HUGETLB, MFD_NOEXEC_SEAL, O_LARGEFILE, O_RDWR,
};
use vitrine_abi::nr;

/// Registers the family.
pub const fn add(table: &mut Table) {
    table.set(nr::MEMFD_CREATE, call!(memfd_create; 2));
}

/// Longest name, without its NUL: a file name less `memfd:`.
const MAX_NAME: usize = 249;

/// memfd_create(2). There are no huge pages to ask for.
pub fn memfd_create(name: u64, flags: u32) -> SysResult {
    let known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
    if flags & MFD_HUGETLB != 0 {
        return Err(Errno::ENODEV);
    }
    if flags & !known != 0 || flags & MFD_EXEC != 0 && flags & MFD_NOEXEC_SEAL != 0 {
        return Err(Errno::EINVAL);
    }
    let name = mm::user::read_cstr(name, MAX_NAME + 1).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        error => error,
    })?;
    let inode = tmpfs::anonymous(&name);
    if flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) != 0 {
        tmpfs::allow_sealing(&inode);
    }
    if flags & MFD_NOEXEC_SEAL != 0 {
        let mode = Some(0o666);
        inode.set_attr(&SetAttr {
            mode,
            ..SetAttr::default()
        })?;
    }
    let path = [b"/memfd:", name.as_slice(), b" (deleted)"].concat().into();
    let file = fs::open_location(&Location { inode, path }, O_RDWR | O_LARGEFILE)?;
    anon::install_file(file, flags & MFD_CLOEXEC != 0)
}
