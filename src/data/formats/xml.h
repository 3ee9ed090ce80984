/* XML as a tree, through expat: for the formats of XML. Names are local ones ("tei:s" is "s").
 * Entities of a document's own and external ones are refused. */
#ifndef NF_DATA_XML_H
#define NF_DATA_XML_H

#include "data/reading.h"

typedef struct nf_xml_attribute {
    const char *name, *value;
} nf_xml_attribute;

typedef struct nf_xml_node nf_xml_node;
struct nf_xml_node {
    const char *name; /* NULL: text */
    const char *text; /* of text; [size] bytes */
    size_t size;
    nf_xml_attribute *attributes; /* [n_attributes] */
    size_t n_attributes;
    nf_xml_node *parent, *first, *last, *next;
    long line;
};

/* Parses [size] bytes that stand from line `line` on; `wrapped` takes several elements and text as
 * the content of one. NULL in *root if the error was reported. All is in the arena. */
nerfit_status nf_xml_parse(nf_reading *reading, const char *text, size_t size, long line,
                           bool wrapped, nf_arena *arena, nf_xml_node **root);
/* NULL if there is none. */
const char *nf_xml_attribute_of(const nf_xml_node *node, const char *name);
const nf_xml_node *nf_xml_child(const nf_xml_node *node, const char *name);
/* The next sibling of that name, `node` included. */
const nf_xml_node *nf_xml_from(const nf_xml_node *node, const char *name);
/* Appends all text below a node. */
void nf_xml_append_text(nf_str *out, const nf_xml_node *node);
/* The root element's local name, of XML that begins with a declaration, a comment, a doctype or the
 * element itself; false if it is none. */
bool nf_xml_root_is(const char *text, size_t size, const char *name);

#endif
