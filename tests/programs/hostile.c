// Arguments that are meant to confuse whoever looks at them: beyond the end of memory, endless, absurdly many, pointing to themselves, or
// taken away by another thread meanwhile. `hostile` prints what each call says; `hostile race` only that it survived.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

#define PAGE 4096UL

static char *page;  // one page, and nothing behind it

static void tell(const char *what, long result) {
    if (result < 0) printf("%s: %s\n", what, strerror(errno));
    else printf("%s: %ld\n", what, result);
}

static void strings(void) {
    memset(page, 'x', PAGE);
    tell("open unterminated", open(page, O_RDONLY));
    tell("open unterminated near the end", open(page + PAGE - 9, O_RDONLY));
    tell("rename of two", rename(page + PAGE - 1, page + PAGE - 2));
    tell("open nothing", open((char *)0x10, O_RDONLY));
    tell("open the kernel", open((char *)0xffffffff80000000, O_RDONLY));
    tell("open beyond canonical", open((char *)0x8000000000000000, O_RDONLY));
    tell("execve unterminated", syscall(SYS_execve, page + PAGE - 7, 0L, 0L));
    char *long_path = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(long_path, '/', (1 << 20) - 1);
    tell("open a path of a megabyte", open(long_path, O_RDONLY));
    long_path[4095] = 0;
    int fd = open(long_path, O_RDONLY | O_DIRECTORY);
    tell("open a path of 4095 bytes", fd < 0 ? -1 : 0);
    close(fd);
    munmap(long_path, 1 << 20);
}

static void pointers_to_themselves(void) {
    // Each pointer is the address of the array itself, up to the end of memory.
    uint64_t *words = (void *)page;
    for (unsigned i = 0; i < PAGE / 8; i++) words[i] = (uint64_t)page;
    tell("execve with arguments without end", execve("/bin/true", (char **)page, (char **)page));
    int null = open("/dev/null", O_WRONLY);
    struct iovec *vectors = (void *)page;
    for (unsigned i = 0; i < PAGE / sizeof *vectors; i++) vectors[i] = (struct iovec){page, PAGE};
    tell("writev of itself", writev(null, vectors, 4));
    tell("writev of 256 of itself", writev(null, vectors, 256));
    tell("writev of 257, one of them behind the end", writev(null, vectors, 257));
    tell("writev of ten million", writev(null, vectors, 10000000));
    tell("writev of -1", syscall(SYS_writev, null, vectors, -1L));
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) exit(1);
    struct msghdr *message = (void *)page;
    memset(page, 0, PAGE);
    *message = (struct msghdr){.msg_iov = (void *)page, .msg_iovlen = 10000000};
    tell("sendmsg of ten million", sendmsg(pair[0], message, MSG_DONTWAIT));
    *message = (struct msghdr){.msg_iov = (void *)page, .msg_iovlen = 1};
    tell("sendmsg of itself", sendmsg(pair[0], message, MSG_DONTWAIT));
    *message = (struct msghdr){.msg_control = page, .msg_controllen = 56};
    tell("sendmsg with itself as ancillary data", sendmsg(pair[0], message, MSG_DONTWAIT));
    *message = (struct msghdr){.msg_control = page, .msg_controllen = ~0UL};
    tell("sendmsg with endless ancillary data", sendmsg(pair[0], message, MSG_DONTWAIT));
    tell("sendmsg half behind the end", sendmsg(pair[0], (void *)(page + PAGE - 8), MSG_DONTWAIT));
    tell("sendmmsg of nothing, ten million times", syscall(SYS_sendmmsg, pair[0], 8L, 10000000, MSG_DONTWAIT));
    close(pair[0]);
    close(pair[1]);
    close(null);
}

static void lengths(void) {
    memset(page, 0, PAGE);
    int fds[2];
    if (pipe(fds)) exit(1);
    tell("write across the end", write(fds[1], page + PAGE - 5, 10) > 5);
    tell("write behind the end", write(fds[1], page + PAGE, 10));
    tell("write nothing from nowhere", write(fds[1], (void *)8, 0));
    tell("write to a closed descriptor", write(999, page, 1UL << 62));
    tell("poll ten million", poll((void *)page, 10000000, 0));
    tell("poll behind the end", poll((void *)(page + PAGE - 4), 1, 0));
    tell("select behind the end", syscall(SYS_select, 64, page + PAGE - 4, 0L, 0L, &(struct timeval){0, 0}));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un *address = (void *)(page + PAGE - 32);
    memset(address, 'y', 32);
    address->sun_family = AF_UNIX;
    for (unsigned length = 0; length < 4; length++) tell("connect, short", connect(fd, (void *)address, length));
    tell("connect across the end", connect(fd, (void *)address, 110));
    tell("connect, too long", connect(fd, (void *)page, 4000));
    tell("connect, negative", connect(fd, (void *)page, -1));
    tell("bind without memory", bind(fd, (void *)8, 20));
    tell("nanosleep behind the end", syscall(SYS_nanosleep, page + PAGE - 8, 0L));
    tell("getdents into nothing", syscall(SYS_getdents64, open("/", O_RDONLY | O_DIRECTORY), 8L, 4096));
    tell("stat into nothing", syscall(SYS_newfstatat, AT_FDCWD, "/", 8L, 0));
    tell("clock_gettime into nothing", syscall(SYS_clock_gettime, 0, 8L));
    close(fd);
}

static char *volatile moving;
static volatile int over;

static void *take_away(void *unused) {
    (void)unused;
    for (unsigned i = 0; !over; i++) {
        mprotect(moving, 2 * PAGE, i & 1 ? PROT_NONE : PROT_READ | PROT_WRITE);
        if (i % 3 == 0) sched_yield();
        if (i % 16 == 0) {
            munmap(moving + PAGE, PAGE);
            mmap(moving + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        }
    }
    return NULL;
}

static void race(void) {
    moving = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(moving, 'a', PAGE);
    pthread_t thread;
    if (pthread_create(&thread, NULL, take_away, NULL)) exit(1);
    int fds[2], null = open("/dev/null", O_RDWR);
    if (pipe(fds)) exit(1);
    for (int i = 0; i < 3000; i++) {
        struct iovec vectors[3] = {{moving, 10}, {moving + PAGE - 1, 4}, {moving + PAGE, PAGE}};
        struct stat status;
        (void)!open(moving, O_RDONLY);
        (void)!stat(moving + PAGE - 3, &status);
        (void)!syscall(SYS_newfstatat, AT_FDCWD, "/", moving, 0);
        (void)!write(null, moving, 2 * PAGE);
        (void)!writev(null, vectors, 3);
        (void)!writev(null, (void *)moving, 2);
        (void)!read(null, moving, PAGE);
        (void)!connect(fds[0], (void *)moving, 20);
        (void)!syscall(SYS_clock_gettime, 0, moving);
        (void)!poll((void *)moving, 2, 0);
        if (i % 16 == 0) sched_yield();
    }
    over = 1;
    pthread_join(thread, NULL);
    printf("survived\n");
}

int main(int argc, char **argv) {
    page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || munmap(page + PAGE, PAGE)) return 1;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (argc > 1 && !strcmp(argv[1], "race")) {
        race();
        return 0;
    }
    strings();
    pointers_to_themselves();
    lengths();
    return 0;
}
