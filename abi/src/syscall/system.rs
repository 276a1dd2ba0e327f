//! Rows: the machine as a whole, mounts, modules, and calls that Linux no longer has.
use super::{
    kinds::{ArgKind::*, Dir::*, Set as S, StructKind as K},
    rows,
};

rows! {
    UNAME uname(buf: Struct(K::Utsname, Out)) -> Int;
    SYSINFO sysinfo(info: Struct(K::Sysinfo, Out)) -> Int;
    SYSLOG syslog(type: Enum(S::Syslog), bufp: Depends, len: Depends) -> Int;
    GETRANDOM getrandom(buf: BufOut(1), buflen: Size, flags: Flags(S::GetRandom)) -> Int;
    SETHOSTNAME sethostname(name: BufIn(1), len: Uint) -> Int;
    SETDOMAINNAME setdomainname(name: BufIn(1), len: Uint) -> Int;
    REBOOT reboot(magic: Enum(S::RebootMagic1), magic2: Enum(S::RebootMagic2), cmd: Enum(S::Reboot), arg: Depends) -> Int;
    VHANGUP vhangup() -> Int;
    ACCT acct(filename: Path) -> Int;
    SWAPON swapon(path: Path, swapflags: Flags(S::SwapFlags)) -> Int;
    SWAPOFF swapoff(path: Path) -> Int;
    QUOTACTL quotactl(cmd: QuotaCommand, special: Path, id: Uid, addr: Pointer) -> Int;
    QUOTACTL_FD quotactl_fd(fd: Fd, cmd: QuotaCommand, id: Uid, addr: Pointer) -> Int;
    IOPL iopl(level: Int) -> Int;
    IOPERM ioperm(from: Hex, num: Hex, turn_on: Int) -> Int;
    MODIFY_LDT modify_ldt(func: Int, ptr: Depends, bytecount: Size) -> Int;
    SET_THREAD_AREA set_thread_area(u_info: Struct(K::UserDesc, In)) -> Int;
    GET_THREAD_AREA get_thread_area(u_info: Struct(K::UserDesc, InOut)) -> Int;

    MOUNT mount(source: Path, target: Path, filesystemtype: Depends, mountflags: Flags(S::MountFlags), data: Depends) -> Int;
    UMOUNT2 umount2(target: Path, flags: Flags(S::Umount)) -> Int;
    OPEN_TREE open_tree(dirfd: AtFd, pathname: Path, flags: Flags(S::OpenTree)) -> Fd;
    MOVE_MOUNT move_mount(from_dirfd: AtFd, from_pathname: Path, to_dirfd: AtFd, to_pathname: Path, flags: Flags(S::MoveMount)) -> Int;
    FSOPEN fsopen(fsname: Str, flags: Flags(S::FsOpen)) -> Fd;
    FSCONFIG fsconfig(fd: Fd, cmd: Enum(S::FsConfig), key: Depends, value: Depends, aux: Depends) -> Int;
    FSMOUNT fsmount(fd: Fd, flags: Flags(S::FsMount), attr_flags: Flags(S::MountAttr)) -> Fd;
    FSPICK fspick(dirfd: AtFd, path: Path, flags: Flags(S::FsPick)) -> Fd;
    MOUNT_SETATTR mount_setattr(dirfd: AtFd, path: Path, flags: Flags(S::AtMountSetattr), uattr: Struct(K::MountAttr, In), usize: Size) -> Int;
    STATMOUNT statmount(req: Pointer, buf: Pointer, bufsize: Size, flags: Hex32) -> Int;
    LISTMOUNT listmount(req: Pointer, mnt_ids: Pointer, nr_mnt_ids: Size, flags: Hex32) -> Int;
    SYSFS sysfs(option: Hex, fsname: Hex, buf: Hex) -> Int;

    INIT_MODULE init_module(module_image: Pointer, len: Size, param_values: Str) -> Int;
    FINIT_MODULE finit_module(fd: Fd, param_values: Str, flags: Flags(S::ModuleInit)) -> Int;
    DELETE_MODULE delete_module(name: Str, flags: Flags(S::DeleteModule)) -> Int;
    KEXEC_LOAD kexec_load(entry: Pointer, nr_segments: Size, segments: Pointer, flags: Flags(S::KexecArch)) -> Int;
    KEXEC_FILE_LOAD kexec_file_load(kernel_fd: Fd, initrd_fd: Fd, cmdline_len: Size, cmdline: Str, flags: Flags(S::KexecFile)) -> Int;
    BPF bpf(cmd: Enum(S::BpfCommand), attr: Pointer, size: Uint) -> Depends;
    PERF_EVENT_OPEN perf_event_open(attr: Struct(K::PerfEventAttr, In), pid: Pid, cpu: Int, group_fd: Fd, flags: Flags(S::PerfEventOpen)) -> Fd;

    USELIB uselib(library: Path) -> Int;
    _SYSCTL _sysctl(args: Struct(K::SysctlArgs, In)) -> Int;
    CREATE_MODULE create_module(name: Hex, size: Hex) -> Int;
    GET_KERNEL_SYMS get_kernel_syms(table: Hex) -> Int;
    QUERY_MODULE query_module(name: Hex, which: Hex, buf: Hex, bufsize: Hex, ret: Hex) -> Int;
    NFSSERVCTL nfsservctl(cmd: Hex, argp: Hex, resp: Hex) -> Int;
    GETPMSG getpmsg(fd: Hex, ctlptr: Hex, dataptr: Hex, bandp: Hex, flagsp: Hex) -> Int;
    PUTPMSG putpmsg(fd: Hex, ctlptr: Hex, dataptr: Hex, band: Hex, flags: Hex) -> Int;
    AFS_SYSCALL afs_syscall(arg1: Hex, arg2: Hex, arg3: Hex, arg4: Hex, arg5: Hex) -> Int;
    TUXCALL tuxcall(arg1: Hex, arg2: Hex, arg3: Hex) -> Int;
    SECURITY security(arg1: Hex, arg2: Hex, arg3: Hex) -> Int;
    VSERVER vserver(arg1: Hex, arg2: Hex, arg3: Hex, arg4: Hex, arg5: Hex) -> Int;
}
