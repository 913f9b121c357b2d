"""What a result says about the software behind it."""

import platform
import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def product_version():
    """The version in pyproject.toml: the product runs from its folder and is not installed as a package."""
    with (Path(__file__).parents[3] / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]["version"]


@cache
def software():
    """Name and version of everything that a number depends on, in one line."""
    return (
        f"metaspine {product_version()}, Python {platform.python_version()}, "
        f"NumPy {version('numpy')}, SciPy {version('scipy')}"
    )
