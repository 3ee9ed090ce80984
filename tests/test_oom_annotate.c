/* Missing memory while texts are annotated: answers, places, votes, lists, what is written and reported,
 * types of a model's own, audits, suggestions. See oom.h. */
#include "oom.h"

#include "documents.h"

#include "annotate/annotate.h"
#include "annotate/answer.h"
#include "annotate/audit.h"
#include "annotate/by_llm.h"
#include "annotate/similar.h"
#include "annotate/suggest.h"
#include "annotate/summary.h"
#include "data/annotations.h"

static const char *const names[] = {"person", "city"}, *const about[] = {"A human.", ""};
static const nf_job_labels labels = {names, about, NULL, 2};
static const char gold_text[] =
    "{\"text\": \"Ada met Bob in Paris\", \"id\": 1, \"entities\": [[0, 3, \"person\"], [15, 20, "
    "\"city\"]]}\n{\"text\": \"Nobody came\", \"entities\": []}\n{\"text\": \"Eve left Rome\", "
    "\"entities\": [[9, 13, \"city\"]]}\n";
static nf_corpus gold; /* made while there is memory */

/* Two passes over each of the texts; the third text got no answer. */
static const char *const answers[] = {
    "{\"entities\": [{\"text\": \"ADA\", \"label\": \"persons\"}, {\"text\": \"Zoe\", \"label\": "
    "\"city\"}, {\"text\": \"Paris\", \"label\": \"city\"}]}",
    "[['Ada', 'person'], ['Bob', 'person'], ['x', 'thing']]",
    "NONE",
    "[]",
    NULL,
    NULL,
};
enum { ANSWERS = sizeof answers / sizeof *answers };

static nerfit_status leave_answers(nf_llm_annotator *a, nerfit_error *error) {
    a->asked = calloc(ANSWERS, sizeof *a->asked);
    if (!a->asked) return nf_no_memory(error, 0);
    a->n_asked = ANSWERS;
    for (size_t i = 0; i < ANSWERS; i++) {
        char **to = answers[i] ? &a->asked[i].text : &a->asked[i].failure;
        if (!(*to = strdup(answers[i] ? answers[i] : "no answer"))) return nf_no_memory(error, 0);
    }
    return NERFIT_OK;
}

static nerfit_status say_the_same(void *self, const nf_corpus *corpus, const nf_job_labels *of,
                                  nf_opinion *opinions, nf_arena *arena, nerfit_error *error) {
    (void)self, (void)of;
    for (size_t i = 0; i < corpus->n_documents; i++) {
        opinions[i] = (nf_opinion){.given = i < 2, .failure = i < 2 ? NULL : "none here"};
        opinions[i].spans = nf_arena_calloc(arena, 1, sizeof *opinions[i].spans);
        if (!opinions[i].spans) return nf_no_memory(error, 1);
        *opinions[i].spans = (nf_entity){0, 3, 0, 0.5};
        opinions[i].n_spans = i == 0;
    }
    return NERFIT_OK;
}

/* A whole job: a language model's answers, another annotator, lists, an audit and the report. */
static nerfit_status annotate_texts(nerfit_error *error) {
    static const char yaml[] = "person: {add: [/B\\w+/], forbid: [Zoe]}";
    nf_llm_annotator by_llm = {.passes = 2, .vote = 1, .align = {true, false}};
    const nf_annotator annotators[] = {{"llm", &by_llm, nf_annotate_by_llm},
                                       {"other", NULL, say_the_same}};
    nf_lists *lists = NULL;
    nf_annotated done = {.summary = NULL};
    json_t *audit = NULL;
    nf_str text = {0};
    nerfit_status status = nf_lists_parse(&lists, yaml, sizeof yaml - 1, "rules.yaml", NULL, error);
    const nf_annotate_job job = {.texts = &gold,
                                 .labels = labels,
                                 .annotators = annotators,
                                 .n_annotators = 2,
                                 .lists = lists};
    if (status == NERFIT_OK) status = leave_answers(&by_llm, error);
    if (status == NERFIT_OK) status = nf_annotate(&done, &job, error);
    if (status == NERFIT_OK) status = nf_audit_score(&audit, &gold, &done, &labels, 1, error);
    if (status == NERFIT_OK) nf_summary_text(done.summary, &text);
    if (status == NERFIT_OK) nf_summary_html(done.summary, &text);
    if (status == NERFIT_OK && text.failed) status = nf_no_memory(error, 0);
    nf_llm_annotator_forget(&by_llm);
    json_decref(by_llm.dropped);
    nf_annotated_free(&done);
    json_decref(audit);
    nf_lists_free(lists);
    nf_str_free(&text);
    return status;
}

static nerfit_status name_types(nerfit_error *error) {
    static const struct {
        const char *name, *about;
    } seen[] = {{"Person", "A human."}, {"persons", NULL}, {"town", "A place."}, {"hill", ""}};
    static const float vectors[] = {1, 0, 0, 1, 1, 0, 0, 1, 0.6f, 0.8f};
    nf_open_types types = {0};
    nf_str text = {0};
    bool taken;
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < 4 && status == NERFIT_OK; i++)
        status = nf_open_types_see(&types, seen[i].name, seen[i].about, &taken, error);
    if (status == NERFIT_OK) status = nf_open_types_merge(&types, &labels, vectors, 2, 0.75, error);
    if (status == NERFIT_OK) nf_open_types_descriptions(&types, &text);
    if (status == NERFIT_OK) nf_open_types_synonyms(&types, &text);
    if (status == NERFIT_OK && text.failed) status = nf_no_memory(error, 0);
    nf_open_types_free(&types);
    nf_str_free(&text);
    return status;
}

static nerfit_status choose_texts(nerfit_error *error) {
    nf_corpus blind = {0}, known = {0};
    uint32_t shown[6];
    const nf_entity entity = {0, 3, 0, 0.5};
    const nf_suggest_text seen[] = {
        {&entity, 1, 5, 1.0, 0.5}, {NULL, 0, 2, 2.0, 0.1}, {&entity, 1, 3, 0.5, 0.2}};
    nf_suggestion out[3];
    size_t count;
    nerfit_status status = nf_audit_draw(&blind, &known, &gold, 2, 1, error);
    const nf_similar similar = {.examples = &gold, .texts = &gold};
    if (status == NERFIT_OK) status = nf_similar_choose(&similar, 2, shown, error);
    const nf_suggest_job job = {.texts = &gold, .known = &blind, .seen = seen, .n_labels = 2};
    if (status == NERFIT_OK) status = nf_suggest(&job, out, &count, error);
    nf_corpus_free(&blind);
    nf_corpus_free(&known);
    return status;
}

/* Parts of a report may be missing where it was jansson that found no room. */
static void annotating(void **state) {
    (void)state;
    assert_true(oom_try_all("annotate", annotate_texts, OOM_IN_PARSER) > 200);
}

static void open_types(void **state) {
    (void)state;
    assert_true(oom_try_all("open types", name_types, OOM_IS_SAID) > 5);
}

static void choosing(void **state) {
    (void)state;
    assert_true(oom_try_all("audit, examples, suggestions", choose_texts, OOM_IS_SAID) > 20);
}

static int make_texts(void **state) {
    nerfit_error error;
    (void)state;
    return nf_annotations_parse(&gold, gold_text, sizeof gold_text - 1, "gold", NULL, NULL,
                                &error) == NERFIT_OK
               ? 0
               : -1;
}

static int free_texts(void **state) {
    (void)state;
    nf_corpus_free(&gold);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(annotating), cmocka_unit_test(open_types),
                                       cmocka_unit_test(choosing)};
    return cmocka_run_group_tests(tests, make_texts, free_texts);
}
