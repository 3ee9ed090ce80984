/* serve: models behind HTTP. */
#include "number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/serve.h"

enum { MOST_MODELS = 64 };

/* A number option: where it goes, and what it may be. */
typedef struct limit {
    const char *name, *text;
    double least, most, value;
} limit;

/* "name=folder", or a folder, whose name is "default" or that of the folder itself. */
static nf_serve_model model_of(char *given, bool first) {
    char *equals = strchr(given, '=');
    if (equals && equals != given && !memchr(given, '/', (size_t)(equals - given))) {
        *equals = '\0';
        return (nf_serve_model){given, equals + 1};
    }
    const char *slash = strrchr(given, '/');
    return (nf_serve_model){first ? "default" : slash && slash[1] ? slash + 1 : given, given};
}

/* --model may be given several times: what follows it joins the other operands. */
static int take_models(int argc, char **argv) {
    int n = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--model") == 0 && i + 1 < argc) continue;
        argv[n++] = strncmp(argv[i], "--model=", 8) == 0 ? argv[i] + 8 : argv[i];
    }
    return n;
}

static int read_limits(const command *self, limit *limits, size_t n) {
    for (size_t i = 0; i < n; i++) {
        limit *l = &limits[i];
        if (!l->text) continue;
        if (!cli_number(l->text, &l->value) || !(l->value >= l->least && l->value <= l->most))
            return cli_usage(self, "%s %s: expected a number from %g to %g", l->name, l->text,
                             l->least, l->most);
    }
    return -1;
}

static int check_models(const command *self, const nf_serve_model *models, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(models[i].name, models[k].name) == 0)
                return cli_usage(self, "two models are called \"%s\"; say NAME=MODEL",
                                 models[i].name);
    return -1;
}

static int serve(nf_serve_options *options) {
    nerfit_error error;
    return nf_serve_run(options, &error) == NERFIT_OK ? DONE : cli_fail(&error);
}

static int run_serve(const command *self, int argc, char **argv) {
    const char *host = "127.0.0.1", *encoder = NULL, *access_log = NULL, *precision = NULL,
               *threads = NULL, *backend = NULL, *operands[MOST_MODELS], *model = NULL,
               *project = NULL, *project_model = NULL;
    bool quiet = false;
    size_t n;
    enum {
        PORT,
        WINDOW,
        TOKENS,
        CONCURRENT,
        CLIENT,
        PAYLOAD,
        STREAM,
        MEMORY,
        CONNECTIONS,
        CLIENT_TIMEOUT,
        TIMEOUT,
        DRAIN,
        IDLE,
        N_LIMITS
    };
    limit limits[N_LIMITS] = {[PORT] = {"--port", NULL, 0, 65535, 3000},
                              [WINDOW] = {"--batch_window_ms", NULL, 0, 1000, 1},
                              [TOKENS] = {"--max_batch_tokens", NULL, 1, 1e6, 2048},
                              [CONCURRENT] = {"--max_concurrent_requests", NULL, 1, 1e6, 512},
                              [CLIENT] = {"--max_client_batch_size", NULL, 1, 1e6, 1024},
                              [PAYLOAD] = {"--payload_limit", NULL, 1, 1e9, 2e6},
                              [STREAM] = {"--stream_limit", NULL, 1, 1e12, 1e9},
                              [MEMORY] = {"--memory_limit", NULL, 1e6, 1e12, 256e6},
                              [CONNECTIONS] = {"--max_connections", NULL, 1, 1e6, 4096},
                              [CLIENT_TIMEOUT] = {"--client_timeout", NULL, 0.001, 86400, 20},
                              [TIMEOUT] = {"--request_timeout", NULL, 0.001, 86400, 60},
                              [DRAIN] = {"--drain_timeout", NULL, 0, 86400, 30},
                              [IDLE] = {"--idle_seconds", NULL, 0, 1e9, 120}};
    const cli_option options[] = {
        {"--model", "[NAME=]MODEL", "one more model; may be given several times", &model, NULL},
        {"--host", "NAME", "to listen on; 127.0.0.1 (this machine alone) if not given", &host,
         NULL},
        {"--port", "N", "3000 if not given; 0: any that is free", &limits[PORT].text, NULL},
        {"--encoder", "FOLDER", "a sentence encoder, for /embed", &encoder, NULL},
        {"--project", "FOLDER",
         "texts to annotate in the browser, and train with; made if it is not there", &project,
         NULL},
        {"--project_model", "MODEL",
         "what the project's models begin with: an encoder or a GLiNER model; all-MiniLM-L6-v2",
         &project_model, NULL},
        {"--idle_seconds", "SECONDS",
         "without a change, after which a page that is open has its project trained thoroughly; "
         "120; 0: never",
         &limits[IDLE].text, NULL},
        {"--access_log", "PATH", "a line of JSON for each request, without texts; -: on stdout",
         &access_log, NULL},
        {"--threads", "N", "workers; all cores if not given", &threads, NULL},
        {"--batch_window_ms", "X", "a text waits so long for others to be tagged with; 1",
         &limits[WINDOW].text, NULL},
        {"--max_batch_tokens", "N", "sub-words that are tagged together; 2048",
         &limits[TOKENS].text, NULL},
        {"--max_concurrent_requests", "N", "more wait for nothing: 429; 512",
         &limits[CONCURRENT].text, NULL},
        {"--max_client_batch_size", "N", "texts of a request; 1024", &limits[CLIENT].text, NULL},
        {"--payload_limit", "BYTES", "of a request's body; 2000000", &limits[PAYLOAD].text, NULL},
        {"--stream_limit", "BYTES", "of a body of NDJSON; 1e9", &limits[STREAM].text, NULL},
        {"--memory_limit", "BYTES", "of all bodies and replies together; 256e6",
         &limits[MEMORY].text, NULL},
        {"--max_connections", "N", "4096", &limits[CONNECTIONS].text, NULL},
        {"--client_timeout", "SECONDS",
         "that a client has for a request's head, and for a body and a reply, with a second more "
         "for "
         "every 5,000 bytes; 20",
         &limits[CLIENT_TIMEOUT].text, NULL},
        {"--request_timeout", "SECONDS", "until a reply; 60", &limits[TIMEOUT].text, NULL},
        {"--drain_timeout", "SECONDS", "that requests have after SIGTERM; 30", &limits[DRAIN].text,
         NULL},
        {"--precision", "auto|f32|bf16|int8", "of matrix products", &precision, NULL},
        {"--backend", cli_backends(), cli_backends_help(), &backend, NULL},
        {"--quiet", NULL, "only warnings and errors", NULL, &quiet}};
    argc = take_models(argc, argv);
    int status = cli_parse(self, argc, argv, options, sizeof options / sizeof *options, operands,
                           MOST_MODELS, &n);
    if (status < 0) status = read_limits(self, limits, N_LIMITS);
    nf_serve_options o = {.host = host,
                          .encoder = encoder,
                          .project = project,
                          .project_model = project_model,
                          .access_log = access_log,
                          .key = getenv("NERFIT_API_KEY"),
                          .log = cli_log,
                          .log_user = &quiet};
    o.machine = (nerfit_model_options){

        .size = sizeof o.machine,
        .backend = backend,
        .precision = precision,
        .log = cli_log,
        .log_user = &quiet};
    if (status < 0) status = cli_threads(self, threads, &o.machine.threads);
    if (status >= 0) return status;
    if (n == 0 && !project) return cli_usage(self, "MODEL is missing, or --project FOLDER");
    nf_serve_model models[MOST_MODELS];
    for (size_t i = 0; i < n; i++) models[i] = model_of((char *)(uintptr_t)operands[i], i == 0);
    for (size_t i = 0; i < n && project; i++)
        if (strcmp(models[i].name, "project") == 0)
            return cli_usage(self, "the model \"project\" is the project's; call it otherwise");
    if ((status = check_models(self, models, n)) >= 0) return status;
    if (o.key && !*o.key) o.key = NULL;
    o.models = models;
    o.n_models = n;
    o.port = (int)limits[PORT].value;
    o.batch_window = limits[WINDOW].value / 1e3;
    o.max_batch_tokens = (size_t)limits[TOKENS].value;
    o.max_concurrent_requests = (size_t)limits[CONCURRENT].value;
    o.max_client_batch_size = (size_t)limits[CLIENT].value;
    o.payload_limit = (size_t)limits[PAYLOAD].value;
    o.stream_limit = (size_t)limits[STREAM].value;
    o.memory_limit = (size_t)limits[MEMORY].value;
    o.max_connections = (size_t)limits[CONNECTIONS].value;
    o.client_timeout = limits[CLIENT_TIMEOUT].value;
    o.request_timeout = limits[TIMEOUT].value;
    o.drain_timeout = limits[DRAIN].value;
    o.idle_seconds = limits[IDLE].value;
    return serve(&o);
}

const command command_serve = {
    "serve", "[NAME=]MODEL ... [options]", "tag over HTTP",
    "POST /predict with {\"inputs\": \"a text\"} or a list of texts gives their entities; /docs "
    "lists everything. With NERFIT_API_KEY in the environment clients must show that key "
    "(Authorization: Bearer ...). A model that is trained anew takes the old one's place while "
    "the service runs; SIGTERM lets requests end first.\n\n"
    "  nerfit serve runs/alarm/best\n"
    "  curl 127.0.0.1:3000/predict -d '{\"inputs\": \"wake me at nine\"}'",
    run_serve};
