/* Corpora, models, descriptions and labels: what a run needs before it trains. */
#include "recipe/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/annotations.h"
#include "data/selection.h"
#include "data/weights.h"

/* What training learns from: without the texts that count nothing. */
static nerfit_status weigh_training_texts(nf_run *r) {
    const nf_corpus *given = r->corpora[NF_SPLIT_TRAIN];
    nf_source_weights sources;
    NF_TRY(nf_train_options_sources(r->options, &sources, &r->arena, r->err));
    if (!nf_corpus_is_weighted(given, &sources)) return NERFIT_OK;
    NF_TRY(nf_corpus_weigh(&r->weighed, given, &sources, r->log, r->err));
    r->corpora[NF_SPLIT_TRAIN] = &r->weighed;
    if (r->weighed.n_spans == 0)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "no training text has an entity that counts: all texts or entities have a "
                       "weight of 0");
    return NERFIT_OK;
}

/* Scores on texts that were trained on are no scores. */
static nerfit_status tell_known_texts(nf_run *r) {
    static const char *const names[] = {"training", "validation", "test"};
    static const nf_corpus none = {0};
    const nf_corpus *corpora[NF_SPLITS];
    size_t at = 0, total = 0, n_train = r->corpora[NF_SPLIT_TRAIN]->n_documents;
    for (int i = 0; i < NF_SPLITS; i++) {
        corpora[i] = r->corpora[i] ? r->corpora[i] : &none;
        total += corpora[i]->n_documents;
    }
    if (total == n_train) return NERFIT_OK;
    uint32_t *same_as = malloc(total * sizeof *same_as);
    if (!same_as) return nf_no_memory(r->err, total * sizeof *same_as);
    nerfit_status status = nf_texts_same_as(corpora, NF_SPLITS, same_as, r->err);
    for (int i = 0; i < NF_SPLITS && status == NERFIT_OK; i++) {
        size_t known = 0, n = corpora[i]->n_documents;
        for (size_t k = 0; k < n; k++) known += i != NF_SPLIT_TRAIN && same_as[at + k] < n_train;
        at += n;
        if (known)
            nf_log_warning(r->log,
                           "%zu of the %zu %s texts are training texts, too: scores on them say "
                           "little",
                           known, n, names[i]);
    }
    free(same_as);
    return status;
}

nerfit_status nf_run_read_corpora(nf_run *r) {
    const nf_train_options *o = r->options;
    const char *const paths[] = {o->train_annotations, o->val_annotations, o->test_annotations};
    const nf_corpus *const ready[] = {r->data->train, r->data->validation, r->data->test};
    for (int i = 0; i < NF_SPLITS; i++) {
        if (ready[i])
            r->corpora[i] = ready[i];
        else if (paths[i]) {
            NF_TRY(nf_train_options_read(o, &r->own[i], paths[i], r->log, r->err));
            r->corpora[i] = &r->own[i];
        }
    }
    if (!r->corpora[NF_SPLIT_TRAIN])
        return nf_fail(r->err, NERFIT_ARGUMENT, "train_annotations is missing");
    if (r->corpora[NF_SPLIT_TRAIN]->n_documents == 0)
        return nf_fail(r->err, NERFIT_ARGUMENT, "there are no training texts in %s",
                       paths[NF_SPLIT_TRAIN] ? paths[NF_SPLIT_TRAIN] : "train_annotations");
    if (r->corpora[NF_SPLIT_TRAIN]->n_spans == 0)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "no training text has an entity; expected "
                       "annotations such as [time : two hours]");
    NF_TRY(weigh_training_texts(r));
    for (int i = NF_SPLIT_TRAIN + 1; i < NF_SPLITS; i++)
        if (r->corpora[i] && r->corpora[i]->n_documents && r->corpora[i]->n_spans == 0)
            nf_log_warning(r->log,
                           "%s: none of its %zu texts has an entity: scores on it say nothing; is "
                           "this the right format?",
                           paths[i]                   ? paths[i]
                           : i == NF_SPLIT_VALIDATION ? "val_annotations"
                                                      : "test_annotations",
                           r->corpora[i]->n_documents);
    return tell_known_texts(r);
}

/* Every label of the annotations is among these. */
static nerfit_status check_described(nf_run *r, const char *const *labels, size_t count) {
    bool in_memory = r->data->embeddings || r->data->descriptions;
    for (int i = 0; i < NF_SPLITS; i++)
        for (size_t k = 0; r->corpora[i] && k < r->corpora[i]->n_labels; k++) {
            const char *label = r->corpora[i]->labels[k];
            if (nf_list_index(labels, count, label) == count)
                return nf_fail_at(r->err, NERFIT_ARGUMENT,
                                  in_memory ? "ent2emb" : r->options->ent2emb, 0, 0,
                                  "has nothing for label \"%s\", which the annotations use", label);
        }
    return NERFIT_OK;
}

nerfit_status nf_run_read_types(nf_run *r) {
    const char *ent2emb = r->options->ent2emb;
    r->descriptions = r->data->descriptions;
    if (r->data->embeddings)
        return check_described(r, r->data->embeddings->types, r->data->embeddings->count);
    if (!r->descriptions && ent2emb && !nf_embeddings_is_file(ent2emb)) {
        NF_TRY(nf_descriptions_read(&r->read_descriptions, ent2emb, r->err));
        r->descriptions = &r->read_descriptions;
    }
    return r->descriptions ? check_described(r, r->descriptions->labels, r->descriptions->count)
                           : NERFIT_OK;
}

static nerfit_status find_model(nf_run *r, const char *name, bool sentence, const char **folder,
                                const char **base) {
    const nf_train_services *s = r->data->services;
    *folder = name;
    *base = NULL;
    return s ? s->find_model(s->user, &r->arena, name, sentence, folder, base, r->err) : NERFIT_OK;
}

/* The folders of the encoder, and of the sentence encoder: as given, or the encoder itself if it is
 * one. */
nerfit_status nf_run_find_models(nf_run *r) {
    const nf_train_options *o = r->options;
    const char *base;
    bool embedded = r->data->embeddings || nf_embeddings_is_file(o->ent2emb);
    bool sentence = !embedded && !o->st_model_name && o->recipe != NF_RECIPE_GLINER;
    NF_TRY(find_model(r, o->model_name, sentence, &r->model_folder, &r->model_base));
    if (o->recipe == NF_RECIPE_NERFIT)
        NF_TRY(nf_pretrained_find(&r->pretrained, r->model_folder, o->pretrained,
                                  r->data->pretrained, r->log, r->err));
    r->sentence_folder = r->data->sentence_encoder;
    if (embedded) return NERFIT_OK;
    if (o->st_model_name) return find_model(r, o->st_model_name, true, &r->sentence_folder, &base);
    r->sentence_folder = r->pretrained.sentence_encoder;
    const char *modules = nf_path_join(&r->arena, r->model_folder, "modules.json");
    if (!r->sentence_folder && modules && nf_file_exists(modules))
        r->sentence_folder = r->model_folder;
    return NERFIT_OK;
}

/* Descriptions take a sentence encoder; without one it is the original's default, if it can be had. */
nerfit_status nf_run_need_sentence_encoder(nf_run *r) {
    static const char DEFAULT[] = "sentence-transformers/LaBSE";
    const char *base;
    if (r->sentence_folder || !r->data->services)
        return NERFIT_OK; /* nf_embeddings says what is missing */
    nf_log_info(r->log,
                "st_model_name is not given, and model_name is no sentence encoder: %s embeds the "
                "descriptions, as in the original package",
                DEFAULT);
    nerfit_status status = find_model(r, DEFAULT, true, &r->sentence_folder, &base);
    return status == NERFIT_OK
               ? NERFIT_OK
               : nf_fail_within(r->err, status,
                                "st_model_name is not given, and its default cannot be had");
}

static nf_label_text label_text(const nf_run *r) {
    const nf_train_options *o = r->options;
    if (o->label_text != NF_LABEL_TEXT_AUTO) return (nf_label_text)o->label_text;
    return o->recipe == NF_RECIPE_NERFIT ? NF_LABEL_TEXT_MEAN : NF_LABEL_TEXT_DESCRIPTION;
}

/* The encoder that is trained is often the sentence encoder too: then it is loaded here, once. */
static nf_embedder embedder_of(nf_run *r, nf_label_text rule) {
    bool same = r->sentence_folder && !r->model_base && !r->model &&
                strcmp(r->sentence_folder, r->model_folder) == 0;
    return (nf_embedder){.sentence_encoder = r->sentence_folder,
                         .be = r->be,
                         .log = r->log,
                         .rule = rule,
                         .model = same ? &r->model : NULL};
}

/* Descriptions by the language model. */
static nerfit_status describe_labels(nf_run *r) {
    if (nf_comm_size(r->data->comm) > 1)
        return nf_fail(
            r->err, NERFIT_ARGUMENT,
            "ranks cannot share what a language model writes while they begin: let nerfit "
            "describe write it before, and give the file in ent2emb");
    const nf_train_options *o = r->options;
    const nf_train_services *s = r->data->services;
    const char *file = nf_path_join(&r->arena, o->output_dir, "descriptions.yaml");
    nf_descriptions descriptions = {0};
    if (!file) return nf_no_memory(r->err, 0);
    if (!s || !s->describe)
        return nf_fail(r->err, NERFIT_UNSUPPORTED,
                       "llm: no language model is asked here; give descriptions in ent2emb (nerfit "
                       "describe writes them)");
    NF_TRY(nf_run_check_output(r)); /* both before it costs anything */
    NF_TRY(nf_run_need_sentence_encoder(r));
    NF_TRY(nf_directory_make(o->output_dir, r->err));
    nerfit_status status = s->describe(s->user, o->llm, r->corpora, NF_SPLITS, (uint64_t)o->seed[0],
                                       file, &descriptions, r->err);
    const nf_embedder by = embedder_of(r, label_text(r));
    if (status == NERFIT_OK)
        status = nf_embeddings_describe(&r->own_embeddings, &descriptions, file, &by, r->err);
    nf_descriptions_free(&descriptions);
    return status;
}

static bool same_file(nf_run *r, const char *a, const char *b, const char *name) {
    const char *paths[] = {nf_path_join(&r->arena, a, name), nf_path_join(&r->arena, b, name)};
    nf_file files[2] = {{0}, {0}};
    bool same = paths[0] && paths[1] && nf_file_open(&files[0], paths[0], NULL) == NERFIT_OK;
    same = same && nf_file_open(&files[1], paths[1], NULL) == NERFIT_OK;
    same = same && files[0].size == files[1].size &&
           memcmp(files[0].data, files[1].data, files[0].size) == 0;
    for (int i = 0; i < 2; i++) nf_file_close(&files[i]);
    return same;
}

/* Whether two folders hold the same encoder. */
bool nf_run_same_encoder(nf_run *r, const char *a, const char *b) {
    return strcmp(a, b) == 0 ||
           (same_file(r, a, b, "config.json") && same_file(r, a, b, "model.safetensors"));
}

/* ent2emb, from memory or from its file; none if neither is there. */
static nerfit_status read_embeddings(nf_run *r) {
    const nf_train_options *o = r->options;
    if (r->data->embeddings) {
        r->embeddings = r->data->embeddings;
        r->own_descriptions = r->sentence_folder != NULL;
        r->same_space =
            r->own_descriptions && nf_run_same_encoder(r, r->sentence_folder, r->model_folder);
        return NERFIT_OK;
    }
    if (r->descriptions) NF_TRY(nf_run_need_sentence_encoder(r));
    const nf_embedder by = embedder_of(r, label_text(r));
    if (r->descriptions)
        NF_TRY(nf_embeddings_describe(&r->own_embeddings, r->descriptions,
                                      r->data->descriptions ? "ent2emb" : o->ent2emb, &by, r->err));
    else if (o->ent2emb) {
        NF_TRY(nf_embeddings_read(&r->own_embeddings, o->ent2emb, r->err));
        NF_TRY(check_described(r, r->own_embeddings.types, r->own_embeddings.count));
    } else if (strcmp(o->llm, "no") != 0 && (o->max_steps[0] != 0 || o->recipe == NF_RECIPE_NERFIT))
        NF_TRY(describe_labels(r));
    else
        return NERFIT_OK;
    r->embeddings = &r->own_embeddings;
    r->own_descriptions = !nf_embeddings_is_file(o->ent2emb) || r->data->descriptions;
    r->same_space =
        r->own_descriptions && nf_run_same_encoder(r, r->sentence_folder, r->model_folder);
    return NERFIT_OK;
}

/* The labels that the annotations use. */
nerfit_status nf_run_labels_of_corpora(nf_run *r) {
    size_t count = 0, most = 0;
    for (int i = 0; i < NF_SPLITS; i++) most += r->corpora[i] ? r->corpora[i]->n_labels : 0;
    const char **types = nf_arena_calloc(&r->arena, most + 1, sizeof *types);
    if (!types) return nf_no_memory(r->err, most);
    for (int i = 0; i < NF_SPLITS; i++)
        for (size_t k = 0; r->corpora[i] && k < r->corpora[i]->n_labels; k++) {
            const char *label = r->corpora[i]->labels[k];
            if (nf_list_index(types, count, label) == count) types[count++] = label;
        }
    return nf_label_set_make(&r->labels, types, count, r->err);
}

/* The recipe nerfit without ent2emb: the labels' names say something, if there is a sentence encoder
 * to read them. */
static nerfit_status describe_names(nf_run *r) {
    const char *folder = r->sentence_folder;
    size_t n = r->labels.n_types;
    if (!folder) {
        nf_log_info(r->log, "neither ent2emb nor a sentence encoder: types are told apart by the "
                            "examples alone");
        return NERFIT_OK;
    }
    const char **texts = nf_arena_calloc(&r->arena, n + 1, sizeof *texts);
    if (!texts) return nf_no_memory(r->err, n);
    for (size_t i = 0; i < n; i++) {
        texts[i] = nf_label_phrase(&r->arena, r->labels.types[i]);
        if (!texts[i]) return nf_no_memory(r->err, 0);
    }
    nf_log_info(r->log, "ent2emb is missing: the labels' names serve as descriptions");
    const nf_descriptions names = {.labels = r->labels.types, .texts = texts, .count = n};
    const nf_embedder by = embedder_of(r, NF_LABEL_TEXT_NAME);
    NF_TRY(nf_embeddings_describe(&r->own_embeddings, &names, "labels", &by, r->err));
    r->embeddings = &r->own_embeddings;
    r->own_descriptions = true;
    r->same_space = nf_run_same_encoder(r, folder, r->model_folder);
    return NERFIT_OK;
}

/* The entity types: ent2emb's, in its order; without it the data's. */
nerfit_status nf_run_make_labels(nf_run *r) {
    const nf_train_options *o = r->options;
    if (o->recipe == NF_RECIPE_GLINER) return nf_run_prompt_labels(r);
    NF_TRY(read_embeddings(r));
    if (!r->embeddings && o->recipe == NF_RECIPE_NERFIT) {
        NF_TRY(nf_run_labels_of_corpora(r));
        NF_TRY(describe_names(r));
        if (r->embeddings) return NERFIT_OK;
    }
    if (!r->embeddings && o->max_steps[0] != 0)
        return nf_fail(
            r->err, NERFIT_ARGUMENT,
            "ent2emb is missing: stage 1 takes a description or an embedding of "
            "every label, or an llm that describes them (max_steps: [0, N] leaves stage 1 "
            "out)");
    if (!r->embeddings) return r->labels.n_types ? NERFIT_OK : nf_run_labels_of_corpora(r);
    return nf_label_set_make(&r->labels, r->embeddings->types, r->embeddings->count, r->err);
}

/* Tokens of the longest example. */
nerfit_status nf_run_length_limit(nf_run *r, size_t *limit) {
    size_t wanted = (size_t)r->options->max_length;
    *limit = nf_model_max_length(r->model);
    if (wanted > *limit)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "max_length %zu is more than the %zu tokens the encoder takes", wanted,
                       *limit);
    if (wanted) *limit = wanted;
    if (!r->model->tokenizer)
        return nf_fail_at(r->err, NERFIT_FORMAT, r->model_folder, 0, 0,
                          "has no tokenizer (tokenizer.json, vocab.txt, or vocab.json and "
                          "merges.txt)");
    return NERFIT_OK;
}

/* Validation texts weigh in the loss and in the scores while training; reports count all of them. Of
 * training texts those that a teacher tagged are still to be weighed. */
static nerfit_status make_split(nf_run *r, int split, size_t limit) {
    const nf_corpus *corpus = split == NF_SPLIT_TRAIN ? nf_run_learned(r) : r->corpora[split];
    nf_corpus weighed = {0};
    nf_source_weights sources;
    NF_TRY(nf_train_options_sources(r->options, &sources, &r->arena, r->err));
    nerfit_status status = NERFIT_OK;
    bool now = split == NF_SPLIT_VALIDATION || (split == NF_SPLIT_TRAIN && r->learned);
    if (now && nf_corpus_is_weighted(corpus, &sources)) {
        status = nf_corpus_weigh(&weighed, corpus, &sources, r->log, r->err);
        corpus = &weighed;
    }
    if (status == NERFIT_OK && r->prompter)
        status =
            nf_prompted_examples_make(&r->examples[split], r->prompter, 0, corpus, r->log, r->err);
    else if (status == NERFIT_OK)
        status = nf_examples_make(&r->examples[split], corpus, &r->labels, r->model->tokenizer,
                                  limit, r->model->decoding.words, r->log, r->err);
    if (status == NERFIT_OK && r->prompter) nf_prompted_examples_tell(&r->examples[split], r->log);
    nf_corpus_free(&weighed);
    return status;
}

nerfit_status nf_run_make_examples(nf_run *r) {
    if (r->options->recipe == NF_RECIPE_GLINER) NF_TRY(nf_run_make_prompter(r));
    size_t limit;
    NF_TRY(nf_run_length_limit(r, &limit));
    r->model->decoding.words = NF_WORDS_TOKENIZER;
    if (r->options->recipe == NF_RECIPE_NERFIT)
        r->model->decoding.words = nf_examples_words(r->corpora[NF_SPLIT_TRAIN]);
    if (r->model->decoding.words == NF_WORDS_BLANKS)
        nf_log_info(r->log, "words: between blanks, where the entities' edges lie");
    for (int i = 0; i < NF_SPLITS; i++)
        if (r->corpora[i]) NF_TRY(make_split(r, i, limit));
    nf_log_info(r->log,
                "%zu training texts (%zu entities), %zu for validation, %zu for test; %zu "
                "entity types",
                r->corpora[NF_SPLIT_TRAIN]->n_documents, r->corpora[NF_SPLIT_TRAIN]->n_spans,
                r->corpora[NF_SPLIT_VALIDATION] ? r->corpora[NF_SPLIT_VALIDATION]->n_documents : 0,
                r->corpora[NF_SPLIT_TEST] ? r->corpora[NF_SPLIT_TEST]->n_documents : 0,
                r->labels.n_types);
    return NERFIT_OK;
}
