"""Sites that an import reaches: those for which its person may import, when it was sent and when it is carried out.

A coordinator imports for the own site, a data manager for all. Rows of other sites do not exist in the scope of the
import, so that the policies of the database hold for it as for a form, and its messages tell nothing about them.
"""

from registry.models import Import
from sites.tenancy.access import Can, access_of
from sites.tenancy.scope import Scope, current

ANYWHERE = None


def sites_of(access):
    """Ids of the sites that this person's imports reach; ANYWHERE for who imports for every site."""
    return ANYWHERE if access.may_everywhere(Can.IMPORT) else list(access.sites_for(Can.IMPORT))


def visible(access):
    """Imports that somebody may know of: all for who imports for every site, else those of no other than the own."""
    if access.may_everywhere(Can.IMPORT):
        return Import.objects.all()
    return Import.objects.filter(sites__contained_by=list(access.sites_for(Can.IMPORT)))


def scope_of(job):
    """The `Scope` in which a job is carried out, by what its person may do today.

    Whoever may import writes at these sites, and the program compares identifiers there; whom it tells of them is
    another question (`import_files`, `identifies`).
    """
    access = access_of(job.requested_by)
    sites = access.sites_for(Can.IMPORT)
    if job.sites is not ANYWHERE:
        sites = tuple(site for site in sites if site in job.sites)
    return Scope(
        read=sites,
        write=sites,
        identify=sites,
        blind=access.is_blind,
        hidden=access.hidden_names,
        user_id=access.user_id,
        request_id=current().request_id,
    )
