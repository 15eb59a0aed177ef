/* The model `tiny` on a system that refuses memory or a thread at each place where it is asked. The linker leads calls of libc
 * here; the exit status says which line is wrong. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "tiny.h"

int __real_posix_memalign(void **, size_t, size_t);
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __real_pthread_join(pthread_t, void **);
void __real_free(void *);
int __wrap_posix_memalign(void **, size_t, size_t);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_join(pthread_t, void **);
void __wrap_free(void *);

/* How often each is granted before it is refused, and what has not been given back. */
static int blocks, threads, held, running;

int __wrap_posix_memalign(void **block, size_t alignment, size_t bytes) {
    if (blocks-- <= 0)
        return ENOMEM;
    held++;
    return __real_posix_memalign(block, alignment, bytes);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument) {
    if (threads-- <= 0)
        return EAGAIN;
    running++;
    return __real_pthread_create(thread, how, run, argument);
}

int __wrap_pthread_join(pthread_t thread, void **result) {
    running--;
    return __real_pthread_join(thread, result);
}

void __wrap_free(void *block) {
    held -= block != NULL;
    __real_free(block);
}

#define CHECK(condition)     \
    do {                     \
        if (!(condition))    \
            return __LINE__; \
    } while (0)

int main(void) {
    tiny_session *session;
    for (int granted = 0; granted < 3; granted++) {
        blocks = granted, threads = 9;
        CHECK(tiny_create(&session, 4) == TINY_ERROR_MEMORY && session == NULL);
        CHECK(held == 0 && running == 0);
    }
    for (int granted = 0; granted < 3; granted++) {
        blocks = 3, threads = granted;
        CHECK(tiny_create(&session, 4) == TINY_ERROR_THREAD && session == NULL);
        CHECK(held == 0 && running == 0);
    }
    blocks = 3, threads = 3;
    CHECK(tiny_create(&session, 4) == TINY_OK && held == 3 && running == 3);
    tiny_destroy(session);
    CHECK(held == 0 && running == 0);
    return 0;
}
