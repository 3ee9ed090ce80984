/* Who tags what when. Portions pass through a ring of NF_PORTIONS places; each has its texts encoded,
 * a few at a time, then its batches run, then it is handed out. All threads do the same: they take
 * the first task there is, of the oldest portion that has one. The calling thread besides reads and
 * hands out, before it takes a task, so that all of the job's functions but `tagged` are called on
 * it, in order. One thread alone comes to the end, too: nobody waits for another while there is
 * something to do.
 *
 * Everything in `pipeline` and the stages is guarded by its mutex; what a task works on is the
 * task's own. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "infer/tagger_impl.h"

enum { TEXTS_A_TASK = 16, WAIT_MS = 50 };

static const size_t NO_TEXT = SIZE_MAX;

typedef enum stage {
    STAGE_EMPTY,
    STAGE_ENCODING, /* texts to be taken or under way */
    STAGE_PLANNING, /* the last of them is made into batches */
    STAGE_BATCHES,
    STAGE_DONE,
} stage;

typedef struct portion_state {
    stage stage;
    size_t next, under_way; /* the next text or batch to be taken; those that are taken */
    nerfit_status status;   /* not OK: nothing more of it is begun */
    size_t failed;          /* the text that the error is about, or NO_TEXT */
    nerfit_error error;
} portion_state;

typedef struct pipeline {
    nf_tagger *tagger;
    const nf_tagging_job *job;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    portion_state states[NF_PORTIONS];
    size_t n_read, n_done; /* portions; place = number % NF_PORTIONS */
    size_t n_texts;        /* read */
    bool more;             /* there may be more to read */
    bool stopped;
    nerfit_status status; /* of the whole */
    nerfit_error *err;
} pipeline;

/* Texts first .. end-1 of a portion, or its batch `first`. */
typedef struct task {
    size_t place, first, end;
    bool batch;
} task;

/* ---------------------------------------------------------------- tasks */

static bool take_task(pipeline *p, task *out) {
    for (size_t i = p->n_done; i < p->n_read; i++) {
        size_t place = i % NF_PORTIONS;
        portion_state *s = &p->states[place];
        const nf_portion_run *run = &p->tagger->runs[place];
        bool batch = s->stage == STAGE_BATCHES;
        size_t count = batch ? run->n_batches : run->portion.count;
        if (s->status != NERFIT_OK) return false; /* those behind it are in vain */
        if ((!batch && s->stage != STAGE_ENCODING) || s->next >= count) continue;
        size_t end = batch ? s->next + 1 : s->next + TEXTS_A_TASK;
        *out = (task){place, s->next, end < count ? end : count, batch};
        s->next = out->end;
        s->under_way++;
        return true;
    }
    return false;
}

/* What is done with a text and with a batch, by models that label words and by those that score
 * spans. */
typedef struct tagging_kind {
    nerfit_status (*encode)(const nf_tagging_work *in, size_t text, nerfit_error *err);
    nerfit_status (*batch)(const nf_tagging_work *in, size_t batch, size_t *failed,
                           nerfit_error *err);
} tagging_kind;
static const tagging_kind kinds[] = {{nf_tagger_encode, nf_tagger_batch},
                                     {nf_gliner_encode, nf_gliner_batch}};

static nerfit_status run_task(pipeline *p, nf_tagging_worker *w, int index, const task *t,
                              size_t *failed, nerfit_error *err) {
    const nf_tagging_work in = {p->tagger, w, index, p->job, &p->tagger->runs[t->place]};
    const tagging_kind *kind = &kinds[nf_model_reads_labels(p->tagger->model->kind)];
    if (t->batch) return kind->batch(&in, t->first, failed, err);
    for (*failed = t->first; *failed < t->end; ++*failed) NF_TRY(kind->encode(&in, *failed, err));
    return NERFIT_OK;
}

/* Of several errors in a portion that of its earliest text is kept. */
static void keep_error(portion_state *s, nerfit_status status, size_t failed,
                       const nerfit_error *error) {
    if (status == NERFIT_OK || (s->status != NERFIT_OK && s->failed <= failed)) return;
    s->status = status;
    s->failed = failed;
    s->error = *error;
}

/* What follows when nothing of a portion's stage is left; the mutex is held, but for planning. */
static void go_on_after(pipeline *p, size_t place) {
    portion_state *s = &p->states[place];
    nf_portion_run *run = &p->tagger->runs[place];
    if (s->under_way) return;
    if (s->status != NERFIT_OK) {
        s->stage = STAGE_DONE;
    } else if (s->stage == STAGE_ENCODING && s->next >= run->portion.count) {
        nerfit_error error;
        s->stage = STAGE_PLANNING;
        pthread_mutex_unlock(&p->mutex);
        nerfit_status status = nf_tagger_plan(p->tagger, run, &error);
        pthread_mutex_lock(&p->mutex);
        keep_error(s, status, 0, &error);
        s->next = 0;
        s->stage = status == NERFIT_OK && run->n_batches ? STAGE_BATCHES : STAGE_DONE;
    } else if (s->stage == STAGE_BATCHES && s->next >= run->n_batches) {
        s->stage = STAGE_DONE;
    }
    pthread_cond_broadcast(&p->changed);
}

/* ---------------------------------------------------------------- reading, handing out */

static nerfit_status make_portion(nf_tagger *t, nf_portion_run *run, nerfit_error *err) {
    size_t n = run->portion.count;
    nf_arena *arena = &run->arenas[0];
    run->portion.results = nf_arena_calloc(arena, n + 1, sizeof *run->portion.results);
    run->states = nf_arena_calloc(arena, n + 1, sizeof *run->states);
    for (int i = 0; i < t->n_workers; i++) run->lists[i].count = 0;
    return run->portion.results && run->states ? NERFIT_OK
                                               : nf_no_memory(err, n * sizeof *run->states);
}

/* Reads the next portion into its place; the mutex is not held. */
static nerfit_status read_portion(pipeline *p, nf_portion_run *run, bool *more, nerfit_error *err) {
    for (int i = 0; i < p->tagger->n_workers; i++) nf_arena_free(&run->arenas[i]);
    run->portion = (nf_portion){0};
    run->first_text = p->n_texts;
    NF_TRY(p->job->next(p->job->user, &run->portion, more, err));
    p->n_texts += run->portion.count;
    return make_portion(p->tagger, run, err);
}

static void release(const pipeline *p, nf_portion_run *run) {
    if (p->job->release && run->portion.texts) p->job->release(p->job->user, &run->portion);
    run->portion.texts = NULL;
}

/* An error in a portion, with the place of its text. */
static nerfit_status tell_error(const pipeline *p, size_t place) {
    const portion_state *s = &p->states[place];
    const nf_portion_run *run = &p->tagger->runs[place];
    if (p->err) *p->err = s->error;
    if (!p->err || s->failed == NO_TEXT || s->status == NERFIT_NO_MEMORY) return s->status;
    if (p->job->locate)
        p->job->locate(&run->portion, s->failed, p->err);
    else
        nf_fail_within(p->err, s->status, "text %zu", run->first_text + s->failed + 1);
    return s->status;
}

/* Hands out the oldest portion, which is done; the mutex is not held. */
static nerfit_status hand_out(pipeline *p, size_t place) {
    nf_portion_run *run = &p->tagger->runs[place];
    nerfit_status status = p->states[place].status == NERFIT_OK
                               ? p->job->done(p->job->user, &run->portion, p->err)
                               : tell_error(p, place);
    release(p, run);
    return status;
}

static void stop(pipeline *p, nerfit_status status) {
    if (p->status == NERFIT_OK) p->status = status;
    p->stopped = true;
    pthread_cond_broadcast(&p->changed);
}

static bool any_failed(const pipeline *p) {
    for (size_t i = p->n_done; i < p->n_read; i++)
        if (p->states[i % NF_PORTIONS].status != NERFIT_OK) return true;
    return false;
}

/* What the calling thread alone does, if there is some of it: true. The mutex is held before and
 * after. */
static bool serve(pipeline *p) {
    size_t oldest = p->n_done % NF_PORTIONS, free_place = p->n_read % NF_PORTIONS;
    if (p->n_done < p->n_read && p->states[oldest].stage == STAGE_DONE) {
        pthread_mutex_unlock(&p->mutex);
        nerfit_status status = hand_out(p, oldest);
        pthread_mutex_lock(&p->mutex);
        p->states[oldest].stage = STAGE_EMPTY;
        p->n_done++;
        if (status != NERFIT_OK) stop(p, status);
        pthread_cond_broadcast(&p->changed);
        return true;
    }
    if (!p->more || p->n_read - p->n_done == NF_PORTIONS || any_failed(p)) return false;
    portion_state *s = &p->states[free_place];
    bool more = true;
    nerfit_error error;
    *s = (portion_state){0};
    pthread_mutex_unlock(&p->mutex);
    nerfit_status status = read_portion(p, &p->tagger->runs[free_place], &more, &error);
    pthread_mutex_lock(&p->mutex);
    p->more = more && status == NERFIT_OK;
    p->n_read++;
    s->stage = STAGE_ENCODING;
    keep_error(s, status, NO_TEXT, &error); /* told when what was read before is done */
    go_on_after(p, free_place);
    return true;
}

static void wait_for_change(pipeline *p, bool timed) {
    if (!timed) {
        pthread_cond_wait(&p->changed, &p->mutex);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WAIT_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
    pthread_cond_timedwait(&p->changed, &p->mutex, &until);
}

/* Asks whether to go on; the mutex is held before and after. */
static void ask(pipeline *p) {
    if (!p->job->call.go_on) return;
    pthread_mutex_unlock(&p->mutex);
    bool go_on = p->job->call.go_on(p->job->call.user);
    pthread_mutex_lock(&p->mutex);
    if (!go_on && !p->stopped)
        stop(p, nf_fail(p->err, NERFIT_CANCELLED, "cancelled by the caller"));
}

/* ---------------------------------------------------------------- threads */

static void work(pipeline *p, nf_tagging_worker *w, int index) {
    bool calling = index == 0;
    pthread_mutex_lock(&p->mutex);
    while (!p->stopped && (p->more || p->n_done < p->n_read)) {
        task t;
        if (calling) ask(p);
        if (p->stopped) break;
        if (calling && serve(p)) continue;
        if (!take_task(p, &t)) {
            wait_for_change(p, calling && p->job->call.go_on);
            continue;
        }
        nerfit_error error;
        size_t failed = 0;
        pthread_mutex_unlock(&p->mutex);
        nerfit_status status = run_task(p, w, index, &t, &failed, &error);
        pthread_mutex_lock(&p->mutex);
        p->states[t.place].under_way--;
        keep_error(&p->states[t.place], status, failed, &error);
        go_on_after(p, t.place);
    }
    pthread_mutex_unlock(&p->mutex);
}

static void work_on(void *user, int index) {
    pipeline *p = user;
    work(p, &p->tagger->workers[index], index);
}

static nerfit_status make_workers(nf_tagger *t, nerfit_error *err) {
    if (t->workers) return NERFIT_OK;
    nf_tagging_worker *workers = calloc((size_t)t->n_workers, sizeof *workers);
    nerfit_status status = workers ? NERFIT_OK : nf_no_memory(err, 0);
    for (int i = 0; i < t->n_workers && status == NERFIT_OK; i++) {
        nf_backend *be;
        status = t->be->fork_alone(t->be, &be, err);
        if (status == NERFIT_OK) status = nf_tagging_worker_make(&workers[i], be, true, err);
    }
    if (status == NERFIT_OK) t->workers = workers;
    for (int i = 0; i < t->n_workers && workers && status != NERFIT_OK; i++)
        nf_tagging_worker_free(&workers[i]);
    if (status != NERFIT_OK) free(workers);
    return status;
}

/* Whether all there is makes a single batch: then its operations divide the threads. What it takes to
 * know is done here, on the calling thread. */
static bool is_one_batch(pipeline *p) {
    const nf_portion_run *run = &p->tagger->runs[0];
    if (p->n_read != 1 || p->more || run->portion.count > TEXTS_A_TASK) return false;
    pthread_mutex_lock(&p->mutex);
    task t;
    nerfit_error error;
    size_t failed = 0;
    if (p->states[0].stage == STAGE_ENCODING && take_task(p, &t)) {
        pthread_mutex_unlock(&p->mutex);
        nerfit_status status = run_task(p, &p->tagger->alone, 0, &t, &failed, &error);
        pthread_mutex_lock(&p->mutex);
        p->states[0].under_way--;
        keep_error(&p->states[0], status, failed, &error);
        go_on_after(p, 0);
    }
    bool one = p->states[0].stage == STAGE_DONE || run->n_batches <= 1;
    pthread_mutex_unlock(&p->mutex);
    return one;
}

nerfit_status nf_tagger_run(nf_tagger *t, const nf_tagging_job *job, nerfit_error *err) {
    pipeline p = {.tagger = t, .job = job, .more = true, .err = err};
    NF_TRY(nf_rules_prepare(job->call.rules, t->model, t->be, err));
    pthread_mutex_init(&p.mutex, NULL);
    pthread_cond_init(&p.changed, NULL);
    pthread_mutex_lock(&p.mutex);
    serve(&p); /* reads the first portion */
    pthread_mutex_unlock(&p.mutex);
    if (t->n_workers == 1 || is_one_batch(&p))
        work(&p, &t->alone, 0);
    else if ((p.status = make_workers(t, err)) == NERFIT_OK)
        t->be->parallel(t->be, t->n_workers, work_on, &p);
    for (size_t i = p.n_done; i < p.n_read; i++) release(&p, &t->runs[i % NF_PORTIONS]);
    pthread_cond_destroy(&p.changed);
    pthread_mutex_destroy(&p.mutex);
    return p.status;
}

/* ---------------------------------------------------------------- life */

static nerfit_status make_runs(nf_tagger *t, nerfit_error *err) {
    size_t n = (size_t)t->n_workers;
    for (size_t i = 0; i < NF_PORTIONS; i++) {
        t->runs[i].arenas = calloc(n, sizeof *t->runs[i].arenas);
        t->runs[i].lists = calloc(n, sizeof *t->runs[i].lists);
        if (!t->runs[i].arenas || !t->runs[i].lists) return nf_no_memory(err, n);
    }
    return NERFIT_OK;
}

nerfit_status nf_tagger_new(nf_tagger **out, const nf_model *model, nf_backend *be,
                            nerfit_error *err) {
    *out = NULL;
    if (!model->head && !nf_model_reads_labels(model->kind))
        return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                          "is a bare encoder; expected a token-classification model (train one "
                          "first)");
    if (!model->tokenizer)
        return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0, "has no tokenizer");
    nf_tagger *t = calloc(1, sizeof *t);
    if (!t) return nf_no_memory(err, sizeof *t);
    t->model = model;
    t->be = be;
    t->n_workers = be->threads > 1 ? be->threads : 1;
    nf_tokenizer_special_counts(model->tokenizer, &t->before, &t->after);
    nerfit_status status = nf_tagging_worker_make(&t->alone, be, false, err);
    if (status == NERFIT_OK) status = make_runs(t, err);
    if (status == NERFIT_OK)
        *out = t;
    else
        nf_tagger_free(t);
    return status;
}

static void free_run(nf_portion_run *run, int n_workers) {
    for (int i = 0; i < n_workers && run->arenas; i++) nf_arena_free(&run->arenas[i]);
    for (int i = 0; i < n_workers && run->lists; i++) free(run->lists[i].items);
    free(run->arenas);
    free(run->lists);
    free(run->pieces.items);
    free(run->batches);
}

void nf_tagger_free(nf_tagger *t) {
    if (!t) return;
    nf_tagging_worker_free(&t->alone);
    for (int i = 0; i < t->n_workers && t->workers; i++) nf_tagging_worker_free(&t->workers[i]);
    free(t->workers);
    for (size_t i = 0; i < NF_PORTIONS; i++) free_run(&t->runs[i], t->n_workers);
    free(t);
}

/* ---------------------------------------------------------------- a list of texts */

typedef struct text_list {
    const nf_text *texts;
    size_t count;
    nf_tagged *results;
} text_list;

static nerfit_status list_next(void *user, nf_portion *portion, bool *more, nerfit_error *err) {
    (void)err;
    const text_list *list = user;
    portion->texts = list->texts;
    portion->count = list->count;
    *more = false;
    return NERFIT_OK;
}

static nerfit_status list_done(void *user, const nf_portion *portion, nerfit_error *err) {
    (void)err;
    const text_list *list = user;
    for (size_t i = 0; i < list->count; i++) list->results[i] = portion->results[i];
    return NERFIT_OK;
}

nerfit_status nf_tagger_tag(nf_tagger *t, const nf_tagging_call *call, const nf_text *texts,
                            size_t count, nf_tagged *results, nerfit_error *err) {
    text_list list = {texts, count, results};
    const nf_tagging_job job = {
        .call = *call, .token_scores = true, .user = &list, .next = list_next, .done = list_done};
    return nf_tagger_run(t, &job, err);
}
