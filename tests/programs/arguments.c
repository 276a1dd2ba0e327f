// What a call leaves as it was: registers, and the memory that its arguments point to. `arguments PATH` shows a file that it opens,
// `arguments` alone itself opens /dev/null; `arguments race ALLOWED FORBIDDEN` counts how often the forbidden file could be opened while another
// thread keeps exchanging the path.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>

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

int main(int argc, char **argv) {
    if (argc == 4 && !strcmp(argv[1], "race")) race(argv[2], argv[3]);
    else keeps(argc > 1 ? argv[1] : "/dev/null");
    return 0;
}
