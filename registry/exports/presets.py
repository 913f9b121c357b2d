"""Choices of exports under a name: one's own, and those that somebody shares with everybody who exports.

What is kept are the words of a request, as the API takes them: a saved cohort is named by its number, so that nobody
gets by a preset what they could not choose themselves.
"""

from django.db.models import Q

from registry.exports.choices import Choices
from registry.models import ExportPreset
from sites.database.longest import longest
from sites.tenancy.access import Can


class NameTaken(ValueError):
    """Somebody else shares a preset of this name."""


def of(access):
    """The presets that somebody may use: a query, by name."""
    return ExportPreset.objects.filter(Q(created_by_id=access.user_id) | Q(shared=True)).select_related("created_by")


def named(access, name):
    """The preset of this name, one's own before a shared one; None where there is none."""
    return of(access).filter(name=name).order_by("shared").first()


def words_of(choices, cohort):
    """Choices as a request: what differs from the usual. `cohort` is a declared cohort's name or a saved one's id."""
    usual = Choices().to_json()
    asked = {name: value for name, value in choices.to_json().items() if name != "cohort" and value != usual[name]}
    return asked | ({"cohort": cohort} if cohort != Choices().cohort.name else {})


def keep(*, access, name, asked, shared=False):
    """Keep the words of a request under a name, instead of one's own of this name.

    Raises PermissionDenied; ValueError for a name that is empty or too long, NameTaken.
    """
    access.require(Can.EXPORT)
    name = " ".join(name.split())
    if not 0 < len(name) <= longest(ExportPreset, "name"):
        raise ValueError("a preset needs a name")
    others = ExportPreset.objects.exclude(created_by_id=access.user_id)
    if shared and others.filter(name=name, shared=True).exists():
        raise NameTaken(name)
    preset, _ = ExportPreset.objects.update_or_create(
        name=name, created_by_id=access.user_id, defaults={"choices": asked, "shared": shared}
    )
    return preset


def may_remove(access, preset):
    """Whether somebody may remove a preset: its maker, and for one that is shared who looks after all sites."""
    return preset.created_by_id == access.user_id or (preset.shared and access.is_central)


def remove(*, access, preset_id):
    """Remove a preset that somebody may remove; returns its name, None where there is none."""
    preset = of(access).filter(pk=preset_id).first()
    if preset is None or not may_remove(access, preset):
        return None
    preset.delete()
    return preset.name
