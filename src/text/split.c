#include "text/split.h"

#include <string.h>

static const struct {
    const char *name;
    nf_split_behavior behavior;
} behaviors[] = {
    {"Removed", NF_SPLIT_REMOVED},
    {"Isolated", NF_SPLIT_ISOLATED},
    {"MergedWithPrevious", NF_SPLIT_MERGED_WITH_PREVIOUS},
    {"MergedWithNext", NF_SPLIT_MERGED_WITH_NEXT},
    {"Contiguous", NF_SPLIT_CONTIGUOUS},
};

nerfit_status nf_split_behavior_load(nf_split_behavior *out, const json_t *json, int fallback,
                                     const char *what, nf_load *load) {
    const json_t *value = json_object_get(json, "behavior");
    const char *name = json_string_value(value);
    if (!value && fallback != NF_REQUIRED) {
        *out = (nf_split_behavior)fallback;
        return NERFIT_OK;
    }
    for (size_t i = 0; name && i < NF_COUNT(behaviors); i++)
        if (strcmp(behaviors[i].name, name) == 0) {
            *out = behaviors[i].behavior;
            return NERFIT_OK;
        }
    return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                      "%s: \"behavior\" must be Removed, Isolated, MergedWithPrevious, "
                      "MergedWithNext or Contiguous",
                      what);
}

static bool open_piece(nf_splitter *s, size_t start, size_t end) {
    bool pushed = !s->open || nf_pieces_push(s->pieces, s->start, s->end, -1);
    s->open = true;
    s->start = start;
    s->end = end;
    return pushed;
}

bool nf_splitter_give(nf_splitter *s, size_t start, size_t end, bool match) {
    bool joins = false;
    match ^= s->invert;
    switch (s->behavior) {
    case NF_SPLIT_REMOVED:
        return match || nf_pieces_push(s->pieces, start, end, -1);
    case NF_SPLIT_ISOLATED:
        return nf_pieces_push(s->pieces, start, end, -1);
    case NF_SPLIT_CONTIGUOUS:
        joins = match == s->last;
        break;
    case NF_SPLIT_MERGED_WITH_PREVIOUS:
        joins = match && !s->last;
        break;
    case NF_SPLIT_MERGED_WITH_NEXT: /* seen from the next one */
        joins = !match && s->last;
        break;
    }
    s->last = match;
    if (!joins || !s->open) return open_piece(s, start, end);
    s->end = end;
    return true;
}

bool nf_splitter_finish(nf_splitter *s) {
    return !s->open || nf_pieces_push(s->pieces, s->start, s->end, -1);
}

bool nf_split_pieces(nf_work *work, const nf_pre_tokenizer *self,
                     bool (*piece)(const nf_pre_tokenizer *self, nf_work *work, size_t start,
                                   size_t end)) {
    nf_work_take_pieces(work);
    for (size_t i = 0; i < work->previous.count; i++) {
        nf_piece p = work->previous.items[i];
        if (p.token >= 0 ? !nf_pieces_push(&work->pieces, p.start, p.end, p.token)
                         : !piece(self, work, p.start, p.end))
            return false;
    }
    return true;
}
