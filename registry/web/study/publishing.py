"""Publishing from a page: the reason that the version of the protocol keeps, and what stands against it."""

from django.contrib import messages
from django.utils.translation import gettext as _

from registry.services.protocol.publishing import Busy, InvalidDefinition


def published(request, act, success, *, note, **asked):
    """None where `act` (a service that takes access and note) made the next version of the protocol, or its Faults.

    success  what the next page says then; where it is no fault that stands against it, this page says what does
    """
    if not note:
        messages.error(request, _("Say why: it stands in the version of the protocol."))
        return []
    try:
        act(access=request.access, note=note, **asked)
    except InvalidDefinition as error:
        return error.faults
    except Busy:
        messages.error(request, _("The records are being read just now. Nothing was published: try again in a minute."))
        return []
    messages.success(request, success)
    return None
