"""Branding of the registry: the study's short name, logo, colours, contact and imprint, from the protocol that holds.

Colours are refused where text in them could not be read: WCAG 2.2 asks for a contrast of 4.5 (success criterion 1.4.3).
A logo is a small PNG, whose first bytes and measures are looked at; nothing draws it but the browser.
"""

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from django.core.cache import cache

from registry.instruments.base import Label
from registry.models import StudyLogo
from registry.protocol.definitions import Fault
from registry.services.current_protocol import FORGETTING, document_of, version

PRODUCT = "Metaspine"
LARGEST, WIDEST, TALLEST = 64 * 1024, 800, 200  # bytes, pixels
PNG = b"\x89PNG\r\n\x1a\n"
REMEMBERED = "study-brand"  # in the cache, for a process that begins while the database is away
LEAST = 4.5  # contrast of text
# What the colours stand beside: white text on the bar; links and buttons on white, on the ground and on their own tint.
WHITE, GROUND = (255, 255, 255), (244, 246, 248)

NO_COLOUR = Label("is no colour; #123a56 would fit", "色の指定ではありません（例：#123a56）")
TOO_FAINT = Label(
    "has a contrast of {ratio}, and 4.5 is needed to be read; {fits} would fit",
    "コントラスト比が{ratio}で、読みやすさの基準4.5に足りません（{fits}なら可）",
)
TOO_HEAVY = Label("has {kb} kB; at most 64 kB fit", "{kb} kBです（上限64 kB）")
NO_PNG = Label("is no PNG file", "PNGファイルではありません")
TOO_LARGE = Label(
    "has {kb} kB and {width} × {height} pixels; at most 64 kB and 800 × 200 fit",
    "{kb} kB、{width}×{height}ピクセルです（上限64 kB、800×200ピクセル）",
)


@dataclass(frozen=True)
class Brand:
    """What pages, mails and the printed protocol call the registry, and how it looks. Empty texts: as the product."""

    short_name: str = ""
    names: tuple[tuple[str, str], ...] = ()  # (language, name of the study)
    contact: str = ""
    imprint: str = ""
    bar: str = ""
    accent: str = ""
    logo: str = ""  # digest of the StudyLogo

    @property
    def called(self) -> str:
        return self.short_name or PRODUCT

    def name(self, language: str) -> str:
        """The name of the study in a language, or in English; empty where it has none."""
        names = dict(self.names)
        return names.get((language or "en")[:2]) or names.get("en", "")

    @cached_property
    def style(self) -> str:
        """The style sheet of the colours; empty where they are the product's."""
        lines = [f"--bar: {self.bar};"] if self.bar else []
        if self.accent:
            rgb = _rgb(self.accent)
            dark, soft = _mixed(rgb, (0, 0, 0), 0.22), _mixed(rgb, WHITE, 0.9)
            lines += [
                f"--accent: {self.accent};",
                f"--accent-dark: {_hex(dark)};",
                f"--accent-soft: {_hex(soft)};",
                f"--bs-link-color-rgb: {', '.join(map(str, rgb))};",
                f"--bs-link-hover-color-rgb: {', '.join(map(str, dark))};",
            ]
        return f":root {{ {' '.join(lines)} }}\n" if lines else ""

    @cached_property
    def mark(self) -> str:
        """Changes with the colours and the logo, for addresses that browsers keep."""
        return hashlib.sha256(f"{self.style}{self.logo}".encode()).hexdigest()[:12]

    def said(self, text: str) -> str:
        """A text of the product under the registry's own name."""
        return text.replace(PRODUCT, self.called)

    def signed(self, text: str) -> str:
        """The body of a mail with the registry's name in it, and contact and imprint below it."""
        foot = [line for line in (self.called, self.contact, self.imprint) if line]
        body = self.said(text).rstrip()
        return f"{body}\n\n-- \n" + "\n".join(foot) + "\n" if self.contact or self.imprint else body + "\n"


_known: dict[int, Brand] = {}


def current() -> Brand:
    """The Brand of the protocol that holds; read once for each of its versions."""
    number = version()
    if number not in _known:
        _known.clear()
        _known[number] = _of(document_of(number).get("study") or {})
        cache.set(REMEMBERED, asdict(_known[number]), timeout=None)
    return _known[number]


def remembered() -> Brand:
    """The Brand that this process read last, or any did, and else the product's: for pages while the database is away.

    Looks are taken only where they are colours: nothing that a cache holds becomes a style sheet unseen.
    """
    if _known:
        return next(reversed(_known.values()))
    cached = cache.get(REMEMBERED) or {}
    brand = Brand(**cached) if cached.keys() <= Brand.__dataclass_fields__.keys() else Brand()
    return brand if next(faults({"colour": brand.bar, "accent": brand.accent}), None) is None else Brand()


FORGETTING.append(_known.clear)


def _of(about: Any) -> Brand:
    name = about.get("name") or {}
    return Brand(
        about.get("short_name") or "",
        tuple((language, name[language]) for language in ("en", "ja") if name.get(language)),
        about.get("contact") or "",
        about.get("imprint") or "",
        about.get("colour") or "",
        about.get("accent") or "",
        about.get("logo") or "",
    )


def faults(about: Any) -> Iterator[Fault]:
    """What is wrong with the colours of a study."""
    for key, beside in (("colour", (WHITE,)), ("accent", (WHITE, GROUND))):
        colour = about.get(key) or ""
        if not colour:
            continue
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
            yield Fault(0, key, colour[:80], NO_COLOUR)
        elif (least := _least(_rgb(colour), beside)) < LEAST:
            fits = _hex(_darkened(_rgb(colour), beside))
            yield Fault(0, key, colour, TOO_FAINT.format(ratio=f"{int(least * 10) / 10:.1f}", fits=fits))


def contrast(colour: Any, other: Any) -> float:
    """The contrast ratio of two colours (red, green, blue), 1 to 21: WCAG 2.2, “contrast ratio”."""
    lighter, darker = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Any) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _least(colour: Any, beside: Any) -> float:
    return min(contrast(colour, other) for other in beside)


def _darkened(colour: Any, beside: Any) -> Any:
    """The colour, as little darker as it takes."""
    steps = (_mixed(colour, (0, 0, 0), step / 100) for step in range(101))
    return next(darker for darker in steps if _least(darker, beside) >= LEAST)


def _mixed(colour: Any, other: Any, share: float) -> tuple[int, ...]:
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))


def _rgb(text: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(text[1:]))


def _hex(colour: Any) -> str:
    return "#" + bytes(colour).hex()


def keep_logo(content: bytes) -> tuple[str, Fault | None]:
    """(digest of a logo that is kept now, None), or ("", what is wrong with it)."""
    if not content.startswith(PNG) or content[12:16] != b"IHDR" or len(content) < 24:
        return "", Fault(0, "logo", "", NO_PNG)
    width, height = struct.unpack("!II", content[16:24])
    if len(content) > LARGEST or width > WIDEST or height > TALLEST:
        kb = -(-len(content) // 1024)
        return "", Fault(0, "logo", "", TOO_LARGE.format(kb=kb, width=width, height=height))
    digest = hashlib.sha256(content).hexdigest()
    StudyLogo.objects.get_or_create(digest=digest, defaults={"content": content})
    return digest, None


def logo(digest: str) -> bytes | None:
    """The PNG with this digest."""
    row = StudyLogo.objects.filter(digest=digest).first()
    return bytes(row.content) if row else None
