// Signal-driven I/O: O_ASYNC, FIOASYNC, F_SETOWN, F_SETSIG on pipes, sockets and terminals.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>

static void next(const char *what, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int got = sigtimedwait(&set, &info, &(struct timespec){0, 50000000});
    if (got < 0)
        printf("%s: none\n", what);
    else if (info.si_code == SI_KERNEL)
        printf("%s: %d from the kernel\n", what, got);
    else
        printf("%s: %d code %d band %lx fd %d\n", what, got, info.si_code, (long)info.si_band, info.si_fd);
}

static void listen_on(int fd, int signal) {
    SHOW(fcntl(fd, F_SETOWN, getpid()));
    SHOW(fcntl(fd, F_SETSIG, signal));
    SHOW(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
    HOLDS(fcntl(fd, F_GETFL) & O_ASYNC);
}

int main(void) {
    int rt = SIGRTMIN + 1;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    sigaddset(&set, rt);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, 0);
    char buffer[100];

    int p[2];
    SHOW(pipe(p));
    listen_on(p[0], 0);
    SHOW(write(p[1], "x", 1));
    next("pipe written", SIGIO);
    SHOW(write(p[1], "x", 1));
    next("pipe written again", SIGIO);
    next("no more", SIGIO);
    listen_on(p[1], rt);
    SHOW(read(p[0], buffer, 10));
    next("pipe read", rt);
    SHOW(fcntl(p[0], F_SETFL, 0));
    HOLDS(fcntl(p[0], F_GETFL) & O_ASYNC);
    SHOW(write(p[1], "x", 1));
    next("not any more", SIGIO);
    int on = 1;
    SHOW(ioctl(p[0], FIOASYNC, &on));
    HOLDS(fcntl(p[0], F_GETFL) & O_ASYNC);
    close(p[1]);
    next("writer gone", SIGIO);
    close(p[0]);

    SHOW(pipe(p));
    SHOW(fcntl(p[0], F_SETFL, O_ASYNC));
    SHOW(write(p[1], "x", 1));
    next("nobody owns it", SIGIO);
    struct f_owner_ex owner = {F_OWNER_TID, gettid()};
    SHOW(fcntl(p[0], F_SETOWN_EX, &owner));
    SHOW(fcntl(p[0], F_SETSIG, SIGUSR1));
    SHOW(fcntl(p[0], F_GETSIG));
    SHOW(write(p[1], "x", 1));
    next("to a thread", SIGUSR1);
    SHOW(fcntl(p[0], F_SETOWN, 1 << 30));

    int s[2];
    for (int kind = SOCK_STREAM; kind <= SOCK_DGRAM; kind++) {
        SHOW(socketpair(AF_UNIX, kind, 0, s));
        listen_on(s[0], rt);
        SHOW(write(s[1], "abc", 3));
        next("socket written", rt);
        SHOW(read(s[0], buffer, 10));
        next("socket read", rt);
        SHOW(shutdown(s[1], SHUT_WR));
        next("socket shut down", rt);
        close(s[1]);
        next("socket closed", rt);
        close(s[0]);
    }

    int master = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(master);
    unlockpt(master);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    listen_on(slave, 0);
    SHOW(write(master, "abc", 3));
    next("half a line", SIGIO);
    SHOW(write(master, "\n", 1));
    next("a line", SIGIO);
    SHOW(read(slave, buffer, sizeof buffer));

    int file = open("/proc/self/exe", O_RDONLY);
    SHOW(fcntl(file, F_SETFL, O_ASYNC));
    HOLDS(fcntl(file, F_GETFL) & O_ASYNC);
    SHOW(ioctl(file, FIOASYNC, &on));
    return 0;
}
