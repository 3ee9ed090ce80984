/* A training divided over ranks is that of one process with the same batches: losses, norms, the
 * weights after it, for every loss, with dropout, accumulation, short batches and the decay that
 * rows of the word embeddings owe. Ranks are threads (comm_threads.c). */
#include "tiny_model.h"

#include "golden_files.h"

#include <math.h>
#include <pthread.h>

#include "heads/contrastive_head.h"
#include "train/comm.h"
#include "train/stage.h"
#include "train/task.h"

enum { MOST_RANKS = 3, MOST_STEPS = 32, TEXTS = 22 };

typedef struct comm_case {
    const char *name, *kind;
    size_t ranks, batch, accumulation; /* batch: of all ranks */
    double dropout;
    bool partial; /* texts and tokens have weights, types that were not looked for */
} comm_case;

static const comm_case cases[] = {
    {"classification", "classification", 2, 4, 1, 0.0},
    {"classification, dropout, accumulation", "classification", 2, 4, 2, 0.1},
    /* the last batch has 4 texts: the third rank has none of them */
    {"classification, three ranks, one without texts", "classification", 3, 6, 1, 0.1},
    {"contrastive", "contrastive", 2, 4, 2, 0.1},
    {"description", "description", 2, 4, 2, 0.0},
    {"classification, weights", "classification", 3, 6, 2, 0.1, true},
    {"contrastive, weights", "contrastive", 2, 4, 2, 0.1, true},
    {"description, weights", "description", 2, 4, 2, 0.0, true},
};

/* One rank's training. */
typedef struct rank_run {
    const comm_case *c;
    const char *backend;
    nf_comm *comm; /* NULL: one process */
    nf_backend *be;
    nf_model *model;
    nf_examples examples;
    nf_safetensors *file;
    nf_task *task;
    nf_stage stage;
    float *embeddings;
    nf_label_set labels;
    size_t n_steps;
    double losses[MOST_STEPS], norms[MOST_STEPS];
    nerfit_status status;
    nerfit_error error;
} rank_run;

static bool keep_steps(void *user, const nf_stage_report *report) {
    rank_run *run = user;
    if (report->event != NF_STAGE_LOG) return true;
    assert_true(run->n_steps < MOST_STEPS);
    run->losses[run->n_steps] = json_number_value(json_object_get(report->entry, "loss"));
    run->norms[run->n_steps++] = json_number_value(json_object_get(report->entry, "grad_norm"));
    return true;
}

static const int32_t every_token[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
                                      10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
static const char *label_names[] = {"O",   "B-a", "I-a", "B-b", "I-b", "B-c", "I-c",
                                    "B-d", "I-d", "B-e", "I-e", "B-f", "I-f"};

static void make_task(rank_run *run, bool description, bool contrastive) {
    nf_model *model = run->model;
    run->embeddings = floats(run->file, "embeddings");
    if (contrastive) {
        assert_ok(nf_model_add_projection(model, 24, 1, &error), &error);
        nf_contrastive_head_linear(model->learner)->weight->trained =
            nf_contrastive_head_linear(model->learner)->bias->trained = true;
    } else if (description) {
        for (size_t i = 0; i < run->examples.count; i++) { /* each sub-word is a word */
            run->examples.items[i].words = every_token + 1;
            run->examples.items[i].n_words = run->examples.items[i].length - 2;
        }
        run->labels = (nf_label_set){.labels = label_names, .n_labels = 13, .n_types = 6};
        nf_model_remove_classifier(model);
        assert_ok(nf_model_add_description_head(model, 24, false, 3, &error), &error);
        assert_ok(nf_model_add_types(model, label_names, 6, run->embeddings, 4, &error), &error);
    } else {
        nf_head_train(model->head, true);
    }
    nf_model_train_encoder(model, true);
    set_initial(model, run->file);
    assert_ok(nf_network_start_training(&model->net, &error), &error);
    assert_ok(nf_network_prepare(&model->net, true, &error), &error);
    if (contrastive)
        assert_ok(nf_contrastive_head_set_types(model->learner, run->embeddings, 6, &error),
                  &error);
    assert_ok(nf_task_new(&run->task, model, &run->labels, &run->examples, NULL, 0.0, &error),
              &error);
}

/* Every third text is known of all; of the others the tokens weigh 0, 0.5 and 1.5, and the first of
 * them were only asked for their own types. */
static void make_partial(nf_examples *examples, bool by_entities) {
    for (size_t s = 0; s < examples->count; s++) {
        nf_example *e = &examples->items[s];
        if (s % 3 == 0) continue;
        float *weights = nf_arena_alloc(&examples->arena, e->length * sizeof *weights);
        float *of_entities = nf_arena_alloc(&examples->arena, 16 * sizeof *weights);
        int32_t *types = nf_arena_alloc(&examples->arena, 16 * sizeof *types);
        int32_t *labels = nf_arena_alloc(&examples->arena, e->length * sizeof *labels);
        assert_true(weights && of_entities && types && labels && e->n_entities <= 16);
        for (size_t i = 0; i < e->length; i++) {
            weights[i] = (float)((s + i) % 4) / 2;
            labels[i] = weights[i] == 0 ? NF_LABEL_IGNORED : e->labels[i];
        }
        for (size_t i = 0; i < e->n_entities; i++) of_entities[i] = 0.5f + (float)i;
        /* the file's labels have other types than its entities */
        size_t n_types = 0;
        for (size_t i = 0; i < e->n_entities && by_entities; i++)
            types[n_types++] = e->entities[i].type;
        for (size_t i = 0; i < e->length && !by_entities && n_types < 16; i++)
            if (labels[i] > 0) types[n_types++] = nf_label_type(labels[i]);
        e->labels = labels;
        e->weights = weights;
        e->text_weight = 0.5f;
        e->entity_weights = of_entities;
        if (s % 3 == 1) e->looked_for = types, e->n_looked_for = n_types;
    }
}

static void begin(rank_run *run, const comm_case *c, const char *backend_name, nf_comm *comm) {
    bool contrastive = strcmp(c->kind, "contrastive") == 0;
    bool description = strcmp(c->kind, "description") == 0;
    *run = (rank_run){.c = c, .backend = backend_name, .comm = comm};
    run->be = backend(backend_name);
    run->file = open_golden("bert/train-full-stage1.safetensors");
    const char *folder = contrastive || description ? "bert" : "bert/token-classification";
    assert_ok(nf_model_load(&run->model, golden(folder), run->be, NULL, &error), &error);
    run->model->encoder.hidden_dropout = run->model->encoder.attention_dropout = c->dropout;
    run->model->encoder.classifier_dropout = c->dropout;
    load_examples(run->file, &run->examples);
    run->examples.count = TEXTS;
    if (c->partial) make_partial(&run->examples, description);
    make_task(run, description, contrastive);
    run->stage = (nf_stage){.number = 2,
                            .task = run->task,
                            .comm = comm,
                            .observer = keep_steps,
                            .user = run,
                            .options = {.train_batch_size = comm ? c->batch / c->ranks : c->batch,
                                        .eval_batch_size = 4,
                                        .accumulation = c->accumulation,
                                        .learning_rate = 2e-3,
                                        .rates = {2e-3, 2e-3, 2e-3, 2e-3},
                                        .weight_decay = 1.0,
                                        .adam_beta1 = 0.9,
                                        .adam_beta2 = 0.999,
                                        .adam_epsilon = 1e-6,
                                        .max_grad_norm = 1.0,
                                        .num_train_epochs = 2.0,
                                        .seed = 42,
                                        .logging_strategy = NF_STRATEGY_STEPS,
                                        .logging_steps = 1}};
    assert_ok(nf_workspace_new(&run->stage.ws, run->be, &error), &error);
}

static void end(rank_run *run) {
    nf_workspace_free(run->stage.ws);
    nf_stage_free(&run->stage);
    run->task->free(run->task);
    nf_examples_free(&run->examples);
    nf_model_free(run->model);
    nf_safetensors_close(run->file);
    free(run->embeddings);
    run->be->free(run->be);
}

static void *work(void *user) {
    rank_run *run = user;
    run->status = nf_stage_run(&run->stage, &run->error);
    return NULL;
}

static double *values_of(const rank_run *run) {
    size_t n = run->model->net.n_trained;
    double *values = malloc(n * sizeof *values);
    run->be->to_f64(run->be, values, run->model->net.flat_values, n);
    return values;
}

static void compare_with(const rank_run *one, const rank_run *rank, double tolerance) {
    const char *name = one->c->name;
    if (rank->status != NERFIT_OK) fail_msg("%s: %s", name, rank->error.text);
    assert_int_equal(rank->n_steps, one->n_steps);
    for (size_t i = 0; i < one->n_steps; i++)
        if (fabs(rank->losses[i] - one->losses[i]) > tolerance * fmax(1.0, one->losses[i]) ||
            fabs(rank->norms[i] - one->norms[i]) > tolerance * fmax(1.0, one->norms[i]))
            fail_msg("%s on %s, rank %zu, step %zu: loss %.10g, norm %.10g; expected %.10g, %.10g",
                     name, one->backend, rank->comm->rank, i, rank->losses[i], rank->norms[i],
                     one->losses[i], one->norms[i]);
    double *a = values_of(one), *b = values_of(rank), most = 0.0;
    for (size_t i = 0; i < one->model->net.n_trained; i++) most = fmax(most, fabs(a[i] - b[i]));
    if (!(most <= tolerance))
        fail_msg("%s on %s, rank %zu: weights differ by %g", name, one->backend, rank->comm->rank,
                 most);
    free(a);
    free(b);
}

static void check_case(const comm_case *c, const char *backend_name, double tolerance) {
    rank_run one, ranks[MOST_RANKS];
    nf_comm *comms[MOST_RANKS];
    pthread_t threads[MOST_RANKS];
    begin(&one, c, backend_name, NULL);
    work(&one);
    if (one.status != NERFIT_OK) fail_msg("%s: %s", c->name, one.error.text);
    assert_true(one.n_steps >= 4);
    assert_ok(nf_comm_threads(comms, c->ranks, &error), &error);
    for (size_t r = 0; r < c->ranks; r++) begin(&ranks[r], c, backend_name, comms[r]);
    for (size_t r = 0; r < c->ranks; r++)
        assert_int_equal(pthread_create(&threads[r], NULL, work, &ranks[r]), 0);
    for (size_t r = 0; r < c->ranks; r++) pthread_join(threads[r], NULL);
    for (size_t r = 0; r < c->ranks; r++) {
        compare_with(&one, &ranks[r], tolerance);
        double *a = values_of(&ranks[0]), *b = values_of(&ranks[r]);
        assert_memory_equal(a, b, one.model->net.n_trained * sizeof *a); /* to the last bit */
        free(a);
        free(b);
    }
    for (size_t r = 0; r < c->ranks; r++) end(&ranks[r]);
    nf_comm_threads_free(comms, c->ranks);
    end(&one);
}

static void test_ranks(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_case(&cases[i], "ref-f64", 1e-9);
        check_case(&cases[i], "ref-f32", 1e-4);
    }
    check_case(&cases[1], "cpu", 1e-4);
}

/* ---------------------------------------------------------------- while backward goes on */

enum { MOST_SUMS = 64 };
static nerfit_status (*plain_sum)(nf_comm *, nf_backend *, nf_values *, size_t, nerfit_error *);
static nerfit_status (*plain_run)(nf_task *, nf_pass *, const nf_head_batch *, double *,
                                  nerfit_error *);
static struct {
    const nf_values *at;
    bool in_backward;
} sums[MOST_SUMS];
static size_t n_sums;
static bool in_backward;

static nerfit_status note_sum(nf_comm *comm, nf_backend *be, nf_values *y, size_t n,
                              nerfit_error *err) {
    if (n_sums < MOST_SUMS) sums[n_sums].at = y, sums[n_sums++].in_backward = in_backward;
    return plain_sum(comm, be, y, n, err);
}

static nerfit_status note_run(nf_task *task, nf_pass *pass, const nf_head_batch *batch,
                              double *loss, nerfit_error *err) {
    in_backward = true;
    nerfit_status status = plain_run(task, pass, batch, loss, err);
    in_backward = false;
    return status;
}

/* Layers' sums begin in backward, the last layer's first; all others behind it. */
static void test_sums_in_backward(void **state) {
    (void)state;
    rank_run run;
    nf_comm *comm;
    assert_ok(nf_comm_threads(&comm, 1, &error), &error);
    begin(&run, &cases[0], "cpu", comm);
    plain_sum = comm->begin_sum;
    plain_run = run.task->run;
    comm->begin_sum = note_sum;
    run.task->run = note_run;
    run.stage.options.max_steps = 1;
    n_sums = 0;
    work(&run);
    assert_ok(run.status, &run.error);
    size_t layers = run.model->encoder.n_layers;
    assert_true(layers >= 2 && n_sums > layers && n_sums < MOST_SUMS);
    for (size_t i = 0; i < n_sums; i++) {
        assert_int_equal(sums[i].in_backward, i < layers);
        assert_true(i == 0 || i >= layers || sums[i].at < sums[i - 1].at);
    }
    end(&run);
    nf_comm_threads_free(&comm, 1);
}

/* ---------------------------------------------------------------- when a rank fails */

static nerfit_status fail_later(nf_task *task, nf_pass *pass, const nf_head_batch *batch,
                                double *loss, nerfit_error *err) {
    (void)task, (void)batch;
    *loss = 0.0;
    return pass->step < 3 ? NERFIT_OK : nf_fail(err, NERFIT_IO, "the disk is gone");
}

/* The others stop, too, instead of waiting for it. */
static void test_failing_rank(void **state) {
    (void)state;
    rank_run ranks[2];
    nf_comm *comms[2];
    pthread_t threads[2];
    assert_ok(nf_comm_threads(comms, 2, &error), &error);
    for (size_t r = 0; r < 2; r++) begin(&ranks[r], &cases[0], "ref-f32", comms[r]);
    ranks[1].task->run = fail_later;
    for (size_t r = 0; r < 2; r++) pthread_create(&threads[r], NULL, work, &ranks[r]);
    for (size_t r = 0; r < 2; r++) pthread_join(threads[r], NULL);
    assert_int_equal(ranks[0].status, NERFIT_CANCELLED);
    assert_string_equal(ranks[0].error.text, "another rank of the training failed");
    assert_int_equal(ranks[1].status, NERFIT_IO);
    for (size_t r = 0; r < 2; r++) end(&ranks[r]);
    nf_comm_threads_free(comms, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_sums_in_backward),
        cmocka_unit_test(test_failing_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
