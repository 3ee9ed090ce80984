#include "data/formats/xml.h"

#include <limits.h>
#include <string.h>

#include <expat.h>

enum { MOST_DEPTH = 1000 };

typedef struct xml_builder {
    XML_Parser parser;
    nf_arena *arena;
    nf_xml_node *root, *open;
    long first_line;
    int depth;
    bool no_memory, refused;
} xml_builder;

static const char *local_name(const char *name) {
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static nf_xml_node *add_node(xml_builder *b) {
    nf_xml_node *node = nf_arena_calloc(b->arena, 1, sizeof *node);
    if (!node) {
        b->no_memory = true;
        XML_StopParser(b->parser, XML_FALSE);
        return NULL;
    }
    node->line = (long)XML_GetCurrentLineNumber(b->parser) + b->first_line - 1;
    node->parent = b->open;
    if (!b->open) {
        b->root = node;
        return node;
    }
    if (b->open->last)
        b->open->last->next = node;
    else
        b->open->first = node;
    b->open->last = node;
    return node;
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes) {
    xml_builder *b = user;
    size_t count = 0;
    nf_xml_node *node = ++b->depth > MOST_DEPTH ? NULL : add_node(b);
    if (!node) {
        b->refused |= !b->no_memory;
        XML_StopParser(b->parser, XML_FALSE);
        return;
    }
    while (attributes[2 * count]) count++;
    node->name = nf_arena_strdup(b->arena, local_name(name));
    node->attributes = nf_arena_calloc(b->arena, count + 1, sizeof *node->attributes);
    b->no_memory |= !node->name || !node->attributes;
    for (size_t i = 0; i < count && !b->no_memory; i++) {
        nf_xml_attribute *a = &node->attributes[node->n_attributes++];
        a->name = nf_arena_strdup(b->arena, local_name(attributes[2 * i]));
        a->value = nf_arena_strdup(b->arena, attributes[2 * i + 1]);
        b->no_memory |= !a->name || !a->value;
    }
    b->open = node;
    if (b->no_memory) XML_StopParser(b->parser, XML_FALSE);
}

static void on_end(void *user, const XML_Char *name) {
    xml_builder *b = user;
    (void)name;
    b->depth--;
    b->open = b->open->parent;
}

static void on_text(void *user, const XML_Char *text, int size) {
    xml_builder *b = user;
    nf_xml_node *node = b->open ? add_node(b) : NULL;
    if (!node) return;
    node->text = nf_arena_copy(b->arena, text, (size_t)size);
    node->size = (size_t)size;
    if (node->text) return;
    b->no_memory = true;
    XML_StopParser(b->parser, XML_FALSE);
}

/* Entities of the document's own could be made to grow without end. */
static void on_entity(void *user, const XML_Char *name, int is_parameter, const XML_Char *value,
                      int size, const XML_Char *base, const XML_Char *system,
                      const XML_Char *public, const XML_Char *notation) {
    xml_builder *b = user;
    (void)name, (void)is_parameter, (void)value, (void)size;
    (void)base, (void)system, (void)public, (void)notation;
    b->refused = true;
    XML_StopParser(b->parser, XML_FALSE);
}

static bool parse(xml_builder *b, const char *text, size_t size, bool last) {
    while (size > INT_MAX / 2) {
        if (XML_Parse(b->parser, text, INT_MAX / 2, 0) != XML_STATUS_OK) return false;
        text += INT_MAX / 2, size -= INT_MAX / 2;
    }
    return XML_Parse(b->parser, text, (int)size, last) == XML_STATUS_OK;
}

nerfit_status nf_xml_parse(nf_reading *reading, const char *text, size_t size, long line,
                           bool wrapped, nf_arena *arena, nf_xml_node **root) {
    xml_builder b = {.parser = XML_ParserCreate("UTF-8"), .arena = arena, .first_line = line};
    *root = NULL;
    if (!b.parser) return nf_no_memory(reading->err, size);
    XML_SetUserData(b.parser, &b);
    XML_SetElementHandler(b.parser, on_start, on_end);
    XML_SetCharacterDataHandler(b.parser, on_text);
    XML_SetEntityDeclHandler(b.parser, on_entity);
    bool good = (!wrapped || parse(&b, "<text>", 6, false)) && parse(&b, text, size, !wrapped) &&
                (!wrapped || parse(&b, "</text>", 7, true));
    nerfit_status status = NERFIT_OK;
    enum XML_Error code = XML_GetErrorCode(b.parser);
    long at = (long)XML_GetCurrentLineNumber(b.parser) + line - 1;
    long column = (long)XML_GetCurrentColumnNumber(b.parser) + 1 - (wrapped ? 6 : 0);
    if (b.no_memory || code == XML_ERROR_NO_MEMORY)
        status = nf_no_memory(reading->err, size);
    else if (!good)
        status = nf_reading_malformed(
            reading, at, column, "is not well-formed XML: %s",
            b.refused ? "it declares entities of its own, or is nested too deeply"
                      : XML_ErrorString(code));
    else
        *root = b.root;
    XML_ParserFree(b.parser);
    return status;
}

const char *nf_xml_attribute_of(const nf_xml_node *node, const char *name) {
    for (size_t i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i].name, name) == 0) return node->attributes[i].value;
    return NULL;
}

const nf_xml_node *nf_xml_from(const nf_xml_node *node, const char *name) {
    for (; node; node = node->next)
        if (node->name && strcmp(node->name, name) == 0) return node;
    return NULL;
}

const nf_xml_node *nf_xml_child(const nf_xml_node *node, const char *name) {
    return nf_xml_from(node->first, name);
}

void nf_xml_append_text(nf_str *out, const nf_xml_node *node) {
    const nf_xml_node *at = node;
    while (at) {
        if (!at->name) nf_str_append(out, at->text, at->size);
        if (at->first) {
            at = at->first;
            continue;
        }
        while (at != node && !at->next) at = at->parent;
        at = at == node ? NULL : at->next;
    }
}

bool nf_xml_root_is(const char *text, size_t size, const char *name) {
    size_t at = 0, length = strlen(name);
    for (;;) {
        while (at < size && strchr(" \t\r\n", text[at]) && text[at]) at++;
        if (at + 1 >= size || text[at] != '<') return false;
        if (text[at + 1] != '?' && text[at + 1] != '!') break;
        const char *end = text[at + 1] == '!' && at + 3 < size && text[at + 2] == '-'
                              ? memmem(text + at, size - at, "-->", 3)
                              : memchr(text + at, '>', size - at);
        const char *subset = end ? memchr(text + at, '[', (size_t)(end - text) - at) : NULL;
        if (subset && text[at + 1] == '!' && *end == '>') {
            end = memmem(text + at, size - at, "]>", 2);
            if (end) end++;
        }
        if (!end) return false;
        at = (size_t)(end - text) + (*end == '-' ? 3 : 1);
    }
    size_t from = ++at;
    while (at < size && !strchr(" \t\r\n/>", text[at])) at++;
    const char *colon = memchr(text + from, ':', at - from);
    if (colon) from = (size_t)(colon - text) + 1;
    return at - from == length && memcmp(text + from, name, length) == 0;
}
