// mmap and its kin: anonymous, file, shared, fixed, protections, remap, brk, large pages split, copy-on-write.
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static sigjmp_buf jump;
static volatile int seen;
static void caught(int n) { seen = n; siglongjmp(jump, 1); }
static int writes(volatile char *p) { seen = 0; if (!sigsetjmp(jump, 1)) { *p = 1; return 0; } return seen; }
static int reads(volatile char *p) { seen = 0; if (!sigsetjmp(jump, 1)) { (void)*p; return 0; } return seen; }

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    signal(SIGSEGV, caught);
    signal(SIGBUS, caught);
    long page = 4096;
    char *a = mmap(0, 16 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HOLDS(a != MAP_FAILED && a[0] == 0 && a[16 * page - 1] == 0);
    memset(a, 'a', 16 * page);
    SHOW(mprotect(a + 4 * page, page, PROT_READ));
    printf("writes: %d %d %d\n", writes(a + 3 * page), writes(a + 4 * page), writes(a + 5 * page));
    SHOW(mprotect(a + 4 * page, page, PROT_NONE));
    printf("reads: %d %d\n", reads(a + 4 * page), reads(a + 5 * page));
    SHOW(mprotect(a + 4 * page, page, PROT_READ | PROT_WRITE));
    HOLDS(a[4 * page] == 'a');
    SHOW(munmap(a + 8 * page, page));
    printf("hole: %d %d\n", reads(a + 8 * page), reads(a + 9 * page));
    SHOW(munmap(a + 1, page));
    SHOW(munmap(a, 0));
    SHOW(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    SHOW(mmap(0, page, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    SHOW(mprotect(a + 6 * page, 6 * page, PROT_READ));
    HOLDS(mmap(a + 8 * page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a + 8 * page);
    errno = 0;
    HOLDS(mmap(a, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);

    // Large areas: 2 MiB pages inside, split by a partial unmap and a partial protect.
    size_t large = 32 << 20;
    char *b = mmap(0, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < large; i += page) b[i] = (char)(i >> 12);
    SHOW(munmap(b + (8 << 20) + 5 * page, 3 * page));
    SHOW(mprotect(b + (12 << 20) + page, page, PROT_READ));
    int good = 1;
    for (size_t i = 0; i < large; i += page) {
        size_t in8 = i - (8 << 20);
        if (i >= (8 << 20) && in8 >= 5 * (size_t)page && in8 < 8 * (size_t)page) continue;
        if (b[i] != (char)(i >> 12)) good = 0;
    }
    HOLDS(good);
    printf("split: %d %d %d\n", reads(b + (8 << 20) + 6 * page), writes(b + (12 << 20) + page), writes(b + (12 << 20) + 2 * page));
    pid_t child = fork();
    if (!child) {
        for (size_t i = 16 << 20; i < large; i += page) b[i] = 'c';
        int same = 1;
        for (size_t i = 16 << 20; i < large; i += page) same &= b[i] == 'c';
        _exit(same ? 0 : 1);
    }
    for (size_t i = 20 << 20; i < (24 << 20); i += page) b[i] = 'p';
    int s;
    waitpid(child, &s, 0);
    printf("child %d\n", s);
    good = 1;
    for (size_t i = 16 << 20; i < large; i += page) good &= b[i] == (i >= (20 << 20) && i < (24 << 20) ? 'p' : (char)(i >> 12));
    HOLDS(good);
    SHOW(madvise(b, 4 << 20, MADV_DONTNEED));
    HOLDS(b[page] == 0 && b[(4 << 20) + page] == (char)(((4 << 20) + page) >> 12));

    // mremap.
    char *c = mmap(0, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(c, "moved");
    char *d = mremap(c, 4 * page, 64 * page, MREMAP_MAYMOVE);
    HOLDS(d != MAP_FAILED && !strcmp(d, "moved") && d[63 * page] == 0);
    HOLDS(mremap(d, 64 * page, 2 * page, 0) == d);
    printf("shrunk: %d\n", reads(d + 3 * page));

    // Shared anonymous memory is shared with a child; private is not.
    int *shared = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *private = mmap(0, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    child = fork();
    if (!child) { *shared = 5; *private = 5; _exit(0); }
    waitpid(child, &s, 0);
    printf("shared %d private %d\n", *shared, *private);

    // Files.
    char path[] = "/tmp/vt-memory-XXXXXX";
    int fd = mkstemp(path);
    HOLDS(fd >= 0);
    SHOW(ftruncate(fd, 2 * page + 100));
    SHOW(pwrite(fd, "file", 4, page));
    char *f = mmap(0, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *g = mmap(0, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    HOLDS(!memcmp(f + page, "file", 4) && !memcmp(g + page, "file", 4));
    f[0] = 'S';
    g[1] = 'P';
    char buffer[8] = {0};
    SHOW(pread(fd, buffer, 4, 0));
    printf("%02x %02x\n", buffer[0], buffer[1]);
    printf("beyond: %d %d %d\n", reads(f + 2 * page + 200), reads(f + 3 * page), writes(g + 3 * page));
    SHOW(msync(f, page, MS_SYNC));
    SHOW(ftruncate(fd, page));
    printf("after truncation: %d\n", reads(f + page));
    int ro = open(path, O_RDONLY);
    errno = 0;
    HOLDS(mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES);
    char *r = mmap(0, page, PROT_READ, MAP_SHARED, ro, 0);
    SHOW(mprotect(r, page, PROT_READ | PROT_WRITE));
    unlink(path);

    // The break.
    char *start = sbrk(0);
    HOLDS(sbrk(100000) == start);
    memset(start, 1, 100000);
    HOLDS(brk(start) == 0 && sbrk(0) == start);

    // The stack grows.
    char *deep = alloca(4 << 20);
    for (int i = (4 << 20) - 1; i >= 0; i -= 4096) deep[i] = 1;
    puts("stack grown");
    unsigned char vec[4];
    SHOW(mincore(a, 4 * page, vec));
    SHOW(mlock(a, page));
    SHOW(munlock(a, page));
    SHOW(madvise(a, page, 9999));
    return 0;
}
