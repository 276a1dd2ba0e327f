// Files and directories: creation, links, renames, permissions, times, positions, locks, directory listings, errors.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static void list(const char *path) {
    struct dirent **names;
    int n = scandir(path, &names, 0, by_name);
    for (int i = 0; i < n; i++) printf("  %s %d\n", names[i]->d_name, names[i]->d_type);
}
static void show(const char *path) {
    struct stat s;
    if (lstat(path, &s)) { printf("lstat %s: %s\n", path, strerror(errno)); return; }
    printf("%s: mode %o nlink %ld size %ld uid %d gid %d\n", path, s.st_mode, (long)s.st_nlink, S_ISDIR(s.st_mode) ? 0 : (long)s.st_size, s.st_uid, s.st_gid);
}

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    umask(022);
    char dir[] = "/tmp/vt-files-XXXXXX";
    if (!mkdtemp(dir) || chdir(dir)) return 1;
    char cwd[PATH_MAX];
    HOLDS(getcwd(cwd, sizeof cwd) && !strcmp(cwd, dir));
    SHOW(open("missing", O_RDONLY));
    int fd = open("a", O_CREAT | O_RDWR | O_EXCL, 0666);
    HOLDS(fd >= 0);
    SHOW(open("a", O_CREAT | O_EXCL, 0666));
    SHOW(write(fd, "hello world", 11));
    SHOW(lseek(fd, -5, SEEK_END));
    char buffer[64] = {0};
    SHOW(read(fd, buffer, sizeof buffer));
    puts(buffer);
    SHOW(lseek(fd, -100, SEEK_CUR));
    SHOW(lseek(fd, 5000, SEEK_SET));
    SHOW(write(fd, "x", 1));
    show("a");
    SHOW(lseek(fd, 0, SEEK_DATA));
    SHOW(ftruncate(fd, 5));
    show("a");
    struct iovec pieces[2] = {{"one", 3}, {"two", 3}};
    SHOW(pwritev(fd, pieces, 2, 2));
    SHOW(pread(fd, buffer, sizeof buffer, 0));
    printf("%.8s\n", buffer);
    int append = open("a", O_WRONLY | O_APPEND);
    SHOW(write(append, "!", 1));
    SHOW(read(append, buffer, 1));
    SHOW(fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND));
    int copy = dup(fd);
    SHOW(lseek(fd, 3, SEEK_SET));
    SHOW(lseek(copy, 0, SEEK_CUR));
    SHOW(dup2(copy, 100));
    SHOW(fcntl(100, F_GETFD));
    SHOW(fcntl(100, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(100, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, 200));
    SHOW(close(100));
    SHOW(close(100));
    SHOW(mkdir("d", 0777));
    SHOW(mkdir("d", 0777));
    SHOW(mkdir("x/y", 0777));
    SHOW(link("a", "b"));
    SHOW(symlink("a", "s"));
    SHOW(symlink("loop", "loop"));
    SHOW(open("loop", O_RDONLY));
    SHOW(readlink("s", buffer, sizeof buffer));
    SHOW(readlink("a", buffer, sizeof buffer));
    SHOW(open("s", O_RDONLY | O_NOFOLLOW));
    SHOW(open("a", O_RDONLY | O_DIRECTORY));
    SHOW(open("a/b", O_RDONLY));
    SHOW(open("d", O_WRONLY));
    show("a"); show("b"); show("s"); show("d");
    SHOW(rename("b", "d/c"));
    SHOW(rename("d", "d/e"));
    SHOW(rename("nothing", "e"));
    SHOW(mkdir("e", 0700));
    SHOW(rename("a", "e"));
    SHOW(rename("e", "a"));
    SHOW(rename("d", "e"));
    SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "s", RENAME_NOREPLACE));
    SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "s", RENAME_EXCHANGE));
    show("a"); show("s");
    SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "s", RENAME_EXCHANGE));
    SHOW(rmdir("e"));
    list("."); list("e");
    SHOW(unlink("e"));
    SHOW(unlink("e/c"));
    SHOW(rmdir("e"));
    SHOW(rmdir("a"));
    show("a");
    SHOW(chmod("a", 0640));
    SHOW(fchmod(fd, 04755));
    show("a");
    SHOW(chown("a", 1, 2));
    show("a");
    struct timespec times[2] = {{1000, 5}, {2000, 6}};
    SHOW(utimensat(AT_FDCWD, "a", times, 0));
    struct stat s;
    stat("a", &s);
    printf("times %ld.%ld %ld.%ld\n", s.st_atim.tv_sec, s.st_atim.tv_nsec, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    SHOW(access("a", R_OK));
    SHOW(access("nothing", F_OK));
    SHOW(mkfifo("fifo", 0600));
    show("fifo");
    SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
    SHOW(flock(fd, LOCK_EX | LOCK_NB));
    int other = open("a", O_RDWR);
    SHOW(flock(other, LOCK_EX | LOCK_NB));
    SHOW(flock(fd, LOCK_UN));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    SHOW(fcntl(fd, F_SETLK, &lock));
    SHOW(fcntl(fd, F_GETLK, &lock));
    printf("lock type %d\n", lock.l_type);
    SHOW(unlink("a"));
    SHOW(fstat(fd, &s));
    printf("unlinked: nlink %ld size %ld\n", (long)s.st_nlink, (long)s.st_size);
    SHOW(write(fd, "still", 5));
    int temp = open(".", O_TMPFILE | O_RDWR, 0600);
    HOLDS(temp >= 0);
    SHOW(write(temp, "temp", 4));
    char proc[64];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", temp);
    SHOW(linkat(AT_FDCWD, proc, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    show("named");
    SHOW(posix_fallocate(temp, 0, 9000));
    show("named");
    SHOW(fallocate(temp, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    SHOW(pread(temp, buffer, 4, 0));
    printf("%d\n", buffer[0]);
    SHOW(copy_file_range(temp, 0, fd, 0, 100, 0));
    char longname[300];
    memset(longname, 'n', 299);
    longname[299] = 0;
    SHOW(open(longname, O_CREAT | O_RDWR, 0600));
    SHOW(open("", O_RDONLY));
    SHOW(open((char *)1, O_RDONLY));
    SHOW(read(fd, (char *)1, 10));
    SHOW(write(999, "x", 1));
    SHOW(chdir("named"));
    SHOW(chdir("/proc/self/cwd"));
    unlink("named"); unlink("s"); unlink("loop"); unlink("fifo");
    list(".");
    SHOW(chdir("/"));
    SHOW(rmdir(dir));
    return 0;
}
