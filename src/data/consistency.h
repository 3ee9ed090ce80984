/* What a careful eye would find in annotated texts that are each well formed: entities that begin
 * or end inside a word, the same words labelled in two ways or left out elsewhere, texts of two
 * files that are nearly the same, and characters that something went wrong with. */
#ifndef NF_DATA_CONSISTENCY_H
#define NF_DATA_CONSISTENCY_H

#include "data/annotation_report.h"
#include "data/document.h"

/* Each adds warnings to the report. */

/* An entity's edge between two characters of one word (words.h). */
nerfit_status nf_check_word_edges(const nf_corpus *const *corpora, size_t count,
                                  nf_annotation_report *report, nerfit_error *err);
/* Words that are an entity in one place and one of another label, or none, in another: one warning
 * for each, with counts and a place. Words are compared as they are written. */
nerfit_status nf_check_labels(const nf_corpus *const *corpora, size_t count,
                              nf_annotation_report *report, nerfit_error *err);
/* Texts of different corpora that are not equal, but have the same letters and digits, or share
 * eight in ten of their triples of words. */
nerfit_status nf_check_near_repeats(const nf_corpus *const *corpora, size_t count,
                                    nf_annotation_report *report, nerfit_error *err);
/* Replacement characters, control characters, byte order marks, UTF-8 that was read as Latin-1; and
 * in a corpus both composed and decomposed characters. */
nerfit_status nf_check_characters(const nf_corpus *const *corpora, size_t count,
                                  nf_annotation_report *report, nerfit_error *err);

#endif
