"""The rooms of :mod:`regsolve.certificate`: NumPy and SciPy alone, apart from every solver."""
