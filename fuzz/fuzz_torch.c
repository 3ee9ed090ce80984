/* Any bytes as a file of torch.save, or behind a byte 1 as a pickle inside of one: reading must refuse
 * or give tensors whose data can be read. Seeds: tests/golden/torch, tests/invalid/torch. */
#include <stdlib.h>
#include <string.h>

#include "tensor/pickle.h"
#include "tensor/torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

static nerfit_status touch(void *user, const nf_stored *stored, nerfit_error *err) {
    (void)user;
    if (strlen(stored->name) > 1000000) return nf_fail(err, NERFIT_FORMAT, "a long name");
    for (size_t b = 0; b < stored->size; b++) sink ^= ((const unsigned char *)stored->data)[b];
    return NERFIT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    nf_arena arena = {0};
    nerfit_error err = {0};
    if (size > 0 && data[0] == 1) {
        nf_pickle pickle;
        nerfit_status status =
            nf_pickle_read(&pickle, (const char *)data + 1, size - 1, &arena, "input", &err);
        if (status == NERFIT_OK ? !pickle.value : !err.text[0]) abort();
    } else {
        char *copy = malloc(size + 1); /* reads past the end are found */
        if (!copy) return 0;
        memcpy(copy, data, size);
        const nf_file file = {.data = copy, .size = size};
        nf_torch_reader reader = {.arena = &arena, .path = "input", .tensor = touch};
        if (nf_torch_file_is(&file) && nf_torch_file_read(&reader, &file, &err) != NERFIT_OK &&
            !err.text[0])
            abort();
        free(copy);
    }
    nf_arena_free(&arena);
    return 0;
}
