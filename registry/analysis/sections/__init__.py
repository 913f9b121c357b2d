"""The kinds of sections that a plan may have beside the tables of the segment study: a module and a line each."""

from registry.analysis.design.sections import register

SECTIONS = ()


def ready():
    """Have plans know every kind of section. Called when the application is ready."""
    register(*SECTIONS)
