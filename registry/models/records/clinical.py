"""The clinical record: patients with their operation, assessments, adverse events.

Every table carries `site`, the column that row-level security hangs on. Columns come from the instruments.
"""

from datetime import date
from typing import TYPE_CHECKING, Any, cast

from django.db import connection, models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Cast, NullIf
from django.db.models.lookups import GreaterThan, In
from django.utils.translation import gettext_lazy as _

from registry.instruments import catalogue, checks, levels, spelling
from registry.instruments.patient_forms import BASELINE, SURGERY_FORM
from registry.models import columns as build
from sites.database.fast_rows import rows_of
from sites.models import Site
from sites.tenancy.access import Can


class State(models.TextChoices):
    """The life of a form. A form not begun has no row (an assessment) or is a draft without values."""

    DRAFT = "draft", _("Draft")
    COMPLETE = "complete", _("Complete")
    VERIFIED = "verified", _("Verified")
    LOCKED = "locked", _("Signed")


def state_field(verbose_name, first=State.DRAFT):
    return models.CharField(verbose_name, max_length=8, choices=State, default=first, db_default=first.value)


def state_constraint(name, field):
    return models.CheckConstraint(condition=build.among(field, State.values), name=name)


MARKED = ~Q(verified={})  # something of the row was compared with the source


def by_state(name, state, *fields):
    """An index of the rows whose form is in a state, but for complete ones: at first these are nearly all.

    state   the column that says it
    fields  in which order rows of one state and site stand
    """
    others = Q(**{f"{state}__in": [State.DRAFT, State.VERIFIED, State.LOCKED]})
    return models.Index(fields=[state, "site", *fields], include=["in_error"], condition=others, name=name)


def in_error_field():
    """The mark of a record that was entered in error: the number of its `EnteredInError`, null for one that counts.

    A policy hides marked rows from every query whose scope does not ask for them (registry/guards).
    """
    return models.BigIntegerField(_("entered in error"), null=True, editable=False)


class Record(models.Model):
    """What every clinical record has. `version`, `updated_at` and `updated_by_id` are set by a trigger.

    `verified` maps a column to {"by": person's id, "at": moment} of its comparison with the source; the trigger adds
    "changed_at" when the column changes afterwards. A verified form that is corrected is complete again.
    """

    # SQL of what a new row begins with. The trigger sees to it, and is not called for a row that has it already.
    STAMPS = {
        "updated_at": "statement_timestamp()",
        "updated_by_id": "nullif(current_setting('app.user_id', true), '')::bigint",
    }
    # Columns that the trigger changes even where a statement writes them: the saved instance is told them.
    SET_BY_TRIGGERS = ("verified", "version", "updated_at", "updated_by_id", "state", "baseline_state", "surgery_state")

    missing = models.JSONField(_("reasons for missing values"), default=dict, db_default=Value({}, models.JSONField()))
    verified = models.JSONField(
        _("verified against source"), default=dict, db_default=Value({}, models.JSONField()), editable=False
    )
    version = models.IntegerField(default=1, db_default=1, editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)
    updated_by_id = models.BigIntegerField(null=True, editable=False)
    in_error = in_error_field()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Columns that the instruments declare, in the classes below."""

    class Meta:
        abstract = True


def segment_group():
    """The default segment rule (`levels.DEFAULT_RULE`) as a generated column over the bit mask of the levels.

    One run of at most three levels, divided by its lowest bit, is 1, 3 or 7; such a run cannot join cervical with TLS.
    """
    mask = Cast(F("lesion_levels"), models.IntegerField())
    run = mask / NullIf(
        mask.bitand(cast("int", Value(0, models.IntegerField()) - mask)), Value(0, models.IntegerField())
    )
    cervical, tls = levels.mask(levels.CERVICAL), levels.mask(levels.DEFAULT_RULE.tls)
    return models.GeneratedField(
        expression=Case(
            When(lesion_levels__isnull=True, then=Value("unknown")),
            When(~Q(In(run, [1, 3, 7])), then=Value("multisegment")),
            When(GreaterThan(mask.bitand(cervical), 0), then=Value("cervical")),
            When(GreaterThan(mask.bitand(tls), 0), then=Value("tls")),
            default=Value("thoracic"),
        ),
        output_field=models.CharField(max_length=12),
        db_persist=True,
        verbose_name=_("segment group"),
    )


PATIENT_ITEMS = build.stored_items(catalogue.PATIENT)
PATIENT_EXTRAS = build.stored_items(catalogue.PATIENT_EXTRAS)
SURGERY = (catalogue.SURGERY,)


def of_patient(related_name):
    """The patient of a record; the composite key to (site, patient) in the database makes a key of its own needless."""
    return models.ForeignKey(Patient, models.CASCADE, related_name=related_name, db_index=False, db_constraint=False)


def site_of_patient():
    return models.ForeignKey(Site, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("site"))


class PatientQuerySet(models.QuerySet):
    def visible_to(self, access):
        """Patients of the sites that `access` may read. The row-level-security policy says the same."""
        return self.filter(site_id__in=access.sites_for(Can.READ))

    def one_visible_to(self, access, patient_id, names=None):
        """The patient with this id, in whatever spelling, if `access` may read the site; DoesNotExist otherwise.

        Every page about a patient begins here, and the ORM takes longer to compose a query of 40 columns than
        PostgreSQL to answer it. The patient's site comes along.

        names  of the columns that are looked at (a tuple); None for all. The others are read when somebody asks
        """
        model: Any = self.model
        rows, sites = rows_of(model), rows_of(Site)
        if names is not None:
            rows = rows.only(names).rows
        sql = (
            f"SELECT {rows.of('p')}, {sites.of('s')} FROM {model._meta.db_table} AS p "
            f"JOIN {Site._meta.db_table} AS s ON s.id = p.site_id WHERE p.patient_id = %s AND p.site_id = ANY (%s)"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [spelling.as_number(patient_id), list(access.sites_for(Can.READ))])
            row = cursor.fetchone()
        if row is None:
            raise model.DoesNotExist(patient_id)
        patient: Any = rows.instance(row[: len(rows.fields)])
        patient.site = sites.instance(row[len(rows.fields) :])
        return patient


def records_of(model, patient, condition="TRUE", parameters=()):
    """The rows of a patient in the table of `model` that a condition (SQL) chooses, in no order; as quick as
    `one_visible_to`."""
    rows = rows_of(model)
    sql = f"SELECT {rows.sql} FROM {model._meta.db_table} WHERE site_id = %s AND patient_id = %s AND {condition}"
    return rows.read(sql, [patient.site_id, patient.pk, *parameters])


def record_of(model, patient, condition, parameters):
    """The one of `records_of`, or None."""
    return next(iter(records_of(model, patient, condition, parameters)), None)


class Patient(Record):
    """One enrolled patient, with baseline and the index operation.

    The operation is part of this row: the protocol has one for each patient, and the order of consent, surgery and
    death is then a constraint on one row. Direct identifiers are in `Identity`.
    """

    patient_id = models.CharField(_("patient ID"), max_length=40, primary_key=True, db_collation="C")
    site = models.ForeignKey(Site, models.PROTECT, db_index=False, verbose_name=_("site"))
    vars().update(build.columns(catalogue.PATIENT))
    segment_group = segment_group()
    segment_adjudicated = models.CharField(_("adjudicated segment group"), max_length=12, null=True, blank=True)
    age_at_surgery = models.SmallIntegerField(_("age at surgery"), null=True, editable=False)
    baseline_state = state_field(_("baseline"))
    surgery_state = state_field(_("surgery"))
    # The version of the protocol by which a form was completed; null before there was one.
    baseline_asked_by = models.IntegerField(_("version of the protocol"), null=True, editable=False)
    surgery_asked_by = models.IntegerField(_("version of the protocol"), null=True, editable=False)
    vars().update(build.columns(catalogue.PATIENT_EXTRAS))

    objects = PatientQuerySet.as_manager()

    class Meta:
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        ordering = ["patient_id"]
        indexes = [
            # What is due, and where; lists are counted by this index alone, with what says that a row counts.
            # It says too what a search for visits that wait asks of everybody operated within some days.
            models.Index(
                fields=["site", "surgery_date"],
                include=["in_error", "patient_id", "vital_status", "death_date"],
                name="patient_by_surgery_waiting",
            ),
            # Drafts are few among many: a start page asks for them, and their rows alone are in the index.
            models.Index(
                fields=["site"],
                condition=Q(baseline_state=State.DRAFT) | Q(surgery_state=State.DRAFT),
                name="patient_draft",
            ),
            models.Index(fields=["site", "patient_id"], condition=MARKED, name="patient_marked"),
            by_state("patient_by_baseline", "baseline_state", "patient_id"),
            by_state("patient_by_surgery_form", "surgery_state", "patient_id"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(patient_id__regex=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$"), name="patient_id_shape"
            ),
            # The target of the composite foreign keys that keep a child's site equal to its patient's.
            models.UniqueConstraint(fields=["site", "patient_id"], name="patient_site_unique"),
            models.CheckConstraint(condition=Q(age_at_surgery__range=(0, 130)), name="patient_age_accepted"),
            models.CheckConstraint(
                condition=Q(segment_adjudicated__in=[choice.code for choice in levels.SEGMENT_GROUPS]),
                name="patient_segment_adjudicated_known",
            ),
            state_constraint("patient_baseline_state_known", "baseline_state"),
            state_constraint("patient_surgery_state_known", "surgery_state"),
            *filter(None, (build.value_constraint("patient", item) for item in PATIENT_ITEMS + PATIENT_EXTRAS)),
            *build.check_constraints("patient", checks.PATIENT_CHECKS, PATIENT_ITEMS + PATIENT_EXTRAS),
            *build.missing_constraints("patient", PATIENT_ITEMS),
            *build.missing_constraints("patient", PATIENT_EXTRAS, "extra_or_reason"),
            build.complete_constraint(
                "patient_baseline",
                build.stored_items(BASELINE.instruments),
                BASELINE.state_column,
                BASELINE.asked_by_column,
            ),
            build.complete_constraint(
                "patient_surgery",
                build.stored_items(SURGERY_FORM.instruments),
                SURGERY_FORM.state_column,
                SURGERY_FORM.asked_by_column,
            ),
        ]

    def __str__(self):
        return self.patient_id

    def refresh_from_db(self, using=None, fields=None, from_queryset=None):
        """As Django's. Where a column is asked for that was not read, all that were not are read at once."""
        if fields is not None and (deferred := self.get_deferred_fields()) and not deferred.isdisjoint(fields):
            fields = deferred.union(fields)
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)


class Identity(models.Model):
    """Direct identifiers of a patient, encrypted by the application with a key of the patient's own.

    Only the key is encrypted with the deployment's key, so that rotation touches nothing else and deleting this row
    makes the ciphertext in the audit trail and in backups unreadable.
    """

    patient = models.OneToOneField(
        Patient, models.CASCADE, primary_key=True, related_name="identity", db_constraint=False
    )
    site = site_of_patient()
    key = models.BinaryField()
    birth_date = models.BinaryField(null=True)
    hospital_number = models.BinaryField(null=True)
    initials = models.BinaryField(null=True)
    # Blind index (`services.records.identity_marks`), a mark beside each identifier; `marked_with` is the id of the
    # key, None where it lacks.
    MARKS = {"birth_date": "birth_mark", "hospital_number": "number_mark", "initials": "initials_mark"}
    birth_mark = models.BinaryField(null=True)
    number_mark = models.BinaryField(null=True)
    initials_mark = models.BinaryField(null=True)
    marked_with = models.BinaryField(null=True)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        indexes = [
            models.Index(fields=["birth_mark"], name="identity_by_birth"),
            models.Index(fields=["number_mark"], name="identity_by_number"),
            models.Index(fields=["marked_with"], name="identity_by_marking"),
        ]


class Timepoint(models.Model):
    """A visit's code and name. When it is planned stands in the versions of the schedule (`ScheduledVisit`).

    Visits outside the plan are timepoints too (`u1`, `u2` …), so that an assessment is one row a patient and timepoint.
    """

    code = models.CharField(_("code"), max_length=8, primary_key=True)
    label = models.CharField(_("label"), max_length=40)
    label_ja = models.CharField(_("Japanese label"), max_length=40)
    position = models.SmallIntegerField(_("position"))  # the target day; those outside the plan come last

    class Meta:
        verbose_name = _("timepoint")
        verbose_name_plural = _("timepoints")
        ordering = ["position", "code"]

    def __str__(self):
        return self.label


ASSESSMENT_ITEMS = build.stored_items(catalogue.ASSESSMENT)
ASSESSMENT_EXTRAS = build.stored_items(catalogue.ASSESSMENT_EXTRAS)


class Assessment(Record):
    """What was assessed at one timepoint: one row a patient and timepoint, one column an item."""

    # Of a row that was just saved: whether a query of a rule is open about it, whether who saved it has a draft of it.
    may_leave_queries: bool
    may_leave_draft: bool

    patient = of_patient("assessments")
    site = site_of_patient()
    # A trigger knows the timepoints of a statement's rows at once; those that there are never go.
    timepoint = models.ForeignKey(
        Timepoint, models.PROTECT, related_name="assessments", db_index=False, db_constraint=False
    )
    assessment_date = models.DateField(_("date of assessment"), null=True, blank=True)
    vars().update(build.columns(catalogue.ASSESSMENT))
    state = state_field(_("state"))
    asked_by = models.IntegerField(_("version of the protocol"), null=True, editable=False)
    vars().update(build.columns(catalogue.ASSESSMENT_EXTRAS))

    class Meta:
        verbose_name = _("assessment")
        verbose_name_plural = _("assessments")
        ordering = ["patient", "timepoint__position"]
        indexes = [
            models.Index(fields=["site", "patient"], name="assessment_by_site"),
            by_state("assessment_by_state", "state", "patient", "timepoint"),
            models.Index(fields=["site", "patient"], condition=MARKED, name="assessment_marked"),
        ]
        constraints = [
            # Of those entered in error there may be any number.
            models.UniqueConstraint(
                fields=["patient", "timepoint", "in_error"], name="assessment_once_a_timepoint", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(assessment_date__gte=build.EARLIEST), name="assessment_date_accepted"),
            state_constraint("assessment_state_known", "state"),
            *filter(
                None, (build.value_constraint("assessment", item) for item in ASSESSMENT_ITEMS + ASSESSMENT_EXTRAS)
            ),
            *build.missing_constraints("assessment", ASSESSMENT_ITEMS),
            *build.missing_constraints("assessment", ASSESSMENT_EXTRAS, "extra_or_reason"),
            build.complete_constraint("assessment", ASSESSMENT_ITEMS),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.timepoint_id}"


ADVERSE_EVENT_ITEMS = catalogue.items(catalogue.ADVERSE_EVENTS)


class AdverseEvent(Record):
    """One adverse event of a patient. It is stored whole, so it is complete from the beginning."""

    kind: str
    onset_date: date

    patient = of_patient("adverse_events")
    site = site_of_patient()
    vars().update({item.name: build.field_for(item) for item in ADVERSE_EVENT_ITEMS})
    state = state_field(_("state"), State.COMPLETE)

    class Meta:
        verbose_name = _("adverse event")
        verbose_name_plural = _("adverse events")
        ordering = ["patient", "onset_date", "kind"]
        indexes = [
            # Lists are counted by this index alone, with what says that a row counts.
            models.Index(fields=["site", "patient"], include=["in_error"], name="adverse_event_by_site_counted"),
            models.Index(fields=["-onset_date", "-id"], name="adverse_event_newest"),  # the listing's order
            models.Index(fields=["site", "patient"], condition=MARKED, name="adverse_event_marked"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "kind", "onset_date", "in_error"], name="adverse_event_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(kind__isnull=False, onset_date__isnull=False), name="adverse_event_named"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[State.COMPLETE, State.VERIFIED, State.LOCKED]), name="adverse_event_state_known"
            ),
            *filter(None, (build.value_constraint("adverse_event", item) for item in ADVERSE_EVENT_ITEMS)),
            *build.check_constraints("adverse_event", checks.EVENT_CHECKS, ADVERSE_EVENT_ITEMS),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.kind} · {self.onset_date}"
