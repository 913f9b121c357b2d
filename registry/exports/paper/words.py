"""What paper says beside the items' own words, in the language of the paper, which need not be the reader's."""

from datetime import date, time
from typing import Any

from registry.analysis.presentation.words import UNITS
from registry.instruments import patient_forms
from registry.instruments.base import Label

PATIENT = Label("Patient", "患者番号")
SITE = Label("Site", "施設")
HOSPITAL_NUMBER = Label("Hospital number", "院内ID")
INITIALS = Label("Initials", "イニシャル")
BLANK = Label(
    "To be filled in by hand. Made {day}, version {n} of the protocol.", "手書き用。作成日{day}、プロトコール第{n}版。"
)
FILLED = Label("As stored on {day}. Not for entry.", "{day}時点の登録内容。記入用ではありません。")
STATE = Label("State", "状態")
STATES = {"empty": Label("not begun", "未入力"), **patient_forms.STATES}
NO_ANSWER = Label("No answer:", "回答なし：")
ONLY_IF = Label("Only if {condition}", "{condition} の場合のみ")
SEVERAL = Label("Tick all that apply.", "当てはまるものすべてに印をつけてください。")
AS_KNOWN = Label("As far as known: year, month, day.", "分かる範囲で：年・月・日")
RANGE = Label("{low} to {high}", "{low}～{high}")
COMPUTED = Label("computed by the registry", "登録システムが計算")
LINE = Label("Make one mark across the line.", "線の上に縦線を1本引いてください。")
MEASURED = Label("Measured (whole mm)", "測定値（mm、整数）")
SHORT_LABELS = Label(
    "Short labels for copying answers from the licensed questionnaire. They are not its wording: give patients the "
    "licensed form.",
    "使用許諾を受けた質問票から書き写すための略称です。質問票の文言ではありません。患者さんには正規の質問票をお渡しください。",
)
SCALE_ELSEWHERE = Label(
    "The 20 cm scale is printed once the licensed wording is loaded.",
    "20 cmの目盛は、正規の文言の登録後に印刷されます。",
)
SIGNATURES = (
    Label("Filled in by", "記入者"),
    Label("Entered by", "入力者"),
    Label("Investigator", "責任医師"),
)
SIGNATURE = Label("Name, date, signature", "氏名・日付・署名")
NONE_STORED = Label("Nothing is stored of this form.", "この調査票の登録内容はありません。")


def value_in_words(item: Any, value: Any, language: str) -> str:
    """A stored value of an item to be read; "" for none."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(value_in_words(item, code, language) for code in value)
    if item.choices and any(choice.code == value for choice in item.choices):
        return item.choice(value).label.in_language(language)
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, date):
        return value.isoformat()
    return f"{value} {unit_in(item, language)}".strip()


def unit_in(item: Any, language: str) -> str:
    """An item's unit as it is read; "" for none."""
    return UNITS[item.unit].in_language(language) if item.unit in UNITS else item.unit or ""
