// Seals of memfds and mappings; extended attributes.
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/xattr.h>

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    int f = memfd_create("sealed", MFD_ALLOW_SEALING);
    SHOW(ftruncate(f, 4096));
    void *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    SHOW(fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(m, 4096);
    m = mmap(0, 4096, PROT_READ, MAP_SHARED, f, 0);
    SHOW(fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(m, 4096);
    SHOW(fcntl(f, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    m = mmap(0, 4096, PROT_READ, MAP_SHARED, f, 0);
    HOLDS(m != MAP_FAILED);
    SHOW(mprotect(m, 4096, PROT_READ | PROT_WRITE));
    SHOW(fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    HOLDS(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0) == MAP_FAILED);
    HOLDS(errno == EPERM);
    HOLDS(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0) != MAP_FAILED);
    SHOW(write(f, "a", 1));
    SHOW(fcntl(f, F_GET_SEALS));

    char path[] = "/tmp/sealing.XXXXXX", value[100];
    f = mkstemp(path);
    SHOW(fsetxattr(f, "user.one", "1", 1, XATTR_CREATE));
    SHOW(setxattr(path, "user.one", "12", 2, XATTR_CREATE));
    SHOW(setxattr(path, "user.one", "12", 2, XATTR_REPLACE));
    SHOW(getxattr(path, "user.one", value, 1));
    SHOW(getxattr(path, "user.one", value, sizeof value));
    SHOW(getxattr(path, "user.two", value, sizeof value));
    SHOW(getxattr(path, "system.posix_acl_access", value, sizeof value));
    SHOW(listxattr(path, value, sizeof value));
    SHOW(removexattr(path, "user.one"));
    SHOW(removexattr(path, "user.one"));
    SHOW(unlink(path));
    return 0;
}
