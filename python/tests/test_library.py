"""The structs and functions of _library.py against nerfit.h, by a C compiler and by reading it."""

import ctypes
import re
import shutil
import subprocess

import pytest

from nerfit import _library, _trainer, errors

from conftest import ROOT

HEADER = ROOT / "include" / "nerfit.h"
STRUCTS = {
    "nerfit_error": _library.Error,
    "nerfit_transfer": _library.Transfer,
    "nerfit_model_options": _library.ModelOptions,
    "nerfit_read_options": _library.ReadOptions,
    "nerfit_describe_options": _library.DescribeOptions,
    "nerfit_threshold": _library.CallThreshold,
    "nerfit_label_list": _library.LabelList,
    "nerfit_call_options": _library.CallOptions,
    "nerfit_entity": _library.Entity,
    "nerfit_token": _library.Token,
    "nerfit_prediction": _library.Prediction,
    "nerfit_span": _library.Span,
    "nerfit_report": _library.Report,
    "nerfit_event": _library.Event,
    "nerfit_callbacks": _library.Callbacks,
    "nerfit_train_result": _library.TrainResult,
    "nerfit_finding": _library.Finding,
    "nerfit_format": _library.Format,
    "nerfit_benchmark": _library.Benchmark,
    "nerfit_quantization": _library.Quantization,
    "nerfit_fewshot_options": _library.FewshotOptions,
    "nerfit_fewshot_progress": _library.FewshotProgress,
    "nerfit_fewshot_result": _library.FewshotResult,
}


def text_of_header():
    return re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)


def test_every_struct_is_known():
    bound = set(ctypes.Structure.__subclasses__()) | set(_library.Options.__subclasses__())
    bound.discard(_library.Options)
    assert {s for s in bound if s.__module__ == _library.__name__} == set(STRUCTS.values())


def test_structs(tmp_path):
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    lines = []
    for name, struct in STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for field in struct._fields_:
            lines.append(
                f'printf("{name}.{field[0]} %zu %zu\\n", offsetof({name}, {field[0]}), '
                f"sizeof((({name} *)0)->{field[0]}));"
            )
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <stdio.h>\n#include <nerfit.h>\nint main(void) {\n" + "\n".join(lines) + "\n}\n"
    )
    program = tmp_path / "layout"
    subprocess.run(["cc", "-I", HEADER.parent, source, "-o", program], check=True)
    shown = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    expected = []
    for name, struct in STRUCTS.items():
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        for field in struct._fields_:
            at = getattr(struct, field[0])
            expected.append(f"{name}.{field[0]} {at.offset} {at.size}")
    assert shown.split("\n")[:-1] == expected


def test_functions():
    text = text_of_header()
    declared = dict(re.findall(r"NERFIT_API\s+[\w\s*]*?(nerfit_\w+)\(([^;]*)\);", text))
    for name, (result, arguments) in _library._FUNCTIONS.items():
        given = [] if declared[name].strip() == "void" else declared[name].split(",")
        assert len(given) == len(arguments), name
        returns_status = bool(re.search(rf"nerfit_status\s+{name}\(", text))
        assert returns_status == (result is _library.STATUS), name


def test_statuses():
    names = re.findall(r"X\((\w+), \"(.*?)\"\)", HEADER.read_text())
    assert [name for name, _ in names][0] == "OK"
    assert len(names) == len(_library._STATUS)
    for (_, meaning), kind in list(zip(names, _library._STATUS))[1:]:
        assert issubclass(kind, errors.NerfitError)
        assert kind.__doc__.lower().startswith(meaning.lower()), kind


def test_events():
    names = re.findall(r"\bNERFIT_EVENT_(\w+)", text_of_header())
    assert tuple(name.lower() for name in names) == _trainer._EVENTS


def test_version():
    import nerfit

    assert f'"{nerfit.__version__}"' in HEADER.read_text()
