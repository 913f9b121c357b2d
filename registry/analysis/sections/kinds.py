"""The kinds of sections as a plan knows them: each module here, what it reads, and how it is shown."""

from registry.analysis.design.sections import Section
from registry.analysis.sections import endpoints, models, propensity, quality, reading, transitions
from registry.analysis.sections.showing import course, curves, love, movement, tables, texts
from registry.analysis.sections.typed import plain
from registry.instruments.base import Label


def kind(module, label, figures):
    """The Section of a module with KIND, from_json, estimate."""

    def read(data, names):
        entry = module.from_json(data)
        reading.check(entry, names)
        return entry

    def compute(data, entry):
        patients = reading.read_of(data)
        return plain(estimated(module, entry, patients)) | {"names": reading.names(patients, entry)}

    return Section(
        code=module.KIND,
        label=label,
        read=read,
        needed=reading.needed,
        compute=compute,
        tables=tables.tables,
        figures=figures,
        methods=texts.methods,
    )


def estimated(module, entry, read):
    if module is not propensity:
        return module.estimate(entry, read.patients)
    return module.estimate(entry, read.patients, read.patients.matched.made(entry))


ENDPOINTS = kind(endpoints, Label("Endpoints", "エンドポイント"), curves.charts)
MODELS = kind(models, Label("Models", "モデル"), course.of_models)
PROPENSITY = kind(propensity, Label("Propensity", "傾向スコア"), love.charts)
QUALITY = kind(quality, Label("Quality of life over time", "QOLの経過"), course.of_quality)
TRANSITIONS = kind(transitions, Label("Transitions", "推移"), movement.charts)
KINDS = (ENDPOINTS, MODELS, PROPENSITY, QUALITY, TRANSITIONS)
