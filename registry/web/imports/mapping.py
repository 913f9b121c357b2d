"""Pages that match somebody's columns and values with the registry's, and the mappings that are kept by name."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.imports import jobs
from registry.imports.checking import converting
from registry.imports.files import mapping, reading
from registry.imports.files.mapping import DATE_FORMATS, Mapping
from registry.instruments.base import MISSING_LABELS
from registry.models import ImportMapping
from registry.web.imports.views import for_importing, open_one_of
from registry.web.shared.wording import words

EXAMPLES = 3
LEAVE_EMPTY = "~"  # on the page; a mapping says LEFT_OUT
AS_IT_IS = "="


@require_http_methods(["GET", "POST"])
@for_importing
def columns(request, import_id):
    """Which column stands for what; suggestions by name, or a mapping that was kept."""
    one = open_one_of(request, import_id)
    if one is None:
        return redirect("import")
    with jobs.tables_of(one) as (tables, faults):
        if len(tables) != 1 or faults:
            jobs.set_mapping(one, Mapping(), "check")
            return redirect("import_report", one.pk)
        try:
            counts = converting.counts_of(tables[0])
        except reading.Unreadable:
            jobs.set_mapping(one, Mapping(), "check")  # the check says what is wrong with the file
            return redirect("import_report", one.pk)
    known = jobs.mapping_of(one)
    saved = ImportMapping.objects.filter(name=request.POST.get("saved") or None).first()
    found = {}
    if request.method == "POST" and saved:
        known = Mapping.from_json(saved.mapping)
        jobs.set_mapping(one, known, "columns", saved.name)
        messages.info(request, _("“%(name)s” is filled in below. Look it over.") % {"name": saved.name})
    elif request.method == "POST":
        known = _posted_columns(request, counts, known)
        found = mapping.faults(known)
        jobs.set_mapping(one, known, "columns" if found else "values")
        if not found:
            return redirect("import_values", one.pk)
    elif not known.columns:
        known.columns = mapping.suggested(counts)
    return render(
        request, "imports/import_columns.html", _columns_page(one, counts, known, found), status=422 if found else 200
    )


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
        comma=known.comma,
    )


def _columns_page(one, counts, known, found):
    lines = [
        {
            "place": place,
            "name": name,
            "examples": _examples(values, known.columns.get(name, "")),
            "target": known.columns.get(name, ""),
            "fault": found.get(name),
        }
        for place, (name, values) in enumerate(counts.items())
    ]
    labels = {target: words(label) for _group, targets in mapping.targets() for target, label in targets}
    for line in lines:
        line["label"] = labels.get(line["target"], "")
    return {
        "one": one,
        "lines": lines,
        "groups": mapping.targets(),
        "mapping": known,
        "sites": mapping.choices_of(mapping.SITE),
        "timepoints": mapping.choices_of(mapping.TIMEPOINT),
        "fixed_site": known.fixed.get(mapping.SITE, ""),
        "fixed_timepoint": known.fixed.get(mapping.TIMEPOINT, ""),
        "other_faults": [(target, fault) for target, fault in found.items() if target not in counts],
        "faults": found,
        "saved": ImportMapping.objects.all(),
        "mapped": sum(bool(line["target"]) for line in lines),
    }


def _examples(values, target):
    """Some values of a column; none of what identifies."""
    if _identifies(target):
        return []
    return [value[:40] for value in list(values)[: EXAMPLES + 1] if value.strip()][:EXAMPLES]


def _identifies(target):
    if target not in mapping.known_targets() or ":" in target:
        return False
    return mapping.catalogue_item(target).identifying


@require_http_methods(["GET", "POST"])
@for_importing
def values(request, import_id):
    """What the values stand for, one by one; how dates are written; and the name to keep the mapping under."""
    one = open_one_of(request, import_id)
    if one is None:
        return redirect("import")
    known = jobs.mapping_of(one)
    if not known.columns or mapping.faults(known):
        return redirect("import_columns", one.pk)
    with jobs.tables_of(one) as (tables, _faults):
        counts = converting.counts_of(tables[0]) if tables else {}
    asked, commas = mapping.questions(known, counts)
    errors = {}
    if request.method == "POST":
        errors = _take(request.POST, known, asked)
        name = request.POST.get("save_as", "").strip()[:80]
        if not errors and name:
            errors = _save(request, one, known, name)
        jobs.set_mapping(one, known, "values" if errors else "check")
        if not errors:
            return redirect("import_report", one.pk)
        asked, commas = mapping.questions(known, counts)
    elif one.mapping_name and one.mapping["step"] == "values" and not mapping.unsaid(known, counts):
        jobs.set_mapping(one, known, "check")
        return redirect("import_report", one.pk)
    context = {
        "one": one,
        "columns": [_column_page(column, known, errors) for column in asked],
        "commas": commas,
        "comma": known.comma,
        "reasons": list(MISSING_LABELS.items()),
        "errors": errors,
        "name": request.POST.get("save_as", one.mapping_name),
    }
    return render(request, "imports/import_values.html", context, status=422 if errors else 200)


def _column_page(column, known, errors):
    said = known.codes.get(column.target, {})
    return {
        "column": column,
        "label": _label(column.target),
        "hides": _identifies(column.target),
        "formats": [(key, DATE_FORMATS[key], column.unread[key], key == column.format) for key in column.formats],
        "values": [
            {"place": place, "value": value, "rows": rows, "code": code, "fault": errors.get((column.target, place))}
            | {"left_out": said.get(value.strip()) == mapping.LEFT_OUT}
            for place, (value, rows, code) in enumerate(column.values)
        ],
        "fault": errors.get((column.target, "date")),
        "leaves_out": column.target == mapping.TIMEPOINT,
    }


def _label(target):
    return next(label for _group, lines in mapping.targets() for one, label in lines if one == target)


def _take(post, known, asked):
    """Put what was said into the mapping; {(target, place or "date"): True} for what was not said."""
    errors = {}
    known.comma = post.get("comma") == "on"
    for column in asked:
        target, said = column.target, {}
        allowed = {code for code, _label in column.choices}
        for place, (value, _rows, _code) in enumerate(column.values):
            code = post.get(f"code-{target}-{place}", "")
            if code == LEAVE_EMPTY:
                said[value.strip()] = mapping.LEFT_OUT
            elif code in allowed or (code[:1] == mapping.REASON and code[1:] in MISSING_LABELS):
                said[value.strip()] = code
            elif code != AS_IT_IS:
                errors[target, place] = True
        known.codes[target] = known.codes.get(target, {}) | said
        if column.formats:
            key = post.get(f"date-{target}", "")
            if key in DATE_FORMATS:
                known.dates[target] = key
            else:
                errors[target, "date"] = True
    known.codes = {target: said for target, said in known.codes.items() if said}
    return errors


def _save(request, one, known, name):
    """Keep the mapping under a name; an error where the name is somebody else's mapping and is not to be replaced."""
    existing = ImportMapping.objects.filter(name=name).first()
    if existing and name != one.mapping_name and request.POST.get("replace") != "on":
        return {"save_as": _("There is a mapping of this name. Choose another name, or tick that it is replaced.")}
    if existing:
        existing.mapping = known.to_json()
        existing.save(update_fields=["mapping", "updated_at"])
    else:
        ImportMapping.objects.create(name=name, mapping=known.to_json(), created_by=request.user)
    one.mapping_name = name
    return {}


@require_http_methods(["GET", "POST"])
@for_importing
def mapping_list(request):
    """The mappings that are kept; one may be removed, which the audit trail remembers."""
    if request.method == "POST":
        removed = ImportMapping.objects.filter(pk=_number(request.POST.get("remove"))).first()
        if removed:
            removed.delete()
            messages.success(request, _("“%(name)s” was removed.") % {"name": removed.name})
        return redirect("import_mappings")
    kept = ImportMapping.objects.select_related("created_by")
    rows = [(one, sum(bool(target) for target in one.mapping["columns"].values())) for one in kept]
    return render(request, "imports/import_mappings.html", {"rows": rows})


def _number(text):
    return int(text) if (text or "").isdigit() and len(text) < 18 else None
