"""Who may open a page at all. To everybody else it does not exist: 404, never 403."""

from functools import wraps

from django.http import Http404

from sites.tenancy.access import Can


def only_for(ability):
    """A decorator: the view for those who may do this anywhere; 404 for everyone else."""

    def gate(view):
        @wraps(view)
        def gated(request, *args, **kwargs):
            if not request.access.may(ability):
                raise Http404
            return view(request, *args, **kwargs)

        return gated

    return gate


for_comparing = only_for(Can.COMPARE)
for_importing = only_for(Can.IMPORT)
