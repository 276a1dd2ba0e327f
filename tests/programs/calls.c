// Calls with rare structures, descriptors inside structures, interrupted calls, and an execve by a thread that isn't the leader.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *execute(void *arg) {
    char *argv[] = {"true", NULL};
    (void)arg;
    execv("/bin/true", argv);
    return NULL;
}

static void on_alarm(int signo) { (void)signo; }

static void descriptors(int pipes[2]) {
    struct timespec soon = {0, 1000};
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_SET(pipes[0], &readable);
    FD_ZERO(&writable);
    FD_SET(pipes[1], &writable);
    select(10, &readable, &writable, NULL, &(struct timeval){1, 0});
    FD_SET(pipes[0], &readable);
    pselect(10, &readable, NULL, NULL, &soon, NULL);
    struct pollfd polled[] = {{pipes[0], POLLIN, 0}, {-1, POLLIN, 0}};
    ppoll(polled, 2, &soon, NULL);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1122334455667788};
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event);
    epoll_wait(epoll, &event, 1, 0);
    if (write(pipes[1], "x", 1) == 1)
        epoll_wait(epoll, &event, 1, 0);
    char terminal[64];
    ioctl(pipes[0], 0x802c542a, terminal);
    ioctl(pipes[0], 0x5456, 0);
    ioctl(pipes[0], 0x12345678, 0);
}

static void structures(void) {
    struct sigevent notify = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &notify, &timer);
    notify.sigev_notify = SIGEV_NONE;
    timer_create(CLOCK_MONOTONIC, &notify, &timer);
    timer_create(CLOCK_REALTIME, NULL, &timer);
    // Of another process: EPERM whatever the caller may do.
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 999999};
    struct __user_cap_data_struct data[2] = {{1 | 2 | 1 << 21, ~0u, 0}, {~0u, ~0u, 0}};
    syscall(SYS_capset, &head, data);
    unsigned word = 5;
    struct futex_waitv waiter = {.val = 4, .uaddr = (long)&word, .flags = FUTEX_32};
    syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, 0);
}

static void messages(int pipes[2], int sockets[2]) {
    char first[10], second[10], control[CMSG_SPACE(8)];
    struct iovec sent[] = {{"abc", 3}, {"defg", 4}}, room[] = {{first, 10}, {second, 10}};
    struct mmsghdr out[2] = {{.msg_hdr = {.msg_iov = &sent[0], .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &sent[1], .msg_iovlen = 1}}};
    struct mmsghdr in[2] = {{.msg_hdr = {.msg_iov = &room[0], .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &room[1], .msg_iovlen = 1}}};
    sendmmsg(sockets[0], out, 2, 0);
    recvmmsg(sockets[1], in, 2, MSG_DONTWAIT, NULL);
    struct msghdr rights = {.msg_iov = sent, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *message = CMSG_FIRSTHDR(&rights);
    message->cmsg_level = SOL_SOCKET;
    message->cmsg_type = SCM_RIGHTS;
    message->cmsg_len = CMSG_LEN(8);
    memcpy(CMSG_DATA(message), pipes, 8);
    sendmsg(sockets[0], &rights, 0);
    struct msghdr received = {.msg_iov = room, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    recvmsg(sockets[1], &received, 0);
}

// A read that a handler interrupts: without and with SA_RESTART.
static void interruptions(int sockets[2]) {
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerspec once = {{0, 0}, {0, 30000000}};
    struct sigevent notify = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 9};
    timer_t timer;
    char byte;
    timer_create(CLOCK_MONOTONIC, &notify, &timer);
    sigaction(SIGALRM, &action, NULL);
    timer_settime(timer, 0, &once, NULL);
    if (read(sockets[1], &byte, 1) != -1)
        exit(1);
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    pid_t child = fork();
    if (child == 0) {
        usleep(300000);
        _exit(write(sockets[0], "y", 1) != 1);
    }
    timer_settime(timer, 0, &once, NULL);
    if (read(sockets[1], &byte, 1) != 1)
        exit(2);
    waitpid(child, NULL, 0);
    sigset_t none;
    sigemptyset(&none);
    timer_settime(timer, 0, &once, NULL);
    sigsuspend(&none);
}

int main(void) {
    int pipes[2], sockets[2];
    if (pipe(pipes) || socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets))
        return 3;
    descriptors(pipes);
    structures();
    messages(pipes, sockets);
    interruptions(sockets);
    pid_t killed = fork();
    if (killed == 0) {
        kill(getpid(), SIGKILL);
        _exit(0);
    }
    waitpid(killed, NULL, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, execute, NULL);
    for (;;)
        pause();
}
