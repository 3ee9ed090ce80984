/* bench: how fast a model is here; quantize: what int8 costs it in F1. */
#include "number.h"

#include <stdio.h>
#include <stdlib.h>

static int run_bench(const command *self, int argc, char **argv) {
    const char *precision = NULL, *threads = NULL, *backend = NULL, *seconds = NULL, *operands[1];
    bool json = false, quiet = false;
    size_t n;
    const cli_option options[] = {
        {"--seconds", "X", "for each measurement; 3 if not given", &seconds, NULL},
        {"--precision", "auto|f32|bf16|int8", "of matrix products; int8 is for tagging alone",
         &precision, NULL},
        {"--threads", "N", "CPU threads; all cores if not given", &threads, NULL},
        {"--backend", cli_backends(), cli_backends_help(), &backend, NULL},
        {"--json", NULL, "as JSON", NULL, &json},
        {"--quiet", NULL, "only warnings and errors", NULL, &quiet}};
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, operands, 1, &n);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "MODEL is missing");
    double given = 3.0;
    if (seconds && (!cli_number(seconds, &given) || !(given > 0.0 && given <= 3600.0)))
        return cli_usage(self, "--seconds %s: expected a number of seconds, up to 3600", seconds);
    nerfit_model_options machine = {.size = sizeof machine,
                                    .backend = backend,
                                    .precision = precision,
                                    .log = cli_log,
                                    .log_user = &quiet};
    if ((status = cli_threads(self, threads, &machine.threads)) >= 0) return status;
    nerfit_error error;
    nerfit_benchmark benchmark;
    if (nerfit_model_benchmark(operands[0], &machine, given, &benchmark, &error) != NERFIT_OK)
        return cli_fail(&error);
    fputs(json ? benchmark.json : benchmark.text, stdout);
    if (json) putchar('\n');
    nerfit_benchmark_free(&benchmark);
    return DONE;
}

const command command_bench = {"bench", "MODEL [options]",
                               "measure a model's speed on this machine",
                               "Tags made-up texts and trains on made-up labels: texts and steps a "
                               "second, their share of the\n"
                               "speed of bare matrix products, and the time by operation (of one "
                               "thread). MODEL may be a bare\n"
                               "encoder; it is only read.\n\n"
                               "  nerfit bench runs/alarm/best",
                               run_bench};

static int run_quantize(const command *self, int argc, char **argv) {
    const char *format = NULL, *threads = NULL, *operands[2];
    bool force = false, quiet = false;
    size_t n;
    const cli_option options[] = {
        {"--format", "FORMAT", NULL, &format, NULL},
        {"--from", "NAME", cli_format_help(NERFIT_FORMATS_READ, "of DATA: "), &format, NULL},
        {"--force", NULL, "accept any loss", NULL, &force},
        {"--threads", "N", "CPU threads; all cores if not given", &threads, NULL},
        {"--quiet", NULL, "only warnings and errors", NULL, &quiet}};
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, operands, 2, &n);
    if (status >= 0) return status;
    if (n < 2) return cli_usage(self, "%s is missing", n ? "DATA" : "MODEL");
    /* no log: loading in int8 warns of what is being done here */
    nerfit_model_options machine = NERFIT_MODEL_OPTIONS_INIT;
    if ((status = cli_threads(self, threads, &machine.threads)) >= 0) return status;
    nerfit_error error;
    nerfit_quantization q;
    if (nerfit_model_quantize(operands[0], operands[1], format, &machine, force, &q, &error) !=
        NERFIT_OK)
        return cli_fail(&error);
    printf("F1 %.4f, in int8 %.4f (%+.2f points)\n", q.f1, q.f1_int8, 100.0 * (q.f1_int8 - q.f1));
    if (!quiet) fprintf(stderr, "%s can be used with --dtype int8\n", operands[0]);
    return DONE;
}

const command command_quantize = {
    "quantize", "MODEL DATA [options]", "see whether a model can be used in int8",
    "Scores MODEL on the annotated texts of DATA at full precision and in int8. A loss of more "
    "than\n"
    "0.5 points of F1 is refused (see --force); otherwise the result is kept in MODEL/int8.json.\n"
    "Then:  nerfit predict MODEL --dtype int8",
    run_quantize};
