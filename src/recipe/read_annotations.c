/* Annotated files, read as a run's options say. */
#include <string.h>

#include "base/number.h"
#include "data/annotations.h"
#include "data/weights.h"
#include "recipe/options.h"

nerfit_status nf_train_options_read(const nf_train_options *o, nf_corpus *corpus, const char *path,
                                    const nf_log *log, nerfit_error *err) {
    const nf_annotation_texts texts = {o->annotation_format, o->overlap,     o->tagging,
                                       o->offsets,           o->word_column, o->label_column};
    nf_annotation_options options = {.log = log};
    nerfit_status status = nf_annotation_options_find(&options, &texts, err);
    if (status != NERFIT_OK) return nf_fail_within(err, status, "options of annotated files");
    return nf_annotations_read_with(corpus, path, &options, err);
}

nerfit_status nf_train_options_sources(const nf_train_options *o, nf_source_weights *sources,
                                       nf_arena *arena, nerfit_error *err) {
    const nf_names *given = &o->source_weights;
    nf_source_weight *items = nf_arena_calloc(arena, given->count + 1, sizeof *items);
    if (!items) return nf_no_memory(err, given->count * sizeof *items);
    for (size_t i = 0; i < given->count; i++) {
        char *name = nf_arena_strdup(arena, given->items[i]), *mark = name ? strrchr(name, '=') : 0;
        if (!name) return nf_no_memory(err, strlen(given->items[i]));
        if (!mark || mark == name || !nf_number_parse(mark + 1, &items[i].weight) ||
            items[i].weight < 0)
            return nf_fail(err, NERFIT_ARGUMENT,
                           "source_weights: \"%s\" is no source with a weight of 0 or more; "
                           "expected NAME=WEIGHT, such as silver=0.3",
                           given->items[i]);
        *mark = '\0';
        items[i].source = name;
    }
    *sources = (nf_source_weights){items, given->count};
    return NERFIT_OK;
}
