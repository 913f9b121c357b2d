"""Languages of the product: English, Japanese, and every further one that has a compiled catalogue in `locale/`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.conf.locale import LANG_INFO
from django.db import models
from django.utils.translation import get_language_info, gettext, override, to_language


def further_languages(catalogues: Path) -> list[tuple[str, str]]:
    """(code, its own name) of each language beside Japanese that has `CODE/LC_MESSAGES/django.mo`, by code.

    ValueError for a folder whose name is no language that Django knows.
    """
    languages = sorted(to_language(compiled.parts[-3]) for compiled in catalogues.glob("*/LC_MESSAGES/django.mo"))
    if unknown := [code for code in languages if "name_local" not in LANG_INFO.get(code, {})]:
        raise ValueError(f"{catalogues}: {', '.join(unknown)} is the name of no language, as de or pt_BR are")
    return [(code, LANG_INFO[code]["name_local"]) for code in languages if code not in ("en", "ja")]


def own_names() -> list[tuple[str, str]]:
    """(code, name in that language itself), for who cannot read the page yet; Japanese first, as for patients."""
    codes = sorted(dict(settings.LANGUAGES), key=lambda code: code != "ja")
    return [(code, get_language_info(code)["name_local"]) for code in codes]


def look_up(code: str, text: str) -> str:
    """A text in the language of a code; itself where the catalogue has none."""
    with override(code):
        return gettext(text)


class LanguageField(models.CharField):
    """The code of a language of the product. Migrations know the column alone: a catalogue needs none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 5)
        kwargs.setdefault("choices", own_names)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        kwargs.pop("choices", None)
        return name, "django.db.models.CharField", args, kwargs
