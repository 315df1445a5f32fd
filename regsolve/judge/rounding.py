"""Which numbers the judge takes for a zero that was rounded.

A column with s_j <= CONSTANT |m_j| is constant; a null objective below NULL of the objective at
w = 0, b = 0 is zero, as is a gradient below its root; and an answer is the null model of such a
problem when its own objective is below RETURNED of that, its gradient below the root of RETURNED.
"""

import numpy as np

EPS = float(np.finfo(np.float64).eps)
CONSTANT = 8.0 * EPS
NULL = 1e-28
RETURNED = 1e-20
