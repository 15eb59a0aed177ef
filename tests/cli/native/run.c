/* Runs a model on raw values of float32: THREADS BATCH OUTPUT INPUT ... The header is included by the command line, which says
 * what MODEL(name) is. */
#include <stdio.h>
#include <stdlib.h>

#define MOST 4

static void *raw(size_t bytes) {
    /* Behind a float, so that nothing is aligned better than it has to be. */
    char *values = malloc(bytes + sizeof(float));
    return values ? values + sizeof(float) : NULL;
}

static int fail(const char *reason) {
    fprintf(stderr, "%s\n", reason);
    return 1;
}

int main(int argc, char **argv) {
    const void *inputs[MOST] = {0};
    void *outputs[MOST] = {0};
    size_t elements = OUTPUT_ELEMENTS;
    unsigned threads = (unsigned)atoi(argv[1]);
    size_t batch = (size_t)atoi(argv[2]);
    for (int i = 4; i < argc && i - 4 < MOST; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file || fseek(file, 0, SEEK_END))
            return fail("no input");
        size_t bytes = (size_t)ftell(file);
        void *values = raw(bytes);
        rewind(file);
        if (!values || fread(values, 1, bytes, file) != bytes)
            return fail("a short input");
        inputs[i - 4] = values;
        fclose(file);
    }
    MODEL(inputs) named;
    MODEL(outputs) written;
    if (sizeof named > sizeof inputs || sizeof written > sizeof outputs)
        return fail("too many ports");
    outputs[0] = raw(batch * elements * sizeof(float));
    if (!MODEL(cpu_ok)())
        return fail("the CPU lacks something");
    MODEL(session) * session;
    int status = MODEL(create)(&session, threads);
    /* A structure of pointers is an array of them. Twice, since a session is used again and again. */
    for (int turn = 0; turn < 2 && !status; turn++)
        status = MODEL(run)(session, (const void *)inputs, (const void *)outputs, batch);
    MODEL(destroy)(session);
    if (status)
        return fail(MODEL(message)(status));
    FILE *file = fopen(argv[3], "wb");
    if (!file || fwrite(outputs[0], sizeof(float), batch * elements, file) != batch * elements || fclose(file))
        return fail("the output can't be written");
    for (size_t i = 0; i < MOST; i++) {
        free(inputs[i] ? (char *)(size_t)inputs[i] - sizeof(float) : NULL);
        free(outputs[i] ? (char *)outputs[i] - sizeof(float) : NULL);
    }
    puts(MODEL(signature)());
    return 0;
}
