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
