"""The Japanese font that comes with the product (IPAexGothic): figures and the codebook look alike on any machine."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

FAMILY = "IPAexGothic"


@cache
def japanese():
    """Path of the TrueType file. The package is not imported: that would change matplotlib's settings."""
    found = find_spec("matplotlib_fontja")
    if found is None or found.origin is None:
        raise FileNotFoundError("the package matplotlib-fontja, which has the Japanese font, is not installed")
    return Path(found.origin).with_name("fonts") / "ipaexg.ttf"
