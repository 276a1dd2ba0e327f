// fork, wait, exit statuses, process groups and sessions, vfork and posix_spawn, reparenting.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

static void status(const char *what, int s) {
    if (WIFEXITED(s)) printf("%s: exited %d\n", what, WEXITSTATUS(s));
    else if (WIFSIGNALED(s)) printf("%s: signal %d core %d\n", what, WTERMSIG(s), !!WCOREDUMP(s));
    else if (WIFSTOPPED(s)) printf("%s: stopped %d\n", what, WSTOPSIG(s));
    else if (WIFCONTINUED(s)) printf("%s: continued\n", what);
}

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    int s;
    SHOW(waitpid(-1, &s, 0));
    SHOW(waitpid(-1, &s, WNOHANG));
    pid_t child = fork();
    if (!child) _exit(42);
    HOLDS(waitpid(child, &s, 0) == child);
    status("exit 42", s);
    int signals[] = {SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGUSR1, SIGFPE};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        child = fork();
        if (!child) { raise(signals[i]); _exit(0); }
        waitpid(child, &s, 0);
        status("raise", s);
    }
    child = fork();
    if (!child) { volatile int *p = 0; *p = 1; _exit(0); }
    waitpid(child, &s, 0);
    status("null write", s);
    child = fork();
    if (!child) { volatile int zero = 0; _exit(1 / zero); }
    waitpid(child, &s, 0);
    status("division by zero", s);
    child = fork();
    if (!child) { __builtin_trap(); }
    waitpid(child, &s, 0);
    status("ud2", s);
    child = fork();
    if (!child) { __asm__ volatile("hlt"); _exit(0); }
    waitpid(child, &s, 0);
    status("hlt", s);
    child = fork();
    if (!child) { __asm__ volatile("outb %al, $0x80"); _exit(0); }
    waitpid(child, &s, 0);
    status("out", s);

    // Stop and continue.
    child = fork();
    if (!child) { raise(SIGSTOP); usleep(300000); _exit(7); }
    waitpid(child, &s, WUNTRACED);
    status("SIGSTOP", s);
    SHOW(waitpid(child, &s, WNOHANG | WUNTRACED));
    kill(child, SIGCONT);
    waitpid(child, &s, WCONTINUED);
    status("SIGCONT", s);
    waitpid(child, &s, 0);
    status("after", s);

    // waitid, WNOWAIT.
    siginfo_t info;
    child = fork();
    if (!child) _exit(9);
    memset(&info, 0, sizeof info);
    SHOW(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    HOLDS(info.si_pid == child && info.si_status == 9 && info.si_code == CLD_EXITED && info.si_signo == SIGCHLD);
    SHOW(waitid(P_PID, child, &info, WEXITED));
    SHOW(waitid(P_PID, child, &info, WEXITED));
    SHOW(waitid(P_ALL, 0, &info, 0));

    // Groups and sessions.
    HOLDS(getpgid(0) == getpgrp());
    child = fork();
    if (!child) {
        HOLDS(setpgid(0, 0) == 0 && getpgrp() == getpid());
        SHOW(setsid());
        SHOW(setpgid(0, 999999));
        _exit(0);
    }
    waitpid(child, &s, 0);
    child = fork();
    if (!child) {
        HOLDS(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
        SHOW(setpgid(0, 0));
        _exit(0);
    }
    waitpid(child, &s, 0);
    SHOW(getsid(999999));
    SHOW(kill(999999, 0));
    SHOW(kill(getpid(), 0));
    SHOW(kill(getpid(), 65));

    // SIGCHLD ignored: no zombies.
    signal(SIGCHLD, SIG_IGN);
    child = fork();
    if (!child) _exit(1);
    SHOW(waitpid(child, &s, 0));
    signal(SIGCHLD, SIG_DFL);

    // vfork and posix_spawn.
    int shared = 0;
    child = vfork();
    if (!child) { *(volatile int *)&shared = 5; _exit(3); }
    waitpid(child, &s, 0);
    status("vfork", s);
    HOLDS(*(volatile int *)&shared == 5);
    char *argv[] = {"sh", "-c", "exit 11", 0};
    HOLDS(posix_spawn(&child, "/bin/sh", 0, 0, argv, environ) == 0);
    waitpid(child, &s, 0);
    status("posix_spawn", s);
    HOLDS(posix_spawn(&child, "/no/such/program", 0, 0, argv, environ) == ENOENT);

    // A grandchild outlives its parent.
    int p[2];
    SHOW(pipe(p));
    pid_t reaper = getpid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    child = fork();
    if (!child) {
        if (!fork()) { char c; close(p[1]); read(p[0], &c, 1); _exit(getppid() == reaper ? 21 : 1); }
        _exit(0);
    }
    waitpid(child, &s, 0);
    close(p[0]);
    close(p[1]);
    wait(&s);
    status("reparented to the subreaper", s);

    // Execution failures.
    char *none[] = {0};
    SHOW(execve("/no/such", argv, environ));
    SHOW(execve("/etc", argv, environ));
    SHOW(execve("/etc/passwd", argv, environ));
    child = fork();
    if (!child) { execve("/bin/true", none, environ); _exit(99); }
    waitpid(child, &s, 0);
    HOLDS(WIFEXITED(s));
    return 0;
}
