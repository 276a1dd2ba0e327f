//! Rows: mappings and memory policy.
use super::{
    kinds::{ArgKind::*, Dir::*, Set as S, StructKind as K},
    rows,
};

rows! {
    MMAP mmap(addr: Pointer, length: Size, prot: Flags(S::Prot), flags: Flags(S::MapFlags), fd: Fd, offset: Depends) -> Hex;
    MPROTECT mprotect(addr: Pointer, len: Size, prot: Flags(S::Prot)) -> Int;
    PKEY_MPROTECT pkey_mprotect(addr: Pointer, len: Size, prot: Flags(S::Prot), pkey: Int) -> Int;
    PKEY_ALLOC pkey_alloc(flags: Hex, access_rights: Flags(S::PkeyAccess)) -> Int;
    PKEY_FREE pkey_free(pkey: Int) -> Int;
    MUNMAP munmap(addr: Pointer, length: Size) -> Int;
    BRK brk(addr: Pointer) -> Hex;
    MREMAP mremap(old_address: Pointer, old_size: Size, new_size: Size, flags: Flags(S::Mremap), new_address: Depends) -> Hex;
    MSYNC msync(addr: Pointer, length: Size, flags: Flags(S::Msync)) -> Int;
    MINCORE mincore(addr: Pointer, length: Size, vec: PageBytes(1)) -> Int;
    MADVISE madvise(addr: Pointer, length: Size, advice: Enum(S::Madvise)) -> Int;
    PROCESS_MADVISE process_madvise(pidfd: Fd, iovec: IoVec(2, Out), vlen: Size, advice: Enum(S::Madvise), flags: Hex32) -> Int;
    PROCESS_MRELEASE process_mrelease(pidfd: Fd, flags: Hex32) -> Int;
    MLOCK mlock(addr: Pointer, len: Size) -> Int;
    MLOCK2 mlock2(addr: Pointer, len: Size, flags: Flags(S::Mlock2)) -> Int;
    MUNLOCK munlock(addr: Pointer, len: Size) -> Int;
    MLOCKALL mlockall(flags: Flags(S::MlockAll)) -> Int;
    MUNLOCKALL munlockall() -> Int;
    REMAP_FILE_PAGES remap_file_pages(addr: Pointer, size: Size, prot: Flags(S::Prot), pgoff: Size, flags: Flags(S::MapFlags)) -> Int;
    MBIND mbind(addr: Pointer, len: Size, mode: Enum(S::MpolMode), nodemask: Nodemask(4, In), maxnode: Size, flags: Flags(S::MpolFlags)) -> Int;
    SET_MEMPOLICY set_mempolicy(mode: Enum(S::MpolMode), nodemask: Nodemask(2, In), maxnode: Size) -> Int;
    GET_MEMPOLICY get_mempolicy(mode: Struct(K::MpolMode, Out), nodemask: Nodemask(2, Out), maxnode: Size, addr: Pointer, flags: Flags(S::MpolGet)) -> Int;
    SET_MEMPOLICY_HOME_NODE set_mempolicy_home_node(start: Pointer, len: Size, home_node: Ulong, flags: Hex) -> Int;
    MIGRATE_PAGES migrate_pages(pid: Pid, maxnode: Size, old_nodes: Nodemask(1, In), new_nodes: Nodemask(1, In)) -> Int;
    MOVE_PAGES move_pages(pid: Pid, count: Size, pages: Structs(K::Pointer, In, 1), nodes: Structs(K::Int, In, 1), status: Structs(K::Int, Out, 1), flags: Flags(S::MovePages)) -> Int;
    PROCESS_VM_READV process_vm_readv(pid: Pid, local_iov: IoVec(2, Out), liovcnt: Ulong, remote_iov: Structs(K::IoVec, In, 4), riovcnt: Ulong, flags: Ulong) -> Int;
    PROCESS_VM_WRITEV process_vm_writev(pid: Pid, local_iov: IoVec(2, In), liovcnt: Ulong, remote_iov: Structs(K::IoVec, In, 4), riovcnt: Ulong, flags: Ulong) -> Int;
    MEMBARRIER membarrier(cmd: Enum(S::Membarrier), flags: Flags(S::MembarrierFlags), cpu_id: Depends) -> Int;
    MAP_SHADOW_STACK map_shadow_stack(addr: Pointer, size: Size, flags: Hex32) -> Hex;
    MSEAL mseal(addr: Pointer, len: Size, flags: Hex) -> Int;
}
