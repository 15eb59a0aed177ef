/* What the model `tiny`, of one input and one output, refuses; the exit status says which line is wrong. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "tiny.h"

static float image[TINY_INPUT_IMAGE_ELEMENTS + 1], result[10 + 1];
static tiny_session *shared;
static int refused;

#define CHECK(condition)     \
    do {                     \
        if (!(condition))    \
            return __LINE__; \
    } while (0)

/* Runs a session that another thread runs too. */
static void *beside(void *unused) {
    float own[10];
    tiny_inputs inputs = {image};
    tiny_outputs outputs = {own};
    for (int turn = 0; turn < 20000; turn++) {
        int status = tiny_run(shared, &inputs, &outputs, 1);
        refused |= status == TINY_ERROR_IN_USE;
    }
    return unused;
}

int main(void) {
    tiny_session *session = (void *)image;
    CHECK(tiny_create(NULL, 1) == TINY_ERROR_ARGUMENT);
    CHECK(tiny_create(&session, TINY_MOST_THREADS + 1) == TINY_ERROR_ARGUMENT && session == NULL);
    CHECK(tiny_create(&session, (unsigned)-1) == TINY_ERROR_ARGUMENT && session == NULL);
    CHECK(tiny_create(&session, 0) == TINY_OK && session != NULL);
    tiny_inputs inputs = {image};
    tiny_outputs outputs = {result};
    CHECK(tiny_run(session, &inputs, &outputs, 1) == TINY_OK && result[0] > 0);
    CHECK(tiny_run(session, &inputs, &outputs, 0) == TINY_OK);
    CHECK(tiny_run(NULL, &inputs, &outputs, 1) == TINY_ERROR_ARGUMENT);
    CHECK(tiny_run(session, NULL, &outputs, 1) == TINY_ERROR_ARGUMENT);
    CHECK(tiny_run(session, &inputs, NULL, 1) == TINY_ERROR_ARGUMENT);
    CHECK(tiny_run(session, &(tiny_inputs){NULL}, &outputs, 1) == TINY_ERROR_ARGUMENT);
    CHECK(tiny_run(session, &inputs, &(tiny_outputs){NULL}, 1) == TINY_ERROR_ARGUMENT);
    for (uintptr_t byte = 1; byte < 4; byte++) {
        const float *in = (const float *)((uintptr_t)image + byte);
        float *out = (float *)((uintptr_t)result + byte);
        CHECK(tiny_run(session, &(tiny_inputs){in}, &outputs, 1) == TINY_ERROR_ARGUMENT);
        CHECK(tiny_run(session, &inputs, &(tiny_outputs){out}, 1) == TINY_ERROR_ARGUMENT);
    }
    CHECK(tiny_run(session, &inputs, &outputs, 1) == TINY_OK);
    tiny_destroy(session);
    tiny_destroy(NULL);

    CHECK(tiny_create(&shared, 2) == TINY_OK);
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, beside, NULL));
    int own = 0;
    for (int turn = 0; turn < 20000; turn++)
        own |= tiny_run(shared, &inputs, &outputs, 1) == TINY_ERROR_IN_USE;
    CHECK(!pthread_join(thread, NULL));
    CHECK(own || refused);
    tiny_destroy(shared);

    for (int status = TINY_OK; status <= TINY_ERROR_IN_USE; status++)
        CHECK(strlen(tiny_message(status)) > 5 && strcmp(tiny_message(status), tiny_message(-1)));
    CHECK(!strcmp(tiny_message(-1), tiny_message(6)) && !strcmp(tiny_message(6), "an unknown status"));
    CHECK(!strcmp(tiny_label(0), "class 0") && !strcmp(tiny_label(9), "class 9"));
    CHECK(tiny_label(TINY_LABELS) == NULL && tiny_label((size_t)-1) == NULL);
    return 0;
}
