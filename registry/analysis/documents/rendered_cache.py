"""What a run is shown as, made once for all who ask: a result never changes, and drawing takes seconds."""

from functools import partial

from django.conf import settings
from django.core.cache import cache

from registry.analysis.documents import files
from registry.analysis.figures import drawings
from registry.analysis.presentation import tables
from registry.analysis.running import runs
from registry.analysis.running.versions import product_version
from registry.models import ComparisonRun

DAY = 24 * 3600
SLOW = ("html", "docx", "xlsx")  # files that are kept; the others are written as fast as they are fetched
DRAWN = ("html", "docx")  # those with figures, which a worker makes before anybody asks


def drawn_once(run_id, result, code, format, language):
    """The bytes of one figure. KeyError for a code or a format that the run does not have.

    result  as it may be shown, where the caller has it; None otherwise
    """

    def draw():
        shown = tables.shown(_result(run_id)) if result is None else result
        return drawings.drawn(shown, code, format, language, settings.SYNTHETIC)

    return _once(f"figure:{run_id}:{code}:{format}:{language}", draw)


def file_of(run_id, result, format, language):
    """The bytes of a finished run as a file of this format, one of files.FORMATS. `result`: None, or the stored one."""

    def render():
        draw = partial(drawn_once, run_id)
        return files.renderer(format)(_result(run_id) if result is None else result, language, draw)

    return _once(f"file:{run_id}:{format}:{language}", render) if format in SLOW else render()


def prepare(run_id):
    """Make the files with figures, in each language. Nothing for a run that is not finished."""
    if ComparisonRun.objects.filter(pk=run_id, status=ComparisonRun.Status.DONE).exists():
        for language, _ in settings.LANGUAGES:
            for format in DRAWN:
                file_of(run_id, None, format, language)


def _result(run_id):
    return runs.result_of(ComparisonRun.objects.get(pk=run_id))


def _once(name, make):
    """The bytes of that name, kept for a day; another version or another setting of what may be seen has its own."""
    key = f"{name}:{product_version()}:{settings.SYNTHETIC}:{settings.SMALL_CELLS}"
    content = cache.get(key)
    if content is None:
        content = make()
        cache.set(key, content, DAY)
    return content
