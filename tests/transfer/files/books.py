"""Workbooks written by hand, part by part, as other programs write them and as one writes them to hurt."""

import io
import zipfile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STRICT_KINDS = "http://purl.oclc.org/ooxml/officeDocument/relationships"


def relations(pairs, kinds=_KINDS):
    lines = [
        f'<Relationship Id="rId{n}" Type="{kinds}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(pairs, 1)
    ]
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{"".join(lines)}</Relationships>'


def book(*sheets, strings="<sst/>", styles="<styleSheet/>", workbook="", states=(), kinds=_KINDS, namespace=MAIN):
    """The bytes of a workbook; a sheet is its XML, or an iterable of pieces of it."""
    listed = "".join(
        f'<sheet name="Sheet{n}" sheetId="{n}" state="{states[n - 1] if n <= len(states) else "visible"}" '
        f'r:id="rId{n}"/>'
        for n in range(1, len(sheets) + 1)
    )
    targets = [("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)]
    parts = {
        "_rels/.rels": relations([("officeDocument", "xl/workbook.xml")], kinds),
        "xl/workbook.xml": f'<workbook xmlns="{namespace}" xmlns:r="{kinds}">{workbook}'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            [*targets, ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")], kinds
        ),
        "xl/sharedStrings.xml": strings,
        "xl/styles.xml": styles,
    } | {f"xl/worksheets/sheet{n}.xml": sheet for n, sheet in enumerate(sheets, 1)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            with archive.open(name, "w", force_zip64=True) as stream:
                for piece in [content] if isinstance(content, str) else content:
                    stream.write(piece.encode())
    return out.getvalue()


def sheet(*rows, before="", after="", namespace=MAIN, prefix=""):
    """The XML of a sheet; a row is the XML of its cells, or (attributes, XML)."""
    pairs = [row if isinstance(row, tuple) else ("", row) for row in rows]
    p = f"{prefix}:" if prefix else ""
    lines = "".join(f"<{p}row {attributes}>{cells}</{p}row>" for attributes, cells in pairs)
    names = f'xmlns:{prefix}="{namespace}"' if prefix else f'xmlns="{namespace}"'
    return f"<{p}worksheet {names}>{before}<{p}sheetData>{lines}</{p}sheetData>{after}</{p}worksheet>"


def text(value):
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def number(value, style=0):
    return f'<c s="{style}"><v>{value}</v></c>'


def styles(*codes):
    """Cell styles 1, 2, …: a number names a built-in format, a text is a format of the file's own."""
    custom = "".join(
        f'<numFmt numFmtId="{200 + n}" formatCode="{code}"/>' for n, code in enumerate(codes) if isinstance(code, str)
    )
    ids = [code if isinstance(code, int) else 200 + n for n, code in enumerate(codes)]
    return (
        f'<styleSheet xmlns="{MAIN}"><numFmts>{custom}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
        f'<cellXfs><xf numFmtId="0"/>{"".join(f"""<xf numFmtId="{code}"/>""" for code in ids)}</cellXfs></styleSheet>'
    )
