"""Small registries made on the spot, as plain dicts first, so that a test can compute from the same dicts by itself."""

import datetime as dt
import pickle
import random
from contextlib import contextmanager

import pytest
from django.db import transaction

from registry.analysis.design import cohorts, plans
from registry.analysis.results.result import Result
from registry.analysis.running import runner
from registry.instruments import catalogue
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.models import AdverseEvent, Assessment, Patient
from sites.models import Site
from sites.tenancy.scope import everything

SURGERY = dt.date(2024, 3, 1)
PATIENT = {
    "sex": "male",
    "consent_date": dt.date(2024, 2, 20),
    "primary_tumour": "lung",
    "lesion_levels": ("T5",),
    "procedure": "psf",
    "surgery_date": SURGERY,
    "operative_time_min": 200,
    "blood_loss_ml": 300,
    "age_at_surgery": 65,
    "vital_status": "alive",
    "last_contact_date": SURGERY + dt.timedelta(days=200),
}
EVENTS = ["wound_problem", "neurological_deterioration", "pneumonia"]
BARTHEL = [item.name for item in catalogue.BARTHEL.items]


def patient(**changes):
    """A patient of the default cohort; `visits` maps a timepoint to its answers, `events` lists kinds."""
    return PATIENT | {"visits": {}, "events": ()} | changes


def answers(state=None, barthel=None, **values):
    """What an assessment holds: `state` such as "21232", `barthel` as a total that is a multiple of 5."""
    if state:
        values |= {item.name: int(level) for item, level in zip(DIMENSIONS, state, strict=True)}
    if barthel is not None:
        left = barthel
        for item in catalogue.BARTHEL.items:
            values[item.name] = max(code for code in item.codes if code <= left)
            left -= values[item.name]
    return values


def store(site, patients):
    """Put patients into the registry and give each its `patient_id`."""
    with everything(reason="test"):
        Patient.objects.bulk_create(
            Patient(
                patient_id=patient.setdefault("patient_id", f"{site.code}-{place:04}"),
                site=site,
                **{name: value for name, value in patient.items() if name not in {"visits", "events", "patient_id"}},
            )
            for place, patient in enumerate(patients, 1)
        )
        Assessment.objects.bulk_create(
            Assessment(
                patient_id=patient["patient_id"],
                site=site,
                timepoint_id=code,
                **{"assessment_date": SURGERY + dt.timedelta(days={"preop": -1}.get(code, 30))} | values,
            )
            for patient in patients
            for code, values in patient["visits"].items()
        )
        AdverseEvent.objects.bulk_create(
            AdverseEvent(
                patient_id=patient["patient_id"],
                site=site,
                kind=kind,
                onset_date=SURGERY + dt.timedelta(days=place),
            )
            for patient in patients
            for place, kind in enumerate(patient["events"], 1)
        )
    return patients


@pytest.fixture
def stored(north):
    return lambda patients: store(north, patients)


def some(generate, share, value):
    """A value, missing now and then."""
    return value() if generate.random() < share else None


def random_visit(generate, better):
    codes = [*"AABCDDE"] if not better else [*"BCDDEEE"]
    state = "".join(str(min(5, max(1, generate.randint(1, 5) - better))) for _ in range(5))
    visit = {
        "frankel": some(generate, 0.9, lambda: generate.choice(codes)),
        "ecog_ps": some(generate, 0.9, lambda: generate.randint(0, 5 - better)),
        "pain_vas_mm": some(generate, 0.9, lambda: generate.randint(0, 100 - 40 * better)),
        "eq_vas": some(generate, 0.8, lambda: generate.randint(20 * better, 100)),
    }
    barthel = 5 * generate.randint(4 * better, 20)
    return answers(some(generate, 0.9, lambda: state), some(generate, 0.9, lambda: barthel), **visit)


def random_patient(generate):
    lesion = generate.choice(
        [
            ("C3",),
            ("C7", "T1"),
            ("T1", "T2"),
            ("T6",),
            ("T9", "T10"),
            ("T10", "T11"),
            ("L1",),
            ("L4", "L5", "S"),
            ("T2", "T4"),
            ("T3", "T4", "T5", "T6"),
            None,
        ]
    )
    dead = generate.random() < 0.2
    end = SURGERY + dt.timedelta(days=generate.choice([5, 29, 30, 31, 100, 400, 700]))
    return patient(
        sex=generate.choice(["male", "female"]),
        primary_tumour=some(generate, 0.95, lambda: generate.choice(["lung", "breast", "renal", "other"])),
        lesion_levels=lesion,
        procedure=generate.choice(["psf", "psf", "pps", "decompression", "tes", None]),
        operative_time_min=some(generate, 0.9, lambda: generate.randint(60, 400)),
        blood_loss_ml=some(generate, 0.9, lambda: generate.randint(0, 3000)),
        age_at_surgery=some(generate, 0.95, lambda: generate.randint(35, 90)),
        vital_status="dead" if dead else "alive",
        death_date=end if dead else None,
        last_contact_date=None if dead or generate.random() < 0.2 else end,
        visits={
            code: random_visit(generate, place)
            for place, code in enumerate(("preop", "1m"))
            if generate.random() < 0.93
        },
        events=tuple(generate.sample(EVENTS, generate.choice([0, 0, 0, 1, 2]))),
        **{item.name: generate.choice(item.codes) for item in (*catalogue.TOKUHASHI.items, *catalogue.SINS.items)},
    )


def typed(result):
    """The Result of its JSON, as what shows it takes it."""
    return Result.from_json(result)


def made_up():
    """The same 260 patients whenever they are asked for."""
    generate = random.Random(20240613)
    return [random_patient(generate) for _ in range(260)]


@pytest.fixture
def random_patients(stored):
    return stored(made_up())


@contextmanager
def random_registry(blocker):
    """`(site, the random patients)` in a registry that is gone afterwards: for what is computed once for many tests."""
    with blocker.unblock(), transaction.atomic():
        site = Site.objects.create(code="N01", name="North Hospital", name_ja="北病院")
        yield site, store(site, made_up())
        transaction.set_rollback(True)


@pytest.fixture(scope="session")
def compared_once(django_db_setup, django_db_blocker):
    """(the random patients, their usual comparison, pickled)"""
    with random_registry(django_db_blocker) as (_site, patients), everything(reason="test"):
        return patients, pickle.dumps(runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024))


@pytest.fixture
def compared_patients(compared_once):
    """The random patients as dicts; `random_patients` are in the registry too."""
    return compared_once[0]


@pytest.fixture
def compared_result(compared_once):
    """The usual comparison of the random patients: a copy for each test."""
    return pickle.loads(compared_once[1])  # noqa: S301 - our own
