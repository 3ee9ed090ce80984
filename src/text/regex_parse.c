/* A descent over the pattern. What Oniguruma reads in a way of its own, or what other libraries
 * would read otherwise, is either done as it does it or refused. */
#include <string.h>

#include "base/utf8.h"
#include "text/regex_impl.h"

enum { MAX_DEPTH = 40, MAX_COUNT = 1000 };

typedef struct parser {
    const nf_regex_pattern *pattern;
    const char *text;
    size_t at;
    int depth;
    bool ignore_case, dot_all;
    char literal; /* the letter just read under ignore_case, in lower case; 0 after all else */
    nerfit_status status;
} parser;

nerfit_status nf_regex_refuse(const nf_regex_pattern *pattern, size_t at, const char *problem) {
    return nf_fail_at(pattern->err, NERFIT_UNSUPPORTED, pattern->file, 0, 0,
                      "%s: the pattern \"%.200s\", byte %zu: %s", pattern->what, pattern->text,
                      at + 1, problem);
}

static void *refuse(parser *p, size_t at, const char *problem) {
    if (p->status == NERFIT_OK) p->status = nf_regex_refuse(p->pattern, at, problem);
    return NULL;
}

static void *no_memory(parser *p) {
    if (p->status == NERFIT_OK) p->status = nf_no_memory(p->pattern->err, 64);
    return NULL;
}

static nf_regex_node *new_node(parser *p, nf_regex_kind kind) {
    nf_regex_node *node = nf_arena_calloc(p->pattern->arena, 1, sizeof *node);
    if (!node) return no_memory(p);
    node->kind = kind;
    return node;
}

static nf_regex_node *new_class(parser *p) {
    nf_regex_node *node = new_node(p, NF_NODE_CLASS);
    if (!node) return NULL;
    node->set = nf_arena_calloc(p->pattern->arena, 1, sizeof *node->set);
    if (!node->set) return no_memory(p);
    node->shortest = node->longest = 1;
    return node;
}

static bool looking_at(const parser *p, const char *text) {
    return strncmp(p->text + p->at, text, strlen(text)) == 0;
}

/* ---- code points and classes */

static uint32_t next_code_point(parser *p) {
    uint32_t c;
    p->at += nf_utf8_decode(p->text + p->at, strlen(p->text + p->at), &c);
    return c;
}

static bool hexadecimal(parser *p, size_t least, size_t most, uint32_t *out) {
    size_t n = 0;
    for (*out = 0; n < most; n++, p->at++) {
        char c = p->text[p->at];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) break;
        *out = *out * 16 + digit;
    }
    return n >= least;
}

/* The code point of an escape that stands for one; the backslash is behind us. */
static bool escaped_code_point(parser *p, uint32_t *out) {
    static const char names[] = "nrtfvae", values[] = "\n\r\t\f\v\a\033";
    size_t start = p->at;
    char c = p->text[p->at];
    const char *found = c ? strchr(names, c) : NULL;
    if (found) {
        *out = (unsigned char)values[found - names];
        p->at++;
        return true;
    }
    if (c == 'x' || c == 'u') {
        p->at++;
        bool braces = c == 'x' && p->text[p->at] == '{';
        p->at += braces;
        bool read = c == 'u' ? hexadecimal(p, 4, 4, out) : hexadecimal(p, 1, braces ? 8 : 2, out);
        if (read && braces) read = p->text[p->at++] == '}';
        /* \x80 and above would be a byte, not a code point */
        if (!read || *out > 0x10FFFF || (*out >= 0xD800 && *out < 0xE000) ||
            (c == 'x' && !braces && *out > 0x7F)) {
            refuse(p, start, "expected the hexadecimal number of a code point");
            return false;
        }
        return true;
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || !c) {
        refuse(p, start, "this escape is not supported");
        return false;
    }
    *out = next_code_point(p);
    return true;
}

static void add_range(parser *p, nf_regex_class *set, uint32_t first, uint32_t last, size_t at) {
    nf_arena *arena = p->pattern->arena;
    if (!nf_regex_class_add(set, first, last, arena)) no_memory(p);
    if (!p->ignore_case) return;
    if (last > 0x7F) {
        refuse(p, at, "within (?i:..) only ASCII is supported");
        return;
    }
    for (uint32_t c = first; c <= last; c++) {
        uint32_t lower = c | 32;
        if (lower < 'a' || lower > 'z') continue;
        bool added = nf_regex_class_add(set, c ^ 32, c ^ 32, arena);
        /* the long s and the Kelvin sign are the same letters to Oniguruma */
        if (lower == 's') added &= nf_regex_class_add(set, 0x17F, 0x17F, arena);
        if (lower == 'k') added &= nf_regex_class_add(set, 0x212A, 0x212A, arena);
        if (!added) no_memory(p);
    }
}

static void add_property(parser *p, nf_regex_class *set, bool inverse) {
    size_t start = p->at;
    const char *end = p->text[p->at] == '{' ? strchr(p->text + p->at, '}') : NULL;
    if (!end) {
        refuse(p, start, "expected a property in braces");
        return;
    }
    const char *name = p->text + p->at + 1;
    if (*name == '^') inverse = !inverse, name++;
    uint32_t categories;
    uint8_t script;
    if (!nf_regex_property(name, (size_t)(end - name), &categories, &script)) {
        refuse(p, start,
               "unknown property; known are the general categories (L, Lu, ...) and "
               "scripts (Han, Latin, ...)");
        return;
    }
    p->at = (size_t)(end + 1 - p->text);
    if (categories) {
        set->categories |= inverse ? ~categories : categories;
    } else if (set->n_scripts == NF_REGEX_MAX_SCRIPTS) {
        refuse(p, start, "more than 16 scripts in a class");
    } else {
        set->not_scripts[set->n_scripts] = inverse;
        set->scripts[set->n_scripts++] = script;
    }
}

/* \s, \p{L} and the like; false if the escape is none of them. The backslash is behind us. */
static bool add_escaped_class(parser *p, nf_regex_class *set, bool in_brackets) {
    size_t start = p->at;
    char c = p->text[p->at];
    if (!c || !strchr("sSdDwWpP", c)) return false;
    p->at++;
    switch (c) {
    case 's':
        set->space = true;
        break;
    case 'S':
        set->no_space = true;
        break;
    case 'w':
        set->word = true;
        break;
    case 'W':
        set->no_word = true;
        break;
    case 'd':
        set->categories |= UINT32_C(1) << NF_CATEGORY_ND;
        break;
    case 'D':
        set->categories |= ~(UINT32_C(1) << NF_CATEGORY_ND);
        break;
    default:
        add_property(p, set, c == 'P');
        break;
    }
    /* Oniguruma would add what is the same letter, also where that is several characters. */
    if (p->ignore_case && !(c == 's' || c == 'd' || (!in_brackets && (c == 'S' || c == 'D'))))
        refuse(p, start, "within (?i:..) this class is not supported");
    return true;
}

static void parse_brackets(parser *p, nf_regex_class *set, int depth) {
    size_t start = p->at;
    bool any = false;
    while (p->status == NERFIT_OK) {
        size_t at = p->at;
        char c = p->text[at];
        if (!c) {
            refuse(p, start, "the class is not closed");
            return;
        }
        if (c == ']') {
            p->at++;
            if (!any) refuse(p, at, "an empty class is not supported");
            return;
        }
        if (looking_at(p, "&&")) {
            refuse(p, at, "the intersection of classes is not supported");
        } else if (c == '[') {
            p->at++;
            if (looking_at(p, ":") || looking_at(p, "^") || depth > MAX_DEPTH)
                refuse(p, at, "this class within a class is not supported");
            else
                parse_brackets(p, set, depth + 1);
        } else {
            uint32_t first, last;
            if (c == '\\') {
                p->at++;
                if (add_escaped_class(p, set, true)) {
                    any = true;
                    if (p->text[p->at] == '-' && p->text[p->at + 1] != ']')
                        refuse(p, p->at, "a range cannot begin with a class");
                    continue;
                }
                if (!escaped_code_point(p, &first)) return;
            } else {
                if (c == '-' && any && p->text[at + 1] != ']')
                    refuse(p, at, "this dash could mean several things; escape it");
                first = next_code_point(p);
            }
            last = first;
            if (p->text[p->at] == '-' && p->text[p->at + 1] && p->text[p->at + 1] != ']') {
                p->at++;
                if (p->text[p->at] == '[') refuse(p, p->at, "a range cannot end with a class");
                if (p->text[p->at] == '\\') {
                    p->at++;
                    if (!escaped_code_point(p, &last)) return;
                } else {
                    last = next_code_point(p);
                }
            }
            if (last < first)
                refuse(p, at, "the range is empty");
            else
                add_range(p, set, first, last, at);
        }
        any = true;
    }
}

static nf_regex_node *parse_class(parser *p) {
    nf_regex_node *node = new_class(p);
    if (!node) return NULL;
    p->at++;
    if (p->text[p->at] == '^') {
        node->set->negated = true;
        p->at++;
    }
    if (p->text[p->at] == ']') return refuse(p, p->at, "escape a bracket at a class's beginning");
    parse_brackets(p, node->set, 0);
    if (p->status != NERFIT_OK) return NULL;
    nf_regex_class_finish(node->set);
    return node;
}

/* Pairs that are also the lower case of a single character (as in the German sharp s), which would
 * match them. */
static bool folds_together(char a, char b) {
    static const char *const pairs[] = {"ss", "ff", "fi", "fl", "st"};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i][0] == a && pairs[i][1] == b) return true;
    return false;
}

static nf_regex_node *literal(parser *p, uint32_t c, size_t at) {
    nf_regex_node *node = new_class(p);
    if (!node) return NULL;
    add_range(p, node->set, c, c, at);
    if (p->ignore_case) {
        char lower = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c < 0x80 ? (char)c : 0;
        if (folds_together(p->literal, lower))
            return refuse(p, at,
                          "within (?i:..) these two letters match ligatures and are not "
                          "supported");
        p->literal = lower;
    }
    nf_regex_class_finish(node->set);
    return node;
}

/* ---- groups, assertions, atoms */

static nf_regex_node *parse_choice(parser *p);

static nf_regex_node *parse_inner(parser *p, size_t start) {
    if (++p->depth > MAX_DEPTH) return refuse(p, start, "too many groups within groups");
    nf_regex_node *inner = parse_choice(p);
    p->depth--;
    if (!inner) return NULL;
    if (p->text[p->at] != ')') return refuse(p, start, "the group is not closed");
    p->at++;
    return inner;
}

static nf_regex_node *wrap(parser *p, nf_regex_kind kind, nf_regex_node *inner) {
    nf_regex_node *node = inner ? new_node(p, kind) : NULL;
    if (node) node->child = inner;
    return node;
}

static nf_regex_node *parse_look(parser *p, size_t start, bool behind, bool negative) {
    nf_regex_node *node = wrap(p, NF_NODE_LOOK, parse_inner(p, start));
    if (!node) return NULL;
    node->behind = behind;
    node->negative = negative;
    if (behind && (node->child->longest == NF_UNLIMITED || node->child->longest > 255))
        return refuse(p, start, "look-behind of unlimited length is not supported");
    return node;
}

/* (?i:..), (?m:..), (?-i:..), and the same for all that follows at a pattern's beginning: (?i) */
static nf_regex_node *parse_options(parser *p, size_t start) {
    bool ignore_case = p->ignore_case, dot_all = p->dot_all, on = true;
    for (;; p->at++) {
        char c = p->text[p->at];
        if (c == '-')
            on = false;
        else if (c == 'i')
            p->ignore_case = on;
        else if (c == 'm')
            p->dot_all = on;
        else
            break;
    }
    char c = p->text[p->at++];
    nf_regex_node *node = NULL;
    if (c == ':') {
        node = parse_inner(p, start);
        p->ignore_case = ignore_case;
        p->dot_all = dot_all;
    } else if (c == ')' && start == 0) {
        node = new_node(p, NF_NODE_EMPTY);
    } else {
        refuse(p, start, "this kind of group is not supported");
    }
    return node;
}

static nf_regex_node *parse_group(parser *p) {
    static const struct {
        const char *begin;
        bool behind, negative;
    } looks[] = {{"?=", 0, 0}, {"?!", 0, 1}, {"?<=", 1, 0}, {"?<!", 1, 1}};
    size_t start = p->at++;
    p->literal = 0;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (looking_at(p, looks[i].begin)) {
            p->at += strlen(looks[i].begin);
            return parse_look(p, start, looks[i].behind, looks[i].negative);
        }
    if (looking_at(p, "?>")) {
        p->at += 2;
        nf_regex_node *node = wrap(p, NF_NODE_ATOMIC, parse_inner(p, start));
        if (!node) return NULL;
        node->shortest = node->child->shortest;
        node->longest = node->child->longest;
        return node;
    }
    if (looking_at(p, "?<")) { /* a name, of no use without references */
        const char *end = strchr(p->text + p->at, '>');
        if (!end) return refuse(p, start, "this kind of group is not supported");
        p->at = (size_t)(end + 1 - p->text);
        return parse_inner(p, start);
    }
    if (p->text[p->at] != '?') return parse_inner(p, start);
    p->at++;
    return parse_options(p, start);
}

static nf_regex_node *new_assert(parser *p, nf_regex_assert assert) {
    nf_regex_node *node = new_node(p, NF_NODE_ASSERT);
    if (node) node->assert = assert;
    p->at++;
    p->literal = 0;
    return node;
}

static nf_regex_node *parse_escape(parser *p) {
    static const char names[] = "AzZbB";
    static const nf_regex_assert asserts[] = {NF_ASSERT_TEXT_START, NF_ASSERT_TEXT_END,
                                              NF_ASSERT_TEXT_END_LINE, NF_ASSERT_WORD_EDGE,
                                              NF_ASSERT_NO_WORD_EDGE};
    size_t start = p->at++;
    const char *found = p->text[p->at] ? strchr(names, p->text[p->at]) : NULL;
    if (found) return new_assert(p, asserts[found - names]);
    nf_regex_node *node = new_class(p);
    if (!node) return NULL;
    if (add_escaped_class(p, node->set, false)) {
        p->literal = 0;
        nf_regex_class_finish(node->set);
        return p->status == NERFIT_OK ? node : NULL;
    }
    uint32_t c;
    return escaped_code_point(p, &c) ? literal(p, c, start) : NULL;
}

static nf_regex_node *parse_dot(parser *p) {
    nf_regex_node *node = new_class(p);
    if (!node) return NULL;
    node->set->negated = true;
    if (!p->dot_all && !nf_regex_class_add(node->set, '\n', '\n', p->pattern->arena))
        return no_memory(p);
    nf_regex_class_finish(node->set);
    p->literal = 0;
    p->at++;
    return node;
}

static nf_regex_node *parse_atom(parser *p) {
    size_t at = p->at;
    switch (p->text[at]) {
    case '(':
        return parse_group(p);
    case '[':
        p->literal = 0;
        return parse_class(p);
    case '.':
        return parse_dot(p);
    case '\\':
        return parse_escape(p);
    case '^':
        return new_assert(p, NF_ASSERT_LINE_START);
    case '$':
        return new_assert(p, NF_ASSERT_LINE_END);
    case '*':
    case '+':
    case '?':
        return refuse(p, at, "there is nothing to repeat");
    case '{':
        return refuse(p, at, "escape this brace");
    default:
        return literal(p, next_code_point(p), at);
    }
}

/* ---- repeats */

static bool number(parser *p, uint32_t *out) {
    size_t start = p->at;
    for (*out = 0; p->text[p->at] >= '0' && p->text[p->at] <= '9'; p->at++)
        if (*out <= MAX_COUNT) *out = *out * 10 + (uint32_t)(p->text[p->at] - '0');
    return p->at > start;
}

/* Reads a quantifier; false if there is none or on an error. */
static bool parse_quantifier(parser *p, nf_regex_node *node) {
    size_t start = p->at;
    char c = p->text[p->at];
    node->min = c == '+';
    node->max = c == '?' ? 1 : NF_UNLIMITED;
    node->greed = NF_GREEDY;
    if (c == '?' || c == '*' || c == '+') {
        p->at++;
        c = p->text[p->at];
        if (c == '?' || c == '+') {
            node->greed = c == '?' ? NF_LAZY : NF_POSSESSIVE;
            p->at++;
        }
        return true;
    }
    if (c != '{') return false;
    p->at++;
    bool low = number(p, &node->min), high = low, comma = p->text[p->at] == ',';
    if (!low) node->min = 0;
    node->max = node->min;
    if (comma) {
        p->at++;
        high = number(p, &node->max);
        if (!high) node->max = NF_UNLIMITED;
    }
    if ((!low && !high) || p->text[p->at] != '}' || node->min > MAX_COUNT ||
        (node->max != NF_UNLIMITED && (node->max > MAX_COUNT || node->max < node->min))) {
        refuse(p, start, "expected {n}, {n,}, {n,m} or {,m} with numbers up to 1000, or \\{");
        return false;
    }
    p->at++;
    if (p->text[p->at] == '?') {
        if (!comma) {
            refuse(p, start, "{n}? is not supported");
            return false;
        }
        node->greed = NF_LAZY;
        p->at++;
    }
    return true; /* a "+" behind {n,m} repeats the whole again: it is not possessive */
}

static uint32_t times(uint32_t length, uint32_t count) {
    if (length == 0 || count == 0) return 0;
    if (length == NF_UNLIMITED || count == NF_UNLIMITED) return NF_UNLIMITED;
    uint64_t product = (uint64_t)length * count;
    return product < NF_UNLIMITED ? (uint32_t)product : NF_UNLIMITED;
}

static nf_regex_node *parse_repeats(parser *p, nf_regex_node *atom) {
    for (int stacked = 0; atom && p->status == NERFIT_OK; stacked++) {
        nf_regex_node *node = new_node(p, NF_NODE_REPEAT);
        size_t at = p->at;
        if (!node) return NULL;
        if (!parse_quantifier(p, node)) return p->status == NERFIT_OK ? atom : NULL;
        if (stacked > 0 && !(stacked == 1 && p->text[at] == '+' && p->text[at - 1] == '}'))
            return refuse(p, at, "a quantifier of a quantifier is not supported");
        if (atom->kind == NF_NODE_LOOK || atom->kind == NF_NODE_ASSERT)
            return refuse(p, at, "an assertion cannot be repeated");
        if (atom->shortest == 0 && node->max > 1)
            return refuse(p, at, "what can be empty cannot be repeated");
        node->child = atom;
        node->shortest = times(atom->shortest, node->min);
        node->longest = times(atom->longest, node->max);
        atom = node;
    }
    return atom;
}

static uint32_t plus(uint32_t a, uint32_t b) {
    uint64_t sum = (uint64_t)a + b;
    return a == NF_UNLIMITED || b == NF_UNLIMITED || sum >= NF_UNLIMITED ? NF_UNLIMITED
                                                                         : (uint32_t)sum;
}

static nf_regex_node *parse_sequence(parser *p) {
    nf_regex_node *sequence = new_node(p, NF_NODE_SEQUENCE);
    if (!sequence) return NULL;
    nf_regex_node **last = &sequence->child;
    p->literal = 0;
    while (p->text[p->at] && p->text[p->at] != '|' && p->text[p->at] != ')') {
        bool group = p->text[p->at] == '(';
        nf_regex_node *item = parse_repeats(p, parse_atom(p));
        if (!item || p->status != NERFIT_OK) return NULL;
        if (group) p->literal = 0;
        sequence->shortest = plus(sequence->shortest, item->shortest);
        sequence->longest = plus(sequence->longest, item->longest);
        *last = item;
        last = &item->next;
    }
    return sequence;
}

static nf_regex_node *parse_choice(parser *p) {
    nf_regex_node *choice = new_node(p, NF_NODE_CHOICE), *first = parse_sequence(p);
    if (!choice || !first) return NULL;
    if (p->text[p->at] != '|') return first;
    choice->child = first;
    choice->shortest = first->shortest;
    choice->longest = first->longest;
    for (nf_regex_node *last = first; p->text[p->at] == '|'; last = last->next) {
        p->at++;
        nf_regex_node *item = last->next = parse_sequence(p);
        if (!item) return NULL;
        if (item->shortest < choice->shortest) choice->shortest = item->shortest;
        if (item->longest > choice->longest) choice->longest = item->longest;
    }
    return choice;
}

nerfit_status nf_regex_parse(nf_regex_node **out, const nf_regex_pattern *pattern) {
    parser p = {.pattern = pattern, .text = pattern->text};
    *out = parse_choice(&p);
    if (p.status == NERFIT_OK && p.text[p.at]) refuse(&p, p.at, "this bracket closes nothing");
    return p.status;
}
