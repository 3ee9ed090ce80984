/* Tags texts from two threads over one model.
 *
 *   cc predict_threads.c $(pkg-config --cflags --libs nerfit) -lpthread -o predict_threads
 *   ./predict_threads MODEL "wake me at nine" "play some jazz" */
#include <nerfit.h>
#include <pthread.h>
#include <stdio.h>

typedef struct job {
    const nerfit_model *model;
    const char *const *texts;
    size_t count;
    nerfit_error error;
    nerfit_status status;
} job;

/* A session is one thread's; the model behind it is shared. */
static void *work(void *argument) {
    job *j = argument;
    nerfit_session *session;
    const nerfit_prediction *predictions;
    j->status = nerfit_session_new(&session, j->model, &j->error);
    if (j->status != NERFIT_OK) return NULL;
    j->status = nerfit_predict(session, j->texts, NULL, j->count, &predictions, &j->error);
    for (size_t i = 0; i < j->count && j->status == NERFIT_OK; i++)
        for (size_t k = 0; k < predictions[i].n_entities; k++) {
            const nerfit_entity *e = &predictions[i].entities[k];
            printf("%s: %.*s (%.2f)\n", e->label, (int)(e->byte_end - e->byte_start),
                   j->texts[i] + e->byte_start, e->score);
        }
    nerfit_session_free(session);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL TEXT...\n", argv[0]);
        return 2;
    }
    nerfit_error error;
    nerfit_model *model;
    nerfit_model_options options = {.size = sizeof options,
                                    .threads = 1}; /* each session uses one core */
    if (nerfit_model_load(&model, argv[1], &options, &error) != NERFIT_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    size_t count = (size_t)argc - 2, half = count / 2;
    const char *const *texts = (const char *const *)argv + 2;
    job jobs[2] = {{.model = model, .texts = texts, .count = half},
                   {.model = model, .texts = texts + half, .count = count - half}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, work, &jobs[i]);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    int failed = 0;
    for (int i = 0; i < 2; i++)
        if (jobs[i].status != NERFIT_OK) {
            fprintf(stderr, "%s\n", jobs[i].error.text);
            failed = 1;
        }
    nerfit_model_free(model);
    return failed;
}
