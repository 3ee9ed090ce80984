/* What stands on the encoder of a GLiNER model as a row of the heads' table: a batch's examples carry
 * their prompts (struct nf_prompted), the rest is the pass of gliner_pass.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "labels/span_choice.h"
#include "model/gliner_decode.h"
#include "model/gliner_pass.h"

typedef struct gliner_head {
    nf_head head;
    const nf_model *model;
    nf_gliner_loss loss;
} gliner_head;

/* What is kept of a batch. */
typedef struct gliner_step {
    nf_gliner_run run;
    nf_gliner_lesson lesson;
    nf_gliner_text *texts;
    nf_gliner_golds *golds;
} gliner_step;

static const gliner_head *head_of(const nf_head *head) {
    return (const gliner_head *)head;
}

/* What the mean of a text's loss divides by: spans, or words times labels. */
static double counted_of(const nf_gliner *gliner, const nf_gliner_text *text) {
    size_t n = text->n_words, k = gliner->config.max_width;
    if (gliner->token) return (double)(n * text->n_labels);
    size_t whole = n > k ? n - k : 0, rest = n - whole; /* words that begin k spans, and fewer */
    return (double)(whole * k + rest * (rest + 1) / 2);
}

static double gliner_measure(const nf_head *base, const nf_example *const *texts, size_t count) {
    const gliner_head *head = head_of(base);
    double counted = 0.0;
    for (size_t s = 0; s < count; s++)
        counted += nf_gliner_weight(&texts[s]->prompted->golds) *
                   counted_of(head->model->gliner, &texts[s]->prompted->text);
    return counted;
}

static bool gliner_reads_layers(const nf_head *head) {
    return head_of(head)->model->gliner->fuser != NULL;
}

/* A bi-encoder's labels of the whole batch, each once, and where each text has its own. */
static nerfit_status gather_labels(gliner_step *own, nf_head_step *step, nerfit_error *err) {
    size_t most = 0, n = 0;
    for (size_t s = 0; s < step->batch->count; s++) most += own->texts[s].n_labels;
    nf_tokens *labels = nf_arena_calloc(step->arena, most + 1, sizeof *labels);
    int32_t *rows = nf_arena_alloc(step->arena, most * sizeof *rows + 1);
    const float **means = nf_arena_alloc(step->arena, most * sizeof *means + 1);
    bool known = true;
    if (!labels || !rows || !means) return nf_no_memory(err, most * sizeof *labels);
    for (size_t s = 0; s < step->batch->count; s++) {
        const nf_tokens *tokens = step->batch->texts[s]->prompted->label_tokens;
        const float *const *of = step->batch->texts[s]->prompted->label_means;
        known = known && of;
        own->texts[s].label_rows = rows;
        for (size_t c = 0; c < own->texts[s].n_labels; c++) {
            size_t k = 0;
            while (k < n && labels[k].ids != tokens[c].ids) k++;
            if (k == n && known) means[n] = of[c];
            if (k == n) labels[n++] = tokens[c];
            *rows++ = (int32_t)k;
        }
    }
    own->lesson.labels = labels;
    own->lesson.means = known ? means : NULL;
    own->lesson.n_labels = n;
    return NERFIT_OK;
}

static nerfit_status gliner_prepare(const nf_head *base, const nf_pass *pass, nf_head_step *step,
                                    nerfit_error *err) {
    const gliner_head *head = head_of(base);
    const nf_head_batch *batch = step->batch;
    gliner_step *own = nf_arena_calloc(step->arena, 1, sizeof *own);
    if (!own) return nf_no_memory(err, sizeof *own);
    own->texts = nf_arena_calloc(step->arena, batch->count, sizeof *own->texts);
    own->golds = nf_arena_calloc(step->arena, batch->count, sizeof *own->golds);
    if (!own->texts || !own->golds) return nf_no_memory(err, batch->count * sizeof *own->texts);
    for (size_t s = 0; s < batch->count; s++) {
        own->texts[s] = batch->texts[s]->prompted->text;
        own->golds[s] = batch->texts[s]->prompted->golds;
    }
    own->lesson = (nf_gliner_lesson){.golds = own->golds,
                                     .loss = &head->loss,
                                     .divisor = head->loss.mean ? batch->whole.counted : 1.0,
                                     .grad_scale = batch->grad_scale};
    if (head->model->gliner->config.labels_encoder) NF_TRY(gather_labels(own, step, err));
    nf_gliner_run_begin(&own->run, head->model, pass, own->texts, batch->count, step->arena);
    step->own = own;
    step->n = own->run.n_words;
    return NERFIT_OK;
}

static nerfit_status learn(nf_gliner_run *run) {
    size_t d = run->gliner->config.size;
    NF_TRY(nf_gliner_represent(run));
    if (nf_gliner_keeps(run)) {
        run->dh = nf_gliner_zeros(run->pass, run->n_words * d);
        run->dq = nf_gliner_zeros(run->pass, run->n_labels * d);
        if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    }
    return run->gliner->token ? nf_gliner_word_learn(run) : nf_gliner_span_learn(run);
}

static nerfit_status gliner_loss(const nf_head *base, const nf_pass *pass, nf_head_step *step,
                                 const nf_values *x, double *loss, nerfit_error *err) {
    gliner_step *own = step->own;
    own->run.pass = pass;
    own->run.hidden = x;
    own->run.layers = step->layers;
    own->run.lesson = &own->lesson;
    if (learn(&own->run) != NERFIT_OK) return nf_no_memory(err, 0);
    *loss = own->run.loss;
    return nf_network_check_pass(base->net, pass->be, err);
}

static nerfit_status gliner_gradient(const nf_head *base, const nf_pass *pass, nf_head_step *step,
                                     nf_values *dx, nerfit_error *err) {
    gliner_step *own = step->own;
    (void)pass;
    if (nf_gliner_represent_backward(&own->run, dx, step->dlayers) != NERFIT_OK)
        return nf_no_memory(err, 0);
    return nf_network_check_pass(base->net, own->run.pass->be, err);
}

/* ---------------------------------------------------------------- evaluation */

/* The text's spans above the package's threshold, the best first, none of which share a word. */
static nerfit_status choose_spans(const gliner_step *own, size_t s, nf_span_list *spans,
                                  nf_arena *arena, nerfit_error *err) {
    const nf_gliner_text *text = &own->texts[s];
    const nf_gliner_logits *logits = &own->run.logits[s];
    const nf_word_window whole = {.start = 0, .end = text->n_words};
    const nf_gliner_window window = {&whole, 1, 0, logits, text->n_labels};
    double *thresholds = nf_arena_alloc(arena, text->n_labels * sizeof *thresholds + 1);
    if (!thresholds) return nf_no_memory(err, text->n_labels * sizeof *thresholds);
    for (size_t c = 0; c < text->n_labels; c++) thresholds[c] = own->run.threshold;
    spans->count = 0;
    NF_TRY(nf_gliner_scores_words(own->run.gliner)
               ? nf_gliner_add_word_spans(spans, logits->values, text->n_words, text->n_labels,
                                          thresholds, err)
               : nf_gliner_add_spans(spans, own->run.gliner, &window, thresholds, err));
    return nf_spans_choose(spans->items, &spans->count, text->n_words, &(nf_span_rules){0}, err);
}

/* Units are words; one is right if it is in no entity, or in one with the same first word and type. */
static void count_units(nf_head_found *found, size_t n_words) {
    found->n_units = n_words;
    size_t g = 0, e = 0;
    for (uint32_t w = 0; w < n_words; w++) {
        while (g < found->n_gold && found->gold[g].end <= w) g++;
        while (e < found->n_entities && found->entities[e].end <= w) e++;
        bool in_gold = g < found->n_gold && found->gold[g].start <= w;
        bool in_found = e < found->n_entities && found->entities[e].start <= w;
        found->n_correct +=
            in_gold == in_found &&
            (!in_gold || (found->gold[g].type == found->entities[e].type &&
                          (found->gold[g].start == w) == (found->entities[e].start == w)));
    }
}

static int by_start(const void *a, const void *b) {
    const nf_entity *x = a, *y = b;
    return x->start != y->start ? (x->start > y->start) - (x->start < y->start)
                                : (x->end > y->end) - (x->end < y->end);
}

static nerfit_status find_entities(const gliner_step *own, nf_head_step *step, size_t s,
                                   nf_span_list *spans, nf_head_found *found, nerfit_error *err) {
    const struct nf_prompted *prompted = step->batch->texts[s]->prompted;
    size_t n_gold = prompted->golds.count;
    NF_TRY(choose_spans(own, s, spans, step->arena, err));
    nf_entity *gold = nf_arena_calloc(step->arena, n_gold + 1, sizeof *gold);
    nf_entity *entities = nf_arena_calloc(step->arena, spans->count + 1, sizeof *entities);
    if (!gold || !entities) return nf_no_memory(err, spans->count * sizeof *entities);
    for (size_t i = 0; i < n_gold; i++) {
        gold[i] = prompted->golds.items[i];
        gold[i].type = prompted->types[gold[i].type];
    }
    for (size_t i = 0; i < spans->count; i++) {
        entities[i] = spans->items[i];
        entities[i].type = prompted->types[entities[i].type];
    }
    if (n_gold) qsort(gold, n_gold, sizeof *gold, by_start);
    if (spans->count) qsort(entities, spans->count, sizeof *entities, by_start);
    *found = (nf_head_found){
        .gold = gold, .entities = entities, .n_gold = n_gold, .n_entities = spans->count};
    count_units(found, own->texts[s].n_words);
    return NERFIT_OK;
}

static nerfit_status gliner_decode(const nf_head *base, const nf_pass *pass, nf_head_step *step,
                                   nf_head_found *found, nerfit_error *err) {
    gliner_step *own = step->own;
    nf_span_list spans = {0};
    own->run.lesson = NULL;
    own->run.threshold = NF_GLINER_THRESHOLD;
    own->run.logits = nf_arena_calloc(step->arena, step->batch->count, sizeof *own->run.logits);
    if (!own->run.logits || nf_gliner_run_logits(&own->run) != NERFIT_OK)
        return nf_no_memory(err, 0);
    nerfit_status status = nf_network_check_pass(base->net, pass->be, err);
    for (size_t s = 0; s < step->batch->count && status == NERFIT_OK; s++)
        status = find_entities(own, step, s, &spans, &found[s], err);
    nf_span_list_free(&spans);
    return status;
}

/* ---------------------------------------------------------------- the row */

static const nf_head_kind gliner_kind = {.name = "span scoring",
                                         .measure = gliner_measure,
                                         .reads_layers = gliner_reads_layers,
                                         .prepare = gliner_prepare,
                                         .loss = gliner_loss,
                                         .gradient = gliner_gradient,
                                         .decode = gliner_decode};

nf_head *nf_gliner_head_new(nf_model *model) {
    gliner_head *head = nf_arena_calloc(&model->net.arena, 1, sizeof *head);
    if (!head) return NULL;
    *head = (gliner_head){
        .head = {.kind = &gliner_kind, .net = &model->net, .hidden = model->encoder.hidden},
        .model = model,
        .loss = {.alpha = -1.0, .negatives = 1.0}};
    return &head->head;
}

nf_gliner_loss *nf_gliner_head_loss(nf_head *head) {
    return &((gliner_head *)head)->loss;
}
