/* Config files: any bytes give options or an error. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "recipe/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/nerfit-fuzz-config-%ld", (long)getpid());
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    fwrite(data, 1, size, file);
    fclose(file);
    nf_train_options options;
    nerfit_error error;
    if (nf_train_options_init(&options, &error) == NERFIT_OK &&
        nf_train_options_load(&options, path, &error) == NERFIT_OK)
        nf_train_options_check(&options, true, NULL, &error);
    nf_train_options_free(&options);
    unlink(path);
    return 0;
}
