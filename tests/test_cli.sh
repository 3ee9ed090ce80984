#!/usr/bin/env bash
# The program from outside: exit codes, messages, formats, closed pipes. Usage: test_cli.sh NERFIT
# Needs no downloads: the model is tests/golden/bert's tiny one with a vocabulary made here.
set -u
export HF_HUB_OFFLINE=1
nerfit=$(realpath "$1")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failures=0

# expect NAME STATUS PATTERN COMMAND...: PATTERN (a regular expression) in stdout and stderr together
expect() {
    local name=$1 status=$2 pattern=$3 got output
    shift 3
    output=$("$@" 2>&1 </dev/null)
    got=$?
    if [ "$got" != "$status" ] || ! grep -qE -- "$pattern" <<<"$output"; then
        printf 'FAIL %s: status %s (expected %s), output:\n%s\n(expected: %s)\n' "$name" "$got" \
            "$status" "$output" "$pattern"
        failures=$((failures + 1))
    fi
}

python3 tests/made_model.py bert "$root/model" wake,me,up,at,nine token-classification
python3 tests/made_model.py bert "$root/encoder" wake,me,up,at,nine
printf 'wake me up at nine\n\nme <up> & "at"\n' >"$root/texts.txt"
printf '[a : wake] me up\nwake [b : me] at [c : nine]\n' >"$root/train.txt"
printf 'a: one thing\nb: another\nc: a third\n' >"$root/labels.yaml"
printf 'wake\tB-a\nme\tO\n\nup\tB-b\n' >"$root/gold.conll"
printf 'wake\tB-a\nme\tO\n\nup\tB-c\n' >"$root/pred.conll"

expect "no command" 2 'usage: nerfit COMMAND' "$nerfit"
expect "help" 0 'predict +tag texts' "$nerfit" --help
expect "man page" 0 '^\.B --?learning_rate' "$nerfit" help --man
expect "version" 0 '^nerfit [0-9]+\.[0-9]+\.[0-9]+$' "$nerfit" --version
expect "unknown command" 2 'unknown command "trian"' "$nerfit" trian
for command in train predict eval score embed tokenize fewshot pretrain describe download bench quantize data 'data check' 'data sample'; do
    expect "$command --help" 0 "usage: nerfit ${command% *}" "$nerfit" $command --help
done
for command in '' train pretrain predict eval score embed tokenize fewshot describe download bench quantize annotate suggest \
    serve completion data \
    'data convert' 'data check' 'data stats' 'data split' 'data sample' 'data formats'; do
    # shellcheck disable=SC2086
    wide=$("$nerfit" $command --help | awk 'length($0) > 80')
    [ -z "$wide" ] || { echo "FAIL: $command --help is wider than 80: $wide"; failures=$((failures + 1)); }
done
expect "the first example says where an encoder comes from" 0 "from Hugging Face's hub" "$nerfit" --help
first=$("$nerfit" help train | grep -m 5 -oE '^  --[a-z0-9_]+' | tr -d ' \n')
[ "$first" = "--model_name--train_annotations--val_annotations--ent2emb--output_dir" ] || { echo "FAIL: first options: $first"; failures=$((failures + 1)); }
expect "help of pretrain" 1 'train_annotations' bash -c "'$nerfit' help pretrain | grep -E '^  --(train|val)_annotations'; echo \${PIPESTATUS[1]} | grep -q 0 || { echo no train_annotations; exit 1; }"
expect "-V" 0 '^nerfit [0-9]' "$nerfit" -V
expect "a near command" 2 'unknown command "predcit"; did you mean "predict"\?' "$nerfit" predcit
expect "a near command of data" 2 'unknown command "data convrt"; did you mean "data convert"\?' "$nerfit" data convrt
expect "help of a part" 0 'usage: nerfit data convert FILE' "$nerfit" help data convert
expect "no near command" 2 'unknown command "xylophone"$' "$nerfit" xylophone
expect "a near option" 2 'unknown option "--outptu"; did you mean "--output"\?' "$nerfit" predict m --outptu x
expect "a near option of the program" 2 'unknown option "--versoin"; did you mean "--version"\?' "$nerfit" --versoin
expect "a near option, by its name elsewhere" 2 'unknown option "outptu"; did you mean "output_dir"\?' "$nerfit" train --outptu x
expect "a near option of training" 2 'did you mean "max_steps"' "$nerfit" train --max_step 3
expect "help to a closed pipe" 0 '^usage' bash -c "'$nerfit' help train | head -n 1; exit \${PIPESTATUS[0]}"
for shell in bash zsh fish; do
    expect "completion $shell" 0 'max_steps' "$nerfit" completion $shell
done
expect "completion of another shell" 2 'is not one of bash, zsh, fish' "$nerfit" completion tcsh
complete() { # words...: what bash proposes for the last one
    bash -c 'eval "$("$0" completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nerfit; echo "${COMPREPLY[@]}"' "$nerfit" "$@"
}
expect "completed commands" 0 '^predict pretrain$' complete nerfit pr
expect "completed options" 0 '^--threshold --threads$|^--threads --threshold$' complete nerfit predict --thr
expect "completed values" 0 '^crf$' complete nerfit predict m --decoder c
expect "completed options of training" 0 '^--max_steps$' complete nerfit train --max_s
expect "completed values of training" 0 '^nerfit$' complete nerfit train --recipe n
expect "completed options of data" 0 '^--sizes$' complete nerfit data split f --si
# the same in the shells themselves
if command -v zsh >/dev/null; then
    while IFS='|' read -r typed whole; do
        expect "zsh: $typed" 0 "^$whole *$" zsh -f tests/complete.zsh "$nerfit" "$typed"
    done <<'END'
nerfit pred|nerfit predict
nerfit data conv|nerfit data convert
nerfit predict m --deco|nerfit predict m --decoder
nerfit predict m --decoder c|nerfit predict m --decoder crf
nerfit train --max_s|nerfit train --max_steps
nerfit completion f|nerfit completion fish
END
else
    echo "skipped: completion in zsh, which is not here"
fi
if command -v fish >/dev/null; then
    "$nerfit" completion fish >"$root/nerfit.fish"
    while IFS='|' read -r typed proposed; do
        expect "fish: $typed" 0 "^$proposed$" bash -c "fish --no-config -c \"source '$root/nerfit.fish'; complete -C '$typed'\" | cut -f 1 | sort | tr '\n' ' ' | sed 's/ $//'"
    done <<'END'
nerfit pr|predict pretrain
nerfit data co|convert
nerfit predict m --thr|--threads --threshold
nerfit predict m --decoder c|crf
nerfit train --max_s|--max_steps
nerfit train --recipe n|nerfit
nerfit completion f|fish
END
else
    echo "skipped: completion in fish, which is not here"
fi
expect "help train lists options" 0 'lr_scheduler_type' "$nerfit" help train
expect "missing model" 2 'MODEL is missing' "$nerfit" predict
expect "unknown option" 2 'unknown option "--otuput"' "$nerfit" predict m --otuput jsonl
expect "no such folder" 1 'is not a folder' "$nerfit" predict "$root/nowhere"
expect "bad output" 1 'output "xml" is not one of jsonl' "$nerfit" predict "$root/model" "$root/texts.txt" --format xml
expect "bare encoder" 1 'is a bare encoder' "$nerfit" predict "$root/encoder" "$root/texts.txt"
for format in jsonl conll brackets tokens html; do
    expect "predict $format" 0 'wake' "$nerfit" predict "$root/model" "$root/texts.txt" --output $format
done
for format in jsonl conll brackets tokens html redacted; do
    "$nerfit" predict "$root/model" "$root/texts.txt" --format $format >"$root/out.a"
    "$nerfit" predict "$root/model" "$root/texts.txt" --format $format --output "$root/out.b"
    cmp "$root/out.a" "$root/out.b" || failures=$((failures + 1))
done
expect "an old spelling is told of" 0 'taken for --format brackets; a file of that name is ./brackets' bash -c "cd '$root' && touch brackets && '$nerfit' predict model texts.txt --output brackets; rm brackets"
expect "an old spelling" 0 '^wake' bash -c "'$nerfit' predict '$root/model' '$root/texts.txt' --output brackets --threshold 1"
expect "a file of a format's name" 0 '' bash -c "cd '$root' && '$nerfit' predict model texts.txt --output ./jsonl && test -s jsonl && rm jsonl"
expect "--from and --input are one" 0 'wake' "$nerfit" predict "$root/model" "$root/gold.conll" --from conll
expect "redacted" 0 '^\[?[a-z ]*\[' "$nerfit" predict "$root/model" "$root/texts.txt" --redact --threshold 0
[ "$("$nerfit" predict "$root/model" "$root/texts.txt" --redact | wc -l)" = 3 ] || { echo "FAIL: redacted lines"; failures=$((failures + 1)); }
expect "redacted is no other format" 2 'redact is --format redacted' "$nerfit" predict "$root/model" "$root/texts.txt" --redact --format html
expect "a line break in redacted output" 1 'holds a line break' bash -c "printf '%s\n' '{\"text\": \"a\\nb\"}' | '$nerfit' predict '$root/model' - --from jsonl --redact"
expect "no output of what failed" 1 '' bash -c "echo old >'$root/kept'; printf '\xff\n' | '$nerfit' predict '$root/model' - --output '$root/kept'; status=\$?; grep -q old '$root/kept' || exit 9; exit \$status"
for arguments in "tokenize $root/model $root/texts.txt" "embed $root/encoder $root/texts.txt" "score $root/gold.conll $root/pred.conll"; do
    # shellcheck disable=SC2086
    "$nerfit" $arguments >"$root/out.a" 2>/dev/null; "$nerfit" $arguments --output "$root/out.b" 2>/dev/null
    cmp "$root/out.a" "$root/out.b" && [ -s "$root/out.b" ] || { echo "FAIL: $arguments --output"; failures=$((failures + 1)); }
done
expect "html is escaped" 0 '&lt;' "$nerfit" predict "$root/model" "$root/texts.txt" --output html
lines=$("$nerfit" predict "$root/model" "$root/texts.txt" | wc -l)
[ "$lines" = 3 ] || { echo "FAIL: $lines lines out for 3 in"; failures=$((failures + 1)); }
for arguments in --version --help help 'help train' 'help --man' "tokenize $root/model $root/texts.txt" \
    "embed $root/encoder $root/texts.txt" "predict $root/model $root/texts.txt" \
    "data convert $root/train.txt" "score $root/gold.conll $root/gold.conll" "data formats"; do
    expect "$arguments to a full device" 1 'the output cannot be written' bash -c "'$nerfit' $arguments >/dev/full"
done
expect "without standard streams" 0 '' bash -c "'$nerfit' data convert '$root/train.txt' --output '$root/closed.jsonl' <&- >&- 2>&-"
expect "standard error is no file" 0 'wake' bash -c "'$nerfit' train --model_name '$root/encoder' --train_annotations '$root/train.txt' --val_annotations '$root/train.txt' --ent2emb '$root/labels.yaml' --st_model_name '$root/encoder' --max_steps 0,2 --eval_steps 1 --output_dir '$root/noerr' --calibration none --threads 1 --precision f32 >/dev/null 2>&- ; python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' '$root/noerr/metrics.jsonl' && echo wake"
(umask 077; echo old >"$root/target.jsonl"); ln -s target.jsonl "$root/link.jsonl"
expect "output through a link" 0 '' "$nerfit" data convert "$root/train.txt" --output "$root/link.jsonl"
[ -L "$root/link.jsonl" ] && [ "$(stat -c %a "$root/target.jsonl")" = 600 ] && grep -q wake "$root/target.jsonl" ||
    { echo "FAIL: output through a link: $(ls -l "$root"/*.jsonl)"; failures=$((failures + 1)); }
expect "output to /dev/stdout" 0 '^before$' bash -c "(echo before; '$nerfit' data convert '$root/train.txt' --to jsonl --output /dev/stdout; echo after) >'$root/shell.txt'; cat '$root/shell.txt'"
[ "$(wc -l <"$root/shell.txt")" = 4 ] || { echo "FAIL: /dev/stdout: $(cat "$root/shell.txt")"; failures=$((failures + 1)); }
expect "deep YAML" 1 'deep.yaml:1:.*nested more than 1000 deep' bash -c "head -c 100000 /dev/zero | tr '\\0' '[' >'$root/deep.yaml'; '$nerfit' train '$root/deep.yaml'"
expect "deep YAML of labels" 1 'nested more than 1000 deep' "$nerfit" data check "$root/train.txt" --ent2emb "$root/deep.yaml"
for command in tokenize embed predict; do
    model=$root/model
    [ $command = embed ] && model=$root/encoder
    [ $command = predict ] ||
        expect "$command of a folder" 1 'cannot be (read|opened): Is a directory' "$nerfit" $command "$model" "$root"
    expect "$command of a folder as standard input" 1 'standard input.*: Is a directory' bash -c "'$nerfit' $command '$model' - <'$root'"
    expect "$command of a line without memory for it" 1 'texts.big:2: .*out of memory|out of memory' \
        bash -c "(echo first; head -c 250000000 /dev/zero | tr '\\0' a; echo; echo last) >'$root/texts.big'; ulimit -v 250000; '$nerfit' $command '$model' '$root/texts.big' \$([ $command = tokenize ] || echo --threads 1 --backend ref)"
    rm -f "$root/texts.big"
done
expect "not UTF-8" 1 'not valid UTF-8|not UTF-8' bash -c "printf 'ok\n\xff\n' | '$nerfit' predict '$root/model'"
"$nerfit" predict "$root/model" "$root/texts.txt" | head -c 5 >/dev/null
[ "${PIPESTATUS[0]}" = 0 ] || { echo "FAIL: closed pipe"; failures=$((failures + 1)); }
expect "bench" 0 'training, DoRA' "$nerfit" bench "$root/encoder" --seconds 0.05
expect "bench --json" 0 'share_of_peak' "$nerfit" bench "$root/model" --seconds 0.05 --json
expect "bench, seconds" 2 'expected a number of seconds' "$nerfit" bench "$root/model" --seconds no
if grep -q avx512_vnni /proc/cpuinfo; then
    expect "int8 that nobody has compared" 0 'int8 has not been compared' \
        "$nerfit" predict "$root/model" "$root/texts.txt" --dtype int8
    expect "quantize" 0 'F1 .* in int8' "$nerfit" quantize "$root/model" "$root/train.txt"
    [ -f "$root/model/int8.json" ] || { echo "FAIL: no int8.json"; failures=$((failures + 1)); }
    output=$("$nerfit" predict "$root/model" "$root/texts.txt" --dtype int8 2>&1)
    grep -q compared <<<"$output" && { echo "FAIL: still a warning"; failures=$((failures + 1)); }
    expect "int8 training" 2 'precision' "$nerfit" train --model_name "$root/encoder" \
        --train_annotations "$root/train.txt" --output_dir "$root/int8" --precision int8
fi
expect "eval" 0 'micro avg' "$nerfit" eval "$root/model" "$root/train.txt"
expect "eval --json" 0 '"micro"' "$nerfit" eval "$root/model" "$root/train.txt" --json --words
expect "score" 0 'micro avg +0.5000 +0.5000 +0.5000 +2' "$nerfit" score "$root/gold.conll" "$root/pred.conll"
expect "eval, its scores" 0 '^threshold  entities  precision' "$nerfit" eval "$root/model" "$root/train.txt"
expect "eval --errors" 0 '^.*train.txt:1: ' "$nerfit" eval "$root/model" "$root/train.txt" --errors
expect "eval --errors, confusion" 0 'Which types were taken for which' "$nerfit" eval "$root/model" "$root/train.txt" --errors
expect "eval, all left out" 0 'found: 0 phrases' "$nerfit" eval "$root/model" "$root/train.txt" --threshold 1
expect "predict --threshold" 0 '"entities": \[\]' "$nerfit" predict "$root/model" "$root/texts.txt" --threshold 1,a=1
expect "threshold, no number" 2 'threshold "0,5x" is not a number|threshold "5x" is not a number' "$nerfit" predict "$root/model" "$root/texts.txt" --threshold 0,5x
expect "threshold, too large" 2 '7 is not a number from 0 to 1' "$nerfit" predict "$root/model" "$root/texts.txt" --threshold a=7
expect "threshold, no such type" 2 'no entity type "zz"; it has a, ' "$nerfit" predict "$root/model" "$root/texts.txt" --threshold zz=0.7
expect "score --errors" 0 'gold.conll:4: wrong type: b, found as c' "$nerfit" score "$root/gold.conll" "$root/pred.conll" --errors
expect "score --errors, in the text" 0 '^    \{\[up\]\}$' "$nerfit" score "$root/gold.conll" "$root/pred.conll" --errors
expect "score --semeval" 0 '^exact +2 +0 +0 +0 +0 +1.0000' "$nerfit" score "$root/gold.conll" "$root/pred.conll" --semeval
expect "score --json" 0 '"wrong_type": 1' "$nerfit" score "$root/gold.conll" "$root/pred.conll" --json
printf 'wake\tB-a\n\033[2Jup\tO\n' >"$root/escape.conll"
printf 'wake\tO\n\033[2Jup\tO\n' >"$root/escape2.conll"
escape=$("$nerfit" score "$root/escape.conll" "$root/escape2.conll" --errors | tr -d '\n' | grep -c $'\033')
[ "$escape" = 0 ] || { echo "FAIL: a control character of the text reaches the terminal"; failures=$((failures + 1)); }
expect "score, other words" 1 'pred2.conll' bash -c "sed s/up/down/ '$root/pred.conll' >'$root/pred2.conll'; '$nerfit' score '$root/gold.conll' '$root/pred2.conll'"
expect "tokenize" 0 '"tokens": \["\[CLS\]", ?"wake"' "$nerfit" tokenize "$root/model" "$root/texts.txt"
expect "embed" 0 '^\[-?[0-9]' "$nerfit" embed "$root/encoder" "$root/texts.txt"
# annotated files
printf 'wake [b : me]  up\nwake [b : me]  up\n\n[a : nine]\n' >"$root/data.txt"
printf '[a : wake me\nwake [b : [me]]\n[ : x] up\n[a : me] up\n' >"$root/bad.txt"
expect "data, no command" 2 'usage: nerfit data convert' "$nerfit" data
expect "data, unknown command" 2 '"trim" is not one of convert, check' "$nerfit" data trim
expect "data convert" 0 '^."text": "wake me  up", "entities": ..5, 7, "b"...$' "$nerfit" data convert "$root/data.txt"
expect "data convert, warning" 0 '2 texts are written with single spaces' "$nerfit" data convert "$root/data.txt" --to conll
expect "data convert, by ending" 0 '' "$nerfit" data convert "$root/data.txt" --output "$root/data.jsonl"
expect "data convert, back" 0 '^wake \[b : me\]  up$' "$nerfit" data convert "$root/data.jsonl" --to brackets
expect "data convert, a folder" 0 '' "$nerfit" data convert "$root/data.txt" --to seq --output "$root/data.seq"
expect "data convert, from a folder" 0 '^wake \[b : me\] up$' "$nerfit" data convert "$root/data.seq" --to brackets
expect "data convert, no such format" 1 'format "xml" is not one of jsonl' "$nerfit" data convert "$root/data.txt" --to xml
expect "data convert, cannot hold" 1 'lines.jsonl:1: has a line break, which bracket text' bash -c "echo '{\"text\": \"a\\nb\"}' >'$root/lines.jsonl'; '$nerfit' data convert '$root/lines.jsonl' --to brackets"
expect "data check" 0 'warning: .*data.txt:2: the text of .*data.txt:1 again' "$nerfit" data check "$root/data.txt"
expect "data check, summary" 0 '^1 file, 3 good texts: 0 errors, 1 warnings$' "$nerfit" data check "$root/data.txt"
expect "data check, errors" 1 'bad.txt:3:1: an annotation with an empty label' "$nerfit" data check "$root/bad.txt"
expect "data check, sums errors up" 1 '^ *2 error: malformed input$' "$nerfit" data check "$root/bad.txt"
expect "data check, descriptions" 0 'labels.yaml: no text has an entity of label "c"' "$nerfit" data check "$root/data.txt" --ent2emb "$root/labels.yaml"
expect "data check, missing file" 1 'nowhere.txt' "$nerfit" data check "$root/nowhere.txt"
expect "data stats" 0 'entities +3' "$nerfit" data stats "$root/data.txt"
expect "data stats --json" 0 '"texts_without_entities": 0' "$nerfit" data stats "$root/data.txt" --json
expect "data split" 0 'parts/a.jsonl: 1 texts' "$nerfit" data split "$root/data.txt" --output "$root/parts" --sizes 1,rest --names a,b
expect "data split, leakage" 0 'a.jsonl in .*b.jsonl: 0 texts' "$nerfit" data stats "$root/parts/a.jsonl" "$root/parts/b.jsonl"
expect "data split, too many" 1 'sizes: 9 texts are wanted of 3' "$nerfit" data split "$root/data.txt" --output "$root/parts" --sizes 9
expect "data sample" 0 '^2 of 3 texts$' "$nerfit" data sample "$root/data.txt" --k 1 --lines "$root/lines.json"
expect "data sample, its lines" 0 '"lines": \[[12], 4\]' cat "$root/lines.json"
expect "data sample, warning" 0 'warning: 2 entity types have fewer than 5 mentions' "$nerfit" data sample "$root/data.txt" --k 5
expect "data sample, bad k" 2 'k "4x" is not a whole number' "$nerfit" data sample "$root/data.txt" --k 4x

# a language model: tests/test_net.py has the rest
expect "describe, no data" 2 'DATA is missing' "$nerfit" describe --llm gpt-4o
expect "describe, no model" 2 '--llm is missing' "$nerfit" describe "$root/train.txt"
expect "describe, unknown model" 1 '"llama" is no model that is known here' "$nerfit" describe "$root/train.txt" --llm llama
expect "describe, no key" 1 'set the environment variable GROQ_API_KEY' env -u GROQ_API_KEY "$nerfit" describe "$root/train.txt" --llm groq/x
expect "describe, bad seed" 2 'seed "x" is not a whole number' "$nerfit" describe "$root/train.txt" --llm gpt-4o --seed x
expect "a name, not in the cache" 1 'acme/x is not a folder, nor is the model there in the cache' env HF_HOME="$root/hf" "$nerfit" predict acme/x
expect "train, nothing given" 1 'model_name is missing' "$nerfit" train
expect "pretrain, nothing given" 1 'pretrain_annotations is missing: .* a folder of label sets' "$nerfit" pretrain --model_name "$root/encoder" --output_dir "$root/pre"
mkdir "$root/sets"
cp "$root/train.txt" "$root/sets/one.txt"
expect "pretrain, half a pair" 1 'sets/one.txt: has no descriptions beside it; expected one.yaml' "$nerfit" pretrain --model_name "$root/encoder" --pretrain_annotations "$root/sets" --output_dir "$root/pre"
printf -- '- {annotations: train.txt}\n' >"$root/manifest.yaml"
expect "pretrain, half a pair in a manifest" 1 'manifest.yaml:1:3: descriptions is missing' "$nerfit" pretrain --model_name "$root/encoder" --pretrain_annotations "$root/manifest.yaml" --output_dir "$root/pre"
expect "train, misspelt option" 2 'unknown option "learning_rte"; did you mean "learning_rate"' "$nerfit" train --learning_rte 1
expect "predict, bad threads" 2 'threads "abc" is not a whole number from 0' "$nerfit" predict "$root/train.txt" --threads abc
expect "bench, bad threads" 2 'threads "-1" is not a whole number from 0' "$nerfit" bench "$root/train.txt" --threads -1
expect "bench, bad seconds" 2 'seconds 1s: expected a number' "$nerfit" bench "$root/train.txt" --seconds 1s
expect "train, bad value" 2 'max_steps: "many" is not a whole number' "$nerfit" train --max_steps many
printf 'learning_rate: 1e-3\nmax_stepz: 3\n' >"$root/config.yaml"
expect "config, misspelt option" 1 'config.yaml:2: unknown option "max_stepz"; did you mean "max_steps"' "$nerfit" train "$root/config.yaml"
cat >"$root/config.yaml" <<YAML
model_name: encoder
st_model_name: encoder
train_annotations: train.txt
val_annotations: train.txt
ent2emb: labels.yaml
output_dir: out
max_steps: [2, 4]
warmup_steps: 0
eval_steps: 2
save_steps: 2
logging_steps: 2
YAML
expect "train" 0 'The model is in' "$nerfit" train "$root/config.yaml"
wide=$("$nerfit" train "$root/config.yaml" --overwrite_output_dir true 2>&1 >/dev/null | grep '^stage 2  step' | awk 'length($0) > 80')
[ -z "$wide" ] || { echo "FAIL: lines of training are wider than 80: $wide"; failures=$((failures + 1)); }
if command -v script >/dev/null; then # a terminal of 60 columns; its lines of steps are short as they are
    wide=$(script -qec "stty cols 60; '$nerfit' train '$root/config.yaml' --overwrite_output_dir true >/dev/null" /dev/null | tr -d '\r' | grep -vE 'step|\[' | awk 'length($0) > 60 && $2 != ""')
    [ -z "$wide" ] || { echo "FAIL: lines are wider than the terminal: $wide"; failures=$((failures + 1)); }
fi
if command -v script >/dev/null; then # how far it is, for a person only
    told=$(script -qec "'$nerfit' predict '$root/out/best' '$root/texts.txt' >/dev/null" /dev/null)
    [[ $told == *'kB/s'*'left'* ]] || { echo "FAIL: predict's progress: $told"; failures=$((failures + 1)); }
fi
told=$("$nerfit" predict "$root/out/best" "$root/texts.txt" 2>&1 >/dev/null)
[ -z "$told" ] || { echo "FAIL: predict's progress in a pipe: $told"; failures=$((failures + 1)); }
expect "train, finished" 0 'is finished; there is nothing left to do' "$nerfit" train "$root/config.yaml" --resume_from_checkpoint true
expect "train, what it chose" 0 'recipe nerfit, 2 texts: what was not given follows' "$nerfit" train "$root/config.yaml" --overwrite_output_dir true
expect "predict, decoder" 0 '"entities"' "$nerfit" predict "$root/out/best" "$root/texts.txt" --decoder labels
expect "predict, no such decoder" 1 'decoder "best" is not one of auto, labels, viterbi, crf' "$nerfit" predict "$root/out/best" "$root/texts.txt" --decoder best
expect "train, recipe original" 0 'The model is in' "$nerfit" train "$root/config.yaml" --recipe original --overwrite_output_dir true
expect "predict, no transitions" 1 'has no nerfit.json' "$nerfit" predict "$root/out/best" "$root/texts.txt" --decoder crf
expect "train again" 1 'holds an earlier run' "$nerfit" train "$root/config.yaml"
expect "train, JSON log" 0 '"stage":2,' "$nerfit" train "$root/config.yaml" --overwrite_output_dir true --log-json
quiet=$("$nerfit" train "$root/config.yaml" --overwrite_output_dir true --quiet 2>&1 >/dev/null | grep -v warning)
[ -z "$quiet" ] || { echo "FAIL --quiet said: $quiet"; failures=$((failures + 1)); }
expect "train, its report" 0 '<h1>Training report</h1>' cat "$root/out/report.html"
expect "train, calibrated by force" 0 'scores are calibrated on|scores are not calibrated' "$nerfit" train "$root/config.yaml" --overwrite_output_dir true --calibration cross-validation --calibration_folds 2
expect "train, nothing to calibrate with" 1 'calibration: validation takes val_annotations' "$nerfit" train --model_name "$root/encoder" --train_annotations "$root/train.txt" --max_steps 0,2 --calibration validation --output_dir "$root/other"
expect "predict with it" 0 '"entities"' "$nerfit" predict "$root/out/best" "$root/texts.txt"

# few-shot runs
few=(fewshot "$root/config.yaml" --test_annotations "$root/train.txt" --output_dir "$root/few" --k 1,2 --seeds 0-1)
few+=(--recipes 'plain:max_steps=0,2 original:max_steps=1,1')
expect "fewshot" 0 '^ +2 +2 +[0-9.]+ . [0-9.]+ +[0-9.]+ . [0-9.]+$' "$nerfit" "${few[@]}" --json "$root/few.json"
expect "fewshot, JSON" 0 '"recipe": "original:max_steps=1,1"' cat "$root/few.json"
[ "$(wc -l <"$root/few/runs.jsonl")" = 8 ] || { echo "FAIL: not 8 runs"; failures=$((failures + 1)); }
[ ! -e "$root/few/run" ] || { echo "FAIL: the last run's folder is still there"; failures=$((failures + 1)); }
expect "fewshot again" 0 '8/8  k 2, seed 1, original:max_steps=1,1: F1 .*, from an earlier call' "$nerfit" "${few[@]}"
expect "fewshot, Markdown" 0 '^.---.---.---.---.$' "$nerfit" "${few[@]}" --markdown --quiet
expect "fewshot, its page" 0 '<svg' cat "$root/few/report.html"
expect "fewshot, no recipe" 1 'recipe "plane" is not one of' "$nerfit" fewshot "$root/config.yaml" --recipes plane
expect "fewshot, misspelt option" 2 'unknown option "seed5"' "$nerfit" fewshot "$root/config.yaml" --seed5 1
expect "fewshot, no model" 1 'recipe "plain": model_name is missing' "$nerfit" fewshot --learning_rate 1e-3 --recipes plain

[ "$failures" = 0 ] && echo "all command line tests passed"
exit $((failures > 0))
