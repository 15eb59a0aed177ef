/* Runs any artifact of float32 tensors through libfrit, on zeros, and tells what it takes and gives.
 *
 *     frit compile examples/mobilenet_v2/model.json -o mobilenet_v2.frit
 *     cc -std=c11 examples/c/load.c $(pkg-config --cflags --libs frit) -o load
 *     ./load mobilenet_v2.frit 2
 */
#include <stdio.h>
#include <stdlib.h>

#include <frit.h>

static void fail(void) {
    fprintf(stderr, "%s\n", frit_last_error());
    exit(1);
}

/* Zeros for a port, which is told of. */
static float *zeros(const char *kind, const frit_port *port) {
    printf("%s %s: %s", kind, port->name, port->element);
    for (size_t axis = 0; axis < port->rank; axis++)
        printf("%s%zu", axis ? "x" : " ", port->shape[axis]);
    puts("");
    return calloc(port->elements, port->element_bytes);
}

int main(int argc, char **argv) {
    frit_model *model = NULL;
    frit_session *session = NULL;
    if (argc < 2 || frit_model_load(argv[1], 0, &model))
        fail();
    if (frit_session_new(model, argc > 2 ? (unsigned)atoi(argv[2]) : 1, &session))
        fail();
    printf("%s for %s, libfrit %s\n", frit_model_name(model), frit_model_target(model), frit_version());
    size_t inputs = frit_model_inputs(model), outputs = frit_model_outputs(model);
    frit_port port = {0};
    void **values = calloc(inputs + outputs, sizeof *values);
    for (size_t i = 0; values && i < inputs + outputs; i++) {
        if (i < inputs ? frit_model_input(model, i, &port) : frit_model_output(model, i - inputs, &port))
            fail();
        values[i] = zeros(i < inputs ? "takes" : "gives", &port);
    }
    if (frit_session_run(session, (const void *const *)values, values ? values + inputs : NULL, 1))
        fail();
    const float *last = values[inputs + outputs - 1];
    for (size_t i = 0; i < port.elements && i < 5; i++)
        printf("%s[%zu] = %.9g\n", port.name, i, (double)last[i]);
    for (size_t i = 0; i < inputs + outputs; i++)
        free(values[i]);
    free(values);
    frit_session_free(session);
    frit_model_free(model);
    return 0;
}
