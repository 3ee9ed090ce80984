#!/bin/sh
# Checks that no #include breaks the table of folders: data flows one way, and so do includes.
#
#     tools/check_includes.sh [ROOT]
#
# Exit status 0: nothing found; 1: a line for each offence.
set -eu
cd "${1:-$(dirname "$0")/..}"

# folder: what it may include besides itself and nerfit.h
table='
src/base:
src/data: labels base
src/text: base
src/tensor: base
src/net: base
src/labels: base
src/model: labels tensor text base
src/infer: model data labels tensor text base
src/eval: infer model data labels tensor text base
src/train: eval infer model data labels tensor text base
src: *
cli:
server:
python:
examples:
'

files=$(find src cli server python examples -name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || { echo "check_includes: no sources in $(pwd)" >&2; exit 2; }

printf '%s\n' "$files" | xargs grep -Hn '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' |
awk -v table="$table" '
function exists(path,    line, found) {
    if (path in known) return known[path]
    found = (getline line < path) >= 0
    close(path)
    return known[path] = found
}
# "src/tensor/cpu/a.c" -> "src/tensor"; "src/api.c" -> "src"; "cli/a.c" -> "cli"
function folder_of(path,    parts, n) {
    n = split(path, parts, "/")
    return parts[1] == "src" && n > 2 ? parts[1] "/" parts[2] : parts[1]
}
function offence(text) {
    print place ": " text
    failed = 1
}
BEGIN {
    n = split(table, rows, "\n")
    for (i = 1; i <= n; i++) {
        if (!(colon = index(rows[i], ":"))) continue
        name = substr(rows[i], 1, colon - 1)
        allowed[name] = substr(rows[i], colon + 1) " "
    }
}
{
    match($0, /^[^:]*:[0-9]+:/)
    place = substr($0, 1, RLENGTH - 1)
    file = place
    sub(/:[0-9]+$/, "", file)
    rest = substr($0, RLENGTH + 1)
    system_header = rest ~ /include[ \t]*</
    sub(/^[^"<]*["<]/, "", rest)
    sub(/[">].*$/, "", rest)
    from = folder_of(file)
    own = file
    sub(/[^\/]*$/, "", own)
    if (!(from in allowed)) {
        offence("the folder " from " is not in the table of tools/check_includes.sh")
    } else if (rest == "uthash.h" && file != "src/base/hash.h") {
        offence("includes <uthash.h>, which ends the program when memory is missing; include " \
                "\"base/hash.h\"")
    } else if (system_header || rest == "nerfit.h") {
        next
    } else if (index(rest, "..")) {
        offence("includes \"" rest "\"; paths count from src/ or from the file itself")
    } else if (from ~ /^src/ && exists("src/" rest)) {
        to = folder_of("src/" rest)
        short = to
        sub(/^src\//, "", short)
        if (to != from && allowed[from] !~ /\*/ && !index(allowed[from], " " short " "))
            offence("includes \"" rest "\"; " from " may include " \
                    (allowed[from] == " " ? "nothing of ours but nerfit.h and itself" \
                                          : "only nerfit.h, itself and" allowed[from]))
    } else if (!exists(own rest)) {
        offence("includes \"" rest "\"; " (from ~ /^src/ ? "there is no such file" : \
                from " may include only nerfit.h and its own files"))
    }
}
END { exit failed }'
