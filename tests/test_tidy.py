"""The rules of style and the promises of the documents, as tests."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from streams.__main__ import parser
from streams.config import PREFIX, Config
from streams.ops.metrics import Metrics
from streams.topics import ALL

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("schemas", "tables", "agents", "streams", "tests")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "_pb2" not in path.name and path.name != "__init__.py")
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]
BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
LINES_OF_FUNCTION, LINES_OF_MODULE, ARGUMENTS, COMPLEXITY, WIDTH = 40, 300, 5, 8, 140
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.comprehension, ast.match_case)
README = (ROOT / "README.md").read_text()

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _complexity(function: Function) -> int:
    """As mccabe counts; what a nested function decides is its own."""
    count, nodes = 1, list(ast.iter_child_nodes(function))
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        count += isinstance(node, BRANCHES)
        nodes += ast.iter_child_nodes(node)
    return count


def _length(function: Function) -> int:
    """Without its docstring: what is explained is no burden."""
    doc = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    return (function.end_lineno or 0) - function.lineno + 1 - ((doc.end_lineno or 0) - doc.lineno + 1 if doc else 0)


def _arguments(function: Function) -> int:
    names = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def _problems(tree: ast.Module, text: str) -> Iterator[str]:
    if not (ast.get_docstring(tree) or "").strip():
        yield "opens without a sentence that says what it is"
    if (lines := len(text.splitlines())) > LINES_OF_MODULE:
        yield f"expected at most {LINES_OF_MODULE} lines, was {lines}"
    yield from (f"line {at}: expected at most {WIDTH} columns, was {len(line)}"
                for at, line in enumerate(text.splitlines(), 1) if len(line) > WIDTH)
    for function in _functions(tree):
        where = f"line {function.lineno} {function.name}"
        is_test = function.name.startswith("test_")
        for what, found, most in (("lines", _length(function), LINES_OF_FUNCTION), ("complexity", _complexity(function), COMPLEXITY),
                                  ("arguments", 0 if is_test else _arguments(function), ARGUMENTS)):
            if found > most:
                yield f"{where}: expected at most {most} {what}, was {found}"
        if function.returns is None:
            yield f"{where}: expected an annotated return"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_keeps_its_budget(path: Path) -> None:
    text = path.read_text()
    assert list(_problems(ast.parse(text), text)) == []


@pytest.mark.parametrize(("text", "says"), [
    ("x = 1", "opens without"),
    ('"""Says."""\n' + "x = 1\n" * 300, "at most 300 lines"),
    ('"""Says."""\ndef one():\n    pass', "annotated return"),
    ('"""Says."""\ndef one(a, b, c, d, e, f) -> None: ...', "at most 5 arguments"),
    ('"""Says."""\ndef one(a) -> None:\n' + "    if a: pass\n" * 8, "at most 8 complexity"),
    ('"""Says."""\ndef one(a) -> None:\n' + "    a()\n" * 40, "at most 40 lines"),
])
def test_the_budget_finds_what_breaks_it(text: str, says: str) -> None:
    assert any(says in problem for problem in _problems(ast.parse(text), text))


def test_no_module_is_named_after_nothing() -> None:
    assert [name for name in NAMES if BANNED & set(re.split(r"[/_.]", name))] == []


def test_inits_are_empty() -> None:
    assert [str(path) for room in ROOMS for path in (ROOT / room).rglob("__init__.py") if path.read_text().strip()] == []


def test_only_the_settings_read_the_environment() -> None:
    pattern = re.compile(r"os\.environ\b|os\.getenv|\bgetenv\(")
    allowed = {"streams/config.py", "streams/stack/process.py"}  # the second hands it on to children
    found = {name for name, path in zip(NAMES, MODULES, strict=True) if not name.startswith("tests/") and pattern.search(path.read_text())}
    assert found <= allowed


def test_there_are_no_leftovers() -> None:
    pattern = re.compile(r"\b(FIX" + r"ME|XX" + r"X|TO" + r"DO)\b|breakpoint\(\)")
    assert [name for name, path in zip(NAMES, MODULES, strict=True) if pattern.search(path.read_text())] == []


@pytest.mark.parametrize("setting", Config.__struct_fields__)
def test_every_setting_is_in_the_readme_with_its_default(setting: str) -> None:
    [row] = [line for line in README.splitlines() if line.startswith(f"| `{PREFIX}{setting.upper()}` ")]
    default = getattr(Config(), setting)
    shown = f"`{default}`" if default != "" else "—"
    assert row.split(" | ")[1].strip() == shown


@pytest.mark.parametrize("topic", ALL, ids=lambda topic: topic.name)
def test_every_topic_is_in_the_readme(topic: object) -> None:
    assert f"| `{getattr(topic, 'name', '')}` " in README


def test_every_command_is_in_the_readme() -> None:
    groups = parser()._subparsers
    assert groups is not None
    [choices] = [action.choices for action in groups._group_actions]
    assert [name for name in choices or () if f"`marginstream {name}" not in README] == []


def test_every_metric_is_in_the_readme() -> None:
    assert [metric.name for metric in Metrics().listed if f"`{metric.name}`" not in README] == []


def test_every_make_target_is_in_the_readme_or_the_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert [target for target in phony.split() if not re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)] == []


def test_files_the_readme_points_to_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_compose_file_refers_to_what_is_there() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    commands = parser()._subparsers
    assert commands is not None
    known = set(commands._group_actions[0].choices or ())
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= set(compose["volumes"]), name
        settings = {key.removeprefix(PREFIX).lower() for key in service.get("environment", {}) if key.startswith(PREFIX)}
        assert settings <= set(Config.__struct_fields__), name
        if "build" in service:
            assert service["command"][0] in known, name
        assert "restart" in service or name == "setup", name
    workers = [name for name in services if name.startswith("worker-")]
    assert len(workers) == Config().partitions
    for name in workers:  # each under its own name, by which the others ask it for rows
        said = services[name]["environment"]
        assert (said["MARGINSTREAM_WEB_URL"], said["MARGINSTREAM_WORKER_NAME"]) == (f"http://{name}:6066", name)
        assert len(set(said.values())) == len(said) - 1  # name and instance are the same
    assert services["kafka"]["image"] == "apache/kafka:4.1.1"


def test_the_example_environment_has_settings_only() -> None:
    lines = [line.lstrip("# ") for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line]
    assert {line.partition("=")[0].removeprefix(PREFIX).lower() for line in lines} <= set(Config.__struct_fields__)


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    from grpc_tools import protoc

    protos = ["schemas/user_data.proto", "schemas/engine.proto", "schemas/user_service.proto"]
    grpc_include = str(Path(inspect.getfile(protoc)).parent / "_proto")
    words = ["protoc", f"-I{ROOT}", f"-I{grpc_include}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    assert protoc.main([*words, *(str(ROOT / one) for one in protos)]) == 0
    for path in sorted((tmp_path / "schemas").iterdir()):
        assert path.read_text() == (ROOT / "schemas" / path.name).read_text(), f"{path.name}: run 'make proto'"
