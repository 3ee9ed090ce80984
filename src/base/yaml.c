#include "base/yaml.h"

nerfit_status nf_yaml_check_depth(const char *text, size_t size, const char *name,
                                  nerfit_error *err) {
    long line = 1, column = 0;
    size_t depth = 0;
    for (size_t i = 0; i < size; i++) {
        column = text[i] == '\n' ? 0 : column + 1;
        if (text[i] == '\n') line++;
        if (text[i] == '[' || text[i] == '{') depth++;
        if ((text[i] == ']' || text[i] == '}') && depth) depth--;
        if (depth > NF_YAML_DEPTH)
            return nf_fail_at(err, NERFIT_FORMAT, name, line, column, "is nested more than %d deep",
                              (int)NF_YAML_DEPTH);
    }
    return NERFIT_OK;
}

nerfit_status nf_yaml_load(yaml_document_t *document, yaml_parser_t *parser, const char *name,
                           nerfit_error *err) {
    if (yaml_parser_load(parser, document)) return NERFIT_OK;
    if (parser->error == YAML_MEMORY_ERROR) return nf_no_memory(err, 0);
    return nf_fail_at(err, NERFIT_FORMAT, name, (long)parser->problem_mark.line + 1,
                      (long)parser->problem_mark.column + 1, "is not valid YAML: %s",
                      parser->problem ? parser->problem : "cannot be read");
}
