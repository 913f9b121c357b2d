"""Drop-downs above a list, and the chips that say which of them narrow it and lead to the list without them."""

from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True)
class Filter:
    """A drop-down above a list: its name in the address, its label, its choices (code, words), the code asked for."""

    name: str
    label: str
    options: list
    value: str

    @property
    def chosen(self):
        """The words of what is chosen; empty where nothing is, or nothing that is offered."""
        return next((words for code, words in self.options if code == self.value), "")


def codes(filters):
    """The codes of the filters that are set, by name."""
    return {chosen.name: chosen.value for chosen in filters if chosen.chosen}


def chips(filters, parameters):
    """The filters that are set, each with the address without it. `kept` is all that the address keeps, by name."""
    return [
        {
            "filter": narrowing,
            "without": urlencode({name: value for name, value in parameters.items() if name != narrowing.name}),
        }
        for narrowing in filters
        if narrowing.chosen
    ]
