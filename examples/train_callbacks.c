/* Trains from a program: options in code, an annotation format of one's own, and progress.
 *
 * The format here is a text and its entities divided by tabs: "wake me at nine<TAB>11-15:time".
 *
 *   ./train_callbacks ENCODER ANNOTATIONS DESCRIPTIONS OUTPUT */
#include <nerfit.h>
#include <stdio.h>
#include <string.h>

static nerfit_status parse(void *user, const char *line, size_t size, nerfit_annotation *out) {
    (void)user;
    if (size == 0) return NERFIT_OK; /* an empty line: no text */
    const char *end = line + size, *tab = memchr(line, '\t', size);
    nerfit_status status = nerfit_annotation_set_text(out, line, tab ? (size_t)(tab - line) : size);
    while (status == NERFIT_OK && tab && tab < end) {
        long start, stop;
        char label[64];
        if (sscanf(tab + 1, "%ld-%ld:%63[^\t\n]", &start, &stop, label) != 3) return NERFIT_FORMAT;
        status = nerfit_annotation_add(out, start, stop, label);
        tab = memchr(tab + 1, '\t', (size_t)(end - tab - 1));
    }
    return status;
}

static bool on_event(void *user, const nerfit_event *event) {
    (void)user;
    if (event->kind == NERFIT_EVENT_LOG || event->kind == NERFIT_EVENT_EVALUATE)
        printf("stage %d, step %lld: %s\n", event->stage, (long long)event->step, event->json);
    return true; /* false would stop the run and leave a checkpoint */
}

static void on_log(void *user, nerfit_log_level level, const char *message) {
    (void)user;
    fprintf(stderr, "%s%s\n", level == NERFIT_LOG_WARNING ? "warning: " : "", message);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: %s ENCODER ANNOTATIONS DESCRIPTIONS OUTPUT\n", argv[0]);
        return 2;
    }
    const char *const settings[][2] = {
        {"model_name", argv[1]}, {"st_model_name", argv[1]}, {"train_annotations", argv[2]},
        {"ent2emb", argv[3]},    {"output_dir", argv[4]},    {"overwrite_output_dir", "true"},
        {"max_steps", "20,60"},  {"warmup_steps", "5"},      {"learning_rate", "1e-4,5e-4"},
        {"logging_steps", "20"}, {"save_strategy", "no"},
    };
    nerfit_error error;
    nerfit_config *config;
    nerfit_status status = nerfit_config_new(&config, &error);
    if (status != NERFIT_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings && status == NERFIT_OK; i++)
        status = nerfit_config_set(config, settings[i][0], settings[i][1], &error);
    nerfit_callbacks callbacks = {
        .size = sizeof callbacks, .log = on_log, .event = on_event, .parse = parse};
    nerfit_train_result result;
    if (status == NERFIT_OK) status = nerfit_train(config, &callbacks, &result, &error);
    if (status == NERFIT_OK) {
        printf("the model is in %s\n", result.model_folder);
        nerfit_train_result_free(&result);
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    nerfit_config_free(config);
    return status == NERFIT_OK ? 0 : 1;
}
