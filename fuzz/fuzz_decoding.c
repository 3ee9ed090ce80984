/* nerfit.json: any bytes give a decoding or an error. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "heads/decoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char folder[64], path[96];
    snprintf(folder, sizeof folder, "/tmp/nerfit-fuzz-decoding-%ld", (long)getpid());
    snprintf(path, sizeof path, "%s/nerfit.json", folder);
    nf_directory_make(folder, NULL);
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    fwrite(data, 1, size, file);
    fclose(file);
    nf_decoding decoding;
    nerfit_error error;
    if (nf_decoding_load(&decoding, folder, &error) == NERFIT_OK &&
        !(decoding.least >= 0.0 && decoding.least <= 1.0))
        abort();
    unlink(path);
    rmdir(folder);
    return 0;
}
