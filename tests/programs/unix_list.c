// /proc/net/unix: each kind of AF_UNIX socket's line, without what differs from run to run.
#include "check.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static long inodes[16];
static int count;

static int add(int fd) {
    struct stat s;
    fstat(fd, &s);
    inodes[count++] = s.st_ino;
    return fd;
}

static void show(void) {
    char line[400];
    for (int i = 0; i < count; i++) {
        FILE *file = fopen("/proc/net/unix", "r");
        int found = 0;
        while (fgets(line, sizeof line, file)) {
            unsigned long number;
            unsigned references, protocol, flags, type, state;
            long inode;
            int end = 0;
            if (sscanf(line, "%lx: %x %x %x %x %x %ld%n", &number, &references, &protocol, &flags, &type, &state, &inode, &end) == 7 && inode == inodes[i]) {
                char *name = line + end;
                char *pid = strstr(name, "-vt-");
                printf("%d:%.35s%.*s\n", i, line + 17, pid ? (int)(pid - name) : (int)strcspn(name, "\n"), name);
                found = 1;
            }
        }
        if (!found)
            printf("%d: gone\n", i);
        fclose(file);
    }
}

int main(void) {
    struct sockaddr_un path = {AF_UNIX};
    snprintf(path.sun_path, sizeof path.sun_path, "/tmp/listed-vt-%d", getpid());
    int listener = add(socket(AF_UNIX, SOCK_STREAM, 0));
    SHOW(bind(listener, (void *)&path, sizeof path));
    SHOW(listen(listener, 3));
    int first = add(socket(AF_UNIX, SOCK_STREAM, 0)), second = add(socket(AF_UNIX, SOCK_STREAM, 0));
    SHOW(connect(first, (void *)&path, sizeof path));
    SHOW(connect(second, (void *)&path, sizeof path));
    int accepted = add(accept(listener, 0, 0));
    unlink(path.sun_path);
    struct sockaddr_un name = {AF_UNIX};
    int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "listed-vt-%d", getpid());
    length += 1 + offsetof(struct sockaddr_un, sun_path);
    int receiver = add(socket(AF_UNIX, SOCK_DGRAM, 0)), sender = add(socket(AF_UNIX, SOCK_DGRAM, 0));
    SHOW(bind(receiver, (void *)&name, length));
    SHOW(connect(sender, (void *)&name, length));
    int pair[2];
    SHOW(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    add(pair[0]);
    add(socket(AF_UNIX, SOCK_STREAM, 0));
    show();
    close(accepted);
    close(pair[0]);
    show();
    return 0;
}
