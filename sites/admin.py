"""Administration of sites, people and memberships."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
from django.core.exceptions import ValidationError
from django.db.models import Count, Prefetch, Q
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.forms import ExportForm
from import_export.tmp_storages import CacheStorage

from sites import audit, resources
from sites.admin_site import Administered
from sites.models import AuditEvent, Membership, Site, User
from sites.people.administrators import none_would_last
from sites.people.membership_forms import LAST_ADMINISTRATOR, MembershipForm, MembershipsOfOnePerson
from sites.people.sign_ins import address_changed, password_given
from sites.people.site_forms import SiteForm, is_referred_to
from sites.tenancy.access import CENTRAL_ROLES, ROLE_LABELS, Role


class PlainExportForm(ExportForm):
    """Without the default form's tick boxes, which need inline scripts that the pages forbid; CSV unless changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["format"].initial = "0"


if TYPE_CHECKING:

    class ScreenBase(ImportExportMixin, admin.ModelAdmin):
        """What a Screen is mixed with."""

    ChoicesBase = admin.options.BaseModelAdmin
else:
    ScreenBase = ChoicesBase = object


class Screen(Administered, ScreenBase):
    """What the screens have in common: titles, history from the audit trail, files in and out."""

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        return super().changelist_view(
            request, {"title": capfirst(self.opts.verbose_name_plural)} | (extra_context or {})
        )

    def get_action_choices(self, request: Any, default_choices: Any = None) -> list[tuple[str, str]]:
        return super().get_action_choices(request, [("", str(_("Choose…")))])

    def history_view(self, request: Any, object_id: Any, extra_context: Any = None) -> Any:
        """The audit trail instead of Django's log, which knows only what was done on these screens."""
        row = {"table": self.opts.db_table, "row": unquote(object_id)}
        return redirect(f"{reverse('audit')}?{urlencode(row)}")

    def get_import_form_initial(self, request: Any) -> dict[str, Any | str]:
        return super().get_import_form_initial(request) | {"format": "0"}

    def get_export_data(self, file_format: Any, request: Any, queryset: Any, **kwargs: Any) -> str | bytes:
        """What leaves is on record, as it is for patients' data."""
        audit.record("admin_export", table=self.opts.db_table, detail={"rows": len(queryset)})
        return super().get_export_data(file_format, request, queryset, **kwargs)

    formats = resources.FORMATS
    export_form_class = PlainExportForm
    tmp_storage_class = CacheStorage  # the file between check and import: any web process may be asked next
    skip_admin_log = True  # the audit trail has every row

    def process_result(self, result: Any, request: Any) -> Any:
        """The data may have changed since the preview: what fails now is said, not reported as imported."""
        if not (result.has_errors() or result.has_validation_errors()):
            return super().process_result(result, request)
        messages.error(request, _("Nothing was imported: the data changed since the preview. Upload the file again."))
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_import")


class PlainChoices(ChoicesBase):
    """Choosing a person or a site without the buttons that would change it on the way."""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field


class MembershipInline(PlainChoices, Administered, admin.TabularInline):
    model = Membership
    form = MembershipForm
    extra = 0
    verbose_name_plural = _("memberships (ended by a last day, never removed)")


class MembershipOfPersonInline(MembershipInline):
    formset = MembershipsOfOnePerson
    autocomplete_fields = ("site",)


class MembershipOfSiteInline(MembershipInline):
    autocomplete_fields = ("user",)

    def formfield_for_choice_field(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "role":  # a central role has no site
            kwargs["choices"] = [
                ("", "---------"),
                *((role.value, label) for role, label in ROLE_LABELS.items() if role not in CENTRAL_ROLES),
            ]
        return super().formfield_for_choice_field(db_field, request, **kwargs)


class RunningFilter(admin.SimpleListFilter):
    title = _("running")
    parameter_name = "running"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("now", _("Today")), ("future", _("Not yet begun")), ("past", _("Ended"))]

    def queryset(self, request: Any, queryset: Any) -> Any:
        today = timezone.localdate()
        match self.value():
            case "now":
                return queryset.running(today)
            case "future":
                return queryset.filter(starts_on__gt=today)
            case "past":
                return queryset.filter(ends_on__lt=today)
        return queryset


@admin.register(Membership)
class MembershipAdmin(PlainChoices, Screen, ImportExportMixin, admin.ModelAdmin):
    form = MembershipForm
    resource_classes = [resources.MembershipResource]
    list_display = ("user", "role", "site", "starts_on", "ends_on")
    list_filter = (RunningFilter, "role", ("site", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "site")
    search_fields = ("user__name", "user__email", "site__code", "site__name", "site__name_ja")
    autocomplete_fields = ("user", "site")
    ordering = ("user__name", "role", "site__code", "starts_on")

    def has_delete_permission(self, request: Any, obj: Any = None) -> Any:
        """Only what has not begun: what once gave access ends, and stays on record."""
        return self.has_change_permission(request) and obj is not None and obj.starts_on > timezone.localdate()


@admin.register(Site)
class SiteAdmin(Screen, ImportExportMixin, admin.ModelAdmin):
    form = SiteForm
    resource_classes = [resources.SiteResource]
    list_display = ("code", "name", "name_ja", "region", "enrolment_target", "value_set", "people_today")
    list_filter = (("value_set", admin.AllValuesFieldListFilter),)
    search_fields = ("code", "name", "name_ja", "region")
    fields = (
        "code", ("name", "name_ja"), "region", "enrolment_target", "value_set",
        ("contact_name", "contact_email", "contact_phone"), ("activated_on", "closed_on"),
    )  # fmt: skip
    inlines = [MembershipOfSiteInline]

    def get_queryset(self, request: Any) -> Any:
        running = Membership.objects.running(timezone.localdate())
        people = Count("memberships__user", filter=Q(memberships__in=running), distinct=True)
        return super().get_queryset(request).annotate(people_today=people)

    @admin.display(description=_("people"), ordering="people_today")
    def people_today(self, site: Any) -> Any:
        return site.people_today

    def get_readonly_fields(self, request: Any, obj: Any = None) -> tuple:
        """The code starts every patient's number: it stays once a patient or a person is there."""
        return ("code",) if obj and is_referred_to(obj) else ()

    def has_delete_permission(self, request: Any, obj: Any = None) -> Any:
        return self.has_change_permission(request) and obj is not None and not is_referred_to(obj)


def explain_password_choice(form: Any) -> None:
    """In the words of this registry: there is no other way to sign in that Django's own words speak of."""
    field = form.fields["usable_password"]
    field.label, field.help_text = _("Password"), _("Without one nobody can sign in as this person.")
    field.choices = [("true", _("Set here")), ("false", _("None for now"))]


class PasswordForm(AdminPasswordChangeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        explain_password_choice(self)

    def save(self, commit: bool = True) -> Any:
        user = super().save(commit)
        password_given(user)
        return user


class NewPersonForm(AdminUserCreationForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        explain_password_choice(self)

    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("email", "name", "language")


class PersonForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ("email", "name", "language", "is_active")
        help_texts = {"is_active": _("Without the tick this person can no longer sign in. People are never deleted.")}

    def clean_is_active(self) -> Any:
        active = self.cleaned_data["is_active"]
        if not active and none_would_last(timezone.localdate(), without=Q(user=self.instance)):
            raise ValidationError(LAST_ADMINISTRATOR)
        return active


class RoleFilter(admin.SimpleListFilter):
    title = _("role today")
    parameter_name = "role"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [*((role.value, label) for role, label in ROLE_LABELS.items()), ("none", _("None"))]

    def queryset(self, request: Any, queryset: Any) -> Any:
        running = Membership.objects.running(timezone.localdate())
        if self.value() == "none":
            return queryset.exclude(pk__in=running.values("user"))
        if self.value():
            return queryset.filter(pk__in=running.filter(role=self.value()).values("user"))
        return queryset


@admin.register(User)
class PersonAdmin(Screen, ImportExportMixin, UserAdmin):
    resource_classes = [resources.PersonResource]
    form, add_form, change_password_form = PersonForm, NewPersonForm, PasswordForm
    add_form_template = "admin/study_sites/user/add_form.html"
    list_display = ("name", "email", "roles_today", "language", "is_active", "last_login")
    list_filter = ("is_active", RoleFilter, ("memberships__site", admin.RelatedOnlyFieldListFilter), "language")
    search_fields = ("name", "email")
    ordering = ("name", "email")
    filter_horizontal = ()
    readonly_fields = ("password_state", "last_login")
    fieldsets = [
        (None, {"fields": ("email", "name", "language", "is_active")}),
        (_("Sign-in"), {"fields": ("password_state", "last_login")}),
    ]
    add_fieldsets = [
        (None, {"fields": ("email", "name", "language")}),
        (_("Sign-in"), {"fields": ("usable_password", "password1", "password2")}),
    ]

    def get_queryset(self, request: Any) -> Any:
        running = Membership.objects.running(timezone.localdate()).select_related("site").order_by("pk")
        return super().get_queryset(request).prefetch_related(Prefetch("memberships", running, to_attr="running"))

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            address_changed(obj, form.initial["email"])

    def get_inlines(self, request: Any, obj: Any) -> Any:
        return [MembershipOfPersonInline] if obj else []

    @admin.display(description=_("roles today"))
    def roles_today(self, user: Any) -> str:
        return ", ".join(
            str(ROLE_LABELS[Role(membership.role)]) + (f" {membership.site.code}" if membership.site else "")
            for membership in user.running
        )

    @admin.display(description=_("password"))
    def password_state(self, user: Any) -> Any:
        text, act = (
            (_("Set."), _("Change it")) if user.has_usable_password() else (_("None: cannot sign in."), _("Set one"))
        )
        address = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('{} <a href="{}">{}</a>', text, address, act)


@admin.register(AuditEvent)
class AuditEventAdmin(Screen, admin.ModelAdmin):
    """The trail has a page of its own, which says in words what happened: these addresses lead there."""

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        query = request.GET.urlencode()
        return redirect(f"{reverse('audit')}?{query}" if query else reverse("audit"))

    def change_view(self, request: Any, object_id: Any, form_url: str = "", extra_context: Any = None) -> Any:
        return redirect("audit")

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False
