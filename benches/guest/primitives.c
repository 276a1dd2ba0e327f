// Times one primitive many times and prints nanoseconds each: primitives NAME COUNT
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static volatile uint64_t result;

// A compute loop like a hash's: dependent multiplies and shifts over a buffer.
static void compute(long megabytes) {
    static uint64_t buffer[1 << 17];
    uint64_t hash = 14695981039346656037ull;
    for (long m = 0; m < megabytes; m++)
        for (unsigned i = 0; i < 1 << 17; i++) { hash = (hash ^ buffer[i]) * 1099511628211ull; hash ^= hash >> 29; }
    result = hash;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    long count = atol(argv[2]);
    const char *name = argv[1];
    // The best of several rounds: what the primitive costs, without the machine's other work.
    double best = 1e30;
    for (int round = 0; round < 5; round++) {
        double start = now_ns();
        if (!strcmp(name, "getppid")) for (long i = 0; i < count; i++) syscall(SYS_getppid);
        else if (!strcmp(name, "openat")) for (long i = 0; i < count; i++) {
            int fd = open("/etc/hostname", O_RDONLY);
            if (fd < 0) return 3;
            syscall(SYS_close, fd);
        }
        else if (!strcmp(name, "close")) for (long i = 0; i < count; i++) syscall(SYS_close, 99);
        else if (!strcmp(name, "touch")) {
            // As a program gets it from malloc, without advice: 4 KiB pages natively unless THP is always on.
            size_t size = (size_t)count << 20;
            char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED) return 4;
            start = now_ns();
            for (size_t i = 0; i < size; i += 4096) p[i] = 1;
            double took = now_ns() - start;
            munmap(p, size);
            if (took < best * count) best = took / count;
            continue;
        }
        else if (!strcmp(name, "compute")) compute(count);
        else if (!strcmp(name, "forkexec")) for (long i = 0; i < count; i++) {
            pid_t child = fork();
            if (!child) { execl("/bin/true", "true", (char *)0); _exit(127); }
            int status;
            if (waitpid(child, &status, 0) != child || status) return 5;
        }
        else if (!strcmp(name, "pipe")) {
            int p[2]; char byte = 0;
            if (pipe(p)) return 6;
            for (long i = 0; i < count; i++) if (write(p[1], &byte, 1) != 1 || read(p[0], &byte, 1) != 1) return 7;
            close(p[0]); close(p[1]);
        }
        else if (!strcmp(name, "python")) for (long i = 0; i < count; i++) {
            pid_t child = fork();
            if (!child) { execl("/usr/bin/python3", "python3", "-c", "pass", (char *)0); _exit(127); }
            int status;
            if (waitpid(child, &status, 0) != child || status) return 8;
        }
        else return 2;
        double each = (now_ns() - start) / count;
        if (each < best) best = each;
    }
    printf("%.1f\n", best);
    return 0;
}
