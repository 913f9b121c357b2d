"""The drawings of a run, each made once for all who ask: a result never changes."""

from django.conf import settings
from django.core.cache import cache

from registry.analysis import presentation, runs
from registry.analysis.figures import drawings
from registry.analysis.versions import product_version
from registry.models import ComparisonRun

DAY = 24 * 3600


def drawn_once(run_id, result, code, format, language):
    """The bytes of one figure. KeyError for a code or a format that the run does not have.

    result  as it may be shown, where the caller has it; None otherwise
    """
    key = f"figure:{product_version()}:{run_id}:{code}:{format}:{language}:{settings.SYNTHETIC}:{settings.SMALL_CELLS}"
    content = cache.get(key)
    if content is None:
        if result is None:
            result = presentation.shown(runs.result_of(ComparisonRun.objects.get(pk=run_id)))
        content = drawings.drawn(result, code, format, language, settings.SYNTHETIC)
        cache.set(key, content, DAY)
    return content
