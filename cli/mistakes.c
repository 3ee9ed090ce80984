/* A report's mistakes, one after another, with their texts in view:
 *
 *   test.txt:12: wrong type: artist, found as song (0.83)
 *       play something by {[Miles Davis]} please
 *
 * The annotated entity stands in [ ], the found one in { }; on a terminal they have colours too. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTEXT = 60 }; /* bytes that are shown on each side of the entities */

typedef struct style {
    const char *place, *kind, *gold, *found, *off;
} style;

static const style plain = {"", "", "", "", ""};
static const style coloured = {"\033[1m", "\033[33m", "\033[32m", "\033[31m", "\033[0m"};

static const style *style_of_output(void) {
    const char *terminal = getenv("TERM"), *none = getenv("NO_COLOR");
    bool dumb = !terminal || strcmp(terminal, "dumb") == 0, refused = none && none[0];
    return isatty(STDOUT_FILENO) && !dumb && !refused ? &coloured : &plain;
}

/* Control characters would move the terminal's cursor or do worse. */
static void put_text(const char *text, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        putchar((unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i]);
}

static bool is_inside(char byte) {
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* What is shown of the text: CONTEXT bytes around, but whole characters and, nearly, whole words.
 */
static void excerpt_of(const nerfit_mistake *m, size_t *from, size_t *to) {
    const nerfit_entity *a = m->gold.label ? &m->gold : &m->predicted;
    const nerfit_entity *b = m->predicted.label ? &m->predicted : &m->gold;
    size_t start = a->byte_start < b->byte_start ? a->byte_start : b->byte_start;
    size_t end = a->byte_end > b->byte_end ? a->byte_end : b->byte_end;
    *from = start > CONTEXT ? start - CONTEXT : 0;
    *to = m->text_size - end > CONTEXT ? end + CONTEXT : m->text_size;
    while (*from > 0 && *from < start && m->text[*from - 1] != ' ') ++*from;
    while (*to<m->text_size && * to> end && m->text[*to] != ' ') --*to;
    while (*from > 0 && is_inside(m->text[*from])) --*from;
    while (*to < m->text_size && is_inside(m->text[*to])) ++*to;
}

/* A bracket at a place of the text. Brackets that close come before those that open. */
typedef struct mark {
    size_t at;
    const char *bracket, *colour;
} mark;

static void put_marked(const nerfit_mistake *m, const style *s) {
    const nerfit_entity *g = &m->gold, *p = &m->predicted;
    size_t n = 0, from, to, at;
    mark marks[4];
    /* in the order of the text; where both begin, the found entity is the outer one, and where both
     * end, the one that began first */
    bool gold_ends_first = !p->label || g->byte_end < p->byte_end ||
                           (g->byte_end == p->byte_end && g->byte_start >= p->byte_start);
    if (p->label) marks[n++] = (mark){p->byte_start, "{", s->found};
    if (g->label) marks[n++] = (mark){g->byte_start, "[", s->gold};
    if (n == 2 && g->byte_start < p->byte_start) {
        mark first = marks[1];
        marks[1] = marks[0];
        marks[0] = first;
    }
    for (int i = 0; i < 2; i++) {
        bool gold = gold_ends_first == (i == 0);
        if (gold && g->label) marks[n++] = (mark){g->byte_end, "]", s->gold};
        if (!gold && p->label) marks[n++] = (mark){p->byte_end, "}", s->found};
    }
    excerpt_of(m, &from, &to);
    fputs(from ? "    \xE2\x80\xA6" : "    ", stdout);
    at = from;
    for (size_t i = 0; i < n; i++) {
        put_text(m->text, at, marks[i].at);
        printf("%s%s%s", marks[i].colour, marks[i].bracket, s->off);
        at = marks[i].at;
    }
    put_text(m->text, at, to);
    puts(to < m->text_size ? "\xE2\x80\xA6" : "");
}

static void put_score(const nerfit_entity *entity) {
    if (entity->score >= 0) printf(" (%.2f)", entity->score);
}

static void put_headline(const nerfit_mistake *m, const style *s) {
    printf("%s%s:%ld:%s %s%s%s: ", s->place, m->file[0] ? m->file : "text", m->line, s->off,
           s->kind, nerfit_mistake_text(m->kind), s->off);
    if (!m->predicted.label)
        printf("%s", m->gold.label);
    else if (!m->gold.label || m->kind == NERFIT_WRONG_BOUNDARY)
        printf("%s", m->predicted.label);
    else
        printf("%s, found as %s", m->gold.label, m->predicted.label);
    if (m->predicted.label) put_score(&m->predicted);
    putchar('\n');
}

void cli_print_mistakes(const nerfit_report *report) {
    const style *s = style_of_output();
    if (!report->n_mistakes) return;
    printf("\n%s[annotated]%s %s{found}%s\n", s->gold, s->off, s->found, s->off);
    for (size_t i = 0; i < report->n_mistakes; i++) {
        put_headline(&report->mistakes[i], s);
        put_marked(&report->mistakes[i], s);
    }
}
