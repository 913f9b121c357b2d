"""What a result says about the software behind it."""

import platform
from functools import cache
from importlib.metadata import version

from registry import __version__


def product_version():
    """The version of the product, such as `0.1.0`."""
    return __version__


@cache
def software():
    """Name and version of everything that a number depends on, in one line."""
    return (
        f"metaspine {product_version()}, Python {platform.python_version()}, "
        f"NumPy {version('numpy')}, SciPy {version('scipy')}"
    )
