/* UIMA's XMI, as INCEpTION and WebAnno write it: a Sofa with the text, and annotations with begin
 * and end in UTF-16 units. Named entities are elements NamedEntity with `value`; where there are
 * none, elements of other layers that have a `label` or `value`. (dkpro-cassis 0.9) */
#include <string.h>

#include "base/number.h"
#include "data/formats/format.h"
#include "data/formats/xml.h"

static bool looks_like(const char *text, size_t size) {
    return nf_xml_root_is(text, size, "XMI");
}

static bool is_entity(const nf_xml_node *node) {
    return node->name && strcmp(node->name, "NamedEntity") == 0 &&
           nf_xml_attribute_of(node, "begin");
}

/* Layers of dkpro that are no entities. */
static bool is_other_layer(const nf_xml_node *node) {
    static const char *const layers[] = {"Token",
                                         "Sentence",
                                         "Lemma",
                                         "Stem",
                                         "Paragraph",
                                         "DocumentMetaData",
                                         "TagsetDescription",
                                         "TagDescription",
                                         "Sofa",
                                         "View",
                                         "Dependency",
                                         "ROOT",
                                         "MorphologicalFeatures",
                                         "SurfaceForm"};
    if (!node->name || strncmp(node->name, "POS", 3) == 0) return true;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (strcmp(node->name, layers[i]) == 0) return true;
    return false;
}

static const char *label_of(const nf_xml_node *node) {
    static const char *const names[] = {"value", "label", "Label", "type", "entity"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (nf_xml_attribute_of(node, names[i])) return nf_xml_attribute_of(node, names[i]);
    return NULL;
}

/* The elements that are read; spans may be NULL, then they are counted. */
static nerfit_status read_entities(nf_reading *reading, const nf_xml_node *first, bool named,
                                   nf_given_span *spans, long *lines, size_t *count,
                                   size_t *unlabelled) {
    *count = *unlabelled = 0;
    for (const nf_xml_node *n = first; n; n = n->next) {
        uint64_t begin, end;
        if (named ? !n->name || !is_entity(n) : is_other_layer(n)) continue;
        const char *from = nf_xml_attribute_of(n, "begin"), *to = nf_xml_attribute_of(n, "end");
        const char *label = label_of(n);
        if (!from || !to || (!named && !label)) continue;
        if (!label) {
            ++*unlabelled;
            continue;
        }
        if (spans) {
            if (!nf_whole_parse(from, INT32_MAX, &begin) || !nf_whole_parse(to, INT32_MAX, &end))
                return nf_reading_malformed(reading, n->line, 0,
                                            "begin or end is no number; expected UTF-16 units");
            lines[*count] = n->line;
            spans[*count] = (nf_given_span){.start = (int64_t)begin,
                                            .end = (int64_t)end,
                                            .label = label,
                                            .label_size = strlen(label)};
        }
        ++*count;
    }
    return NERFIT_OK;
}

static nerfit_status read_root(nf_reading *reading, const nf_xml_node *root, nf_arena *arena) {
    const nf_xml_node *sofa = nf_xml_child(root, "Sofa");
    while (sofa && !nf_xml_attribute_of(sofa, "sofaString")) sofa = nf_xml_from(sofa->next, "Sofa");
    if (!sofa)
        return nf_reading_malformed(reading, root->line, 0,
                                    "has no Sofa with a sofaString: it holds no text");
    const char *text = nf_xml_attribute_of(sofa, "sofaString");
    size_t count, unlabelled;
    bool named = false;
    for (const nf_xml_node *n = root->first; n; n = n->next) named |= n->name && is_entity(n);
    NF_TRY(read_entities(reading, root->first, named, NULL, NULL, &count, &unlabelled));
    nf_given_span *spans = nf_arena_calloc(arena, count + 1, sizeof *spans);
    long *lines = nf_arena_calloc(arena, count + 1, sizeof *lines);
    if (!spans || !lines) return nf_no_memory(reading->err, count * sizeof *spans);
    size_t before = reading->n_errors;
    NF_TRY(read_entities(reading, root->first, named, spans, lines, &count, &unlabelled));
    if (reading->n_errors > before) return NERFIT_OK;
    nf_finding finding = {.kind = NF_FINDING_LEFT_OUT, .line = root->line};
    if (unlabelled)
        NF_TRY(nf_reading_warning(reading, &finding, "%zu named entities have no value: left out",
                                  unlabelled));
    nf_given_document given = {.text = text,
                               .text_size = strlen(text),
                               .spans = spans,
                               .n_spans = count,
                               .span_lines = lines,
                               .unit = NF_OFFSETS_UTF16,
                               .line = sofa->line};
    return nf_reading_add(reading, &given);
}

static nerfit_status read_xmi(nf_reading *reading, const char *text, size_t size) {
    nf_arena arena = {0};
    nf_xml_node *root;
    nerfit_status status = nf_xml_parse(reading, text, size, 1, false, &arena, &root);
    if (status == NERFIT_OK && root) status = read_root(reading, root, &arena);
    nf_arena_free(&arena);
    return status;
}

/* clang-format off */
const nf_format nf_format_xmi = {
    .name = "xmi", .title = "UIMA's XMI", .endings = {".xmi"}, .by_ending = true, .sure = true,
    .recognised = "the element `XMI`, or the ending",
    .kept = "text (a file is one text), elements `NamedEntity` with their `value`, or, where there "
            "are none, other layers with a `label` or `value`",
    .lost = "other annotations; named entities without a value, with a warning",
    .looks_like = looks_like, .read = read_xmi,
};

static bool looks_like_other(const char *text, size_t size) {
    return size >= 5 && memcmp(text, "<?xml", 5) == 0;
}

const nf_format nf_format_xml = {
    .name = "xml", .title = "XML of a kind that is unknown here", .endings = {".xml", ".tei"}, .sure = true,
    .recognised = "`<?xml`", .looks_like = looks_like_other,
    .advice = "BioC, XMI and lines of text with elements in them are; turn it into one of these, or into JSON lines",
};
/* clang-format on */
