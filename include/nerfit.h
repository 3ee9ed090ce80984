/* nerfit: teach a transformer to find your entities in text, from a handful of examples.
 *
 * This is the only public header. The parts:
 *   - status and error record (every fallible function returns a status and fills the error)
 *   - log messages (a callback of yours)
 *   - transfers: models by name are downloaded, language models asked
 *   - models, and prediction in sessions: one a thread, over a shared model
 *   - annotated texts in memory and in files
 *   - scores, tokens, sentence embeddings
 *   - training, with callbacks; few-shot experiments
 *
 * Offsets in this interface are code points (what Python's `str` counts), end exclusive. Text is
 * UTF-8. The library never prints, exits or keeps global mutable state. */
#ifndef NERFIT_H
#define NERFIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NERFIT_API __attribute__((visibility("default")))
#define NERFIT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define NERFIT_API
#define NERFIT_PRINTF(fmt, args)
#endif

#define NERFIT_VERSION "0.2.0"

/* ---------------------------------------------------------------- status and errors */

/* Every status with its general meaning; the error record holds the particular one. */
#define NERFIT_STATUS_MAP(X)                                                                       \
    X(OK, "no error")                                                                              \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(IO, "a file could not be read or written")                                                   \
    X(FORMAT, "an input is malformed")                                                             \
    X(ARGUMENT, "an argument or option is wrong")                                                  \
    X(UNSUPPORTED, "something valid that this version does not handle")                            \
    X(CANCELLED, "a callback asked to stop")                                                       \
    X(NUMERIC, "a computation gave no finite result")                                              \
    X(INTERNAL, "a defect in nerfit")

typedef enum nerfit_status {
#define NERFIT_STATUS_ENUM(name, text) NERFIT_##name,
    NERFIT_STATUS_MAP(NERFIT_STATUS_ENUM)
#undef NERFIT_STATUS_ENUM
} nerfit_status;

/* Caller-owned error record. `text` is the whole message, `file:line:column:` included where the
 * error lies in an input; the fields repeat that place for programs (line and column count from 1,
 * 0 = unknown). May be NULL wherever one is taken. */
typedef struct nerfit_error {
    nerfit_status code;
    long line;
    long column;
    char file[256];
    char text[1024];
} nerfit_error;

/* The general meaning of a status; a constant string, never NULL. */
NERFIT_API const char *nerfit_status_text(nerfit_status status);

/* "0.2.0": of the library at run time. */
NERFIT_API const char *nerfit_version(void);

/* "Did you mean": the name that is nearest to the one given, counting letters to put in, to take out,
 * to replace and to exchange; NULL if more than a third of the letters differ in all of them. */
NERFIT_API const char *nerfit_nearest(const char *given, const char *const *names, size_t count);

/* ---------------------------------------------------------------- log */

typedef enum nerfit_log_level { NERFIT_LOG_INFO, NERFIT_LOG_WARNING } nerfit_log_level;

/* Receives one message (UTF-8, no newline at its end); called on the thread that does the work. */
typedef void (*nerfit_log_function)(void *user, nerfit_log_level level, const char *message);

/* ---------------------------------------------------------------- transfers */

/* Bytes that come over the network. */
typedef struct nerfit_transfer {
    const char *model;    /* "owner/name"; or the language model's name */
    const char *file;     /* of the model; NULL: an answer of a language model */
    uint64_t done, total; /* bytes; total 0: unknown */
} nerfit_transfer;
/* Called several times a second while something is fetched, or waited for; false: cancel, which
 * gives NERFIT_CANCELLED. A file that was cut short is gone on with the next time. */
typedef bool (*nerfit_transfer_function)(void *user, const nerfit_transfer *transfer);

/* ---------------------------------------------------------------- models */

/* Structs that you fill begin with their size, by which the library tells which members your program
 * knows: a program keeps working with a later library. Begin with the NERFIT_..._INIT of the struct, or
 * {.size = sizeof(struct), ...}; zero and NULL are defaults everywhere. Structs that the library fills
 * only change with its soname (docs/release.md). */
typedef struct nerfit_weights nerfit_weights; /* see nerfit_weights_new */
typedef struct nerfit_model_options {
    size_t size;           /* sizeof(nerfit_model_options) */
    const char *backend;   /* "auto" (NULL), "cpu", "ref" */
    const char *precision; /* "auto" (NULL: bf16 where the CPU multiplies it), "f32",
                              "bf16", "int8" (see nerfit_model_quantize) */
    int threads;           /* 0: all cores */
    nerfit_log_function log;
    void *log_user;
    /* How labels are found. "auto" (NULL): "crf" where the folder has a nerfit.json (models of the
     * recipe nerfit), else "labels". "labels": each sub-word's most probable label. "viterbi": the
     * best sequence of words' labels in which I- follows B- or I- of its type. "crf": the same with
     * the learned transitions. With the last two an entity's score is the probability of exactly
     * that span. */
    const char *decoder;
    /* Zero-shot tagging: labels that the model was never trained on, for a folder that nerfit
     * pretrain wrote or an encoder that comes pre-trained with nerfit. A JSON or YAML file of
     * descriptions, or names divided by commas. NULL: the model's own labels. Of a GLiNER model (a
     * folder with gliner_config.json) the labels of calls that name none; it reads the names, or a
     * file's descriptions. */
    const char *labels;
    /* With labels: the folder of the sentence encoder; NULL: the one that pre-training used. */
    const char *sentence_encoder;
    nerfit_transfer_function transfer; /* of downloads; may be NULL */
    void *transfer_user;
    /* Of nerfit_model_load: weights that the model shares with others. backend, precision and threads
     * are then those of the handle: 0 and NULL here, or the same. NULL: the model's weights are its
     * own. */
    nerfit_weights *weights;
    /* With labels: what of them the sentence encoder reads: "mean" (NULL and "auto": the mean of the
     * embeddings of name and description, which counts three times), "description", "name". */
    const char *label_text;
} nerfit_model_options;
#define NERFIT_MODEL_OPTIONS_INIT                                                                  \
    { sizeof(nerfit_model_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* A loaded token-classification model: immutable, may be shared by threads. */
typedef struct nerfit_model nerfit_model;

/* Wherever this header takes a model's folder, a name on Hugging Face's hub will do: "owner/name",
 * "owner/name@revision", or a bare name as the first models have. A folder of that name goes first,
 * then the cache that is shared with Python's huggingface_hub, then it is downloaded into it. This
 * gives the folder, and downloads what is missing; kind: "model" (NULL), "sentence" (with what
 * modules.json names), "tokenizer". options (may be NULL): log and transfer count. *folder is freed
 * with nerfit_free. The environment has its say as in huggingface_hub: docs/network.md. */
NERFIT_API nerfit_status nerfit_model_find(const char *name, const char *kind,
                                           const nerfit_model_options *options, char **folder,
                                           nerfit_error *error);

/* What options->backend may be beside "auto", index by index; NULL past the last. *description (may
 * be NULL) receives what it is. */
NERFIT_API const char *nerfit_backend_name(size_t index, const char **description);

/* Loads a folder in transformers' format (config.json, model.safetensors, tokenizer files), or a
 * PEFT adapter folder (its base model is loaded and the adapter merged). options may be NULL.
 *
 * All files are those of one moment: a symbolic link is followed once, and a folder that others change
 * meanwhile is loaded again, up to three times, then NERFIT_IO. The weights stay mapped: the file may be
 * removed or replaced by renaming another, not written over. One that is cut off makes later calls with
 * the model NERFIT_IO; for that the library sets a handler of SIGBUS, which passes faults at addresses
 * that are not its own on to the handler that was set before. */
NERFIT_API nerfit_status nerfit_model_load(nerfit_model **model, const char *folder,
                                           const nerfit_model_options *options,
                                           nerfit_error *error);
NERFIT_API void nerfit_model_free(nerfit_model *model);
/* Labels by id ("O", "B-time", ...); the texts belong to the model. */
NERFIT_API size_t nerfit_model_label_count(const nerfit_model *model);
NERFIT_API const char *nerfit_model_label(const nerfit_model *model, size_t id);

/* A handle under which models share what is equal of their weights: several adapters over one base, or
 * one model loaded several times. A file that holds the same bytes as one that is loaded is mapped once,
 * converted once and prepared for products once. An adapter then stays
 * beside its base's weights instead of being merged into them: each text takes a little longer, and
 * scores differ from those of the merged model by rounding. What is the model's own (a head, weights
 * that an adapter brings in full, PiSSA's and OLoRA's bases, and with options->labels all that is adapted)
 * is not shared.
 *
 * Of options (may be NULL) backend, precision and threads count. The handle may be used by several threads
 * at once, and freed while models use it; a file goes when the last model over it does. */
NERFIT_API nerfit_status nerfit_weights_new(nerfit_weights **weights,
                                            const nerfit_model_options *options,
                                            nerfit_error *error);
/* NULL is fine. */
NERFIT_API void nerfit_weights_free(nerfit_weights *weights);

/* ---------------------------------------------------------------- prediction */

/* One thread's scratch; a session must not be used by two threads at once. The model must outlive
 * it. */
typedef struct nerfit_session nerfit_session;

typedef struct nerfit_entity {
    uint32_t start, end;         /* code points of the text, end exclusive */
    size_t byte_start, byte_end; /* the same as bytes of the UTF-8 */
    const char *label;           /* entity type; belongs to the model */
    double score;                /* how sure the model is that it is one, 0 to 1; see
                                      docs/behaviour.md */
} nerfit_entity;

/* A sub-word with its own label; special tokens are left out. */
typedef struct nerfit_token {
    uint32_t start, end; /* code points */
    int32_t id;
    const char *label;
    double score;
} nerfit_token;

/* Belongs to the session until its next call. */
typedef struct nerfit_prediction {
    const nerfit_entity *entities;
    size_t n_entities;
    const nerfit_token *tokens;
    size_t n_tokens;
} nerfit_prediction;

NERFIT_API nerfit_status nerfit_session_new(nerfit_session **session, const nerfit_model *model,
                                            nerfit_error *error);
NERFIT_API void nerfit_session_free(nerfit_session *session);
/* From now on entities of this type (NULL: of every type that has no threshold of its own) with a
 * smaller score are left out of predictions and evaluations. A new session does as the model says:
 * models of the recipe nerfit leave out entities that are less probable than their
 * least_probability, others leave out nothing. The first threshold that is set takes the place of
 * that limit, for all types: 0 is not the default, but shows every entity. A type that the model
 * does not have and a threshold outside of 0 to 1 are errors. */
NERFIT_API nerfit_status nerfit_session_set_threshold(nerfit_session *session, const char *label,
                                                      double threshold, nerfit_error *error);
/* Forgets all thresholds: the session does again as the model says. */
NERFIT_API void nerfit_session_reset_thresholds(nerfit_session *session);

/* From now on lists and patterns of a file (docs/annotate.md) have their say in predictions: what they
 * add is found beside the model's entities, with score 1, and labels of theirs that the model has not
 * become labels of entities; what they forbid is left out. NULL: no more. */
NERFIT_API nerfit_status nerfit_session_set_rules(nerfit_session *session, const char *path,
                                                  nerfit_error *error);

/* What belongs to one call instead of to its session, which it leaves as it is. */
typedef struct nerfit_threshold {
    const char *label; /* NULL: every type that has none of its own */
    double threshold;
} nerfit_threshold;
typedef struct nerfit_label_list {
    const char *const *labels; /* [count] */
    size_t count;
} nerfit_label_list;
typedef struct nerfit_call_options {
    size_t size;         /* sizeof(nerfit_call_options) */
    const char *decoder; /* as in nerfit_model_options; NULL: the model's */
    const nerfit_threshold
        *thresholds; /* [n_thresholds] in place of the session's, if there are some */
    size_t n_thresholds;
    /* Asked after every batch (some milliseconds) and several times a second while there is nothing
     * to do, on the thread that made the call; false: stop, which gives NERFIT_CANCELLED. May be
     * NULL. */
    bool (*go_on)(void *user);
    nerfit_log_function log; /* NULL: the model's, which then must live as long as the model */
    void *user;              /* of go_on and log */
    /* Of GLiNER models (docs/gliner.md): the labels to look for [n_labels], in place of the model's or
     * session's. Thresholds are 0.5 unless set. */
    const char *const *labels;
    size_t n_labels;
    bool nested;      /* entities may lie inside others */
    bool multi_label; /* an entity may have several labels */
    /* One list a text, of nerfit_predict_with; an empty one: the call's labels. NULL: no text has its
     * own. In a stream of jsonl a text's "labels" are its own. */
    const nerfit_label_list *text_labels;
    /* Of GLiNER models: each character of a script without spaces (Han, kana, Thai, Lao, Khmer, Myanmar)
     * is a word, with the marks behind it. GLiNER takes a whole run of them as one, in which it finds
     * nothing. */
    bool characters;
} nerfit_call_options;
#define NERFIT_CALL_OPTIONS_INIT                                                                   \
    { sizeof(nerfit_call_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Tags `count` texts (UTF-8; sizes in bytes, or sizes NULL for NUL-terminated texts). Texts longer
 * than the model takes are covered by overlapping windows: nothing is cut off. *predictions points
 * to `count` predictions. */
NERFIT_API nerfit_status nerfit_predict(nerfit_session *session, const char *const *texts,
                                        const size_t *sizes, size_t count,
                                        const nerfit_prediction **predictions, nerfit_error *error);
/* The same with options of its own; options may be NULL. */
NERFIT_API nerfit_status nerfit_predict_with(nerfit_session *session,
                                             const nerfit_call_options *options,
                                             const char *const *texts, const size_t *sizes,
                                             size_t count, const nerfit_prediction **predictions,
                                             nerfit_error *error);

/* Where a stream of texts comes from and goes to. read fills up to `size` bytes and returns how
 * many, 0 at the end, negative on failure; write returns false on failure. */
typedef struct nerfit_stream {
    size_t size; /* sizeof(nerfit_stream) */
    ptrdiff_t (*read)(void *user, char *buffer, size_t size);
    bool (*write)(void *user, const char *data, size_t size);
    void *user;
    const char *name;   /* of the input, for messages; NULL: "input" */
    const char *input;  /* "text" (NULL), "auto", or a format of NERFIT_FORMATS_PARSED */
    const char *output; /* "jsonl" (NULL), "conll", "brackets", "tokens", "redacted", "html" */
    const char *word_column, *label_column; /* of input in columns, as in nerfit_read_options */
    /* With "redacted": a file of pseudonyms, read and appended to; an entity (label and text) has the same
     * one in all texts and calls, "[person_3]" instead of "[person]". A line of it: {"label": "person",
     * "text": "Ada", "pseudonym": "[person_3]"}; others may be chosen there. NULL: none. */
    const char *pseudonyms;
} nerfit_stream;
#define NERFIT_STREAM_INIT                                                                         \
    { sizeof(nerfit_stream), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Tags a stream of any length in constant memory and in order; reading, tagging and writing overlap.
 * read and write are called on the calling thread. *count (may be NULL): texts written. */
NERFIT_API nerfit_status nerfit_predict_stream(nerfit_session *session, const nerfit_stream *stream,
                                               size_t *count, nerfit_error *error);
/* The same with options of its own; options may be NULL. */
NERFIT_API nerfit_status nerfit_predict_stream_with(nerfit_session *session,
                                                    const nerfit_call_options *options,
                                                    const nerfit_stream *stream, size_t *count,
                                                    nerfit_error *error);

/* ---------------------------------------------------------------- annotated texts in memory */

/* Annotated texts that are in memory instead of in a file, checked and copied as they are added. */
typedef struct nerfit_corpus nerfit_corpus;

/* An entity as annotated. */
typedef struct nerfit_span {
    int64_t start, end; /* code points of the text, end exclusive */
    const char *label;
} nerfit_span;

/* `log` (may be NULL) is told of what was put right, such as white space at an entity's edge. */
NERFIT_API nerfit_status nerfit_corpus_new(nerfit_corpus **corpus, nerfit_log_function log,
                                           void *log_user, nerfit_error *error);
NERFIT_API void nerfit_corpus_free(nerfit_corpus *corpus);
NERFIT_API size_t nerfit_corpus_size(const nerfit_corpus *corpus); /* texts */
/* Entities of all texts. */
NERFIT_API size_t nerfit_corpus_entity_count(const nerfit_corpus *corpus);
/* Adds one text (UTF-8, `size` bytes). `name` and `line` (0: none) say where it comes from, for
 * messages. Wrong or overlapping entities are an error, and the text is not added. */
NERFIT_API nerfit_status nerfit_corpus_add(nerfit_corpus *corpus, const char *text, size_t size,
                                           const nerfit_span *entities, size_t n_entities,
                                           const char *name, long line, nerfit_error *error);
/* Adds what `data` holds in one of the formats that are one file: "auto" (NULL), or a name of
 * nerfit_format_names(NERFIT_FORMATS_PARSED). `name` stands for the file in messages. */
NERFIT_API nerfit_status nerfit_corpus_parse(nerfit_corpus *corpus, const char *data, size_t size,
                                             const char *format, const char *name,
                                             nerfit_error *error);

/* ---------------------------------------------------------------- annotated texts in files */

/* Something wrong or suspicious in annotated texts. The texts live as long as the call. */
typedef struct nerfit_finding {
    bool is_error;       /* the text was refused; else it was read, as the message says */
    const char *file;    /* "" if unknown */
    long line, column;   /* from 1; 0 if unknown */
    const char *kind;    /* what to count it under: a constant text */
    const char *message; /* the whole, place included */
} nerfit_finding;
typedef void (*nerfit_finding_function)(void *user, const nerfit_finding *finding);

typedef struct nerfit_read_options {
    size_t size;         /* sizeof(nerfit_read_options) */
    const char *format;  /* "auto" (NULL), or a name of nerfit_format_names(NERFIT_FORMATS_READ) */
    const char *overlap; /* of entities: "error" (NULL), "all" are kept, or "longest" or "first" */
    const char *tagging; /* of words' labels: "auto" (NULL), "iob1", "iob2", "bioes", "bilou", or
                            "none" for types without a prefix */
    size_t max_errors;   /* stop at this one (0: the first); texts with errors are left out, and the
                            status is NERFIT_FORMAT in the end */
    nerfit_finding_function finding; /* is told of everything, in the file's order; may be NULL */
    void *user;
    const char *offsets; /* what they count: "auto" (NULL) as the format has it, "code_points",
                            "utf16", "bytes" */
    const char *word_column, *label_column; /* of tables of words: a number from 1, or -1 for the
                                               last, or a name in the header; NULL: by content */
} nerfit_read_options;
#define NERFIT_READ_OPTIONS_INIT                                                                   \
    { sizeof(nerfit_read_options), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* A format of annotated texts; docs/formats.md lists them. The texts are constant but for endings,
 * which live as long as the call. */
typedef struct nerfit_format {
    const char *name, *title;
    const char *endings; /* ".jsonl .ndjson" */
    bool folder, is_read, is_written;
    const char *recognised, *kept, *lost; /* how it is told, and what becomes of its content */
    const char *advice;                   /* if it is not read: what to do instead; else NULL */
    bool by_ending;                       /* an ending alone tells it */
} nerfit_format;
typedef void (*nerfit_format_function)(void *user, const nerfit_format *format);
/* Calls the function for every format, in the order in which content is asked. */
NERFIT_API nerfit_status nerfit_formats(nerfit_format_function format, void *user,
                                        nerfit_error *error);
/* What a list of names is for: formats that are read from a path, or from one text; written to a
 * path, or as one text. */
typedef enum nerfit_format_use {
    NERFIT_FORMATS_READ,
    NERFIT_FORMATS_PARSED,
    NERFIT_FORMATS_WRITTEN,
    NERFIT_FORMATS_PRINTED,
} nerfit_format_use;
/* "auto, jsonl, ..." with `separator` between; freed with nerfit_free; NULL when out of memory. */
NERFIT_API char *nerfit_format_names(nerfit_format_use use, const char *separator);

/* Adds a file's texts to the corpus. options may be NULL. */
NERFIT_API nerfit_status nerfit_corpus_read(nerfit_corpus *corpus, const char *path,
                                            const nerfit_read_options *options,
                                            nerfit_error *error);
/* The same of one file's content in memory; `name` stands for the file in messages. */
NERFIT_API nerfit_status nerfit_corpus_parse_with(nerfit_corpus *corpus, const char *data,
                                                  size_t size, const char *name,
                                                  const nerfit_read_options *options,
                                                  nerfit_error *error);
/* Writes all texts: format "auto" (NULL) goes by the path's ending. Every text is read back and
 * compared: what a format cannot hold is an error with the text's file and line, but for the white
 * space between words (conll, seq) and entities (text), of which a warning tells. */
NERFIT_API nerfit_status nerfit_corpus_write(const nerfit_corpus *corpus, const char *path,
                                             const char *format, nerfit_error *error);
/* The same into memory (not seq): *text [*size] is freed with nerfit_free. */
NERFIT_API nerfit_status nerfit_corpus_format(const nerfit_corpus *corpus, const char *format,
                                              char **text, size_t *size, nerfit_error *error);
/* Tells of repeated texts in all corpora together, and, with `descriptions` (a JSON or YAML file,
 * or NULL), of labels without a description (errors) and descriptions that no text uses. */
NERFIT_API nerfit_status nerfit_corpus_check(const nerfit_corpus *const *corpora, size_t count,
                                             const char *descriptions,
                                             nerfit_finding_function finding, void *user,
                                             nerfit_error *error);
/* Texts, words, entities by type, lengths, repeated texts, and what the corpora share. names
 * [count]: distinct. *text (a table) and *json are freed with nerfit_free. */
NERFIT_API nerfit_status nerfit_corpus_statistics(const nerfit_corpus *const *corpora,
                                                  const char *const *names, size_t count,
                                                  char **text, char **json, nerfit_error *error);
/* Divides a corpus into parts with like shares of every entity type (iterative stratification:
 * Sechidis et al., ECML PKDD 2011); equal texts stay together. sizes [count]: "120" texts, "0.8" or
 * "80%" of all, or "rest". parts [count] receives new corpora. */
NERFIT_API nerfit_status nerfit_corpus_split(const nerfit_corpus *corpus, const char *const *sizes,
                                             size_t count, uint64_t seed, nerfit_corpus **parts,
                                             nerfit_error *error);
/* Greedy k-shot sampling: texts in random order are taken while they bring an entity type that has
 * fewer than k mentions, and push none past 2k; what is short then is filled up without that cap.
 * negatives: texts without an entity to add, "10" or "20%" of the sample (NULL: none). *sample is a
 * new corpus, in the order of the file. */
NERFIT_API nerfit_status nerfit_corpus_sample(const nerfit_corpus *corpus, size_t k, uint64_t seed,
                                              const char *negatives, nerfit_corpus **sample,
                                              nerfit_error *error);
/* Where a text comes from: its line from 1 (0: unknown), and the name of its file, which belongs to
 * the corpus. */
NERFIT_API long nerfit_corpus_line(const nerfit_corpus *corpus, size_t index);
NERFIT_API const char *nerfit_corpus_file(const nerfit_corpus *corpus, size_t index);

/* Descriptions of labels by a language model. Every function may be NULL. */
typedef struct nerfit_describe_options {
    size_t size; /* sizeof(nerfit_describe_options) */
    const char
        *llm;      /* by litellm's name: "gpt-4o-mini", "anthropic/...", "ollama/..."; its key comes
                         from the environment, as litellm has it */
    uint64_t seed; /* up to ten texts a label are drawn with it */
    const char *file; /* YAML or JSON: what it has is not asked for, and it is written after every
                         answer; or NULL */
    const char *const *labels, *const *descriptions; /* [n_known], which are not asked for either */
    size_t n_known;
    const char *format; /* of the result: "json" (NULL), "yaml" */
    nerfit_log_function log;
    nerfit_transfer_function transfer;
    /* Is told of every label; false: stop, which gives NERFIT_CANCELLED. */
    bool (*described)(void *user, const char *label, const char *description, size_t done,
                      size_t count);
    void *user;
} nerfit_describe_options;
#define NERFIT_DESCRIBE_OPTIONS_INIT                                                               \
    { sizeof(nerfit_describe_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* Describes every label of the corpora. *text, a mapping of all labels, those known before
 * included, to their descriptions, is freed with nerfit_free. */
NERFIT_API nerfit_status nerfit_describe(const nerfit_corpus *const *corpora, size_t count,
                                         const nerfit_describe_options *options, char **text,
                                         nerfit_error *error);

/* ---------------------------------------------------------------- annotating */

/* Who annotates, and how; see docs/annotate.md. Begin with NERFIT_ANNOTATE_OPTIONS_INIT. */
typedef struct nerfit_annotate_options {
    size_t size; /* sizeof(nerfit_annotate_options) */
    /* Annotators, in any mixture, at least one of three. */
    const char *rules;         /* a file of lists and patterns, which have the last word */
    const char *const *models; /* [n_models] folders or names; a model without labels of its own (an
                                  encoder that comes pre-trained, GLiNER) takes `labels` */
    size_t n_models;
    const char *llm; /* a language model by litellm's name, as in nerfit_describe_options */
    const char
        *labels; /* a JSON or YAML file of descriptions, or names divided by commas; NULL: those
                           of the models and of rules */
    const nerfit_model_options *model;  /* of all models; NULL: the defaults. Its labels, log and
                                          transfer do not count */
    const nerfit_threshold *thresholds; /* [n_thresholds] of models' entities */
    size_t n_thresholds;
    size_t votes; /* annotators that must agree on an entity; 0: more than half */
    bool nested;  /* entities may overlap */
    uint64_t seed;
    /* Texts whose entities are known: `audit` of them, drawn with the seed, are annotated blind first, to
     * see how good the annotators are; a language model is shown the `shots` that are most like each
     * text. May be NULL. */
    const nerfit_corpus *gold;
    size_t audit, shots;
    bool audit_only; /* the texts themselves are not annotated then */
    /* Of a language model. */
    const char *answers; /* a file that answers are kept in as they come, and taken from the next
                                  time; NULL: nowhere */
    size_t concurrency;  /* requests at a time; 0: 8 */
    size_t passes,
        pass_votes;   /* of each question (0: 1); passes that must agree (0: more than half) */
    size_t max_chars; /* of a text in one question; longer ones are divided (0: 2,000) */
    bool one_label_at_a_time; /* a question for each label */
    /* The language model names types itself, and describes them; `labels` (may be NULL) are offered to it.
     * Types of one name are one label, and those whose texts' embeddings by `sentence_encoder` have a
     * cosine of open_threshold (0: 0.75) or more; without an encoder names alone count. Goes with rules, not
     * with models, gold, audit or one_label_at_a_time. */
    bool open;
    double open_threshold;
    bool as_answered; /* only the places that were answered: else further places of the same
                                  words are entities as well */
    double budget;    /* tokens, or money if there are prices, that are not passed; 0: none */
    double price_in, price_out;   /* money for a million tokens of questions, of answers */
    bool dry_run;                 /* nothing is asked: the result's text is the first question */
    const char *sentence_encoder; /* a folder: by it texts are compared; NULL: by their words */
    nerfit_log_function log;
    nerfit_transfer_function transfer;
    /* Asked between batches and several times a second, on the thread of the call; false: stop. `done` of
     * `questions` to a language model are answered; 0, 0 elsewhere. May be NULL. */
    bool (*go_on)(void *user, size_t done, size_t questions);
    void *user;
} nerfit_annotate_options;
#define NERFIT_ANNOTATE_OPTIONS_INIT                                                               \
    { .size = sizeof(nerfit_annotate_options) }

typedef struct nerfit_annotate_result {
    nerfit_corpus *texts;  /* annotated, with sources, weights, labels and unknown places beside */
    nerfit_corpus *failed; /* texts that nobody could annotate, with the "failure" beside each */
    nerfit_corpus *review; /* copies of the texts with disputed entities, the most disputed first */
    char *text, *json, *page; /* the report: for a terminal, as data, as HTML */
    /* Of open types, else NULL: YAML of every label's description, as training and pre-training take it, and
     * of what else it is called and described (NAME.synonyms.yaml beside NAME.yaml; "": nothing). */
    char *descriptions, *synonyms;
} nerfit_annotate_result;
NERFIT_API void nerfit_annotate_result_free(nerfit_annotate_result *result);

/* Annotates texts; entities that they have are not looked at. The corpora of the result are freed with
 * it. */
NERFIT_API nerfit_status nerfit_annotate(const nerfit_corpus *texts,
                                         const nerfit_annotate_options *options,
                                         nerfit_annotate_result *result, nerfit_error *error);

/* What to annotate next; see docs/annotate.md. Begin with NERFIT_SUGGEST_OPTIONS_INIT. */
typedef struct nerfit_suggest_options {
    size_t size; /* sizeof(nerfit_suggest_options) */
    const char
        *model; /* a folder or name: what it is unsure of is asked for; one without labels of its
                          own takes `labels` */
    const char *labels;
    const nerfit_model_options *model_options; /* NULL: the defaults */
    const nerfit_corpus *known; /* annotated already, or NULL: nothing like it is suggested */
    const nerfit_corpus
        *teacher; /* the same texts as another annotator sees them, or NULL: where the
                                     model disagrees is worth a look */
    const char *sentence_encoder; /* a folder, so that the texts differ in meaning; NULL: none */
    size_t texts, words;          /* how many at most; 0: no limit */
    nerfit_log_function log;
    nerfit_transfer_function transfer;
    bool (*go_on)(void *user); /* false: stop; may be NULL */
    void *user;
} nerfit_suggest_options;
#define NERFIT_SUGGEST_OPTIONS_INIT                                                                \
    { .size = sizeof(nerfit_suggest_options) }

/* Ranks texts by what a person's annotation would teach. *suggested is a new corpus of them in that
 * order, with the model's entities and a field "suggestion": {"gain", "uncertainty", "rarity"} beside
 * each. */
NERFIT_API nerfit_status nerfit_suggest(const nerfit_corpus *texts,
                                        const nerfit_suggest_options *options,
                                        nerfit_corpus **suggested, nerfit_error *error);

/* ---------------------------------------------------------------- scores */

typedef enum nerfit_mistake_kind {
    NERFIT_MISSED,
    NERFIT_SPURIOUS,
    NERFIT_WRONG_BOUNDARY, /* the entities overlap and have the same type */
    NERFIT_WRONG_TYPE,     /* in the same place */
    NERFIT_WRONG_TYPE_AND_BOUNDARY
} nerfit_mistake_kind;

/* An annotated entity that was not found as it is, or a found one that is not annotated so. Labels
 * are NULL where there is none of that side, and the offsets then 0. */
typedef struct nerfit_mistake {
    nerfit_mistake_kind kind;
    const char *file; /* of the text; "" if unknown */
    long line;        /* 0: unknown */
    const char *text;
    size_t text_size;
    nerfit_entity gold, predicted; /* scores are negative where there is none */
} nerfit_mistake;

/* "wrong boundary": a constant text. */
NERFIT_API const char *nerfit_mistake_text(nerfit_mistake_kind kind);

/* Precision, recall and F1 by entity type and averaged, as a table and as JSON:
 *   {"types": {label: {...}}, "micro": {...}, "macro", "weighted", "accuracy", "tokens"}
 *                  {...}: precision, recall, f1, support, predicted, correct
 * and of the entities, as nerfit_predict gives them (whole words):
 *   "semeval"      {"overall": {measure: {...}}, "types": {label: {measure: {...}}}}, measure:
 *                  strict, exact, partial, type; equal to nervaluate's
 *   "confusion"    {"types": [label, ...], "table": [[count, ...], ...]}: rows annotated, columns
 *                  found; last row and column: none
 *   "errors"       {"missed": n, "spurious", "wrong_boundary", "wrong_type",
 *                  "wrong_type_and_boundary", "correct", "texts", "wrong_texts", "list": [...]}
 *   "calibration"  {"error", "score", "precision", "brier", "entities", "bins"}: what the scores
 *                  are worth; this and what follows only where there are scores
 *   "thresholds"   [{"threshold", "precision", "recall", "f1", "predicted", "correct"}, ...], and
 *                  "best_threshold", one of these */
typedef struct nerfit_report {
    char *text;
    char *json;
    double precision, recall, f1; /* micro averages */
    char *scores;                 /* calibration error and thresholds as text; NULL: no scores */
    char *analysis;               /* mistakes counted, confusion table, SemEval'13; or NULL */
    const nerfit_mistake *mistakes;
    size_t n_mistakes;
    void *memory; /* of the mistakes */
} nerfit_report;
NERFIT_API void nerfit_report_free(nerfit_report *report);

/* Speed on this machine. */
typedef struct nerfit_benchmark {
    char *text;
    char *json;
} nerfit_benchmark;
NERFIT_API void nerfit_benchmark_free(nerfit_benchmark *benchmark);

/* Tags made-up texts and trains on made-up labels for about `seconds` each (0: three): texts and
 * steps a second, the share of the speed of bare matrix products, and the time by operation. The
 * folder is only read. */
NERFIT_API nerfit_status nerfit_model_benchmark(const char *folder,
                                                const nerfit_model_options *options, double seconds,
                                                nerfit_benchmark *benchmark, nerfit_error *error);

/* F1 (0 to 1) at full precision ("auto") and in int8. */
typedef struct nerfit_quantization {
    double f1, f1_int8;
} nerfit_quantization;

/* Points of F1 that int8 may lose. */
#define NERFIT_QUANTIZATION_LOSS 0.5

/* Compares int8 with full precision on annotated texts (as nerfit_evaluate reads them), and leaves
 * the result in the model's folder as int8.json, after which precision "int8" loads without a
 * warning. A larger loss than NERFIT_QUANTIZATION_LOSS is an error (NERFIT_UNSUPPORTED), with
 * *quantization filled, unless `force` is set. options->precision does not count. */
NERFIT_API nerfit_status nerfit_model_quantize(const char *folder, const char *data,
                                               const char *format,
                                               const nerfit_model_options *options, bool force,
                                               nerfit_quantization *quantization,
                                               nerfit_error *error);

/* Tags an annotated file and scores the result over sub-word labels. format: "auto" (NULL),
 * "jsonl", "json", "brackets", "conll", "seq"; mode: "default" (NULL: seqeval's default,
 * conlleval's rules), or a scheme for seqeval's strict mode: "iob1", "iob2", "ioe1", "ioe2",
 * "bioes", "bilou". words: score the first sub-word of every word instead. */
NERFIT_API nerfit_status nerfit_evaluate(nerfit_session *session, const char *path,
                                         const char *format, const char *mode, bool words,
                                         nerfit_report *report, nerfit_error *error);
/* The same for annotated texts in memory. */
NERFIT_API nerfit_status nerfit_evaluate_corpus(nerfit_session *session,
                                                const nerfit_corpus *corpus, const char *mode,
                                                bool words, nerfit_report *report,
                                                nerfit_error *error);
/* The same with options of its own; options may be NULL. */
NERFIT_API nerfit_status nerfit_evaluate_with(nerfit_session *session,
                                              const nerfit_call_options *options,
                                              const nerfit_corpus *corpus, const char *mode,
                                              bool words, nerfit_report *report,
                                              nerfit_error *error);
/* Scores the labels of one CoNLL file against another's, which must have the same words. */
NERFIT_API nerfit_status nerfit_score_files(const char *gold, const char *predicted,
                                            const char *mode, nerfit_report *report,
                                            nerfit_error *error);
/* The same with the columns of each (word_column, label_column, tagging; may be NULL): one file may
 * hold both, the gold labels in one column and the predicted ones in another. */
NERFIT_API nerfit_status nerfit_score_files_with(const char *gold, const char *predicted,
                                                 const char *mode,
                                                 const nerfit_read_options *gold_options,
                                                 const nerfit_read_options *predicted_options,
                                                 nerfit_report *report, nerfit_error *error);

/* ---------------------------------------------------------------- entities in pages */

/* A text (UTF-8, size bytes) with its entities [count] marked as displaCy does, an element for a page
 * with the style sheet below; freed with nerfit_free. Of an entity start, end, label and score are read
 * (a negative score is not shown); entities may nest and cross. A label's colour is a function of the
 * set of labels [n_labels]: the same set has the same colours everywhere. */
NERFIT_API nerfit_status nerfit_entities_html(const char *text, size_t size,
                                              const nerfit_entity *entities, size_t count,
                                              const char *const *labels, size_t n_labels,
                                              char **html, nerfit_error *error);
/* The style sheet, for light pages and dark ones; a constant. */
NERFIT_API const char *nerfit_entities_css(void);

/* ---------------------------------------------------------------- tokens and embeddings */

typedef struct nerfit_tokenizer nerfit_tokenizer;
/* From a model folder (tokenizer.json; vocab.txt; vocab.json and merges.txt). */
NERFIT_API nerfit_status nerfit_tokenizer_load(nerfit_tokenizer **tokenizer, const char *folder,
                                               nerfit_error *error);
NERFIT_API void nerfit_tokenizer_free(nerfit_tokenizer *tokenizer);
/* {"ids": [...], "tokens": [...], "offsets": [[start, end], ...]}, special tokens included, as a
 * NUL-terminated text that the caller frees with nerfit_free. */
NERFIT_API nerfit_status nerfit_tokenize(const nerfit_tokenizer *tokenizer, const char *text,
                                         size_t size, char **json, nerfit_error *error);

/* A sentence encoder as sentence-transformers writes it (modules.json). */
typedef struct nerfit_encoder nerfit_encoder;
NERFIT_API nerfit_status nerfit_encoder_load(nerfit_encoder **encoder, const char *folder,
                                             const nerfit_model_options *options,
                                             nerfit_error *error);
NERFIT_API void nerfit_encoder_free(nerfit_encoder *encoder);
NERFIT_API size_t nerfit_encoder_size(const nerfit_encoder *encoder);
/* embeddings [count, size] are written into the caller's memory. Texts longer than the encoder's
 * max_seq_length are cut there, as sentence-transformers does; *n_cut (may be NULL): how many. */
NERFIT_API nerfit_status nerfit_encode(nerfit_encoder *encoder, const char *const *texts,
                                       size_t count, float *embeddings, size_t *n_cut,
                                       nerfit_error *error);

/* ---------------------------------------------------------------- training */

/* All options of a training run; `nerfit help train` lists them. */
typedef struct nerfit_config nerfit_config;
/* With the defaults. */
NERFIT_API nerfit_status nerfit_config_new(nerfit_config **config, nerfit_error *error);
NERFIT_API void nerfit_config_free(nerfit_config *config);
/* Joins the job that Open MPI's mpirun started (libmpi.so.40, opened now): nerfit_train and
 * nerfit_pretrain then train with all its processes, each with a rank from 0 and
 * per_device_train_batch_size texts of a batch; all read the same files. Rank 0 writes output_dir and has
 * the result; the others' result is empty. Call it in all of them, at most once in a process; more often
 * where the process has initialised MPI itself, and finalises it.
 * nerfit_config_free waits for the others and leaves the job, or ends it if the training failed: tell of
 * an error before. */
NERFIT_API nerfit_status nerfit_config_join_mpi(nerfit_config *config, size_t *rank, size_t *size,
                                                nerfit_error *error);
/* Reads a YAML file; relative paths in it count from its folder. */
NERFIT_API nerfit_status nerfit_config_load(nerfit_config *config, const char *path,
                                            nerfit_error *error);
/* Sets one option from text: "3e-4", "5e-5,1e-5" (stage 1, stage 2), "query,value". */
NERFIT_API nerfit_status nerfit_config_set(nerfit_config *config, const char *name,
                                           const char *value, nerfit_error *error);
/* Annotated texts in memory in the place of a file. name: "train_annotations", "val_annotations" or
 * "test_annotations". The corpus is not copied: it must outlive the config. */
NERFIT_API nerfit_status nerfit_config_set_corpus(nerfit_config *config, const char *name,
                                                  const nerfit_corpus *corpus, nerfit_error *error);
/* ent2emb from memory: an embedding of every label, vectors [count, size], as a sentence encoder
 * gives them; or a description of every label, in plain words. Both are copied; the later call
 * counts. */
NERFIT_API nerfit_status nerfit_config_set_embeddings(nerfit_config *config,
                                                      const char *const *labels, size_t count,
                                                      size_t size, const float *vectors,
                                                      nerfit_error *error);
NERFIT_API nerfit_status nerfit_config_set_descriptions(nerfit_config *config,
                                                        const char *const *labels,
                                                        const char *const *descriptions,
                                                        size_t count, nerfit_error *error);
/* All options as JSON, freed with nerfit_free: an array of {"name", "type", "pair", "group",
 * "default", "help"}; numbers have "least" and "most" too, choices their "choices", and those that
 * stand in a mapping of the config file "within", its name; those that the recipe nerfit chooses
 * itself where they are not given have "chosen", in words. type: "bool", "int", "real", "text",
 * "path", "choice", "names" (a list). pair: one value, or two for stage 1 and stage 2; "default" is
 * then a list of two. NULL when out of memory. */
NERFIT_API char *nerfit_config_options(void);
/* Every option with its value as JSON, freed with nerfit_free: {"model_name": ..., "peft_config":
 * {"lora_r": ...}, ...}; pairs are lists of two, what is not given is null. NULL when out of
 * memory. */
NERFIT_API char *nerfit_config_values(const nerfit_config *config);
/* The names of the options that were set, as a JSON list, freed with nerfit_free. The recipe nerfit
 * chooses the others by the size of the data. NULL when out of memory. */
NERFIT_API char *nerfit_config_given(const nerfit_config *config);
/* The options' help, wrapped at `width` columns, or as a man page's section (width 0); freed with
 * nerfit_free. NULL when out of memory. */
NERFIT_API char *nerfit_config_help(int width);
/* The same of one command, with the options that mean something there, the five that one needs
 * first: "train", "pretrain", "fewshot". */
NERFIT_API char *nerfit_config_help_of(const char *command, int width);

typedef enum nerfit_event_kind {
    NERFIT_EVENT_BEGIN,    /* a stage begins */
    NERFIT_EVENT_STEP,     /* after every optimizer step: `loss` */
    NERFIT_EVENT_LOG,      /* `json`: loss, learning_rate, grad_norm, epoch, step */
    NERFIT_EVENT_EVALUATE, /* `json`: eval_loss, eval_overall_f1, ... */
    NERFIT_EVENT_SAVE,     /* `path`: a checkpoint's folder */
    NERFIT_EVENT_END       /* a stage has ended */
} nerfit_event_kind;

typedef struct nerfit_event {
    nerfit_event_kind kind;
    int stage; /* 1 or 2 */
    const char *stage_name;
    int64_t step, total_steps;
    double epoch;
    double loss;
    const char *json; /* or NULL */
    const char *path; /* or NULL */
    /* Calibration by cross-validation trains `folds` models more, once the run's own is in best/. Of
     * their trainings (BEGIN, STEP and END alone) fold is 1 to folds; 0: the run's own. */
    int fold, folds;
} nerfit_event;

/* One annotated text that a parse callback fills. */
typedef struct nerfit_annotation nerfit_annotation;
NERFIT_API nerfit_status nerfit_annotation_set_text(nerfit_annotation *annotation, const char *text,
                                                    size_t size);
/* An entity: code points of the text, end exclusive. */
NERFIT_API nerfit_status nerfit_annotation_add(nerfit_annotation *annotation, int64_t start,
                                               int64_t end, const char *label);

/* Every function may be NULL. They are called on the thread that called nerfit_train. */
typedef struct nerfit_callbacks {
    size_t size; /* sizeof(nerfit_callbacks) */
    nerfit_log_function log;
    /* Returns false to stop: a checkpoint is written (but by the trainings of a cross-validation,
     * before which the model is finished) and nerfit_train returns NERFIT_CANCELLED. */
    bool (*event)(void *user, const nerfit_event *event);
    /* Your own annotation format: called for every line of the annotation files (without its line
     * end) instead of the readers; fills `annotation`. Any status but NERFIT_OK ends the run with
     * an error that names file and line. A line for which no text is set is passed over. */
    nerfit_status (*parse)(void *user, const char *line, size_t size,
                           nerfit_annotation *annotation);
    /* While a model is downloaded, or a language model asked (llm). */
    nerfit_transfer_function transfer;
    void *user;
} nerfit_callbacks;
#define NERFIT_CALLBACKS_INIT                                                                      \
    { sizeof(nerfit_callbacks), 0, 0, 0, 0, 0 }

typedef struct nerfit_train_result {
    char *model_folder;    /* the model to use */
    nerfit_report report;  /* of the final model; texts NULL if there was nothing to score */
    const char *report_of; /* "test" or "validation" */
    double seconds;
    char *page; /* report.html: curves, scores, the mistakes in their texts */
} nerfit_train_result;
NERFIT_API void nerfit_train_result_free(nerfit_train_result *result);

/* Runs both stages. callbacks may be NULL. */
NERFIT_API nerfit_status nerfit_train(const nerfit_config *config,
                                      const nerfit_callbacks *callbacks,
                                      nerfit_train_result *result, nerfit_error *error);

/* Pre-trains the config's encoder on other label sets: its pre-training options name annotated
 * files and their labels' descriptions. The result's model_folder is an encoder (with peft_lora, an
 * adapter of one) that model_name or pretrained takes afterwards; it has no report. callbacks may
 * be NULL; their `parse` is not used. */
NERFIT_API nerfit_status nerfit_pretrain(const nerfit_config *config,
                                         const nerfit_callbacks *callbacks,
                                         nerfit_train_result *result, nerfit_error *error);

/* ---------------------------------------------------------------- few-shot experiments */

typedef struct nerfit_fewshot_options {
    size_t size;         /* sizeof(nerfit_fewshot_options) */
    const char *k;       /* mentions of every entity type in a sample: "1,4,16,64" */
    const char *seeds;   /* "3": 0, 1, 2; "0-4": a range; "0,5": a list */
    const char *recipes; /* "plain,original,nerfit"; one's own is name:option=value,option=value,
                               and then recipes are divided by spaces or ";". A recipe begins from
                               the built-in one of its name: plain (fine-tuning without stage 1),
                               original, nerfit, nerfit+pretrained. max_steps=auto is
                               clamp(20 * ceil(texts / 8), 200, 500) */
    const char *samples; /* a folder with kK-sS.jsonl, instead of samples of the training texts */
    const char *pretrained; /* of recipes whose name ends in +pretrained: a folder that
                               nerfit pretrain wrote. NULL: what comes with nerfit */
    const char *negatives;  /* texts without an entity in a sample: "10", "20%" */
} nerfit_fewshot_options;
#define NERFIT_FEWSHOT_OPTIONS_INIT                                                                \
    { sizeof(nerfit_fewshot_options), 0, 0, 0, 0, 0, 0 }

typedef struct nerfit_fewshot_progress {
    size_t finished, runs; /* of all, those of earlier calls included */
    size_t k, texts;       /* of the run at hand, and the texts of its sample */
    uint64_t seed;
    const char *recipe;
    bool done;    /* it is finished, and f1 and seconds (of training) are there */
    bool earlier; /* an earlier call finished it */
    double f1, seconds;
    double seconds_left;       /* of all runs; negative: unknown */
    const nerfit_event *event; /* of its training, or NULL */
} nerfit_fewshot_progress;

/* Returns false to stop. */
typedef bool (*nerfit_fewshot_function)(void *user, const nerfit_fewshot_progress *progress);

typedef struct nerfit_fewshot_result {
    char *text, *markdown; /* tables of mean and standard deviation */
    char *json;            /* {"k", "seeds", "recipes", "runs": [...], "table": [...]} */
} nerfit_fewshot_result;
NERFIT_API void nerfit_fewshot_result_free(nerfit_fewshot_result *result);

/* For each seed, k and recipe: draws a sample of the config's training texts (or takes a given
 * one), trains on it without validation data, and scores the model on the test texts, on words.
 * Finished runs stand in output_dir/runs.jsonl, and are not run again with the same settings and
 * texts; samples/ has the samples' line numbers, report.html the tables and a plot. options may be
 * NULL; log gets warnings; progress (may be NULL) returns false to stop, which gives
 * NERFIT_CANCELLED. */
NERFIT_API nerfit_status nerfit_fewshot(const nerfit_config *config,
                                        const nerfit_fewshot_options *options,
                                        nerfit_log_function log, nerfit_fewshot_function progress,
                                        void *user, nerfit_fewshot_result *result,
                                        nerfit_error *error);

/* ---------------------------------------------------------------- output files, options */

/* A file that appears whole when it is committed: written beside its place, synced and renamed. What
 * is no file (a device, a FIFO, /dev/stdout) is written to as it is. */
typedef struct nerfit_output nerfit_output;
NERFIT_API nerfit_status nerfit_output_open(nerfit_output **output, const char *path,
                                            nerfit_error *error);
/* Where to write. */
NERFIT_API int nerfit_output_descriptor(const nerfit_output *output);
/* Both free it; abort leaves what was there before. */
NERFIT_API nerfit_status nerfit_output_commit(nerfit_output *output, nerfit_error *error);
NERFIT_API void nerfit_output_abort(nerfit_output *output);

/* A row of the table of training options, for completion and the like. */
typedef struct nerfit_option_info {
    const char *name;
    const char *choices; /* "a|b|c", or NULL */
    const char *help;
} nerfit_option_info;
/* The options by index; false past the last one. */
NERFIT_API bool nerfit_config_option(size_t index, nerfit_option_info *info);

/* Frees memory that a function of this header handed out for it. */
NERFIT_API void nerfit_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
