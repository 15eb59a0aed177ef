/* Two models of shared libraries in one process, each in two threads at once: LIBRARY NAME ELEMENTS-IN ELEMENTS-OUT, twice. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int (*create)(void **, unsigned);
    int (*run)(void *, const void *const *, void *const *, size_t);
    void (*destroy)(void *);
    size_t in, out;
    unsigned threads;
    float *result;
} plugin;

/* POSIX lets functions be found so, which ISO C has no cast for. */
static void find(void *library, const char *name, const char *function, void *found) {
    char whole[256];
    snprintf(whole, sizeof whole, "%s_%s", name, function);
    *(void **)found = dlsym(library, whole);
}

static void *use(void *argument) {
    plugin *own = argument;
    float *image = malloc(own->in * sizeof *image);
    void *session = NULL;
    own->result = malloc(own->out * sizeof(float));
    for (size_t i = 0; i < own->in; i++)
        image[i] = (float)(i % 17) / 8.0f - 1.0f;
    int failed = own->create(&session, own->threads);
    for (int turn = 0; turn < 50 && !failed; turn++) {
        const void *inputs[] = {image};
        void *outputs[] = {own->result};
        float first = own->result[0];
        failed = own->run(session, inputs, outputs, 1) || (turn && memcmp(&first, own->result, sizeof first));
    }
    own->destroy(session);
    free(image);
    return failed ? argument : NULL;
}

int main(int argc, char **argv) {
    plugin all[4];
    pthread_t threads[4];
    memset(all, 0, sizeof all);
    for (int i = 0; i < 4 && argc == 9; i++) {
        char **of = argv + 1 + 4 * (i / 2);
        void *library = dlopen(of[0], RTLD_NOW);
        if (!library) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        find(library, of[1], "create", &all[i].create);
        find(library, of[1], "run", &all[i].run);
        find(library, of[1], "destroy", &all[i].destroy);
        all[i].in = (size_t)atol(of[2]);
        all[i].out = (size_t)atol(of[3]);
        all[i].threads = 1 + (unsigned)i % 2;
        if (!all[i].create || !all[i].run || !all[i].destroy || pthread_create(&threads[i], NULL, use, &all[i]))
            return 2;
    }
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        if (pthread_join(threads[i], &failed) || failed)
            return 3;
    }
    for (int i = 0; i < 4; i += 2) {
        if (memcmp(all[i].result, all[i + 1].result, all[i].out * sizeof(float)))
            return 4;
        fwrite(all[i].result, sizeof(float), all[i].out, stdout);
    }
    return 0;
}
