#!/usr/bin/env python3
"""Checks a folder of label sets for pre-training: NAME.txt ([label : span] in running text, a text a
line), NAME.yaml (label: description) and, where it is there, NAME.synonyms.yaml
(label: {synonyms: [...], descriptions: [...]}).

    tools/pretrain/check_corpus.py [FOLDER] [--list] [--only KIND] [--stats] [SET ...]

What breaks a rule is an error, with file and line, and fails. What may be right is a suspicion: they
are counted by kind, and --list shows them. FOLDER/ALLOWED names what was looked at and is right, each
with its reason; an entry that matches nothing is an error too. Needs Python alone.
"""
import argparse
import collections
import os
import re
import sys

ENTITY = re.compile(r"\[([^\[\]:]+?) : ([^\[\]]+?)\]")
LINE = re.compile(r"^([^:#\[\]\"']+): +(.+)$")
LETTERS = "[^\\W\\d_]"
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
LANGUAGES = "es de fr pt it nl pl ru zh ja ko ar hi tr sv cs".split()
# Small words that a span does not begin with. Capitalised they may be part of a name.
LEADING = {
    "en": "the to at in on of from by with for and or",
    "es": "el la los las del al de en con por y o",
    "de": "der die das den dem des zum zur im am vom mit und oder von",
    "fr": "le la les du des au aux en dans et ou",
    "pt": "o os as do da dos das no na e ou",
    "it": "il lo i gli del della nel nella al e",
    "nl": "de het in op van met en",
    "sv": "den det de i på av med och",
    "pl": "w we z ze na do i",
    "ru": "в во на с со к и из",
    "cs": "v ve z ze na do a",
    "tr": "ve ile",
}
TRAILING = re.compile(r"[,;:!?…。、，！？；：،؟।]$|(?<![.\w])\.$")
TEXTS = {"en": (100, 150), "other": (48, 90)}  # a set's least and most texts
N_TYPES = (12, 28)
DESCRIPTION_WORDS = (4, 30)
LEAST_MENTIONS = 6
FRAME_WORDS = 4   # words besides entities from which on a frame tells something
GRAM = 6          # words of an n-gram, entities as their labels
GRAM_TEXTS = 2, 3  # texts of a set, and of all sets, from which on it may be a template
OFTEN = 3, 0.7    # a string that is marked so many times, and in this share of its places
NUMBERS = set("""one two three four five six seven eight nine ten eleven twelve thirteen fifteen
twenty thirty forty fifty sixty seventy eighty ninety hundred thousand half first second third
""".split())  # they mean too much to be missed
SYNONYMS = (2, 6)
SECOND_WORDS = (8, 30)  # of further descriptions


def language_of(name):
    return name.split("-")[0] if name.split("-")[0] in LANGUAGES else "en"


def words_of(text):
    return re.findall(r"\w+(?:['’]\w+)*", text.lower())


def stem(label):
    """A label without case and plural."""
    out = []
    for word in re.split(r"[\s_-]+", label.lower()):
        for ending, put in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("s", "")):
            if word.endswith(ending) and len(word) > 3 and not word.endswith(("ss", "us", "is")):
                word = word[: -len(ending)] + put
                break
        out.append(word)
    return " ".join(out)


class Set:
    """A label set: `texts` are (line, text with brackets, [(label, span)])."""

    def __init__(self, folder, name, report):
        self.name, self.language, self.report = name, language_of(name), report
        self.descriptions, self.texts = {}, []
        self.yaml, self.txt = (os.path.join(folder, name + ending) for ending in (".yaml", ".txt"))
        self.synonyms = os.path.join(folder, name + ".synonyms.yaml")
        for path, read in ((self.yaml, self.read_descriptions), (self.txt, self.read_texts)):
            if not os.path.exists(path):
                report.error(path, 0, "is missing")
                continue
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    read(number, line.rstrip("\n"))

    def read_descriptions(self, number, line):
        if not line.strip() or line.startswith("#"):
            return
        match = LINE.match(line)
        if not match:
            return self.report.error(self.yaml, number, f'not "label: description": {line[:60]}')
        label, text = match.groups()
        if re.search(r": |\s#|^[\"'&*!|>%@`{\[]|\s$", text):
            self.report.error(self.yaml, number, "': ', ' #' or a special first character in a plain value")
        if label in self.descriptions:
            self.report.error(self.yaml, number, f'label "{label}" is there twice')
        self.descriptions[label] = text
        count = len(text.split())
        if not DESCRIPTION_WORDS[0] <= count <= DESCRIPTION_WORDS[1]:
            self.report.error(self.yaml, number, f"a description of {count} words; expected "
                              f"{DESCRIPTION_WORDS[0]} to {DESCRIPTION_WORDS[1]}")
        if not text.endswith("."):
            self.report.error(self.yaml, number, "the description does not end with a full stop")

    def read_texts(self, number, line):
        if not line.strip():
            return self.report.error(self.txt, number, "an empty line")
        entities = ENTITY.findall(line)
        rest = ENTITY.sub(" ", line)
        if "[" in rest or "]" in rest:
            self.report.error(self.txt, number, f"a stray bracket: {line[:80]}")
        if line != line.strip() or "  " in line or "\t" in line:
            self.report.error(self.txt, number, "white space at an edge or twice")
        if re.search(r"\w\[|\]\w", line) and self.language not in ("zh", "ja", "ko"):
            self.glued(number, line)
        for label, span in entities:
            if label not in self.descriptions:
                self.report.error(self.txt, number, f'label "{label}" is not described')
            if span != span.strip() or label != label.strip():
                self.report.error(self.txt, number, f'blanks at an edge of "[{label} : {span}]"')
        self.texts.append((number, line, entities))

    def glued(self, number, line):
        """An entity that ends or begins inside a word."""
        for match in re.finditer(r"(\w*)\[[^\[\]:]+? : ([^\[\]]+?)\](\w*)", line):
            before, span, after = match.groups()
            if before or after:
                self.report.suspect(self, "inside a word", number, f"{before}[{span}]{after}", span)


# ------------------------------------------------------------------------ what is looked for


def check_size(s):
    least, most = TEXTS["en" if s.language == "en" else "other"]
    if not least <= len(s.texts) <= most:
        s.report.error(s.txt, 0, f"{len(s.texts)} texts; expected {least} to {most}")
    if not N_TYPES[0] <= len(s.descriptions) <= N_TYPES[1]:
        s.report.error(s.yaml, 0, f"{len(s.descriptions)} types; expected {N_TYPES[0]} to {N_TYPES[1]}")
    free = sum(not e for _, _, e in s.texts)
    if not 0.04 <= free / max(1, len(s.texts)) <= 0.3:
        s.report.error(s.txt, 0, f"{free} of {len(s.texts)} texts without an entity; expected 4 to 30 %")


def check_labels(s):
    stems = collections.defaultdict(list)
    for label in s.descriptions:
        stems[stem(label)].append(label)
    for same in stems.values():
        if len(same) > 1:
            s.report.error(s.yaml, 0, "labels that differ by case or plural only: " + ", ".join(same))
    count, forms = collections.Counter(), collections.defaultdict(set)
    for _, _, entities in s.texts:
        for label, span in entities:
            count[label] += 1
            forms[label].add(span.lower())
    for label in s.descriptions:
        if count[label] < LEAST_MENTIONS:
            s.report.error(s.txt, 0, f'{count[label]} mentions of "{label}"; expected '
                           f"{LEAST_MENTIONS} or more")
        if count[label] >= 8 and len(forms[label]) < 0.4 * count[label]:
            s.report.suspect(s, "few forms", 0, f"{label}: {count[label]} mentions, "
                             f"{len(forms[label])} forms", label)


def check_repeated(s):
    """Texts, and texts but for their entities."""
    texts, frames = {}, {}
    for number, line, entities in s.texts:
        text = ENTITY.sub(r"\2", line).lower()
        if text in texts:
            s.report.error(s.txt, number, f"the same text as line {texts[text]}")
        texts[text] = number
        frame = " ".join(words_of(ENTITY.sub(" ", line)))
        if entities and len(frame.split()) >= FRAME_WORDS:
            if frame in frames:
                s.report.error(s.txt, number, f"line {frames[frame]} but for its entities: {frame[:60]}")
            frames[frame] = number
    return frames


def grams_of(s):
    """n-gram of words, entities as their labels: the lines that hold it."""
    grams = collections.defaultdict(set)
    for number, line, _ in s.texts:
        words = []
        at = 0
        for match in ENTITY.finditer(line):
            words += words_of(line[at:match.start()]) + [f"[{match.group(1)}]"]
            at = match.end()
        words += words_of(line[at:])
        for i in range(len(words) - GRAM + 1):
            gram = words[i:i + GRAM]
            if sum(not w.startswith("[") for w in gram) >= GRAM - 2:
                grams[" ".join(gram)].add(number)
    return grams


def check_spans(s):
    leading = set(LEADING.get(s.language, "").split())
    for number, _, entities in s.texts:
        for label, span in entities:
            first = span.split()[0]
            if first in leading and len(span.split()) > 1:
                s.report.suspect(s, "leading word", number, f"[{label} : {span}]", span)
            if s.language == "en" and first in ("a", "an") and len(span.split()) > 1:
                s.report.suspect(s, "leading a", number, f"[{label} : {span}]", span)
            if TRAILING.search(span):
                s.report.suspect(s, "trailing mark", number, f"[{label} : {span}]", span)
            for opening, closing in ("()", "“”", "«»", "„“", "「」", "《》"):
                if (opening in span) != (closing in span):
                    s.report.suspect(s, "half a pair of marks", number, f"[{label} : {span}]", span)


def mentions_of(s):
    """span in small letters: Counter of labels."""
    mentions = collections.defaultdict(collections.Counter)
    for _, _, entities in s.texts:
        for label, span in entities:
            mentions[span.lower()][label] += 1
    return mentions


def check_types(s, mentions):
    """Strings with several labels. Numbers are ambiguous by nature."""
    for span, labels in sorted(mentions.items()):
        if len(labels) > 1 and span not in NUMBERS and not span.isdigit():
            s.report.suspect(s, "two types", 0, f'"{span}": ' + ", ".join(
                f"{label} {n}" for label, n in labels.most_common()), span)


def check_unmarked(s, mentions):
    """Strings that are marked elsewhere in the set, outside all entities."""
    left = "" if s.language in ("zh", "ja") else r"(?<!\w)"
    right = left.replace("<", "")
    whole = "\n".join(ENTITY.sub(" \0 ", line).lower() for _, line, _ in s.texts)
    for span, labels in sorted(mentions.items()):
        if len(span) < (2 if CJK.search(span) else 3) or span in NUMBERS or span not in whole:
            continue
        found = list(re.finditer(left + re.escape(span) + right, whole))
        marked, label = sum(labels.values()), labels.most_common(1)[0][0]
        often = marked >= OFTEN[0] and marked / (marked + len(found)) >= OFTEN[1]
        for match in found:
            number = s.texts[whole.count("\n", 0, match.start())][0]
            s.report.suspect(s, "unmarked" if often else "unmarked, seldom marked", number, f'"{span}" ({label}, {marked} times)', span)


# ------------------------------------------------------------------------ synonyms


def read_synonyms(s):
    """label: {"synonyms": [...], "descriptions": [...]}: the one layout that the corpus uses.

        label:
          synonyms: [one, two]
          descriptions:
          - Another description.
    """
    out, label, key = {}, None, None
    with open(s.synonyms, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if match := re.match(r"^([^\s:#\[\]\"'][^:#\[\]\"']*):$", line):
                label, key = match.group(1), None
                if label in out:
                    s.report.error(s.synonyms, number, f'label "{label}" is there twice')
                out[label] = {"synonyms": [], "descriptions": []}
            elif label and (match := re.match(r"^  synonyms: \[(.+)\]$", line)):
                out[label]["synonyms"] = [w.strip() for w in match.group(1).split(",")]
            elif label and line == "  descriptions:":
                key = "descriptions"
            elif key and (match := re.match(r"^  - (.+)$", line)):
                if re.search(r": |\s#|^[\"'&*!|>%@`{\[]", match.group(1)):
                    s.report.error(s.synonyms, number, "a special character in a plain value")
                out[label][key].append(match.group(1))
            else:
                s.report.error(s.synonyms, number, f"not of the layout: {line[:60]}")
    return out


def check_synonyms(s):
    if not os.path.exists(s.synonyms):
        return 0
    given = read_synonyms(s)
    stems = {stem(label): label for label in s.descriptions}
    seen = {}
    for label, entry in given.items():
        if label not in s.descriptions:
            s.report.error(s.synonyms, 0, f'label "{label}" is none of {s.name}.yaml')
            continue
        names, texts = entry["synonyms"], entry["descriptions"]
        if not SYNONYMS[0] <= len(names) <= SYNONYMS[1]:
            s.report.error(s.synonyms, 0, f"{label}: {len(names)} synonyms; expected "
                           f"{SYNONYMS[0]} to {SYNONYMS[1]}")
        if len(texts) < 1:
            s.report.error(s.synonyms, 0, f"{label}: no second description")
        for name in names:
            if not name or stem(name) in stems:
                s.report.error(s.synonyms, 0, f'{label}: synonym "{name}" is a label of the set')
            if stem(name) in seen:
                s.report.error(s.synonyms, 0, f'"{name}" is a synonym of {seen[stem(name)]} and {label}')
            seen[stem(name)] = label
        for text in texts:
            count = len(text.split())
            if not SECOND_WORDS[0] <= count <= SECOND_WORDS[1] or not text.endswith("."):
                s.report.error(s.synonyms, 0, f"{label}: {count} words, or no full stop: {text[:60]}")
            if words_of(text) == words_of(s.descriptions[label]):
                s.report.error(s.synonyms, 0, f"{label}: the first description again")
    for label in s.descriptions:
        if label not in given:
            s.report.error(s.synonyms, 0, f'label "{label}" is missing')
    return len(given)


# ------------------------------------------------------------------------ the report


class Report:
    def __init__(self, folder):
        self.errors, self.suspicions = 0, []
        self.allowed, self.used = {}, set()
        path = os.path.join(folder, "ALLOWED")
        if os.path.exists(path):
            self.read_allowed(path)

    def read_allowed(self, path):
        """set, kind, span, reason: divided by tabs. A set "*" means all."""
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                parts = line.rstrip("\n").split("\t")
                if len(parts) != 4 or len(parts[3].split()) < 2:
                    self.error(path, number, "expected set, kind, span and a reason, divided by tabs")
                    continue
                self.allowed[tuple(parts[:3])] = (path, number)

    def error(self, path, line, what):
        self.errors += 1
        print(f"{path}:{line}: {what}" if line else f"{path}: {what}")

    def suspect(self, s, kind, line, what, span):
        for name in (s.name, "*"):
            if (name, kind, span) in self.allowed:
                self.used.add((name, kind, span))
                return
        self.suspicions.append((kind, s.txt, line, what))

    def check_allowed(self):
        for key, (path, line) in self.allowed.items():
            if key not in self.used:
                self.error(path, line, "matches nothing any more: " + ", ".join(key))


def check_across(sets, frames, grams):
    """Frames in two sets, n-grams in several."""
    report = sets[0].report
    seen = {}
    for s in sets:
        for frame, number in frames[s.name].items():
            if frame in seen:
                other, line = seen[frame]
                report.error(s.txt, number, f"{other}.txt:{line} but for its entities: {frame[:60]}")
            seen[frame] = (s.name, number)
    places = collections.defaultdict(list)
    for s in sets:
        for gram, lines in grams[s.name].items():
            places[gram] += [(s, n) for n in sorted(lines)]
    for gram, at in places.items():
        own = max(collections.Counter(s.name for s, _ in at).values())
        if own >= GRAM_TEXTS[0] or len(at) >= GRAM_TEXTS[1]:
            where = ", ".join(f"{s.name}:{n}" for s, n in at)
            report.suspect(at[0][0], "repeated words", at[0][1], f"{gram} ({where})", gram)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="corpora/open-types")
    parser.add_argument("sets", nargs="*", help="names; all if there is none")
    parser.add_argument("--list", action="store_true", help="show the suspicions")
    parser.add_argument("--only", metavar="KIND", help="list this kind alone")
    parser.add_argument("--stats", action="store_true", help="a line about each set")
    args = parser.parse_args()
    names = sorted({n.rsplit(".", 1)[0] for n in os.listdir(args.folder)
                    if n.endswith((".txt", ".yaml")) and not n.endswith(".synonyms.yaml")})
    for name in os.listdir(args.folder):
        if name.endswith(".synonyms.yaml") and name[:-len(".synonyms.yaml")] not in names:
            sys.exit(f"{args.folder}/{name}: there is no such label set")
    report = Report(args.folder)
    frames, grams, sets, n_synonyms = {}, {}, [], 0
    for name in names:
        if args.sets and name not in args.sets:
            continue
        s = Set(args.folder, name, report)
        sets.append(s)
        check_size(s)
        check_labels(s)
        frames[name], grams[name] = check_repeated(s), grams_of(s)
        check_spans(s)
        mentions = mentions_of(s)
        check_types(s, mentions)
        check_unmarked(s, mentions)
        n_synonyms += check_synonyms(s)
        if args.stats:
            print(f"{name}: {len(s.texts)} texts, {sum(not e for _, _, e in s.texts)} without entities, "
                  f"{sum(len(e) for _, _, e in s.texts)} entities, {len(s.descriptions)} types")
    check_across(sets, frames, grams)
    if not args.sets:
        report.check_allowed()
    if args.list or args.only:
        for kind, path, line, what in sorted(report.suspicions):
            if args.only in (None, kind):
                print(f"{kind}: {path}:{line}: {what}")
    texts = [t for s in sets for t in s.texts]
    lengths = [len(ENTITY.sub(r"\2", line).split()) for _, line, _ in texts]
    print(f"{len(sets)} label sets, {len(texts)} texts ({sum(n >= 60 for n in lengths)} of 60 words and "
          f"more), {sum(len(e) for _, _, e in texts)} entities, "
          f"{len({d for s in sets for d in s.descriptions})} distinct types "
          f"({sum(len(s.descriptions) for s in sets)} descriptions, {n_synonyms} with synonyms), "
          f"{sum(lengths)} words")
    kinds = collections.Counter(kind for kind, *_ in report.suspicions)
    print("suspicions (--list shows them): " +
          (", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())) or "none") +
          f"; {len(report.allowed)} allowed with reasons")
    print(f"{report.errors} errors")
    sys.exit(report.errors > 0)


if __name__ == "__main__":
    main()
