"""Scripts that read the CSV files of an export into R and SAS, with labels and reasons for missing values."""

from registry.exports.data.datasets import short_name
from registry.exports.formats.ordering import is_ordered, with_code
from registry.instruments import levels
from registry.instruments.base import MISSING_LABELS, TAGS
from registry.services.files.file_formats import MISSING_SUFFIX

R_HEAD = """\
# Reads the CSV files of this export into data frames, one a file: {names}.
# Base R is enough. Run it where the files are: source("read_metaspine.R", encoding = "UTF-8")
# A variable carries its label as attr(x, "label"). Grades and points are ordered factors whose levels begin with the
# code
# ("2 ...", "C ..."); <name>_points has the points as numbers. A tagged missing value (.a to .f) is NA, and the column
# <name>_missing says why (a factor, NA where there is a value), as attr(x, "missing_reason") does until rows are
# chosen.
# Where the package haven is installed, haven::tagged_na() is used too. Lists of levels have a logical column each.
{synthetic}
.reasons <- c({reasons})

.tags_of <- function(x) {{
  tag <- ifelse(grepl("^[.][a-f]$", x), substr(x, 2, 2), NA_character_)
  factor(unname(.reasons[tag]), levels = unname(.reasons))
}}
.number <- function(x) {{
  tag <- ifelse(grepl("^[.][a-f]$", x), substr(x, 2, 2), NA_character_)
  x[!is.na(tag)] <- NA
  value <- as.numeric(x)
  if (any(!is.na(tag)) && requireNamespace("haven", quietly = TRUE)) {{
    for (one in unique(tag[!is.na(tag)])) value[which(tag == one)] <- haven::tagged_na(one)
  }}
  value
}}
.coded <- function(x, codes, labels, ordered = FALSE) factor(x, levels = codes, labels = labels, ordered = ordered)
.points <- function(x, codes, points) points[match(x, codes)]
.has <- function(x, one) ifelse(is.na(x), NA, grepl(paste0(";", one, ";"), paste0(";", x, ";"), fixed = TRUE))
.with <- function(value, label, raw, tagged) {{
  if (tagged && any(!is.na(.tags_of(raw)))) attr(value, "missing_reason") <- .tags_of(raw)
  attr(value, "label") <- label
  value
}}
.unmarked <- function(part) {{  # the mark by which Excel knows UTF-8
  names(part)[1] <- sub("^\\xef\\xbb\\xbf", "", names(part)[1], useBytes = TRUE)
  part
}}
.read <- function(name) {{
  files <- list.files(".", pattern = paste0("^", name, "[.]csv$"), recursive = TRUE)  # one for each site, if split
  parts <- lapply(files, read.csv, colClasses = "character", na.strings = "", encoding = "UTF-8", check.names = FALSE)
  do.call(rbind, lapply(parts, .unmarked))
}}
"""


def r_script(tables, choices, note):
    """The text of read_metaspine.R. `tables`: (Dataset, Outputs) of each."""
    language = choices.language
    reasons = ", ".join(f"{tag} = {_r(MISSING_LABELS[reason].in_language(language))}" for reason, tag in TAGS.items())
    names = ", ".join(dataset.name for dataset, _ in tables)
    parts = [R_HEAD.format(names=names, reasons=reasons, synthetic=f"# {note}\n" if note else "")]
    for dataset, written in tables:
        parts.append(f'\n# {dataset.label.in_language(language)}\n{dataset.name} <- .read("{dataset.name}")\n')
        parts += [_r_column(dataset.name, variable, choices) for variable in written]
    return "".join(parts)


def _r_column(table, variable, choices):
    raw = f'{table}[["{variable.name}"]]'
    value, more = f".number({raw})", []
    if variable.choices:
        value, points = _r_coded(raw, variable, choices)
        more += [f'{table}[["{variable.name}_points"]] <- {points}\n'] if points else []
    elif variable.kind == "date":
        value = f"as.Date({raw})"
    elif variable.kind == "text":
        value = raw
    if variable.tagged:
        more.append(f'{table}[["{variable.name}{MISSING_SUFFIX}"]] <- .tags_of({raw})\n')
    if variable.variable.of == "lesion_levels" and variable.kind == "text":
        more += [f'{table}[["{variable.name}_{level}"]] <- .has({raw}, "{level}")\n' for level in levels.LEVELS]
    tagged = "TRUE" if variable.tagged else "FALSE"
    label = _r(variable.label.in_language(choices.language))
    return "".join([*more, f"{raw} <- .with({value}, {label}, {raw}, {tagged})\n"])


def _r_coded(raw, variable, choices):
    """(R of a factor, R of its points where the codes are numbers or None)."""
    ordered = is_ordered(variable)
    texts = [choice.label.in_language(choices.language) for choice in variable.choices]
    shown = [
        _r(with_code(choice, choices.language) if ordered else text)
        for choice, text in zip(variable.choices, texts, strict=True)
    ]
    written = [
        _r(text if choices.labelled else str(choice.code)) for choice, text in zip(variable.choices, texts, strict=True)
    ]
    codes = f"c({', '.join(written)})"
    value = f".coded({raw}, {codes}, c({', '.join(shown)}), {'TRUE' if ordered else 'FALSE'})"
    if not (ordered and all(isinstance(choice.code, int) for choice in variable.choices)):
        return value, None
    return value, f".points({raw}, {codes}, c({', '.join(str(choice.code) for choice in variable.choices)}))"


def _r(text):
    """A text of R in ASCII alone, so that the script is read alike in every locale, C included."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(character if character.isascii() else f"\\U{{{ord(character):X}}}" for character in escaped) + '"'
    )


LENGTHS = {"text": 200, "code": 40}


def sas_script(tables, choices, note, sites=()):
    """The text of read_metaspine.sas: formats, then one data step a file. Reasons become .A to .F.

    sites  codes of the folders that the files are split into; none where they are not split
    """
    language = choices.language
    lines = [f"/* {note} */"] if note else []
    lines += [
        "/* Reads the CSV files of this export. Set FOLDER to where they are; SAS must run with UTF-8 encoding. */",
        "%let folder = .;",
        "options validvarname=v7;",
    ]
    for dataset, written in tables:
        lines += [*_sas_formats(dataset, written, choices), *_sas_step(dataset, written, choices, language, sites)]
    return "\n".join(lines) + "\n"


def _is_text(variable, choices):
    return variable.kind in ("text", "code") or (bool(variable.choices) and choices.labelled)


def _sas_formats(dataset, written, choices):
    yield "proc format;"
    for place, variable in enumerate(written):
        if not variable.choices or choices.labelled:
            continue
        text = _is_text(variable, choices)
        pairs = [
            f"{_sas(str(choice.code)) if text else choice.code} = {_sas(choice.label.in_language(choices.language))}"
            for choice in variable.choices
        ]
        if variable.tagged:  # a text cannot be missing for a reason: there the tag stays, as a value with a label
            pairs += [
                f"{_sas(f'.{tag}') if text else f'.{tag.upper()}'} = "
                f"{_sas(MISSING_LABELS[reason].in_language(choices.language))}"
                for reason, tag in TAGS.items()
            ]
        yield f"  value {_format(dataset, place, text)} {' '.join(pairs)};"
    yield "run;"


def _format(dataset, place, text):
    # A format's name may not end in a digit.
    return f"{'$' if text else ''}{dataset.name[:2]}{place}f"


def _sas_step(dataset, written, choices, language, sites):
    yield from _sas_files(dataset.name, sites)
    columns = [(place, variable, short_name(variable.name)) for place, variable in enumerate(written)]
    for _, variable, name in columns:
        yield f"  length {name} {'$' + str(_length(variable)) if _is_text(variable, choices) else '8'};"
    for _, variable, name in columns:
        if variable.tagged and not _is_text(variable, choices):
            yield f"  length _{name[:30]} $12;"
    names = (
        f"_{name[:30]}" if variable.tagged and not _is_text(variable, choices) else name
        for _, variable, name in columns
    )
    dates = " ".join(name for _, variable, name in columns if variable.kind == "date")
    if dates:
        yield f"  informat {dates} yymmdd10.;"
        yield f"  format {dates} yymmdd10.;"
    yield (
        "  input "
        + " ".join(f"{name} {'$' if _is_text(variable, choices) else ''}" for name, variable in _named(names, written))
        + ";"
    )
    for _, variable, name in columns:
        if variable.tagged and not _is_text(variable, choices):
            raw = f"_{name[:30]}"
            cases = " ".join(f'when (".{tag}") {name} = .{tag.upper()};' for tag in TAGS.values())
            yield f"  select ({raw}); {cases} otherwise {name} = input({raw}, best12.); end; drop {raw};"
    for place, variable, name in columns:
        yield f"  label {name} = {_sas(variable.label.in_language(language))};"
        if variable.choices and not choices.labelled:
            yield f"  format {name} {_format(dataset, place, _is_text(variable, choices))}.;"
    yield "run;"


def _sas_files(name, sites):
    """The beginning of a data step: which file it reads, or which files one after the other, without their headers."""
    how = 'dsd dlm="," lrecl=1000000 encoding="utf-8" truncover'
    if not sites:
        yield f"data {name};"
        yield f'  infile "&folder./{name}.csv" firstobs=2 {how};'
        return
    yield f"filename site_{name[:2]} ({' '.join(_sas(f'&folder./{site}/{name}.csv') for site in sites)});"
    yield f"data {name};"
    yield f"  infile site_{name[:2]} eov=_first {how};"
    yield "  input @;"
    yield "  if _n_ = 1 or _first then do; _first = 0; delete; end;"


def _named(names, written):
    return zip(names, written, strict=True)


def _length(variable):
    if variable.choices:
        return max(
            len(text.encode())
            for choice in variable.choices
            for text in (str(choice.code), choice.label.en, choice.label.ja)
        )
    return LENGTHS["text"]


def _sas(text):
    return '"' + text.replace('"', '""') + '"'
