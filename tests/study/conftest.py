"""Pages as each of the cast sees them."""

from tests.web.conftest import browse, text

__all__ = ["browse", "text"]
