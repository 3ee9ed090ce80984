/* What is asked of YAML before libyaml reads it, and its documents. */
#ifndef NF_BASE_YAML_H
#define NF_BASE_YAML_H

#include <stddef.h>

#include <yaml.h>

#include "base/error.h"

/* libyaml takes time by the square of the depth of [ and {: tens of thousands of them keep it busy
 * for minutes. Refuses text [size] in which more than NF_YAML_DEPTH of them are open at once,
 * wherever they stand: nothing that is read here is a hundredth as deep. */
enum { NF_YAML_DEPTH = 1000 };
nerfit_status nf_yaml_check_depth(const char *text, size_t size, const char *name,
                                  nerfit_error *err);
/* The document of a parser over a text (yaml_parser_set_input_string), freed with
 * yaml_document_delete; an error has its place in `name`, and so has a second document. */
nerfit_status nf_yaml_load(yaml_document_t *document, yaml_parser_t *parser, const char *name,
                           nerfit_error *err);

#endif
