"""Migrations forwards in a third of Django's time: a constraint or an index is no reason to make models anew."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.migrations.state import ProjectState


def _noted(change: Callable[..., None]) -> Callable[..., None]:
    """Django's `change` of a model's constraints or indexes, after which its class stays and has the new ones."""

    def on_the_class_as_it_is(state: Any, app_label: str, model_name: str, option: str, value: Any) -> None:
        apps = state.__dict__.pop("apps", None)  # without classes Django changes the state alone
        change(state, app_label, model_name, option, value)
        if apps is not None:
            state.__dict__["apps"] = apps
            options = apps.get_model(app_label, model_name)._meta
            options.original_attrs[option] = state.models[app_label, model_name].options[option]
            setattr(options, option, options._format_names(options.original_attrs[option]))
            options.__dict__.pop("total_unique_constraints", None)  # made of them when it was first asked

    return on_the_class_as_it_is


@contextmanager
def constraints_in_place() -> Iterator[None]:
    """Within, a constraint or index that a migration adds or removes is noted on the model's class as it is.

    Django makes the classes of the model and of all around it anew for each of them: most of what `migrate` takes on an
    empty database. The classes before and after an operation are then the same ones; what it asks of a constraint
    before, it asks of the state and not of its classes. Not for migrations backwards, whose states are all made before
    the first of them runs.
    """
    states: Any = ProjectState
    django = {name: getattr(states, name) for name in ("_append_option", "_remove_option")}
    for name, change in django.items():
        setattr(states, name, _noted(change))
    try:
        yield
    finally:
        for name, change in django.items():
            setattr(states, name, change)
