/* libfrit: loads artifacts that `frit compile` wrote, and runs them.
 *
 *     frit_model *model;
 *     frit_session *session;
 *     if (frit_model_load("model.frit", 0, &model) || frit_session_new(model, 2, &session)) {
 *         fprintf(stderr, "%s\n", frit_last_error());
 *         exit(1);
 *     }
 *     frit_session_run(session, inputs, outputs, 1);
 *
 * Functions that can fail return a status, of which 0 is success. A model may be used by several threads; a session is one
 * caller's, and independent of others. */
#ifndef FRIT_H
#define FRIT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return. */
enum frit_status {
    FRIT_OK = 0,
    FRIT_ERROR_ARGUMENT = 1, /* a null or unaligned pointer, a flag or port that there is not, too many threads */
    FRIT_ERROR_FILE = 2,     /* the file can't be read */
    FRIT_ERROR_ARTIFACT = 3, /* the file is no artifact, damaged, or of a version that this library does not read */
    FRIT_ERROR_CPU = 4,      /* the artifact is for another CPU */
    FRIT_ERROR_SYSTEM = 5,   /* the system refuses memory or threads */
    FRIT_ERROR_IN_USE = 6,   /* the session runs in another thread */
    FRIT_ERROR_INTERNAL = 7  /* a fault of frit */
};

/* A status in words. */
const char *frit_message(int status);

/* A sentence about the last call of this thread that failed, with names and numbers; it stays until the next such call. */
const char *frit_last_error(void);

/* The version of this library. */
const char *frit_version(void);

/* A model that was loaded. */
typedef struct frit_model frit_model;

/* Copy the weights to huge pages: faster to run, slower to load, and not shared with other processes. */
#define FRIT_HUGE_PAGES 1u

/* Loads an artifact. To load one is to trust it like a program: it must be as frit has written it, and stay so while the
 * model is in use. Where it fails, *model is null. */
int frit_model_load(const char *path, unsigned flags, frit_model **model);

/* Gives a model back; its sessions go on. Null is allowed. */
void frit_model_free(frit_model *model);

/* Its name, and the instruction sets that it was compiled for. Texts live as long as the model. */
const char *frit_model_name(const frit_model *model);
const char *frit_model_target(const frit_model *model);

/* An input or an output. */
typedef struct frit_port {
    const char *name;
    const char *element;  /* as NumPy spells it: "float32" */
    size_t element_bytes; /* of one element */
    size_t rank;          /* of one image, without the batch */
    const size_t *shape;  /* the axes of one image, the last one fastest */
    size_t elements;      /* of one image */
} frit_port;

/* How many inputs and outputs there are, and what they are; what `port` points to lives as long as the model. */
size_t frit_model_inputs(const frit_model *model);
size_t frit_model_outputs(const frit_model *model);
int frit_model_input(const frit_model *model, size_t index, frit_port *port);
int frit_model_output(const frit_model *model, size_t index, frit_port *port);

/* The classes that the model tells apart: how many have names, and the name of each; null beyond the last. */
size_t frit_model_labels(const frit_model *model);
const char *frit_model_label(const frit_model *model, size_t index);

/* The memory and the threads of one caller. */
typedef struct frit_session frit_session;

/* Makes a session of so many threads, the caller's among them: 0 is 1, and 1024 are the most. Where it fails, *session is
 * null. */
int frit_session_new(const frit_model *model, unsigned threads, frit_session **session);

/* Ends the threads of a session that does not run, and gives its memory back. Null is allowed. */
void frit_session_free(frit_session *session);

/* Runs `batch` images, one after the other. There is an address for each input and for each output, in the model's order:
 * that of the values of all images, one dense image behind the other, aligned as the element is. Outputs overlap nothing.
 * Results are the same bits for any number of threads. */
int frit_session_run(frit_session *session, const void *const *inputs, void *const *outputs, size_t batch);

#ifdef __cplusplus
}
#endif

#endif /* FRIT_H */
