"""The command line: ``path DATA`` fits, certifies and draws, ``gallery`` draws the theory."""

from __future__ import annotations

import argparse
import csv
import errno
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from ._read import BUNDLED, FORMATS, Data, is_number, read, read_vector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .solution import Path, Progress

CERTIFIED, NOT_CONVERGED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
MOST_ALPHAS = 1_000_000
_OUT = (".npz", ".csv")
_PLOT = (".png", ".pdf", ".svg")
_ROWS = 12
_GALLERY_DATA = "diabetes"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line on ``argv`` (default: the process's arguments).

    Returns
    -------
    int
        0 when every alpha is certified to the tolerance, or all is drawn; 1 when some alpha is
        not (a warning on standard error says how far it is), 2 on bad input (one line on standard
        error), 130 on Ctrl-C, after what was finished is shown and saved.
    """
    try:
        args = _parser().parse_args(argv)
        return _run_gallery(args) if args.command == "gallery" else _run_path(args)
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except MemoryError:
        _complain("error: the data do not fit in memory")
        return BAD_INPUT
    except (ValueError, TypeError, OSError, ImportError) as error:
        _complain(f"error: {error}")
        return BAD_INPUT


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are exceptions, so that every complaint is one line."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (--help shows the usage)")


class _Version(argparse.Action):
    """Prints the version, which is looked up in the installed package only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from . import __version__

        print(f"regsolve {__version__}")
        parser.exit()


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m regsolve",
        description="Regularised linear models, each answer proven by its duality gap.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    path = commands.add_parser(
        "path",
        help="fit a path of alphas",
        description="Fit a regularisation path, print it, save it and draw it.",
        epilog="exit status: 0 certified, 1 not converged, 2 bad input, 130 interrupted",
    )
    path.add_argument("data", metavar="DATA", help=f"{FORMATS}, or one of {', '.join(BUNDLED)}")
    path.add_argument(
        "--target",
        metavar="COLUMN|FILE",
        help="the target: a column of the table, or a file with one number a sample",
    )
    path.add_argument("--loss", choices=["quadratic"], default="quadratic")
    path.add_argument(
        "--l1-ratio",
        type=float,
        default=1.0,
        metavar="R",
        help="1 is the lasso, 0 is ridge, between them the elastic net (default 1)",
    )
    path.add_argument(
        "--alphas",
        default="100",
        metavar="FILE|N",
        help="how many alphas, or a file that lists them (default 100)",
    )
    path.add_argument(
        "--alpha-min-ratio",
        type=float,
        metavar="R",
        help="least alpha over the largest (default 0.001, or 0.01 if samples < features)",
    )
    path.add_argument(
        "--standardize", action="store_true", help="penalise coefficients per standard deviation"
    )
    path.add_argument("--no-intercept", action="store_true", help="fit no intercept")
    path.add_argument(
        "--tol",
        type=float,
        default=1e-6,
        metavar="T",
        help="duality gap over the null model's objective (default 1e-6)",
    )
    path.add_argument("--threads", type=int, metavar="N", help="threads (default: all cores)")
    path.add_argument("--max-time", type=float, metavar="S", help="stop after S seconds")
    path.add_argument("--plot", metavar="FILE", help=f"draw the path: {' '.join(_PLOT)}")
    path.add_argument("--out", metavar="FILE", help=f"save the coefficients: {' '.join(_OUT)}")
    path.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show a bar on standard error (default: if it is a terminal)",
    )
    gallery = commands.add_parser(
        "gallery",
        help="draw what L1 and L2 do to your data",
        description="Draw norm balls, paths, shrinkage, thresholds, weight decay, priors and "
        "posteriors of each data set, as DIR/NAME-PICTURE.png.",
        epilog="exit status: 0 drawn, 2 bad input, 130 interrupted",
    )
    gallery.add_argument(
        "data", metavar="DATA", nargs="*", help=f"as of path (default {_GALLERY_DATA})"
    )
    gallery.add_argument("--out", metavar="DIR", required=True, help="folder, made if need be")
    gallery.add_argument(
        "--target", metavar="COLUMN|FILE", help="as of path, for one data set alone"
    )
    return parser


def _run_gallery(args: argparse.Namespace) -> int:
    """Draw all pictures of each data set; a line for each file says how far it is."""
    _require_matplotlib("gallery")
    sources = args.data or [_GALLERY_DATA]
    if args.target is not None and len(sources) > 1:
        raise ValueError("--target belongs to one data set: draw them one at a time")
    stems = [FilePath(source).name.split(".")[0] for source in sources]
    if len(set(stems)) < len(stems):
        raise ValueError("two data sets have the same name: draw them into different folders")
    folder = FilePath(args.out)
    _check_folder(folder)
    from .views.gallery import PICTURES, gallery

    for source, stem in zip(sources, stems, strict=True):
        data = read(source, args.target)
        folder.mkdir(parents=True, exist_ok=True)
        files = gallery(data.X, data.y, folder, name=stem, feature_names=data.feature_names)
        for k, file in enumerate(files, start=1):
            _say(f"{k:2d} of {len(PICTURES)}  {file}")
    return CERTIFIED


def _run_path(args: argparse.Namespace) -> int:
    _check_outputs(args)
    grid = _grid(args)
    data = read(args.data, args.target)
    n_samples, n_features = np.shape(data.X)
    _say(f"{data.name}: {n_samples} samples, {n_features} features, {_model(args)}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path, interrupted = _fit(data, grid, args)
    code = INTERRUPTED if interrupted else _judge(path, caught, _n_asked(grid))
    if interrupted:
        _complain(f"interrupted after {len(path.alphas)} alphas")
    if args.out:
        _save(path, data.feature_names, FilePath(args.out))
    if args.plot and len(path.alphas):
        _draw(path, data, FilePath(args.plot))
    _print_table(path)
    return code


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse an output that could not be written, before the data are read."""
    for option, file, endings in (("--out", args.out, _OUT), ("--plot", args.plot, _PLOT)):
        if file is None:
            continue
        place = FilePath(file).absolute()
        if place.suffix.lower() not in endings:
            raise ValueError(f"{option} {file}: expected a name ending in {' '.join(endings)}")
        if not place.parent.is_dir():
            raise ValueError(f"{option} {file}: there is no such folder")
        if place.is_dir():
            raise ValueError(f"{option} {file}: that is a folder")
        if not os.access(place if place.exists() else place.parent, os.W_OK):
            raise ValueError(f"{option} {file}: no leave to write there")
        for source in (args.data, args.target, args.alphas):
            if source is not None and _same_file(file, source):
                raise ValueError(f"{option} {file} would overwrite the input {source}")
    if args.plot is not None:
        _require_matplotlib("--plot")


def _check_folder(folder: FilePath) -> None:
    """Refuse a folder that could not be made or written to, before the data are read."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        which = "this" if there == folder else there
        raise ValueError(f"--out {folder}: {which} is a file, not a folder")
    if not os.access(there, os.W_OK):
        raise ValueError(f"--out {folder}: no leave to write there")


def _same_file(one: str, other: str) -> bool:
    """Whether both are names of one file that exists, links included."""
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _require_matplotlib(asked: str) -> None:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ValueError(
            f"{asked} needs matplotlib: python -m pip install 'regsolve[plot]' brings it"
        ) from None


def _grid(args: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords of ``path`` that set its alphas."""
    try:
        n_alphas = int(args.alphas)
    except ValueError:
        if is_number(args.alphas):
            raise ValueError(
                f"--alphas {args.alphas}: expected how many, a whole number, or a file"
            ) from None
        if args.alpha_min_ratio is not None:
            raise ValueError("--alpha-min-ratio has no meaning where a file lists alphas") from None
        return {"alphas": read_vector(args.alphas, "alphas")}
    if n_alphas > MOST_ALPHAS:
        raise ValueError(f"--alphas {n_alphas}: expected n_alphas <= {MOST_ALPHAS}")
    return {"n_alphas": n_alphas, "alpha_min_ratio": args.alpha_min_ratio}


def _n_asked(grid: dict[str, Any]) -> int:
    return len(grid["alphas"]) if "alphas" in grid else int(grid["n_alphas"])


def _model(args: argparse.Namespace) -> str:
    names = {1.0: "lasso", 0.0: "ridge"}
    model = names.get(args.l1_ratio, f"elastic net with l1_ratio {args.l1_ratio:g}")
    return f"{args.loss} loss, {model}{', standardised' if args.standardize else ''}"


def _fit(data: Data, grid: dict[str, Any], args: argparse.Namespace) -> tuple[Path, bool]:
    """Fit the path; on Ctrl-C what is finished, and True."""
    import regsolve
    from regsolve._validate import ColumnError
    from regsolve.penalties import L1, ElasticNet

    penalty = L1() if args.l1_ratio == 1.0 else ElasticNet(l1_ratio=args.l1_ratio)
    shown = sys.stderr.isatty() if args.progress is None else args.progress
    with _bar(shown) as callback:
        try:
            path = regsolve.path(
                data.X,
                data.y,
                penalty=penalty,
                loss=regsolve.losses.Quadratic(),
                fit_intercept=not args.no_intercept,
                standardize=args.standardize,
                tol=args.tol,
                max_time=args.max_time,
                n_threads=args.threads,
                callback=callback,
                **grid,
            )
        except regsolve.Interrupted as stop:
            return cast("Path", stop.result), True
        except ColumnError as error:
            names = data.feature_names
            raise (error if names is None else error.named(names)) from None
    return path, False


@contextmanager
def _bar(shown: bool) -> Iterator[Any]:
    """A callback that moves a tqdm bar on standard error, or None without one."""
    try:
        from tqdm import tqdm
    except ImportError:
        shown = False
    if not shown:
        yield None
        return
    with tqdm(unit="alpha", file=sys.stderr, leave=False) as bar:

        def advance(progress: Progress) -> None:
            bar.total = progress.n_steps
            bar.set_postfix(support=progress.support, gap=f"{progress.gap:.0e}", refresh=False)
            bar.update(progress.step - bar.n)

        yield advance


def _judge(path: Path, caught: list[warnings.WarningMessage], n_alphas: int) -> int:
    """Pass the warnings on; the exit status that the path deserves."""
    finished = len(path.alphas)
    for warning in caught:
        _complain(f"warning: {warning.message}")
    if path.converged and finished == n_alphas:
        return CERTIFIED
    if finished < n_alphas:
        _complain(f"warning: stopped after {finished} of {n_alphas} alphas")
    if finished and not path.converged and not caught:
        _complain(f"warning: not converged: relative gap {path.relative_gaps.max():.1e}")
    return NOT_CONVERGED


def _save(path: Path, feature_names: list[str] | None, file: FilePath) -> None:
    """Write the coefficients.

    An .npz has alphas, intercepts, relative_gaps, feature_names (empty where the data name none)
    and the p x m coefficients as CSC parts, so that ``scipy.sparse.load_npz`` reads them too. A
    .csv has one line for each non-zero coefficient and intercept.
    """
    coefs = path.coefs
    if file.suffix.lower() == ".npz":
        with file.open("wb") as stream:
            np.savez(
                stream,
                alphas=path.alphas,
                data=coefs.data,
                indices=coefs.indices,
                indptr=coefs.indptr,
                shape=np.array(coefs.shape),
                format=np.array(b"csc"),
                intercepts=path.intercepts,
                relative_gaps=path.relative_gaps,
                feature_names=np.array(feature_names or [], dtype=np.str_),
            )
        return
    with file.open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["alpha", "relative_gap", "feature", "coef"])
        for k, alpha in enumerate(path.alphas.tolist()):
            head = [alpha, float(path.relative_gaps[k])]
            writer.writerow([*head, "(intercept)", float(path.intercepts[k])])
            for at in range(coefs.indptr[k], coefs.indptr[k + 1]):
                j = int(coefs.indices[at])
                name = feature_names[j] if feature_names else f"x{j}"
                writer.writerow([*head, name, float(coefs.data[at])])


def _draw(path: Path, data: Data, file: FilePath) -> None:
    from .plots import coefficient_path
    from .plots.drawing import literal

    axes = coefficient_path(path, feature_names=data.feature_names)
    axes.set_title(literal(data.name), loc="left", fontweight="bold")
    cast("Figure", axes.figure).savefig(file, dpi=160)


def _print_table(path: Path) -> None:
    """Some twelve alphas spread over the path, then how it was reached."""
    m = len(path.alphas)
    lines = [f"{'alpha':>11}  {'support':>8}  {'deviance explained':>18}  {'relative gap':>12}"]
    for k in np.unique(np.linspace(0, m - 1, min(m, _ROWS)).round().astype(int)).tolist():
        lines.append(
            f"{path.alphas[k]:11.4g}  {path.df[k]:8d}  {path.deviance_ratio[k]:18.4f}  "
            f"{path.relative_gaps[k]:12.1e}"
        )
    report = path.report
    statuses = ", ".join(f"{n} {status}" for status, n in Counter(path.statuses).most_common())
    lines.append(
        f"{report.n_passes:.3g} readings of X, {report.seconds:.3g} s, mode {report.mode} "
        f"({report.why.rstrip('.')}); {m} alphas: {statuses or 'none finished'}"
    )
    _say("\n".join(lines))


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # EINVAL: a closed pipe on Windows
            raise
        # The reader has seen enough; no later print, nor the flush at exit, may fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    print(f"regsolve: {' '.join(message.split())}", file=sys.stderr)
