/* Makes system calls and writes down, for each, what the guest kernel would capture (data/golden.txt); run under strace, it yields the reference
 * text for the same calls (data/golden.strace). cargo test compares. To make both again:
 *   gcc -o /tmp/golden golden.c && strace -f -o data/golden.strace /tmp/golden data/golden.txt
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <stdarg.h>

enum { STRING = 1, BYTES = 2, STRUCT = 3, IOVEC = 6, PIECE = 7, NAME = 8, CONTROL = 9 };
enum { IN = 0, OUT = 1 };

struct item { int tag, arg, flags, index, len; const void *data; };
static char buffer[1 << 20];
static size_t used;

static void text(const char *format, ...) {
    va_list list;
    __builtin_va_start(list, format);
    used += vsnprintf(buffer + used, sizeof buffer - used, format, list);
    __builtin_va_end(list);
}

static void dump(struct item *items, int count, int after) {
    for (int i = 0; i < count; i++) {
        if ((items[i].flags & OUT) != after) continue;
        text("item %d %d %d %d ", items[i].tag, items[i].arg, items[i].flags, items[i].index);
        for (int b = 0; b < items[i].len; b++) text("%02x", ((const unsigned char *)items[i].data)[b]);
        text("\n");
    }
}

/* Items of the next call; what goes in is copied now, what comes out after it. */
static struct item items[16];
static int item_count;
static char before[1 << 16];
static size_t before_used;

static void add(int tag, int arg, int flags, int index, const void *data, int len) {
    if (!(flags & OUT)) {
        memcpy(before + before_used, data, len);
        data = before + before_used;
        before_used += len;
    }
    items[item_count++] = (struct item){tag, arg, flags, index, len, data};
}
#define S(arg, string) add(STRING, arg, IN, 0, string, strlen(string))
#define IN_(arg, value) add(STRUCT, arg, IN, 0, &(value), sizeof(value))
#define OUT_(arg, value) add(STRUCT, arg, OUT, 0, &(value), sizeof(value))
#define B(arg, flags, data, len) add(BYTES, arg, flags, 0, data, len)

static long call(long nr, long a, long b, long c, long d, long e, long f) {
    long ret = syscall(nr, a, b, c, d, e, f);
    long raw = ret == -1 ? -errno : ret;
    text("call %ld %lu %lu %lu %lu %lu %lu %ld\n", nr, a, b, c, d, e, f, raw);
    /* A buffer's length is the result. */
    for (int i = 0; i < item_count; i++)
        if (items[i].tag == BYTES && items[i].len < 0) items[i].len = ret > 0 ? ret : 0;
    dump(items, item_count, 0);
    if (raw >= 0) dump(items, item_count, 1);
    item_count = 0;
    before_used = 0;
    return ret;
}
#define N(x) ((long)(x))
#define CALL1(nr, a) call(SYS_##nr, N(a), 0, 0, 0, 0, 0)
#define CALL2(nr, a, b) call(SYS_##nr, N(a), N(b), 0, 0, 0, 0)
#define CALL3(nr, a, b, c) call(SYS_##nr, N(a), N(b), N(c), 0, 0, 0)
#define CALL4(nr, a, b, c, d) call(SYS_##nr, N(a), N(b), N(c), N(d), 0, 0)
#define CALL5(nr, a, b, c, d, e) call(SYS_##nr, N(a), N(b), N(c), N(d), N(e), 0)
#define CALL6(nr, a, b, c, d, e, f) call(SYS_##nr, N(a), N(b), N(c), N(d), N(e), N(f))

static const char *file = "/tmp/vitrine-golden";

static int files(void) {
    struct stat st; struct statfs sf; char stx[256]; char buf[200]; int fd;
    S(1, file); fd = CALL4(openat, AT_FDCWD, file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    S(1, "/nope"); CALL4(openat, AT_FDCWD, "/nope", O_RDONLY | O_DIRECTORY, 0);
    S(0, "/etc"); CALL2(open, "/etc", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_DIRECTORY | O_PATH);
    S(0, "/etc/passwd"); OUT_(1, st); CALL2(stat, "/etc/passwd", &st);
    S(1, "/dev/null"); OUT_(2, st); CALL4(newfstatat, AT_FDCWD, "/dev/null", &st, AT_SYMLINK_NOFOLLOW);
    OUT_(1, st); CALL2(fstat, fd, &st);
    S(0, "/tmp"); OUT_(1, st); CALL2(stat, "/tmp", &st);
    S(0, "/proc"); OUT_(1, sf); CALL2(statfs, "/proc", &sf);
    S(1, "/etc/passwd"); add(STRUCT, 4, OUT, 0, stx, 256); CALL5(statx, AT_FDCWD, "/etc/passwd", 0, 0xfff, stx);
    S(1, "/dev/null"); add(STRUCT, 4, OUT, 0, stx, 256); CALL5(statx, AT_FDCWD, "/dev/null", 0x100, 0x7ff, stx);
    B(1, IN, "plain\n", 6); CALL3(write, fd, "plain\n", 6);
    char all[256]; for (int i = 0; i < 256; i++) all[i] = i;
    for (int i = 0; i < 256; i += 32) { B(1, IN, all + i, 32); CALL3(write, fd, all + i, 32); }
    B(1, IN, "\0001\1\0018\7x\33[0m\200\2009", 17); CALL3(write, fd, "\0001\1\0018\7x\33[0m\200\2009", 17);
    B(1, IN, all + 64, 50); CALL3(write, fd, all + 64, 50);
    CALL3(lseek, fd, 0, SEEK_SET);
    B(1, OUT, buf, -1); CALL3(read, fd, buf, 20);
    B(1, OUT, buf, -1); CALL4(pread64, fd, buf, 33, 0);
    CALL3(read, -1, buf, 20);
    CALL3(read, fd, 1, 20);
    B(1, IN, "ab", 2); CALL4(pwrite64, fd, "ab", 2, 5);
    struct iovec out[2] = {{"hello\n", 6}, {"wor\0ld\xff", 7}};
    add(IOVEC, 1, IN, 0, out, 32); add(PIECE, 1, IN, 0, "hello\n", 6); add(PIECE, 1, IN, 1, "wor\0ld\xff", 7);
    CALL3(writev, fd, out, 2);
    CALL3(lseek, fd, -13, SEEK_END);
    struct iovec in[2] = {{buf, 4}, {buf + 10, 50}};
    add(IOVEC, 1, OUT, 0, in, 32); add(PIECE, 1, OUT, 0, buf, 4); add(PIECE, 1, OUT, 1, buf + 10, 9);
    CALL3(readv, fd, in, 2);
    CALL3(fcntl, fd, F_GETFL, 0); CALL3(fcntl, fd, F_SETFL, O_APPEND); CALL3(fcntl, fd, F_GETFD, 0);
    CALL3(fcntl, fd, F_SETFD, 0); CALL3(fcntl, fd, F_GETFD, 0); CALL3(fcntl, fd, F_DUPFD, 30); CALL3(fcntl, fd, F_DUPFD_CLOEXEC, 30);
    struct flock lock = {F_WRLCK, SEEK_SET, 0, 10, 0};
    IN_(2, lock); CALL3(fcntl, fd, F_SETLK, &lock);
    CALL2(ftruncate, fd, 5); CALL1(fsync, fd); CALL2(flock, fd, LOCK_EX | LOCK_NB); CALL2(dup2, fd, 40); CALL3(dup3, fd, 41, O_CLOEXEC);
    CALL2(fchmod, fd, 0600); S(1, file); CALL3(fchmodat, AT_FDCWD, file, 07); CALL3(fchown, fd, -1, 0); CALL1(umask, 022); CALL1(umask, 0); CALL1(umask, 022);
    S(0, "a\nb"); S(1, "/tmp/vitrine-link"); CALL2(symlink, "a\nb", "/tmp/vitrine-link");
    S(0, "/tmp/vitrine-link"); B(1, OUT, buf, -1); CALL3(readlink, "/tmp/vitrine-link", buf, 100);
    S(0, "/tmp/vitrine-link"); CALL1(unlink, "/tmp/vitrine-link");
    S(1, "/nope"); CALL3(unlinkat, AT_FDCWD, "/nope", AT_REMOVEDIR);
    S(0, "/nope/a"); CALL2(mkdir, "/nope/a", 0755);
    S(1, "/nope/a"); S(3, "/nope/b"); CALL4(renameat, AT_FDCWD, "/nope/a", AT_FDCWD, "/nope/b");
    S(0, "/nope"); CALL2(access, "/nope", R_OK | X_OK); S(1, "/etc"); CALL4(faccessat2, AT_FDCWD, "/etc", X_OK, AT_EACCESS);
    S(0, "/nope/x"); CALL3(mknod, "/nope/x", S_IFCHR | 0600, makedev(1, 3)); S(0, "/nope/x"); CALL3(mknod, "/nope/x", S_IFIFO | 0666, 0);
    struct timespec times[2] = {{0, UTIME_NOW}, {1, UTIME_OMIT}};
    S(1, file); IN_(2, times); CALL4(utimensat, AT_FDCWD, file, times, 0);
    struct timespec dated[2] = {{951782399, 5}, {1795506263, 0}};
    IN_(2, dated); CALL4(utimensat, fd, NULL, dated, 0); CALL4(utimensat, fd, NULL, NULL, 0);
    S(0, file); S(1, "user.a"); B(2, IN, "val", 3); CALL5(setxattr, file, "user.a", "val", 3, XATTR_CREATE);
    S(0, file); S(1, "user.b"); CALL4(getxattr, file, "user.b", buf, 10);
    S(0, "/"); CALL1(chdir, "/"); char cwd[2] = "/"; add(STRING, 0, OUT, 0, cwd, 1); CALL2(getcwd, buf, 100);
    long how[3] = {O_RDONLY | O_CLOEXEC, 0, 8};
    S(1, "etc"); IN_(2, how); CALL4(openat2, AT_FDCWD, "etc", how, 24);
    CALL4(copy_file_range, fd, NULL, fd, NULL); long offset = 3; IN_(2, offset); OUT_(2, offset); CALL4(sendfile, 41, fd, &offset, 10);
    CALL3(close_range, 100, 200, 2); CALL1(close, 99); CALL4(fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 10); CALL4(fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return fd;
}

static void memory(int fd) {
    long page = CALL6(mmap, NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CALL3(mprotect, page, 4096, PROT_READ); CALL3(madvise, page, 4096, MADV_DONTNEED); CALL2(munlock, page, 4096);
    CALL6(mmap, page, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, fd, 0x1000);
    CALL6(mmap, NULL, 4096, PROT_NONE, MAP_SHARED, fd, 0x2000); CALL6(mmap, NULL, 1 << 21, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK | MAP_HUGETLB | (21 << 26), -1, 0);
    CALL4(mremap, page, 8192, 4096, MREMAP_MAYMOVE); CALL3(msync, page, 4096, MS_SYNC); CALL2(munmap, page, 8192); CALL1(brk, NULL); CALL3(mlock2, 0, 0, 1);
}

static void times_and_signals(void) {
    struct timespec ts; struct timeval tv; unsigned long sa[4], old[4];
    OUT_(1, ts); CALL2(clock_gettime, CLOCK_MONOTONIC, &ts); OUT_(0, tv); CALL2(gettimeofday, &tv, NULL); OUT_(1, ts); CALL2(clock_getres, CLOCK_BOOTTIME, &ts);
    struct timespec little = {0, 1000}; IN_(0, little); CALL2(nanosleep, &little, NULL); IN_(2, little); CALL4(clock_nanosleep, CLOCK_REALTIME, 0, &little, NULL);
    CALL1(time, NULL); CALL1(alarm, 0);
    OUT_(2, old); CALL4(rt_sigaction, SIGINT, NULL, old, 8);
    memcpy(sa, (unsigned long[4]){1, 0x14000000, 0x401000, 0x10006}, 32); IN_(1, sa); OUT_(2, old); CALL4(rt_sigaction, SIGUSR1, sa, old, 8);
    unsigned long mask = ~0xful, was; IN_(1, mask); OUT_(2, was); CALL4(rt_sigprocmask, SIG_BLOCK, &mask, &was, 8);
    mask = 0; IN_(1, mask); OUT_(2, was); CALL4(rt_sigprocmask, SIG_SETMASK, &mask, &was, 8);
    mask = 0x10006 | 1ul << 31 | 1ul << 32 | 1ul << 63; IN_(1, mask); CALL4(rt_sigprocmask, SIG_UNBLOCK, &mask, NULL, 8); OUT_(0, was); CALL2(rt_sigpending, &was, 8);
    struct itimerval it = {{0, 0}, {100, 5}}; IN_(1, it); CALL3(setitimer, ITIMER_PROF, &it, NULL); OUT_(1, it); CALL2(getitimer, ITIMER_VIRTUAL, &it);
    stack_t ss; OUT_(1, ss); CALL2(sigaltstack, NULL, &ss); CALL2(kill, getpid(), 0); CALL2(kill, 99999999, SIGRTMIN + 2);
    int timer = CALL2(timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC); struct itimerspec is = {{0, 0}, {1, 0}}; IN_(2, is); CALL4(timerfd_settime, timer, 0, &is, NULL);
    mask = 1; IN_(1, mask); CALL4(signalfd4, -1, &mask, 8, O_CLOEXEC); CALL2(eventfd2, 3, O_CLOEXEC | 1);
}

static void system_calls(void) {
    struct utsname un; struct sysinfo si; struct rlimit rl; struct rusage ru; int value = 0; cpu_set_t cpus; char name[32] = "foo"; unsigned ids[3];
    OUT_(0, un); CALL1(uname, &un); add(STRUCT, 0, OUT, 0, &si, 112); CALL1(sysinfo, &si);
    OUT_(3, rl); CALL4(prlimit64, 0, RLIMIT_STACK, NULL, &rl); OUT_(1, rl); CALL2(getrlimit, RLIMIT_NOFILE, &rl); OUT_(1, ru); CALL2(getrusage, RUSAGE_SELF, &ru);
    S(1, "foo"); CALL2(prctl, PR_SET_NAME, "foo"); add(STRING, 1, OUT, 0, "foo", 3); CALL2(prctl, PR_GET_NAME, name); CALL2(prctl, PR_SET_PDEATHSIG, SIGKILL);
    CALL1(prctl, PR_GET_DUMPABLE); CALL5(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); CALL5(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); CALL2(prctl, PR_SET_DUMPABLE, 1);
    CALL1(getpid, 0); CALL1(gettid, 0); CALL1(getppid, 0); CALL1(getuid, 0); CALL1(getpgid, 0); CALL1(getsid, 0);
    OUT_(0, ids[0]); OUT_(1, ids[1]); OUT_(2, ids[2]); CALL3(getresuid, ids, ids + 1, ids + 2); CALL3(setresuid, -1, 0, -1);
    B(2, OUT, &cpus, -1); CALL3(sched_getaffinity, 0, 128, &cpus); CALL1(sched_getscheduler, 0); CALL1(sched_yield, 0); CALL2(getpriority, PRIO_PROCESS, 0);
    CALL2(set_robust_list, 0x1000, 24); CALL4(futex, &value, 0x80, 5, NULL); CALL3(futex, &value, 0x81, 1);
    CALL6(futex, &value, 0x189, 5, NULL, NULL, -1); struct timespec ts = {0, 1000}; IN_(3, ts); CALL4(futex, &value, 0x80, 0, &ts); CALL6(futex, &value, 0x84, 1, 2, &value, 3);
    long fs; OUT_(1, fs); CALL2(arch_prctl, 0x1003, &fs); B(0, OUT, name, -1); CALL3(getrandom, name, 8, 1); CALL1(personality, 0xffffffff);
    S(0, "mf"); CALL2(memfd_create, "mf", 3); CALL3(ioctl, 99, 0xc0de, 7); CALL1(unshare, 0); CALL1(inotify_init1, O_CLOEXEC);
}

static void waiting(void) {
    int p[2], status; struct rusage ru; siginfo_t info; struct timespec ts = {0, 1000};
    OUT_(0, p); CALL2(pipe2, p, O_CLOEXEC);
    struct pollfd fds[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    IN_(0, fds); OUT_(0, fds); CALL3(poll, fds, 2, 100); add(STRUCT, 0, IN, 0, fds, 8); CALL3(poll, fds, 1, 1);
    unsigned long mask = 0x4001; IN_(0, fds); OUT_(0, fds); IN_(3, mask); CALL5(ppoll, fds, 2, NULL, &mask, 8);
    fd_set rd, wr; FD_ZERO(&rd); FD_ZERO(&wr); FD_SET(p[0], &rd); FD_SET(p[1], &wr); struct timeval tv = {0, 10};
    B(1, IN, &rd, 8); B(1, OUT, &rd, 8); B(2, IN, &wr, 8); B(2, OUT, &wr, 8); CALL5(select, p[1] + 1, &rd, &wr, NULL, NULL);
    FD_ZERO(&rd); FD_SET(p[0], &rd); B(1, IN, &rd, 8); B(1, OUT, &rd, 8); IN_(4, tv); OUT_(4, tv); CALL5(select, p[0] + 1, &rd, NULL, NULL, &tv);
    long set[2] = {N(&mask), 8}; IN_(4, ts); IN_(5, set); B(5, IN, &mask, 8); CALL6(pselect6, 0, NULL, NULL, NULL, &ts, set);
    int ep = CALL1(epoll_create1, EPOLL_CLOEXEC); struct epoll_event ev = {EPOLLIN | EPOLLET, {.u64 = 7}};
    IN_(3, ev); CALL4(epoll_ctl, ep, EPOLL_CTL_ADD, p[0], &ev); write(p[1], "x", 1); OUT_(1, ev); CALL4(epoll_wait, ep, &ev, 5, 0); CALL4(epoll_ctl, ep, EPOLL_CTL_DEL, p[0], &ev); add(STRUCT, 1, OUT, 0, &ev, 0); CALL4(epoll_wait, ep, &ev, 5, 0);
    pid_t child = fork(); if (!child) _exit(7);
    usleep(20000); OUT_(1, status); OUT_(3, ru); CALL4(wait4, child, &status, 0, &ru);
    child = fork(); if (!child) { kill(getpid(), SIGKILL); }
    usleep(20000); add(STRUCT, 2, OUT, 0, &info, 128); CALL5(waitid, P_PID, child, &info, WEXITED | WNOWAIT, NULL); OUT_(1, status); CALL4(wait4, -1, &status, 0, NULL);
    child = fork(); if (!child) { pause(); _exit(0); }
    CALL4(wait4, child, &status, WNOHANG, NULL); kill(child, SIGTERM); usleep(20000); OUT_(1, status); CALL4(wait4, child, &status, WNOHANG | WUNTRACED, NULL); CALL4(wait4, -1, &status, 0, NULL);
}

static void sockets(void) {
    int sp[2], one = 1; struct sockaddr_un un = {AF_UNIX, "/nope/socket"}; struct sockaddr_in in = {AF_INET, htons(53), {htonl(0x7f000001)}}; struct sockaddr_in6 in6 = {AF_INET6, htons(80)}; unsigned len;
    OUT_(3, sp); CALL4(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp);
    int u = CALL3(socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0); B(1, IN, &un, 110); CALL3(connect, u, &un, 110); un.sun_path[0] = 0; B(1, IN, &un, 10); CALL3(connect, u, &un, 10); B(1, IN, &un, 2); CALL3(bind, u, &un, 2);
    int i4 = CALL3(socket, AF_INET, SOCK_DGRAM, 0); B(1, IN, &in, 16); CALL3(connect, i4, &in, 16);
    len = 100; B(1, OUT, &in, 16); IN_(2, len); OUT_(2, len); CALL3(getpeername, i4, &in, &len); len = 16; B(1, OUT, &in, 16); IN_(2, len); OUT_(2, len); CALL3(getpeername, i4, &in, &len);
    int i6 = CALL3(socket, AF_INET6, SOCK_STREAM, IPPROTO_TCP); in6.sin6_addr.s6_addr[15] = 1; B(1, IN, &in6, 28); CALL3(bind, i6, &in6, 28);
    IN_(3, one); CALL5(setsockopt, i6, SOL_SOCKET, SO_REUSEADDR, &one, 4); len = 4; OUT_(3, one); IN_(4, len); OUT_(4, len); CALL5(getsockopt, i6, SOL_SOCKET, SO_ERROR, &one, &len); IN_(3, one); CALL5(setsockopt, i6, IPPROTO_TCP, 1, &one, 4);
    struct ucred uc; len = 12; OUT_(3, uc); IN_(4, len); OUT_(4, len); CALL5(getsockopt, sp[0], SOL_SOCKET, SO_PEERCRED, &uc, &len); CALL2(shutdown, i6, SHUT_RDWR); CALL2(listen, u, 5); CALL3(accept, u, NULL, NULL); CALL4(accept4, -1, NULL, NULL, SOCK_CLOEXEC); CALL3(socket, AF_NETLINK, SOCK_RAW, 0);
    B(1, IN, "hi", 2); CALL6(sendto, sp[0], "hi", 2, MSG_NOSIGNAL, NULL, 0); char buf[100]; B(1, OUT, buf, -1); CALL6(recvfrom, sp[1], buf, 10, 0, NULL, NULL);
    struct iovec iov[1] = {{"hello", 5}}; char control[64] = {0}; struct cmsghdr *cm = (void *)control; cm->cmsg_len = 20; cm->cmsg_level = SOL_SOCKET; cm->cmsg_type = SCM_RIGHTS; *(int *)CMSG_DATA(cm) = u;
    struct msghdr mh = {NULL, 0, iov, 1, control, 24, 0};
    IN_(1, mh); add(IOVEC, 1, IN, 0, iov, 16); add(PIECE, 1, IN, 0, "hello", 5); add(CONTROL, 1, IN, 0, control, 24); CALL3(sendmsg, sp[0], &mh, 0);
    struct iovec riov[1] = {{buf, 50}}; mh.msg_iov = riov; mh.msg_controllen = 64;
    OUT_(1, mh); add(IOVEC, 1, OUT, 0, riov, 16); add(PIECE, 1, OUT, 0, buf, 5); add(CONTROL, 1, OUT, 0, control, 24); CALL3(recvmsg, sp[1], &mh, 0);
}

static void terminals(void) {
    struct termios t; struct winsize ws; int n = 0, m = posix_openpt(O_RDWR | O_NOCTTY);

    add(STRUCT, 2, OUT, 0, &t, 36); CALL3(ioctl, m, TCGETS, &t); CALL3(ioctl, 99, TCGETS, &t); OUT_(2, ws); CALL3(ioctl, m, TIOCGWINSZ, &ws); IN_(2, ws); CALL3(ioctl, m, TIOCSWINSZ, &ws); OUT_(2, n); CALL3(ioctl, m, FIONREAD, &n); OUT_(2, n); CALL3(ioctl, m, TIOCGPTN, &n);
    IN_(2, n); CALL3(ioctl, m, TIOCSPTLCK, &n); add(STRUCT, 2, IN, 0, &t, 36); CALL3(ioctl, m, TCSETSW, &t); CALL2(ioctl, m, FIOCLEX); OUT_(2, n); CALL3(ioctl, m, TIOCGPGRP, &n);
}

int main(int argc, char **argv) {
    (void)argc;
    setvbuf(stdout, NULL, _IONBF, 0);
    alarm(20);
    FILE *out = fopen(argv[1], "w");
    int fd = files();
    memory(fd);
    times_and_signals();
    system_calls();
    waiting();
    sockets();
    terminals();
    fwrite(buffer, 1, used, out);
    fclose(out);
    unlink(file);
    return 0;
}
