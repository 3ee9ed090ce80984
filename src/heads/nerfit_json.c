#include "heads/nerfit_json.h"

#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

static const char FILE_NAME[] = "nerfit.json";

static nerfit_status check_format(const json_t *json, const char *path, nerfit_error *err) {
    const json_t *format = json_object_get(json, "format");
    if (!json_is_object(json))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "is not a JSON object");
    if (!format) return NERFIT_OK; /* a file of a calibration alone may lack it */
    if (!json_is_integer(format) || json_integer_value(format) < 1)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "\"format\" is not a whole number");
    if (json_integer_value(format) > NF_NERFIT_JSON_FORMAT)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "is of format %lld; this version reads format %d",
                          (long long)json_integer_value(format), NF_NERFIT_JSON_FORMAT);
    return NERFIT_OK;
}

nerfit_status nf_nerfit_json_load(json_t **json, const char **path, nf_arena *arena,
                                  const char *folder, nerfit_error *err) {
    *json = NULL;
    *path = nf_path_join(arena, folder, FILE_NAME);
    if (!*path) return nf_no_memory(err, 0);
    if (!nf_file_exists(*path)) return NERFIT_OK;
    NF_TRY(nf_json_load(json, *path, err));
    nerfit_status status = check_format(*json, *path, err);
    if (status != NERFIT_OK) {
        json_decref(*json);
        *json = NULL;
    }
    return status;
}

nerfit_status nf_nerfit_json_save(json_t *json, const char *folder, nerfit_error *err) {
    nf_arena arena = {0};
    const char *path = nf_path_join(&arena, folder, FILE_NAME);
    nerfit_status status = path ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK && json) {
        bool put = json_object_get(json, "format") ||
                   json_object_set_new(json, "format", json_integer(NF_NERFIT_JSON_FORMAT)) == 0;
        status = put ? nf_json_save(json, path, err) : nf_no_memory(err, 0);
    } else if (status == NERFIT_OK && nf_file_exists(path) && unlink(path) != 0) {
        status =
            nf_fail_at(err, NERFIT_IO, path, 0, 0, "is of another model and cannot be removed");
    }
    nf_arena_free(&arena);
    return status;
}
