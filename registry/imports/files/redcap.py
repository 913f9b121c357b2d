"""REDCap project export: what its columns are called, raw (`redcap_event_name`, `levels___c7`) and as labels (`Event
Name`, `Lesion levels (choice=C7)`), and which of them say nothing that is stored here.

Names are compared without case, width, spaces and signs.
"""

import re
import unicodedata

from registry.instruments.base import Label

EVENT = ("redcapeventname", "eventname")
GROUP = ("redcapdataaccessgroup", "dataaccessgroup", "dag")
INSTANCE = ("redcaprepeatinstance", "repeatinstance")
INSTRUMENT = ("redcaprepeatinstrument", "repeatinstrument")
ARM = "Study arm"  # the column that events of several arms give, called as the item is
IDENTIFIER = ("redcapsurveyidentifier", "surveyidentifier")

STATUS = Label(
    "says how far a form of REDCap is. It is not imported: whether a form is complete follows from its answers",
    "REDCapのフォームの進捗です。取り込みません（完了かどうかは回答から決まります）。",
)
SURVEY = Label(
    "says who answered a survey of REDCap, and when. It is not imported",
    "REDCapのアンケートの回答者または回答日時です。取り込みません。",
)
_TICK = re.compile(r"(?P<name>.+?)___(?P<code>.+)|(?P<label>.+?)\s*\(choice=(?P<choice>.*)\)", re.DOTALL)
_AGAIN = re.compile(r" \(\d+\)$")  # a name that stands more than once is counted


def plain(text):
    """A name or label without what people write differently: case, width, spaces and signs."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", str(text))).casefold()


def tick_of(column):
    """(name or label of the field, code or label of the choice) of a tick box's column; ("", "") for another."""
    match = _TICK.fullmatch(column.strip())
    if match is None:
        return "", ""
    return (match["name"], match["code"]) if match["name"] else (match["label"], match["choice"])


def event_of(text):
    """An event's name without its arm: `1_month_arm_1`, `1 month (Arm 1: Drug A)`."""
    return re.sub(r"_arm_\d+[a-z]?$|\s*\(arm \d+: .*\)$", "", str(text).strip(), flags=re.IGNORECASE)


def arm_of(text):
    """The arm that an event's name names: 2 of `visit_arm_2b`, `Drug A` of `Visit (Arm 1: Drug A)`; "" of others."""
    match = re.search(r"_arm_(\d+)[a-z]?$|\(arm \d+: (.*)\)$", str(text).strip(), re.IGNORECASE)
    return (match[1] or match[2]).strip() if match else ""


def column_of_arms(header, knows):
    """The place of the column whose events name arms; None where the study has none, or the file says them itself."""
    arm = knows(ARM)
    if not arm or any(knows(name) == arm for name in header):
        return None
    return next((place for place, name in enumerate(header) if plain(name) in EVENT), None)


def own_column(column, header):
    """What a column of REDCap's own says that is not imported (a Label); None for a column of answers.

    header  all names of the file: a word such as `Complete?` is REDCap's beside others of its own
    """
    name = plain(_AGAIN.sub("", column))
    if name in IDENTIFIER or re.fullmatch(r".+_timestamp", column) or name == "surveytimestamp":
        return SURVEY
    if column.endswith("_complete") or (name == "complete" and column.startswith("Complete?") and is_export(header)):
        return STATUS
    return None


def is_export(header):
    """Whether a file has columns as an export of REDCap has."""
    own = {*EVENT, *INSTANCE, *INSTRUMENT, *GROUP[:2], *IDENTIFIER}
    return any(plain(name) in own or tick_of(name)[0] or name.startswith("Complete?") for name in header)
