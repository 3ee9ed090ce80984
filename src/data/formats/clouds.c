/* Exports of the clouds' labelling services:
 *   aws      Ground Truth's manifest: {"source": text, JOB: {"annotations": {"entities": [{"label",
 *            "startOffset", "endOffset"}]}}, "JOB-metadata": ...}
 *   google   AutoML's {"text_snippet": {"content"}, "annotations": [...]} and Vertex AI's
 *            {"textContent", "textSegmentAnnotations": [...]}
 *   azure    custom NER's project names its texts, and has none: it is told of
 * (their documentation, 2025) */
#include <string.h>

#include "data/formats/format.h"
#include "data/json_place.h"

/* ---------------------------------------------------------------- AWS */

/* The key of the job that has entities; NULL if there is none. */
static const char *job_of(const json_t *value) {
    const char *key;
    json_t *job;
    json_object_foreach(
        (json_t *)value, key,
        job) if (json_is_array(nf_json_get(job, "annotations.entities", NULL))) return key;
    return NULL;
}

static bool looks_like_aws(const json_t *value) {
    return json_is_string(json_object_get(value, "source")) && job_of(value);
}

static nerfit_status read_aws(const nf_json_value *v) {
    const char *job = job_of(v->json);
    if (!job) return nf_json_value_error(v, 0, 0, "has no job with \"annotations\"");
    char list[128];
    if (strlen(job) >= NF_JSON_KEY || strpbrk(job, ".|"))
        return nf_json_value_error(v, 0, 0, "the job's name \"%s\" is not read", job);
    strcpy(list, job);
    strcat(list, ".annotations.entities");
    const nf_span_shape shape = {.text = "source",
                                 .list = list,
                                 .start = "startOffset",
                                 .end = "endOffset",
                                 .label = "label"};
    return nf_span_shape_read(v, &shape);
}

/* clang-format off */
const nf_format nf_format_aws = {
    .name = "aws", .title = "SageMaker Ground Truth's manifest", .endings = {".manifest"},
    .recognised = "objects with `source` and a job whose `annotations` have `entities`",
    .kept = "text, entities, other fields",
    .lost = "the job's labels that no entity has",
    .value_looks_like = looks_like_aws, .read_value = read_aws,
};
/* clang-format on */

/* ---------------------------------------------------------------- Google */

static bool looks_like_google(const json_t *value) {
    return json_is_string(nf_json_get(value, "text_snippet.content", NULL)) ||
           (json_is_string(nf_json_get(value, "textContent|text_content", NULL)) &&
            nf_json_get(value, "textSegmentAnnotations|text_segment_annotations", NULL));
}

static nerfit_status read_google(const nf_json_value *v) {
    static const nf_span_shape automl =
                                   {
                                       .text = "text_snippet.content",
                                       .list = "annotations",
                                       .start = "text_extraction.text_segment.start_offset",
                                       .end = "text_extraction.text_segment.end_offset",
                                       .label = "display_name",
                                   },
                               vertex = {
                                   .text = "textContent|text_content",
                                   .list = "textSegmentAnnotations|text_segment_annotations",
                                   .start = "startOffset|start_offset",
                                   .end = "endOffset|end_offset",
                                   .label = "displayName|display_name",
                               };
    return nf_span_shape_read(v, json_object_get(v->json, "text_snippet") ? &automl : &vertex);
}

/* clang-format off */
const nf_format nf_format_google = {
    .name = "google", .title = "Google AutoML's and Vertex AI's JSON lines", .endings = {".jsonl"},
    .recognised = "objects with `text_snippet` and `content`, or `textContent` and "
                  "`textSegmentAnnotations`",
    .kept = "text, entities, other fields",
    .lost = "nothing; texts that are in Cloud Storage (`textGcsUri`) are not fetched",
    .value_looks_like = looks_like_google, .read_value = read_google,
};
/* clang-format on */

/* ---------------------------------------------------------------- what has no texts */

static bool looks_like_azure(const json_t *value) {
    return nf_json_get(value, "assets.documents|results.documents", NULL) ||
           nf_json_get(value, "assets.entities", NULL) || json_object_get(value, "textGcsUri") ||
           json_object_get(value, "source-ref");
}

/* clang-format off */
const nf_format nf_format_azure = {
    .name = "azure", .title = "a labelling project whose texts lie in other files",
    .recognised = "`assets` or `results` with `documents`; `textGcsUri`; `source-ref`",
    .advice = "it has no texts of its own; write {\"text\": ..., \"entities\": [{\"offset\", "
              "\"length\", \"category\"}]} of each text and its entities, one a line",
    .value_looks_like = looks_like_azure,
};
/* clang-format on */

static bool looks_like_pipeline(const json_t *value) {
    const json_t *item = json_is_array(value) ? json_array_get(value, 0) : value;
    return json_is_string(nf_json_get(item, "entity_group|entity|entity_type", NULL)) &&
           json_is_integer(json_object_get(item, "start")) && !json_object_get(item, "text");
}

/* clang-format off */
const nf_format nf_format_pipeline = {
    .name = "pipeline", .title = "the output of a transformers pipeline, or of Presidio",
    .recognised = "entities with `entity_group`, `entity` or `entity_type`, without a text",
    .advice = "it has no texts; write {\"text\": ..., \"entities\": [...]} of each text and its "
              "output, one a line",
    .value_looks_like = looks_like_pipeline,
};
/* clang-format on */
