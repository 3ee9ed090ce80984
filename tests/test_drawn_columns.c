/* The columns of a step of pre-training with more types than fit: a batch's own and others, and its texts
 * with columns for types. */
#include "documents.h"

#include "recipe/drawn_columns.h"

enum { TYPES = 1000, TEXTS = 400, LENGTH = 6 };

static nerfit_error error;

typedef struct corpus {
    nf_example items[TEXTS];
    int32_t labels[TEXTS][LENGTH];
    nf_entity entities[TEXTS][2];
    int32_t looked_for[3];
} corpus;

/* Every second text has type 0; text i has type i, too, its second token B-, its third I-. */
static void make(corpus *c) {
    for (int32_t i = 0; i < TEXTS; i++) {
        int32_t *labels = c->labels[i];
        labels[0] = labels[LENGTH - 1] = NF_LABEL_IGNORED;
        labels[1] = nf_label_id(i, 0);
        labels[2] = nf_label_id(i, 1);
        labels[3] = NF_LABEL_O;
        labels[4] = i % 2 ? NF_LABEL_O : nf_label_id(0, 0);
        c->entities[i][0] = (nf_entity){1, 3, i, 0};
        c->entities[i][1] = (nf_entity){4, 5, 0, 0};
        c->items[i] = (nf_example){.labels = labels,
                                   .length = LENGTH,
                                   .entities = c->entities[i],
                                   .n_entities = i % 2 ? 1 : 2};
    }
    c->looked_for[0] = 7, c->looked_for[1] = 0, c->looked_for[2] = 999;
    c->items[7].looked_for = c->looked_for;
    c->items[7].n_looked_for = 3;
}

static void draw(nf_drawn_columns *out, corpus *c, uint64_t step, const nf_example **batch) {
    const nf_examples set = {.items = c->items, .count = TEXTS};
    batch[0] = &c->items[7];
    batch[1] = &c->items[300];
    assert_ok(nf_columns_draw(out, &set, TYPES, 3, step, batch, 2, &error), &error);
}

static bool has(const nf_drawn_columns *d, int32_t type) {
    for (size_t i = 0; i < d->count; i++)
        if (d->types[i] == type) return true;
    return false;
}

static void test_texts(void **state) {
    (void)state;
    static corpus c;
    nf_drawn_columns d = {0};
    const nf_example *batch[2];
    make(&c);
    draw(&d, &c, 1, batch);
    assert_int_equal(d.count, NF_MOST_COLUMNS);
    for (size_t i = 0; i < d.count; i++) /* no type twice */
        for (size_t k = 0; k < i; k++) assert_int_not_equal(d.types[i], d.types[k]);
    assert_true(has(&d, 7) && has(&d, 300) && has(&d, 0));
    static const int32_t of[] = {7, 300};
    for (size_t i = 0; i < 2; i++) {
        const nf_example *text = batch[i], *before = &c.items[of[i]];
        assert_ptr_not_equal(text, before);
        for (size_t k = 0; k < LENGTH; k++) {
            int32_t label = text->labels[k];
            if (label <= NF_LABEL_O) {
                assert_int_equal(label, before->labels[k]);
                continue;
            }
            assert_int_equal(nf_label_kind(label), nf_label_kind(before->labels[k]));
            assert_int_equal(d.types[nf_label_type(label)], nf_label_type(before->labels[k]));
        }
        assert_int_equal(text->n_entities, before->n_entities);
        for (size_t k = 0; k < text->n_entities; k++)
            assert_int_equal(d.types[text->entities[k].type], before->entities[k].type);
    }
    assert_null(batch[1]->looked_for);
    assert_int_equal(batch[0]->n_looked_for, 2 + has(&d, 999));
    assert_int_equal(d.types[batch[0]->looked_for[0]], 7);
    assert_int_equal(c.items[7].labels[1], nf_label_id(7, 0)); /* the set's own stay */
    nf_drawn_columns_free(&d);
}

static void test_draws(void **state) {
    (void)state;
    static corpus c;
    nf_drawn_columns one = {0}, again = {0}, other = {0};
    const nf_example *batch[2];
    size_t shared = 0, never = 0;
    make(&c);
    draw(&one, &c, 1, batch);
    draw(&again, &c, 1, batch);
    draw(&other, &c, 2, batch);
    assert_memory_equal(one.types, again.types, one.count * sizeof *one.types);
    for (size_t i = 0; i < one.count; i++) {
        shared += has(&other, one.types[i]);
        never += one.types[i] >= TEXTS;
    }
    assert_in_range(shared, 3, NF_MOST_COLUMNS - 50);
    assert_int_equal(never, 0); /* annotated types are enough: those without a text stay out */
    nf_drawn_columns_free(&one);
    nf_drawn_columns_free(&again);
    nf_drawn_columns_free(&other);
}

/* More types in a batch than a step has columns: all of them. */
static void test_a_large_batch(void **state) {
    (void)state;
    static corpus c;
    nf_drawn_columns d = {0};
    const nf_example *batch[TEXTS];
    make(&c);
    const nf_examples set = {.items = c.items, .count = TEXTS};
    for (size_t i = 0; i < TEXTS; i++) batch[i] = &c.items[i];
    assert_ok(nf_columns_draw(&d, &set, TYPES, 0, 0, batch, TEXTS, &error), &error);
    assert_int_equal(d.count, TEXTS);
    nf_drawn_columns_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_draws),
                                       cmocka_unit_test(test_a_large_batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
