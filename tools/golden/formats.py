#!/usr/bin/env python3
"""Annotated texts in the formats of other tools, written by the tools themselves, and what they must
be read as, for tests/test_formats.py.

    python tools/golden/formats.py tests/golden/formats [TOOL ...]

TOOL is a name of WRITERS below, whose packages alone are needed then: gliner and doccano (of which the parts
that export are enough: pip install --no-deps doccano, with its Django, django-polymorphic, django-drf-filepond
and pandas) do not go together with the others.

NAME.expected holds the texts and entities of the file NAME, one JSON object a line, made from the
same documents by this script: as they are where the tool keeps the text, as words joined by blanks
where it keeps words. Versions: see VERSIONS in the folder."""
import json
import os
import shutil
import sys
from importlib.metadata import version


# words with the blank behind each, and entities as (first word, word behind the last, label)
DOCUMENTS = [
    (["Ada", "Byron", "lives", "in", "Paris", "."], [1, 1, 1, 1, 0, 0], [(0, 2, "PERSON"), (4, 5, "LOC")]),
    (["\U0001F600", "Zo\u00eb", "met", "(", "Jos\u00e9", ")", "in", "S\u00e3o", "Paulo"],
     [1, 1, 1, 0, 0, 1, 1, 1, 0], [(1, 2, "PERSON"), (4, 5, "PERSON"), (7, 9, "GPE")]),
    (["nothing", "here"], [1, 0], []),
    (["\u5317\u4eac", "\u548c", "\u4e0a\u6d77"], [0, 0, 0], [(0, 1, "LOC"), (2, 3, "LOC")]),
]


def text_of(words, blanks):
    return "".join(w + " " * b for w, b in zip(words, blanks))


def spans_of(words, blanks, entities):
    starts, at = [], 0
    for w, b in zip(words, blanks):
        starts.append(at)
        at += len(w) + b
    return [(starts[i], starts[k - 1] + len(words[k - 1]), label) for i, k, label in entities]


def labels_of(words, entities):
    labels = ["O"] * len(words)
    for i, k, label in entities:
        labels[i:k] = ["B-" + label] + ["I-" + label] * (k - i - 1)
    return labels


AS_IT_IS = [{"text": text_of(w, b), "entities": spans_of(w, b, e)} for w, b, e in DOCUMENTS]
JOINED = [{"text": " ".join(w), "entities": spans_of(w, [1] * len(w), e)} for w, b, e in DOCUMENTS]


def save(folder, name, content, expected):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if content is not None:
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
    with open(path + ".expected", "w") as file:
        for document in expected:
            file.write(json.dumps(document, ensure_ascii=False) + "\n")


def spacy_docs():
    import spacy
    from spacy.tokens import Doc, Span

    nlp = spacy.blank("en")
    docs = []
    for words, blanks, entities in DOCUMENTS:
        doc = Doc(nlp.vocab, words=words, spaces=[bool(b) for b in blanks])
        doc.ents = [Span(doc, i, k, label=label) for i, k, label in entities]
        for token in doc:
            token.is_sent_start = token.i == 0
        docs.append(doc)
    return docs


def write_spacy(folder):
    from spacy.tokens import DocBin
    from spacy.training import docs_to_json

    docs = spacy_docs()
    dump = lambda value: json.dumps(value, ensure_ascii=False, indent=1)
    save(folder, "spacy/to_json.json", dump([d.to_json() for d in docs]), AS_IT_IS)
    # the v2 form has no text for words without a blank behind: "raw" is the text
    save(folder, "spacy/v2.json", dump([docs_to_json([d], doc_id=i) for i, d in enumerate(docs)]), AS_IT_IS)
    tuples = [[d.text, {"entities": [[e.start_char, e.end_char, e.label_] for e in d.ents]}] for d in docs]
    save(folder, "spacy/tuples.json", dump(tuples), AS_IT_IS)
    save(folder, "spacy/annotator.json", dump({"classes": ["PERSON", "LOC", "GPE"], "annotations": tuples}), AS_IT_IS)
    save(folder, "spacy/docs.spacy", DocBin(docs=docs).to_bytes(), AS_IT_IS)
    save(folder, "spacy/docs-all-attributes.spacy",
         DocBin(attrs=["ORTH", "TAG", "HEAD", "DEP", "ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "LEMMA", "POS"],
                docs=docs, store_user_data=True).to_bytes(), AS_IT_IS)


def write_bioc(folder):
    import bioc
    from bioc import biocjson, biocxml

    collection = bioc.BioCCollection()
    for number, document in enumerate(AS_IT_IS):
        d, p = bioc.BioCDocument(), bioc.BioCPassage()
        d.id, p.offset, p.text = str(number), 17 * number, document["text"]
        for i, (start, end, label) in enumerate(document["entities"]):
            a = bioc.BioCAnnotation()
            a.id, a.text, a.infons["type"] = str(i), document["text"][start:end], label
            a.add_location(bioc.BioCLocation(p.offset + start, end - start))
            p.add_annotation(a)
        d.add_passage(p)
        collection.add_document(d)
    save(folder, "bioc/collection.xml", biocxml.dumps(collection), AS_IT_IS)
    save(folder, "bioc/collection.json", biocjson.dumps(collection, indent=1, ensure_ascii=False), AS_IT_IS)


def write_cassis(folder):
    import cassis

    types = cassis.TypeSystem()
    entity = types.create_type("de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity", "uima.tcas.Annotation")
    types.create_feature(entity, "value", "uima.cas.String")
    for number, document in enumerate(AS_IT_IS):
        cas = cassis.Cas(typesystem=types)
        cas.sofa_string = document["text"]
        cas.add_all([entity(begin=s, end=e, value=l) for s, e, l in document["entities"]])
        save(folder, f"cassis/{number}.xmi", cas.to_xmi(), [document])


def write_datasets(folder):
    import datasets

    names = ["O"] + [f"{p}-{t}" for t in ("PERSON", "LOC", "GPE") for p in "BI"]
    rows = {"id": [str(i) for i in range(len(DOCUMENTS))], "tokens": [w for w, _, _ in DOCUMENTS],
            "ner_tags": [labels_of(w, e) for w, _, e in DOCUMENTS]}
    path = os.path.join(folder, "datasets-names", "rows.jsonl")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    datasets.Dataset.from_dict(rows).to_json(path, force_ascii=False)
    save(folder, "datasets-names/rows.jsonl", None, JOINED)
    numbers = dict(rows, ner_tags=[[names.index(l) for l in labels] for labels in rows["ner_tags"]])
    string = datasets.Value("string")
    features = datasets.Features({"id": string, "tokens": datasets.Sequence(string),
                                  "ner_tags": datasets.Sequence(datasets.ClassLabel(names=names))})
    set_ = datasets.Dataset.from_dict(numbers, features=features)
    saved = os.path.join(folder, "saved")
    set_.save_to_disk(saved)
    path = os.path.join(folder, "datasets-numbers", "rows.jsonl")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    set_.to_json(path, force_ascii=False)
    shutil.copy(os.path.join(saved, "dataset_info.json"), os.path.dirname(path))
    shutil.rmtree(saved)
    save(folder, "datasets-numbers/rows.jsonl", None, JOINED)


def write_pandas(folder):
    import pandas

    rows = [(i, w, l) for i, (words, _, e) in enumerate(DOCUMENTS) for w, l in zip(words, labels_of(words, e))]
    frame = pandas.DataFrame(rows, columns=["sentence_id", "words", "labels"])
    save(folder, "pandas/table.csv", frame.to_csv(index=False), JOINED)
    save(folder, "pandas/table-semicolons.csv", frame.to_csv(index=False, sep=";"), JOINED)
    save(folder, "pandas/table.tsv", frame.to_csv(index=False, sep="\t"), JOINED)
    save(folder, "pandas/table-with-index.csv", frame.to_csv(), JOINED)


def utf16(text, index):
    return len(text[:index].encode("utf-16-le")) // 2


def write_label_studio(folder):
    from label_studio_sdk.converter import Converter

    tasks = []
    for number, document in enumerate(AS_IT_IS):
        text = document["text"]
        result = [{"id": f"r{i}", "from_name": "label", "to_name": "text", "type": "labels", "origin": "manual",
                   "value": {"start": utf16(text, s), "end": utf16(text, e), "text": text[s:e], "labels": [l]}}
                  for i, (s, e, l) in enumerate(document["entities"])]
        tasks.append({"id": number + 1, "data": {"text": text}, "predictions": [],
                      "annotations": [{"id": number + 1, "was_cancelled": False, "result": result,
                                       "completed_by": {"id": 1, "email": "a@example.org"},
                                       "created_at": "2026-12-01T00:00:00Z", "updated_at": "2026-12-01T00:00:00Z",
                                       "lead_time": 1.0}]})
    save(folder, "label-studio/tasks.json", json.dumps(tasks, ensure_ascii=False, indent=1), AS_IT_IS)
    config = '<View><Labels name="label" toName="text"><Label value="PERSON"/><Label value="LOC"/>' \
             '<Label value="GPE"/></Labels><Text name="text" value="$text"/></View>'
    converter = Converter(config, folder, download_resources=False)
    source = os.path.join(folder, "label-studio", "tasks.json")
    out = os.path.join(folder, "converted")
    converter.convert_to_json_min(source, out, is_dir=False)
    with open(os.path.join(out, "result.json")) as file:
        rows = json.load(file)
    shutil.rmtree(out)
    for row in rows:
        row.pop("updated_at", None)
    save(folder, "label-studio/json-min.json", json.dumps(rows, ensure_ascii=False, indent=1), AS_IT_IS)


def lower(documents):
    return [dict(d, entities=[(s, e, label.lower()) for s, e, label in d["entities"]]) for d in documents]


def write_gliner(folder):
    """Its two makers of training data: of the benchmark's files, and of predictions."""
    from gliner.evaluation.evaluate_ner import process
    from gliner import model

    sentences = [{"sentence": d["text"], "entities": [
        {"name": d["text"][s:e], "type": label, "pos": [s, e]} for s, e, label in d["entities"]]} for d in JOINED]
    dump = lambda value: json.dumps(value, ensure_ascii=False, indent=1)
    save(folder, "gliner/benchmark.json", dump(sentences), JOINED)
    save(folder, "gliner/training.json", dump([process(s) for s in sentences]), lower(JOINED))
    predicted = [{"start": s, "end": e, "text": d["text"][s:e], "label": label, "score": 0.75}
                 for d in JOINED for s, e, label in d["entities"]]
    rows, at = [], 0
    to_words = next(vars(c)["_predictions_to_word_level"].__func__ for c in vars(model).values()
                    if isinstance(c, type) and "_predictions_to_word_level" in vars(c))
    for d in JOINED:
        n = len(d["entities"])
        rows.append(to_words(d["text"], predicted[at : at + n]))
        at += n
    save(folder, "gliner/from-predictions.json", dump(rows), lower(JOINED))


class Unmigrated:
    """Tables are made from the models as they are."""

    def __contains__(self, app):
        return True

    def __getitem__(self, app):
        return None


def start_doccano():
    """Its models over a database in memory: no server, no queue."""
    import site
    import tempfile

    import django
    from django.conf import settings
    from django.core.management import call_command

    sys.path.insert(0, next(p for s in site.getsitepackages() if os.path.isdir(p := os.path.join(s, "backend"))))
    files = tempfile.mkdtemp()
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "polymorphic", "django_drf_filepond",
                        "roles", "users", "projects", "examples", "label_types", "labels", "data_export"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        MIGRATION_MODULES=Unmigrated(), USE_TZ=True, SECRET_KEY="none", MEDIA_ROOT=files,
        DJANGO_DRF_FILEPOND_UPLOAD_TMP=files, DJANGO_DRF_FILEPOND_FILE_STORE_PATH=files,
        ROLE_PROJECT_ADMIN="project_admin", ROLE_ANNOTATOR="annotator",
        ROLE_ANNOTATION_APPROVER="annotation_approver", DEFAULT_AUTO_FIELD="django.db.models.AutoField")
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    return files


def write_doccano(folder):
    files = start_doccano()
    from data_export.models import ExportedExample
    from data_export.pipeline.dataset import Dataset
    from data_export.pipeline.factories import create_comment, create_formatter, create_labels, create_writer
    from data_export.pipeline.services import ExportApplicationService
    from django.contrib.auth.models import User
    from examples.models import Example
    from label_types.models import RelationType, SpanType
    from labels.models import Relation, Span
    from projects.models import ProjectType, SequenceLabelingProject

    user = User.objects.create(username="ada")
    for name, relations in (("spans", False), ("relations", True)):
        project = SequenceLabelingProject.objects.create(
            name=name, description="-", created_by=user, use_relation=relations, allow_overlapping=True,
            collaborative_annotation=True, project_type=ProjectType.SEQUENCE_LABELING)
        types = {label: SpanType.objects.create(project=project, text=label, background_color=color)
                 for label, color in (("PERSON", "#000001"), ("LOC", "#000002"), ("GPE", "#000003"))}
        lives = RelationType.objects.create(project=project, text="lives in")
        for number, document in enumerate(AS_IT_IS):
            example = Example.objects.create(project=project, text=document["text"], meta={"page": number})
            spans = [Span.objects.create(example=example, user=user, label=types[label], start_offset=s, end_offset=e)
                     for s, e, label in document["entities"]]
            if relations and len(spans) > 1:
                Relation.objects.create(example=example, user=user, type=lives, from_id=spans[0], to_id=spans[1])
        examples = ExportedExample.objects.filter(project=project)
        dataset = Dataset(examples, create_labels(project, examples), create_comment(examples), True)
        path = os.path.join(files, "all.jsonl")
        ExportApplicationService(dataset, create_formatter(project, "JSONL"), create_writer("JSONL")).export(path)
        with open(path, "rb") as file:
            save(folder, f"doccano/{name}.jsonl", file.read(), AS_IT_IS)
    shutil.rmtree(files)


WRITERS = {"spacy": write_spacy, "bioc": write_bioc, "dkpro-cassis": write_cassis, "datasets": write_datasets,
           "pandas": write_pandas, "label-studio-sdk": write_label_studio, "gliner": write_gliner,
           "doccano": write_doccano}


def main():
    folder, tools = sys.argv[1], sys.argv[2:] or list(WRITERS)
    os.makedirs(folder, exist_ok=True)
    for tool in tools:
        WRITERS[tool](folder)
    path = os.path.join(folder, "VERSIONS")
    with open(path, "a+") as file:
        file.seek(0)
        versions = dict(line.split() for line in file)
    versions.update((tool, version(tool)) for tool in tools)
    with open(path, "w") as file:
        file.writelines(f"{tool} {versions[tool]}\n" for tool in WRITERS if tool in versions)


main()
