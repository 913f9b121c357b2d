"""Consent: which version of the form somebody signed, when, in which language and who took it; and what was withdrawn.

Not a form of the protocol: it has a table and a page of its own. Declared as the forms are, so that page, columns,
constraints and the words of the trail have one source.
"""

from registry.instruments.base import Choice, Instrument, Item, Label

CONTACT, DATA_USE = "contact", "data_use"
TAKEN_BY = "agreed_taken_by"  # a person of the site: in no export

LANGUAGES = (
    Choice("ja", Label("Japanese", "日本語")),
    Choice("en", Label("English", "英語")),
    Choice("other", Label("another language", "その他の言語")),
)
PARTS = (
    Choice(
        CONTACT,
        Label("further contact", "今後の連絡"),
        Label("no links, letters or calls; visits to the clinic go on", "リンク・郵便・電話なし（外来での評価は継続）"),
    ),
    Choice(
        DATA_USE,
        Label("use of the data", "データの利用"),
        Label("comparisons and exports made from now on leave the patient out", "今後の比較・データ出力から除外します"),
    ),
)

CONSENT = Instrument(
    code="consent",
    version="1",
    title=Label("Consent", "同意"),
    items=(
        Item(name="agreed_version", label=Label("Version of the form", "同意文書の版"), kind="text", max_length=20),
        Item(name="agreed_on", label=Label("Signed on", "署名日"), kind="date"),
        Item(name="agreed_language", label=Label("Language of the form", "文書の言語"), kind="code", choices=LANGUAGES),
        Item(
            name=TAKEN_BY,
            label=Label("Taken by", "同意取得者"),
            kind="text",
            max_length=100,
            hint=Label("Who explained and took the consent.", "説明し同意を取得した者"),
        ),
    ),
)

WITHDRAWAL = Instrument(
    code="consent_withdrawal",
    version="1",
    title=Label("Part of the consent withdrawn", "同意の一部撤回"),
    items=(
        Item(name="withdrawn_part", label=Label("What is withdrawn", "撤回の内容"), kind="code", choices=PARTS),
        Item(name="withdrawn_on", label=Label("From which day", "撤回日"), kind="date"),
    ),
)
