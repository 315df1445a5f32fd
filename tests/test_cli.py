"""The command line: every format is the same problem, every complaint is one line."""

from __future__ import annotations

import bz2
import csv
import gzip
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import io, sparse
from sklearn.datasets import dump_svmlight_file, load_diabetes

import regsolve
from regsolve._read import BUNDLED, read, read_vector
from regsolve.cli import main
from regsolve.penalties import L1, ElasticNet


@pytest.fixture
def Xy() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    X = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.7)
    return X, X[:, 0] - 2.0 * X[:, 3] + 0.1 * rng.normal(size=40)


def write(folder: Path, name: str, X: np.ndarray, y: np.ndarray) -> list[str]:
    """Write the problem in the format of ``name``; the command line's words for it."""
    import pandas

    file, target = folder / name, folder / "y.npy"
    frame = pandas.DataFrame(np.column_stack([X, y]), columns=[*"abcdef", "price"])
    np.save(target, y)
    if ".svm" in name or ".txt" in name or ".libsvm" in name:
        dump_svmlight_file(X, y, str(folder / "plain"))
        _compress((folder / "plain").read_bytes(), file)
        return [str(file)]
    if name == "dense.npz":
        np.savez(file, X=X, y=y)
    elif name == "sparse.npz":
        sparse.save_npz(file, sparse.csc_matrix(X))
        return [str(file), "--target", str(target)]
    elif name == "both.npz":
        S = sparse.csr_matrix(X)
        parts = {"data": S.data, "indices": S.indices, "indptr": S.indptr, "shape": S.shape}
        np.savez(file, format=np.array(b"csr"), y=y, **parts)
    elif name.endswith(".npy"):
        np.save(file, X)
        return [str(file), "--target", str(target)]
    elif name.endswith(".mtx"):
        io.mmwrite(file, sparse.coo_matrix(X), precision=17)
        return [str(file), "--target", str(target)]
    elif name.endswith(".parquet"):
        frame.to_parquet(file)
    else:
        frame.to_csv(file, index=False, header=name != "bare.csv")
    return [str(file)]


def _compress(content: bytes, file: Path) -> None:
    import bz2
    import gzip

    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(file.suffix, bytes)
    file.write_bytes(pack(content))


FILES = [
    "a.svm",
    "a.svmlight",
    "a.libsvm.gz",
    "a.svm.bz2",
    "a.txt",
    "dense.npz",
    "sparse.npz",
    "both.npz",
    "a.npy",
    "a.mtx",
    "a.csv",
    "a.csv.gz",
    "bare.csv",
    "a.parquet",
]


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_the_same_problem(name: str, Xy: Any, tmp_path: Path) -> None:
    X, y = Xy
    words = write(tmp_path, name, X, y)
    data = read(words[0], *words[2:])
    dense = data.X.toarray() if sparse.issparse(data.X) else data.X
    np.testing.assert_allclose(dense, X, rtol=1e-14, atol=0)
    np.testing.assert_allclose(data.y, y, rtol=1e-14, atol=0)
    assert main(["path", *words, "--out", str(tmp_path / "out.npz")]) == 0
    coefs = sparse.load_npz(tmp_path / "out.npz").toarray()
    np.testing.assert_allclose(coefs, regsolve.path(X, y).coefs.toarray(), atol=1e-9)


@pytest.mark.parametrize("name", [name for name in BUNDLED if name != "linnerud"])
def test_bundled_data_are_certified(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path", name, "--standardize"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "100 alphas: 100 optimal" in out


def test_table_is_short_and_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path", "diabetes"]) == 0
    title, head, *rows, last = capsys.readouterr().out.splitlines()
    assert title == "diabetes: 442 samples, 10 features, quadratic loss, lasso"
    assert head.split() == ["alpha", "support", "deviance", "explained", "relative", "gap"]
    cells = np.array([row.split() for row in rows], dtype=float)
    assert len(cells) == 12
    assert cells[0, 1] == 0
    assert np.all(np.diff(cells[:, 0]) < 0)
    assert np.all(np.diff(cells[:, 2]) > 0)
    assert np.all(cells[:, 3] <= 1e-6)
    for word in ("readings of X", "mode", " s,"):
        assert word in last


def test_npy_is_memory_mapped_and_read_only(tmp_path: Path, Xy: Any) -> None:
    X = read(*write(tmp_path, "a.npy", *Xy)[::2]).X
    assert isinstance(X, np.memmap)
    assert not X.flags.writeable


@pytest.mark.parametrize(("target", "column"), [("b", 1), ("0", 0), ("-2", 5), ("price", 6)])
def test_target_is_any_column(target: str, column: int, Xy: Any, tmp_path: Path) -> None:
    table = np.column_stack(Xy)
    (file,) = write(tmp_path, "a.csv", *Xy)
    data = read(file, target)
    np.testing.assert_array_equal(data.y, table[:, column])
    np.testing.assert_array_equal(data.X, np.delete(table, column, axis=1))
    names = [*"abcdef", "price"]
    assert data.feature_names == names[:column] + names[column + 1 :]


@pytest.mark.parametrize("name", ["y.npy", "y.npz", "y.txt", "y.csv", "y.mtx"])
def test_target_file_replaces_the_default(name: str, Xy: Any, tmp_path: Path) -> None:
    X, y = Xy
    (table,) = write(tmp_path, "a.csv", X, y)
    (labelled,) = write(tmp_path, "a.svm", X, y)
    file = tmp_path / name
    other = -y
    if name == "y.npz":
        np.savez(file, only=other)
    elif name == "y.npy":
        np.save(file, other)
    elif name == "y.mtx":
        io.mmwrite(file, other[:, None], precision=17)
    else:
        title = "price\n" if name == "y.csv" else ""
        file.write_text(title + "\n".join(map(repr, other.tolist())) + "\n")
    np.testing.assert_array_equal(read(labelled, str(file)).y, other)
    data = read(table, str(file))
    np.testing.assert_array_equal(data.y, other)
    np.testing.assert_array_equal(data.X, np.column_stack([X, y]))


def test_a_feature_of_bundled_data_may_be_the_target() -> None:
    data = read("diabetes", "s5")
    assert data.X.shape == (442, 9)
    assert data.feature_names is not None
    assert "s5" not in data.feature_names
    bunch = load_diabetes(as_frame=True).data
    np.testing.assert_array_equal(data.y, bunch["s5"])
    np.testing.assert_array_equal(data.X, bunch.drop(columns="s5"))


def test_linnerud_has_a_target_to_choose(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path", "linnerud"]) == 2
    assert "--target Weight or Waist or Pulse" in capsys.readouterr().err
    assert main(["path", "linnerud", "--target", "Pulse"]) == 0


@pytest.mark.parametrize(
    ("words", "keywords"),
    [
        ([], {}),
        (["--alphas", "7"], {"n_alphas": 7}),
        (["--alpha-min-ratio", "0.1"], {"alpha_min_ratio": 0.1}),
        (["--l1-ratio", "0.5"], {"penalty": ElasticNet(l1_ratio=0.5)}),
        (["--standardize"], {"standardize": True}),
        (["--no-intercept"], {"fit_intercept": False}),
        (["--threads", "1", "--max-time", "60", "--tol", "1e-8"], {"tol": 1e-8}),
        (["--loss", "quadratic"], {"penalty": L1()}),
    ],
)
def test_options_reach_the_solver(words: list[str], keywords: Any, tmp_path: Path) -> None:
    file = tmp_path / "out.npz"
    assert main(["path", "diabetes", *words, "--out", str(file)]) == 0
    path = regsolve.path(*load_diabetes(return_X_y=True), **keywords)
    with np.load(file) as saved:
        np.testing.assert_array_equal(saved["alphas"], path.alphas)
        np.testing.assert_allclose(saved["intercepts"], path.intercepts, rtol=1e-9)
        np.testing.assert_array_less(saved["relative_gaps"], 1e-6)
        assert saved["feature_names"].tolist() == load_diabetes().feature_names
    coefs = sparse.load_npz(file)
    assert coefs.format == "csc"
    np.testing.assert_allclose(coefs.toarray(), path.coefs.toarray(), rtol=1e-9, atol=1e-9)


def test_saved_alphas_are_a_grid_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    listed = tmp_path / "alphas.txt"
    listed.write_text("2.0\n1.0\n0.5\n")
    assert main(["path", "diabetes", "--alphas", str(listed), "--out", str(first)]) == 0
    assert main(["path", "diabetes", "--alphas", str(first), "--out", str(second)]) == 0
    assert read_vector(str(second), "alphas").tolist() == [2.0, 1.0, 0.5]


def test_saved_table_is_long(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    assert main(["path", "diabetes", "--alphas", "5", "--out", str(file)]) == 0
    X, y = load_diabetes(return_X_y=True)
    path = regsolve.path(X, y, n_alphas=5)
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["alpha", "relative_gap", "feature", "coef"]
    assert len(rows) == path.coefs.nnz + len(path.alphas)
    names = load_diabetes().feature_names
    coefs = np.zeros(path.coefs.shape)
    for row in rows:
        k = int(np.flatnonzero(path.alphas == float(row["alpha"]))[0])
        if row["feature"] != "(intercept)":
            coefs[names.index(row["feature"]), k] = float(row["coef"])
    np.testing.assert_allclose(coefs, path.coefs.toarray(), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml")]
)
def test_plot_is_drawn(name: str, start: bytes, tmp_path: Path) -> None:
    assert main(["path", "breast_cancer", "--standardize", "--plot", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_bytes().startswith(start)


class Trap:
    """Unpickling this leaves a file behind."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("kind", ["npy", "npz", "sparse", "pickle", "target"])
def test_no_pickle_is_ever_loaded(
    kind: str, Xy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y = Xy
    sprung = tmp_path / "sprung"
    objects = np.array([[Trap(sprung)]], dtype=object)
    file = tmp_path / ("a.npz" if kind in ("npz", "sparse") else "a.npy")
    words = [str(file), "--target", str(tmp_path / "y.npy")]
    np.save(tmp_path / "y.npy", y)
    if kind == "npz":
        np.savez(file, X=objects, y=y)
    elif kind == "sparse":
        np.savez(file, format=np.array(b"csc"), shape=X.shape, data=objects)
    elif kind == "pickle":
        file.write_bytes(pickle.dumps(Trap(sprung)))
    else:
        np.save(file, objects)
    if kind == "target":
        words = ["diabetes", "--target", str(file)]
    assert main(["path", *words]) == 2
    expected = "cannot read" if kind == "pickle" else "never loaded"
    assert expected in capsys.readouterr().err
    assert not sprung.exists()


COMPLAINTS = [
    ("missing.csv", "no such file"),
    ("data.xyz", "expected a file ending in"),
    ("words.csv", "column 'town' is not numeric (it holds 'Oslo')"),
    ("words.csv --target town", "column 'town' is not numeric"),
    ("a.csv --target rent", "neither a column"),
    ("a.npy", "--target FILE"),
    ("a.npy --target nothing.npy", "no such file"),
    ("a.npy --target a.npy", "expected one column"),
    ("a.npy --target short.npy", "y has 39 entries but X has 40"),
    ("y.npy --target y.npy", "samples as rows and features as columns"),
    ("strings.npy --target y.npy", "X has dtype"),
    ("hole.csv", "X contains NaN or infinity, first in column 0 ('size')"),
    ("odd.npz", "expected X and y"),
    ("fake.npz", "cannot read"),
    ("fake.npy", "cannot read"),
    ("fake.svm", "not in svmlight format"),
    ("far.svm", "far.svm has an index of a feature beyond 2147483647"),
    ("far.mtx --target y.npy", "not a Matrix Market file"),
    ("fake.mtx --target y.npy", "not a Matrix Market file"),
    ("fake.parquet", "cannot read"),
    ("empty.csv", "cannot read"),
    ("short.csv", "rows have more fields than the header's 2"),
    ("comma.csv", "fields with commas and decimals with points"),
    ("titles.csv", "titles.csv has no rows"),
    ("single.csv", "there are no features"),
    ("diabetes --alphas fake.txt", "expected one number a line"),
    ("diabetes --alphas none.txt", "no such file"),
    ("diabetes --alphas many", "--alphas 'many' is neither a number of alphas nor a file"),
    ("a.npy --target many", "--target 'many' is neither a column of the data nor a file"),
    ("diabetes --alphas 0", "n_alphas"),
    (f"diabetes --alphas {10**30}", "n_alphas"),
    (f"diabetes --threads {10**30}", "n_threads"),
    ("diabetes --alphas some.txt --alpha-min-ratio 0.1", "--alpha-min-ratio has no meaning"),
    ("diabetes --l1-ratio 2", "l1_ratio"),
    ("diabetes --l1-ratio half", "--l1-ratio"),
    ("diabetes --tol -1", "tol"),
    ("diabetes --loss absolute", "--loss"),
    ("diabetes --out a.pickle", "--out a.pickle: expected a name ending in .npz .csv"),
    ("diabetes --out nowhere/a.npz", "no such folder"),
    ("diabetes --plot a.gif", "--plot a.gif: expected a name ending in .png .pdf .svg"),
    ("diabetes --what", "--what"),
]


@pytest.fixture
def spoilt(Xy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of files with something wrong."""
    X, y = Xy
    for name in ("a.csv", "a.npy"):
        write(tmp_path, name, X, y)
    np.save(tmp_path / "short.npy", y[:-1])
    np.save(tmp_path / "strings.npy", X.astype(str))
    np.savez(tmp_path / "odd.npz", A=X, b=y)
    (tmp_path / "words.csv").write_text("size,town,price\n1,2,3\n4,Oslo,6\n")
    (tmp_path / "hole.csv").write_text("size,price\n1,3\n,6\n2,5\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "short.csv").write_text("a,b\n1,2,3\n2,1,5\n3,5,4\n")
    (tmp_path / "comma.csv").write_text("a;b;y\n1,5;2,5;3,0\n2,5;1,5;5,0\n")
    (tmp_path / "titles.csv").write_text("a,b,y\n")
    (tmp_path / "single.csv").write_text("y\n1\n2\n")
    (tmp_path / "far.svm").write_text("1 1:1\n2 3000000000:1\n3 1:4\n")
    heading = "%%MatrixMarket matrix coordinate real general\n"
    (tmp_path / "far.mtx").write_text(heading + f"3 {10**30} 1\n1 1 1.0\n")
    (tmp_path / "some.txt").write_text("1\n0.5\n")
    for kind in ("npz", "npy", "svm", "mtx", "parquet", "txt"):
        (tmp_path / f"fake.{kind}").write_text("not\nwhat it seems\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("spoilt")
@pytest.mark.parametrize(("words", "reason"), COMPLAINTS)
def test_bad_input_is_one_clear_line(
    words: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["path", *words.split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith("regsolve: error: ")
    assert err.count("\n") == 1
    assert reason in err


@pytest.mark.parametrize(
    "words",
    [
        "a.csv --out a.csv",
        "a.csv --out ./elsewhere.csv",
        "a.csv --out linked.csv",
        "a.npy --target y.csv --out y.csv",
        "diabetes --alphas some.csv --out some.csv",
        "picture.svm --plot picture.png",
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.usefixtures("spoilt")
def test_no_input_is_overwritten(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("some.csv").write_text("1\n0.5\n")
    Path("y.csv").write_text("".join(f"{k}\n" for k in range(40)))
    Path("picture.svm").write_text("1 1:2\n3 1:1\n2 1:5\n")
    Path("picture.png").symlink_to("picture.svm")
    Path("elsewhere.csv").symlink_to("a.csv")
    Path("linked.csv").hardlink_to("a.csv")
    before = {file.name: file.read_bytes() for file in Path().iterdir()}
    assert main(["path", *words.split()]) == 2
    assert "would overwrite the input" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in Path().iterdir()} == before


def test_no_command_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"regsolve {regsolve.__version__}\n"


def test_missing_extra_names_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], Xy: Any, tmp_path: Path
) -> None:
    words = write(tmp_path, "a.csv", *Xy)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert main(["path", *words]) == 2
    assert "pip install 'regsolve[cli]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["path", "diabetes", "--plot", str(tmp_path / "a.png")]) == 2
    assert "pip install 'regsolve[plot]'" in capsys.readouterr().err


def test_missed_tolerance_warns_with_the_gap(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path", "diabetes", "--tol", "1e-300"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("regsolve: warning: ")
    assert "gap" in err
    assert "100 alphas" in out


def test_bar_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["path", "diabetes"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["path", "diabetes", "--progress"]) == 0
    assert "alpha" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main(["path", "diabetes", "--progress"]) == 0
    assert capsys.readouterr().err == ""


def test_ctrl_c_saves_what_is_finished(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    whole = regsolve.path

    def stopped(*args: Any, callback: Any, **options: Any) -> Any:
        assert callback is None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = whole(*args, callback=lambda progress: progress.step >= 30, **options)
        raise regsolve.Interrupted(result)

    monkeypatch.setattr(regsolve, "path", stopped)
    files = [str(tmp_path / "out.npz"), str(tmp_path / "path.png")]
    assert main(["path", "diabetes", "--out", files[0], "--plot", files[1]]) == 130
    out, err = capsys.readouterr()
    n_finished = len(read_vector(files[0], "alphas"))
    assert 30 <= n_finished < 100
    assert err == f"regsolve: interrupted after {n_finished} alphas\n"
    assert f"{n_finished} alphas" in out
    assert Path(files[1]).exists()


def test_ctrl_c_while_reading(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("regsolve.cli.read", stopped)
    assert main(["path", "diabetes"]) == 130
    assert capsys.readouterr().err == "regsolve: interrupted\n"


def test_module_runs(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "regsolve", "path", "wine"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "13 features" in done.stdout
    words[-1] = str(tmp_path / "none.csv")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")


def test_reader_may_leave_early() -> None:
    words = [sys.executable, "-m", "regsolve", "path", "wine"]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_gallery_draws_every_data_set(
    tmp_path: Path, Xy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from regsolve.views.gallery import PICTURES

    words = write(tmp_path, "a.csv", *Xy)
    out = tmp_path / "new" / "folder"
    assert main(["gallery", "--out", str(out), *words, "iris"]) == 0
    files = sorted(out.iterdir())
    names = {
        f"{data}-{title.replace(' ', '-')}.png" for data in ("a", "iris") for title in PICTURES
    }
    assert {file.name for file in files} == names
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    said, err = capsys.readouterr()
    assert err == ""
    assert said.count("\n") == len(files)
    assert f" 1 of {len(PICTURES)}  " in said


@pytest.mark.usefixtures("spoilt")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", "--out"),
        ("--out a.csv", "this is a file, not a folder"),
        ("--out d none.csv", "no such file"),
        ("--out d linnerud", "--target"),
        ("--out d iris wine --target a", "--target belongs to one data set"),
        ("--out d a.csv a.npy", "two data sets have the same name"),
        ("--out a.csv/d", "--out a.csv/d: a.csv is a file, not a folder"),
        ("--out a.csv/d none.csv", "--out a.csv/d: a.csv is a file, not a folder"),
    ],
)
def test_bad_galleries_are_one_clear_line(
    words: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gallery", *words.split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith("regsolve: error: ")
    assert err.count("\n") == 1
    assert reason in err


def test_gallery_without_matplotlib_names_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["gallery", "--out", str(tmp_path)]) == 2
    assert "gallery needs matplotlib: python -m pip install 'reg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("0.0,0.0,1.5\n1.0,2.0,2.5\n2.0,1.0,0.5\n4.0,3.0,1.0\n", 4),
        ("0,1,2\n3.0,1.5,2\n1.0,2.0,5\n", 2),  # titles as pandas counts columns
        (",0,1,2\n0,3.0,1.5,2\n1,1.0,2.0,5\n", 2),
        ("1e3,1e3,7\n1,2,3\n", 2),
    ],
)
def test_a_first_line_of_numbers_is_data(text: str, rows: int, tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text(text)
    assert len(read(str(file)).y) == rows


def test_a_first_line_with_missing_numbers_is_data(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "data.csv"
    file.write_text("NA,1.5,2\n3,1,2\n4,2,5\n5,5,1\n6,1,1\n")
    data = read(str(file))
    assert data.X.shape == (5, 2)
    assert np.isnan(data.X[0, 0])
    assert main(["path", str(file)]) == 2
    assert "NaN" in capsys.readouterr().err


def test_marks_of_byte_order_are_no_number(tmp_path: Path) -> None:
    file = tmp_path / "alphas.txt"
    file.write_bytes(b"\xef\xbb\xbf0.5\n0.1\n")
    np.testing.assert_array_equal(read_vector(str(file)), [0.5, 0.1])


def test_blanks_around_titles_are_no_part_of_them(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("a, b, y\n1, 2, 3\n4, 5, 7\n")
    data = read(str(file), "b")
    assert data.feature_names == ["a", "y"]
    np.testing.assert_array_equal(data.y, [2.0, 5.0])


def test_columns_that_look_like_numbers_tell_their_dtype(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    file = tmp_path / "data.parquet"
    pandas.DataFrame({"a": pandas.Categorical(["1", "2"]), "y": [1.0, 2.0]}).to_parquet(file)
    with pytest.raises(ValueError, match=r"'a' is not numeric \(its dtype is category\)"):
        read(str(file))


@pytest.mark.parametrize(
    "name", ["cut.svm.gz", "cut.svm.bz2", "cut.csv.gz", "cut.mtx.gz", "plain.svm.gz", "bad.npz"]
)
@pytest.mark.parametrize("command", ["path", "gallery"])
def test_damaged_files_are_named(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / name
    text = "".join(f"{k} 1:{k % 7} 2:{k % 5}\n" for k in range(2000)).encode()
    if name == "bad.npz":
        np.savez_compressed(file, X=rng.random((30, 4)), y=np.arange(30.0))
        data = bytearray(file.read_bytes())
        data[100:130] = bytes(30)
    elif name == "plain.svm.gz":
        data = bytearray(text)
    else:
        pack = bz2.compress if name.endswith(".bz2") else gzip.compress
        data = bytearray(pack(text)[:-40])
    file.write_bytes(data)
    asked = [command, str(file)]
    if command == "gallery":
        asked += ["--out", str(tmp_path)]
    elif ".mtx" in name:
        np.save(tmp_path / "y.npy", np.arange(3.0))
        asked += ["--target", str(tmp_path / "y.npy")]
    assert main(asked) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert name in line


def test_a_target_in_another_encoding_is_named(
    Xy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "X.npy", Xy[0])
    (tmp_path / "y.txt").write_bytes("größe\n1\n".encode("latin-1"))
    asked = ["path", str(tmp_path / "X.npy"), "--target", str(tmp_path / "y.txt")]
    assert main(asked) == 2
    assert "y.txt" in capsys.readouterr().err
    np.savez(tmp_path / "names.npz", X=Xy[0], y=Xy[1], feature_names="abc")
    assert main(["path", str(tmp_path / "names.npz")]) == 2
    assert "names.npz: feature_names has shape ()" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--plot"])
def test_an_output_that_is_a_folder_is_refused_at_once(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ("out.csv" if option == "--out" else "out.png")
    folder.mkdir()
    assert main(["path", str(tmp_path / "none.csv"), option, str(folder)]) == 2
    assert "that is a folder" in capsys.readouterr().err


@pytest.mark.parametrize("alphas", ["1000000000000", "1.5"])
def test_alphas_that_are_no_number_of_them_are_named(
    alphas: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["path", "diabetes", "--alphas", alphas]) == 2
    assert f"--alphas {alphas}: expected" in capsys.readouterr().err


def zip_with(file: Path, flags: int, needed: int) -> None:
    """An .npz whose headers ask for ``flags``, such as encryption, and version ``needed``."""
    np.savez(file, X=np.eye(3), y=np.arange(3.0))
    data = bytearray(file.read_bytes())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 6], data[at + 8] = needed, flags
        at = data.find(b"PK\x01\x02", at + 1)
    data[4], data[6] = needed, flags
    file.write_bytes(data)


@pytest.mark.parametrize("kind", ["encrypted.npz", "newer.npz", "header.npy", "none.svm.gz"])
def test_damage_of_any_byte_is_named(
    kind: str, Xy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / kind
    if kind == "header.npy":
        np.save(file, Xy[0])
        file.write_bytes(file.read_bytes().replace(b"}", b"{", 1))
    elif kind == "none.svm.gz":
        file.write_bytes(b"")
    else:
        zip_with(file, flags=int(kind == "encrypted.npz"), needed=99 if "newer" in kind else 20)
    for asked in (["path", str(file)], ["gallery", str(file), "--out", str(tmp_path)]):
        assert main(asked) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert kind in line


@pytest.mark.parametrize("end", ["1.5E", "1.5e-", "1.5 ", "1.5*"])
@pytest.mark.parametrize("name", ["cut.mtx", "cut.mtx.gz", "cut.mtx.bz2"])
def test_matrices_that_break_off_are_named(name: str, end: str, tmp_path: Path) -> None:
    """SciPy's reader would end the process there."""
    text = "%%MatrixMarket matrix array real general\n2 1\n0.5\n"
    _compress((text + end).encode(), tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} is not a Matrix Market file: .*break"):
        read(str(tmp_path / name))
    _compress((text + "1.5e-1").encode(), tmp_path / name)
    np.save(tmp_path / "y.npy", np.arange(2.0))
    found = read(str(tmp_path / name), str(tmp_path / "y.npy")).X
    np.testing.assert_array_equal(found, [[0.5], [0.15]])


@pytest.mark.parametrize("option", ["--out", "--plot"])
@pytest.mark.parametrize("exists", [True, False])
def test_an_output_without_leave_to_write_is_refused_at_once(
    option: str,
    exists: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / ("out.csv" if option == "--out" else "out.png")
    if exists:
        file.touch()
    asked: list[Path] = []

    def refuse(place: Any, _mode: int) -> bool:
        asked.append(Path(place))
        return False

    monkeypatch.setattr(os, "access", refuse)
    assert main(["path", str(tmp_path / "none.csv"), option, str(file)]) == 2
    assert f"{option} {file}: no leave to write there" in capsys.readouterr().err
    assert asked == [file if exists else tmp_path]


def test_a_gallery_without_leave_to_write_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Path] = []

    def refuse(place: Any, _mode: int) -> bool:
        asked.append(Path(place))
        return False

    monkeypatch.setattr(os, "access", refuse)
    folder = tmp_path / "new" / "deep"
    assert main(["gallery", str(tmp_path / "none.csv"), "--out", str(folder)]) == 2
    assert f"--out {folder}: no leave to write there" in capsys.readouterr().err
    assert asked == [tmp_path]
    assert not (tmp_path / "new").exists()
