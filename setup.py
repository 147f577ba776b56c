"""Maps the folders at the root into the one namespace `ifonly`; all else stands in pyproject.toml."""

from setuptools import find_packages, setup

TOPS = ("sim", "agents", "scm", "scenarios")
# src/ifonly holds a symlink of each top's name, for type checkers and editors; the build must not walk them.
FACE = find_packages("src/ifonly", exclude=[pattern for top in TOPS for pattern in (top, f"{top}.*")])
NESTED = [name for top in TOPS for name in (top, *(f"{top}.{sub}" for sub in find_packages(top)))]

setup(
    packages=["ifonly", *(f"ifonly.{name}" for name in [*FACE, *NESTED])],
    package_dir={"ifonly": "src/ifonly", **{f"ifonly.{top}": top for top in TOPS}},
)
