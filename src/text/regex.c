/* Runs a program by backtracking: what could still be tried lies on a stack of the thread's. Looks
 * and atomic groups run their part of the program with a stack of their own, on top of it. */
#include "text/regex.h"

#include <stdlib.h>

#include "base/array.h"
#include "text/regex_impl.h"
#include "text/unicode.h"

/* Steps back that one place of the text may take: Oniguruma's limit, too. What a whole text may take,
 * in code points taken by loops, turns of groups and steps back, grows with it: patterns that people
 * use take less than ten a byte, those whose time grows with the square are refused after seconds. */
enum { MAX_STEPS_BACK = 10000000, MAX_WORK = 10000000, MAX_WORK_A_BYTE = 100 };

/* Where to go on when what is tried fails. */
struct nf_regex_entry {
    uint32_t code;
    enum { BRANCH, GIVE_BACK, TAKE_MORE } kind;
    size_t at;
    size_t limit; /* GIVE_BACK: what lies before it must stay; TAKE_MORE: how many more at most */
};

typedef struct machine {
    const nf_regex_code *code;
    nf_regex_scratch *scratch;
    const char *text;
    size_t length;
    size_t count;           /* entries on the stack */
    size_t steps;           /* back, of this place of the text */
    size_t work, most_work; /* of the whole text */
    nf_regex_result failure;
} machine;

void nf_regex_scratch_free(nf_regex_scratch *scratch) {
    free(scratch->stack);
    *scratch = (nf_regex_scratch){0};
}

/* False if the text has had its share. */
static bool spend(machine *m, size_t work) {
    m->work += work;
    if (m->work > m->most_work) m->failure = NF_REGEX_TOO_HARD;
    return m->work <= m->most_work;
}

static bool push(machine *m, struct nf_regex_entry entry) {
    nf_regex_scratch *s = m->scratch;
    if (m->count == s->capacity &&
        !nf_array_reserve(&s->stack, &s->capacity, m->count + 1, sizeof *s->stack)) {
        m->failure = NF_REGEX_NO_MEMORY;
        return false;
    }
    s->stack[m->count++] = entry;
    return true;
}

/* The size of the code point at `at` if it is of the class, else 0. */
static inline size_t take(const machine *m, const nf_regex_class *set, size_t at) {
    if (at >= m->length) return 0;
    unsigned char byte = (unsigned char)m->text[at];
    if (byte < 0x80) return set->ascii[byte >> 6] >> (byte & 63) & 1;
    uint32_t c;
    size_t size = nf_utf8_next(m->text + at, &c);
    return nf_regex_class_has(set, c) ? size : 0;
}

static size_t back(const machine *m, size_t at) {
    do at--;
    while (((unsigned char)m->text[at] & 0xC0) == 0x80);
    return at;
}

static bool is_word_at(const machine *m, size_t at) {
    uint32_t c;
    nf_utf8_next(m->text + at, &c);
    return nf_class_flags_of(c) & NF_CLASS_WORD;
}

static bool holds(const machine *m, nf_regex_assert assert, size_t at) {
    bool edge;
    switch (assert) {
    case NF_ASSERT_LINE_START:
        return at == 0 || (m->text[at - 1] == '\n' && at < m->length);
    case NF_ASSERT_LINE_END:
        return at == m->length || m->text[at] == '\n';
    case NF_ASSERT_TEXT_START:
        return at == 0;
    case NF_ASSERT_TEXT_END:
        return at == m->length;
    case NF_ASSERT_TEXT_END_LINE:
        return at == m->length || (at + 1 == m->length && m->text[at] == '\n');
    default:
        edge = (at > 0 && is_word_at(m, back(m, at))) != (at < m->length && is_word_at(m, at));
        return edge == (assert == NF_ASSERT_WORD_EDGE);
    }
}

static bool run(machine *m, uint32_t pc, size_t at, size_t target, size_t *end);

static bool look(machine *m, uint32_t pc, size_t at) {
    const nf_regex_code *c = &m->code[pc];
    size_t end, start = at;
    if (!c->behind) return run(m, pc + 1, at, SIZE_MAX, &end);
    for (uint32_t n = 0; n <= c->max; n++) {
        if (n >= c->min && run(m, pc + 1, start, at, &end)) return true;
        if (start == 0 || m->failure) return false;
        start = back(m, start);
    }
    return false;
}

/* Takes code points for a loop; false if there are too few. May leave an entry. */
static bool loop(machine *m, uint32_t pc, size_t *at) {
    const nf_regex_code *c = &m->code[pc];
    size_t i = *at, size, least = i;
    uint32_t n = 0, wanted = c->greed == NF_LAZY ? c->min : c->max;
    while (n < wanted && (size = take(m, c->set, i)) > 0) {
        i += size;
        if (++n == c->min) least = i;
    }
    *at = i;
    if (!spend(m, n) || n < c->min) return false;
    if (c->greed == NF_LAZY)
        return n == c->max || push(m, (struct nf_regex_entry){pc, TAKE_MORE, i, c->max - n});
    return c->greed == NF_POSSESSIVE || i == least ||
           push(m, (struct nf_regex_entry){pc, GIVE_BACK, i, least});
}

/* Takes the newest entry from the stack; false if there is none above `base`. */
static bool retreat(machine *m, size_t base, uint32_t *pc, size_t *at) {
    while (m->count > base && !m->failure) {
        struct nf_regex_entry *entry = &m->scratch->stack[m->count - 1];
        const nf_regex_code *c = &m->code[entry->code];
        if (++m->steps > MAX_STEPS_BACK) m->failure = NF_REGEX_TOO_HARD;
        if (m->failure || !spend(m, 1)) return false;
        *pc = entry->code;
        *at = entry->at;
        if (entry->kind == BRANCH) {
            m->count--;
            return true;
        }
        ++*pc;
        if (entry->kind == GIVE_BACK) {
            *at = entry->at = back(m, entry->at);
            if (entry->at == entry->limit) m->count--;
            return true;
        }
        size_t size = take(m, c->set, entry->at);
        if (size == 0 || --entry->limit == 0) m->count--;
        if (size == 0) continue;
        *at = entry->at += size;
        return true;
    }
    return false;
}

/* Whether the program from `pc` on matches at `at`; it must end at `target` if that is not
 * SIZE_MAX. */
static bool run(machine *m, uint32_t pc, size_t at, size_t target, size_t *end) {
    size_t base = m->count;
    for (;;) {
        const nf_regex_code *c = &m->code[pc];
        bool ok = true, branch;
        size_t size;
        switch (c->op) {
        case NF_OP_CLASS:
            size = take(m, c->set, at);
            ok = size > 0;
            at += size;
            pc++;
            break;
        case NF_OP_LOOP:
            ok = loop(m, pc, &at);
            pc++;
            break;
        case NF_OP_SPLIT:
            branch = !c->first || (at < m->length && c->first[(unsigned char)m->text[at]]);
            if (branch) ok = spend(m, 1) && push(m, (struct nf_regex_entry){c->to, BRANCH, at, 0});
            pc = branch ? pc + 1 : c->to;
            break;
        case NF_OP_SPLIT_LATER:
            ok = spend(m, 1) && push(m, (struct nf_regex_entry){pc + 1, BRANCH, at, 0});
            pc = c->to;
            break;
        case NF_OP_JUMP:
            pc = c->to;
            break;
        case NF_OP_LOOK:
            ok = look(m, pc, at) != c->negative;
            pc = c->to;
            break;
        case NF_OP_LOOK_CLASS:
            ok = (take(m, c->set, at) > 0) != c->negative;
            pc++;
            break;
        case NF_OP_ATOMIC:
            ok = run(m, pc + 1, at, SIZE_MAX, &at);
            pc = c->to;
            break;
        case NF_OP_ASSERT:
            ok = holds(m, c->assert, at);
            pc++;
            break;
        case NF_OP_ACCEPT:
            ok = target == SIZE_MAX || at == target;
            if (ok) {
                *end = at;
                m->count = base;
                return true;
            }
            break;
        }
        if ((!ok || m->failure) && !retreat(m, base, &pc, &at)) {
            m->count = base;
            return false;
        }
    }
}

static nf_regex_result next_match(machine *m, nf_regex_search *s, size_t *start, size_t *end) {
    const uint8_t *first = s->regex->first;
    while (s->at <= s->length) {
        size_t at = s->at, stop;
        for (;; at += nf_utf8_size((unsigned char)s->text[at])) {
            if (first)
                while (at < s->length && !first[(unsigned char)s->text[at]]) at++;
            if (first && at == s->length) return NF_REGEX_END;
            m->steps = 0;
            if (run(m, 0, at, SIZE_MAX, &stop)) break;
            if (m->failure) return m->failure;
            if (at == s->length) return NF_REGEX_END;
        }
        if (stop == at && s->matched && s->last_end == stop) {
            /* An empty match right behind the last one: look again one further. */
            s->at += s->at < s->length ? nf_utf8_size((unsigned char)s->text[s->at]) : 1;
            continue;
        }
        s->at = s->last_end = *end = stop;
        s->matched = true;
        *start = at;
        return NF_REGEX_FOUND;
    }
    return NF_REGEX_END;
}

nf_regex_result nf_regex_next(nf_regex_search *s, size_t *start, size_t *end) {
    machine m = {.code = s->regex->code,
                 .scratch = s->scratch,
                 .text = s->text,
                 .length = s->length,
                 .work = s->work,
                 .most_work = MAX_WORK + MAX_WORK_A_BYTE * s->length,
                 .failure = NF_REGEX_END};
    nf_regex_result result = next_match(&m, s, start, end);
    s->work = m.work;
    return result;
}
