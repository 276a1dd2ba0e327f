// How the fuzzer draws arguments: by what a call expects in most draws, anything at all in the rest.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/signalfd.h>
#include <sys/inotify.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

struct random { uint64_t state; };

static uint64_t next(struct random *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static uint64_t below(struct random *r, uint64_t n) { return next(r) % n; }

static long raw_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
    long result;
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

// The part of memory that calls work in and on: some of its pages are unmapped or protected at any time.
enum { ARENA_PAGES = 64 };
static char *const ARENA = (char *)0x200000000000;
static volatile unsigned renewals;

static int fds[64];
static int fd_count;

static const char *const PATHS[] = {
    "/", ".", "..", "", "/tmp", "/tmp/fuzz-a", "/tmp/fuzz-b", "/tmp/fuzz-dir", "/tmp/fuzz-dir/x", "/tmp/fuzz-link", "/etc/passwd", "/etc", "/bin/true", "/usr",
    "/proc", "/proc/self", "/proc/self/maps", "/proc/self/smaps", "/proc/self/status", "/proc/self/stat", "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/5", "/proc/self/mem",
    "/proc/self/exe", "/proc/self/cwd", "/proc/self/root", "/proc/self/root/proc/self/root", "/proc/self/task", "/proc/self/pagemap", "/proc/self/environ", "/proc/self/cmdline", "/proc/self/auxv",
    "/proc/self/oom_score_adj", "/proc/self/comm", "/proc/self/limits", "/proc/self/mountinfo", "/proc/self/fdinfo/3", "/proc/self/ns/pid", "/proc/1/status", "/proc/1/mem", "/proc/meminfo", "/proc/stat", "/proc/cpuinfo",
    "/proc/sys/kernel/pid_max", "/proc/sys/kernel/hostname", "/proc/sys/vm/max_map_count", "/proc/uptime", "/proc/loadavg", "/proc/mounts", "/proc/filesystems", "/proc/net/unix", "/proc/99999", "/proc/thread-self/stat",
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts", "/dev/pts/0", "/dev/shm/fuzz", "/dev/fd/3", "/dev/stdin", "/sys", "/sys/devices/system/cpu/online", "/sys/kernel/mm",
    "/nonexistent", "/etc/passwd/x", "/tmp/../tmp/./fuzz-a", "////tmp//fuzz-b", "/tmp/fuzz-fifo", "/tmp/fuzz-socket", "fuzz-relative", "user.fuzz", "security.capability", "system.posix_acl_access", "tmpfs", "proc", "overlay",
};

static uint64_t pick_fd(struct random *r) {
    switch (below(r, 12)) {
    case 0: return below(r, 420);
    case 1: return (uint64_t)AT_FDCWD;
    case 2: return (uint64_t)-1 - below(r, 3);
    case 3: return next(r);
    default: return fd_count ? (uint64_t)fds[below(r, fd_count)] : 0;
    }
}

static uint64_t pick_size(struct random *r) {
    static const uint64_t edge[] = {0, 1, 7, 8, 15, 16, 63, 64, 127, 128, 255, 256, 1023, 1024, 4095, 4096, 4097, 8192, 65535, 65536, 65537, 1 << 20, 1 << 21, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
        0x7ffff000, 0x7fffffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, ~0ull - 4095, ~0ull - 7};
    if (below(r, 3) == 0) return below(r, 1 << below(r, 20));
    return edge[below(r, below(r, 2) ? 18 : sizeof edge / sizeof *edge)];
}

static uint64_t pick_flags(struct random *r) {
    switch (below(r, 8)) {
    case 0: return 0;
    case 1: return 1ull << below(r, 32);
    case 2: return 1ull << below(r, 12) | 1ull << below(r, 20);
    case 3: return below(r, 16);
    case 4: return 1ull << below(r, 64);
    case 5: return below(r, 64);
    case 6: return next(r) & next(r) & next(r);
    default: return next(r);
    }
}

static uint64_t pick_pointer(struct random *r) {
    char *page = ARENA + 4096 * below(r, ARENA_PAGES);
    switch (below(r, 32)) {
    case 0: return 0;
    case 1: return below(r, 65536);
    case 2: return 0x800000000000 - below(r, 16);
    case 3: return 0x7ffffffff000 + below(r, 4096);
    case 4: return 0xffff800000000000 + below(r, 1 << 30);
    case 5: return 0xffffffff80000000 + below(r, 1 << 24);
    case 6: return ~0ull - below(r, 64);
    case 7: return 0x8000000000000000 + below(r, 4096);
    case 8: return next(r);
    case 9: return (uint64_t)page;
    case 10: case 11: case 12: return (uint64_t)page + 4096 - below(r, 64);
    case 13: return (uint64_t)&pick_pointer;
    case 14: return 0xffffff0000000000 + next(r) % (1ull << 32);
    default: return (uint64_t)page + (below(r, 256) * 16);
    }
}

static uint64_t pick_any(struct random *r) {
    switch (below(r, 9)) {
    case 0: return 0;
    case 1: return ~0ull;
    case 2: case 3: return pick_pointer(r);
    case 4: return pick_fd(r);
    case 5: return pick_size(r);
    case 6: return pick_flags(r);
    case 7: return below(r, 128);
    default: return next(r);
    }
}

// Writes to the arena, whose pages may be missing or read-only: by a call, which bears that.
static void put(uint64_t at, const void *from, size_t length) {
    struct { const void *base; size_t length; } source = {from, length}, target = {(void *)at, length};
    raw_call(SYS_process_vm_writev, (uint64_t)getpid(), (uint64_t)&source, 1, (uint64_t)&target, 1, 0);
}

static uint64_t arena_place(struct random *r) { return (uint64_t)ARENA + 4096 * below(r, ARENA_PAGES) + (below(r, 6) ? 64 * below(r, 32) : 4096 - below(r, 80)); }

static uint64_t pick_path(struct random *r) {
    char text[9000];
    uint64_t at = arena_place(r);
    switch (below(r, 12)) {
    case 0: return pick_pointer(r);
    case 1: {
        size_t n = below(r, sizeof text);
        memset(text, below(r, 3) ? 'a' : '/', n);
        for (size_t i = 0; i + 1 < n && below(r, 2); i += 200) text[i] = '/';
        text[n] = 0;
        put(at, text, n + 1);
        return at;
    }
    case 2: {
        size_t n = 0;
        while (n < 4000 && below(r, 60)) n += (size_t)snprintf(text + n, 100, "%s/", below(r, 2) ? ".." : "tmp");
        text[n] = 0;
        put(at, text, n + 1);
        return at;
    }
    case 3: {
        size_t n = below(r, 64);
        for (size_t i = 0; i < n; i++) text[i] = (char)next(r);
        text[n] = 0;
        put(at, text, n + 1);
        return at;
    }
    default: {
        const char *path = PATHS[below(r, sizeof PATHS / sizeof *PATHS)];
        put(at, path, strlen(path) + 1);
        return at;
    }
    }
}

// A buffer of words that are themselves hostile: iovecs, structs, arrays of pointers.
static uint64_t pick_struct(struct random *r) {
    uint64_t words[32];
    uint64_t at = arena_place(r);
    int n = 1 + (int)below(r, 32);
    int style = (int)below(r, 5);
    for (int i = 0; i < n; i++)
        switch (style) {
        case 0: words[i] = pick_any(r); break;
        case 1: words[i] = i % 2 ? pick_size(r) : pick_pointer(r); break;
        case 2: words[i] = pick_flags(r) | (uint64_t)below(r, 64) << 32; break;
        case 3: words[i] = (uint32_t)pick_fd(r) | next(r) << 32; break;
        default: words[i] = below(r, 4); break;
        }
    put(at, words, 8 * (size_t)n);
    return at;
}

static uint64_t pick_time(struct random *r) {
    uint64_t words[4] = {0, below(r, 2000000), 0, below(r, 2000000)};
    uint64_t at = arena_place(r);
    if (below(r, 6) == 0) for (int i = 0; i < 4; i++) words[i] = pick_any(r);
    if (below(r, 10) == 0) return 0;
    put(at, words, sizeof words);
    return at;
}

static uint64_t pick_address(struct random *r) {
    unsigned char bytes[128] = {0};
    uint64_t at = arena_place(r);
    *(uint16_t *)bytes = (uint16_t)(below(r, 5) ? (uint16_t[]){1, 2, 10, 16, 0}[below(r, 5)] : below(r, 50));
    if (below(r, 2)) snprintf((char *)bytes + 2, 100, "%s", below(r, 2) ? "/tmp/fuzz-socket" : "/tmp/fuzz-a");
    else for (int i = 2; i < 128; i++) bytes[i] = below(r, 2) ? 0 : (unsigned char)next(r);
    put(at, bytes, sizeof bytes);
    return at;
}

static uint64_t pick_message(struct random *r) {
    uint64_t control[16] = {0}, words[7];
    uint64_t at = arena_place(r), vector = arena_place(r), message = arena_place(r);
    control[0] = below(r, 3) ? 16 + 4 * below(r, 24) : pick_size(r);
    control[1] = (uint64_t)(below(r, 4) ? SOL_SOCKET : (int)next(r)) | below(r, 4) << 32;
    for (int i = 2; i < 16; i++) control[i] = (uint32_t)pick_fd(r) | (uint64_t)(uint32_t)pick_fd(r) << 32;
    put(at, control, sizeof control);
    uint64_t iov[4] = {pick_pointer(r), below(r, 5000), pick_pointer(r), pick_size(r)};
    put(vector, iov, sizeof iov);
    words[0] = below(r, 3) ? 0 : pick_address(r);
    words[1] = below(r, 3) ? below(r, 130) : pick_size(r);
    words[2] = vector;
    words[3] = below(r, 4) ? below(r, 3) : pick_size(r);
    words[4] = below(r, 3) ? at : 0;
    words[5] = below(r, 4) ? below(r, 130) : pick_size(r);
    words[6] = 0;
    put(message, words, sizeof words);
    return message;
}

// What each call expects: f fd, p path, b buffer, s struct, z size, F flags, i small number, g signal, P pid, t time, a address in the arena,
// k socket address, m message header, ? anything. Calls that aren't here get anything.
static const struct { short number; const char *kinds; } SIGNATURES[] = {
    {SYS_read, "fbz"}, {SYS_write, "fbz"}, {SYS_open, "pFF"}, {SYS_close, "f"}, {SYS_stat, "pb"}, {SYS_fstat, "fb"}, {SYS_lstat, "pb"}, {SYS_poll, "sii"}, {SYS_lseek, "fzi"},
    {SYS_mmap, "azFFfz"}, {SYS_mprotect, "azi"}, {SYS_munmap, "az"}, {SYS_brk, "?"}, {SYS_rt_sigaction, "gssi"}, {SYS_rt_sigprocmask, "isbi"}, {SYS_ioctl, "fOb"}, {SYS_pread64, "fbzz"}, {SYS_pwrite64, "fbzz"},
    {SYS_readv, "fsi"}, {SYS_writev, "fsi"}, {SYS_access, "pi"}, {SYS_pipe, "b"}, {SYS_select, "issst"}, {SYS_mremap, "azzia"}, {SYS_msync, "azi"}, {SYS_mincore, "azb"}, {SYS_madvise, "azi"},
    {SYS_shmget, "izF"}, {SYS_shmat, "iaF"}, {SYS_shmctl, "iis"}, {SYS_dup, "f"}, {SYS_dup2, "fi"}, {SYS_nanosleep, "tb"}, {SYS_getitimer, "ib"}, {SYS_alarm, "i"}, {SYS_setitimer, "itb"}, {SYS_sendfile, "ffsz"},
    {SYS_socket, "iii"}, {SYS_connect, "fki"}, {SYS_accept, "fbs"}, {SYS_sendto, "fbzFki"}, {SYS_recvfrom, "fbzFbs"}, {SYS_sendmsg, "fmF"}, {SYS_recvmsg, "fmF"}, {SYS_shutdown, "fi"}, {SYS_bind, "fki"}, {SYS_listen, "fi"},
    {SYS_getsockname, "fbs"}, {SYS_getpeername, "fbs"}, {SYS_socketpair, "iiib"}, {SYS_setsockopt, "fiisi"}, {SYS_getsockopt, "fiibs"}, {SYS_clone, "Fa?bb"}, {SYS_execve, "pss"}, {SYS_wait4, "PbFb"}, {SYS_kill, "Pg"},
    {SYS_uname, "b"}, {SYS_fcntl, "fis"}, {SYS_flock, "fi"}, {SYS_fsync, "f"}, {SYS_truncate, "pz"}, {SYS_ftruncate, "fz"}, {SYS_getdents, "fbz"}, {SYS_getcwd, "bz"}, {SYS_chdir, "p"}, {SYS_fchdir, "f"}, {SYS_rename, "pp"},
    {SYS_mkdir, "pF"}, {SYS_rmdir, "p"}, {SYS_creat, "pF"}, {SYS_link, "pp"}, {SYS_unlink, "p"}, {SYS_symlink, "pp"}, {SYS_readlink, "pbz"}, {SYS_chmod, "pF"}, {SYS_fchmod, "fF"}, {SYS_chown, "pii"}, {SYS_gettimeofday, "bb"},
    {SYS_getrlimit, "ib"}, {SYS_setrlimit, "is"}, {SYS_ptrace, "iPab"}, {SYS_setpgid, "Pi"}, {SYS_rt_sigpending, "bi"}, {SYS_rt_sigtimedwait, "sbti"}, {SYS_rt_sigqueueinfo, "Pgs"}, {SYS_rt_sigsuspend, "si"}, {SYS_sigaltstack, "sb"},
    {SYS_utime, "ps"}, {SYS_mknod, "pF?"}, {SYS_statfs, "pb"}, {SYS_fstatfs, "fb"}, {SYS_mlock, "az"}, {SYS_prctl, "i????"}, {SYS_arch_prctl, "Oa"}, {SYS_mount, "pppFs"}, {SYS_umount2, "pi"}, {SYS_chroot, "p"}, {SYS_tkill, "Pg"},
    {SYS_readahead, "fzz"}, {SYS_setxattr, "ppbzi"}, {SYS_getxattr, "ppbz"}, {SYS_listxattr, "pbz"}, {SYS_fsetxattr, "fpbzi"}, {SYS_fgetxattr, "fpbz"}, {SYS_removexattr, "pp"}, {SYS_futex, "siits?"}, {SYS_sched_setaffinity, "Pzs"},
    {SYS_sched_getaffinity, "Pzb"}, {SYS_epoll_create, "i"}, {SYS_getdents64, "fbz"}, {SYS_set_tid_address, "b"}, {SYS_semtimedop, "isit"}, {SYS_fadvise64, "fzzi"}, {SYS_timer_create, "isb"}, {SYS_timer_settime, "iitb"},
    {SYS_clock_nanosleep, "iitb"}, {SYS_clock_gettime, "ib"}, {SYS_clock_settime, "is"}, {SYS_epoll_wait, "fbii"}, {SYS_epoll_ctl, "fifs"}, {SYS_tgkill, "PPg"}, {SYS_utimes, "ps"}, {SYS_mbind, "azisiF"}, {SYS_mq_open, "pFFs"},
    {SYS_waitid, "iPbFb"}, {SYS_inotify_add_watch, "fpF"}, {SYS_inotify_rm_watch, "fi"}, {SYS_openat, "fpFF"}, {SYS_mkdirat, "fpF"}, {SYS_mknodat, "fpF?"}, {SYS_fchownat, "fpiiF"}, {SYS_newfstatat, "fpbF"}, {SYS_unlinkat, "fpF"},
    {SYS_renameat, "fpfp"}, {SYS_linkat, "fpfpF"}, {SYS_symlinkat, "pfp"}, {SYS_readlinkat, "fpbz"}, {SYS_fchmodat, "fpF"}, {SYS_faccessat, "fpi"}, {SYS_pselect6, "isssts"}, {SYS_ppoll, "sitsi"}, {SYS_set_robust_list, "si"},
    {SYS_get_robust_list, "Pbb"}, {SYS_splice, "fsfszF"}, {SYS_tee, "ffzF"}, {SYS_sync_file_range, "fzzF"}, {SYS_vmsplice, "fsiF"}, {SYS_utimensat, "fpsF"}, {SYS_epoll_pwait, "fbiisi"}, {SYS_signalfd, "fsi"}, {SYS_timerfd_create, "iF"},
    {SYS_eventfd, "i"}, {SYS_fallocate, "fFzz"}, {SYS_timerfd_settime, "fitb"}, {SYS_timerfd_gettime, "fb"}, {SYS_accept4, "fbsF"}, {SYS_signalfd4, "fsiF"}, {SYS_eventfd2, "iF"}, {SYS_epoll_create1, "F"}, {SYS_dup3, "fiF"},
    {SYS_pipe2, "bF"}, {SYS_inotify_init1, "F"}, {SYS_preadv, "fsizz"}, {SYS_pwritev, "fsizz"}, {SYS_rt_tgsigqueueinfo, "PPgs"}, {SYS_recvmmsg, "fmiFt"}, {SYS_prlimit64, "Piss"}, {SYS_sendmmsg, "fmiF"}, {SYS_process_vm_readv, "Psisi?"},
    {SYS_process_vm_writev, "Psisi?"}, {SYS_kcmp, "PPi??"}, {SYS_sched_setattr, "PsF"}, {SYS_sched_getattr, "PbzF"}, {SYS_renameat2, "fpfpF"}, {SYS_seccomp, "iFs"}, {SYS_getrandom, "bzF"}, {SYS_memfd_create, "pF"},
    {SYS_execveat, "fpssF"}, {SYS_mlock2, "azF"}, {SYS_copy_file_range, "fsfszF"}, {SYS_preadv2, "fsizzF"}, {SYS_pwritev2, "fsizzF"}, {SYS_pkey_mprotect, "azii"}, {SYS_statx, "fpFFb"}, {SYS_rseq, "sFFi"}, {SYS_pidfd_send_signal, "fgsF"},
    {SYS_pidfd_open, "PF"}, {SYS_clone3, "sz"}, {SYS_close_range, "HHi"}, {SYS_openat2, "fpsz"}, {SYS_pidfd_getfd, "fiF"}, {SYS_faccessat2, "fpFF"}, {SYS_process_madvise, "fsiiF"}, {SYS_epoll_pwait2, "fbitsi"}, {SYS_getcpu, "bbb"},
    {SYS_sched_setparam, "Ps"}, {SYS_sched_setscheduler, "Pis"}, {SYS_setgroups, "is"}, {SYS_getgroups, "ib"}, {SYS_capset, "ss"}, {SYS_capget, "sb"}, {SYS_sethostname, "bi"}, {SYS_syslog, "ibi"}, {SYS_sysinfo, "b"}, {SYS_times, "b"},
};

static uint64_t pick_pid(struct random *r) {
    switch (below(r, 5)) {
    case 0: return 0;
    case 1: return (uint64_t)getpid() + below(r, 4);
    case 2: return (uint64_t)-(int64_t)(getpid() + (int)below(r, 3));
    case 3: return next(r);
    default: return (uint64_t)getpid();
    }
}

static uint64_t pick_kind(struct random *r, char kind) {
    static const unsigned ioctls[] = {0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5406, 0x5409, 0x540a, 0x540b, 0x540c, 0x540e, 0x540f, 0x5410, 0x5411, 0x5412, 0x5413, 0x5414, 0x541b, 0x5420, 0x5421, 0x5422, 0x5423, 0x5425, 0x5427, 0x5428, 0x5429,
        0x5450, 0x5451, 0x5452, 0x80045430, 0x40045431, 0x80045438, 0x5441, 0x8903, 0x8904, 0x8905, 0x8912, 0x8913, 0x8927, 0x1001, 0x1002, 0x1003, 0x1004};
    switch (kind) {
    case 'f': return pick_fd(r);
    case 'H': return below(r, 8) ? 300 + below(r, 200) : pick_fd(r);
    case 'p': return pick_path(r);
    case 'b': return below(r, 5) ? pick_pointer(r) : pick_struct(r);
    case 's': return below(r, 6) ? pick_struct(r) : pick_pointer(r);
    case 'z': return pick_size(r);
    case 'F': return pick_flags(r);
    case 'i': return below(r, 6) ? below(r, 40) : pick_any(r);
    case 'g': return below(r, 6) ? below(r, 66) : pick_any(r);
    case 'P': return pick_pid(r);
    case 't': return pick_time(r);
    case 'a': return below(r, 6) ? (uint64_t)ARENA + 4096 * below(r, ARENA_PAGES) : pick_any(r);
    case 'k': return pick_address(r);
    case 'm': return pick_message(r);
    case 'O': return below(r, 4) ? ioctls[below(r, sizeof ioctls / sizeof *ioctls)] : (0x1000 + below(r, 8));
    default: return pick_any(r);
    }
}

static void draw_arguments(struct random *r, long number, uint64_t a[6]) {
    const char *kinds = "";
    if (below(r, 5))
        for (size_t i = 0; i < sizeof SIGNATURES / sizeof *SIGNATURES; i++)
            if (SIGNATURES[i].number == number) kinds = SIGNATURES[i].kinds;
    size_t known = strlen(kinds);
    for (size_t i = 0; i < 6; i++) a[i] = pick_kind(r, i < known ? kinds[i] : '?');
}

// Maps what the arena has lost, with holes and read-only pages in it.
static void renew_arena(struct random *r) {
    mmap(ARENA, 4096 * ARENA_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int i = 0; i < 4; i++) {
        char *page = ARENA + 4096 * below(r, ARENA_PAGES);
        switch (below(r, 3)) {
        case 0: munmap(page, 4096); break;
        case 1: mprotect(page, 4096, PROT_READ); break;
        default: mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
        }
    }
    renewals++;
}

static void keep(int fd) {
    if (fd >= 0 && fd_count < 64) fds[fd_count++] = fd;
}

// One descriptor or more of every kind.
static void open_files(struct random *r) {
    int pair[2];
    sigset_t all;
    mkdir("/tmp/fuzz-dir", 0777);
    mknod("/tmp/fuzz-fifo", 0010666, 0);
    symlink("/tmp/fuzz-a", "/tmp/fuzz-link");
    keep(open("/tmp/fuzz-a", O_RDWR | O_CREAT, 0666));
    keep(open("/tmp/fuzz-b", O_RDWR | O_CREAT | O_APPEND, 0666));
    keep(open("/tmp", O_RDONLY | O_DIRECTORY));
    keep(open("/", O_PATH));
    keep(open("/etc/passwd", O_RDONLY));
    keep(open("/tmp/fuzz-fifo", O_RDWR | O_NONBLOCK));
    for (int i = 0; i < 2; i++) if (pipe2(pair, i ? O_NONBLOCK : 0) == 0) keep(pair[0]), keep(pair[1]);
    for (int type = 1; type <= 5; type++) if (socketpair(AF_UNIX, type, 0, pair) == 0) keep(pair[0]), keep(pair[1]);
    keep(socket(AF_UNIX, SOCK_STREAM, 0));
    keep(socket(AF_UNIX, SOCK_DGRAM, 0));
    keep(socket(AF_INET, SOCK_STREAM, 0));
    keep(socket(AF_INET, SOCK_DGRAM, 0));
    keep(socket(AF_INET6, SOCK_STREAM, 0));
    keep(socket(AF_NETLINK, SOCK_RAW, 0));
    int epoll = epoll_create1(0);
    keep(epoll);
    keep(eventfd(3, EFD_NONBLOCK));
    keep(eventfd(0, EFD_SEMAPHORE));
    keep(timerfd_create(CLOCK_MONOTONIC, 0));
    sigfillset(&all);
    keep(signalfd(-1, &all, SFD_NONBLOCK));
    keep(memfd_create("fuzz", MFD_ALLOW_SEALING));
    keep((int)syscall(SYS_pidfd_open, getpid(), 0));
    keep(inotify_init1(IN_NONBLOCK));
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    keep(master);
    if (master >= 0 && unlockpt(master) == 0 && ptsname(master)) keep(open(ptsname(master), O_RDWR));
    keep(open("/dev/zero", O_RDWR));
    keep(open("/dev/urandom", O_RDWR));
    for (int i = 0; i < 6; i++) keep(open(PATHS[below(r, sizeof PATHS / sizeof *PATHS)], O_RDONLY | O_NONBLOCK));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT};
    for (int i = 0; i < fd_count; i += 3) epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
}
