"""Lasso and ElasticNet with scikit-learn's names, order and defaults.

They state problems and keep answers; every number comes from the core behind
:func:`regsolve.solve`.
"""

from __future__ import annotations

import re
import sys
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.base import MultiOutputMixin
from sklearn.utils import metadata_routing

from .. import _validate, penalties
from ..targets import solve_targets
from .gram import check_precompute
from .paths import enet_path
from .predictor import LinearPredictor, row_weights, training_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from ..solution import Progress, Solution


class ElasticNet(MultiOutputMixin, LinearPredictor):  # type: ignore[misc]
    """Linear regression with an L1 and an L2 penalty, proven by a duality gap.

    Minimises, over w (p,) and the intercept b,

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i)
            + alpha sum_j f_j [l1_ratio |e_j w_j| + (1 - l1_ratio) (e_j w_j)^2 / 2],

    lower <= w <= upper; e_j is 1, or the standard deviation of column j under ``standardize``.

    Parameters
    ----------
    alpha : float, default 1.0
    l1_ratio : float in [0, 1], default 0.5
    fit_intercept : bool, default True
        The intercept is never penalised.
    precompute : "auto", bool or (p, p), default False
        A Gram matrix is compared with X, then left alone: the solver takes its own products.
    copy_X, random_state, selection
        Accepted as scikit-learn does; they do not change the answer, and X is never written.
    max_iter : int, optional
        Most direct solves or epochs; None: no limit.
    tol : float, default 1e-6
        On the duality gap over the objective of the null model.
    warm_start : bool, default False
        Start from the coefficients of the last fit.
    positive : bool, default False
        Constrain w >= 0.
    weights : (p,), optional
        Penalty factors f_j in [0, inf]; 0: not penalised, inf: left out.
    lower, upper : float or (p,), optional
        Bounds on w, lower <= 0 <= upper.
    standardize : bool, default False
        e_j is the standard deviation of column j, about 0 without an intercept, not 1.
    n_threads : int, optional
        Default: the cores that the process may use, at most OMP_NUM_THREADS where that is set, as
        joblib's loky does in its workers. The answer does not depend on it.
    max_time : float, optional
        Seconds after which the best iterate is kept, with a ConvergenceWarning.
    callback : function of Progress, optional
        A true return ends the fit; what is reached is kept.
    verbose : bool or int, default False
        Say on standard error how each target was solved.

    Attributes
    ----------
    coef_ : (p,) float64, or (n_targets, p) where there are several
    sparse_coef_ : SciPy CSR matrix of ``coef_``, (n_targets, p)
    intercept_ : float or (n_targets,)
    n_iter_ : int or list of int
        Direct solves and epochs; 0 where the warm start was the answer.
    status_ : str or list of str
        "optimal" where ``tol`` is proven; else what ended the fit.
    dual_gap_ : float or (n_targets,)
        Primal less dual objective, in the units of the objective above.
    certificate_ : Certificate or list of them
    report_ : Report or list of them
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters; the message names them.
    regsolve.Interrupted
        On Ctrl-C, with the certified best iterate; the estimator is left as it was.
    """

    # routing passes on what belongs to the data
    __metadata_request__fit = {"check_input": metadata_routing.UNUSED}  # noqa: RUF012

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int | None = None,
        copy_X: bool = True,
        tol: float = 1e-6,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        weights: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
        max_time: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.weights = weights
        self.lower = lower
        self.upper = upper
        self.standardize = standardize
        self.n_threads = n_threads
        self.max_time = max_time
        self.callback = callback
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        check_input: bool = True,
    ) -> ElasticNet:
        """Fit to X (n, p) and y (n,) or (n, n_targets); each target is a problem of its own.

        ``check_input`` is accepted as scikit-learn does.
        """
        with self._unchanged_on_error():
            self._fit(X, y, sample_weight)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        self._check_parameters()
        X, y = training_data(self, X, y, multi_output=True)
        sample_weight = row_weights(sample_weight, X.shape[0])
        check_precompute(
            self.precompute, X, sample_weight=sample_weight, fit_intercept=self.fit_intercept
        )
        targets = y.reshape(len(y), -1)
        penalty = self._penalty()
        start = self._start(targets.shape[1], X.shape[1])
        found = solve_targets(
            X,
            np.asarray(targets, dtype=np.float64),
            penalty=penalty,
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            coef_inits=start,
            tol=self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time,
            n_threads=self.n_threads,
            callback=self.callback,
        )
        self._keep(found, started=start is not None)

    def _keep(self, found: list[Solution], *, started: bool) -> None:
        single = len(found) == 1
        coef = np.array([one.coef for one in found])
        intercepts = np.array([one.intercept for one in found])
        gaps = np.array([one.certificate.gap for one in found])
        least = 0 if started else 1
        steps = [max(least, one.report.n_solves + one.report.n_epochs) for one in found]
        statuses = [one.status for one in found]
        proofs, reports = [one.certificate for one in found], [one.report for one in found]
        for one in found if self.verbose else []:
            gap = one.certificate.relative_gap
            sys.stderr.write(
                f"{type(self).__name__}: {one.status}, {np.count_nonzero(one.coef)} non-zeros, "
                f"relative gap {gap:.2e}, {one.report.n_passes:.3g} readings of X, "
                f"{one.report.seconds:.3g} s\n"
            )
        self.coef_ = coef[0] if single else coef
        self.intercept_: Any = float(intercepts[0]) if single else intercepts
        self.dual_gap_: Any = float(gaps[0]) if single else gaps
        self.n_iter_: Any = steps[0] if single else steps
        self.status_: Any = statuses[0] if single else statuses
        self.certificate_: Any = proofs[0] if single else proofs
        self.report_: Any = reports[0] if single else reports

    def _check_parameters(self) -> None:
        for name in ("alpha", "l1_ratio", "tol"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise TypeError(f"{name}={value!r}: expected a number")
        if self.max_iter is not None and not isinstance(self.max_iter, Integral):
            raise TypeError(f"max_iter={self.max_iter!r}: expected an integer or None")
        if self.selection not in ("cyclic", "random"):
            raise ValueError(f"selection={self.selection!r}: expected 'cyclic' or 'random'")

    def _penalty(self) -> Any:
        return penalties.ElasticNet(
            float(self.alpha),
            float(self.l1_ratio),
            weights=self.weights,
            lower=self.lower,
            upper=self.upper,
            positive=_validate.boolean("positive", self.positive),
        )

    def _start(self, n_targets: int, p: int) -> NDArray[np.float64] | None:
        if not _validate.boolean("warm_start", self.warm_start) or not hasattr(self, "coef_"):
            return None
        start = np.atleast_2d(np.asarray(self.coef_, dtype=np.float64))
        return start if start.shape == (n_targets, p) else None

    @property
    def sparse_coef_(self) -> sparse.csr_matrix:
        """``coef_`` as a SciPy CSR matrix, (n_targets, p)."""
        return sparse.csr_matrix(self.coef_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class Lasso(ElasticNet):
    """Linear regression with an L1 penalty, proven by a duality gap.

    :class:`ElasticNet` with l1_ratio = 1, and its parameters otherwise:

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i) + alpha sum_j f_j |e_j w_j|.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-6,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        weights: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
        max_time: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
        verbose: bool | int = False,
    ) -> None:
        super().__init__(
            alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            weights=weights,
            lower=lower,
            upper=upper,
            standardize=standardize,
            n_threads=n_threads,
            max_time=max_time,
            callback=callback,
            verbose=verbose,
        )


def parameters_of(described: type, *, without: str) -> str:
    """The docstring of a class from its parameters on, less those of one line that it names."""
    head, name, rest = (described.__doc__ or "").partition("Parameters\n")
    kept = [line for line in rest.splitlines(True) if not line.lstrip().startswith(without)]
    return head[len(head.rstrip()) :] + name + "".join(kept)


def completed(described: type, *, by: type, without: str = "") -> str:
    """The docstring of a class, each section followed by the entries that only ``by`` has there."""
    own, other = ((one.__doc__ or "").rstrip() for one in (described, by))
    head, *rest = re.split(r"\n    (\w+)\n    -+\n", own)
    theirs = re.split(r"\n    (\w+)\n    -+\n", other)
    sections, mine = dict(zip(theirs[1::2], theirs[2::2], strict=True)), rest[::2]
    texts = {name: rest[rest.index(name) + 1] if name in mine else "" for name in sections}
    out = head
    for name, text in sections.items():
        known = {word for line in _titles(texts[name]) for word in re.findall(r"\w+", line)}
        entries = re.split(r"\n(?=    \S)", text.strip("\n"))
        kept = [one for one in entries if not _names(one) <= known and _names(one) != {without}]
        body = "\n".join([*texts[name].strip("\n").split("\n"), *kept]).strip("\n")
        out = f"{out.rstrip()}\n\n    {name}\n    {'-' * len(name)}\n{body}\n"
    return out


def _titles(section: str) -> list[str]:
    """What stands before the colons of a section's entries."""
    return [line.split(" : ")[0] for line in section.split("\n") if re.match(r"    \S", line)]


def _names(entry: str) -> set[str]:
    return set(re.findall(r"\w+", entry.split("\n")[0].split(" : ")[0]))


if Lasso.__doc__:  # for help() and scikit-learn's HTML view
    Lasso.__doc__ = Lasso.__doc__.rstrip() + parameters_of(ElasticNet, without="l1_ratio :")
