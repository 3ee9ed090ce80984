/* Tagging many texts in pieces: nerfit predict --shard I/N over a file or a folder of files.
 *
 * A shard's work is a function of names and sizes alone, so that any number of processes, on any
 * machines that see the files, share it without talking. Of a file of lines, shard I has the lines that
 * begin in its N-th part of the bytes; of a folder, the files whose relative names fall to it by their
 * hash, so that files may be added between calls. What a piece gives is a file that appears whole or not
 * at all; one that is there is passed over. A job that was killed is simply started again. */
#ifndef NF_CLI_SHARD_H
#define NF_CLI_SHARD_H

#include <stdint.h>

#include "cli.h"

typedef struct cli_piece {
    cli_input file; /* open, at its first byte */
    int64_t size;   /* bytes to read */
    int output;     /* the descriptor to write to */
    const char *in; /* the path */
} cli_piece;

typedef struct cli_shards {
    const command *self;
    uint64_t number, count; /* from 1 */
    const char *input;      /* a file or a folder */
    const char *output;     /* a folder */
    const char *ending;     /* of what is written: ".jsonl" */
    const char
        *record; /* what the pieces are made by; all calls that write into a folder have the same */
    bool quiet, lines; /* lines: the input's format is one of lines, and files can be divided */
    /* Tags a piece; an exit status. */
    int (*tag)(void *user, cli_piece *piece);
    void *user;
} cli_shards;

/* "I/N" into s; NULL: 1/1. Returns -1 to go on, or an exit status. */
int cli_shards_parse(const command *self, const char *text, cli_shards *s);
/* All pieces of the shard; an exit status. */
int cli_shards_run(const cli_shards *s);

/* A line "name: value" of the record, into text [size]; of a value that is a file or a model's folder also
 * a hash of what is in it. False if it does not fit, or cannot be read. */
bool cli_record_add(char *text, size_t size, const char *name, const char *value);

#endif
