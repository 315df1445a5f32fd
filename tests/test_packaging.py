"""The package as a whole: its names, its arrows, what it loads and what it ships."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import regsolve

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(regsolve.__file__).parent
FILES = {file.stem for file in PACKAGE.glob("*.py") if not file.stem.startswith("__")}
FOLDERS = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
MODULES = sorted(FILES | FOLDERS)


def source(module: str) -> str:
    """The text of a module, or of all files of a package."""
    files = (PACKAGE / module).glob("*.py") if module in FOLDERS else [PACKAGE / f"{module}.py"]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def imports(module: str) -> set[str]:
    """Names of the modules that a source imports, relative ones without their dots."""
    found = set()
    for node in ast.walk(ast.parse(source(module))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            own = node.level > 0 or node.module == "regsolve"
            if own and node.module in (None, "regsolve"):
                found |= {alias.name for alias in node.names}
            else:
                found.add(str(node.module).removeprefix("regsolve.").split(".")[0])
    return found


def test_version_is_the_distribution_s() -> None:
    assert regsolve.__version__ == version("regsolve")


def test_public_names_exist_and_are_documented() -> None:
    assert {"solve", "path", "verify", "Solution", "Path", "Interrupted"} <= set(regsolve.__all__)
    for name in regsolve.__all__:
        assert getattr(regsolve, name).__doc__, name


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_and_say_what_they_are(module: str) -> None:
    assert importlib.import_module(f"regsolve.{module}").__doc__


def test_types_are_shipped() -> None:
    for name in ("py.typed", "_core.pyi"):
        assert (PACKAGE / name).is_file(), name


def test_import_is_light() -> None:
    code = (
        "import sys, regsolve\n"
        "heavy = {'sklearn', 'numba', 'pandas', 'pyarrow', 'matplotlib', 'tqdm'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_judge_is_independent() -> None:
    code = (
        "import sys, importlib.util\n"
        "spec = importlib.util.find_spec('regsolve')\n"
        "sys.modules['regsolve'] = type(sys)('regsolve')\n"
        "sys.modules['regsolve'].__path__ = spec.submodule_search_locations\n"
        "import regsolve.certificate\n"
        "assert 'regsolve._core' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    for module in ("certificate", "judge"):
        assert imports(module).isdisjoint({"_core", "solve", "sklearn", "numba"})


# Those who speak to the compiled code.
SPEAKERS = {"_validate", "_call", "custom", "ridge", "bayes"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - SPEAKERS))
def test_arrows_run_one_way(module: str) -> None:
    assert "_core" not in imports(module)


def test_pickles_are_never_allowed() -> None:
    for module in MODULES:
        loaders = {"pickle"} if module == "estimators" else {"pickle", "joblib"}  # for n_jobs
        assert imports(module).isdisjoint(loaders), module
        assert "allow_pickle=True" not in source(module)


def test_every_package_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["setuptools"]["packages"]
    assert sorted(listed) == ["regsolve", *sorted(f"regsolve.{name}" for name in FOLDERS)]


def test_every_source_file_is_in_the_manifest() -> None:
    rules = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    shipped = {
        folder: set(patterns.split())
        for folder, patterns in re.findall(r"^recursive-include (\S+) (.+)$", rules, re.MULTILINE)
    }
    for folder in ("csrc", "regsolve", "tests", "bench", "docs"):
        built = ("_core.*.so", "_core.*.pyd", "_core.cpp", "__pycache__/*", "results/*")
        for file in (ROOT / folder).rglob("*"):
            hidden = any(part.startswith(".") for part in file.relative_to(ROOT).parts)
            if file.is_file() and not hidden and not any(map(file.match, built)):
                assert {file.name, f"*{file.suffix}"} & shipped[folder], file
    assert "DESIGN.md" in rules


def test_readme_commands_install_what_they_need() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python -m pip install -e .+ && .+$", readme, re.MULTILINE)
    assert len(commands) == 2
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for command in commands:
        extra = re.search(r'"\.\[(\w+)\]"', command)
        assert extra is not None
        assert extra.group(1) in project["optional-dependencies"]


def test_module_entry_point_is_the_command_line() -> None:
    words = [sys.executable, "-m", "regsolve", "path", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    for option in ("--target", "--alphas", "--standardize", "--plot", "--out", "--max-time"):
        assert option in done.stdout


def test_a_first_fit_imports_no_other_estimators() -> None:
    code = (
        "import sys\n"
        "from regsolve import Lasso\n"
        "Lasso().fit([[0.0], [1.0], [3.0]], [0.0, 1.0, 2.0])\n"
        "print(*(name for name in sys.modules if name.startswith('regsolve.')))\n"
        "print('sklearn.linear_model' in sys.modules, 'sklearn.model_selection' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    ours, theirs = told.stdout.splitlines()
    assert "regsolve.estimators.linear" in ours.split()
    assert not {"regsolve.ridge", "regsolve.bayes", "regsolve.folds"} & set(ours.split())
    assert theirs == "False False"


def test_every_estimator_is_found_by_its_name() -> None:
    import regsolve.estimators as package

    assert sorted(package.MODULES) == sorted(package.__all__)
    for name in package.__all__:
        found = getattr(package, name)
        assert found is getattr(regsolve, name)
        assert found.__module__ == f"regsolve.estimators.{package.MODULES[name]}"
    with pytest.raises(AttributeError, match="has no attribute 'Lassoo'"):
        _ = package.Lassoo
