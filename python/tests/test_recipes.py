"""The programs of examples/recipes (docs/recipes.md), each run with the package that it is for."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nerfit
import pytest

from conftest import ANNOTATIONS, EMBEDDINGS, ROOT

RECIPES = ROOT / "examples" / "recipes"
TEXTS = ["play jazz in madrid", "please", "wake me up at nine"]


def recipe(name):
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks for types there
    spec.loader.exec_module(module)
    return module


def dictionaries(found):
    return [[entity._asdict() for entity in entities] for entities in found]


@pytest.fixture
def folder(trained, monkeypatch):
    monkeypatch.setenv("NERFIT_MODEL", trained.result.model_folder)
    return trained.result.model_folder


@pytest.fixture
def expected(folder):
    return dictionaries(nerfit.load(folder).predict(TEXTS))


def near(found, expected):
    return json.loads(json.dumps(found)) == [
        [{**entity, "score": pytest.approx(entity["score"], abs=1e-5)} for entity in entities]
        for entities in expected
    ]


def test_every_recipe_is_named():
    page = (ROOT / "docs" / "recipes.md").read_text()
    own = (ROOT / "python" / "tests" / "test_recipes.py").read_text()
    for path in RECIPES.iterdir():
        if path.suffix in (".py", ".sh", ".yaml", ".sbatch"):
            assert path.name in page and (path.suffix != ".py" or path.stem in own)


def test_fastapi(folder, expected):
    pytest.importorskip("fastapi")
    client_of = pytest.importorskip("fastapi.testclient")
    with client_of.TestClient(recipe("fastapi_app").app) as client:
        answer = client.post("/tag", json={"texts": TEXTS})
        assert answer.status_code == 200 and near(answer.json(), expected)
        assert client.post("/tag", json={"texts": TEXTS, "threshold": 1.0}).json() == [[], [], []]
        assert client.post("/tag", json={"texts": "one"}).status_code == 422
        assert client.get("/openapi.json").json()["components"]["schemas"]["Entity"]["properties"]


def ask(address, body):
    with urllib.request.urlopen(address, json.dumps(body).encode(), timeout=300) as answer:
        return json.load(answer)


def test_gunicorn(folder, expected, tmp_path):
    pytest.importorskip("gunicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = "127.0.0.1:%d" % free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", place]
    assert (RECIPES / "wsgi_app.py").exists()  # "wsgi_app"
    server = subprocess.Popen([*command, "--chdir", str(RECIPES), "wsgi_app:app"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                first = ask(f"http://{place}", {"texts": TEXTS})
                break
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None
                time.sleep(0.1)
        assert near(first["entities"], expected)
        workers = {ask(f"http://{place}", {"texts": TEXTS[:1]})["worker"] for _ in range(20)}
        assert server.pid not in workers
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask(f"http://{place}", {"texts": [5]})
    finally:
        server.terminate()
        server.wait()


def test_celery(folder, expected, tmp_path):
    pytest.importorskip("celery")
    for name in ("queue", "results"):
        (tmp_path / name).mkdir()
    options = {
        "broker_transport_options": {
            "data_folder_in": str(tmp_path / "queue"),
            "data_folder_out": str(tmp_path / "queue"),
        }
    }
    program = "from celery_tasks import app\napp.conf.update(%r)\n" % options
    (tmp_path / "queue_of_files.py").write_text(program)
    environment = {
        **os.environ,
        "CELERY_BROKER_URL": "filesystem://",
        "CELERY_RESULT_BACKEND": f"file://{tmp_path / 'results'}",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(RECIPES), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "celery", "-A", "queue_of_files", "worker", "--concurrency", "2"]
    worker = subprocess.Popen([*command, "--loglevel", "ERROR"], env=environment, cwd=tmp_path,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    asking = (
        "import json, queue_of_files\nfrom celery_tasks import tag\n"
        f"jobs = [tag.delay([text]) for text in {TEXTS!r}]\n"
        "print(json.dumps([job.get(timeout=300)[0] for job in jobs]))\n"
    )
    try:
        told = subprocess.run([sys.executable, "-c", asking], env=environment, cwd=tmp_path,
                              capture_output=True, text=True, timeout=300)  # fmt: skip
        assert told.returncode == 0, told.stderr
        assert near(json.loads(told.stdout), expected)
    finally:
        worker.terminate()
        worker.wait()


def test_langchain(folder, expected):
    pytest.importorskip("langchain_core")
    import asyncio

    module, model = recipe("langchain_tool"), nerfit.load(folder)
    tool = module.entity_tool(model)
    assert near([tool.invoke({"text": TEXTS[0]})], expected[:1])
    assert near([asyncio.run(tool.ainvoke({"text": TEXTS[0]}))], expected[:1])
    assert "song" in tool.description and tool.args["text"]["type"] == "string"
    link = module.entity_runnable(model)
    assert link.invoke(TEXTS[0])["entities"] == link.batch(TEXTS)[0]["entities"]
    assert [len(one["entities"]) for one in link.batch(TEXTS)] == [2, 0, 1]


def test_mlflow(folder, expected, tmp_path):
    pytest.importorskip("mlflow")
    pandas = pytest.importorskip("pandas")
    import mlflow.pyfunc

    recipe("mlflow_model").save(folder, tmp_path / "model")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    table = loaded.predict(pandas.DataFrame({"text": TEXTS}))
    assert near(list(table["entities"]), expected)


def test_onnx(trained, folder, tmp_path):
    for name in ("torch", "transformers", "onnx", "onnxruntime"):
        pytest.importorskip(name)
    module = recipe("onnx_export")
    module.export(folder, str(tmp_path / "model.onnx"))
    tagger = module.OnnxTagger(folder, str(tmp_path / "model.onnx"))
    model = nerfit.load(folder, precision="f32", decoder="labels")
    for text in (*TEXTS, "call bob at ten in rome please and wake me up now"):
        for ours, theirs in zip(model.tokens(text), tagger.tokens(text)):
            assert (ours.start, ours.end, ours.label) == theirs[:3]
            assert ours.score == pytest.approx(theirs[3], abs=1e-4)
        assert tagger.predict(text) == [entity[:4] for entity in model.predict(text, 0)]


def test_label_studio(encoder, folder, tmp_path, monkeypatch):
    """Proposals are read back as the entities that they were; a model learns from an export."""
    module = recipe("label_studio")
    texts = [*TEXTS, "\N{OX} wake me up at nine"]
    (tmp_path / "texts.txt").write_text("".join(text + "\n" for text in texts), "utf-8")
    module.propose(folder, tmp_path / "texts.txt", tmp_path / "tasks.json")
    corpus = nerfit.read(tmp_path / "tasks.json", "label-studio")
    found = nerfit.load(folder).predict(texts)
    corpus.write(tmp_path / "tasks.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "tasks.jsonl").read_text("utf-8").splitlines()]
    assert [[(e["start"], e["end"], e["label"]) for e in row["entities"]] for row in rows] == [
        [(e.start, e.end, e.label) for e in entities] for entities in found
    ]
    nerfit.read(ANNOTATIONS * 3).write(tmp_path / "export.json", "label-studio")
    few = dict(ent2emb=EMBEDDINGS, max_steps=(0, 3), precision="f32", threads=1, overwrite_output_dir=True)
    made = nerfit.TrainingArguments
    monkeypatch.setattr(nerfit, "TrainingArguments", lambda *a, **o: made(*a, **o, **few))
    result = module.train(tmp_path / "export.json", encoder, tmp_path / "run")
    assert nerfit.load(result.model_folder).types and result.report_of == "validation"
