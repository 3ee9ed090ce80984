#include "annotate/by_llm.h"

#include <stdlib.h>
#include <string.h>

#include "annotate/answer.h"
#include "annotate/chunks.h"
#include "annotate/merge.h"
#include "annotate/prompt.h"
#include "base/assert.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "labels/places.h"

/* A question: a part of a text, a label or all, a pass. */
typedef struct llm_task {
    uint32_t text, pass;
    int32_t label;
    nf_chunk chunk;
} llm_task;

typedef struct llm_work {
    nf_llm_annotator *self;
    const nf_corpus *corpus;
    const nf_job_labels *labels;
    nf_answer_labels known;
    nf_arena arena;
    llm_task *tasks; /* by text, pass, part, label */
    size_t n_tasks;
    size_t *first;     /* [texts + 1] */
    uint32_t **orders; /* [passes] of the labels */
    nf_asking asking;
} llm_work;

/* ---------------------------------------------------------------- questions */

/* The next part of a text that is asked about; white space alone is not. */
static nf_chunk next_chunk(const nf_document *d, nf_chunk chunk, size_t most) {
    const char *text;
    size_t size;
    do {
        chunk = nf_chunk_next(d->text, d->text_size, chunk, most);
        text = d->text + chunk.byte;
        size = chunk.size;
        nf_text_trim(&text, &size);
    } while (chunk.size && size == 0);
    return chunk;
}

static size_t count_chunks(const nf_document *d, size_t most) {
    size_t n = 0;
    nf_chunk chunk = {0};
    while ((chunk = next_chunk(d, chunk, most)).size) n++;
    return n;
}

static nerfit_status llm_make_tasks(llm_work *w, nerfit_error *err) {
    const nf_llm_annotator *self = w->self;
    size_t n_labels = self->one_label_at_a_time ? w->labels->count : 1, n = 0;
    for (size_t i = 0; i < w->corpus->n_documents; i++)
        n += count_chunks(&w->corpus->documents[i], self->max_chars) * n_labels * self->passes;
    w->tasks = nf_arena_calloc(&w->arena, n + 1, sizeof *w->tasks);
    w->first = nf_arena_calloc(&w->arena, w->corpus->n_documents + 1, sizeof *w->first);
    if (!w->tasks || !w->first) return nf_no_memory(err, n * sizeof *w->tasks);
    for (size_t i = 0; i < w->corpus->n_documents; i++) {
        const nf_document *d = &w->corpus->documents[i];
        for (uint32_t pass = 0; pass < self->passes; pass++) {
            nf_chunk chunk = {0};
            while ((chunk = next_chunk(d, chunk, self->max_chars)).size)
                for (size_t l = 0; l < n_labels; l++)
                    w->tasks[w->n_tasks++] = (llm_task){
                        (uint32_t)i, pass, self->one_label_at_a_time ? (int32_t)l : -1, chunk};
        }
        w->first[i + 1] = w->n_tasks;
    }
    return NERFIT_OK;
}

/* Passes but the first show the labels in an order of their own. */
static nerfit_status llm_make_orders(llm_work *w, nerfit_error *err) {
    enum { STREAM_ORDER = 131 };
    size_t n = w->labels->count;
    w->orders = nf_arena_calloc(&w->arena, w->self->passes + 1, sizeof *w->orders);
    if (!w->orders) return nf_no_memory(err, 0);
    nf_rng rng = nf_rng_new(w->self->seed, STREAM_ORDER);
    for (size_t pass = 1; pass < w->self->passes; pass++) {
        w->orders[pass] = nf_arena_calloc(&w->arena, n + 1, sizeof **w->orders);
        if (!w->orders[pass]) return nf_no_memory(err, n);
        for (size_t i = 0; i < n; i++) w->orders[pass][i] = (uint32_t)i;
        nf_rng_shuffle(&rng, w->orders[pass], n);
    }
    return NERFIT_OK;
}

static nerfit_status llm_question(void *owner, size_t i, nf_str *text, nf_str *schema,
                                  nf_llm_question *q, uint32_t *pass, nerfit_error *err) {
    enum { MOST_SHOTS = 32 };
    const llm_work *w = owner;
    const nf_llm_annotator *self = w->self;
    const llm_task *task = &w->tasks[i];
    const nf_document *examples[MOST_SHOTS];
    size_t n = 0;
    for (size_t k = 0; k < self->shots && k < MOST_SHOTS && self->shown; k++) {
        uint32_t of = self->shown[task->text * self->shots + k];
        if (of < self->examples->n_documents) examples[n++] = &self->examples->documents[of];
    }
    const nf_prompt prompt = {.labels = w->labels,
                              .only = task->label,
                              .open = self->open,
                              .order = w->orders[task->pass],
                              .examples = examples,
                              .n_examples = n};
    const nf_document *d = &w->corpus->documents[task->text];
    nf_prompt_question(text, &prompt, d->text + task->chunk.byte, task->chunk.size);
    nf_prompt_schema(schema, &prompt);
    if (text->failed || schema->failed) return nf_no_memory(err, 0);
    *q = (nf_llm_question){.system = nf_prompt_system,
                           .text = nf_str_text(text),
                           .schema = nf_str_text(schema),
                           .warm = true,
                           .temperature = self->passes > 1 ? 0.7 : 0.0};
    *pass = task->pass;
    return NERFIT_OK;
}

static const nf_answer_labels *llm_known_labels(const llm_work *w) {
    return w->self->open ? NULL : &w->known;
}

/* The one label that a question is about; -1: there are several. */
static int32_t llm_only_label(const llm_work *w, const llm_task *task) {
    if (task->label >= 0 || w->self->open) return task->label;
    return w->labels->count == 1 ? 0 : -1;
}

static bool llm_readable(void *owner, size_t i, const char *text, bool truncated) {
    const llm_work *w = owner;
    nf_arena arena = {0};
    nf_answer answer;
    bool no_memory;
    bool bare = llm_only_label(w, &w->tasks[i]) >= 0;
    bool read = nf_answer_read(&answer, text, llm_known_labels(w), bare, &arena, &no_memory);
    if (read && (truncated || answer.truncated) && answer.count == 0) read = false;
    nf_arena_free(&arena);
    return read || no_memory; /* that is told where it is read again */
}

static nerfit_status llm_begin(llm_work *w, nerfit_error *err) {
    nf_llm_annotator *self = w->self;
    if (self->passes == 0) self->passes = 1;
    if (self->max_chars == 0) self->max_chars = 2000;
    NF_TRY(nf_answer_labels_make(&w->known, w->labels, err));
    NF_TRY(llm_make_orders(w, err));
    NF_TRY(llm_make_tasks(w, err));
    w->asking = (nf_asking){.llm = self->llm,
                            .cache = self->cache,
                            .n_questions = w->n_tasks,
                            .concurrency = self->concurrency,
                            .budget = self->budget,
                            .price_in = self->price_in,
                            .price_out = self->price_out,
                            .log = self->log,
                            .go_on = self->go_on,
                            .user = self->user,
                            .question = llm_question,
                            .readable = llm_readable,
                            .owner = w};
    return NERFIT_OK;
}

static void llm_end(llm_work *w) {
    nf_answer_labels_free(&w->known);
    nf_arena_free(&w->arena);
}

void nf_llm_annotator_forget(nf_llm_annotator *self) {
    for (size_t i = 0; i < self->n_asked; i++) {
        free(self->asked[i].text);
        free(self->asked[i].failure);
    }
    free(self->asked);
    self->asked = NULL;
    self->n_asked = 0;
}

/* Asks, unless answers wait. */
static nerfit_status llm_ask(llm_work *w, nerfit_error *err) {
    nf_llm_annotator *self = w->self;
    if (!self->asked) {
        self->asked = calloc(w->n_tasks + 1, sizeof *self->asked);
        if (!self->asked) return nf_no_memory(err, w->n_tasks * sizeof *self->asked);
        self->n_asked = w->n_tasks;
        NF_TRY(nf_asking_run(&w->asking, self->asked, &self->totals, err));
    }
    nf_assert(self->n_asked == w->n_tasks);
    return NERFIT_OK;
}

nerfit_status nf_llm_annotator_ask(nf_llm_annotator *self, const nf_corpus *corpus,
                                   const nf_job_labels *labels, nerfit_error *err) {
    llm_work w = {.self = self, .corpus = corpus, .labels = labels};
    nf_llm_annotator_forget(self);
    nerfit_status status = llm_begin(&w, err);
    if (status == NERFIT_OK) status = llm_ask(&w, err);
    llm_end(&w);
    return status;
}

nerfit_status nf_llm_annotator_see_types(nf_open_types *types, nf_llm_annotator *self,
                                         nerfit_error *err) {
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < self->n_asked && status == NERFIT_OK; i++) {
        nf_arena arena = {0};
        nf_answer answer = {0};
        bool no_memory = false, taken;
        const char *text = self->asked[i].text;
        if (text && !nf_answer_read(&answer, text, NULL, false, &arena, &no_memory))
            status = nf_no_memory(err, strlen(text)); /* it was readable before */
        for (size_t k = 0; k < answer.count && status == NERFIT_OK; k++)
            status =
                nf_open_types_see(types, answer.items[k].label, answer.items[k].about, &taken, err);
        nf_arena_free(&arena);
    }
    return status;
}

nerfit_status nf_llm_first_question(nf_str *out, nf_llm_annotator *self, const nf_corpus *corpus,
                                    const nf_job_labels *labels, nerfit_error *err) {
    llm_work w = {.self = self, .corpus = corpus, .labels = labels};
    nf_str text = {0}, schema = {0};
    nf_llm_question q = {0};
    uint32_t pass;
    nerfit_status status = llm_begin(&w, err);
    if (status == NERFIT_OK && w.n_tasks == 0)
        status = nf_fail(err, NERFIT_ARGUMENT, "there is no text to ask about");
    if (status == NERFIT_OK) status = llm_question(&w, 0, &text, &schema, &q, &pass, err);
    if (status == NERFIT_OK)
        nf_str_appendf(out, "%s\n\n%s\n", nf_prompt_system, nf_str_text(&text));
    if (status == NERFIT_OK && out->failed) status = nf_no_memory(err, 0);
    nf_str_free(&text);
    nf_str_free(&schema);
    llm_end(&w);
    return status;
}

nerfit_status nf_llm_annotator_estimate(nf_asking_estimate *out, nf_llm_annotator *self,
                                        const nf_corpus *corpus, const nf_job_labels *labels,
                                        nerfit_error *err) {
    llm_work w = {.self = self, .corpus = corpus, .labels = labels};
    nerfit_status status = llm_begin(&w, err);
    if (status == NERFIT_OK) status = nf_asking_estimate_make(out, &w.asking, err);
    llm_end(&w);
    return status;
}

/* ---------------------------------------------------------------- answers */

static double score_of(nf_annotate_count how) {
    return how == NF_COUNT_FUZZY || how == NF_COUNT_REPEATED ? 0.75 : 1.0;
}

static nerfit_status llm_note_dropped(llm_work *w, const llm_task *task, const char *answer,
                                      const char *label, nf_annotate_count why, nerfit_error *err) {
    nf_llm_annotator *self = w->self;
    const nf_document *d = &w->corpus->documents[task->text];
    self->counts[why]++;
    if (!self->dropped && !(self->dropped = json_array())) return nf_no_memory(err, 0);
    if (json_array_size(self->dropped) >= NF_LLM_DROPPED) return NERFIT_OK;
    json_t *row = json_pack("{s:s, s:I, s:s, s:s, s:s}", "file", d->file ? d->file : "", "line",
                            (json_int_t)d->line, "answer", answer, "label", label ? label : "",
                            "why", nf_annotate_count_text(why));
    return json_array_append_new(self->dropped, row) == 0 ? NERFIT_OK : nf_no_memory(err, 0);
}

/* An opinion that grows. */
typedef struct growing_opinion {
    nf_opinion *opinion;
    nf_arena *arena;
} growing_opinion;

static nerfit_status opinion_add(nf_entity **spans, size_t *n, nf_entity span, nf_arena *arena,
                                 nerfit_error *err) {
    if ((*n & (*n - 1)) == 0) { /* 0, 1, 2, 4, 8 ...: the room doubles */
        nf_entity *grown = nf_arena_calloc(arena, *n ? 2 * *n : 1, sizeof *grown);
        if (!grown) return nf_no_memory(err, *n * sizeof *grown);
        if (*n) memcpy(grown, *spans, *n * sizeof *grown);
        *spans = grown;
    }
    (*spans)[(*n)++] = span;
    return NERFIT_OK;
}

/* The label of an answer: of a list of texts alone it is the one that was asked for. */
static int32_t llm_label(const llm_work *w, const llm_task *task, const nf_answer_item *item,
                         nf_arena *arena) {
    if (w->self->open) return nf_open_types_label(w->self->types, item->label, arena);
    if (!item->label) return llm_only_label(w, task);
    int32_t label = nf_answer_label(&w->known, item->label, arena);
    return task->label >= 0 && label != task->label ? -1 : label;
}

/* Behind what a cut answer reached nothing is known. */
static nerfit_status llm_note_cut(const llm_work *w, const llm_task *task, uint32_t last,
                                  growing_opinion *out, nerfit_error *err) {
    const nf_document *d = &w->corpus->documents[task->text];
    uint32_t end =
        task->chunk.start + (uint32_t)nf_utf8_count(d->text + task->chunk.byte, task->chunk.size);
    if (last >= end) return NERFIT_OK;
    return opinion_add(&out->opinion->unsure, &out->opinion->n_unsure,
                       (nf_entity){last, end, task->label < 0 ? 0 : task->label, 0}, out->arena,
                       err);
}

/* Answers that a label fits, and their places, into the opinion. */
static nerfit_status llm_place(llm_work *w, const llm_task *task, nf_aligned *answers, size_t n,
                               growing_opinion *out, uint32_t *last, nf_arena *arena,
                               nerfit_error *err) {
    const nf_document *d = &w->corpus->documents[task->text];
    nf_align_text text;
    nf_aligned *more;
    size_t n_more;
    NF_TRY(nf_align_text_make(&text, d->text + task->chunk.byte, task->chunk.size, arena, err));
    NF_TRY(nf_align(&text, answers, n, &w->self->align, &more, &n_more, arena, err));
    for (size_t i = 0; i < n + n_more; i++) {
        const nf_aligned *a = i < n ? &answers[i] : &more[i - n];
        if (a->how > NF_COUNT_REPEATED) {
            NF_TRY(llm_note_dropped(w, task, a->text, w->labels->names[a->label], a->how, err));
            continue;
        }
        w->self->counts[a->how]++;
        nf_entity e = {task->chunk.start + a->start, task->chunk.start + a->end, a->label,
                       score_of(a->how)};
        if (i < n && e.end > *last) *last = e.end;
        NF_TRY(opinion_add(&out->opinion->spans, &out->opinion->n_spans, e, out->arena, err));
    }
    return NERFIT_OK;
}

static nerfit_status llm_read(llm_work *w, size_t index, growing_opinion *out, nf_arena *arena,
                              nerfit_error *err) {
    const llm_task *task = &w->tasks[index];
    const nf_asked *asked = &w->self->asked[index];
    nf_answer answer;
    bool no_memory;
    bool bare = llm_only_label(w, task) >= 0;
    if (!nf_answer_read(&answer, asked->text, llm_known_labels(w), bare, arena, &no_memory))
        return nf_no_memory(err, strlen(asked->text)); /* it was readable before */
    nf_aligned *answers = nf_arena_calloc(arena, answer.count + 1, sizeof *answers);
    if (!answers) return nf_no_memory(err, answer.count * sizeof *answers);
    size_t n = 0;
    for (size_t i = 0; i < answer.count; i++) {
        const nf_answer_item *item = &answer.items[i];
        int32_t label = llm_label(w, task, item, arena);
        if (label < 0)
            NF_TRY(llm_note_dropped(w, task, item->text, item->label,
                                    w->self->open ? NF_COUNT_TYPE : NF_COUNT_LABEL, err));
        else
            answers[n++] = (nf_aligned){.text = item->text, .label = label};
    }
    uint32_t last = task->chunk.start;
    NF_TRY(llm_place(w, task, answers, n, out, &last, arena, err));
    return asked->truncated || answer.truncated ? llm_note_cut(w, task, last, out, err) : NERFIT_OK;
}

/* ---------------------------------------------------------------- passes */

static int longest_first(const void *a, const void *b) {
    const nf_entity *x = a, *y = b;
    uint32_t n = x->end - x->start, m = y->end - y->start;
    if (n != m) return n > m ? -1 : 1;
    if (x->type != y->type) return x->type < y->type ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Labels asked one by one may be found in the same place: the longest stays, then the first label. */
static nerfit_status llm_drop_overlaps(llm_work *w, uint32_t length, nf_opinion *o, nf_arena *arena,
                                       nerfit_error *err) {
    nf_places places;
    size_t kept = 0;
    NF_TRY(nf_places_make(&places, length, false, arena, err));
    if (o->n_spans) qsort(o->spans, o->n_spans, sizeof *o->spans, longest_first);
    for (size_t i = 0; i < o->n_spans; i++) {
        if (nf_places_has(&places, &o->spans[i])) continue;
        NF_TRY(nf_places_take(&places, &o->spans[i], err));
        o->spans[kept++] = o->spans[i];
    }
    w->self->counts[NF_COUNT_OVERLAP] += o->n_spans - kept;
    o->n_spans = kept;
    return NERFIT_OK;
}

/* What one pass says of a text: tasks from .. to-1. */
static nerfit_status llm_pass(llm_work *w, size_t from, size_t to, nf_opinion *out, nf_arena *arena,
                              nerfit_error *err) {
    const nf_document *d = &w->corpus->documents[w->tasks[from].text];
    growing_opinion growing = {out, arena};
    const char *failure = NULL;
    size_t failed = 0;
    *out = (nf_opinion){.given = true};
    if (w->self->one_label_at_a_time) {
        out->asked = nf_arena_calloc(arena, w->labels->count + 1, sizeof *out->asked);
        if (!out->asked) return nf_no_memory(err, w->labels->count);
        memset(out->asked, true, w->labels->count * sizeof *out->asked);
    }
    for (size_t i = from; i < to; i++) {
        if (w->self->asked[i].text) continue;
        failure = w->self->asked[i].failure ? w->self->asked[i].failure : "not asked";
        failed++;
        if (out->asked) out->asked[w->tasks[i].label] = false;
    }
    if (failed && (!out->asked || failed == to - from)) {
        *out = (nf_opinion){.failure = nf_arena_strdup(arena, failure)};
        return out->failure ? NERFIT_OK : nf_no_memory(err, strlen(failure));
    }
    for (size_t i = from; i < to; i++) {
        nf_arena scratch = {0};
        bool wanted = !out->asked || out->asked[w->tasks[i].label];
        nerfit_status status = wanted ? llm_read(w, i, &growing, &scratch, err) : NERFIT_OK;
        nf_arena_free(&scratch);
        if (status != NERFIT_OK) return status;
    }
    if (!out->asked || w->self->align.nested) return NERFIT_OK;
    return llm_drop_overlaps(w, d->length, out, arena, err);
}

/* Passes that vote become one opinion; what they do not agree on is unsure. */
static nerfit_status llm_vote(const llm_work *w, nf_opinion *passes, nf_opinion *out,
                              nf_arena *arena, nerfit_error *err) {
    const nf_opinion *list[NF_MOST_OPINIONS];
    size_t n = 0;
    for (size_t k = 0; k < w->self->passes && n < NF_MOST_OPINIONS; k++)
        if (passes[k].given) list[n++] = &passes[k];
    *out = n ? *list[0] : passes[0];
    if (n == 0 || (n == 1 && w->self->vote < 2)) return NERFIT_OK;
    nf_merged merged;
    NF_TRY(nf_merge(&merged, list, n, w->labels->count, w->self->vote, w->self->align.nested, arena,
                    err));
    *out = (nf_opinion){.given = true, .asked = merged.asked};
    out->spans = nf_arena_calloc(arena, merged.n_spans + 1, sizeof *out->spans);
    if (!out->spans) return nf_no_memory(err, merged.n_spans);
    for (size_t i = 0; i < merged.n_spans; i++) {
        if (merged.spans[i].accepted)
            out->spans[out->n_spans++] = merged.spans[i].span;
        else
            NF_TRY(opinion_add(&out->unsure, &out->n_unsure, merged.spans[i].span, arena, err));
    }
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < list[k]->n_unsure; i++)
            NF_TRY(opinion_add(&out->unsure, &out->n_unsure, list[k]->unsure[i], arena, err));
    return NERFIT_OK;
}

static nerfit_status llm_text(llm_work *w, size_t text, nf_opinion *out, nf_arena *arena,
                              nerfit_error *err) {
    size_t from = w->first[text], n = w->first[text + 1] - from, passes = w->self->passes;
    *out = (nf_opinion){.given = true}; /* a blank text needs no question */
    if (n == 0) return NERFIT_OK;
    nf_opinion *of = nf_arena_calloc(arena, passes, sizeof *of);
    if (!of) return nf_no_memory(err, passes * sizeof *of);
    for (size_t k = 0; k < passes; k++)
        NF_TRY(llm_pass(w, from + k * (n / passes), from + (k + 1) * (n / passes), &of[k], arena,
                        err));
    return llm_vote(w, of, out, arena, err);
}

nerfit_status nf_annotate_by_llm(void *self, const nf_corpus *corpus, const nf_job_labels *labels,
                                 nf_opinion *opinions, nf_arena *arena, nerfit_error *err) {
    llm_work w = {.self = self, .corpus = corpus, .labels = labels};
    nerfit_status status = llm_begin(&w, err);
    if (status == NERFIT_OK) status = llm_ask(&w, err);
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++)
        status = llm_text(&w, i, &opinions[i], arena, err);
    nf_llm_annotator_forget(w.self);
    llm_end(&w);
    return status;
}
