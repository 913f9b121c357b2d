"""The demonstration registry as files in the registry's wire format."""

import csv
from dataclasses import asdict
from pathlib import Path

from registry.demo.segi2025.cohort import ADVERSE_EVENT_COLUMNS, ASSESSMENT_COLUMNS, PATIENT_COLUMNS, DemoSite

SITE_COLUMNS = tuple(DemoSite.__dataclass_fields__)
README = """SYNTHETIC DATA - 架空データ

Nobody in these files exists. The patients were drawn by a computer program (registry/demo, seed {seed});
hospitals are invented. The summary figures of the 203 analysed patients equal those published by Segi et al.,
Global Spine J 2025;15(4):2286-2299, DOI 10.1177/21925682241297948, which says nothing about any single patient.
Do not use these files for research or for decisions about care. docs/demonstration-data.md says how they are made.
"""


def write_cohort(cohort, directory):
    """Write patients.csv, assessments.csv, adverse_events.csv, sites.csv and README.txt into `directory`.

    The folder is made if need be. UTF-8, LF line ends, empty cells for no value, ISO dates.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tables = {
        "patients": (getattr(cohort, "patient_columns", PATIENT_COLUMNS), cohort.patients),
        "assessments": (getattr(cohort, "assessment_columns", ASSESSMENT_COLUMNS), cohort.assessments),
        "adverse_events": (ADVERSE_EVENT_COLUMNS, cohort.adverse_events),
        "sites": (SITE_COLUMNS, [asdict(site) for site in cohort.sites]),
    }
    for name, (columns, rows) in tables.items():
        with (directory / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    about = getattr(cohort, "about", None) or README.format(seed=cohort.seed)
    (directory / "README.txt").write_text(about, encoding="utf-8")
