// What a process has used and may use: rusage, /proc/self/io, RLIMIT_CPU, RLIMIT_STACK, RLIMIT_FSIZE, RLIMIT_NOFILE; waits that stops interrupt;
// programs that run while they are written to.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static int by_poll(void) { return poll(0, 0, 1000); }
static int by_select(void) { struct timeval t = {1, 0}; return select(0, 0, 0, 0, &t); }
static int by_nanosleep(void) { struct timespec t = {1, 0}; return nanosleep(&t, 0); }
static int by_ppoll(void) { struct timespec t = {1, 0}; return ppoll(0, 0, &t, 0); }
static int by_timed_receive(void) {
    int s[2];
    char c;
    struct timeval t = {1, 0};
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    return read(s[0], &c, 1);
}

// Children that wait for a second are stopped and continued after 700 ms.
static void stopped(void) {
    static const struct { const char *name; int (*wait)(void); } waits[] = {
        {"poll", by_poll}, {"select", by_select}, {"nanosleep", by_nanosleep}, {"ppoll", by_ppoll}, {"SO_RCVTIMEO", by_timed_receive}};
    enum { COUNT = sizeof waits / sizeof *waits };
    pid_t children[COUNT];
    for (int i = 0; i < COUNT; i++) {
        if ((children[i] = fork())) continue;
        double start = now();
        int r = waits[i].wait();
        double took = now() - start;
        _exit((r ? errno : 0) * 10 + (took < 0.99 ? 1 : took > 1.5 ? 2 : 0));
    }
    usleep(700000);
    for (int i = 0; i < COUNT; i++) kill(children[i], SIGSTOP);
    usleep(20000);
    for (int i = 0; i < COUNT; i++) kill(children[i], SIGCONT);
    for (int i = 0; i < COUNT; i++) end(waits[i].name, children[i]);
}

static long deep(long n) {
    volatile char frame[4096];
    frame[0] = n;
    return n ? deep(n - 1) + frame[0] : 0;
}

int main(int argc, char **argv) {
    (void)argv;
    setvbuf(stdout, 0, _IONBF, 0);
    if (argc > 1) return sleep(10);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    struct rusage used;

    stopped();
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
    for (clock_t start = clock(); clock() - start < CLOCKS_PER_SEC / 5;)
        for (int i = 0; i < 100; i++) getppid(), lseek(9, 0, 0);
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

    // A running program isn't written to, and one that is being written to doesn't run.
    char program[] = "/tmp/accounts.XXXXXX", self[4096];
    int from = open("/proc/self/exe", O_RDONLY), to = mkstemp(program), n;
    while ((n = read(from, self, sizeof self)) > 0) if (write(to, self, n) != n) return 1;
    fchmod(to, 0755);
    child = fork();
    if (!child) {
        execl(program, program, "sleep", (char *)0);
        printf("exec: %s\n", strerror(errno));
        _exit(1);
    }
    end("exec of a file open for writing", child);
    close(to);
    child = fork();
    if (!child) execl(program, program, "sleep", (char *)0);
    usleep(200000);
    SHOW(open(program, O_WRONLY));
    SHOW(open(program, O_RDWR | O_TRUNC));
    SHOW(truncate(program, 0));
    HOLDS((to = open(program, O_RDONLY)) >= 0);
    close(to);
    kill(child, SIGKILL);
    end("running program", child);
    HOLDS((to = open(program, O_WRONLY)) >= 0);
    close(to);
    SHOW(unlink(program));

    // Without room for a descriptor the connection stays.
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = ""};
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "accounts-%d", getpid());
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
