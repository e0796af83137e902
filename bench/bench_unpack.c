/* SPDX-License-Identifier: Apache-2.0 */
/* bench_unpack FILE: protobuf-c's plain unpack of a whole model file, as the peer to compare with.
 */
#include <stdio.h>
#include <stdlib.h>

#include "onnx.pb-c.h"

int main(int argc, char **argv)
{
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        (void)fprintf(stderr, "bench_unpack: needs a model file\n");
        return 1;
    }
    long size = ftell(f);
    unsigned char *bytes = malloc((size_t)size);
    rewind(f);
    if (bytes == NULL || fread(bytes, 1, (size_t)size, f) != (size_t)size) {
        (void)fprintf(stderr, "bench_unpack: cannot read %s\n", argv[1]);
        return 1;
    }
    (void)fclose(f);
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, (size_t)size, bytes);
    if (m == NULL) {
        return 1;
    }
    printf("%zu nodes\n", m->graph->n_node);
    onnx__model_proto__free_unpacked(m, NULL);
    free(bytes);
    return 0;
}
