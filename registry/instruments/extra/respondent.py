"""Who gives the patient's answers: EQ-5D-5L, EQ VAS and pain VAS by a proxy are not the patient's own."""

from registry.instruments.base import Choice, Instrument, Item, Label

SELF, PROXY, INTERVIEWER = "self", "proxy", "interviewer"
RESPONDENTS = (
    Choice(SELF, Label("the patient", "患者本人")),
    Choice(PROXY, Label("somebody else for the patient", "代理の方")),
    Choice(INTERVIEWER, Label("the patient, asked by an interviewer", "患者本人（聞き取り）")),
)

RESPONDENT = Instrument(
    code="respondent",
    version="1",
    title=Label("Who answered", "回答者"),
    items=(
        Item(
            name="respondent",
            label=Label("Who answered EQ-5D-5L, EQ VAS and pain VAS", "EQ-5D-5L・EQ VAS・疼痛VASの回答者"),
            kind="code",
            choices=RESPONDENTS,
            required=False,
        ),
    ),
    citation="Three ways of administration: EuroQol's self-complete, proxy and interviewer versions",
    licence="The labels are this project's own.",
    optional=True,
)
