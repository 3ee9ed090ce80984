/* The shapes of words, and the table of their embeddings from training to tagging. */
#include "tiny_run.h"

#include <math.h>

#include "model/word_shape.h"
#include "text/word_shapes.h"
#include "text/word_starts.h"
#include "train/examples.h"

static nerfit_error error;

/* Every word of ASCII text between blanks as one letter: - marks, 0 digits, 4 both, s small, C
 * capitalised, F the same where a sentence begins, A one capital, U capitals, m mixed. */
static void check(const char *text, const char *expected) {
    static const char letters[] = "?-04sCFAUm";
    uint32_t starts[64], ends[64];
    int32_t words[64], shapes[64];
    bool begins[64];
    nf_encoding e = {.starts = starts, .ends = ends, .words = words};
    char got[64] = "", *at = got;
    /* a token for every code point; blanks have none */
    uint32_t index = 0;
    for (const char *c = text; *c; index++) {
        if (*c != ' ') {
            starts[e.length] = index, ends[e.length] = index + 1;
            words[e.length++] = (int32_t)index;
        }
        do c++;
        while (((unsigned char)*c & 0xC0) == 0x80);
    }
    assert_ok(nf_word_starts(&(nf_encoded_text){&e, 0, 0, text, strlen(text)}, NF_WORDS_BLANKS,
                             begins, &error),
              &error);
    nf_word_shapes(&(nf_encoded_text){&e, 0, 0, text, strlen(text)}, begins, shapes);
    for (size_t i = 0; i < e.length; i++) {
        if (begins[i])
            *at++ = letters[shapes[i]];
        else if (letters[shapes[i]] != at[-1])
            fail_msg("\"%s\": a word has two shapes", text);
    }
    *at = '\0';
    if (strcmp(got, expected) != 0) fail_msg("\"%s\": %s, expected %s", text, got, expected);
}

static void test_shapes(void **state) {
    (void)state;
    check("Wake me in Paris at 9 .", "FssCs0-");
    check("we saw Bob . Then Al ! \" Now \" , Ed", "ssC-FC--F--C");
    check("a A U.S. NATO iPhone McDonald O'Brien", "sAU-Ummm");
    check("4pm G20 1,000 10% :) ... Well", "4400-----F");
    check("Paris-based \xC3\x89tat \xC3\xA9tat \xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0",
          "FCsC");
    check("\xE4\xB8\x9C \xE4\xBA\xAC", "ss"); /* no case */
    check("", "");
}

static const char TRAIN[] = "wake me up at [time : Nine]\nplay [song : JAZZ] in [place : Madrid]\n"
                            "call [person : Bob] at [time : Ten] please\nplease wake me up\n"
                            "now [person : Bob] is in [place : Rome]\nplay [song : JAZZ] now\n"
                            "call me at [time : Nine]\nwake [person : Bob] in [place : Rome]\n";

static int make_root(void **state) {
    (void)state;
    make_tiny_root(TRAIN, "time: a time of day\nsong: a song\nplace: a city\nperson: a name\n");
    return 0;
}

static int64_t stop_at;
static bool stops(void *user, const nerfit_event *event) {
    (void)user;
    return !(event->kind == NERFIT_EVENT_STEP && event->step == stop_at);
}

static nerfit_status run(work *what, const char *output, int64_t stop, const char *const *extra) {
    const char *const settings[] = {"model_name",
                                    in_root("encoder"),
                                    "st_model_name",
                                    in_root("encoder"),
                                    "output_dir",
                                    in_root(output),
                                    "head_learning_rate",
                                    "5e-2",
                                    "threads",
                                    "2",
                                    "word_shape",
                                    "true",
                                    "per_device_train_batch_size",
                                    "4",
                                    NULL};
    nerfit_config *config = config_of(settings, extra);
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .event = stops};
    stop_at = stop;
    return run_config(what, config, &callbacks, &error);
}

static nerfit_status train(const char *output, int64_t stop, const char *const *more) {
    const char *settings[64] = {"train_annotations", in_root("train.txt"),
                                "ent2emb",           in_root("labels.yaml"),
                                "max_steps",         "4,12",
                                "calibration",       "none",
                                "precision",         "f32",
                                "learning_rate",     "5e-3",
                                "warmup_steps",      "2"};
    size_t n = 14;
    for (; *more; more++) settings[n++] = *more;
    return run(nerfit_train, output, stop, settings);
}

/* The scores of a text's sub-words. */
static size_t scores(const char *folder, const char *text, double *out, size_t most) {
    const nerfit_model_options options = {.size = sizeof options, .precision = "f32", .threads = 1};
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *p;
    assert_ok(nerfit_model_load(&model, folder, &options, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_predict(session, &text, NULL, 1, &p, &error), &error);
    size_t n = p->n_tokens < most ? p->n_tokens : most;
    for (size_t i = 0; i < n; i++) out[i] = p->tokens[i].score;
    nerfit_session_free(session);
    nerfit_model_free(model);
    return n;
}

static double distance(const char *folder, const char *text, const char *other, const char *text2) {
    double a[16], b[16], most = 0.0;
    size_t n = scores(folder, text, a, 16);
    assert_int_equal(scores(other, text2, b, 16), n);
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

static const char CASED[] = "wake Bob at Nine in ROME", SMALL[] = "wake bob at nine in rome";
static const char *const full[] = {NULL};
static const char *const dora[] = {"peft_lora", "true", "lora_r", "4", "use_dora", "true", NULL};
static const char *const original[] = {"recipe", "original", NULL};
static const char *const *const kinds[] = {full, dora, original};

/* The encoder is uncased: only the table can tell the two texts apart. */
static void test_training(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        nf_directory_remove(in_root("run"), NULL);
        assert_ok(train("run", 0, kinds[k]), &error);
        assert_true(distance(in_root("run/best"), CASED, in_root("run/best"), SMALL) > 1e-3);
        if (kinds[k] == dora)
            assert_true(distance(in_root("run/best"), CASED, in_root("run/adapter"), CASED) < 1e-5);
        nf_file file;
        assert_ok(nf_file_open(&file, in_root("run/best/README.md"), &error), &error);
        assert_non_null(memmem(file.data, file.size, "word shapes", 11));
        nf_file_close(&file);
        /* the weights alone are what transformers reads: an ordinary uncased model */
        assert_int_equal(unlink(in_root("run/best/word_shape.safetensors")), 0);
        assert_true(distance(in_root("run/best"), CASED, in_root("run/best"), SMALL) == 0.0);
    }
    assert_ok(run(nerfit_train, "without", 0,
                  (const char *const[]){"word_shape", "false", "train_annotations",
                                        in_root("train.txt"), "ent2emb", in_root("labels.yaml"),
                                        "max_steps", "0,4", "calibration", "none", NULL}),
              &error);
    assert_false(nf_word_shape_in(in_root("without/best")));
}

/* Of a text of several windows every one gets its own part of the shapes: capitals in the last
 * change nothing in the first. Of the pieces of a training text, too. */
static void test_long_text(void **state) {
    (void)state;
    enum { WORDS = 200, MOST = 1024 };
    static char small[8192], mixed[8192];
    static double a[MOST], b[MOST];
    assert_ok(train("long", 0, full), &error);
    for (size_t i = 0; i < WORDS; i++) {
        strcat(small, "rome ");
        strcat(mixed, i < WORDS - 20 ? "rome " : "ROME ");
    }
    size_t n = scores(in_root("long/best"), small, a, MOST);
    assert_int_equal(scores(in_root("long/best"), mixed, b, MOST), n);
    assert_true(n >= WORDS && n < MOST);
    assert_memory_equal(a, b, n / 2 * sizeof *a);
    double most = 0.0;
    for (size_t i = n - 10; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
    assert_true(most > 1e-3);

    nf_tokenizer *tokenizer;
    nf_examples examples = {0};
    nf_label_set labels = {0};
    nf_document document = {.text = mixed, .text_size = strlen(mixed), .file = "long"};
    nf_corpus corpus = {.documents = &document, .n_documents = 1};
    assert_ok(nf_tokenizer_load(&tokenizer, in_root("encoder"), &error), &error);
    assert_ok(
        nf_examples_make(&examples, &corpus, &labels, tokenizer, 32, NF_WORDS_BLANKS, NULL, &error),
        &error);
    assert_true(examples.count > 5);
    size_t at = 0;
    for (size_t e = 0; e < examples.count; e++) {
        const nf_example *x = &examples.items[e];
        assert_int_equal(x->shapes[0], NF_SHAPE_NONE);
        assert_int_equal(x->shapes[x->length - 1], NF_SHAPE_NONE);
        for (size_t t = 1; t + 1 < x->length; t++, at++)
            assert_int_equal(x->shapes[t], at < WORDS - 20 ? NF_SHAPE_SMALL : NF_SHAPE_CAPITALS);
    }
    assert_int_equal(at, WORDS);
    nf_examples_free(&examples);
    nf_tokenizer_free(tokenizer);
}

static void test_resume(void **state) {
    (void)state;
    static const char *const again[] = {"resume_from_checkpoint", "true", NULL};
    assert_ok(train("whole", 0, full), &error);
    assert_int_equal(train("parts", 7, full), NERFIT_CANCELLED);
    assert_ok(train("parts", 0, again), &error);
    assert_same_file(in_root("whole/best/word_shape.safetensors"),
                     in_root("parts/best/word_shape.safetensors"));
    assert_same_file(in_root("whole/best/model.safetensors"),
                     in_root("parts/best/model.safetensors"));
}

/* What pre-training and a finished model learned of shapes is kept, asked for again or not. */
static void test_going_on(void **state) {
    (void)state;
    for (int lora = 0; lora < 2; lora++) {
        nf_directory_remove(in_root("general"), NULL);
        nf_directory_remove(in_root("run"), NULL);
        assert_ok(run(nerfit_pretrain, "general", 0,
                      (const char *const[]){"pretrain_annotations", in_root("train.txt"),
                                            "pretrain_ent2emb", in_root("labels.yaml"), "max_steps",
                                            "8", "peft_lora", lora ? "true" : "false", NULL}),
                  &error);
        assert_true(nf_word_shape_in(in_root("general/best")));
        char general[160];
        strcpy(general, in_root("general/best"));
        assert_ok(
            train("run", 0,
                  (const char *const[]){"word_shape", "false", lora ? "pretrained" : "model_name",
                                        general, "max_steps", "0", NULL}),
            &error);
        assert_same_file(in_root("general/best/word_shape.safetensors"),
                         in_root("run/best/word_shape.safetensors"));
    }
}

static void test_bad_file(void **state) {
    (void)state;
    const char *const settings[] = {"max_steps", "0,1", "word_shape", "false", NULL};
    char path[200];
    snprintf(path, sizeof path, "%s", in_root("encoder/word_shape.safetensors"));
    write_text(path, "nonsense");
    assert_int_equal(train("bad", 0, settings), NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "word_shape.safetensors"));
    static const float values[8] = {0};
    const nf_to_store tensor = {.name = "word_shape.weight",
                                .type = NF_STORED_F32,
                                .n_dims = 2,
                                .dims = {4, 2},
                                .data = values};
    assert_ok(nf_safetensors_save(path, &tensor, 1, NULL, &error), &error);
    assert_int_equal(train("bad", 0, settings), NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "expected a tensor \"word_shape.weight\" of 10 x "));
    assert_int_equal(unlink(path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),    cmocka_unit_test(test_training),
        cmocka_unit_test(test_long_text), cmocka_unit_test(test_resume),
        cmocka_unit_test(test_going_on),  cmocka_unit_test(test_bad_file)};
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
