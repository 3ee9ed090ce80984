/* What a language model came to, for the summary. */
#include <string.h>

#include "annotate/by_llm.h"

static json_t *counts_json(const size_t *counts, nf_annotate_count from, nf_annotate_count to) {
    json_t *out = json_object();
    for (nf_annotate_count i = from; i <= to; i++)
        json_object_set_new(out, nf_annotate_count_text(i), json_integer((json_int_t)counts[i]));
    return out;
}

/* Providers whose terms speak of models that are trained with their answers. */
static const char *terms_of(const nf_llm *llm) {
    static const char *const restricted[] = {"openai", "anthropic", "azure", "gemini", "xai"};
    for (size_t i = 0; i < sizeof restricted / sizeof *restricted; i++)
        if (strcmp(llm->provider->name, restricted[i]) == 0)
            return "The provider's terms restrict what its answers may train (models that compete "
                   "with its own): read them before the model is given away.";
    return "The terms of the model and of its provider also hold for a model that its answers "
           "train: read them before that is given away.";
}

json_t *nf_llm_annotator_json(const nf_llm_annotator *a) {
    nf_str address = {0};
    nf_http_url_shown(&address, a->llm->url);
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "model", a->llm->name,
                  "address", nf_str_text(&address), "terms", terms_of(a->llm), "answers",
                  (json_int_t)a->totals.answers, "cached", (json_int_t)a->totals.cached,
                  "tokens_in", (json_int_t)a->totals.tokens_in, "tokens_out",
                  (json_int_t)a->totals.tokens_out, "not_asked", (json_int_t)a->totals.n_left_out,
                  "aligned", counts_json(a->counts, NF_COUNT_EXACT, NF_COUNT_REPEATED), "dropped",
                  counts_json(a->counts, NF_COUNT_ABSENT, NF_COUNT_OVERLAP));
    if (out && a->dropped) json_object_set(out, "dropped_answers", a->dropped);
    if (out && (a->price_in > 0 || a->price_out > 0))
        json_object_set_new(out, "cost",
                            json_real(1e-6 * ((double)a->totals.tokens_in * a->price_in +
                                              (double)a->totals.tokens_out * a->price_out)));
    nf_str_free(&address);
    return out;
}
