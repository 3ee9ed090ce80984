/* The SemEval'13 measures: equal to nervaluate on the texts of tools/golden/semeval.py. */
#include "test.h"

#include "base/json.h"
#include "eval/semeval.h"
#include "eval/type_names.h"

enum { MOST = 64 };

static size_t entities_of(nf_type_names *types, const json_t *list, nf_entity *out) {
    size_t i;
    json_t *item;
    nerfit_error error;
    assert_true(json_array_size(list) <= MOST);
    json_array_foreach(list, i, item) {
        const char *label = json_string_value(json_array_get(item, 2));
        out[i] = (nf_entity){.start = (uint32_t)json_integer_value(json_array_get(item, 0)),
                             .end = (uint32_t)json_integer_value(json_array_get(item, 1))};
        assert_ok(nf_type_names_add(types, label, &out[i].type, &error), &error);
    }
    return json_array_size(list);
}

/* `wanted`: measure: [correct, ..., f1] */
static bool same_scores(size_t number, const char *label, const nf_semeval_score *scores,
                        const json_t *wanted) {
    bool same = true;
    for (nf_semeval_measure m = 0; m < NF_SEMEVAL_MEASURES; m++) {
        const nf_semeval_score *s = &scores[m];
        const json_t *row = json_object_get(wanted, nf_semeval_name(m));
        double got[] = {(double)s->correct,  (double)s->incorrect,
                        (double)s->partial,  (double)s->missed,
                        (double)s->spurious, (double)s->possible,
                        (double)s->actual,   s->precision,
                        s->recall,           s->f1};
        assert_int_equal(json_array_size(row), sizeof got / sizeof *got);
        for (size_t i = 0; i < sizeof got / sizeof *got; i++)
            if (got[i] != json_number_value(json_array_get(row, i))) {
                print_error("case %zu, %s, %s: field %zu is %.17g, expected %.17g\n", number, label,
                            nf_semeval_name(m), i, got[i],
                            json_number_value(json_array_get(row, i)));
                same = false;
            }
    }
    return same;
}

static void check_golden(void **state) {
    (void)state;
    nerfit_error error;
    json_t *golden, *one;
    size_t number, wrong = 0;
    assert_ok(nf_json_load(&golden, "tests/golden/semeval.json", &error), &error);
    json_t *cases = json_object_get(golden, "cases");
    assert_true(json_array_size(cases) > 50);
    json_array_foreach(cases, number, one) {
        nf_semeval s = {0};
        nf_type_names names = {0};
        json_t *gold = json_object_get(one, "gold"), *predicted = json_object_get(one, "predicted");
        for (size_t i = 0; i < json_array_size(gold); i++) {
            nf_entity g[MOST], p[MOST];
            size_t n_gold = entities_of(&names, json_array_get(gold, i), g);
            size_t n_predicted = entities_of(&names, json_array_get(predicted, i), p);
            assert_ok(nf_semeval_add(&s, g, n_gold, p, n_predicted, &error), &error);
        }
        bool same = same_scores(number, "overall", s.overall, json_object_get(one, "overall"));
        json_t *types = json_object_get(one, "types");
        assert_int_equal(s.n_types, json_object_size(types));
        for (size_t i = 0; i < s.n_types; i++) {
            const json_t *wanted = json_object_get(types, names.names[i]);
            assert_non_null(wanted);
            same &= same_scores(number, names.names[i], s.types[i].scores, wanted);
        }
        wrong += !same;
        nf_semeval_free(&s);
        nf_type_names_free(&names);
    }
    json_decref(golden);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_golden)};
    return cmocka_run_group_tests_name("semeval", tests, NULL, NULL);
}
