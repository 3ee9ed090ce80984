/* Documents of YAML, read by libyaml. */
#ifndef NF_BASE_YAML_H
#define NF_BASE_YAML_H

#include <stddef.h>

#include <yaml.h>

#include "base/error.h"

/* libyaml takes time by the square of the depth of [ and {: tens of thousands of them keep it busy
 * for minutes. A text in which more than NF_YAML_DEPTH of them are open at once, wherever they
 * stand, is refused: nothing that is read here is a hundredth as deep. */
enum { NF_YAML_DEPTH = 1000 };
/* The document of text [size], which needs the text no longer, freed with yaml_document_delete (on
 * failure there is nothing to free); an error has its place in `name`, and so has a second
 * document. */
nerfit_status nf_yaml_load(yaml_document_t *document, const char *text, size_t size,
                           const char *name, nerfit_error *err);

#endif
