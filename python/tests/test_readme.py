"""The program of the original's README runs as it is written, with a tiny model as roberta-base."""

import json
import os
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import nerfit

from conftest import ROOT, make_encoder, put_into_cache

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("NERFIT_TEST_DATA", ROOT.parent / "shared" / "data"))
ARTIFACTS = DATA / "ner" / "nerfit-artifacts"


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, values in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {
            "dtype": "F32",
            "shape": [len(values)],
            "data_offsets": [len(data), len(data) + len(packed)],
        }
        data += packed
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def own_artifacts(folder):
    """Our own sentences, and a random embedding for every label."""
    assistant = ROOT / "examples" / "assistant"
    shutil.copy(assistant / "train.txt", folder / "sample_data.txt")
    lines = (assistant / "descriptions.yaml").read_text().splitlines()
    labels = [line.split(":")[0] for line in lines if line[:1].isalpha()]
    numbers = random.Random(1)
    write_safetensors(
        folder / "ent2emb.safetensors",
        {label: [numbers.gauss(0, 1) for _ in range(24)] for label in labels},
    )


def originals_artifacts(folder):
    if not ARTIFACTS.exists():
        pytest.skip("the original's sample data are not here")
    for name in ("sample_data.txt", "ent2emb.safetensors"):
        shutil.copy(ARTIFACTS / name, folder / name)


def has_torch():
    try:
        import safetensors.torch  # noqa: F401
    except ImportError:
        return False
    return True


def in_the_cache(folder, environment):
    """As huggingface_hub leaves a model that it downloaded; there is no network."""
    cache = folder / "cache"
    put_into_cache(cache, "roberta-base", make_encoder(folder / "made"))
    environment.update(HF_HUB_CACHE=str(cache), HF_HUB_OFFLINE="1")


def as_a_folder(folder, environment):
    make_encoder(folder / "roberta-base")


@pytest.mark.parametrize(
    "artifacts, model", [(own_artifacts, in_the_cache), (originals_artifacts, as_a_folder)]
)
def test_the_readme_of_the_original(tmp_path, artifacts, model):
    folder = tmp_path / "tests" / "artifacts"
    folder.mkdir(parents=True)
    artifacts(folder)
    environment = dict(os.environ)
    model(tmp_path, environment)
    if not has_torch():
        paths = [str(HERE / "stand_in"), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable, HERE / "readme_of_the_original.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    args = json.loads((tmp_path / "output_dir" / "training_args.json").read_text())
    assert args["warmup_steps"] == [1000, 500] and args["peft_config"]["use_dora"] is True
    history = json.loads((tmp_path / "output_dir" / "trainer_state.json").read_text())[
        "log_history"
    ]
    assert [e["step"] for e in history if e["stage"] == 1 and "eval_loss" in e][-1] == 2500
    assert [e["step"] for e in history if e["stage"] == 2 and "eval_loss" in e][-1] == 1500
    model = nerfit.load(tmp_path / "output_dir" / "best")
    assert len(model.labels) > 20
    assert isinstance(model.predict("pon una alarma a las nueve"), list)
