/* Bracket text, as MASSIVE and SLURP have it: `set an alarm for [time : two hours from now]`.
 *
 * An annotation is "[", a label, ":" and white space, a span, "]". The label ends at the first ":"
 * that white space follows and holds no bracket; label and span are stripped of white space. Every
 * other bracket is text ("[10:30]", "[sic]").
 *
 * "\[" and "\]" are brackets that are text, and in a label "\:" is a colon that does not end it. A
 * backslash is an escape only there: of a run of backslashes directly before such a character,
 * every two are one backslash, and an odd one escapes. Elsewhere ("C:\temp") it is itself.
 *
 * What looks like an annotation but is none:
 *   a bracket "[" inside a span       an error
 *   an empty label or span            an error
 *   no "]" on the line                kept as text, reported
 *
 * Compatible with the original package's parser, the regular expression `\[(.*?): (.*?)\]` with
 * both groups stripped, on every line where that one's match has no inner bracket. */
#ifndef NF_DATA_BRACKETS_H
#define NF_DATA_BRACKETS_H

#include "data/formats/format.h"

/* Adds the document of one line. */
nerfit_status nf_brackets_line_read(nf_reading *reading, const char *line, size_t size,
                                    long number);

#endif
