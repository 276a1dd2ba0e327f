// pthreads: mutexes, conditions, barriers, joins, thread-local storage, cancellation, vector state across switches.
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

enum { THREADS = 8, ROUNDS = 20000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter;
static atomic_long atomic_counter;
static __thread int local;
static int turn;
static sem_t semaphore;

static void *work(void *arg) {
    long id = (long)arg;
    local = id;
    double x = id + 1;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        atomic_counter++;
        x = x * 1.0000001;
    }
    pthread_barrier_wait(&barrier);
    double y = id + 1;
    for (int i = 0; i < ROUNDS; i++) y = y * 1.0000001;
    return (void *)(long)(local == id && x == y);
}

static void *ordered(void *arg) {
    int id = (long)arg;
    pthread_mutex_lock(&mutex);
    while (turn != id) pthread_cond_wait(&condition, &mutex);
    printf("turn %d\n", id);
    turn++;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
    return 0;
}

static void *sleeper(void *arg) { (void)arg; for (;;) pause(); return 0; }
static void *spinner(void *arg) { while (!atomic_load((atomic_int *)arg)) ; return (void *)1; }

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    pthread_t t[THREADS];
    pthread_barrier_init(&barrier, 0, THREADS);
    for (long i = 0; i < THREADS; i++) pthread_create(&t[i], 0, work, (void *)i);
    int good = 1;
    for (int i = 0; i < THREADS; i++) { void *r; pthread_join(t[i], &r); good &= r == (void *)1; }
    printf("counter %ld atomic %ld good %d\n", counter, (long)atomic_counter, good);
    for (long i = THREADS - 1; i >= 0; i--) pthread_create(&t[i], 0, ordered, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], 0);
    pthread_create(&t[0], 0, sleeper, 0);
    pthread_cancel(t[0]);
    void *result;
    pthread_join(t[0], &result);
    HOLDS(result == PTHREAD_CANCELED);
    // A thread that never calls the kernel is pre-empted.
    atomic_int flag = 0;
    pthread_create(&t[0], 0, spinner, &flag);
    usleep(20000);
    flag = 1;
    pthread_join(t[0], &result);
    HOLDS(result == (void *)1);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 10000000;
    if (until.tv_nsec >= 1000000000) { until.tv_sec++; until.tv_nsec -= 1000000000; }
    pthread_mutex_lock(&mutex);
    HOLDS(pthread_cond_timedwait(&condition, &mutex, &until) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    sem_init(&semaphore, 0, 1);
    SHOW(sem_wait(&semaphore));
    SHOW(sem_trywait(&semaphore));
    HOLDS(syscall(SYS_gettid) == getpid());
    return 0;
}
