from collections.abc import Callable
from typing import Any, final

from numpy.typing import NDArray

STATUSES: tuple[str, ...]

def cholesky(M: NDArray[Any]) -> bool: ...
def targets() -> list[str]: ...
def use_target(name: str | None = None) -> str: ...

@final
class Matrix:
    shape: tuple[int, int]
    arrays: tuple[Any, Any, Any]
    kind: str
    def __init__(
        self,
        data: NDArray[Any],
        indices: NDArray[Any] | None = None,
        indptr: NDArray[Any] | None = None,
        shape: tuple[int, int] | None = None,
    ) -> None: ...
    def xtr(self, R: Any, n_threads: int = 1) -> NDArray[Any]: ...
    def kernel(
        self, d: Any, V: Any, n_threads: int = 1, offset: Any = None, Z: NDArray[Any] | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def dot(self, j: int, u: Any) -> float: ...
    def axpy(self, j: int, a: float, weight: NDArray[Any] | None, u: NDArray[Any]) -> None: ...
    def gram(
        self, weight: NDArray[Any], centred: bool, n_threads: int = 1, of: str = "unit_norm"
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...
    def statistics(
        self, weight: NDArray[Any], centred: bool, n_threads: int = 1
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...

@final
class Poll: ...

@final
class Setup:
    def __init__(
        self,
        X: Matrix,
        y: NDArray[Any],
        *,
        offset: NDArray[Any] | None = None,
        sample_weight: NDArray[Any] | None = None,
        factor: NDArray[Any] | None = None,
        lower: NDArray[Any] | None = None,
        upper: NDArray[Any] | None = None,
        l1_ratio: float = 1.0,
        functions: tuple[int, ...] | None = None,
        loss: tuple[int, ...] | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        convex: bool = True,
    ) -> None: ...

def path(
    setup: Setup,
    *,
    alphas: NDArray[Any] | None = None,
    coef_init: NDArray[Any] | None = None,
    callback: Callable[..., Any] | None = None,
    **given: Any,
) -> tuple[dict[str, Any], BaseException | None]: ...
def paths(
    setups: list[Setup],
    *,
    alphas: NDArray[Any] | list[NDArray[Any]] | None = None,
    coef_inits: list[NDArray[Any] | None] | None = None,
    cells: NDArray[Any] | None = None,
    n_cells: int = 0,
    per_round: int = 0,
    callback: Callable[..., Any] | None = None,
    **given: Any,
) -> tuple[list[dict[str, Any]], BaseException | None]: ...
def stream(x: NDArray[Any], n_threads: int = 1) -> float: ...
def judge(
    setup: Setup, alpha: float, coef: NDArray[Any], intercept: float, n_threads: int = 1
) -> tuple[float, float, float, float, float]: ...
