"""The judge: objective, duality gap and optimality conditions of any coefficients.

NumPy and SciPy alone, in float64, apart from every solver. With omega_i = s_i / sum s,
z_i = x_i'w + b + offset_i and a loss f that is convex in z, the problem is

    minimise  P(w, b) = sum_i omega_i f(y_i, z_i) + sum_j g_j(w_j)

and its dual, over u in R^n with sum_i u_i = 0 where b is fitted,

    maximise  D(u) = - sum_i [omega_i f*(y_i, -u_i / omega_i) + u_i offset_i] - sum_j g_j*(x_j'u).

D(u) <= P(w, b) for every u and (w, b), so P - D bounds how far P is above its minimum, convex or
not.

References
----------
Rockafellar (1970), Convex Analysis, section 31 (Fenchel duality).
"""

from ..solution import Certificate
from .judge import certify, verify
from .problem import Problem, problem_of
from .rounding import NULL, RETURNED

__all__ = ["NULL", "RETURNED", "Certificate", "Problem", "certify", "problem_of", "verify"]
