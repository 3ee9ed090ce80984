/* Any bytes as a safetensors file: opening must refuse or give tensors whose data lies in the file.
 * Seeds: tests/golden/safetensors, tests/invalid/safetensors. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tensor/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("input", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    nf_safetensors *file;
    nerfit_error err;
    if (nf_safetensors_open(&file, path, &err) != NERFIT_OK) {
        if (file || !err.text[0]) abort();
        return 0;
    }
    for (size_t i = 0; i < nf_safetensors_count(file); i++) {
        const nf_stored *t = nf_safetensors_at(file, i);
        if (nf_safetensors_find(file, t->name) != t) abort();
        for (size_t b = 0; b < t->size; b++) sink ^= ((const unsigned char *)t->data)[b];
        double *values = malloc((t->count + 1) * sizeof *values);
        if (values) (void)nf_stored_to_f64(t, values, &err);
        free(values);
    }
    nf_safetensors_close(file);
    return 0;
}
