/* Annotated files, read as a run's options say. */
#include "data/annotations.h"
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
