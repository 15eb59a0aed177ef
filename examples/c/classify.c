/* Says what is in a picture, with a network that is a part of the program.
 *
 *     frit compile examples/mobilenet_v2/model.json -o mobilenet_v2.o
 *     cc -std=c11 -I. examples/c/classify.c mobilenet_v2.o -pthread -o classify
 *     ./classify cat.ppm 2          (224x224 pixels, binary; then the number of threads)
 */
#include <stdio.h>
#include <stdlib.h>

#include "mobilenet_v2.h"

static unsigned char pixels[MOBILENET_V2_INPUT_IMAGE_ELEMENTS];
static float image[MOBILENET_V2_INPUT_IMAGE_ELEMENTS], logits[MOBILENET_V2_OUTPUT_LOGITS_ELEMENTS];
static const float range[] = MOBILENET_V2_PICTURE_RANGE;
static const float mean[] = MOBILENET_V2_PICTURE_MEAN, deviation[] = MOBILENET_V2_PICTURE_STD;

static int fail(const char *reason) {
    fprintf(stderr, "%s\n", reason);
    return 1;
}

int main(int argc, char **argv) {
    int width = 0, height = 0;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!file || fscanf(file, "P6 %d %d 255", &width, &height) != 2 || width != 224 || height != 224 ||
        fgetc(file) == EOF || fread(pixels, 1, sizeof pixels, file) != sizeof pixels)
        return fail("usage: classify PICTURE.ppm [THREADS], of 224x224 pixels");
    fclose(file);
    for (size_t i = 0; i < sizeof pixels; i++)
        image[i] = (range[0] + (float)pixels[i] / 255.0f * (range[1] - range[0]) - mean[i % 3]) / deviation[i % 3];

    mobilenet_v2_session *session;
    int status = mobilenet_v2_create(&session, argc > 2 ? (unsigned)atoi(argv[2]) : 1);
    if (status == MOBILENET_V2_OK)
        status = mobilenet_v2_run(session, &(mobilenet_v2_inputs){image}, &(mobilenet_v2_outputs){logits}, 1);
    mobilenet_v2_destroy(session);
    if (status != MOBILENET_V2_OK)
        return fail(mobilenet_v2_message(status));

    size_t best = 0;
    for (size_t i = 1; i < MOBILENET_V2_LABELS; i++)
        best = logits[i] > logits[best] ? i : best;
    printf("%s (class %zu, logit %.9g)\n", mobilenet_v2_label(best), best, (double)logits[best]);
    return 0;
}
