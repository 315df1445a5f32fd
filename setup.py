"""Builds the one extension, regsolve._core; everything else stands in pyproject.toml."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from hashlib import sha256
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("REGSOLVE_DEBUG") == "1"
SANITIZE = os.environ.get("REGSOLVE_SANITIZE", "")

if sys.platform == "win32":
    compile_args = ["/std:c++17", "/O2", "/EHsc", "/openmp:experimental"]
    link_args = []
else:
    compile_args = ["-std=c++17", "-O3", "-fopenmp-simd", "-fvisibility=hidden", "-pthread"]
    # errno and floating point traps are asked by nobody: roots and choices may go by vectors
    compile_args += ["-fno-math-errno", "-fno-trapping-math"]
    link_args = ["-pthread"]
    if DEBUG:
        compile_args += ["-O1", "-g", "-D_GLIBCXX_ASSERTIONS", "-DREGSOLVE_DEBUG"]
    else:
        compile_args += ["-g0"]  # Python's own flags ask for eight times the bytes
    if os.environ.get("REGSOLVE_WERROR") == "1":
        compile_args += ["-Wall", "-Wextra", "-Werror"]
    if SANITIZE:
        flags = [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"]
        compile_args += flags
        link_args += flags


class SideBySide(build_ext):
    """Compiles the sources side by side: each CPU target's takes most of a minute.

    Objects stay in the folder build, each beside a digest of all that it was made from, so that a
    second install compiles only what has changed.
    """

    def build_extensions(self) -> None:
        self.build_temp = f"build/{sys.implementation.cache_tag}"
        one_by_one = self.compiler.compile
        commands = [getattr(self.compiler, part, "") for part in ("compiler_so", "compiler_so_cxx")]
        headers = b"".join(Path(name).read_bytes() for name in sorted(core.depends))

        def compile_one(source, options):
            told = repr((sys.version, commands, sorted(options.items()))).encode()
            digest = sha256(told + headers + Path(source).read_bytes()).hexdigest()
            [made] = self.compiler.object_filenames([source], output_dir=self.build_temp)
            stamp = Path(made + ".sha256")
            if not (Path(made).exists() and stamp.exists() and stamp.read_text() == digest):
                stamp.unlink(missing_ok=True)
                one_by_one([source], **options)
                stamp.write_text(digest)
            return made

        def compile_all(sources, **options):
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return list(pool.map(lambda source: compile_one(source, options), sources))

        self.compiler.compile = compile_all
        super().build_extensions()


core = Extension(
    "regsolve._core",
    sources=[
        "regsolve/_core.pyx",
        "csrc/targets/select.cpp",
        "csrc/targets/baseline.cpp",
        "csrc/targets/avx2.cpp",
        "csrc/targets/avx512.cpp",
    ],
    depends=glob("csrc/*.hpp") + glob("csrc/targets/*.hpp"),
    include_dirs=["csrc"],
    language="c++",
    extra_compile_args=compile_args,
    extra_link_args=link_args,
)

setup(
    cmdclass={"build_ext": SideBySide},
    ext_modules=cythonize(
        [core],
        language_level=3,
        compiler_directives={
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": False,
            "autotestdict": False,
            "freethreading_compatible": True,
        },
    ),
)
