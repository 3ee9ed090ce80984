/* Which types of a large label set a step of pre-training compares with. NuNER's corpora have 200,000
 * types: all of them at once are neither affordable nor needed, as nearly all are absent from any batch. A
 * step's columns are the types of its own texts and, up to a number, others: drawn as often as they are
 * annotated (UniversalNER's finding about negatives), and where that brings too few, the rest by their
 * numbers. The draw is a function of seed and step, and the same for all ranks. */
#ifndef NF_RECIPE_DRAWN_COLUMNS_H
#define NF_RECIPE_DRAWN_COLUMNS_H

#include "base/error.h"
#include "heads/example.h"
#include "train/examples.h"

enum { NF_MOST_COLUMNS = 256 }; /* unless a batch has more types of its own */

/* Zero-initialise; good until the next draw. */
typedef struct nf_drawn_columns {
    nf_arena arena;
    const int32_t *types; /* [count] of the set, a column each */
    size_t count;
} nf_drawn_columns;

/* Draws the columns of a batch of texts of a set with `n_types` types, and puts copies of the texts in their
 * place whose types are columns. */
nerfit_status nf_columns_draw(nf_drawn_columns *out, const nf_examples *set, size_t n_types,
                              uint64_t seed, uint64_t step, const nf_example **batch, size_t count,
                              nerfit_error *err);
void nf_drawn_columns_free(nf_drawn_columns *columns);

#endif
