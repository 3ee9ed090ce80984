#include "report/card.h"

#include "base/file.h"
#include "model/word_shape.h"

static void scores(nf_str *out, const json_t *report, const char *report_of, const char *units) {
    const char *label;
    json_t *score;
    nf_str_appendf(out,
                   "\n## Scores on the %s data\n\n| entity | precision | recall | F1 | "
                   "support |\n|---|---|---|---|---|\n",
                   report_of);
    json_object_foreach(json_object_get(report, "types"), label, score) {
        nf_str_appendf(out, "| %s | %.3f | %.3f | %.3f | %lld |\n", label,
                       json_real_value(json_object_get(score, "precision")),
                       json_real_value(json_object_get(score, "recall")),
                       json_real_value(json_object_get(score, "f1")),
                       (long long)json_integer_value(json_object_get(score, "support")));
    }
    score = json_object_get(report, "micro");
    nf_str_appendf(out, "| all (micro) | %.3f | %.3f | %.3f | %lld |\n",
                   json_real_value(json_object_get(score, "precision")),
                   json_real_value(json_object_get(score, "recall")),
                   json_real_value(json_object_get(score, "f1")),
                   (long long)json_integer_value(json_object_get(score, "support")));
    nf_str_appendf(out,
                   "\nEntities count as found if type and boundaries are right (seqeval's "
                   "default mode, over %s).\n",
                   units);
}

nerfit_status nf_model_card_write(const nf_model_card *c, const char *folder, nerfit_error *err) {
    nf_str card = {0};
    nf_arena arena = {0};
    nf_str_append_text(&card, "---\nlibrary_name: nerfit\npipeline_tag: token-classification\n"
                              "---\n\n# A nerfit model\n\nA token-classification model in "
                              "transformers' format, trained by nerfit " NERFIT_VERSION ".\n\n");
    nf_str_appendf(&card,
                   "- trained %s, recipe `%s`\n- stage 1 (contrastive): %lld steps at most, "
                   "learning rate %g\n- stage 2 (token classification): %lld steps at most, "
                   "learning rate %g\n- entity types: ",
                   c->trained, c->recipe, (long long)c->steps[0], c->rates[0],
                   (long long)c->steps[1], c->rates[1]);
    for (size_t i = 0; i < c->labels->n_types; i++)
        nf_str_appendf(&card, "%s%s", i ? ", " : "", c->labels->types[i]);
    nf_str_append_char(&card, '\n');
    if (nf_word_shape_in(folder))
        nf_str_append_text(&card,
                           "- word shapes: the table in `word_shape.safetensors` is added to the "
                           "input embeddings; transformers runs the model without it, with "
                           "other results\n");
    if (c->report) scores(&card, c->report, c->report_of, c->units);
    nf_str_append_text(&card, "\nUse it: `nerfit predict FOLDER texts.txt`.\n");
    const char *path = nf_path_join(&arena, folder, "README.md");
    nerfit_status status = card.failed || !path ? nf_no_memory(err, 0)
                                                : nf_file_write(path, card.data, card.length, err);
    nf_str_free(&card);
    nf_arena_free(&arena);
    return status;
}
