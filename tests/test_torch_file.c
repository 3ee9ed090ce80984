/* Files of torch.save: the same tensors as in the safetensors file beside each, and what is said of
 * broken ones. Files by tools/golden/torch_files.py. */
#include "test.h"

#include "tensor/safetensors.h"

static nerfit_error error;

static void compare(const char *name, const nf_safetensors *given, const nf_safetensors *expected) {
    assert_int_equal(nf_safetensors_count(given), nf_safetensors_count(expected));
    for (size_t i = 0; i < nf_safetensors_count(expected); i++) {
        const nf_stored *wanted = nf_safetensors_at(expected, i),
                        *found = nf_safetensors_find(given, wanted->name);
        if (!found) fail_msg("%s: no tensor %s", name, wanted->name);
        assert_int_equal(found->type, wanted->type);
        assert_int_equal(found->n_dims, wanted->n_dims);
        assert_memory_equal(found->dims, wanted->dims, sizeof(int64_t) * (size_t)wanted->n_dims);
        assert_int_equal(found->count, wanted->count);
        assert_int_equal(found->size, wanted->size);
        if (wanted->size && memcmp(found->data, wanted->data, wanted->size) != 0)
            fail_msg("%s: other values of %s", name, wanted->name);
    }
}

static void test_golden(void **state) {
    (void)state;
    static const struct {
        const char *name, *note;
    } cases[] = {
        {"plain", NULL},
        {"legacy", NULL},
        {"protocol4", NULL},
        {"strided", NULL},
        {"strided-legacy", NULL},
        {"parameters", NULL},
        {"module", NULL},
        {"nested", "its tensors stand under \"state_dict\""},
        {"compiled", "\"_orig_mod.\" (torch.compile's) is taken off its tensors' names"},
        {"parallel", "\"module.\" (DataParallel's) is taken off its tensors' names"},
        {"sharded", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[128];
        nf_safetensors *given, *expected;
        bool folder = strcmp(cases[i].name, "sharded") == 0;
        snprintf(path, sizeof path, "tests/golden/torch/%s%s", cases[i].name, folder ? "" : ".bin");
        assert_ok(nf_safetensors_open(&given, path, &error), &error);
        snprintf(path, sizeof path, "tests/golden/torch/%s.safetensors", cases[i].name);
        assert_ok(nf_safetensors_open(&expected, path, &error), &error);
        compare(cases[i].name, given, expected);
        const char *note = nf_safetensors_note(given);
        assert_string_equal(note ? note : "", cases[i].note ? cases[i].note : "");
        nf_safetensors_close(given);
        nf_safetensors_close(expected);
    }
}

static void test_invalid(void **state) {
    (void)state;
    static const struct {
        const char *name;
        nerfit_status status;
        const char *text; /* behind the path */
    } cases[] = {
#define TENSORS_ALONE                                                                              \
    "which is not a tensor and could run code; expected a file of tensors alone "                  \
    "(torch.save(model.state_dict(), ...))"
        {"evil", NERFIT_UNSUPPORTED, "asks for posix.system, " TENSORS_ALONE},
        {"module", NERFIT_UNSUPPORTED, "asks for torch.nn.modules.linear.Linear, " TENSORS_ALONE},
        {"deflated", NERFIT_UNSUPPORTED,
         "is a zip archive whose parts are compressed or encrypted; torch.save writes them as they "
         "are"},
        {"no-tensors", NERFIT_FORMAT, "holds no dict of tensors; expected a state dict"},
        {"plain-pickle", NERFIT_UNSUPPORTED, "is a pickle that torch.save did not write"},
        {"cut", NERFIT_FORMAT, "is a broken file of torch.save: its archive has no end (cut off?)"},
        {"no-pickle", NERFIT_FORMAT, "is a zip archive without data.pkl: no file of torch.save"},
        {"no-storage", NERFIT_FORMAT, "tensor \"a\": its storage 0 is missing or cut off"},
        {"short-storage", NERFIT_FORMAT, "tensor \"a\": its storage 0 is missing or cut off"},
        {"big-endian", NERFIT_UNSUPPORTED, "is big-endian"},
        {"past-storage", NERFIT_FORMAT, "tensor \"a\" reaches past its storage"},
        {"past-offset", NERFIT_FORMAT, "tensor \"a\" reaches past its storage"},
        {"unknown-opcode", NERFIT_UNSUPPORTED,
         "its pickle has the opcode 0x81 at byte 116, which no file of tensors needs"},
        {"cut-pickle", NERFIT_FORMAT,
         "is broken or no file of torch.save: a line without an end at byte 27 of its pickle"},
        {"tar", NERFIT_UNSUPPORTED,
         "is a tar archive, as torch 0.1 wrote them; save it again with a later version of torch"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[128], wanted[512];
        nf_safetensors *file = (void *)1;
        snprintf(path, sizeof path, "tests/invalid/torch/%s.bin", cases[i].name);
        snprintf(wanted, sizeof wanted, "%s: %s", path, cases[i].text);
        nerfit_status status = nf_safetensors_open(&file, path, &error);
        if (status != cases[i].status || file || strcmp(error.text, wanted) != 0)
            fail_msg("%d %s\n  expected %s", status, error.text, wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_invalid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
