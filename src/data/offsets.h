/* What offsets count: code points here, UTF-16 units or bytes in other tools. An entity that
 * repeats its own text shows when a file's offsets are of another kind than its format says. */
#ifndef NF_DATA_OFFSETS_H
#define NF_DATA_OFFSETS_H

#include "base/str.h"
#include "data/document.h"

/* "code_points", "utf16", "bytes"; false if there is no such unit. */
bool nf_offset_unit_find(const char *name, nf_offset_unit *unit);
/* "UTF-16 units", for messages. */
const char *nf_offset_unit_title(nf_offset_unit unit);
/* The code point at an offset of `unit` (the count of code points for the text's end); false if the
 * offset lies past the text or inside a character. */
bool nf_offset_code_point(const char *text, size_t size, nf_offset_unit unit, int64_t offset,
                          uint32_t *code_point);
/* The reverse. */
int64_t nf_offset_of(const char *text, size_t size, nf_offset_unit unit, uint32_t code_point);
/* Whether two texts are the same when every run of white space counts as one blank. */
bool nf_same_but_space(const char *a, size_t a_size, const char *b, size_t b_size);
/* The first bytes of valid UTF-8, at most `most`, that end with a whole character. */
size_t nf_utf8_cut(const char *text, size_t size, size_t most);
/* Appends where the entity's own text stands, or by which unit it would fit, as the end of a
 * message. */
void nf_contradiction_explain(nf_str *out, const nf_given_document *given,
                              const nf_given_span *span, nf_offset_unit unit);

#endif
