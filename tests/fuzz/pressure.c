// Uses up what the kernel can run out of, each in a process of its own, INSIDE a sandbox only. Every way must end in an errno (or in the OOM
// killer's SIGKILL), and the next one must find the kernel alive. Usage: pressure [WAY]
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 3000000 };
static long count;

// Ends the way: what stopped it, after how many.
static void stopped(const char *what) {
    int error = errno;
    printf("%s after %ld: %s\n", what, count, strerror(error));
    fflush(stdout);
    _exit(0);
}
#define UNTIL_FAILURE(call) for (count = 0; count < MOST; count++) if ((long)(call) < 0) stopped(#call)

static void *sleeper(void *unused) {
    pause();
    return unused;
}

static void descriptors(void) { UNTIL_FAILURE(dup(0)); }
static void pipes(void) {
    int pair[2];
    static char block[65536];
    for (count = 0; count < MOST; count++) {
        if (pipe2(pair, O_NONBLOCK) < 0) stopped("pipe2");
        if (write(pair[1], block, sizeof block) < 0) stopped("write to a pipe");
    }
}
static void sockets(void) {
    int pair[2];
    static char block[4096];
    for (count = 0; count < MOST; count++) {
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0) stopped("socketpair");
        while (send(pair[0], block, sizeof block, 0) > 0) { }
    }
}
static void small_messages(void) {
    int pair[2];
    for (count = 0; count < MOST; count++) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0) stopped("socketpair");
        while (send(pair[0], "x", 1, 0) > 0) { }
    }
}
static void in_flight(void) {
    int pair[2];
    char control[CMSG_SPACE(sizeof(int) * 200)] = {0};
    struct iovec piece = {"x", 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof(int) * 200), SOL_SOCKET, SCM_RIGHTS};
    for (count = 0; count < MOST; count++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0) stopped("socketpair");
        for (int i = 0; i < 200; i++) ((int *)CMSG_DATA(header))[i] = pair[i % 2];
        if (sendmsg(pair[0], &message, 0) < 0) stopped("sendmsg");
        close(pair[0]), close(pair[1]);
    }
}
static void chain(void) {
    // Each socket holds the next one in its queue; the end lets go of all at once.
    int last = open("/dev/null", O_RDONLY), pair[2];
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {"x", 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    for (count = 0; count < 60000; count++) {
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0) stopped("socketpair");
        memcpy(CMSG_DATA(header), &last, sizeof last);
        if (sendmsg(pair[0], &message, 0) < 0) stopped("sendmsg");
        close(pair[0]), close(last);
        last = pair[1];
    }
    close(last);
    stopped("chain");
}
static void mappings(void) {
    char *base = mmap(0, 4096ul * 400000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (count = 0; count < 200000; count++) if (mprotect(base + 8192 * count, 4096, PROT_READ | PROT_WRITE) < 0) break;
    int error = errno;
    // The longest texts that the kernel makes.
    for (int i = 0; i < 2; i++) {
        int fd = open(i ? "/proc/self/smaps" : "/proc/self/maps", O_RDONLY);
        static char text[1 << 20];
        while (read(fd, text, sizeof text) > 0) { }
        close(fd);
    }
    errno = error;
    stopped("mprotect");
}
static void page_tables(void) {
    char *base = mmap(0, 1ul << 45, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) stopped("mmap");
    for (count = 0; count < 1 << 24; count++) base[(unsigned long)count << 21] = 1;
    stopped("page tables");
}
static void empty_page_tables(void) {
    static unsigned char present[1];
    char *base = mmap(0, 1ul << 45, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) stopped("mmap");
    for (count = 0; count < 1 << 24; count++) if (mincore(base + ((unsigned long)count << 21), 1, present) < 0 || madvise(base + ((unsigned long)count << 21), 4096, MADV_POPULATE_READ) < 0) break;
    stopped("page tables");
}
static void memory(void) {
    for (count = 0; count < MOST; count++) {
        char *block = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) stopped("mmap");
        memset(block, 1, 1 << 20);
    }
}
static void threads(void) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    pthread_t one;
    for (count = 0; count < MOST; count++)
        if ((errno = pthread_create(&one, &attributes, sleeper, 0))) stopped("pthread_create");
}
static void processes(void) {
    for (count = 0; count < MOST; count++) {
        pid_t pid = fork();
        if (pid < 0) break;
        if (pid == 0) pause();
    }
    int error = errno;
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    errno = error;
    stopped("fork");
}
static void zombies(void) {
    for (count = 0; count < MOST; count++) {
        pid_t pid = fork();
        if (pid < 0) stopped("fork");
        if (pid == 0) _exit(0);
    }
}
static void names(const char *folder) {
    char name[300];
    mkdir(folder, 0777);
    for (count = 0; count < MOST; count++) {
        snprintf(name, sizeof name, "%s/%0200ld", folder, count);
        int fd = open(name, O_CREAT | O_WRONLY, 0666);
        if (fd < 0) stopped("open");
        close(fd);
    }
}
static void files(void) { names("/tmp/pressure"); }
static void shm_files(void) { names("/dev/shm/pressure"); }
static void contents(void) {
    static char block[1 << 20];
    int fd = open("/tmp/pressure-file", O_CREAT | O_WRONLY, 0666);
    UNTIL_FAILURE(write(fd, block, sizeof block));
}
static void sparse(void) {
    int fd = open("/tmp/pressure-sparse", O_CREAT | O_WRONLY, 0666);
    UNTIL_FAILURE(pwrite(fd, "x", 1, count << 30));
}
static void deep(void) {
    mkdir("/dev/shm/deep", 0777);
    mount("tmpfs", "/dev/shm/deep", "tmpfs", 0, 0);
    if (chdir("/dev/shm/deep")) stopped("chdir");
    for (count = 0; count < 60000; count++) if (mkdir("d", 0777) || chdir("d")) break;
    if (chdir("/") || umount2("/dev/shm/deep", MNT_DETACH)) stopped("umount2");
    stopped("deep");
}
static void symbolic_links(void) {
    char name[64], target[4000];
    memset(target, 'a', sizeof target - 1);
    target[sizeof target - 1] = 0;
    mkdir("/tmp/links", 0777);
    UNTIL_FAILURE((snprintf(name, sizeof name, "/tmp/links/%ld", count), symlink(target, name)));
}
static void attributes(void) {
    char name[64];
    static char value[65536];
    int fd = open("/tmp/pressure-attributes", O_CREAT | O_WRONLY, 0666);
    UNTIL_FAILURE((snprintf(name, sizeof name, "user.%ld", count), fsetxattr(fd, name, value, sizeof value, 0)));
}
static void watches(void) {
    int fd = inotify_init1(IN_NONBLOCK);
    char name[64];
    mkdir("/tmp/watched", 0777);
    for (count = 0; count < MOST; count++) {
        snprintf(name, sizeof name, "/tmp/watched/%ld", count);
        close(open(name, O_CREAT | O_WRONLY, 0666));
        if (inotify_add_watch(fd, name, IN_ALL_EVENTS) < 0) stopped("inotify_add_watch");
    }
}
static void instances(void) { UNTIL_FAILURE(inotify_init()); }
static void timers(void) {
    timer_t timer;
    UNTIL_FAILURE(timer_create(CLOCK_MONOTONIC, 0, &timer));
}
static void queued(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, 0);
    UNTIL_FAILURE(sigqueue(getpid(), SIGRTMIN, (union sigval){0}));
}
static void polled(void) {
    int epoll = epoll_create1(0), event = eventfd(0, 0);
    struct epoll_event what = {.events = EPOLLIN};
    for (count = 3; count < MOST; count++) {
        int fd = fcntl(event, F_DUPFD, 0);
        if (fd < 0) stopped("F_DUPFD");
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &what) < 0) stopped("epoll_ctl");
    }
}
static void instances_of_epoll(void) { UNTIL_FAILURE(epoll_create1(0)); }
static void locks(void) {
    int fd = open("/tmp/pressure-locks", O_CREAT | O_RDWR, 0666);
    for (count = 0; count < MOST; count++)
        if (fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = count * 2, .l_len = 1}) < 0) stopped("F_SETLK");
}
static void memory_files(void) {
    for (count = 0; count < MOST; count++) {
        int fd = memfd_create("pressure", 0);
        if (fd < 0) stopped("memfd_create");
        if (pwrite(fd, "x", 1, 1 << 20) < 0) stopped("pwrite");
    }
}
static void long_arguments(void) {
    static char text[131000];
    memset(text, 'a', sizeof text - 1);
    static char *argv[100];
    for (count = 0; count < 46; count++) argv[count] = text;
    execv("/bin/true", argv);
    stopped("execv");
}
static void mounts(void) { UNTIL_FAILURE(mount("tmpfs", "/mnt", "tmpfs", 0, 0)); }
static void big_poll(void) {
    struct rlimit most = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_NOFILE, &most);
    void *all = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    count = 1 << 20;
    syscall(SYS_poll, all, count, 0);
    stopped("poll");
}
static void big_listing(void) {
    names("/dev/shm/listing");
}
static void terminals(void) { UNTIL_FAILURE(open("/dev/ptmx", O_RDWR | O_NOCTTY)); }
static void hostile_heap(void) { UNTIL_FAILURE(sbrk(1 << 20) == (void *)-1 ? -1 : 0); }

static const struct { const char *name; void (*run)(void); } WAYS[] = {
#define WAY(name) {#name, name},
    WAY(descriptors) WAY(pipes) WAY(sockets) WAY(small_messages) WAY(in_flight) WAY(chain) WAY(mappings) WAY(page_tables) WAY(empty_page_tables) WAY(memory) WAY(threads) WAY(processes) WAY(zombies) WAY(files) WAY(shm_files) WAY(contents) WAY(sparse)
    WAY(deep) WAY(symbolic_links) WAY(attributes) WAY(watches) WAY(instances) WAY(timers) WAY(queued) WAY(polled) WAY(instances_of_epoll) WAY(locks) WAY(memory_files) WAY(long_arguments) WAY(mounts) WAY(big_poll) WAY(big_listing) WAY(terminals) WAY(hostile_heap)
};

static void clear(const char *folder) {
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/rm", "rm", "-rf", folder, (char *)0);
        _exit(1);
    }
    if (pid > 0) waitpid(pid, 0, 0);
}

int main(int argc, char **argv) {
    struct utsname name;
    if (uname(&name) || !strstr(name.release, "-vitrine")) {
        fprintf(stderr, "%s uses a machine up: inside a sandbox only\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        if (argc > 1 && strcmp(argv[1], WAYS[i].name)) continue;
        printf("%s: ", WAYS[i].name);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            setsid();
            struct rlimit most = {1 << 20, 1 << 20};
            setrlimit(RLIMIT_NOFILE, &most);
            alarm(20);
            WAYS[i].run();
            printf("no end\n");
            fflush(stdout);
            _exit(0);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        kill(-pid, SIGKILL);
        if (WIFSIGNALED(status)) printf("killed by %d\n", WTERMSIG(status));
        fflush(stdout);
        while (umount("/mnt") == 0) { }
        clear("/tmp/pressure"), clear("/dev/shm/pressure"), clear("/dev/shm/listing"), clear("/tmp/links"), clear("/tmp/watched");
        unlink("/tmp/pressure-file"), unlink("/tmp/pressure-sparse"), unlink("/tmp/pressure-attributes"), unlink("/tmp/pressure-locks");
    }
    puts("alive");
    return 0;
}
