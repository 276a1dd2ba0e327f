// Times, limits, credentials, resource usage, uname, random bytes, processor features seen by a program.
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    struct timespec a, b, c;
    clock_gettime(CLOCK_MONOTONIC, &a);
    clock_gettime(CLOCK_MONOTONIC, &b);
    HOLDS(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &c);
    HOLDS((c.tv_sec - b.tv_sec) * 1000000000l + c.tv_nsec - b.tv_nsec >= 0);
    HOLDS((c.tv_sec - b.tv_sec) * 1000000000l + c.tv_nsec - b.tv_nsec < 100000000);
    struct timespec nap = {0, 10000000};
    SHOW(nanosleep(&nap, 0));
    clock_gettime(CLOCK_MONOTONIC, &c);
    HOLDS((c.tv_sec - b.tv_sec) * 1000000000l + c.tv_nsec - b.tv_nsec >= 10000000);
    nap.tv_nsec = 1000000000;
    SHOW(nanosleep(&nap, 0));
    HOLDS(time(0) > 1700000000);
    SHOW(clock_gettime(9999, &a));
    SHOW(clock_getres(CLOCK_REALTIME, &a));
    struct tms tms;
    HOLDS(times(&tms) != -1);
    struct rusage usage;
    SHOW(getrusage(RUSAGE_SELF, &usage));
    HOLDS(usage.ru_maxrss > 0);
    SHOW(getrusage(99, &usage));
    struct rlimit limit;
    SHOW(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 50;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    SHOW(dup2(1, 60));
    SHOW(dup2(1, 49));
    limit.rlim_cur = limit.rlim_max + 1;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    SHOW(getrlimit(99, &limit));
    printf("uid %d %d gid %d %d\n", getuid(), geteuid(), getgid(), getegid());
    printf("umask %o\n", umask(027));
    printf("umask %o\n", umask(022));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 5));
    SHOW(getpriority(PRIO_PROCESS, 0));
    struct utsname name;
    SHOW(uname(&name));
    printf("%s %s\n", name.sysname, name.machine);
    char random[16] = {0}, zero[16] = {0};
    SHOW(getrandom(random, sizeof random, 0));
    HOLDS(memcmp(random, zero, sizeof zero));
    HOLDS(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) && getauxval(AT_SYSINFO_EHDR));
    printf("platform %s secure %ld clktck %ld\n", (char *)getauxval(AT_PLATFORM), getauxval(AT_SECURE), getauxval(AT_CLKTCK));
    char comm[17] = {0};
    SHOW(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
    SHOW(prctl(PR_GET_NAME, comm));
    puts(comm);
    SHOW(prctl(9999));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    struct sysinfo info;
    SHOW(sysinfo(&info));
    HOLDS(info.totalram > 0 && info.procs > 0);
    SHOW(sched_yield());
    SHOW(sched_getscheduler(0));
    SHOW(sched_get_priority_max(SCHED_FIFO));
    SHOW(syscall(9999));
    SHOW(syscall(SYS_gettid) == getpid());
    struct stat s;
    SHOW(stat("/dev/null", &s));
    printf("null %o %lx\n", s.st_mode & S_IFMT, (long)s.st_rdev);
    SHOW(stat("/proc/self/exe", &s));
    char link[4096] = {0};
    HOLDS(readlink("/proc/self/exe", link, sizeof link) > 0 && strstr(link, "system"));
    int fd = open("/dev/zero", O_RDONLY);
    memset(random, 1, sizeof random);
    SHOW(read(fd, random, sizeof random));
    HOLDS(!memcmp(random, zero, sizeof zero));
    fd = open("/dev/full", O_WRONLY);
    SHOW(write(fd, "x", 1));
    fd = open("/proc/self/comm", O_RDONLY);
    memset(comm, 0, sizeof comm);
    SHOW(read(fd, comm, 16));
    printf("%s", comm);
    if (getuid() == 0) {
        gid_t groups[2] = {5, 7};
        SHOW(setgroups(2, groups));
        SHOW(getgroups(0, 0));
        SHOW(setresuid(1000, 1001, 1002));
        uid_t r, e, sv;
        getresuid(&r, &e, &sv);
        printf("%d %d %d\n", r, e, sv);
        SHOW(setuid(0));
        SHOW(seteuid(1002));
        SHOW(open("/etc/shadow", O_RDONLY));
        SHOW(setpriority(PRIO_PROCESS, 0, -5));
    }
    return 0;
}
