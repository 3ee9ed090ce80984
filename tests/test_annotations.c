/* Reading and writing annotations: tables of inputs, what they become and what is reported; the
 * folder of broken inputs; and writing followed by reading, on random documents. */
#include <dirent.h>

#include "documents.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "data/formats/format.h"

#define FOLDER "tests/invalid/annotations"

/* ---------------------------------------------------------------- what inputs become */

static const struct {
    const char *name;
    nf_annotation_options options;
    const char *text, *expected;
} readings[] = {
    {"jsonl: lists",
     {0},
     "{\"text\": \"set an alarm\", \"entities\": [[7, 12, \"thing\"]]}\n",
     "set an alarm{7-12 thing}"},
    {"jsonl: objects and other keys",
     {0},
     "{\"id\": 7, \"text\": \"a b\", \"entities\": [{\"start\": 2, \"end\": 3, \"label\": \"x\", "
     "\"score\": 0.5}], \"meta\": {\"text\": 1}}",
     "a b{2-3 x}"},
    {"jsonl: without entities, null, empty",
     {0},
     "{\"text\": \"a\"}\n{\"text\": \"b\", \"entities\": null}\n\n{\"text\": \"\", \"entities\": "
     "[]}",
     "a{} | b{} | {}"},
    {"jsonl: code points",
     {0},
     "{\"text\": \"\xF0\x9F\x98\x80 \\ud83d\\ude00 \xC3\xA9t\xC3\xA9\", "
     "\"entities\": [[4, 7, \"s\"], [0, 1, \"e\"]]}",
     "\xF0\x9F\x98\x80 \xF0\x9F\x98\x80 \xC3\xA9t\xC3\xA9{0-1 e, 4-7 s}"},
    {"jsonl: byte order mark and CRLF",
     {0},
     "\xEF\xBB\xBF{\"text\": \"a\", \"entities\": [[0, 1, \"x\"]]}\r\n  \r\n{\"text\": \"b\"}\r\n",
     "a{0-1 x} | b{}"},
    {"json: an array",
     {0},
     "[\n  {\"text\": \"a \\\"]\\\" b\", \"entities\": [[6, 7, \"x\"]]},\n  {\"text\": \"c\"}\n]\n",
     "a \"]\" b{6-7 x} | c{}"},
    {"json: one after another",
     {0},
     "{\n\"text\":\n\"a\"}\n{\"text\": \"b\"}{\"text\": \"c\"}",
     "a{} | b{} | c{}"},
    {"json: nothing", {0}, "[ ]", ""},
    {"json: spans and types",
     {0},
     "[{\"curid\": \"1\", \"text\": \"ab c\", \"entities\": [{\"name\": \"c\", \"span\": [3, 4], "
     "\"type\": \"x\"}]}]",
     "ab c{3-4 x}"},
    {"json: by label, with the last character's place",
     {0},
     "{\"text\": \"\u5317\u4eac a a\", \"label\": {\"address\": {\"\u5317\u4eac\": [[0, 1]]}, "
     "\"x\": "
     "{\"a\": [[3, 3], [5, 5]]}}}",
     "\u5317\u4eac a a{0-2 address, 3-4 x, 5-6 x}"},
    {"jsonl: a label that is something else", {0}, "{\"text\": \"a\", \"label\": \"pos\"}", "a{}"},
    {"brackets: both forms",
     {0},
     "at [time : five] in [place: New York] now",
     "at five in New York now{3-7 time, 11-19 place}"},
    {"brackets: side by side, and white space",
     {0},
     "[ a  :  \xC2\xA0x\t][b: y ] \nplain\n\n  \n[c : z]",
     "xy {0-1 a, 1-2 b} | plain{} | z{0-1 c}"},
    {"brackets: CRLF", {0}, "[a : b] c\r\nd\re\r\n", "b c{0-1 a} | d\re{}"},
    {"brackets: that are text",
     {0},
     "see [1] or [10:30] or [a:b] ] x [ y [sic], [label : w]",
     "see [1] or [10:30] or [a:b] ] x [ y [sic], w{43-44 label}"},
    {"brackets: escapes",
     {0},
     "\\[a : b\\] [l : x\\]y\\\\] C:\\temp \\\\[m : z\\n]",
     "[a : b] x]y\\ C:\\temp \\z\\n{8-12 l, 22-25 m}"},
    {"brackets: labels with colons and brackets",
     {0},
     "[ns:type : x] [a\\: b : y] [p\\[q\\] : z]",
     "x y z{0-1 ns:type, 2-3 a: b, 4-5 p[q]}"},
    {"brackets: not closed",
     {.format = &nf_format_brackets},
     "a [time : five\n[b : c] [d : e",
     "a [time : five{} | c [d : e{0-1 b}"},
    {"conll: tabs, IOB2",
     {0},
     "New\tB-LOC\nYork\tI-LOC\n,\tO\nNY\tB-LOC\n\nhi\tO\n",
     "New York , NY{0-8 LOC, 11-13 LOC} | hi{}"},
    {"conll: spaces, more columns, DOCSTART",
     {0},
     "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nsays VBZ B-VP O\n\n\nno DT B-NP O",
     "EU says{0-2 ORG} | no{}"},
    {"conll: IOB1",
     {0},
     "A\tI-X\nB\tI-X\nC\tB-X\nD\tO\nE\tI-X\nF\tI-Y\n",
     "A B C D E F{0-3 X, 4-5 X, 8-9 X, 10-11 Y}"},
    {"conll: BIOES",
     {0},
     "A\tB-X\nB\tI-X\nC\tE-X\nD\tS-X\nE\tS-Y\nF\tO\n",
     "A B C D E F{0-5 X, 6-7 X, 8-9 Y}"},
    {"conll: after S and E",
     {0},
     "A\tS-X\nB\tI-X\nC\tE-X\nD\tE-X\nE\tI-X\n",
     "A B C D E{0-1 X, 2-5 X, 6-7 X, 8-9 X}"},
    {"conll: BILOU",
     {0},
     "A\tB-X\nB\tL-X\nC\tU-X\nD\tB-Y\nE\tI-Y\nF\tL-Y\n",
     "A B C D E F{0-3 X, 4-5 X, 6-11 Y}"},
    {"conll: illegal transitions begin entities",
     {0},
     "A\tO\nB\tI-X\nC\tI-Y\nD\tB-Y\nE\tI-X\n",
     "A B C D E{2-3 X, 4-5 Y, 6-7 Y, 8-9 X}"},
    {"conll: label first",
     {0},
     "O\tshow\nB-A\tal\nI-A\tpacino\n\nO\tI\n",
     "show al pacino{5-14 A} | I{}"},
    {"conll: label in the middle", {0}, "a\tB-X\tx1\nb\tI-X\tx2\nc\tO\tx3\n", "a b c{0-3 X}"},
    {"conll: counted words",
     {0},
     "# id = 4\n1\tAl\tB-P\n2\tB\tI-P\n\n# id = 5\n1\tme\tO\n",
     "Al B{0-4 P} | me{}"},
    {"conll: comments",
     {0},
     "# id 7\tdomain=en\nx\tO\n#\tO\n# y\n\n# z\n\nw\tB-A",
     "x #{} | w{0-1 A}"},
    {"conll: the word # in columns of spaces",
     {.format = &nf_format_conll},
     "# O\nx B-A\n# B-A\n",
     "# x #{2-3 A, 4-5 A}"},
    {"conll: byte order mark, CRLF, white space in lines",
     {0},
     "\xEF\xBB\xBFx\tB-A\r\n \t \r\n\r\ny\t O \r\n\t\r\nz\tO\r\n",
     "x{0-1 A} | y{} | z{}"},
    {"conll: a word with a space", {0}, "New York\tB-A\nx\tO\n", "New York x{0-8 A}"},
    {"conll: columns given",
     {.word_column = {2}, .label_column = {-2}, .format = &nf_format_conll},
     "1 a B-X B-Y\n2 b O I-Y\n",
     "a b{0-1 X}"},
    {"conll: types with dashes",
     {0},
     "x\tB-creative-work\ny\tI-creative-work\n",
     "x y{0-3 creative-work}"},
    {"conll: only white space", {.format = &nf_format_conll}, " \n\t\n", ""},
    {"text: as it stands",
     {.format = &nf_format_text},
     "a [b : c]\n\n d ",
     "a [b : c]{} | {} |  d {}"},
    {"an empty input", {0}, "", ""},
    {"overlap: the longest",
     {.overlap = NF_OVERLAP_KEEP_LONGEST},
     "{\"text\": \"abcdefgh\", \"entities\": [[0, 2, \"x\"], [1, 5, \"y\"], [4, 8, \"z\"]]}",
     "abcdefgh{1-5 y}"},
    {"overlap: the first",
     {.overlap = NF_OVERLAP_KEEP_FIRST},
     "{\"text\": \"abcdefgh\", \"entities\": [[2, 3, \"i\"], [0, 8, \"y\"], [4, 8, \"z\"]]}",
     "abcdefgh{2-3 i, 4-8 z}"},
};

static void check_readings(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        nf_corpus corpus = {0};
        nerfit_error error = {0};
        nf_str shown = {0};
        nerfit_status status =
            nf_annotations_parse_with(&corpus, readings[i].text, strlen(readings[i].text), "input",
                                      &readings[i].options, &error);
        if (status == NERFIT_OK)
            show_corpus(&shown, &corpus);
        else
            nf_str_append_text(&shown, error.text);
        failed += !same_text(readings[i].name, nf_str_text(&shown), readings[i].expected);
        nf_str_free(&shown);
        nf_corpus_free(&corpus);
    }
    assert_int_equal(failed, 0);
}

/* ---------------------------------------------------------------- what is reported */

#define SPANS(text, spans) "{\"text\": \"" text "\", \"entities\": [" spans "]}"

#define T16 "x\tx\tx\tx\tx\tx\tx\tx\tx\tx\tx\tx\tx\tx\tx\tx\t"

static const struct {
    const char *name;
    nf_annotation_options options;
    const char *text;
    const char *expected; /* messages, each with a line break */
    const char *documents;
} reports[] = {
    {"white space",
     {.max_errors = 9},
     SPANS("a  bc d", "[1, 6, \" x \"], [6, 7, \"y\"]"),
     "input:1: entity 1 (\" x \", 1..6) has white space at an edge of its label: taken as \"x\"\n"
     "input:1: entity 1 (\" x \", 1..6) has white space at its edge: taken as 3..5\n",
     "a  bc d{3-5 x, 6-7 y}"},
    {"no-break space",
     {.max_errors = 9},
     SPANS("\xC2\xA0\xC3\xA9\xE2\x80\x83z", "[0, 3, \"x\"]"),
     "input:1: entity 1 (\"x\", 0..3) has white space at its edge: taken as 1..2\n",
     "\xC2\xA0\xC3\xA9\xE2\x80\x83z{1-2 x}"},
    {"duplicates",
     {.max_errors = 9},
     SPANS("ab cd", "[3, 5, \"x\"], [0, 2, \"x\"], [3, 5, \"x\"]"),
     "input:1: entity 3 (\"x\", 3..5) repeats entity 1: kept once\n",
     "ab cd{0-2 x, 3-5 x}"},
    {"duplicates once they are trimmed",
     {.max_errors = 9},
     SPANS("ab cd", "[0, 2, \"x\"], [0, 3, \"x\"]"),
     "input:1: entity 2 (\"x\", 0..3) has white space at its edge: taken as 0..2\n"
     "input:1: entity 2 (\"x\", 0..3) repeats entity 1: kept once\n",
     "ab cd{0-2 x}"},
    {"one place, two labels",
     {.max_errors = 9},
     SPANS("ab", "[0, 2, \"x\"], [0, 2, \"y\"]"),
     "input:1: entity 2 (\"y\", 0..2) overlaps entity 1 (\"x\", 0..2); a word can belong to one "
     "entity only: remove one, or say which is kept: overlap longest, or first\n",
     ""},
    {"overlaps of one long span",
     {.max_errors = 9},
     SPANS("abcdef", "[0, 6, \"x\"], [1, 2, \"y\"], [4, 5, \"z\"]"),
     "input:1: entity 2 (\"y\", 1..2) overlaps entity 1 (\"x\", 0..6); a word can belong to one "
     "entity only: remove one, or say which is kept: overlap longest, or first\n"
     "input:1: entity 3 (\"z\", 4..5) overlaps entity 1 (\"x\", 0..6); a word can belong to one "
     "entity only: remove one, or say which is kept: overlap longest, or first\n",
     ""},
    {"overlap: left out",
     {.max_errors = 9, .overlap = NF_OVERLAP_KEEP_FIRST},
     SPANS("abcd", "[1, 2, \"x\"], [0, 4, \"y\"]"),
     "input:1: entity 2 (\"y\", 0..4) overlaps another one: left out (the first is kept)\n",
     "abcd{1-2 x}"},
    {"all errors of all documents",
     {.max_errors = 9},
     SPANS("ab", "[0, 3, \"x\"], [1, 1, \"x\"], [0, 1, \"\"], [-1, 1, \"x\"]") "\n" SPANS(
         "good", "[0, 4, \"g\"]") "\n[]\n" SPANS("a b", "[1, 2, \"x\"], [0, 1, 5]"),
     "input:1: entity 1 (\"x\", 0..3) ends past the text (2 characters)\n"
     "input:1: entity 2 (\"x\", 1..1) is empty: its start is not before its end\n"
     "input:1: entity 3 (\"\", 0..1) has an empty label\n"
     "input:1: entity 4 (\"x\", -1..1) begins before the text\n"
     "input:3:1: expected an object with \"text\" and \"entities\"\n"
     "input:4:50: entity 2: its label is an integer; expected a string\n",
     "good{0-4 g}"},
    {"errors up to the limit",
     {.max_errors = 2},
     "{}\n{\"text\": 1}\n{}\n",
     "input:1:1: has no \"text\"\ninput:2:10: \"text\" is an integer; expected a string\n",
     ""},
    {"control characters in labels",
     {.max_errors = 9},
     SPANS("a", "[0, 1, \"x\\ty\"]"),
     "input:1: entity 1 (\"x\ty\", 0..1) has a control character in its label\n",
     ""},
    {"unclosed brackets",
     {.max_errors = 9, .format = &nf_format_brackets},
     "\xC3\xA9 [a : b\nc",
     "input:1:3: looks like an annotation, but has no \"]\": kept as text\n",
     "\xC3\xA9 [a : b{} | c{}"},
    {"bracket errors",
     {.max_errors = 9},
     "[a : b [c : d] e]\n[a : ] x\n[ : b]\nok",
     "input:1:8: a bracket inside an annotation; write \"\\[\" if it is text (annotations cannot "
     "be "
     "nested)\n"
     "input:2:1: an annotation with an empty span\n"
     "input:3:1: an annotation with an empty label\n",
     "ok{}"},
    {"transitions of IOB2",
     {.max_errors = 9},
     "a\tO\nb\tI-X\nc\tB-X\nd\tI-Y\n\ne\tI-Y\nf\tB-X\n",
     "input:2: label \"I-X\" after \"O\" is not legal in IOB2: taken as the beginning of an "
     "entity\n"
     "input:4: label \"I-Y\" after \"B-X\" is not legal in IOB2: taken as the beginning of an "
     "entity\n"
     "input:6: label \"I-Y\" at the beginning, after \"O\" is not legal in IOB2: taken as the "
     "beginning of an entity\n",
     "a b c d{2-3 X, 4-5 X, 6-7 Y} | e f{0-1 Y, 2-3 X}"},
    {"transitions of BIOES",
     {.max_errors = 9},
     "a\tB-X\nb\tO\nc\tE-X\nd\tB-X\n",
     "input:2: label \"O\" after \"B-X\" is not legal in BIOES: the entity before it is taken as "
     "ended\n"
     "input:3: label \"E-X\" after \"O\" is not legal in BIOES: taken as the beginning of an "
     "entity\n"
     "input:4: label \"O\" at the end, after \"B-X\" is not legal in BIOES: the entity before it "
     "is "
     "taken as ended\n",
     "a b c d{0-1 X, 4-5 X, 6-7 X}"},
    {"the scheme given",
     {.max_errors = 9, .tagging = NF_TAGGING_IOB1},
     "a\tB-X\nb\tS-X\n\nc\tO\n",
     "input:2:3: label \"S-X\" has a prefix that its scheme does not have\n",
     "c{}"},
    {"bad rows leave out their sentence",
     {.max_errors = 9, .format = &nf_format_conll},
     "a\tO\nb\nc\tO\n\nd\tO\n\ne\t\n\nf\tX\n\n\tO\n\ng\tB-\n\nh\tO\ni\tO\nj\tO\nk\tB-X\n",
     "input:2: has no label; expected a word and a label divided by a tab or spaces\n"
     "input:7: the label is empty\n"
     "input:9:3: label \"X\" is neither O nor a prefix (B I E S L U), a dash and a type\n"
     "input:11: the word is empty\n"
     "input:13:3: label \"B-\" has no type after its dash\n",
     "d{} | h i j k{6-7 X}"},
    {"a bad label does not make another column the labels'",
     {.max_errors = 9, .format = &nf_format_conll},
     "B-1\tO\nB-2\tO\nB-3\tO\nB-4\tO\nB-5\tB-X\nB-6\tO\nB-7\tO\nB-8\tO\nB-9\tO\n\nB-10\tY\n",
     "input:11:6: label \"Y\" is neither O nor a prefix (B I E S L U), a dash and a type\n",
     "B-1 B-2 B-3 B-4 B-5 B-6 B-7 B-8 B-9{16-19 X}"},
    {"rows without their columns",
     {.max_errors = 9, .format = &nf_format_conll, .word_column = {3}, .label_column = {4}},
     "1\t2\tx\tO\n\n1\t2\n\n1\t2\ty\n\n" T16 T16 T16 T16 "\n",
     "input:3: has no word and no label in the columns that hold them, or more than 64 columns\n"
     "input:5: has no label; expected a word and a label divided by a tab or spaces\n"
     "input:7: has no word and no label in the columns that hold them, or more than 64 columns\n",
     "x{}"},
    {"a span of a row on its line",
     {.max_errors = 9},
     "a\tO\nb\tB- X\n",
     "input:2: entity 1 (\" X\", 2..3) has white space at an edge of its label: taken as \"X\"\n",
     "a b{2-3 X}"},
};

static void check_reports(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        nf_annotation_report report = {0};
        nf_annotation_options options = reports[i].options;
        options.report = &report;
        nf_corpus corpus = {0};
        nerfit_error error = {0};
        nf_str messages = {0}, documents = {0};
        nerfit_status status = nf_annotations_parse_with(
            &corpus, reports[i].text, strlen(reports[i].text), "input", &options, &error);
        size_t n_errors = 0, total = 0;
        const char *first = NULL;
        for (size_t k = 0; k < report.count; k++) {
            nf_str_appendf(&messages, "%s\n", report.items[k].message);
            assert_string_equal(report.items[k].file, "input");
            n_errors += report.items[k].is_error;
            if (report.items[k].is_error && !first) first = report.items[k].message;
        }
        for (size_t k = 0; k < NF_N_FINDING_KINDS; k++) total += report.kinds[k];
        show_corpus(&documents, &corpus);
        failed += !same_text(reports[i].name, nf_str_text(&messages), reports[i].expected);
        failed += !same_text(reports[i].name, nf_str_text(&documents), reports[i].documents);
        assert_int_equal(report.n_errors, n_errors);
        assert_int_equal(total, report.count);
        assert_int_equal(status, n_errors ? NERFIT_FORMAT : NERFIT_OK);
        if (first) assert_string_equal(error.text, first);
        nf_str_free(&messages);
        nf_str_free(&documents);
        nf_annotation_report_free(&report);
        nf_corpus_free(&corpus);
    }
    assert_int_equal(failed, 0);
}

/* What was given and what was kept, as values. */
static void check_findings(void **state) {
    (void)state;
    nf_annotation_report report = {.most_items = 2};
    nf_annotation_options options = {.report = &report, .overlap = NF_OVERLAP_KEEP_LONGEST};
    nf_corpus corpus = {0};
    nerfit_error error;
    static const char text[] =
        SPANS("ab cd ef", "[0, 3, \"x\"], [1, 8, \"y\"], [3, 6, \"z\"], [3, 5, \"z\"]");
    assert_ok(nf_annotations_parse_with(&corpus, text, strlen(text), "f", &options, &error),
              &error);
    assert_int_equal(report.count, 2); /* no more are kept, but all are counted */
    const nf_finding *trimmed = &report.items[0], *second = &report.items[1];
    assert_int_equal(trimmed->kind, NF_FINDING_TRIMMED);
    assert_int_equal(trimmed->line, 1);
    assert_int_equal(trimmed->entity, 1);
    assert_string_equal(trimmed->label, "x");
    assert_int_equal(trimmed->given_start, 0);
    assert_int_equal(trimmed->given_end, 3);
    assert_int_equal(trimmed->kept_start, 0);
    assert_int_equal(trimmed->kept_end, 2);
    assert_int_equal(second->entity, 3);
    assert_int_equal(report.kinds[NF_FINDING_TRIMMED], 2);
    assert_int_equal(report.kinds[NF_FINDING_DUPLICATE], 1);
    assert_int_equal(report.kinds[NF_FINDING_OVERLAP], 2);
    assert_int_equal(report.n_errors, 0);
    assert_int_equal(corpus.n_trimmed, 2);
    assert_int_equal(corpus.n_duplicates, 1);
    assert_int_equal(corpus.n_spans, 1);
    nf_annotation_report_free(&report);
    nf_corpus_free(&corpus);
    /* a label with white space: the place is kept as it was given */
    static const char spaced[] = SPANS("ab cd ef", "[3, 5, \" x\"]");
    report = (nf_annotation_report){.most_items = 2};
    corpus = (nf_corpus){0};
    assert_ok(nf_annotations_parse_with(&corpus, spaced, strlen(spaced), "f", &options, &error),
              &error);
    assert_int_equal(report.items[0].kind, NF_FINDING_TRIMMED);
    assert_int_equal(report.items[0].kept_start, 3);
    assert_int_equal(report.items[0].kept_end, 5);
    nf_annotation_report_free(&report);
    nf_corpus_free(&corpus);
}

static void count_lines(void *user, nerfit_log_level level, const char *message) {
    nf_str *out = user;
    assert_int_equal(level, NERFIT_LOG_WARNING);
    nf_str_appendf(out, "%s\n", message);
}

/* The log has the first ten of a kind, then their number. */
static void check_log(void **state) {
    (void)state;
    nf_str input = {0}, logged = {0};
    for (int i = 0; i < 25; i++) nf_str_append_text(&input, "a\tO\nb\tI-X\nc\tB-Y\n\n");
    nf_log log = {count_lines, &logged};
    nf_corpus corpus = {0};
    nerfit_error error;
    assert_ok(nf_annotations_parse(&corpus, input.data, input.length, "f", &nf_format_conll, &log,
                                   &error),
              &error);
    size_t lines = 0;
    for (const char *at = logged.data; *at; at++) lines += *at == '\n';
    assert_int_equal(lines, 11);
    assert_non_null(strstr(logged.data, "\nf: 15 more like that: label that its scheme does not "
                                        "allow after the one before\n"));
    nf_str_free(&input);
    nf_str_free(&logged);
    nf_corpus_free(&corpus);
}

/* ---------------------------------------------------------------- broken inputs */

static bool read_whole(const char *path, nf_str *out) {
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    char buffer[4096];
    for (size_t got; (got = fread(buffer, 1, sizeof buffer, file)) > 0;)
        nf_str_append(out, buffer, got);
    fclose(file);
    return true;
}

/* tests/invalid/annotations/NAME.ENDING must fail with the text of NAME.ENDING.error. */
static void check_broken_inputs(void **state) {
    (void)state;
    DIR *folder = opendir(FOLDER);
    assert_non_null(folder);
    size_t failed = 0, count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[512], expected_path[512];
        nf_str expected = {0};
        snprintf(path, sizeof path, "%s/%s", FOLDER, entry->d_name);
        snprintf(expected_path, sizeof expected_path, "%s.error", path);
        if (entry->d_name[0] == '.' || strstr(entry->d_name, ".error") ||
            strcmp(entry->d_name, "README") == 0)
            continue;
        count++;
        if (!read_whole(expected_path, &expected)) {
            print_error("%s has no .error\n", path);
            failed++;
            continue;
        }
        nf_corpus corpus = {0};
        nerfit_error error = {.text = "no error"};
        const nf_format *format = strstr(path, ".brackets") ? &nf_format_brackets : NULL;
        nerfit_status status = nf_annotations_read(&corpus, path, format, NULL, &error);
        if (expected.length) expected.data[expected.length - 1] = '\0'; /* its line break */
        failed += !same_text(entry->d_name, error.text, nf_str_text(&expected));
        assert_int_equal(status, NERFIT_FORMAT);
        nf_str_free(&expected);
        nf_corpus_free(&corpus);
    }
    closedir(folder);
    assert_int_equal(failed, 0);
    assert_true(count >= 25);
}

/* ---------------------------------------------------------------- which format it is */

static const struct {
    const char *name, *text, *format;
} contents[] = {
    {"jsonl", "\xEF\xBB\xBF\n {\"text\": \"a\"}\n{", "jsonl"},
    {"json objects", "{\n\"text\": \"a\"}\n", "json"},
    {"json array", "[\n  {\"text\": \"a\"}]", "json"},
    {"empty json array", "[]", "json"},
    {"brackets at the beginning", "[time : five] o'clock\n", "brackets"},
    {"plain text", "O what a day\nI am\n", "auto"},
    {"nothing", "", "auto"},
    {"conll", "x\tO\ny\tO\n", "conll"},
    {"conll with label first", "O x\nB-a y\n", "conll"},
    {"conll with spaces and many columns", "EU NNP B-NP B-ORG\n. . O O\n", "conll"},
};

static void check_detection(void **state) {
    (void)state;
    size_t failed = 0;
    char path[] = "/tmp/nerfit-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fputs(contents[i].text, file);
        fclose(file);
        const nf_format *format;
        nerfit_error error;
        assert_ok(nf_format_detect(path, &format, &error), &error);
        failed += !same_text(contents[i].name, nf_format_name(format), contents[i].format);
    }
    remove(path);
    assert_int_equal(failed, 0);
}

static const struct {
    const char *path, *format;
} endings[] = {{"a.jsonl", "jsonl"}, {"a.NDJSON", "jsonl"}, {"a.json", "json"},
               {"a.conll", "conll"}, {"a.tsv", "conll"},    {"x.bio", "conll"},
               {"x.iob", "conll"}};

static void check_endings(void **state) {
    (void)state;
    const nf_format *format;
    nerfit_error error;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        assert_string_equal(nf_format_name(nf_format_of_ending(endings[i].path)),
                            endings[i].format);
    }
    assert_int_equal(nf_format_detect("tests/golden/bert", &format, &error), NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "is a folder that holds no annotations"));
    assert_int_equal(nf_format_detect("missing.txt", &format, &error), NERFIT_IO);
    assert_true(nf_format_find("Brackets", &format));
    assert_false(nf_format_find("no-such", &format));
    nf_tagging tagging;
    assert_true(nf_tagging_find("IOBES", &tagging) && tagging == NF_TAGGING_BIOES);
    assert_false(nf_tagging_find("iobx", &tagging));
    nf_overlap_policy policy;
    assert_true(nf_overlap_policy_find("longest", &policy) && policy == NF_OVERLAP_KEEP_LONGEST);
    assert_false(nf_overlap_policy_find("shortest", &policy));
    nf_corpus corpus = {0};
    assert_int_equal(nf_annotations_parse(&corpus, "", 0, "x", &nf_format_seq, NULL, &error),
                     NERFIT_ARGUMENT);
    assert_string_equal(error.text, "x is one text, and the format \"seq\" a folder");
    nf_corpus_free(&corpus);
}

/* ---------------------------------------------------------------- writing */

static const struct {
    const char *name;
    const nf_format *format;
    const char *json, *expected; /* a line of jsonl; what is written, or the error */
} writings[] = {
    {"jsonl", &nf_format_jsonl, SPANS("a \\\"b\\\"\\n\xC3\xA9", "[2, 5, \"x\\\"\"], [6, 7, \"y\"]"),
     "{\"text\": \"a \\\"b\\\"\\n\xC3\xA9\", \"entities\": [[2, 5, \"x\\\"\"], [6, 7, \"y\"]]}\n"},
    {"jsonl: no entities", &nf_format_jsonl, SPANS("", ""), "{\"text\": \"\", \"entities\": []}\n"},
    {"brackets", &nf_format_brackets, SPANS("set x [1] \\\\", "[4, 5, \"a b\"], [10, 11, \"c:d\"]"),
     "set [a b : x] \\[1\\] [c:d : \\\\]\n"},
    {"brackets: labels", &nf_format_brackets,
     SPANS("xyz", "[0, 1, \"a: b\"], [1, 2, \"c:\"], [2, 3, \"\\\\:[d]\\\\\"]"),
     "[a\\: b : x][c\\: : y][\\\\:\\[d\\]\\ : z]\n"},
    {"brackets: line break", &nf_format_brackets, SPANS("a\\nb", ""),
     "input:1: has a line break, which bracket text cannot hold; use jsonl"},
    {"text: line break", &nf_format_text, SPANS("a\\rb", ""),
     "input:1: has a line break, which plain text cannot hold; use jsonl"},
    {"text", &nf_format_text, SPANS("a [b", "[0, 1, \"x\"]"), "a [b\n"},
    {"conll", &nf_format_conll, SPANS("Don't go to New-York!", "[12, 20, \"LOC\"]"),
     "Don\tO\n'\tO\nt\tO\ngo\tO\nto\tO\nNew\tB-LOC\n-\tI-LOC\nYork\tI-LOC\n!\tO\n\n"},
    {"conll: edges inside words", &nf_format_conll,
     SPANS("abcdef gh", "[1, 3, \"x\"], [3, 4, \"x\"], [5, 8, \"y\"]"),
     "a\tO\nbc\tB-x\nd\tB-x\ne\tO\nf\tB-y\ng\tI-y\nh\tO\n\n"},
    {"conll: nothing", &nf_format_conll, SPANS(" ", ""), "\n"},
    {"json", &nf_format_json, SPANS("a", ""), "{\"text\": \"a\", \"entities\": []}"},
    {"seq", &nf_format_seq, SPANS("a", ""), "format seq cannot be written"},
};

static void check_writings(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof writings / sizeof *writings; i++) {
        nf_corpus corpus = {0};
        nerfit_error error;
        nf_str out = {0};
        assert_ok(nf_annotations_parse(&corpus, writings[i].json, strlen(writings[i].json), "input",
                                       &nf_format_jsonl, NULL, &error),
                  &error);
        nerfit_status status =
            nf_annotations_write(&out, &corpus.documents[0], writings[i].format, &error);
        failed += !same_text(writings[i].name, status == NERFIT_OK ? nf_str_text(&out) : error.text,
                             writings[i].expected);
        if (status != NERFIT_OK) assert_int_equal(out.length, 0);
        nf_str_free(&out);
        nf_corpus_free(&corpus);
    }
    assert_int_equal(failed, 0);
}

/* A word that would be read as something else. */
static void check_docstart(void **state) {
    (void)state;
    static const char input[] = "B-x\t-DOCSTART-\nO\tend\n";
    nf_corpus corpus = {0};
    nf_str out = {0};
    nerfit_error error;
    nf_annotation_options options = {
        .format = &nf_format_conll, .word_column = {2}, .label_column = {1}};
    assert_ok(nf_annotations_parse_with(&corpus, input, strlen(input), "input", &options, &error),
              &error);
    assert_ok(nf_annotations_write(&out, &corpus.documents[0], &nf_format_conll, &error), &error);
    assert_string_equal(nf_str_text(&out), "-\tB-x\nDOCSTART-\tI-x\nend\tO\n\n");
    nf_str_free(&out);
    nf_corpus_free(&corpus);
}

/* ---------------------------------------------------------------- random documents */

static const char *const pieces[] = {
    "a",
    "b",
    " ",
    "[",
    "]",
    "\\",
    ":",
    ": ",
    " : ",
    "\"",
    "'",
    "{",
    "}",
    ",",
    "\t",
    "O",
    "B-x",
    "#",
    "\xC3\xA9",
    "\xE4\xB8\xAD",
    "\xF0\x9F\x98\x80",
    "\xCC\x81",
    "e\xCC\x81",
    "\xC2\xA0",
    "\xE2\x80\x8D",
    "\xD7\xA9",
    "\xE3\x81\x82",
    "-",
    "_",
    "7",
    "\x01",
    "\xE2\x80\xA8",
};
enum { N_PIECES = sizeof pieces / sizeof *pieces };

static void append_random(nf_str *out, nf_rng *rng, uint32_t most) {
    for (uint32_t n = nf_rng_below(rng, most + 1); n > 0; n--)
        nf_str_append_text(out, pieces[nf_rng_below(rng, N_PIECES)]);
}

/* A document with spans that do not overlap; those that are refused (white space) are left out. */
static void make_random(nf_corpus *corpus, nf_rng *rng) {
    nf_str text = {0}, labels[8] = {{0}};
    nf_given_span spans[8];
    size_t n_spans = 0;
    append_random(&text, rng, 24);
    uint32_t length = (uint32_t)nf_utf8_count(nf_str_text(&text), text.length);
    for (uint32_t at = 0; at < length && n_spans < 8;) {
        uint32_t start = at + nf_rng_below(rng, 4), end = start + 1 + nf_rng_below(rng, 4);
        if (end > length) break;
        append_random(&labels[n_spans], rng, 4);
        nf_given_span span = {start, end, nf_str_text(&labels[n_spans]), labels[n_spans].length};
        nf_given_document alone = {.text = nf_str_text(&text),
                                   .text_size = text.length,
                                   .spans = &span,
                                   .n_spans = 1,
                                   .file = "random"};
        nf_corpus probe = {0};
        if (nf_corpus_add(&probe, &alone, NULL, NULL) == NERFIT_OK) {
            spans[n_spans++] = span;
            at = end;
        } else {
            nf_str_clear(&labels[n_spans]);
            at++;
        }
        nf_corpus_free(&probe);
    }
    nf_given_document given = {.text = nf_str_text(&text),
                               .text_size = text.length,
                               .spans = spans,
                               .n_spans = n_spans,
                               .file = "random"};
    nerfit_error error;
    assert_ok(nf_corpus_add(corpus, &given, NULL, &error), &error);
    nf_str_free(&text);
    for (size_t i = 0; i < 8; i++) nf_str_free(&labels[i]);
}

/* Words and labels are all that CoNLL holds: two documents are the same there if their texts are
 * equal but for white space, and their spans hold the same characters. */
static void show_without_space(nf_str *out, const nf_document *d) {
    uint32_t at = 0, c;
    size_t span = 0;
    for (size_t i = 0, step; i < d->text_size; i += step, at++) {
        step = nf_utf8_decode(d->text + i, d->text_size - i, &c);
        for (; span < d->n_spans && d->spans[span].end <= at; span++) nf_str_append_text(out, ">");
        if (span < d->n_spans && d->spans[span].start == at)
            nf_str_appendf(out, "<%s:", d->spans[span].label);
        if (!nf_is_space(c)) nf_str_append(out, d->text + i, step);
    }
    if (span < d->n_spans) nf_str_append_text(out, ">");
}

static bool is_blank(const nf_document *d) {
    const char *text = d->text;
    size_t size = d->text_size;
    nf_text_trim(&text, &size);
    return size == 0;
}

static const struct {
    const nf_format *format;
    void (*show)(nf_str *out, const nf_document *document);
} round_trips[] = {
    {&nf_format_jsonl, show_document},
    {&nf_format_json, show_document},
    {&nf_format_brackets, show_document},
    {&nf_format_conll, show_without_space},
};

static void check_round_trips(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(7, 1);
    size_t failed = 0, with_spans = 0, refused = 0;
    for (int i = 0; i < 20000 && failed < 5; i++) {
        nf_corpus corpus = {0};
        make_random(&corpus, &rng);
        const nf_document *d = &corpus.documents[0];
        with_spans += d->n_spans > 0;
        for (size_t k = 0; k < sizeof round_trips / sizeof *round_trips; k++) {
            nf_corpus again = {0};
            nerfit_error error;
            nf_str written = {0}, before = {0}, after = {0};
            if (is_blank(d)) continue; /* a line without characters is no document */
            nerfit_status status = nf_annotations_write(&written, d, round_trips[k].format, &error);
            if (status == NERFIT_UNSUPPORTED) { /* a label like "x O", which conll refuses */
                assert_ptr_equal(round_trips[k].format, &nf_format_conll);
                refused++;
                continue;
            }
            assert_ok(status, &error);
            status = nf_annotations_parse(&again, written.data, written.length, "written",
                                          round_trips[k].format, NULL, &error);
            round_trips[k].show(&before, d);
            if (status != NERFIT_OK)
                nf_str_append_text(&after, error.text);
            else if (again.n_documents == 1)
                round_trips[k].show(&after, &again.documents[0]);
            if (!same_text(nf_format_name(round_trips[k].format), nf_str_text(&after),
                           nf_str_text(&before))) {
                print_error("  written  %s", nf_str_text(&written));
                failed++;
            }
            nf_str_free(&written);
            nf_str_free(&before);
            nf_str_free(&after);
            nf_corpus_free(&again);
        }
        nf_corpus_free(&corpus);
    }
    assert_int_equal(failed, 0);
    assert_true(with_spans > 10000);
    assert_in_range(refused, 1, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_readings),      cmocka_unit_test(check_reports),
        cmocka_unit_test(check_findings),      cmocka_unit_test(check_log),
        cmocka_unit_test(check_broken_inputs), cmocka_unit_test(check_detection),
        cmocka_unit_test(check_endings),       cmocka_unit_test(check_writings),
        cmocka_unit_test(check_docstart),      cmocka_unit_test(check_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
