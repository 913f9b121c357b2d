"""The admin screens as a whole: who may open them, and that they look at home.

Access comes from memberships alone. `is_staff`, `is_superuser`, groups and model permissions mean nothing here.
"""

from collections.abc import Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib.admin import AdminSite
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from sites.confirming import require_confirmation
from sites.tenancy.access import Can


class AdminScreens(AdminSite):
    site_title = _("Metaspine administration")
    site_header = _("Administration")
    index_title = _("Sites, people and schedule")
    empty_value_display = "–"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only our own models: those of the packages below have pages of their own, or none, such as secrets."""
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        ours = [model for model in models if model.__module__.partition(".")[0] in ("registry", "sites")]
        super().register(ours, admin_class, **options)

    def has_permission(self, request: Any) -> Any:
        return request.access.may(Can.ADMINISTER)

    @method_decorator([never_cache, login_not_required])
    def login(self, request: Any, extra_context: Any = None) -> Any:
        """One sign-in page for the whole product; who is signed in and lands here may not administer."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Render inside the view's transaction: outside it there is no scope, so a lazy query would find no row."""

        @wraps(view)
        def rendered(request: Any, *args: Any, **kwargs: Any) -> Any:
            # Every screen changes who may do what, or what everybody gets.
            if request.method == "POST" and request.resolver_match.url_name != "logout":
                require_confirmation(request)
            response = view(request, *args, **kwargs)
            return response.render() if hasattr(response, "render") else response

        return super().admin_view(rendered, cacheable)


if TYPE_CHECKING:
    ScreenBase = BaseModelAdmin
else:
    ScreenBase = object


class Administered(ScreenBase):
    """For a ModelAdmin or an inline: administrators view, add and change; deleting is for each to allow."""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """A list to choose from begins with a word, not with a row of dashes."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, forms.ModelChoiceField) and field.empty_label:
            field.empty_label = _("Choose…")
        elif db_field.choices and isinstance(field, forms.TypedChoiceField):
            field.choices = [(code, label if code else _("Choose…")) for code, label in cast("Iterable", field.choices)]
        return field

    def has_module_permission(self, request: Any) -> Any:
        return request.access.may(Can.ADMINISTER)

    def has_view_permission(self, request: Any, obj: Any = None) -> Any:
        return request.access.may(Can.ADMINISTER)

    def has_add_permission(self, request: Any, obj: Any = None) -> Any:
        return request.access.may(Can.ADMINISTER)

    def has_change_permission(self, request: Any, obj: Any = None) -> Any:
        return request.access.may(Can.ADMINISTER)

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False
