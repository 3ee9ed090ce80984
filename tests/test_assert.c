/* What the code takes for granted is checked in builds with asserts (sanitizers, DEBUG=1): each
 * broken claim ends a child process. Other builds skip. */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "tensor/backends.h"
#include "tensor/workspace.h"

static nerfit_error error;
static nf_backend *be;

static void attend(int32_t end, int32_t longest, int32_t n_kv_heads, ptrdiff_t stride) {
    static float memory[5][64];
    const int32_t cu[] = {0, 3, end};
    const nf_sequences sequences = {cu, 2, 4, longest};
    const nf_attention_shape shape = {.n_heads = 2,
                                      .n_kv_heads = n_kv_heads,
                                      .head_size = 4,
                                      .scale = 0.5,
                                      .q_stride = stride,
                                      .kv_stride = 8};
    const nf_attention_operands a = {.q = (nf_values *)memory[0],
                                     .k = (nf_values *)memory[1],
                                     .v = (nf_values *)memory[2],
                                     .out = (nf_values *)memory[3],
                                     .lse = (nf_values *)memory[4],
                                     .sequences = &sequences,
                                     .shape = &shape};
    be->attention_forward(be, &a);
}

static void right(void) {
    attend(4, 3, 2, 8);
}
static void texts_end_too_early(void) {
    attend(3, 3, 2, 8);
}
static void texts_go_backwards(void) {
    attend(2, 3, 2, 8);
}
static void text_is_longer(void) {
    attend(4, 2, 2, 8);
}
static void heads_do_not_divide(void) {
    attend(4, 3, 3, 8);
}
static void rows_overlap(void) {
    attend(4, 3, 2, 7);
}

static void cross_entropy(int32_t label) {
    float logits[6] = {0};
    const int32_t labels[] = {-100, label};
    be->cross_entropy(be, NULL, (nf_values *)logits, &(nf_targets){labels, 2, 3, 0.0}, 1.0);
}
static void label_below(void) {
    cross_entropy(2);
}
static void label_too_large(void) {
    cross_entropy(3);
}

static void marks(bool twice) {
    nf_workspace *ws;
    if (nf_workspace_new(&ws, be, &error) != NERFIT_OK) return;
    nf_workspace_reals(ws, 10);
    nf_workspace_mark outer = nf_workspace_here(ws);
    nf_workspace_reals(ws, 10);
    nf_workspace_mark inner = nf_workspace_here(ws);
    if (twice) nf_workspace_return(ws, outer);
    nf_workspace_return(ws, inner); /* of what was given back, if twice */
    nf_workspace_return(ws, outer);
    nf_workspace_free(ws);
}
static void marks_nest(void) {
    marks(false);
}
static void mark_is_gone(void) {
    marks(true);
}

/* Whether a child that does the work is ended by an assert. */
static bool ends(void (*work)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        freopen("/dev/null", "w", stderr);
        signal(SIGABRT, SIG_DFL);
        work();
        _exit(0);
    }
    int status;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_claims(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*work)(void);
        bool ends;
    } cases[] = {
        {"right", right, false},
        {"texts end too early", texts_end_too_early, true},
        {"texts go backwards", texts_go_backwards, true},
        {"a text is longer than the longest", text_is_longer, true},
        {"heads do not divide", heads_do_not_divide, true},
        {"rows overlap", rows_overlap, true},
        {"a label below the count", label_below, false},
        {"a label past the count", label_too_large, true},
        {"marks nest", marks_nest, false},
        {"a mark of what was given back", mark_is_gone, true},
    };
    if (!NF_ASSERTING) {
        print_message("skipped: this build has no asserts\n");
        skip();
    }
    static const size_t N = sizeof cases / sizeof *cases;
    for (int b = 0; b < 2; b++) {
        assert_ok(b ? nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error)
                    : nf_backend_ref(&be, sizeof(float), &error),
                  &error);
        for (size_t i = 0; i < N; i++)
            if (ends(cases[i].work) != cases[i].ends)
                fail_msg("%s, %s: expected that it %s", be->name, cases[i].name,
                         cases[i].ends ? "ends the program" : "goes on");
        be->free(be);
    }
}

#if defined(__SANITIZE_ADDRESS__)
/* A block that writes past the shape that it took. */
static void writes_past(void) {
    nf_workspace *ws;
    if (nf_workspace_new(&ws, be, &error) != NERFIT_OK) return;
    nf_values *x = nf_workspace_reals(ws, 100);
    nf_workspace_reals(ws, 1000);
    be->zero(be, x, 150);
    nf_workspace_free(ws);
}
static void reads_what_was_given_back(void) {
    nf_workspace *ws;
    if (nf_workspace_new(&ws, be, &error) != NERFIT_OK) return;
    nf_workspace_mark mark = nf_workspace_here(ws);
    nf_values *x = nf_workspace_reals(ws, 100);
    be->zero(be, x, 100);
    nf_workspace_return(ws, mark);
    float out[1];
    be->to_f32(be, out, x, 1);
    nf_workspace_free(ws);
}
#endif

static void test_workspace_red_lines(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    assert_true(ends(writes_past));
    assert_true(ends(reads_what_was_given_back));
    be->free(be);
#else
    print_message("skipped: not under AddressSanitizer\n");
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_workspace_red_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
