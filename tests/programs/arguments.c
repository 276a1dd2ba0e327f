// What a call leaves as it was: registers, and the memory that its arguments point to. `arguments PATH` shows a file that it opens,
// `arguments` alone itself opens /dev/null; `arguments race ALLOWED FORBIDDEN` counts how often the forbidden file could be opened while another
// thread keeps exchanging the path; `arguments race-connect ALLOWED FORBIDDEN` does the same with the addresses of two sockets, and
// `arguments race-write` prints what came out of a pipe while another thread kept exchanging what is written; `arguments sleep` sleeps for 100 seconds.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

struct registers { uint64_t a[6]; };

// A system call that says what its argument registers hold afterwards.
static long call(long number, const struct registers *in, struct registers *out) {
    register uint64_t rdi asm("rdi") = in->a[0];
    register uint64_t rsi asm("rsi") = in->a[1];
    register uint64_t rdx asm("rdx") = in->a[2];
    register uint64_t r10 asm("r10") = in->a[3];
    register uint64_t r8 asm("r8") = in->a[4];
    register uint64_t r9 asm("r9") = in->a[5];
    long result;
    asm volatile("syscall"
                 : "=a"(result), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
                 : "0"(number)
                 : "rcx", "r11", "memory");
    *out = (struct registers){{rdi, rsi, rdx, r10, r8, r9}};
    return result;
}

static void keeps(const char *path) {
    char buffer[4096];
    snprintf(buffer, sizeof buffer, "%s", path);
    struct registers in = {{AT_FDCWD, (uint64_t)buffer, O_RDONLY, 0x1234, 0x5678, 0x9abc}}, out;
    long fd = call(SYS_openat, &in, &out);
    printf("registers are kept: %s\n", memcmp(&in, &out, sizeof in) ? "no" : "yes");
    printf("the path is kept: %s\n", strcmp(buffer, path) ? "no" : "yes");
    if (fd < 0) {
        printf("open: %s\n", strerror(-fd));
    } else {
        char text[256];
        ssize_t got = read(fd, text, sizeof text);
        printf("%zd bytes: %.*s\n", got, (int)(got < 0 ? 0 : got), text);
        close(fd);
    }
    char word[] = "hello\n";
    fflush(stdout);
    in = (struct registers){{1, (uint64_t)word, sizeof word - 1, 1, 2, 3}};
    long written = call(SYS_write, &in, &out);
    printf("write returns %ld\n", written);
    printf("registers are kept: %s\n", memcmp(&in, &out, sizeof in) ? "no" : "yes");
    printf("the buffer is kept: %s\n", strcmp(word, "hello\n") ? "no" : "yes");
}

static char shared[4096];
static const char *names[2];
static volatile int over;

static void *exchange(void *unused) {
    (void)unused;
    for (unsigned i = 0; !over; i++) strcpy(shared, names[i & 1]);
    return NULL;
}

static void race(const char *allowed, const char *forbidden) {
    names[0] = allowed;
    names[1] = forbidden;
    strcpy(shared, allowed);
    pthread_t thread;
    if (pthread_create(&thread, NULL, exchange, NULL)) exit(3);
    int wrong = 0, right = 0;
    for (int i = 0; i < 20000; i++) {
        int fd = open(shared, O_RDONLY);
        if (fd < 0) continue;
        char text[10] = "";
        if (read(fd, text, sizeof text - 1) > 0 && !strncmp(text, "forbidden", 9)) wrong++;
        else right++;
        close(fd);
    }
    over = 1;
    pthread_join(thread, NULL);
    printf("allowed: %s\n", right ? "sometimes" : "never");
    printf("forbidden: %d\n", wrong);
}

static struct sockaddr_un address;

static void *exchange_address(void *unused) {
    (void)unused;
    for (unsigned i = 0; !over; i++) {
        strcpy(address.sun_path, names[i & 1]);
        if (i % 63 == 0) sched_yield();
    }
    return NULL;
}

static int listener(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(fd, (void *)&at, sizeof at) || listen(fd, 128)) exit(4);
    return fd;
}

static int accepted(int fd) {
    int count = 0, client;
    while ((client = accept(fd, NULL, NULL)) >= 0) {
        close(client);
        count++;
    }
    return count;
}

static void race_connect(const char *allowed, const char *forbidden) {
    names[0] = allowed;
    names[1] = forbidden;
    int right_fd = listener(allowed), wrong_fd = listener(forbidden);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, allowed);
    pthread_t thread;
    if (pthread_create(&thread, NULL, exchange_address, NULL)) exit(3);
    int wrong = 0, right = 0;
    for (int i = 0; i < 4000; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fd, (void *)&address, sizeof address);
        close(fd);
        right += accepted(right_fd);
        wrong += accepted(wrong_fd);
        if (i % 32 == 0) sched_yield();
    }
    over = 1;
    pthread_join(thread, NULL);
    printf("allowed: %s\n", right ? "sometimes" : "never");
    printf("forbidden: %d\n", wrong);
}

#define CHUNK 4096
#define CHUNKS 300
static char got[CHUNKS + 1];

static void *drain(void *from) {
    static char chunk[CHUNK];
    for (int i = 0; i < CHUNKS; i++) {
        size_t have = 0;
        while (have < CHUNK) {
            ssize_t n = read(*(int *)from, chunk + have, CHUNK - have);
            if (n <= 0) exit(5);
            have += n;
        }
        got[i] = chunk[0];
        for (int j = i % 5; j; j--) sched_yield();
    }
    return NULL;
}

static void *exchange_bytes(void *unused) {
    (void)unused;
    for (unsigned i = 0; !over; i++) {
        shared[0] = "AB"[i & 1];
        if (i % 7 == 0) sched_yield();
    }
    return NULL;
}

static void race_write(void) {
    int ends[2];
    if (pipe(ends) || fcntl(ends[1], F_SETPIPE_SZ, CHUNK) < 0) exit(4);
    shared[0] = 'A';
    pthread_t reader, writer;
    if (pthread_create(&reader, NULL, drain, ends) || pthread_create(&writer, NULL, exchange_bytes, NULL)) exit(3);
    for (int i = 0; i < CHUNKS; i++)
        if (write(ends[1], shared, CHUNK) != CHUNK) exit(6);
    pthread_join(reader, NULL);
    over = 1;
    pthread_join(writer, NULL);
    printf("%d:%s\n", ends[1], got);
}

static void sleeps(void) {
    struct timespec time = {100, 5};
    long result = clock_nanosleep(CLOCK_REALTIME, 0, &time, NULL);
    printf("%ld: %ld s, %ld ns\n", result, (long)time.tv_sec, time.tv_nsec);
}

int main(int argc, char **argv) {
    if (argc == 4 && !strcmp(argv[1], "race-connect")) race_connect(argv[2], argv[3]);
    else if (argc == 2 && !strcmp(argv[1], "race-write")) race_write();
    else if (argc == 2 && !strcmp(argv[1], "sleep")) sleeps();
    else if (argc == 4 && !strcmp(argv[1], "race")) race(argv[2], argv[3]);
    else keeps(argc > 1 ? argv[1] : "/dev/null");
    return 0;
}
