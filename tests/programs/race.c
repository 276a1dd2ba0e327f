// One thread changes a path while another opens it, as often as the argument says (a thousand times without one).
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEN 40
static const char names[2][LEN] = {"/tmp/vitrine-race-aaaaaaaaaaaaaaaaaaaa", "/tmp/vitrine-race-bbbbbbbbbbbbbbbbbbbb"};
static char path[LEN];
static volatile int done;

static void *flip(void *arg) {
    (void)arg;
    for (unsigned i = 0; !done; i++) {
        memcpy(path, names[i & 1], LEN);
        if (i % 7 == 0)
            sched_yield();
    }
    return NULL;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 1000;
    for (int i = 0; i < 2; i++)
        close(open(names[i], O_CREAT | O_WRONLY, 0600));
    memcpy(path, names[0], LEN);
    pthread_t thread;
    pthread_create(&thread, NULL, flip, NULL);
    for (long i = 0; i < count; i++) {
        int fd = open(path, O_RDONLY);
        if (fd >= 0)
            close(fd);
        if (i % 20 == 0)
            sched_yield();
    }
    done = 1;
    pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++)
        unlink(names[i]);
    return 0;
}
