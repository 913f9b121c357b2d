"""Pages that match somebody's columns and values with the registry's, and the mappings that are kept by name."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.imports import jobs
from registry.imports.files import mapping, notations, questions
from registry.imports.files.excel import cells
from registry.imports.files.mapping import Mapping
from registry.imports.files.notations import DATE_FORMATS, SEPARATORS
from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS
from registry.models import ImportMapping
from registry.services.current_protocol import minimum_age
from registry.web.imports.views import open_one_of
from registry.web.shared.gates import for_importing
from registry.web.shared.lookup import number_in
from registry.web.shared.wording import words
from sites.tenancy.access import Can

EXAMPLES = 3
LEAVE_EMPTY = "~"  # on the page; a mapping says LEFT_OUT
AS_IT_IS = "="


@require_http_methods(["GET", "POST"])
@for_importing
def columns(request, import_id):
    """Which column stands for what; suggestions by name, or a mapping that was kept."""
    job = open_one_of(request, import_id)
    if job is None:
        return redirect("import")
    counts = _counts(job)
    if counts is None:
        jobs.set_mapping(job, Mapping(), "check")  # the check says what is wrong with the files
        return redirect("import_report", job.pk)
    known = jobs.mapping_of(job)
    saved = ImportMapping.objects.filter(name=request.POST.get("saved") or None).first()
    faults = {}
    if request.method == "POST" and saved:
        known = Mapping.from_json(saved.mapping)
        jobs.set_mapping(job, known, "columns", saved.name)
        messages.info(request, _("“%(name)s” is filled in below. Look it over.") % {"name": saved.name})
    elif request.method == "POST":
        known = _posted_columns(request, counts, known)
        faults = mapping.faults(known)
        jobs.set_mapping(job, known, "columns" if faults else "values")
        if not faults:
            return redirect("import_values", job.pk)
    elif not known.columns:
        known.columns = mapping.suggested(counts)
    return render(
        request, "imports/import_columns.html", _columns_page(job, counts, known, faults), status=422 if faults else 200
    )


def _counts(job):
    """Column → {cell: rows} of the one table of an import; None where there is none, or are several."""
    if jobs.step_of(job) in ("read", "choices"):
        return None
    layouts = jobs.layouts_of(job)
    return layouts[0][1].counts if len(layouts) == 1 else None


def _posted_columns(request, counts, known):
    post = request.POST
    chosen = {name: post.get(f"column-{place}", "").strip() for place, name in enumerate(counts)}
    fixed = {target: post.get(f"fixed-{target}", "").strip() for target in (mapping.SITE, mapping.TIMEPOINT)}
    return Mapping(
        columns={name: target for name, target in chosen.items() if target},
        codes=known.codes,
        dates=known.dates,
        fixed={target: value for target, value in fixed.items() if value},
        prefix=post.get("prefix", "").strip()[:20],
        separators=known.separators,
        numbers=known.numbers,
        repeats=known.repeats,
        hidden=known.hidden,
    )


def _columns_page(job, counts, known, faults):
    lines = [
        {
            "place": place,
            "name": name,
            "examples": _examples(values, known.columns.get(name, "")),
            "target": known.columns.get(name, ""),
            "fault": faults.get(name),
        }
        for place, (name, values) in enumerate(counts.items())
    ]
    labels = {target: words(label) for _group, targets in mapping.targets() for target, label in targets}
    visits = {code: words(label) for code, label in mapping.visits()}
    for line in lines:
        base, beside = mapping.base_of(line["target"]), mapping.beside_of(line["target"])
        nth = _("record %(n)s") % {"n": beside[1:]} if beside.startswith(mapping.NTH) else ""
        line["label"] = " · ".join(filter(None, (labels.get(base, ""), visits.get(beside[1:], ""), nth)))
    return {
        "job": job,
        "lines": lines,
        "groups": mapping.targets(),
        "mapping": known,
        "sites": mapping.choices_of(mapping.SITE),
        "timepoints": mapping.visits(),
        "sides": _side_by_side(lines),
        "repeating": bool(catalogue.current().repeats),
        "fixed_site": known.fixed.get(mapping.SITE, ""),
        "fixed_timepoint": known.fixed.get(mapping.TIMEPOINT, ""),
        "other_faults": [(target, fault) for target, fault in faults.items() if target not in counts],
        "faults": faults,
        "saved": ImportMapping.objects.all(),
        "mapped": sum(bool(line["target"]) for line in lines),
    }


def _side_by_side(lines):
    """Targets of one visit or record that the columns have, as options to choose from beside the others."""
    return sorted({line["target"] for line in lines if mapping.beside_of(line["target"])})


def _examples(values, target):
    """Some values of a column; none of what identifies."""
    if _identifies(target):
        return []
    shown = [cells.shown(value)[:40] for value in list(values)[: EXAMPLES + 1]]
    return [value for value in shown if value.strip()][:EXAMPLES]


def _identifies(target):
    if mapping.base_of(target) not in mapping.known_targets() or ":" in target:
        return False
    return mapping.catalogue_item(target).identifying


@require_http_methods(["GET", "POST"])
@for_importing
def values(request, import_id):
    """What the values stand for, one by one; how dates are written; and the name to keep the mapping under."""
    job = open_one_of(request, import_id)
    if job is None:
        return redirect("import")
    known = jobs.mapping_of(job)
    if not known.columns or mapping.faults(known):
        return redirect("import_columns", job.pk)
    counts = _counts(job)
    if counts is None:
        return redirect("import_report", job.pk)
    asked, errors = questions.questions(known, counts), {}
    if request.method == "POST":
        errors = _take(request.POST, known, asked)
        name = request.POST.get("save_as", "").strip()[:80]
        if not errors and name:
            errors = _save(request, job, known, name)
        jobs.set_mapping(job, known, "values" if errors else "check")
        if not errors:
            return redirect("import_report", job.pk)
        asked = questions.questions(known, counts)
    elif job.mapping_name and job.mapping["step"] == "values" and not questions.unsaid(known, counts):
        jobs.set_mapping(job, known, "check")
        return redirect("import_report", job.pk)
    context = {
        "job": job,
        "columns": [_column_page(column, known, errors) for column in asked.columns],
        "asked": asked,
        "known": known,
        "separators": list(SEPARATORS.items()),
        "rule": notations.TWO_DIGITS.format(n=minimum_age()),
        "reasons": list(MISSING_LABELS.items()),
        "errors": errors,
        "name": request.POST.get("save_as", job.mapping_name),
    }
    return render(request, "imports/import_values.html", context, status=422 if errors else 200)


def _column_page(column, known, errors):
    codes = known.codes.get(column.target, {})
    return {
        "column": column,
        "label": _label(column.target),
        "hides": _identifies(column.target),
        "formats": [(key, DATE_FORMATS[key], column.unread[key], key in column.chosen) for key in column.formats],
        "values": [
            {"place": place, "value": value, "rows": rows, "code": code, "fault": errors.get((column.target, place))}
            | {
                "left_out": codes.get(value) == mapping.LEFT_OUT,
                "fits": value in column.fitting,
                "stands": codes.get(value) == value,
            }
            for place, (value, rows, code) in enumerate(column.values)
        ],
        "fault": errors.get((column.target, "date")),
        "leaves_out": column.target == mapping.TIMEPOINT,
    }


def _label(target):
    return next(label for _group, lines in mapping.targets() for code, label in lines if code == target)


def _take(post, known, asked):
    """Put what was said into the mapping; {(target, place or "date"): True} for what was not said."""
    errors = {}
    if post.get("separators") in SEPARATORS:
        known.separators = post["separators"]
    elif asked.separators:
        errors["separators"] = True
    known.numbers = post.get("numbers") == "on" if asked.numbers else known.numbers
    known.hidden = post.get("hidden") == "on" if asked.hidden else known.hidden
    if post.get("repeats") in (mapping.UNSCHEDULED, mapping.PASS_OVER):
        known.repeats = post["repeats"]
    elif asked.repeats:
        errors["repeats"] = True
    for column in asked.columns:
        errors |= _take_codes(post, known, column)
        if column.formats:
            errors |= _take_dates(post, known, column.target)
    known.codes = {target: codes for target, codes in known.codes.items() if codes}
    return errors


def _take_codes(post, known, column):
    errors, codes, target = {}, {}, column.target
    for place, (value, _rows, _code) in enumerate(column.values):
        code = post.get(f"code-{target}-{place}", "")
        code = {LEAVE_EMPTY: mapping.LEFT_OUT, AS_IT_IS: None}.get(code, code or "-")
        taken = questions.taken(column, value, code)
        if taken is not None:
            codes[value] = taken
        elif code is not None:
            errors[target, place] = True
    known.codes[target] = known.codes.get(target, {}) | codes
    return errors


def _take_dates(post, known, target):
    keys = [key for key in post.getlist(f"date-{target}") if key in DATE_FORMATS]
    if not keys or {"dmy", "mdy"} <= set(keys):
        return {(target, "date"): True}
    known.dates[target] = keys
    return {}


def _save(request, job, known, name):
    """Keep the mapping under a name; an error where the name is somebody else's mapping and is not to be replaced."""
    existing = ImportMapping.objects.filter(name=name).first()
    if existing and not _may_change(request, existing):
        return {"save_as": _("This mapping is somebody else's. Choose another name.")}
    if existing and name != job.mapping_name and request.POST.get("replace") != "on":
        return {"save_as": _("There is a mapping of this name. Choose another name, or tick that it is replaced.")}
    if existing:
        existing.mapping = known.to_json()
        existing.save(update_fields=["mapping", "updated_at"])
    else:
        ImportMapping.objects.create(name=name, mapping=known.to_json(), created_by=request.user)
    job.mapping_name = name
    return {}


def _may_change(request, saved):
    """Whether somebody may replace or remove a mapping, which everybody may use: its maker, or who imports for all."""
    return saved.created_by_id == request.user.pk or request.access.may_everywhere(Can.IMPORT)


@require_http_methods(["GET", "POST"])
@for_importing
def mapping_list(request):
    """The mappings that are kept; one may be removed, which the audit trail remembers."""
    if request.method == "POST":
        removed = ImportMapping.objects.filter(pk=number_in(request.POST.get("remove"))).first()
        if removed and _may_change(request, removed):
            removed.delete()
            messages.success(request, _("“%(name)s” was removed.") % {"name": removed.name})
        return redirect("import_mappings")
    mappings = ImportMapping.objects.select_related("created_by")
    rows = [
        (saved, sum(bool(target) for target in saved.mapping["columns"].values()), _may_change(request, saved))
        for saved in mappings
    ]
    return render(request, "imports/import_mappings.html", {"rows": rows})
