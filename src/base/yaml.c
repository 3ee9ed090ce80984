#include "base/yaml.h"

#include "base/utf8.h"

static nerfit_status check_depth(const char *text, size_t size, const char *name,
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

/* Where the parser stopped; of bytes that are no text libyaml knows the offset alone. */
static nerfit_status yaml_fail(const yaml_parser_t *parser, const char *name, nerfit_error *err) {
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    long line = (long)parser->problem_mark.line + 1, column = (long)parser->problem_mark.column + 1;
    if (parser->error == YAML_MEMORY_ERROR) return nf_no_memory(err, 0);
    if (parser->error == YAML_READER_ERROR) {
        const char *text = (const char *)parser->input.string.start, *start = text;
        size_t size = (size_t)(parser->input.string.end - parser->input.string.start);
        const char *at = text + (parser->problem_offset < size ? parser->problem_offset : size);
        line = 1;
        for (const char *c = text; c < at; c++)
            if (*c == '\n') start = c + 1, line++;
        column = (long)nf_utf8_count(start, (size_t)(at - start)) + 1;
    }
    return nf_fail_at(err, NERFIT_FORMAT, name, line, column, "is not valid YAML: %s", problem);
}

static nerfit_status load_only(yaml_document_t *document, yaml_parser_t *parser, const char *name,
                               nerfit_error *err) {
    yaml_document_t second;
    if (!yaml_parser_load(parser, document)) return yaml_fail(parser, name, err);
    nerfit_status status = NERFIT_OK;
    if (!yaml_document_get_root_node(document)) return NERFIT_OK; /* the parser is at its end */
    if (!yaml_parser_load(parser, &second)) {
        status = yaml_fail(parser, name, err);
    } else {
        const yaml_node_t *node = yaml_document_get_root_node(&second);
        if (node)
            status = nf_fail_at(err, NERFIT_FORMAT, name, (long)node->start_mark.line + 1, 0,
                                "holds a second YAML document; expected one");
        yaml_document_delete(&second);
    }
    if (status != NERFIT_OK) yaml_document_delete(document);
    return status;
}

nerfit_status nf_yaml_load(yaml_document_t *document, const char *text, size_t size,
                           const char *name, nerfit_error *err) {
    yaml_parser_t parser;
    NF_TRY(check_depth(text, size, name, err));
    if (!yaml_parser_initialize(&parser)) return nf_no_memory(err, sizeof parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    nerfit_status status = load_only(document, &parser, name, err);
    yaml_parser_delete(&parser);
    return status;
}
