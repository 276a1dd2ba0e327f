// Pipes, poll, select, epoll, eventfd, timerfd, signalfd, AF_UNIX sockets with descriptor passing.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    signal(SIGPIPE, SIG_IGN);
    int p[2];
    char buffer[70000];
    SHOW(pipe2(p, O_NONBLOCK));
    SHOW(read(p[0], buffer, 10));
    SHOW(write(p[1], "abc", 3));
    int available;
    SHOW(ioctl(p[0], FIONREAD, &available));
    printf("available %d\n", available);
    struct pollfd fds[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    SHOW(poll(fds, 2, 0));
    printf("revents %x %x\n", fds[0].revents, fds[1].revents);
    SHOW(read(p[0], buffer, 100));
    memset(buffer, 'z', sizeof buffer);
    SHOW(write(p[1], buffer, sizeof buffer));
    SHOW(write(p[1], buffer, 1));
    SHOW(poll(fds, 2, 0));
    printf("revents %x %x\n", fds[0].revents, fds[1].revents);
    close(p[1]);
    SHOW(read(p[0], buffer, sizeof buffer));
    SHOW(read(p[0], buffer, sizeof buffer));
    SHOW(poll(fds, 1, 0));
    printf("revents %x\n", fds[0].revents);
    close(p[0]);
    SHOW(pipe(p));
    close(p[0]);
    SHOW(write(p[1], "x", 1));
    fds[0].fd = p[1];
    fds[0].events = POLLOUT;
    SHOW(poll(fds, 1, 0));
    printf("revents %x\n", fds[0].revents);
    close(p[1]);

    // A large transfer between processes.
    SHOW(pipe(p));
    pid_t child = fork();
    if (!child) {
        close(p[0]);
        for (int i = 0; i < 100; i++) { memset(buffer, i, sizeof buffer); if (write(p[1], buffer, sizeof buffer) != sizeof buffer) _exit(1); }
        _exit(0);
    }
    close(p[1]);
    long total = 0, sum = 0, n;
    while ((n = read(p[0], buffer, 4096)) > 0) { total += n; sum += (unsigned char)buffer[0]; }
    waitpid(child, 0, 0);
    printf("total %ld\n", total);
    close(p[0]);

    int e = eventfd(3, EFD_NONBLOCK);
    unsigned long value;
    SHOW(read(e, &value, 8));
    printf("value %lu\n", value);
    SHOW(read(e, &value, 8));
    value = 7;
    SHOW(write(e, &value, 8));
    SHOW(read(e, &value, 4));

    int ep = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 55}, out[4];
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, e, &event));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, e, &event));
    SHOW(epoll_wait(ep, out, 4, 0));
    printf("events %x data %u\n", out[0].events, out[0].data.u32);
    event.events = EPOLLIN | EPOLLET;
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, e, &event));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(epoll_wait(ep, out, 4, 0));
    value = 1;
    SHOW(write(e, &value, 8));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, e, 0));
    SHOW(epoll_wait(ep, out, 4, 1));

    int t = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec when = {{0, 0}, {0, 2000000}};
    SHOW(timerfd_settime(t, 0, &when, 0));
    SHOW(read(t, &value, 8));
    printf("expirations %lu\n", value);

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, 0);
    int sfd = signalfd(-1, &set, 0);
    kill(getpid(), SIGUSR1);
    struct signalfd_siginfo info;
    SHOW(read(sfd, &info, sizeof info));
    printf("signal %u own pid %d\n", info.ssi_signo, info.ssi_pid == (unsigned)getpid());

    fd_set reads;
    FD_ZERO(&reads);
    FD_SET(e, &reads);
    struct timeval none = {0, 0};
    SHOW(select(e + 1, &reads, 0, 0, &none));

    // Socket pairs and descriptor passing.
    int s[2];
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    SHOW(send(s[0], "hi", 2, 0));
    SHOW(recv(s[1], buffer, 10, MSG_PEEK));
    SHOW(recv(s[1], buffer, 10, 0));
    SHOW(recv(s[1], buffer, 10, MSG_DONTWAIT));
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {"f", 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &e, sizeof e);
    SHOW(sendmsg(s[0], &message, 0));
    char byte;
    struct iovec in = {&byte, 1};
    struct msghdr received = {.msg_iov = &in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    SHOW(recvmsg(s[1], &received, 0));
    int passed;
    memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&received)), sizeof passed);
    value = 9;
    HOLDS(passed != e);
    SHOW(write(passed, &value, 8));
    SHOW(shutdown(s[0], SHUT_WR));
    SHOW(read(s[1], buffer, 1));
    SHOW(write(s[0], "x", 1));
    close(s[0]);
    SHOW(write(s[1], "x", 1));
    SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    SHOW(send(s[0], "one", 3, 0));
    SHOW(send(s[0], "two", 3, 0));
    SHOW(recv(s[1], buffer, 2, MSG_TRUNC));
    SHOW(recv(s[1], buffer, 10, 0));

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/vt-socket-%d", getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(client, (void *)&address, sizeof address));
    SHOW(bind(listener, (void *)&address, sizeof address));
    SHOW(connect(client, (void *)&address, sizeof address));
    SHOW(listen(listener, 5));
    SHOW(connect(client, (void *)&address, sizeof address));
    int server = accept(listener, 0, 0);
    HOLDS(server >= 0);
    SHOW(write(client, "ping", 4));
    SHOW(read(server, buffer, 10));
    struct ucred cred;
    socklen_t length = sizeof cred;
    SHOW(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &cred, &length));
    HOLDS(cred.pid == getpid() && cred.uid == getuid());
    unlink(address.sun_path);
    SHOW(socket(999, SOCK_STREAM, 0));
    SHOW(socket(AF_UNIX, 99, 0));
    return 0;
}
