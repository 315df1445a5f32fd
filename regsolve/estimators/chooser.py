"""What estimators that choose an alpha along a path share: grid, penalty, inputs, the choice."""

from __future__ import annotations

import sys
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import column_or_1d

from .. import _validate, penalties
from ..solution import together
from .predictor import LinearPredictor, training_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..solution import Path

LEAST = float(np.finfo(np.float64).tiny)


def check_grid(alphas: Any, eps: Any) -> None:
    """Raise for what is neither a number of alphas nor an array of them, or for eps not in (0, 1].

    TypeErrors and ValueErrors name the parameter.
    """
    _validate.share("eps", eps)
    if isinstance(alphas, Integral):
        _validate.positive_integer("alphas", alphas)
        return
    if not np.iterable(alphas) or isinstance(alphas, str):
        raise TypeError(f"alphas={alphas!r}: expected their number or an array of them")
    for k, alpha in enumerate(alphas):
        if not isinstance(alpha, Real):
            raise TypeError(f"alphas[{k}] must be an instance of float, not {type(alpha).__name__}")
        if not float(alpha) >= 0.0:
            raise ValueError(f"alphas[{k}] == {alpha}, must be >= 0.0: no penalty is at 0")


class AlphaChooser(LinearPredictor):
    """One target, a grid of alphas and an elastic net; the fit at one of the alphas is kept."""

    def _checked(self, X: Any, y: Any) -> tuple[Any, Any]:
        X, y = training_data(self, X, y, multi_output=True)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y has {y.shape[1]} targets and {type(self).__name__} chooses one alpha for "
                "one target: fit each column"
            )
        return X, y if y.ndim == 1 else column_or_1d(y, warn=True)

    def _penalty(self, ratio: float) -> Any:
        return penalties.ElasticNet(
            1.0,
            ratio,
            weights=self.weights,
            lower=self.lower,
            upper=self.upper,
            positive=_validate.boolean("positive", self.positive),
        )

    def _named(self, path: Path) -> Path:
        """The path with the titles of X's columns, where X was a data frame."""
        names = getattr(self, "feature_names_in_", None)
        return path if names is None else replace(path, feature_names=[str(name) for name in names])

    def _keep(
        self,
        paths: Sequence[Path],
        ratios: Sequence[float],
        m: int,
        chosen: tuple[int, int],
        solved: Sequence[Path],
    ) -> None:
        """Hold what was chosen, (number of the path, of its alpha), of paths at several l1_ratios.

        ``m`` alphas of each are told; ``solved`` are all paths, which tell why some are missing.
        """
        r, k = chosen
        several = np.size(getattr(self, "l1_ratio", 1.0)) > 1
        grids = np.array([path.alphas[:m] for path in paths])
        self.alphas_ = grids if several and isinstance(self.alphas, Integral) else grids[0]
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = ratios[r]
        self._chosen_path = r
        path = paths[r]
        self.path_, self.alpha_ = self._named(path), float(path.alphas[k])
        self.coef_ = path.coefs[:, [k]].toarray().ravel()
        self.intercept_ = float(path.intercepts[k])
        stopped = next((each.stopped for each in solved if each.stopped), None)
        self.status_ = stopped or path.statuses[k]
        self.certificate_ = path.certificate_of(k)
        self.dual_gap_ = self.certificate_.gap
        steps = path.report.n_solves + path.report.n_epochs
        self.n_iter_ = max(1, round(steps / len(path.alphas)))
        self.report_ = together([each.report for each in solved])

    def _tell(self, by: str = "", read_by: str = "") -> None:
        """Say on standard error what was chosen, by what criterion, and by whom X was read."""
        also = [name for name in ("l1_ratio_", "gamma_") if hasattr(self, name)]
        said = "".join(f", {name[:-1]} {getattr(self, name):g}" for name in also)
        sys.stderr.write(
            f"{type(self).__name__}: alpha {self.alpha_:.6g}{said}{by}, "
            f"{np.count_nonzero(self.coef_)} non-zeros, "
            f"relative gap {self.certificate_.relative_gap:.2e}, "
            f"{self.report_.n_passes:.3g} readings of X{read_by}, {self.report_.seconds:.3g} s\n"
        )
