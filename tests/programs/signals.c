// Handlers, masks, siginfo, alternate stacks, restart, sigsuspend, sigtimedwait, queued real-time signals, registers kept.
#include "check.h"
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last, code_seen;
static volatile void *addr_seen;
static void handler(int n) { count++; last = n; }
static void action(int n, siginfo_t *info, void *context) { (void)context; count++; last = n; code_seen = info->si_code; addr_seen = info->si_addr; }
static sigjmp_buf jump;
static void jumper(int n, siginfo_t *info, void *context) { (void)context; last = n; code_seen = info->si_code; addr_seen = info->si_addr; siglongjmp(jump, 1); }
static char alternate[65536];
static volatile int on_alternate;
static void where(int n) { char here; (void)n; on_alternate = &here >= alternate && &here < alternate + sizeof alternate; }
static void clobber(int n) {
    (void)n;
    count++;
    __asm__ volatile("pxor %%xmm0,%%xmm0; pxor %%xmm7,%%xmm7; pxor %%xmm15,%%xmm15; fldz; fstp %%st(0)" ::: "xmm0", "xmm7", "xmm15");
}
static void skip(int n, siginfo_t *info, void *context) { (void)n; (void)info; ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; count++; }
static void nest(int n) { count = count * 10 + (n - SIGRTMIN); }

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = handler;
    SHOW(sigaction(SIGUSR1, &sa, 0));
    SHOW(sigaction(SIGKILL, &sa, 0));
    SHOW(sigaction(65, &sa, 0));
    raise(SIGUSR1);
    printf("count %d last %d\n", count, last);

    // Blocked, pending, unblocked.
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    raise(SIGUSR1);
    printf("blocked: count %d\n", count);
    sigset_t pending;
    sigpending(&pending);
    HOLDS(sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, 0);
    printf("unblocked: count %d\n", count);

    // siginfo of a queued real-time signal, order of several.
    sa.sa_flags = SA_SIGINFO;
    sa.sa_sigaction = action;
    sigaction(SIGRTMIN + 1, &sa, 0);
    union sigval value = {.sival_int = 77};
    sigqueue(getpid(), SIGRTMIN + 1, value);
    printf("queued: last is SIGRTMIN+1 %d, code %d\n", last == SIGRTMIN + 1, code_seen);
    sa.sa_flags = 0;
    sa.sa_handler = nest;
    sigfillset(&sa.sa_mask);
    for (int i = 1; i <= 3; i++) sigaction(SIGRTMIN + i, &sa, 0);
    sigemptyset(&sa.sa_mask);
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, &old);
    count = 0;
    raise(SIGRTMIN + 3); raise(SIGRTMIN + 1); raise(SIGRTMIN + 2); raise(SIGRTMIN + 1);
    sigprocmask(SIG_SETMASK, &old, 0);
    printf("order %d\n", count);

    // sigtimedwait.
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, 0);
    struct timespec soon = {0, 1000000};
    siginfo_t info;
    SHOW(sigtimedwait(&set, &info, &soon));
    raise(SIGUSR2);
    SHOW(sigtimedwait(&set, &info, &soon));
    HOLDS(info.si_pid == getpid() && info.si_code == SI_TKILL);

    // Faults.
    memset(&sa, 0, sizeof sa);
    sa.sa_flags = SA_SIGINFO;
    sa.sa_sigaction = jumper;
    sigaction(SIGSEGV, &sa, 0);
    sigaction(SIGFPE, &sa, 0);
    sigaction(SIGBUS, &sa, 0);
    if (!sigsetjmp(jump, 1)) *(volatile int *)0x1234 = 1;
    printf("segv %d code %d addr %p\n", last, code_seen, (void *)addr_seen);
    if (!sigsetjmp(jump, 1)) *(volatile char *)main = 1;
    printf("segv %d code %d addr is main %d\n", last, code_seen, addr_seen == (void *)main);
    if (!sigsetjmp(jump, 1)) { volatile int zero = 0; printf("%d\n", 1 / zero); }
    printf("fpe %d code %d\n", last, code_seen);
    if (!sigsetjmp(jump, 1)) { volatile char *p = (char *)0x8000000000000000ull; *p = 1; }
    printf("non-canonical %d code %d addr %p\n", last, code_seen, (void *)addr_seen);
    count = 0;
    sa.sa_sigaction = skip;
    sigaction(SIGILL, &sa, 0);
    __asm__ volatile("ud2");
    printf("ud2 skipped %d\n", count);

    // Alternate stack.
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    SHOW(sigaltstack(&stack, 0));
    sa.sa_handler = where;
    sa.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &sa, 0);
    raise(SIGUSR1);
    printf("on the alternate stack %d\n", on_alternate);
    stack.ss_size = 100;
    SHOW(sigaltstack(&stack, 0));

    // Vector and x87 registers survive a handler that clobbers them.
    sa.sa_handler = clobber;
    sa.sa_flags = 0;
    sigaction(SIGALRM, &sa, 0);
    struct itimerval timer = {{0, 2000}, {0, 2000}};
    count = 0;
    setitimer(ITIMER_REAL, &timer, 0);
    double sum = 0;
    long iterations = 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        double a = 1.5, b = 2.25, c = 0;
        for (int i = 0; i < 1000; i++) c += a * b;
        if (c != 3375.0) { printf("corrupt %f\n", c); break; }
        sum += c;
        iterations++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (count < 20 && now.tv_sec - start.tv_sec < 20);
    HOLDS(count >= 20 && sum == iterations * 3375.0);
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, 0);

    // EINTR and SA_RESTART.
    sa.sa_handler = handler;
    sa.sa_flags = 0;
    sigaction(SIGALRM, &sa, 0);
    int p[2];
    char byte;
    SHOW(pipe(p));
    timer.it_value.tv_usec = 30000;
    setitimer(ITIMER_REAL, &timer, 0);
    SHOW(read(p[0], &byte, 1));
    sa.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &sa, 0);
    pid_t child = fork();
    if (!child) { usleep(150000); write(p[1], "x", 1); _exit(0); }
    setitimer(ITIMER_REAL, &timer, 0);
    SHOW(read(p[0], &byte, 1));
    waitpid(child, 0, 0);
    struct timespec nap = {0, 400000000}, left = {0, 0};
    setitimer(ITIMER_REAL, &timer, 0);
    SHOW(nanosleep(&nap, &left));
    HOLDS(left.tv_nsec > 0 && left.tv_nsec < 400000000);
    sigset_t empty;
    sigemptyset(&empty);
    setitimer(ITIMER_REAL, &timer, 0);
    SHOW(sigsuspend(&empty));

    // SA_RESETHAND, SA_NODEFER, ignored signals.
    sa.sa_flags = SA_RESETHAND;
    sigaction(SIGUSR1, &sa, 0);
    raise(SIGUSR1);
    sigaction(SIGUSR1, 0, &sa);
    HOLDS(sa.sa_handler == SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    puts("end");
    return 0;
}
