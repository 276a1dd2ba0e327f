// Arguments that strace shows in a special way, most of them wrong ones: what is printed must agree to the letter. Compared with the host's strace
// by tests/trace/compare.rs; whatever a call answers, it answers the same on the host and inside.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define CALL(name, ...) syscall(SYS_##name, ##__VA_ARGS__)

int main(void) {
    // Always at the same address, followed by nothing.
    char *page = mmap((void *)0x10000000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    munmap(page + 4096, 4096);
    char *end = page + 4096;
    int null = open("/dev/null", O_RDWR);
    int pair[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);

    // Arrays that end in unreadable memory, and ones that begin there.
    struct iovec *vector = (struct iovec *)(end - 2 * sizeof *vector);
    vector[0] = (struct iovec){"first", 5};
    vector[1] = (struct iovec){(void *)1, 6};
    CALL(writev, -1, vector, 2);
    CALL(writev, -1, vector, 4);
    CALL(readv, -1, vector, 2);
    CALL(writev, -1, end, 1);
    struct pollfd *polled = (struct pollfd *)(end - sizeof *polled);
    *polled = (struct pollfd){null, POLLIN | POLLPRI, 0};
    CALL(poll, polled, 3, 0);
    char **strings = (char **)(end - 2 * sizeof *strings);
    strings[0] = "argument";
    strings[1] = (char *)2;
    CALL(execve, "/nonexistent", strings, strings);
    CALL(execve, (char *)3, (char **)4, (char **)5);

    // A name without an end.
    memset(page, 'x', 4096);
    CALL(mkdir, page, 0755);

    // Sizes that aren't a signal set's.
    uint64_t *set = (uint64_t *)page;
    *set = 1 << (SIGUSR1 - 1);
    CALL(rt_sigprocmask, SIG_BLOCK, set, 0, 4);
    CALL(rt_sigprocmask, 77, set, 0, 8);
    CALL(rt_sigsuspend, set, 16);
    CALL(signalfd4, -1, set, 9, 0);
    CALL(ppoll, 0, 0, 0, set, 3);
    struct sigaction_kernel {
        void *handler;
        uint64_t flags;
        void *restorer;
        uint64_t mask;
    } action = {(void *)-1, 0, 0, ~0ul};
    CALL(rt_sigaction, 0, &action, 0, 8);

    // Times that are none.
    struct timespec time = {-1, -1};
    CALL(nanosleep, &time, 0);
    CALL(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &time, 0);
    struct timespec times[2] = {{1700000000, 5}, {0, UTIME_NOW}};
    CALL(utimensat, AT_FDCWD, "/nonexistent", times, 0);
    int64_t stamp[2] = {1L << 59, 1700000000};
    CALL(utime, "/nonexistent", stamp);

    // Modes, devices, flags.
    CALL(mknod, "/nonexistent/x", 04000 | 0644, 0);
    CALL(mknod, "/nonexistent/x", S_IFBLK | 0600, 0x12345678);
    CALL(mount, "none", "/nonexistent", "tmpfs", MS_NOSUID, "size=1");
    CALL(mount, "none", "/nonexistent", "tmpfs", MS_BIND | MS_REC, "size=1");
    CALL(mount, "none", "/nonexistent", "tmpfs", MS_REMOUNT, "size=1");
    CALL(mount, "none", "/nonexistent", "tmpfs", MS_MGC_VAL | MS_RDONLY, 0);
    CALL(mremap, page, 4096, 0, MREMAP_FIXED, 0x20000000);
    CALL(memfd_create, "huge", 1 << 26);
    CALL(futex, page, FUTEX_WAKE_OP, 1, 1L, page + 4, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_GT, 3));
    CALL(futex, page, 77, 1, 0, 0, 0);

    // Processes' options.
    CALL(prctl, PR_CAPBSET_READ, 21);
    CALL(prctl, PR_SET_DUMPABLE, 7);
    CALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 2, 3, 4);
    CALL(prctl, PR_SET_NAME, "a name that is too long");

    // Files' options.
    CALL(fcntl, -1, F_NOTIFY, 3);
    CALL(fcntl, -1, 1033, 7);
    CALL(fcntl, null, 999, page);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -5, .l_len = 10};
    CALL(fcntl, -1, F_SETLK, &lock);
    CALL(fcntl, -1, F_GETLK, &lock);
    struct termios blank = {0};
    CALL(ioctl, null, TCSETS, &blank);
    CALL(ioctl, null, TCFLSH, TCIOFLUSH);
    CALL(ioctl, null, TCXONC, TCOON);

    // Sockets: options of several lengths, addresses, messages.
    int one = 1;
    CALL(setsockopt, pair[0], SOL_SOCKET, SO_BROADCAST, &one, 4);
    CALL(setsockopt, -1, SOL_SOCKET, SO_PASSCRED, &one, 2);
    CALL(setsockopt, -1, SOL_SOCKET, 0, &one, 1);
    CALL(setsockopt, -1, SOL_SOCKET, SO_LINGER, &one, 4);
    CALL(setsockopt, -1, 999, 1234567890, "twelve bytes", 12);
    CALL(getsockopt, -1, SOL_SOCKET, SO_TYPE, &one, &one);
    struct sockaddr_un name = {AF_UNIX, "/nonexistent/socket"};
    for (unsigned length = 1; length < 12; length += 5) {
        CALL(connect, -1, &name, length);
    }
    name.sun_path[0] = 0;
    CALL(connect, -1, &name, 3);
    CALL(connect, -1, &name, 12);
    struct sockaddr_in inet = {AF_INET, htons(80), {htonl(INADDR_LOOPBACK)}, {0}};
    CALL(connect, -1, &inet, 16);
    CALL(connect, -1, &inet, 8);
    CALL(sendto, -1, "text", 4, MSG_DONTWAIT, &inet, 16);
    unsigned char packet[20] = {17, 0, 8, 0, 9, 0, 0, 0, 1, 0, 4, 6, 1, 2, 3, 4, 5, 6};
    CALL(bind, -1, packet, 20);
    CALL(socket, 0, 0, 0);
    CALL(socket, AF_UNIX, 9 | SOCK_CLOEXEC, 0);
    char control[64] = {0};
    struct cmsghdr *head = (struct cmsghdr *)control;
    *head = (struct cmsghdr){CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS};
    *(int *)CMSG_DATA(head) = null;
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(4)};
    *vector = (struct iovec){"first", 5};
    CALL(sendmsg, pair[0], &message, 0);
    struct sockaddr_un from;
    char buffer[16];
    struct iovec into = {buffer, sizeof buffer};
    struct msghdr received = {&from, sizeof from, &into, 1, control, sizeof control, 0};
    CALL(recvmsg, pair[1], &received, 0);
    CALL(recvmsg, -1, &received, 0);
    head->cmsg_len = 1000;
    message.msg_controllen = 20;
    CALL(sendmsg, -1, &message, 0);

    // Descriptor sets beyond the number that is asked about.
    fd_set wanted;
    FD_ZERO(&wanted);
    FD_SET(null, &wanted);
    FD_SET(60, &wanted);
    struct timeval none = {0, 0};
    CALL(select, null + 1, 0, &wanted, 0, &none);
    CALL(select, -1, &wanted, 0, 0, &none);
    struct epoll_event event = {EPOLLIN | EPOLLET, {.u64 = 7}};
    CALL(epoll_ctl, -1, EPOLL_CTL_ADD, null, &event);
    CALL(epoll_pwait, -1, &event, 1, 0, set, 8);
    return 0;
}
