"""Models as folders to keep, and on Hugging Face's hub: save_pretrained, push_to_hub."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any, Union

from .errors import ArgumentError, FileError

_Path = Union[str, "os.PathLike[str]"]

#: Of a training that goes on, not of its model.
_NOT_THE_MODELS = ("optimizer.safetensors", "trainer_state.json")

_CARD = """---
library_name: nerfit
pipeline_tag: token-classification
tags:
- named-entity-recognition
- nerfit
---

# {title}

Finds {types}.

```python
import nerfit

model = nerfit.Model.from_pretrained("{name}")
print(model.predict("..."))
```
"""


def card(title: str, name: str, types: list[str]) -> str:
    """A model card for a folder without one (a trained model's was written by the training)."""
    found = ", ".join(f"`{label}`" for label in types) or "the entities that it is asked for"
    return _CARD.format(title=title, name=name, types=found)


def save(source: str, target: _Path, readme: str) -> str:
    """Copies a model's folder: `target` is there whole or not at all, and is none of somebody else's.
    Returns its name."""
    target = os.path.abspath(os.fsdecode(target))
    if os.path.realpath(source) == os.path.realpath(target):
        return target
    if os.path.exists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise FileError(f"{target}: there is something already; give another folder, or remove it")
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    unfinished = tempfile.mkdtemp(prefix=".nerfit-", dir=parent)
    try:
        copied = os.path.join(unfinished, "model")
        ignore = shutil.ignore_patterns(*_NOT_THE_MODELS)
        shutil.copytree(source, copied, ignore=ignore)  # a cache's links become files
        _write_card(copied, readme)
        os.replace(copied, target)
    except OSError as reason:
        raise FileError(f"{target}: cannot be written ({reason})") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _write_card(folder: str, readme: str) -> None:
    path = os.path.join(folder, "README.md")
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(readme)


def _check_base(folder: str) -> None:
    """An adapter that names a folder of this machine is nothing for the hub."""
    path = os.path.join(folder, "adapter_config.json")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        base = json.load(file).get("base_model_name_or_path") or ""
    if os.path.isabs(base) or base.startswith((".", "~")) or os.path.isdir(base) or base.count("/") != 1:
        raise ArgumentError(
            f"{folder}: is an adapter for {base!r}, a folder that only this machine has; push the "
            "merged model (best/), or name a model of the hub in adapter_config.json"
        )


def push(
    folder: str,
    name: str,
    readme: str,
    private: bool | None = None,
    token: str | None = None,
    message: str | None = None,
    revision: str | None = None,
    create_pr: bool = False,
) -> str:
    """Uploads a model's folder in one commit. Returns the commit's address."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError:
        raise ArgumentError(
            "push_to_hub takes the package huggingface_hub (pip install nerfit[hub])"
        ) from None
    _check_base(folder)
    with tempfile.TemporaryDirectory(prefix="nerfit-") as place:
        whole = save(folder, os.path.join(place, "model"), readme)
        api = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
        try:
            api.create_repo(name, private=private, exist_ok=True, repo_type="model")
            done: Any = api.upload_folder(
                repo_id=name,
                folder_path=whole,
                repo_type="model",
                commit_message=message or "A model of nerfit",
                revision=revision,
                create_pr=create_pr,
            )
        except HFValidationError as reason:
            raise ArgumentError(f"{name!r} is no name of a model on the hub: {reason}") from None
        except (HfHubHTTPError, OSError) as reason:
            raise FileError(f"{name}: was not uploaded: {reason}") from None
    return str(done.commit_url)
