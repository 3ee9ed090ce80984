/* Prompts: which labels a text is asked for, and as what. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/rng.h"
#include "train/prompter.h"

enum { STREAM_PROMPTS = 0x50524F4D, STREAM_REHEARSED = 0x52454853 };
enum { LEAST_ROOM = 16, TEXTS_AT_ONCE = 64 };

/* ---------------------------------------------------------------- labels */

/* The room behind a prompt of the texts that there are, with the limit that the caller sets. */
static nerfit_status room_behind(const nf_prompter *p, const char *const *labels, size_t n,
                                 size_t max_length, size_t *room, nerfit_error *err) {
    nf_gliner_prompt prompt;
    NF_TRY(nf_gliner_prompt_make(&prompt, p->model, labels, n, err));
    nerfit_status status = nf_gliner_prompt_room(&prompt, p->model, room, err);
    size_t taken = prompt.length + prompt.n_after;
    nf_gliner_prompt_free(&prompt);
    NF_TRY(status);
    if (max_length && max_length <= taken + LEAST_ROOM)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "max_length %zu leaves no room for text behind a prompt of %zu tokens",
                       max_length, taken);
    if (max_length && max_length - taken < *room) *room = max_length - taken;
    return NERFIT_OK;
}

nerfit_status nf_prompter_new(nf_prompter **out, const nf_model *model, size_t max_length,
                              nerfit_error *err) {
    *out = NULL;
    nf_prompter *p = calloc(1, sizeof *p);
    if (!p) return nf_no_memory(err, sizeof *p);
    const json_t *most = json_object_get(model->gliner->json, "max_types");
    *p = (nf_prompter){.model = model,
                       .most = json_is_integer(most) && json_integer_value(most) > 0
                                   ? (size_t)json_integer_value(most)
                                   : 25,
                       .scratch = nf_tokenizer_scratch_new()};
    nerfit_status status = p->scratch ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = room_behind(p, NULL, 0, max_length, &p->free_room, err);
    if (status == NERFIT_OK)
        *out = p;
    else
        nf_prompter_free(p);
    return status;
}

void nf_prompter_free(nf_prompter *p) {
    if (!p) return;
    for (size_t k = 0; k < p->n_sets; k++) {
        for (size_t i = 0; i < p->sets[k]->n_texts && p->sets[k]->encodings; i++)
            nf_encoding_free(&p->sets[k]->encodings[i]);
        free(p->sets[k]->means);
    }
    free(p->sets);
    nf_workspace_free(p->ws);
    nf_tokenizer_scratch_free(p->scratch);
    nf_arena_free(&p->step);
    nf_arena_free(&p->arena);
    free(p);
}

/* Fills the texts' list. */
static nerfit_status list_texts(nf_prompter *p, nf_prompt_set *set, nerfit_error *err) {
    size_t n = set->labels->n_types, at = 0;
    for (size_t i = 0; i < n; i++) set->n_texts += nf_called_count(&set->called[i]);
    set->firsts = nf_arena_alloc(&p->arena, n * sizeof *set->firsts + 1);
    set->texts = nf_arena_alloc(&p->arena, set->n_texts * sizeof *set->texts + 1);
    if (!set->firsts || !set->texts) return nf_no_memory(err, set->n_texts * sizeof *set->texts);
    for (size_t i = 0; i < n; i++) {
        set->firsts[i] = at;
        for (size_t k = 0; k < nf_called_count(&set->called[i]); k++)
            set->texts[at++] = set->called[i].texts[k];
    }
    return NERFIT_OK;
}

/* What each text takes in a prompt, or what a bi-encoder reads of it. */
static nerfit_status encode_texts(nf_prompter *p, nf_prompt_set *set, nerfit_error *err) {
    const nf_gliner *g = p->model->gliner;
    const nf_tokenizer *tokenizer = g->labels_tokenizer ? g->labels_tokenizer : p->model->tokenizer;
    size_t n = set->n_texts;
    bool bi = g->labels_tokenizer;
    nf_encoding one = {0};
    set->lengths = nf_arena_calloc(&p->arena, n + 1, sizeof *set->lengths);
    if (bi) set->encodings = nf_arena_calloc(&p->arena, n + 1, sizeof *set->encodings);
    if (bi) set->tokens = nf_arena_calloc(&p->arena, n + 1, sizeof *set->tokens);
    if (!set->lengths || (bi && (!set->encodings || !set->tokens)))
        return nf_no_memory(err, n * sizeof *set->encodings);
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
        nf_encoding *e = bi ? &set->encodings[i] : &one;
        status = nf_tokenizer_encode(tokenizer, set->texts[i], strlen(set->texts[i]), bi, e, err);
        if (bi)
            set->tokens[i] = (nf_tokens){.ids = e->ids, .length = e->length};
        else
            set->lengths[i] = e->length + 1;
    }
    nf_encoding_free(&one);
    return status;
}

/* Of the longest text of each type. */
static size_t longest_prompt(const nf_prompt_set *set) {
    size_t sum = 0;
    for (size_t i = 0; i < set->labels->n_types; i++) {
        size_t longest = 0, first = set->firsts[i];
        for (size_t k = 0; k < nf_called_count(&set->called[i]); k++)
            if (set->lengths[first + k] > longest) longest = set->lengths[first + k];
        sum += longest;
    }
    return sum;
}

static nerfit_status find_room(const nf_prompter *p, nf_prompt_set *set, nerfit_error *err) {
    size_t n = set->labels->n_types, all = 0, most = longest_prompt(set);
    for (size_t i = 0; i < n; i++) all += set->lengths[set->firsts[i]];
    if (set->evaluated && all + LEAST_ROOM > p->free_room)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "%zu labels take %zu of the %zu sub-words that there are for them and a "
                       "text, which leaves no room for text",
                       n, all, p->free_room);
    set->budget = set->evaluated ? all : most < p->free_room / 2 ? most : p->free_room / 2;
    set->room = p->free_room - set->budget;
    for (size_t i = 0; i < n; i++)
        if (set->lengths[set->firsts[i]] > set->budget)
            return nf_fail(err, NERFIT_ARGUMENT,
                           "label \"%s\" takes %zu sub-words of a prompt, of which there are %zu",
                           set->texts[set->firsts[i]], set->lengths[set->firsts[i]], set->budget);
    return NERFIT_OK;
}

/* The first texts of all types, which must be as those of a call. */
static nerfit_status check_first_texts(const nf_prompter *p, const nf_prompt_set *set,
                                       nerfit_error *err) {
    size_t n = set->labels->n_types;
    const char **texts = malloc(n * sizeof *texts + 1);
    nf_gliner_prompt prompt;
    if (!texts) return nf_no_memory(err, n * sizeof *texts);
    for (size_t i = 0; i < n; i++) texts[i] = set->texts[set->firsts[i]];
    nerfit_status status = nf_gliner_prompt_make(&prompt, p->model, texts, n, err);
    if (status == NERFIT_OK) nf_gliner_prompt_free(&prompt);
    free(texts);
    return status;
}

/* Room for the vectors of texts, if they stay as they are. */
static nerfit_status reserve_means(nf_prompter *p, nf_prompt_set *set, nerfit_error *err) {
    size_t bytes = set->n_texts * p->model->gliner->labels_encoder.hidden * sizeof *set->means;
    if (!nf_gliner_knows_labels(p->model)) return NERFIT_OK;
    set->known = nf_arena_calloc(&p->arena, set->n_texts / TEXTS_AT_ONCE + 1, sizeof *set->known);
    set->means = malloc(bytes + 1);
    return set->known && set->means ? NERFIT_OK : nf_no_memory(err, bytes);
}

nerfit_status nf_prompter_add(nf_prompter *p, const nf_label_set *labels, const nf_called *called,
                              bool evaluated, nerfit_error *err) {
    if (!nf_array_resize(&p->sets, p->n_sets + 1, sizeof *p->sets)) return nf_no_memory(err, 0);
    nf_prompt_set *set = nf_arena_calloc(&p->arena, 1, sizeof *set);
    if (!set) return nf_no_memory(err, sizeof *set);
    *set = (nf_prompt_set){.labels = labels, .called = called, .evaluated = evaluated};
    p->sets[p->n_sets++] = set;
    NF_TRY(list_texts(p, set, err));
    NF_TRY(encode_texts(p, set, err));
    NF_TRY(check_first_texts(p, set, err));
    NF_TRY(find_room(p, set, err));
    return reserve_means(p, set, err);
}

/* ---------------------------------------------------------------- labels that are not trained */

static nerfit_status know_group(const nf_prompter *p, const nf_prompt_set *set, size_t group,
                                nerfit_error *err) {
    size_t first = group * TEXTS_AT_ONCE, n = set->n_texts - first;
    if (n > TEXTS_AT_ONCE) n = TEXTS_AT_ONCE;
    nf_pass pass = {.be = p->model->net.be, .ws = p->ws};
    nf_workspace_reset(p->ws);
    return nf_gliner_label_means(p->model, &pass, set->tokens + first, n,
                                 set->means + first * p->model->gliner->labels_encoder.hidden, err);
}

/* Texts are encoded in groups that are always the same, so that a run that resumes has the same bits. */
static nerfit_status know_texts(const nf_prompter *p, const nf_prompt_set *set, const size_t *texts,
                                size_t n, nerfit_error *err) {
    for (size_t i = 0; i < n && set->means; i++) {
        size_t group = texts[i] / TEXTS_AT_ONCE;
        if (!set->known[group]) NF_TRY(know_group(p, set, group, err));
        set->known[group] = true;
    }
    return NERFIT_OK;
}

/* Evaluations find the vectors of their labels there. */
static nerfit_status know_evaluated(nf_prompter *p, nerfit_error *err) {
    for (size_t k = 0; k < p->n_sets; k++) {
        const nf_prompt_set *set = p->sets[k];
        if (set->means && !p->ws) NF_TRY(nf_workspace_new(&p->ws, p->model->net.be, err));
        if (set->evaluated) NF_TRY(know_texts(p, set, set->firsts, set->labels->n_types, err));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- a prompt put before a piece */

/* The places of label tokens, and the like, are the prompt's, which goes. */
static nerfit_status keep_places(nf_gliner_text *text, size_t n, nf_arena *arena,
                                 nerfit_error *err) {
    if (!text->label_places) return NERFIT_OK;
    int32_t *places = nf_arena_alloc(arena, n * sizeof *places + 1);
    if (!places) return nf_no_memory(err, n * sizeof *places);
    memcpy(places, text->label_places, n * sizeof *places);
    text->label_places = places;
    return NERFIT_OK;
}

/* The entities whose labels the prompt names. */
static nerfit_status take_golds(struct nf_prompted *out, const nf_prompt_source *s,
                                const nf_prompt_choice *choice, nf_arena *arena,
                                nerfit_error *err) {
    nf_entity *golds = nf_arena_alloc(arena, s->n_golds * sizeof *golds + 1);
    size_t count = 0;
    if (!golds) return nf_no_memory(err, s->n_golds * sizeof *golds);
    for (size_t i = 0; i < s->n_golds; i++)
        for (size_t c = 0; c < choice->n; c++)
            if (choice->types[c] == (uint32_t)s->golds[i].type) {
                golds[count] = s->golds[i];
                golds[count++].type = (int32_t)c;
            }
    out->golds = (nf_gliner_golds){golds, count, s->unknown, s->n_unknown, s->weight};
    return NERFIT_OK;
}

nerfit_status nf_prompter_put(const nf_prompter *p, const nf_prompt_source *s,
                              const nf_prompt_choice *choice, struct nf_prompted *out,
                              nf_example *example, nf_arena *arena, nerfit_error *err) {
    const nf_prompt_set *set = s->set;
    size_t n = choice->n, c = p->model->gliner->labels_encoder.hidden;
    const char **names = nf_arena_alloc(arena, n * sizeof *names + 1);
    int32_t *kept = nf_arena_alloc(arena, n * sizeof *kept + 1);
    nf_tokens *tokens = set->tokens ? nf_arena_alloc(arena, n * sizeof *tokens + 1) : NULL;
    const float **means = set->means ? nf_arena_alloc(arena, n * sizeof *means + 1) : NULL;
    nf_gliner_prompt prompt;
    if (!names || !kept || (set->tokens && !tokens) || (set->means && !means))
        return nf_no_memory(err, n * sizeof *names);
    for (size_t i = 0; i < n; i++) {
        names[i] = set->texts[choice->texts[i]];
        kept[i] = (int32_t)choice->types[i];
        if (tokens) tokens[i] = set->tokens[choice->texts[i]];
        if (means) means[i] = set->means + choice->texts[i] * c;
    }
    NF_TRY(nf_gliner_prompt_make(&prompt, p->model, names, n, err));
    nerfit_status status = nf_gliner_sequence(&out->text, &prompt, &s->words, s->first, s->end,
                                              s->set->room, arena, err);
    if (status == NERFIT_OK) status = keep_places(&out->text, n, arena, err);
    nf_gliner_prompt_free(&prompt);
    NF_TRY(status);
    NF_TRY(take_golds(out, s, choice, arena, err));
    out->types = kept;
    out->label_tokens = tokens;
    out->label_means = means;
    example->ids = out->text.ids;
    example->length = out->text.length;
    example->prompted = out;
    return NERFIT_OK;
}

static nerfit_status choice_new(nf_prompt_choice *choice, size_t n, nf_arena *arena,
                                nerfit_error *err) {
    *choice = (nf_prompt_choice){.types = nf_arena_alloc(arena, n * sizeof *choice->types + 1),
                                 .texts = nf_arena_alloc(arena, n * sizeof *choice->texts + 1)};
    return choice->types && choice->texts ? NERFIT_OK : nf_no_memory(err, n * sizeof(size_t));
}

nerfit_status nf_prompt_choose_all(const nf_prompt_source *s, nf_prompt_choice *choice,
                                   nf_arena *arena, nerfit_error *err) {
    NF_TRY(choice_new(choice, s->n_types, arena, err));
    for (size_t i = 0; i < s->n_types; i++) {
        choice->types[i] = s->types[i];
        choice->texts[i] = s->set->firsts[s->types[i]];
    }
    choice->n = s->n_types;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- drawing */

/* Puts the text's own types first; how many these are. */
static size_t own_first(const nf_prompt_source *s, uint32_t *types) {
    size_t own = 0;
    for (size_t i = 0; i < s->n_types; i++) {
        bool found = false;
        for (size_t g = 0; g < s->n_golds && !found; g++)
            found = (uint32_t)s->golds[g].type == types[i];
        if (!found) continue;
        uint32_t type = types[i];
        types[i] = types[own];
        types[own++] = type;
    }
    return own;
}

/* The text's own types, and others: in half of the draws all there are, else any number of them. */
static size_t draw_types(const nf_prompter *p, const nf_prompt_source *s, nf_rng *rng,
                         uint32_t *types) {
    size_t all = s->n_types;
    memcpy(types, s->types, all * sizeof *types);
    nf_rng_shuffle(rng, types, all);
    size_t own = own_first(s, types), others = all - own;
    size_t n = own + (nf_rng_below(rng, 2) ? others : nf_rng_below(rng, (uint32_t)others + 1));
    if (n > p->most) n = own > p->most ? own : p->most;
    return n ? n : 1;
}

/* One of the texts that a type is called by; of a single one nothing is drawn. */
static size_t draw_text(const nf_prompt_set *set, uint32_t type, nf_rng *rng) {
    const nf_called *c = &set->called[type];
    const size_t counts[] = {c->n_names, c->n_descriptions, c->n_both};
    size_t kinds = 0, first = set->firsts[type];
    if (nf_called_count(c) == 1) return first;
    for (size_t k = 0; k < NF_COUNT(counts); k++) kinds += counts[k] > 0;
    size_t kind = nf_rng_below(rng, (uint32_t)kinds);
    for (size_t k = 0; k < NF_COUNT(counts); first += counts[k++])
        if (counts[k] && kind-- == 0) return first + nf_rng_below(rng, (uint32_t)counts[k]);
    return set->firsts[type];
}

static bool is_chosen(const nf_prompt_set *set, const nf_prompt_choice *choice, size_t text) {
    for (size_t i = 0; i < choice->n; i++)
        if (strcmp(set->texts[choice->texts[i]], set->texts[text]) == 0) return true;
    return false;
}

/* As what each type is asked for. One that is called as another is, or has no room, is not asked for; the
 * first one always is, by its first text. */
static void draw_texts(const nf_prompt_set *set, nf_rng *rng, const uint32_t *types, size_t n,
                       nf_prompt_choice *choice) {
    size_t left = set->budget;
    choice->n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t text = draw_text(set, types[i], rng);
        if (choice->n == 0 && set->lengths[text] > left) text = set->firsts[types[i]];
        if (set->lengths[text] > left || is_chosen(set, choice, text)) continue;
        left -= set->lengths[text];
        choice->types[choice->n] = types[i];
        choice->texts[choice->n++] = text;
    }
}

static nerfit_status draw_prompt(const nf_prompter *p, const nf_prompt_source *s, nf_rng *rng,
                                 nf_prompt_choice *out, nf_arena *arena, nerfit_error *err) {
    uint32_t *types = nf_arena_alloc(arena, s->n_types * sizeof *types + 1);
    if (!types) return nf_no_memory(err, s->n_types * sizeof *types);
    NF_TRY(choice_new(out, s->n_types, arena, err));
    size_t n = draw_types(p, s, rng, types);
    draw_texts(s->set, rng, types, n, out);
    for (size_t i = out->n; i > 1; i--) { /* labels have no order */
        size_t k = nf_rng_below(rng, (uint32_t)i), text = out->texts[k];
        uint32_t type = out->types[k];
        out->types[k] = out->types[i - 1];
        out->texts[k] = out->texts[i - 1];
        out->types[i - 1] = type;
        out->texts[i - 1] = text;
    }
    return know_texts(p, s->set, out->texts, out->n, err);
}

/* The text at a place of the batch, or one that is rehearsed in its stead. */
static const nf_example *text_at(const nf_prompter *p, const nf_example *text, uint64_t seed,
                                 uint64_t step, size_t i) {
    if (!p->rehearsed) return text;
    nf_rng rng = nf_rng_new(seed, STREAM_REHEARSED ^ (step << 32) ^ ((uint64_t)i << 8));
    if (nf_rng_uniform(&rng) >= p->share) return text;
    return &p->rehearsed->items[nf_rng_below(&rng, (uint32_t)p->rehearsed->count)];
}

static nerfit_status draw_prompts(void *user, uint64_t seed, uint64_t step,
                                  const nf_example **batch, size_t count, nerfit_error *err) {
    nf_prompter *p = user;
    nf_arena_free(&p->step);
    nf_example *examples = nf_arena_calloc(&p->step, count + 1, sizeof *examples);
    struct nf_prompted *prompted = nf_arena_calloc(&p->step, count + 1, sizeof *prompted);
    if (!examples || !prompted) return nf_no_memory(err, count * sizeof *examples);
    for (size_t i = 0; i < count; i++) {
        const nf_example *text = text_at(p, batch[i], seed, step, i);
        const nf_prompt_source *s = (const nf_prompt_source *)(const void *)text->prompted;
        nf_rng rng = nf_rng_new(seed, STREAM_PROMPTS ^ (step << 32) ^ ((uint64_t)i << 8));
        nf_prompt_choice choice;
        NF_TRY(draw_prompt(p, s, &rng, &choice, &p->step, err));
        examples[i] = *text;
        NF_TRY(nf_prompter_put(p, s, &choice, &prompted[i], &examples[i], &p->step, err));
        batch[i] = &examples[i];
    }
    return NERFIT_OK;
}

nerfit_status nf_prompter_serve(nf_prompter *prompter, nf_task *task, const nf_examples *rehearsed,
                                double share, nerfit_error *err) {
    prompter->rehearsed = rehearsed;
    prompter->share = share;
    task->dress = draw_prompts;
    task->dresser = prompter;
    return know_evaluated(prompter, err);
}
