/* The machine: a stack of values, marks on it, and a memo of values by number. An opcode is a row of
 * a table; all that are not in it are refused. */
#include "tensor/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

typedef struct pickle_machine {
    const unsigned char *data;
    size_t size, at;
    nf_arena *arena;
    const char *path;
    nerfit_error *err;
    nf_pickle_value **stack; /* NULL: a mark */
    size_t depth, stack_capacity;
    nf_pickle_value **memo;
    size_t memo_capacity, next_memo;
    const nf_pickle_value *storages;
    bool stopped;
} pickle_machine;

static nerfit_status pickle_bad(const pickle_machine *m, const char *what) {
    return nf_fail_at(m->err, NERFIT_FORMAT, m->path, 0, 0,
                      "is broken or no file of torch.save: %s at byte %zu of its pickle", what,
                      m->at);
}

/* ---------------------------------------------------------------- reading bytes */

static nerfit_status pickle_bytes(pickle_machine *m, size_t count, const unsigned char **out) {
    if (count > m->size - m->at) return pickle_bad(m, "it ends inside a value");
    *out = m->data + m->at;
    m->at += count;
    return NERFIT_OK;
}

/* A little-endian number of 1 to 8 bytes. */
static nerfit_status pickle_number(pickle_machine *m, size_t bytes, uint64_t *out) {
    const unsigned char *at = NULL;
    NF_TRY(pickle_bytes(m, bytes, &at));
    *out = 0;
    for (size_t i = bytes; i-- > 0;) *out = *out << 8 | at[i];
    return NERFIT_OK;
}

static nerfit_status pickle_copy(pickle_machine *m, size_t count, const char **out) {
    const unsigned char *at = NULL;
    NF_TRY(pickle_bytes(m, count, &at));
    if (memchr(at, 0, count)) return pickle_bad(m, "a text with a NUL character");
    char *copy = nf_arena_alloc(m->arena, count + 1);
    if (!copy) return nf_no_memory(m->err, count);
    memcpy(copy, at, count);
    copy[count] = '\0';
    *out = copy;
    return NERFIT_OK;
}

static nerfit_status pickle_line(pickle_machine *m, const char **out) {
    const unsigned char *end = memchr(m->data + m->at, '\n', m->size - m->at);
    if (!end) return pickle_bad(m, "a line without an end");
    NF_TRY(pickle_copy(m, (size_t)(end - (m->data + m->at)), out));
    m->at++;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- stack and memo */

static nerfit_status pickle_push(pickle_machine *m, nf_pickle_value *value) {
    if (!nf_array_reserve(&m->stack, &m->stack_capacity, m->depth + 1, sizeof(nf_pickle_value *)))
        return nf_no_memory(m->err, 0);
    m->stack[m->depth++] = value;
    return NERFIT_OK;
}

static nerfit_status pickle_new(pickle_machine *m, nf_pickle_kind kind, nf_pickle_value **out) {
    nf_pickle_value *value = nf_arena_calloc(m->arena, 1, sizeof *value);
    if (!value) return nf_no_memory(m->err, sizeof *value);
    value->kind = kind;
    *out = value;
    return pickle_push(m, value);
}

static nerfit_status pickle_pop(pickle_machine *m, nf_pickle_value **out) {
    if (m->depth == 0 || !m->stack[m->depth - 1]) return pickle_bad(m, "a value is missing");
    *out = m->stack[--m->depth];
    return NERFIT_OK;
}

static nerfit_status pickle_top(pickle_machine *m, nf_pickle_kind kind, nf_pickle_value **out) {
    if (m->depth == 0 || !m->stack[m->depth - 1] || m->stack[m->depth - 1]->kind != kind)
        return pickle_bad(m, "a value of another kind is expected");
    *out = m->stack[m->depth - 1];
    return NERFIT_OK;
}

/* The place of the first value behind the last mark. */
static nerfit_status pickle_mark(pickle_machine *m, size_t *first) {
    for (size_t i = m->depth; i-- > 0;)
        if (!m->stack[i]) {
            *first = i + 1;
            return NERFIT_OK;
        }
    return pickle_bad(m, "a mark is missing");
}

static nerfit_status pickle_append(pickle_machine *m, nf_pickle_value *to, nf_pickle_value *value) {
    nf_pickle_item *item = nf_arena_calloc(m->arena, 1, sizeof *item);
    if (!item) return nf_no_memory(m->err, sizeof *item);
    item->value = value;
    if (to->last)
        to->last->next = item;
    else
        to->items = item;
    to->last = item;
    to->n_items++;
    return NERFIT_OK;
}

/* Moves the values from `first` on into `to`. */
static nerfit_status pickle_move(pickle_machine *m, nf_pickle_value *to, size_t first) {
    for (size_t i = first; i < m->depth; i++) {
        if (!m->stack[i]) return pickle_bad(m, "a mark where a value is expected");
        NF_TRY(pickle_append(m, to, m->stack[i]));
    }
    m->depth = first;
    return NERFIT_OK;
}

static nerfit_status pickle_remember(pickle_machine *m, uint64_t index) {
    /* every number is given by an opcode: there cannot be more of them than bytes */
    if (m->depth == 0 || !m->stack[m->depth - 1] || index > m->size)
        return pickle_bad(m, "a memo of nothing, or of a number out of range");
    size_t before = m->memo_capacity;
    if (!nf_array_reserve(&m->memo, &m->memo_capacity, index + 1, sizeof(nf_pickle_value *)))
        return nf_no_memory(m->err, 0);
    memset(m->memo + before, 0, (m->memo_capacity - before) * sizeof(nf_pickle_value *));
    m->memo[index] = m->stack[m->depth - 1];
    return NERFIT_OK;
}

static nerfit_status pickle_recall(pickle_machine *m, uint64_t index) {
    if (index >= m->memo_capacity || !m->memo[index])
        return pickle_bad(m, "a value that was not remembered");
    return pickle_push(m, m->memo[index]);
}

/* ---------------------------------------------------------------- globals */

static const struct {
    const char *module, *name;
    nf_pickle_global global;
    nf_stored_type type;
} globals[] = {
    {"collections", "OrderedDict", NF_PICKLE_ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor", NF_PICKLE_REBUILD_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor_v2", NF_PICKLE_REBUILD_TENSOR_V2, 0},
    {"torch._utils", "_rebuild_parameter", NF_PICKLE_REBUILD_PARAMETER, 0},
    {"torch", "DoubleStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_F64},
    {"torch", "FloatStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_F32},
    {"torch", "HalfStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_F16},
    {"torch", "BFloat16Storage", NF_PICKLE_STORAGE_TYPE, NF_STORED_BF16},
    {"torch", "LongStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_I64},
    {"torch", "IntStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_I32},
    {"torch", "ShortStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_I16},
    {"torch", "CharStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_I8},
    {"torch", "ByteStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_U8},
    {"torch", "BoolStorage", NF_PICKLE_STORAGE_TYPE, NF_STORED_BOOL},
};

static nerfit_status pickle_global(pickle_machine *m, const char *module, const char *name) {
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        if (strcmp(module, globals[i].module) != 0 || strcmp(name, globals[i].name) != 0) continue;
        nf_pickle_value *value = NULL;
        NF_TRY(pickle_new(m, NF_PICKLE_GLOBAL, &value));
        value->global = globals[i].global;
        value->type = globals[i].type;
        return NERFIT_OK;
    }
    return nf_fail_at(
        m->err, NERFIT_UNSUPPORTED, m->path, 0, 0,
        "asks for %s.%s, which is not a tensor and could run code; expected a file of "
        "tensors alone (torch.save(model.state_dict(), ...))",
        module, name);
}

static nerfit_status pickle_stack_global(pickle_machine *m) {
    nf_pickle_value *name = NULL, *module = NULL;
    NF_TRY(pickle_pop(m, &name));
    NF_TRY(pickle_pop(m, &module));
    if (name->kind != NF_PICKLE_TEXT || module->kind != NF_PICKLE_TEXT)
        return pickle_bad(m, "a global without a name");
    return pickle_global(m, module->text, name->text);
}

/* ("storage", type, key, place, elements): torch's persistent ids. */
static nerfit_status pickle_storage(pickle_machine *m) {
    nf_pickle_value *id = NULL, *parts[6] = {0}, *value = NULL;
    NF_TRY(pickle_pop(m, &id));
    size_t count = 0;
    for (const nf_pickle_item *i = id->kind == NF_PICKLE_TUPLE ? id->items : NULL; i && count < 6;
         i = i->next)
        parts[count++] = i->value;
    if (count < 5 || parts[0]->kind != NF_PICKLE_TEXT || strcmp(parts[0]->text, "storage") != 0 ||
        parts[1]->kind != NF_PICKLE_GLOBAL || parts[1]->global != NF_PICKLE_STORAGE_TYPE ||
        parts[2]->kind != NF_PICKLE_TEXT || parts[4]->kind != NF_PICKLE_INT ||
        parts[4]->integer < 0)
        return pickle_bad(m, "a persistent id that is not a storage");
    if (parts[5] && parts[5]->kind != NF_PICKLE_NONE)
        return nf_fail_at(
            m->err, NERFIT_UNSUPPORTED, m->path, 0, 0,
            "has a storage that is a view of another, as torch 0.1 wrote them; save it "
            "again with a later version");
    NF_TRY(pickle_new(m, NF_PICKLE_STORAGE, &value));
    value->type = parts[1]->type;
    value->text = parts[2]->text;
    value->integer = parts[4]->integer;
    value->next_storage = m->storages;
    m->storages = value;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- calls */

static nerfit_status pickle_sizes(pickle_machine *m, const nf_pickle_value *tuple, int64_t *out,
                                  size_t *count) {
    *count = 0;
    if (tuple->kind != NF_PICKLE_TUPLE || tuple->n_items > NF_STORED_MAX_DIMS)
        return pickle_bad(m, "a tensor's shape");
    for (const nf_pickle_item *i = tuple->items; i; i = i->next) {
        if (i->value->kind != NF_PICKLE_INT || i->value->integer < 0)
            return pickle_bad(m, "a tensor's shape or stride that is no whole number");
        out[(*count)++] = i->value->integer;
    }
    return NERFIT_OK;
}

static nerfit_status pickle_tensor(pickle_machine *m, nf_pickle_value *const *given, size_t count) {
    nf_pickle_value *tensor = NULL;
    size_t n_dims = 0, n_strides = 0;
    if (count < 4 || given[0]->kind != NF_PICKLE_STORAGE || given[1]->kind != NF_PICKLE_INT ||
        given[1]->integer < 0)
        return pickle_bad(m, "a tensor without a storage");
    NF_TRY(pickle_new(m, NF_PICKLE_TENSOR, &tensor));
    tensor->storage = given[0];
    tensor->offset = given[1]->integer;
    NF_TRY(pickle_sizes(m, given[2], tensor->dims, &n_dims));
    NF_TRY(pickle_sizes(m, given[3], tensor->strides, &n_strides));
    if (n_dims != n_strides) return pickle_bad(m, "a tensor of another number of strides");
    tensor->n_dims = (int)n_dims;
    return NERFIT_OK;
}

static nerfit_status pickle_reduce(pickle_machine *m) {
    nf_pickle_value *arguments = NULL, *function = NULL, *given[8] = {0}, *dict;
    NF_TRY(pickle_pop(m, &arguments));
    NF_TRY(pickle_pop(m, &function));
    size_t count = 0;
    if (function->kind != NF_PICKLE_GLOBAL || arguments->kind != NF_PICKLE_TUPLE)
        return pickle_bad(m, "a call of something else");
    for (const nf_pickle_item *i = arguments->items; i && count < 8; i = i->next)
        given[count++] = i->value;
    switch (function->global) {
    case NF_PICKLE_ORDERED_DICT:
        return pickle_new(m, NF_PICKLE_DICT, &dict);
    case NF_PICKLE_REBUILD_TENSOR:
    case NF_PICKLE_REBUILD_TENSOR_V2:
        return pickle_tensor(m, given, count);
    case NF_PICKLE_REBUILD_PARAMETER: /* (tensor, requires_grad, hooks) */
        if (count < 1 || given[0]->kind != NF_PICKLE_TENSOR)
            return pickle_bad(m, "a parameter without a tensor");
        return pickle_push(m, given[0]);
    default:
        return pickle_bad(m, "a call of a storage's type");
    }
}

/* ---------------------------------------------------------------- the opcodes */

typedef enum pickle_action {
    UNKNOWN,
    SKIP, /* `bytes` of no interest */
    PUSH_MARK,
    PUSH_NONE,
    PUSH_TRUE,
    PUSH_FALSE,
    PUSH_INT,  /* of `bytes`, signed if 4 */
    PUSH_LONG, /* a length of `bytes`, then as many bytes of two's complement */
    PUSH_FLOAT,
    PUSH_TEXT, /* a length of `bytes`, then the text */
    PUSH_DICT,
    PUSH_TUPLE,
    TUPLE_OF,     /* the last `bytes` values */
    TUPLE_MARKED, /* those behind the mark */
    APPEND,
    APPENDS,
    SET_ITEM,
    SET_ITEMS,
    PUT, /* a number of `bytes` */
    MEMOIZE,
    GET,
    GLOBAL,
    STACK_GLOBAL,
    PERSISTENT,
    REDUCE,
    BUILD,
    STOP,
} pickle_action;

static const struct {
    pickle_action action;
    unsigned char bytes;
} opcodes[256] = {
    [0x80] = {SKIP, 1},         [0x95] = {SKIP, 8},        ['('] = {PUSH_MARK, 0},
    ['N'] = {PUSH_NONE, 0},     [0x88] = {PUSH_TRUE, 0},   [0x89] = {PUSH_FALSE, 0},
    ['K'] = {PUSH_INT, 1},      ['M'] = {PUSH_INT, 2},     ['J'] = {PUSH_INT, 4},
    [0x8A] = {PUSH_LONG, 1},    ['G'] = {PUSH_FLOAT, 8},   ['X'] = {PUSH_TEXT, 4},
    [0x8C] = {PUSH_TEXT, 1},    [0x8D] = {PUSH_TEXT, 8},   ['U'] = {PUSH_TEXT, 1},
    ['T'] = {PUSH_TEXT, 4},     ['}'] = {PUSH_DICT, 0},    [']'] = {PUSH_TUPLE, 0},
    [')'] = {PUSH_TUPLE, 0},    [0x85] = {TUPLE_OF, 1},    [0x86] = {TUPLE_OF, 2},
    [0x87] = {TUPLE_OF, 3},     ['t'] = {TUPLE_MARKED, 0}, ['a'] = {APPEND, 0},
    ['e'] = {APPENDS, 0},       ['s'] = {SET_ITEM, 0},     ['u'] = {SET_ITEMS, 0},
    ['q'] = {PUT, 1},           ['r'] = {PUT, 4},          [0x94] = {MEMOIZE, 0},
    ['h'] = {GET, 1},           ['j'] = {GET, 4},          ['c'] = {GLOBAL, 0},
    [0x93] = {STACK_GLOBAL, 0}, ['Q'] = {PERSISTENT, 0},   ['R'] = {REDUCE, 0},
    ['b'] = {BUILD, 0},         ['.'] = {STOP, 0},
};

static nerfit_status pickle_long(pickle_machine *m, uint64_t bytes) {
    const unsigned char *at = NULL;
    nf_pickle_value *value = NULL;
    NF_TRY(pickle_bytes(m, bytes, &at));
    NF_TRY(pickle_new(m, NF_PICKLE_INT, &value));
    uint64_t bits = bytes > 0 && at[bytes - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = bytes < 8 ? bytes : 8; i-- > 0;) bits = bits << 8 | at[i];
    /* the legacy format's magic number has ten bytes; none that matters has more than eight */
    value->integer = (int64_t)bits;
    return NERFIT_OK;
}

static nerfit_status pickle_text(pickle_machine *m, uint64_t length) {
    nf_pickle_value *value = NULL;
    const char *text = NULL;
    if (length > m->size - m->at) return pickle_bad(m, "it ends inside a text");
    NF_TRY(pickle_copy(m, (size_t)length, &text));
    NF_TRY(pickle_new(m, NF_PICKLE_TEXT, &value));
    value->text = text;
    return NERFIT_OK;
}

/* Values from `first` on become a tuple. */
static nerfit_status pickle_tuple(pickle_machine *m, size_t first) {
    nf_pickle_value *tuple = nf_arena_calloc(m->arena, 1, sizeof *tuple);
    if (!tuple) return nf_no_memory(m->err, sizeof *tuple);
    tuple->kind = NF_PICKLE_TUPLE;
    NF_TRY(pickle_move(m, tuple, first));
    return pickle_push(m, tuple);
}

/* Puts the values from `first` on into the container below them. */
static nerfit_status pickle_fill(pickle_machine *m, size_t first, bool marked,
                                 nf_pickle_kind kind) {
    size_t below = marked ? first - 1 : first;
    if (below == 0 || !m->stack[below - 1] || m->stack[below - 1]->kind != kind ||
        (kind == NF_PICKLE_DICT && (m->depth - first) % 2))
        return pickle_bad(m, "items without something to put them into");
    nf_pickle_value *to = m->stack[below - 1];
    NF_TRY(pickle_move(m, to, first));
    m->depth = below;
    return NERFIT_OK;
}

/* Python's attributes of a value (a state dict's _metadata): of no interest. */
static nerfit_status pickle_build(pickle_machine *m) {
    nf_pickle_value *state, *dict;
    NF_TRY(pickle_pop(m, &state));
    return pickle_top(m, NF_PICKLE_DICT, &dict);
}

static nerfit_status pickle_constant(pickle_machine *m, nf_pickle_kind kind, int64_t integer) {
    nf_pickle_value *value = NULL;
    NF_TRY(pickle_new(m, kind, &value));
    value->integer = integer;
    return NERFIT_OK;
}

static nerfit_status pickle_global_lines(pickle_machine *m) {
    const char *module = NULL, *name = NULL;
    NF_TRY(pickle_line(m, &module));
    NF_TRY(pickle_line(m, &name));
    return pickle_global(m, module, name);
}

static nerfit_status pickle_step(pickle_machine *m) {
    const unsigned char *code = NULL, *skipped;
    NF_TRY(pickle_bytes(m, 1, &code));
    unsigned char bytes = opcodes[*code].bytes;
    uint64_t number = 0;
    size_t first = 0;
    switch (opcodes[*code].action) {
    case SKIP:
        return pickle_bytes(m, bytes, &skipped);
    case PUSH_FLOAT:
        NF_TRY(pickle_bytes(m, bytes, &skipped));
        return pickle_constant(m, NF_PICKLE_FLOAT, 0);
    case PUSH_MARK:
        return pickle_push(m, NULL);
    case PUSH_NONE:
        return pickle_constant(m, NF_PICKLE_NONE, 0);
    case PUSH_TRUE:
    case PUSH_FALSE:
        return pickle_constant(m, NF_PICKLE_BOOL, opcodes[*code].action == PUSH_TRUE);
    case PUSH_INT:
        NF_TRY(pickle_number(m, bytes, &number));
        return pickle_constant(m, NF_PICKLE_INT, bytes == 4 ? (int32_t)number : (int64_t)number);
    case PUSH_LONG:
        NF_TRY(pickle_number(m, bytes, &number));
        return pickle_long(m, number);
    case PUSH_TEXT:
        NF_TRY(pickle_number(m, bytes, &number));
        return pickle_text(m, number);
    case PUSH_DICT:
        return pickle_constant(m, NF_PICKLE_DICT, 0);
    case PUSH_TUPLE:
        return pickle_constant(m, NF_PICKLE_TUPLE, 0);
    case TUPLE_OF:
        if (m->depth < bytes) return pickle_bad(m, "a value is missing");
        return pickle_tuple(m, m->depth - bytes);
    case TUPLE_MARKED:
        NF_TRY(pickle_mark(m, &first));
        NF_TRY(pickle_tuple(m, first));
        m->stack[first - 1] = m->stack[first]; /* the mark's place */
        m->depth = first;
        return NERFIT_OK;
    case APPEND:
        if (m->depth < 2) return pickle_bad(m, "a value is missing");
        return pickle_fill(m, m->depth - 1, false, NF_PICKLE_TUPLE);
    case SET_ITEM:
        if (m->depth < 3) return pickle_bad(m, "a value is missing");
        return pickle_fill(m, m->depth - 2, false, NF_PICKLE_DICT);
    case APPENDS:
        NF_TRY(pickle_mark(m, &first));
        return pickle_fill(m, first, true, NF_PICKLE_TUPLE);
    case SET_ITEMS:
        NF_TRY(pickle_mark(m, &first));
        return pickle_fill(m, first, true, NF_PICKLE_DICT);
    case PUT:
        NF_TRY(pickle_number(m, bytes, &number));
        return pickle_remember(m, number);
    case MEMOIZE:
        return pickle_remember(m, m->next_memo++);
    case GET:
        NF_TRY(pickle_number(m, bytes, &number));
        return pickle_recall(m, number);
    case GLOBAL:
        return pickle_global_lines(m);
    case STACK_GLOBAL:
        return pickle_stack_global(m);
    case PERSISTENT:
        return pickle_storage(m);
    case REDUCE:
        return pickle_reduce(m);
    case BUILD:
        return pickle_build(m);
    case STOP:
        m->stopped = true;
        return NERFIT_OK;
    case UNKNOWN:
        break;
    }
    return nf_fail_at(
        m->err, NERFIT_UNSUPPORTED, m->path, 0, 0,
        "its pickle has the opcode 0x%02x at byte %zu, which no file of tensors needs", *code,
        m->at - 1);
}

nerfit_status nf_pickle_read(nf_pickle *out, const char *data, size_t size, nf_arena *arena,
                             const char *path, nerfit_error *err) {
    pickle_machine m = {.data = (const unsigned char *)data,
                        .size = size,
                        .arena = arena,
                        .path = path,
                        .err = err};
    nerfit_status status = NERFIT_OK;
    nf_pickle_value *result = NULL;
    while (status == NERFIT_OK && !m.stopped) status = pickle_step(&m);
    if (status == NERFIT_OK) status = pickle_pop(&m, &result);
    free(m.stack);
    free(m.memo);
    *out = (nf_pickle){.value = result, .storages = m.storages, .length = m.at};
    return status;
}

const nf_pickle_value *nf_pickle_get(const nf_pickle_value *dict, const char *key) {
    const nf_pickle_value *found = NULL;
    const nf_pickle_item *i = dict->kind == NF_PICKLE_DICT ? dict->items : NULL;
    for (; i && i->next; i = i->next->next)
        if (i->value->kind == NF_PICKLE_TEXT && strcmp(i->value->text, key) == 0)
            found = i->next->value; /* the last one counts */
    return found;
}
