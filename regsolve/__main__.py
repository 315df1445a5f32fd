"""``python -m regsolve``; see :mod:`regsolve.cli`."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
