"""The Japanese font that comes with the product (IPAexGothic): figures and the codebook look alike on any machine."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

FAMILY = "IPAexGothic"


@cache
def japanese():
    """Path of the TrueType file. The package is not imported: that would change matplotlib's settings."""
    spec = find_spec("matplotlib_fontja")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package matplotlib-fontja, which has the Japanese font, is not installed")
    return Path(spec.origin).with_name("fonts") / "ipaexg.ttf"
