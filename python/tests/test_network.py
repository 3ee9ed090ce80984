"""Models by name and descriptions by a language model, against servers on 127.0.0.1."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

import nerfit
from nerfit import Trainer, TrainingArguments
from nerfit.errors import ArgumentError, CancelledError, FileError

from conftest import ANNOTATIONS, DESCRIPTIONS, ROOT, make_encoder, put_into_cache

sys.path.insert(0, str(ROOT / "tests"))
import net_servers as net  # noqa: E402

KEY = "sk-TheSecretKeyOfThisTest"


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(
            ("NERFIT_LLM", "HF_", "HUGGING", "TRANSFORMERS_")
        ) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NERFIT_LLM_TIMEOUT", "30")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


@pytest.fixture
def hub(monkeypatch):
    server = net.Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.close()


@pytest.fixture
def providers(monkeypatch):
    server = net.Providers("Was das ist: \U0001f600.")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield server
    server.close()


def files_of(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_models_by_name(hub, trained, tmp_path):
    hub.add("acme/tagger", files_of(Path(trained.result.model_folder)))
    text = "wake me up at nine"
    assert nerfit.load("acme/tagger", precision="f32", threads=1).predict(text) == trained.predict(
        text
    )
    before = len(hub.seen())
    nerfit.load("acme/tagger")
    assert len(hub.seen()) == before
    with pytest.raises(FileError, match="acme/nothing is not a folder, and .* has no model"):
        nerfit.load("acme/nothing")
    with pytest.raises(FileError, match='no revision "v9"'):
        nerfit.load("acme/tagger@v9")


def test_models_are_pushed(hub, trained, tmp_path, monkeypatch):
    """What huggingface_hub uploads is what nerfit downloads."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.writer = "hf_secret"
    model = trained.model
    address = model.push_to_hub("acme/new", token="hf_secret", commit_message="first")
    assert address.startswith(f"{hub.url}/acme/new/commit/") and hub.messages == ["first"]
    assert hub.models["acme/new"]["main"][1].keys() == files_of(Path(model.folder)).keys()
    loaded = nerfit.Model.from_pretrained("acme/new", revision="main", precision="f32", threads=1)
    assert loaded.predict(ANNOTATIONS) == model.predict(ANNOTATIONS)
    trained.push_to_hub("acme/new", token="hf_secret")  # it is there already
    with pytest.raises(FileError, match="acme/new: was not uploaded: .*401"):
        model.push_to_hub("acme/new", token="hf_wrong")
    with pytest.raises(ArgumentError, match="'a b' is no name of a model on the hub"):
        model.push_to_hub("a b", token="hf_secret")


def test_adapters_of_local_bases_are_not_pushed(hub, trained, tmp_path):
    pytest.importorskip("huggingface_hub")
    folder = Path(trained.model.save_pretrained(tmp_path / "adapter"))
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "/models/bert"}')
    with pytest.raises(ArgumentError, match="'/models/bert', a folder that only this machine has"):
        nerfit._hub.push(str(folder), "acme/adapter", "")
    assert not hub.seen()


def test_saved_models(trained, encoder, tmp_path):
    folder = trained.save_model(tmp_path / "a" / "saved")
    loaded = nerfit.Model.from_pretrained(folder, precision="f32", threads=1)
    assert loaded.predict(ANNOTATIONS) == trained.predict(ANNOTATIONS)
    card = (Path(folder) / "README.md").read_text()
    assert "library_name: nerfit" in card and "| song |" not in card.split("---")[1]
    assert [p.name for p in Path(folder).parent.iterdir()] == ["saved"]
    with pytest.raises(FileError, match="there is something already"):
        trained.save_model(folder)
    (Path(folder) / "README.md").unlink()
    again = Path(loaded.save_pretrained(tmp_path / "plain"))
    assert "`song`" in (again / "README.md").read_text()


def test_threads_that_want_the_same_model(hub, encoder):
    hub.add("acme/encoder", files_of(encoder))
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(nerfit.download("acme/encoder", "sentence")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1
    assert len(hub.seen("store", "GET")) == 1
    assert nerfit.download(str(encoder)) == str(encoder)
    with pytest.raises(ArgumentError, match="kind"):
        nerfit.download("acme/encoder", "tagger")


def test_training_by_name(options, tmp_path, monkeypatch):
    put_into_cache(tmp_path / "hf" / "hub", "acme/encoder", make_encoder(tmp_path / "made"))
    args = TrainingArguments(**{**options, "model_name": "acme/encoder"})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = Trainer(args, progress=False).train()
    assert (options["output_dir"] / "best").is_dir() and result.model_folder


def stall(begun):
    def step(h, data=b"x" * 1000):
        h.send(200, b"", Content_Length=len(data) + 1)
        h.wfile.write(data[:100])
        h.wfile.flush()
        begun.set()
        time.sleep(20)

    return step


def interrupt_when(begun):
    def work():
        begun.wait()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_ctrl_c_while_a_model_comes(hub, trained, options):
    hub.add("acme/tagger", files_of(Path(trained.result.model_folder)))
    for run in (
        lambda: nerfit.load("acme/tagger"),
        lambda: Trainer(
            TrainingArguments(**{**options, "model_name": "acme/tagger"}), progress=False
        ).train(),
    ):
        begun = threading.Event()
        hub.faults[:] = [stall(begun)]
        thread = interrupt_when(begun)
        began = time.time()
        with pytest.raises(KeyboardInterrupt):
            run()
        thread.join()
        assert time.time() - began < 15  # the server goes on after 20
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_describe(providers, tmp_path):
    found = nerfit.describe(ANNOTATIONS, "gpt-4o-mini", known={"time": "A time."})
    assert found == {
        "time": "A time.",
        "song": providers.text,
        "place": providers.text,
        "person": providers.text,
    }
    questions = [b["messages"][1]["content"] for b in providers.questions()]
    assert len(questions) == 3
    assert 'label "song"' in questions[0] and '* play jazz now ("jazz")' in questions[0]
    file, data = tmp_path / "labels.yaml", tmp_path / "train.txt"
    data.write_text("\n".join(ANNOTATIONS))
    assert nerfit.describe(data, "gpt-4o-mini", file=file, known={"time": "A time."}) == found
    assert nerfit.describe(data, "gpt-4o-mini", file=file) == found  # nothing is asked for
    assert len(providers.questions()) == 6
    # the file goes straight into a run
    assert TrainingArguments("encoder", ANNOTATIONS, ent2emb=file).ent2emb == str(file)


def test_mistakes_of_describe(providers, monkeypatch):
    with pytest.raises(ArgumentError, match="llama3"):
        nerfit.describe(ANNOTATIONS, "llama3")
    with pytest.raises(ArgumentError, match="known: expected labels with descriptions"):
        nerfit.describe(ANNOTATIONS, "gpt-4o", known={"time": 3})
    with pytest.raises(ArgumentError, match="no label to describe"):
        nerfit.describe(["nothing here"], "gpt-4o")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ArgumentError, match="set the environment variable OPENAI_API_KEY"):
        nerfit.describe(ANNOTATIONS, "gpt-4o")
    assert providers.requests == []


def test_ctrl_c_while_a_language_model_thinks(providers):
    begun = threading.Event()
    providers.script = [stall(begun)]
    thread = interrupt_when(begun)
    with pytest.raises(KeyboardInterrupt):
        nerfit.describe(ANNOTATIONS, "gpt-4o")
    thread.join()


def test_training_without_ent2emb(providers, options, encoder, caplog):
    changes = dict(ent2emb=None, llm="openai/gpt-4o", st_model_name=encoder)
    args = TrainingArguments(**{**options, **changes})
    caplog.set_level("INFO", "nerfit")
    Trainer(args, progress=False).train()
    saved = options["output_dir"] / "descriptions.yaml"
    assert set(nerfit.describe(ANNOTATIONS, "gpt-4o", file=saved)) == set(DESCRIPTIONS)
    assert len(providers.questions()) == 4
    messages = [r.getMessage() for r in caplog.records]
    assert any('description of "time" by openai/gpt-4o' in m for m in messages)
    assert not any(KEY in m for m in messages)
    again = args.update({"overwrite_output_dir": True})
    Trainer(again, progress=False).train()
    assert len(providers.questions()) == 4
    log = json.loads((options["output_dir"] / "training_args.json").read_text())
    assert log["llm"] == "openai/gpt-4o" and KEY not in json.dumps(log)


def test_training_without_ent2emb_or_llm(options):
    with pytest.raises(ArgumentError, match="ent2emb is missing.*or an llm"):
        Trainer(TrainingArguments(**{**options, "ent2emb": None}), progress=False).train()


def test_a_run_that_is_stopped_while_it_asks(providers, options, encoder):
    begun = threading.Event()
    providers.script = [None, stall(begun)]
    changes = dict(ent2emb=None, llm="openai/gpt-4o", st_model_name=encoder)
    args = TrainingArguments(**{**options, **changes})
    thread = interrupt_when(begun)
    with pytest.raises((KeyboardInterrupt, CancelledError)):
        Trainer(args, progress=False).train()
    thread.join()
    Trainer(args, progress=False).train(resume_from_checkpoint=True)
    assert len(providers.questions()) == 5  # four labels, one of them asked for twice
