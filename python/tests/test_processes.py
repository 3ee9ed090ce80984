"""Models across processes: fork in every form, pickles."""

import concurrent.futures
import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time

import pytest

import nerfit
from nerfit import Trainer, TrainingArguments
from nerfit._frames import FrameTagger

TEXTS = ["wake me up at nine", "play jazz in madrid", "call bob at ten please"] * 20

fork = multiprocessing.get_context("fork")


@pytest.fixture(scope="module", params=[1, 2, 0], ids="threads={}".format)
def model(trained, request):
    model = nerfit.load(trained.result.model_folder, precision="f32", threads=request.param)
    model.predict(TEXTS)  # OpenMP's threads are there
    return model


def in_child(work, seconds=60):
    """The result of a function in a forked child; fails if it hangs."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(send, pickle.dumps(work()))
        except BaseException as error:  # pytest must not go on in here
            os.write(send, pickle.dumps(error))
        os._exit(0)
    os.close(send)
    end = time.monotonic() + seconds
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.01)
    with os.fdopen(receive, "rb") as file:
        found = pickle.load(file)
    if isinstance(found, BaseException):
        raise found
    return found


def test_a_child_uses_its_parents_model(model):
    expected = model.predict(TEXTS)
    assert in_child(lambda: model.predict(TEXTS)) == expected
    assert in_child(lambda: in_child(lambda: model.predict(TEXTS))) == expected
    assert in_child(lambda: model.evaluate(["wake me up at [time : nine]"]).f1) == 1
    assert model.predict(TEXTS) == expected  # and the parent goes on


def test_a_child_tags_frames_with_its_parents_model(trained, monkeypatch):
    tagger = FrameTagger(trained.result.model_folder, precision="f32")
    expected = tagger.tag(TEXTS)
    monkeypatch.setattr("nerfit._model.load", None)
    assert in_child(lambda: tagger.tag(TEXTS)) == expected


def test_a_child_loads_a_model_of_its_own(model):
    expected = model.predict(TEXTS)
    for threads in (0, 2):
        load = lambda: nerfit.load(model.folder, precision="f32", threads=threads)  # noqa: E731, B023
        assert [[e[:4] for e in found] for found in in_child(lambda: load().predict(TEXTS))] == [
            [e[:4] for e in found] for found in expected
        ]


def test_threads_of_a_child(model):
    """They are not alone: their teams are new."""
    expected = model.predict(TEXTS)

    def work():
        found = []
        threads = [threading.Thread(target=lambda: found.append(model.predict(TEXTS))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    assert in_child(work) == [expected] * 3


def test_a_fork_from_another_thread(model):
    expected, found = model.predict(TEXTS), []
    thread = threading.Thread(target=lambda: found.append(in_child(lambda: model.predict(TEXTS))))
    thread.start()
    thread.join()
    assert found == [expected]


_model = None


def predict(text):
    return _model.predict(text)


def predict_with(model, text):
    return model.predict(text)


def test_pools(model):
    global _model
    _model = model
    expected = model.predict(TEXTS)
    with fork.Pool(2) as pool:
        assert pool.map_async(predict, TEXTS).get(60) == expected
        assert pool.starmap_async(predict_with, [(model, TEXTS[0])]).get(60) == expected[:1]
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as pool:
        assert list(pool.map(predict, TEXTS, timeout=300)) == expected


def test_a_child_after_a_training(options, tmp_path):
    trainer = Trainer(TrainingArguments(**{**options, "threads": 2}), progress=False)
    result = trainer.train()
    expected = trainer.predict(TEXTS)
    assert in_child(lambda: trainer.predict(TEXTS)) == expected
    own = {**options, "threads": 2, "output_dir": tmp_path / "child"}
    folder = in_child(lambda: Trainer(TrainingArguments(**own), progress=False).train().model_folder)
    files = [open(f"{f}/model.safetensors", "rb").read() for f in (result.model_folder, folder)]
    assert len(files[0]) == len(files[1])


def test_pickles(model, tmp_path, monkeypatch):
    expected = model.predict(TEXTS)
    monkeypatch.chdir(os.path.dirname(model.folder))
    relative = nerfit.load("best", precision="f32", threads=1)
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(pickle.dumps(relative)).predict(TEXTS) == expected
    assert pickle.loads(pickle.dumps(model)).predict(TEXTS) == expected
    assert copy.deepcopy(model) is model and copy.copy(model) is model
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(predict_with, (model, TEXTS[0])).get(60) == expected[0]


def test_trainers_are_pickled(trained):
    other = pickle.loads(pickle.dumps(trained))
    assert other.predict(TEXTS) == trained.predict(TEXTS)
    assert other.result == trained.result


def test_a_bare_fork_without_pytest(trained):
    """Loading alone is enough to make a child hang, if forks are not minded."""
    code = (
        "import nerfit, os, sys; m = nerfit.load(sys.argv[1], threads=2); m.predict(['wake me'] * 50)\n"
        "if os.fork() == 0: m.predict('wake me up at nine'); os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, trained.result.model_folder], timeout=300)
    assert done.returncode == 0
