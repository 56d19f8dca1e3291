"""Rosters that nobody should send, made when they are asked for."""

import io
import struct
import warnings
import zipfile
from random import Random

from contracts import errors as e
from tests.hostile.documents import FINE, SVG, Build, half, ole, pdf
from tests.unit.test_roster_xls import SECTOR, compound, record, workbook, worksheet

TYPES = b"""<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"""
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
HEADER = "".join(
    f'<c r="{column}1" t="inlineStr"><is><t>{name}</t></is></c>'
    for column, name in (("A", "이름"), ("B", "학부모 연락처"))
)
GOOD = f'<row r="1">{HEADER}</row><row r="2"><c r="A2" t="inlineStr"><is><t>김철수</t></is></c>' + (
    '<c r="B2" t="inlineStr"><is><t>010-1234-5678</t></is></c></row>'
)


def relations(*targets: tuple[str, str]) -> str:
    listed = "".join(
        f'<Relationship Id="r{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{listed}</Relationships>'


def sheet_of(rows: str, before: str = "", after: str = "") -> str:
    return f"<?xml version='1.0'?>{before}<worksheet {MAIN}><sheetData>{rows}</sheetData>{after}</worksheet>"


def xlsx(sheet: str | bytes, *more: tuple[str, str | bytes], at: str = "worksheets/sheet1.xml") -> bytes:
    """A workbook of one sheet, whose part lies at `at`, and `more` parts."""
    listed = f"<workbook {MAIN} xmlns:r='{OFFICE}'><sheets><sheet name='a' r:id='r1'/></sheets></workbook>"
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # the same name twice
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", relations(("officeDocument", "xl/workbook.xml")))
        archive.writestr("xl/workbook.xml", listed)
        archive.writestr(
            "xl/_rels/workbook.xml.rels", relations(("worksheet", at), ("sharedStrings", "s.xml"))
        )
        archive.writestr(f"xl/{at}", sheet)
        for name, data in more:
            archive.writestr(name, data)
    return out.getvalue()


def corners(cell: str = '<c r="{}"><v>1</v></c>') -> str:
    """1.4 KB of file; a reader that makes an array of it asks for 550 GB."""
    first, last = cell.format("A1"), cell.format("XFD1048576")
    return sheet_of(f"<row>{first}</row><row>{last}</row>")


def many(cells: int) -> str:
    """Cells that do not say where they are: they stand beside each other."""
    return sheet_of(("<row>" + "<c><v>1</v></c>" * 1000 + "</row>") * (cells // 1000))


def five_million() -> bytes:
    """Deflated no more than others: its cells are written in two ways, at random."""
    cells = "".join(Random(1).choices(["<c/>", "<c />"], k=210_000))
    return xlsx(sheet_of(f"<row>{cells}</row>" * 25))


def edited(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


def archive(*parts: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in parts:
            opened.writestr(name, data)
    return out.getvalue()


def nested(levels: int) -> bytes:
    data = bytes(10 << 20)
    for level in range(levels):
        data = archive(*((f"{level}-{number}.zip", data) for number in range(4)))
    return data


def ods(repeat: int) -> bytes:
    name = "urn:oasis:names:tc:opendocument:xmlns"
    cell = '<t:table-cell t:number-columns-repeated="16384" o:value-type="float" o:value="1"/>'
    rows = (
        f'<t:table t:name="a"><t:table-row t:number-rows-repeated="{repeat}">{cell}</t:table-row></t:table>'
    )
    content = (
        f'<o:document-content xmlns:o="{name}:office:1.0" xmlns:t="{name}:table:1.0">'
        f"<o:body><o:spreadsheet>{rows}</o:spreadsheet></o:body></o:document-content>"
    )
    return content.encode()


def xls(locked: bool = False, wide: bool = False) -> bytes:
    rows = worksheet([["이름", "학부모 연락처"], ["김철수", "010-1234-5678"]], [])
    if wide:  # a cell where no Excel can have one
        rows = rows[:-10] + record(0x0203, struct.pack("<HHHd", 65535, 65535, 0, 1.0)) + rows[-10:]
    stream = workbook("명단", rows)
    if locked:
        stream = stream[:20] + record(0x2F, struct.pack("<HHH", 1, 1, 1) + bytes(48)) + stream[20:]
    return compound(stream)


def xls_in_a_ring() -> bytes:
    """Its table of sectors leads from the stream's second sector back to its first."""
    data = bytearray(xls())
    data[SECTOR + 4 * 3 : SECTOR + 4 * 4] = struct.pack("<I", 2)
    return bytes(data)


def spreadsheet_ml(before: str, rows: str) -> bytes:
    space = "urn:schemas-microsoft-com:office:spreadsheet"
    book = f"<Workbook xmlns=\"{space}\" xmlns:s='{space}'><Worksheet><Table>{rows}"
    return f"<?xml version='1.0'?>{before}{book}</Table></Worksheet></Workbook>".encode()


LAUGHS = "<!DOCTYPE x [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{n + 1} '" + f"&a{n};" * 10 + "'>" for n in range(9)
)
ENTITY = '<row r="1"><c r="A1" t="inlineStr"><is><t>&{};</t></is></c></row>'

TABLES: dict[str, tuple[Build, set[str | None]]] = {
    "empty.xlsx": (lambda: b"", {e.FILE_EMPTY}),
    "text.xlsx": (lambda: b"a,b\n1,2\n", {e.FILE_TYPE_MISMATCH}),
    "corners.xlsx": (lambda: xlsx(corners()), {e.TOO_MANY_CELLS}),
    "corners-single-quotes.xlsx": (lambda: xlsx(corners("<c r='{}'><v>1</v></c>")), {e.TOO_MANY_CELLS}),
    "corners-late.xlsx": (
        lambda: xlsx(
            corners('<c s="1" t="n" cm="000000000000000000000000000000000000"\n r = "{}"><v>1</v></c>')
        ),
        {e.TOO_MANY_CELLS},
    ),
    "corners-small-letters.xlsx": (
        lambda: xlsx(corners().replace("XFD", "xfd")),
        {e.TOO_MANY_CELLS},
    ),
    "corners-behind-a-long-attribute.xlsx": (
        lambda: xlsx(corners(f'<c x="{"y" * 1000}" r="{{}}"><v>1</v></c>')),
        {e.TOO_MANY_CELLS},
    ),
    "corners-behind-a-longer-one.xlsx": (
        lambda: xlsx(corners(f'<c x="{"y" * 600_000}" r="{{}}"><v>1</v></c>')),
        {e.TOO_MANY_CELLS, e.ARCHIVE_TOO_DEEP},
    ),
    "corners-behind-a-bracket.xlsx": (
        lambda: xlsx(corners('<c x=">" r="{}"><v>1</v></c>')),
        {e.TOO_MANY_CELLS},
    ),
    "corners-in-numbers.xlsx": (
        lambda: xlsx(corners().replace("XFD", "&#88;FD")),
        {e.TOO_MANY_CELLS},
    ),
    "corners-in-utf-16.xlsx": (
        lambda: xlsx(corners().replace("'1.0'", "'1.0' encoding='UTF-16'").encode("utf-16")),
        {e.TOO_MANY_CELLS},
    ),
    "corners-behind-a-comment.xlsx": (
        lambda: xlsx(corners().replace("<sheetData>", "<!-- x --><sheetData><!-- <c -->")),
        {e.TOO_MANY_CELLS},
    ),
    "corners-not-well-formed.xlsx": (
        lambda: xlsx(corners('<c x=">" x="" r="{}"><v>1</v></c>')),
        {e.FILE_DAMAGED},
    ),
    "a-row-far-below-without-names.xlsx": (
        lambda: xlsx(sheet_of(GOOD + '<row r="1048576">' + "<c><v>1</v></c>" * 100 + "</row>")),
        {e.TOO_MANY_CELLS},
    ),
    "corners-in-a-comment.xlsx": (
        lambda: xlsx(sheet_of(f'<!-- <c r="XFD1048576"/> -->{GOOD}')),
        {FINE},
    ),
    "corners-in-a-text.xlsx": (
        lambda: xlsx(sheet_of(GOOD.replace("김철수", '<![CDATA[<c r="XFD1048576"/>]]>'))),
        {FINE},
    ),
    "corners-elsewhere.xlsx": (lambda: xlsx(corners(), at="media/picture.png"), {e.TOO_MANY_CELLS}),
    "corners-prefixed.xlsx": (
        lambda: xlsx(corners("<x:c r='{}'><x:v>1</x:v></x:c>")),
        {e.TOO_MANY_CELLS},
    ),
    "millions-of-cells.xlsx": (lambda: xlsx(many(2_000_000)), {e.ARCHIVE_TOO_DEEP}),
    "5-million-cells.xlsx": (five_million, {e.TOO_MANY_CELLS}),
    "a-column-to-the-end.xlsx": (
        lambda: xlsx(sheet_of(GOOD + '<row r="1048576"><c r="A1048576"><v>1</v></c></row>')),
        {e.ROSTER_TOO_MANY_ROWS},
    ),
    "merged-whole.xlsx": (
        lambda: xlsx(sheet_of(GOOD, after='<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>')),
        {e.ROSTER_HEADER_MISSING},
    ),
    "dimension-lies.xlsx": (
        lambda: xlsx(sheet_of(GOOD).replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')),
        {FINE},
    ),
    "deflate-bomb.xlsx": (
        lambda: xlsx(sheet_of(GOOD), ("xl/sharedStrings.xml", bytes(20 << 20))),
        {e.ARCHIVE_TOO_DEEP},
    ),
    "many-entries.xlsx": (
        lambda: xlsx(sheet_of(GOOD), *((f"xl/{number}.xml", b"") for number in range(10_000))),
        {e.ARCHIVE_TOO_DEEP},
    ),
    "same-name-twice.xlsx": (
        lambda: xlsx(sheet_of(GOOD), ("xl/worksheets/sheet1.xml", corners())),
        {e.ARCHIVE_TOO_DEEP},
    ),
    "same-name-in-capitals.xlsx": (
        lambda: xlsx(sheet_of(GOOD), ("xl/Worksheets/Sheet1.XML", corners())),
        {e.ARCHIVE_TOO_DEEP},
    ),
    "nested.xlsx": (lambda: nested(4), {e.FILE_NOT_SUPPORTED}),
    "size-lies.xlsx": (
        lambda: edited(
            xlsx(sheet_of("x" * 70_000)), struct.pack("<I", len(sheet_of("x" * 70_000))), b"\x10\0\0\0"
        ),
        {e.FILE_DAMAGED},
    ),
    "half.xlsx": (lambda: half(xlsx(sheet_of(GOOD))), {e.FILE_DAMAGED}),
    "broken-sheet.xlsx": (lambda: xlsx(sheet_of(GOOD)[:150]), {e.FILE_DAMAGED, e.ROSTER_EMPTY}),
    "deep.xlsx": (lambda: xlsx(sheet_of("<a>" * 300_000)), {e.FILE_DAMAGED, e.ROSTER_HEADER_MISSING}),
    "string-out-of-range.xlsx": (
        lambda: xlsx(sheet_of('<row r="1"><c r="A1" t="s"><v>4294967295</v></c></row>')),
        {e.FILE_DAMAGED, e.ROSTER_EMPTY, e.ROSTER_HEADER_MISSING},
    ),
    "laughs.xlsx": (
        lambda: xlsx(sheet_of(ENTITY.format("a9"), before=LAUGHS + "]>")),
        {e.FILE_DAMAGED, e.ROSTER_EMPTY, e.ROSTER_HEADER_MISSING},
    ),
    "other-file.xlsx": (
        lambda: xlsx(
            sheet_of(ENTITY.format("f"), before='<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>')
        ),
        {e.FILE_DAMAGED, e.ROSTER_EMPTY, e.ROSTER_HEADER_MISSING},
    ),
    "macros.xlsx": (lambda: xlsx(sheet_of(GOOD), ("xl/vbaProject.bin", b"x")), {e.MACROS_REFUSED}),
    "macros-hidden.xlsx": (lambda: xlsx(sheet_of(GOOD), ("a/VBAPROJECT.BIN", b"x")), {e.MACROS_REFUSED}),
    "named.xlsm": (lambda: xlsx(sheet_of(GOOD)), {e.FILE_TYPE_MISMATCH}),
    "locked-zip.xlsx": (
        lambda: edited(
            xlsx(sheet_of(GOOD)), b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0"
        ),
        {e.FILE_ENCRYPTED},
    ),
    "locked.xlsx": (lambda: ole("EncryptionInfo", "EncryptedPackage"), {e.FILE_ENCRYPTED}),
    "binary.xlsx": (lambda: xlsx(sheet_of(GOOD), ("xl/workbook.bin", b"x")), {e.FILE_NOT_SUPPORTED}),
    "open-document.xlsx": (
        lambda: archive(
            ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), ("content.xml", ods(9))
        ),
        {e.FILE_NOT_SUPPORTED},
    ),
    "open-document-inside.xlsx": (
        lambda: xlsx(sheet_of(GOOD), ("content.xml", ods(1 << 20))),
        {e.FILE_NOT_SUPPORTED},
    ),
    "letter.xlsx": (
        lambda: archive(("[Content_Types].xml", b"x"), ("word/document.xml", b"x")),
        {e.FILE_NOT_SUPPORTED},
    ),
    "web-page.xls": (lambda: b"<html><table><tr><td>1</table>", {e.ROSTER_HEADER_MISSING}),
    "tables-in-tables.xls": (lambda: b"<table><tr><td>" * 300_000, {e.TOO_MANY_CELLS}),
    "wide-page.xls": (
        lambda: b"<table>" + b"<tr><td colspan=1000 rowspan=65534>" * 9_999,
        {e.TOO_MANY_CELLS},
    ),
    "laughs.xls": (
        lambda: spreadsheet_ml(LAUGHS + "]>", "<Row><Cell><Data>&a9;</Data></Cell></Row>"),
        {e.FILE_DAMAGED},
    ),
    "far-row.xls": (lambda: spreadsheet_ml("", "<Row s:Index='999999999'/>"), {e.TOO_MANY_CELLS}),
    "wide-cells.xls": (
        lambda: spreadsheet_ml("", "<Row><Cell s:Index='16384'/></Row>" * 400),
        {e.TOO_MANY_CELLS},
    ),
    "hangul.xls": (lambda: ole("FileHeader", "DocInfo", "BodyText"), {e.FILE_NOT_SUPPORTED}),
    "locked.xls": (lambda: xls(locked=True), {e.FILE_ENCRYPTED}),
    "macros.xls": (lambda: ole("Workbook", "_VBA_PROJECT_CUR"), {e.FILE_DAMAGED}),
    "half.xls": (lambda: half(xls()), {e.FILE_DAMAGED}),
    "names-only.xls": (lambda: ole("Workbook"), {e.FILE_DAMAGED}),
    "ring.xls": (xls_in_a_ring, {FINE, e.FILE_DAMAGED}),
    "wide.xls": (lambda: xls(wide=True), {e.TASK_OUT_OF_MEMORY}),
    "zeros.csv": (lambda: b"a,b\n" + bytes(100), {e.FILE_NOT_SUPPORTED}),
    "utf-16.csv": (lambda: "이름,연락처\n".encode("utf-16"), {e.ROSTER_HEADER_MISSING}),
    "half-a-letter.csv": (lambda: "이름,연락처\n".encode("utf-16")[:-1], {e.ROSTER_ENCODING_UNKNOWN}),
    "no-encoding.csv": (lambda: b"\xff\xff\xfe,\x81\n", {e.ROSTER_ENCODING_UNKNOWN}),
    "one-field.csv": (lambda: b'"' + b"x" * (29 << 20), {e.FILE_DAMAGED}),
    "million-columns.csv": (lambda: b"a," * (14 << 20), {e.TOO_MANY_CELLS}),
    "million-rows.csv": (lambda: b"a\n" * (14 << 20), {e.TOO_MANY_CELLS}),
    "document.csv": (lambda: pdf(b"<< >>"), {e.FILE_NOT_SUPPORTED}),
    "drawing.csv": (lambda: SVG, {e.FILE_NOT_SUPPORTED}),
}
