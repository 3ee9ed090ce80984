#!/usr/bin/env python3
"""spaCy's symbols: the strings whose number in a DocBin is not their hash. Writes
src/data/formats/spacy_symbols.h.

    python tools/spacy_symbols.py > src/data/formats/spacy_symbols.h     (spacy 3.8)"""
from importlib.metadata import version

from spacy.symbols import IDS, NAMES

print(f"/* spaCy {version('spacy')}'s symbols by number, made by tools/spacy_symbols.py: strings whose number in a\n"
      " * DocBin is not their hash. */\n#ifndef NF_DATA_SPACY_SYMBOLS_H\n#define NF_DATA_SPACY_SYMBOLS_H\n\n"
      "static const char *const spacy_symbols[] = {")
for number in range(max(IDS.values()) + 1):
    name = NAMES[number] if number < len(NAMES) else ""
    print(f'    "{name or ""}",')
print("};\n\n#endif")
