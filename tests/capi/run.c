/* libfrit on the artifact `tiny.frit`, of one input and one output: THREADS BATCH INPUT OUTPUT. The exit status says which line
 * is wrong. */
#include <frit.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                     \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "line %d: %s\n", __LINE__, frit_last_error());   \
            exit(1);                                                         \
        }                                                                    \
    } while (0)

static frit_model *model;
static size_t batch;
static unsigned threads;
static float *image;
static size_t out;

static float *run(frit_session *session) {
    float *result = calloc(batch * out, sizeof *result);
    const void *inputs[] = {image};
    void *outputs[] = {result};
    CHECK(result && frit_session_run(session, inputs, outputs, batch) == FRIT_OK);
    return result;
}

/* A session of this thread's own. */
static void *beside(void *unused) {
    frit_session *session;
    CHECK(frit_session_new(model, threads, &session) == FRIT_OK);
    float *result = run(session);
    frit_session_free(session);
    CHECK(unused == NULL);
    return result;
}

static void refused(frit_session *session) {
    frit_model *none = (void *)image;
    frit_port port;
    const void *inputs[] = {image};
    void *outputs[] = {NULL};
    CHECK(frit_model_load("nowhere.frit", 0, &none) == FRIT_ERROR_FILE && none == NULL);
    CHECK(strstr(frit_last_error(), "nowhere.frit"));
    CHECK(frit_model_load("tiny.json", 0, &none) == FRIT_ERROR_ARTIFACT);
    CHECK(frit_model_load("other.frit", 0, &none) == FRIT_ERROR_CPU);
    CHECK(frit_model_load("tiny.frit", 8, &none) == FRIT_ERROR_ARGUMENT);
    CHECK(frit_model_load(NULL, 0, &none) == FRIT_ERROR_ARGUMENT);
    CHECK(frit_model_load("tiny.frit", 0, NULL) == FRIT_ERROR_ARGUMENT);
    CHECK(frit_model_input(model, 1, &port) == FRIT_ERROR_ARGUMENT);
    CHECK(frit_model_output(NULL, 0, &port) == FRIT_ERROR_ARGUMENT);
    CHECK(frit_model_input(model, 0, NULL) == FRIT_ERROR_ARGUMENT);
    frit_session *other = (void *)image;
    CHECK(frit_session_new(model, 100000, &other) == FRIT_ERROR_ARGUMENT && other == NULL);
    CHECK(frit_session_new(NULL, 1, &other) == FRIT_ERROR_ARGUMENT);
    CHECK(frit_session_run(session, inputs, outputs, 1) == FRIT_ERROR_ARGUMENT);
    CHECK(frit_session_run(session, inputs, NULL, 1) == FRIT_ERROR_ARGUMENT);
    CHECK(frit_session_run(NULL, inputs, outputs, 1) == FRIT_ERROR_ARGUMENT);
    outputs[0] = image;
    CHECK(frit_session_run(session, inputs, outputs, SIZE_MAX / 2) == FRIT_ERROR_ARGUMENT);
    outputs[0] = (char *)image + 1;
    CHECK(frit_session_run(session, inputs, outputs, 1) == FRIT_ERROR_ARGUMENT);
    CHECK(strcmp(frit_message(FRIT_ERROR_IN_USE), frit_message(-1)));
    CHECK(frit_model_inputs(NULL) == 0 && frit_model_name(NULL) == NULL && frit_model_label(model, 10) == NULL);
    frit_model_free(NULL);
    frit_session_free(NULL);
}

int main(int argc, char **argv) {
    CHECK(argc == 5);
    threads = (unsigned)atoi(argv[1]);
    batch = (size_t)atoi(argv[2]);
    CHECK(frit_model_load("tiny.frit", threads % 2 ? FRIT_HUGE_PAGES : 0, &model) == FRIT_OK);
    frit_port input, output;
    CHECK(frit_model_inputs(model) == 1 && frit_model_outputs(model) == 1);
    CHECK(!frit_model_input(model, 0, &input) && !frit_model_output(model, 0, &output));
    CHECK(!strcmp(input.name, "image") && !strcmp(input.element, "float32") && input.element_bytes == 4);
    CHECK(input.rank == 3 && input.shape[0] == 16 && input.shape[2] == 3 && input.elements == 768);
    CHECK(!strcmp(frit_model_name(model), "tiny") && frit_model_labels(model) == 10);
    CHECK(!strcmp(frit_model_label(model, 9), "class 9"));
    out = output.elements;
    image = malloc(batch * input.elements * sizeof *image);
    FILE *file = fopen(argv[3], "rb");
    CHECK(image && file && fread(image, sizeof *image, batch * input.elements, file) == batch * input.elements);
    fclose(file);

    frit_session *session;
    CHECK(frit_session_new(model, threads, &session) == FRIT_OK);
    refused(session);
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, beside, NULL));
    float *own = run(session);
    void *other;
    CHECK(!pthread_join(thread, &other) && !memcmp(own, other, batch * out * sizeof *own));
    frit_model_free(model);
    free(own);
    own = run(session);
    file = fopen(argv[4], "wb");
    CHECK(file && fwrite(own, sizeof *own, batch * out, file) == batch * out && !fclose(file));
    frit_session_free(session);
    free(own);
    free(other);
    free(image);
    return 0;
}
