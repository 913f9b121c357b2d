"""What every browser may fetch of the study's branding: its colours and its logo."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from registry.services.protocol import branding

cached = cache_control(max_age=86_400, public=True, immutable=True)  # the address changes with what it leads to


@login_not_required
@require_safe
@cached
def style(request):
    """The colours, as variables of the style sheet; nothing where they are the product's."""
    return HttpResponse(branding.current().style, content_type="text/css; charset=utf-8")


@login_not_required
@require_safe
@cached
def logo(request):
    """The logo as PNG."""
    digest = branding.current().logo
    content = branding.logo(digest) if digest else None
    if content is None:
        raise Http404
    return HttpResponse(content, content_type="image/png", headers={"X-Content-Type-Options": "nosniff"})
