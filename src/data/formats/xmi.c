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

typedef struct xmi_spans {
    bool named;       /* elements NamedEntity are read, else those of other layers */
    const char *view; /* whose annotations are read; NULL: of any */
    nf_given_list list;
    size_t unlabelled, elsewhere, other_layers;
} xmi_spans;

static nerfit_status read_entity(nf_reading *reading, const nf_xml_node *n, xmi_spans *out) {
    uint64_t begin, end;
    const char *from = nf_xml_attribute_of(n, "begin"), *to = nf_xml_attribute_of(n, "end"),
               *label = label_of(n), *of = nf_xml_attribute_of(n, "sofa");
    if (!from && !to) return NERFIT_OK;
    bool elsewhere = of && out->view && strcmp(of, out->view) != 0;
    bool other_layer = !elsewhere && out->named && !is_entity(n);
    out->elsewhere += elsewhere;
    out->other_layers += other_layer && label;
    out->unlabelled += !elsewhere && !other_layer && !label;
    if (elsewhere || other_layer || !label) return NERFIT_OK;
    if (!from || !to || !nf_whole_parse(from, INT32_MAX, &begin) ||
        !nf_whole_parse(to, INT32_MAX, &end))
        return nf_reading_malformed(reading, n->line, 0,
                                    "begin or end is no number; expected UTF-16 units");
    const nf_given_span span = {
        .start = (int64_t)begin, .end = (int64_t)end, .label = label, .label_size = strlen(label)};
    return nf_given_list_add(&out->list, &span, n->line, reading->err);
}

static nerfit_status warn_of_others(nf_reading *reading, const nf_xml_node *root,
                                    const xmi_spans *spans) {
    nf_finding finding = {.kind = NF_FINDING_LEFT_OUT, .line = root->line};
    if (reading->texts_only) return NERFIT_OK;
    if (spans->elsewhere)
        NF_TRY(nf_reading_warning(
            reading, &finding, "%zu annotations are of another view: left out", spans->elsewhere));
    if (spans->other_layers)
        NF_TRY(nf_reading_warning(reading, &finding,
                                  "%zu annotations are of other layers than NamedEntity: left out",
                                  spans->other_layers));
    if (!spans->unlabelled) return NERFIT_OK;
    return nf_reading_warning(reading, &finding,
                              spans->named
                                  ? "%zu named entities have no value: left out"
                                  : "has no NamedEntity; %zu annotations of other layers have no "
                                    "label or value: left out",
                              spans->unlabelled);
}

/* The Sofa that holds the text; where there are several a warning says that the first is taken. */
static nerfit_status find_text(nf_reading *reading, const nf_xml_node *root,
                               const nf_xml_node **out) {
    nf_finding finding = {.kind = NF_FINDING_READING, .line = root->line};
    size_t count = 0;
    *out = NULL;
    for (const nf_xml_node *n = nf_xml_child(root, "Sofa"); n; n = nf_xml_from(n->next, "Sofa")) {
        if (!nf_xml_attribute_of(n, "sofaString")) continue;
        if (!count++) *out = n;
    }
    if (!count)
        return nf_reading_malformed(reading, root->line, 0,
                                    "has no Sofa with a sofaString: it holds no text");
    return count < 2
               ? NERFIT_OK
               : nf_reading_warning(reading, &finding,
                                    "has %zu views with a text: the first one is taken", count);
}

static nerfit_status read_text(nf_reading *reading, const nf_xml_node *root,
                               const nf_xml_node *sofa, xmi_spans *spans) {
    const char *text = nf_xml_attribute_of(sofa, "sofaString");
    size_t before = reading->n_errors;
    spans->view = nf_xml_attribute_of(sofa, "id");
    for (const nf_xml_node *n = root->first; n; n = n->next) spans->named |= is_entity(n);
    for (const nf_xml_node *n = root->first; n; n = n->next)
        if (!is_other_layer(n)) NF_TRY(read_entity(reading, n, spans));
    if (reading->n_errors > before) return NERFIT_OK;
    NF_TRY(warn_of_others(reading, root, spans));
    nf_given_document given = {.text = text,
                               .text_size = strlen(text),
                               .spans = spans->list.items,
                               .n_spans = spans->list.count,
                               .span_lines = spans->list.lines,
                               .unit = NF_OFFSETS_UTF16,
                               .line = sofa->line};
    return nf_reading_add(reading, &given);
}

static nerfit_status read_root(nf_reading *reading, const nf_xml_node *root) {
    const nf_xml_node *sofa;
    xmi_spans spans = {0};
    NF_TRY(find_text(reading, root, &sofa));
    nerfit_status status = sofa ? read_text(reading, root, sofa, &spans) : NERFIT_OK;
    nf_given_list_free(&spans.list);
    return status;
}

static nerfit_status read_xmi(nf_reading *reading, const char *text, size_t size) {
    nf_arena arena = {0};
    nf_xml_node *root;
    nerfit_status status = nf_xml_parse(reading, text, size, 1, false, &arena, &root);
    if (status == NERFIT_OK && root) status = read_root(reading, root);
    nf_arena_free(&arena);
    return status;
}

/* clang-format off */
const nf_format nf_format_xmi = {
    .name = "xmi", .title = "UIMA's XMI", .endings = {".xmi"}, .by_ending = true, .sure = true,
    .recognised = "the element `XMI`, or the ending",
    .kept = "text (a file is one text), elements `NamedEntity` with their `value`, or, where there "
            "are none, other layers with a `label` or `value`",
    .lost = "sub-words, sentences and the like; other layers, annotations without a value, and views but the first, with a warning",
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
