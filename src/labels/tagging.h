/* Labels of words: from "B-PER", "I-PER", "O" to entities, and what is legal in which scheme.
 *
 * One set of rules reads IOB1, IOB2, BIOES (also IOBES) and BILOU: seqeval's default ones (1.2.2),
 * which are conlleval's, with BILOU's L as E and U as S. An entity begins at B- and S-; at I- and
 * E- if the word before is O, ends an entity (E-, S-) or has another type; and ends before the next
 * beginning or O. Every legal sequence of the four schemes is read as its scheme means it, and an
 * illegal transition begins a new entity instead of losing one; it is reported.
 *
 * The scheme is told from all labels of the input:
 *   L- or U- occurs, more often than E- and S- do     BILOU
 *   E- or S- occurs                                   BIOES
 *   B- only between two entities of one type, and     IOB1
 *     I- begins an entity somewhere
 *   else                                              IOB2 */
#ifndef NF_LABELS_TAGGING_H
#define NF_LABELS_TAGGING_H

#include <stdbool.h>
#include <stddef.h>

/* How labels mark an entity's words. All are read by the same rules; the choice decides which labels are reported
 * as illegal. */
typedef enum nf_tagging {
    NF_TAGGING_AUTO, /* told from the labels */
    NF_TAGGING_IOB1,
    NF_TAGGING_IOB2,
    NF_TAGGING_BIOES,
    NF_TAGGING_BILOU,
} nf_tagging;

/* By name ("iob1", "bioes", also "iobes", "bio"), in any case; false if there is none. */
bool nf_tagging_find(const char *name, nf_tagging *tagging);
/* "BIOES"; "automatic". */
const char *nf_tagging_name(nf_tagging tagging);

/* One word and its label; both point into the caller's text. */
typedef struct nf_conll_row {
    const char *word, *label;
    size_t word_size, label_size;
    long line;
} nf_conll_row;

/* "O", or one of B I E S L U, a dash and a type. */
bool nf_is_tag(const char *label, size_t size);
/* Whether a type, with a prefix before it, would be several labels in one cell: "PER|B-ORG". */
bool nf_type_joins_tags(const char *type, size_t size);
/* What is wrong with a label in a scheme, as a constant text that goes after the label; NULL if
 * nothing is. */
const char *nf_tag_problem(const char *label, size_t size, nf_tagging tagging);

/* The rows are sentences one after another; ends[i] is the row past the last of sentence i. */
nf_tagging nf_tagging_detect(const nf_conll_row *rows, const size_t *ends, size_t n_sentences);

/* Whether an entity begins at `now`; `before` is the row before it, NULL at a sentence's start. */
bool nf_tag_begins(const nf_conll_row *before, const nf_conll_row *now);
/* Whether `now` may follow `before` in the scheme; NULL stands for the sentence's start and end. */
bool nf_tag_legal(const nf_conll_row *before, const nf_conll_row *now, nf_tagging tagging);

#endif
