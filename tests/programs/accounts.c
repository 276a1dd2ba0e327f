// What a process has used and may use: rusage, /proc/self/io, RLIMIT_CPU, RLIMIT_STACK, RLIMIT_FSIZE, RLIMIT_NOFILE; waits that stops interrupt.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void end(const char *what, pid_t child) {
    int s;
    waitpid(child, &s, 0);
    if (WIFSIGNALED(s)) printf("%s: signal %d\n", what, WTERMSIG(s));
    else printf("%s: exited %d\n", what, WEXITSTATUS(s));
}

static long io(const char *key) {
    char line[100];
    long value = -1;
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key))) value = atol(line + strlen(key) + 1);
    if (f) fclose(f);
    return value;
}

static void handler(int signo) { (void)signo; }

// A child that waits for 300 ms is stopped and continued in between.
static void stopped(const char *what, int (*wait)(void)) {
    pid_t child = fork();
    if (!child) {
        double start = now();
        int r = wait();
        double took = now() - start;
        printf("%s: %d, %s\n", what, r, took > 0.29 && took < 0.44 ? "in time" : took < 0.29 ? "early" : "late");
        _exit(0);
    }
    usleep(150000);
    kill(child, SIGSTOP);
    usleep(20000);
    kill(child, SIGCONT);
    end(what, child);
}

static int by_poll(void) { return poll(0, 0, 300); }
static int by_select(void) { struct timeval t = {0, 300000}; return select(0, 0, 0, 0, &t); }
static int by_nanosleep(void) { struct timespec t = {0, 300000000}; return nanosleep(&t, 0); }
static int by_ppoll(void) { struct timespec t = {0, 300000000}; return ppoll(0, 0, &t, 0); }
static int by_timed_receive(void) {
    int s[2];
    char c;
    struct timeval t = {0, 300000};
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    int r = read(s[0], &c, 1);
    return r < 0 ? -errno : r;
}

static long deep(long n) {
    volatile char frame[4096];
    frame[0] = n;
    return n ? deep(n - 1) + frame[0] : 0;
}

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    struct rusage used;

    stopped("poll", by_poll);
    stopped("select", by_select);
    stopped("nanosleep", by_nanosleep);
    stopped("ppoll", by_ppoll);
    stopped("SO_RCVTIMEO", by_timed_receive);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, 0);
    ualarm(50000, 0);
    SHOW(poll(0, 0, 200));
    ualarm(50000, 0);
    SHOW(nanosleep(&(struct timespec){0, 200000000}, 0));

    usleep(1000);
    char *memory = malloc(8 << 20);
    memset(memory, 1, 8 << 20);
    SHOW(getrusage(RUSAGE_SELF, &used));
    HOLDS(used.ru_nvcsw > 0);
    HOLDS(used.ru_minflt > 0);
    HOLDS(used.ru_maxrss > 8 << 10);
    SHOW(getrusage(RUSAGE_CHILDREN, &used));
    HOLDS(used.ru_nvcsw > 0);

    // Time in the kernel counts as such.
    double start = now();
    for (int i = 0; i < 100; i++) free(calloc(1, 1 << 20));
    while (now() - start < 0.2) for (int i = 0; i < 100; i++) getppid(), lseek(9, 0, 0);
    getrusage(RUSAGE_SELF, &used);
    HOLDS(used.ru_stime.tv_sec * 1000000 + used.ru_stime.tv_usec > 40000);

    int null = open("/dev/zero", O_RDWR);
    long calls = io("syscr"), bytes = io("rchar");
    for (int i = 0; i < 10; i++) read(null, memory, 1000);
    HOLDS(io("syscr") - calls >= 10);
    HOLDS(io("rchar") - bytes >= 10000);
    bytes = io("wchar");
    write(null, memory, 5000);
    HOLDS(io("wchar") - bytes == 5000);

    pid_t child = fork();
    if (!child) {
        setrlimit(RLIMIT_CPU, &(struct rlimit){1, 5});
        for (;;) ;
    }
    end("soft RLIMIT_CPU", child);
    child = fork();
    if (!child) {
        signal(SIGXCPU, SIG_IGN);
        setrlimit(RLIMIT_CPU, &(struct rlimit){1, 2});
        if (!fork()) for (;;) ;
        int s;
        wait(&s);
        _exit(WTERMSIG(s));
    }
    end("inherited hard RLIMIT_CPU", child);

    child = fork();
    if (!child) {
        setrlimit(RLIMIT_STACK, &(struct rlimit){1 << 20, 64 << 20});
        deep(400);
        _exit(0);
    }
    end("lower RLIMIT_STACK", child);
    child = fork();
    if (!child) {
        setrlimit(RLIMIT_STACK, &(struct rlimit){32 << 20, RLIM_INFINITY});
        deep(5000);
        _exit(0);
    }
    end("higher RLIMIT_STACK", child);

    child = fork();
    if (!child) {
        signal(SIGXFSZ, SIG_IGN);
        int f = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, RLIM_INFINITY});
        SHOW(write(f, memory, 600));
        SHOW(write(f, memory, 600));
        SHOW(write(f, memory, 600));
        SHOW(ftruncate(f, 2000));
        SHOW(pwrite(f, memory, 600, 900));
        signal(SIGXFSZ, SIG_DFL);
        write(f, memory, 600);
        _exit(0);
    }
    end("RLIMIT_FSIZE", child);

    // Without room for a descriptor the connection stays.
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0accounts"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(listener, (void *)&name, sizeof name));
    SHOW(listen(listener, 1));
    SHOW(connect(client, (void *)&name, sizeof name));
    struct rlimit files, few = {client + 1, 0};
    getrlimit(RLIMIT_NOFILE, &files);
    few.rlim_max = files.rlim_max;
    for (int i = 0; i < client; i++) if (fcntl(i, F_GETFD) < 0) dup2(null, i);
    SHOW(setrlimit(RLIMIT_NOFILE, &few));
    SHOW(accept(listener, 0, 0));
    SHOW(dup2(0, client + 1));
    SHOW(fcntl(0, F_DUPFD, client + 1));
    SHOW(fcntl(0, F_DUPFD, client));
    SHOW(setrlimit(RLIMIT_NOFILE, &files));
    int server;
    HOLDS((server = accept(listener, 0, 0)) >= 0);
    return 0;
}
