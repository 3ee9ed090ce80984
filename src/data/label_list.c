#include "data/label_list.h"

#include <string.h>

#include "base/file.h"
#include "data/labels.h"

static nerfit_status label_list_names(nf_descriptions *out, const char *labels, nerfit_error *err) {
    nf_arena arena = {0};
    size_t count = 0, most = 1;
    for (const char *c = labels; *c; c++) most += *c == ',';
    char *copy = nf_arena_strdup(&arena, labels);
    const char **names = nf_arena_calloc(&arena, 2 * most, sizeof *names), **texts = names + most;
    nerfit_status status = copy && names ? NERFIT_OK : nf_no_memory(err, strlen(labels));
    for (char *save, *part = status == NERFIT_OK ? strtok_r(copy, ",", &save) : NULL;
         part && status == NERFIT_OK; part = strtok_r(NULL, ",", &save)) {
        while (*part == ' ') part++;
        for (char *end = part + strlen(part); end > part && end[-1] == ' ';) *--end = '\0';
        names[count] = part;
        if (!(texts[count++] = nf_label_phrase(&arena, part))) status = nf_no_memory(err, 0);
    }
    if (status == NERFIT_OK) status = nf_descriptions_make(out, names, texts, count, "labels", err);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_label_list_read(nf_descriptions *out, const char *labels, bool *named,
                                 nerfit_error *err) {
    bool file = nf_file_exists(labels);
    if (named) *named = !file;
    if (file) return nf_descriptions_read(out, labels, err);
    if (strchr(labels, '/') || nf_path_has_ending(labels, ".json") ||
        nf_path_has_ending(labels, ".yaml") || nf_path_has_ending(labels, ".yml"))
        return nf_fail_at(err, NERFIT_IO, labels, 0, 0,
                          "cannot be opened (labels: a file of descriptions, or names divided by "
                          "commas)");
    return label_list_names(out, labels, err);
}
