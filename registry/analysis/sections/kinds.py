"""The kinds of sections as a plan knows them: each module here, what it reads, and how it is shown."""

from dataclasses import fields

from registry.analysis.design.sections import Section
from registry.analysis.sections import endpoints, models, propensity, quality, reading, transitions
from registry.analysis.sections.showing import course, curves, love, movement, tables, texts
from registry.instruments.base import Label


def kind(module, label, figures):
    """The Section of a module with KIND, from_json, estimate."""

    def read(data, names):
        entry = module.from_json(data)
        reading.check(entry, names)
        return entry

    def compute(data, entry):
        patients = reading.read_of(data)
        result = estimated(module, entry, patients)
        result.names = reading.names(patients, entry)
        return result

    def analysed(data, entry):
        patients = reading.read_of(data)
        return set_of(module, entry, patients)

    return Section(
        code=module.KIND,
        label=label,
        read=read,
        needed=reading.needed,
        check=reading.check_plan,
        compute=compute,
        tables=tables.tables,
        figures=figures,
        methods=texts.methods,
        analysed=analysed,
    )


def estimated(module, entry, read):
    if module is not propensity:
        return module.estimate(entry, read.patients)
    return module.estimate(entry, read.patients, read.patients.matched.made(entry))


def set_of(module, entry, read):
    """(settings, columns) of an entry's analysis data set: texts and lists; arrays and Columns by name."""
    patients = read.patients
    if module is propensity:
        columns, more = module.dataset(entry, patients, patients.matched.made(entry))
    else:
        columns, more = module.dataset(entry, patients)
    declared = {part.name: getattr(entry, part.name) for part in fields(entry) if part.name not in ("title", *more)}
    return declared | more | {"adjust_tests": patients.adjust}, columns


ENDPOINTS = kind(endpoints, Label("Endpoints", "エンドポイント"), curves.charts)
MODELS = kind(models, Label("Models", "モデル"), course.of_models)
PROPENSITY = kind(propensity, Label("Propensity", "傾向スコア"), love.charts)
QUALITY = kind(quality, Label("Quality of life over time", "QOLの経過"), course.of_quality)
TRANSITIONS = kind(transitions, Label("Transitions", "推移"), movement.charts)
KINDS = (ENDPOINTS, MODELS, PROPENSITY, QUALITY, TRANSITIONS)
