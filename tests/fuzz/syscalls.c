// A system-call fuzzer that runs INSIDE a sandbox only: every call number with hostile arguments, from several processes and threads,
// with signals and timers flying and its own memory remapped under its feet. Usage: syscalls SEED CALLS SECONDS; the same seed draws the same values.
//
// A supervisor starts workers and replaces those that end, crash or hang; each worker's life is a process of a few thousand calls.
// Only the supervisor's end matters: it prints one line and exits 0.
#define _GNU_SOURCE
#include "arguments.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

enum { WORKERS = 4, CALLS_A_LIFE = 3000, STUCK_MS = 1500, LAST_NUMBER = 470 };

struct shared {
    volatile uint64_t calls;
    volatile uint64_t beat[WORKERS];
    volatile uint32_t errors[160];
};
static struct shared *shared;
static pid_t supervisor;
static int slot;
static __thread struct random rng;

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void handler(int signal) { (void)signal; }

// Signals that a call may send go to the caller's own session, never to the supervisor.
static uint64_t own_pid(uint64_t value) {
    int32_t pid = (int32_t)value;
    return pid == -1 || pid == supervisor || pid == -supervisor || (pid >= 1 && pid <= supervisor) ? (uint64_t)getpid() : value;
}

static long fuzz_call(long number, uint64_t a[6]);

// A child that a call made: a few calls of its own, or another program, and the end.
static void child(long number, uint64_t seed) {
    if (number != SYS_vfork) {
        if (seed % 3 == 0) {
            char *argv[] = {"true", 0};
            execve("/bin/true", argv, argv + 1);
        }
        rng.state = seed * 77 + 1;
        uint64_t a[6];
        for (int i = 0; i < 10; i++) {
            long next = below(&rng, LAST_NUMBER + 1);
            draw_arguments(&rng, next, a);
            fuzz_call(next, a);
        }
    }
    raw_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

// Constrains the calls that would end the run rather than test it.
static long fuzz_call(long number, uint64_t a[6]) {
    switch (number) {
    case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn:
        if (below(&rng, 100)) return 0;
        break;
    case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo:
        a[1] = number == SYS_tgkill || number == SYS_rt_tgsigqueueinfo ? own_pid(a[1]) : a[1];
        // fall through
    case SYS_ptrace: case SYS_process_vm_writev: case SYS_prlimit64: case SYS_pidfd_open: case SYS_setpgid: case SYS_migrate_pages: case SYS_move_pages:
        a[0] = own_pid(a[0]);
        if (number == SYS_ptrace) a[1] = own_pid(a[1]);
        if (number == SYS_kill && (int32_t)a[0] < -1 && below(&rng, 4)) a[0] = 0;
        break;
    case SYS_fcntl:
        if ((a[1] & 0xff) == F_SETOWN) a[2] = own_pid(a[2]);
        break;
    case SYS_reboot: case SYS_kexec_load: case SYS_kexec_file_load:
        a[0] = 0;
        break;
    case SYS_vfork: case SYS_fork: case SYS_clone: case SYS_clone3: {
        if (below(&rng, 3)) return 0;
        uint64_t seed = next(&rng);
        if (number == SYS_clone && (a[0] & CLONE_VM) && below(&rng, 5)) a[0] &= ~(uint64_t)(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD);
        pid_t before = getpid();
        pid_t thread = gettid();
        long result = raw_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (result == 0 && (raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0) != before || raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0) != thread)) child(number, seed);
        return result;
    }
    case SYS_execve: case SYS_execveat:
        if (below(&rng, 4)) {
            long pid = raw_call(SYS_fork, 0, 0, 0, 0, 0, 0);
            if (pid == 0) {
                raw_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
                raw_call(SYS_exit_group, 1, 0, 0, 0, 0, 0);
            }
            return pid;
        }
        break;
    }
    return raw_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void calls(int count) {
    uint64_t a[6];
    for (int i = 0; i < count; i++) {
        long number = below(&rng, 200) ? (long)below(&rng, LAST_NUMBER + 1) : (long)next(&rng);
        draw_arguments(&rng, number, a);
        long result = fuzz_call(number, a);
        if (result < 0 && result > -160) shared->errors[-result]++;
        __atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
        shared->beat[slot]++;
        if (i % 64 == 0) renew_arena(&rng);
    }
}

static void *thread(void *seed) {
    rng.state = (uint64_t)seed;
    calls(CALLS_A_LIFE / 2);
    return 0;
}

static void life(uint64_t seed) {
    rng.state = seed;
    setsid();
    struct rlimit files = {400, 400};
    setrlimit(RLIMIT_NOFILE, &files);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    struct sigaction action = {.sa_handler = handler};
    for (int signal = 1; signal < 65; signal++)
        if (below(&rng, 8) && signal != SIGSEGV && signal != SIGBUS && signal != SIGILL && signal != SIGFPE && signal != SIGTRAP) {
            action.sa_flags = below(&rng, 2) ? SA_RESTART : 0;
            sigaction(signal, &action, 0);
        }
    struct itimerval timer = {{0, 7000}, {0, 7000}};
    setitimer(ITIMER_REAL, &timer, 0);
    open_files(&rng);
    renew_arena(&rng);
    pthread_t other;
    for (int i = 0; i < 2; i++) pthread_create(&other, 0, thread, (void *)next(&rng));
    calls(CALLS_A_LIFE);
    raw_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

int main(int argc, char **argv) {
    struct utsname name;
    if (argc != 4 || uname(&name) || !strstr(name.release, "-vitrine")) {
        fprintf(stderr, "usage, inside a sandbox only: %s SEED CALLS SECONDS\n", argv[0]);
        return 2;
    }
    uint64_t seed = strtoull(argv[1], 0, 0), wanted = strtoull(argv[2], 0, 0);
    long end = now_ms() + 1000 * strtol(argv[3], 0, 0);
    supervisor = getpid();
    shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[WORKERS] = {0};
    uint64_t seen[WORKERS] = {0}, lives = 0, stuck = 0, crashed = 0;
    long seen_at[WORKERS] = {0};
    for (int signal = 1; signal < 32; signal++) sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, 0);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, 0);
    while (shared->calls < wanted && now_ms() < end) {
        for (int i = 0; i < WORKERS; i++) {
            if (pids[i] <= 0) {
                slot = i;
                pids[i] = fork();
                if (pids[i] == 0) life(seed * 1000003 + lives);
                if (pids[i] < 0) kill(-1, SIGKILL);
                lives++;
                seen_at[i] = now_ms();
            } else if (shared->beat[i] != seen[i]) {
                seen[i] = shared->beat[i];
                seen_at[i] = now_ms();
            } else if (now_ms() - seen_at[i] > STUCK_MS) {
                kill(pids[i], SIGKILL);
                kill(-pids[i], SIGKILL);
                stuck++;
                seen_at[i] = now_ms();
            }
        }
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            for (int i = 0; i < WORKERS; i++)
                if (pids[i] == pid) {
                    kill(-pid, SIGKILL);
                    crashed += WIFSIGNALED(status);
                    pids[i] = 0;
                }
        nanosleep(&(struct timespec){0, 3000000}, 0);
    }
    kill(-1, SIGKILL);
    printf("fuzz: %lu calls in %lu lives, %lu crashed, %lu stuck\n", (unsigned long)shared->calls, (unsigned long)lives, (unsigned long)crashed, (unsigned long)stuck);
    if (getenv("FUZZ_ERRORS"))
        for (int i = 0; i < 160; i++)
            if (shared->errors[i]) printf("  errno %d: %u\n", i, shared->errors[i]);
    return 0;
}
