"""Who answers for the patient."""

from .base import Choice, Label

SELF, PROXY, INTERVIEWER = "self", "proxy", "interviewer"
RESPONDENTS = (
    Choice(SELF, Label("the patient", "患者本人")),
    Choice(PROXY, Label("somebody else for the patient", "代理の方")),
    Choice(INTERVIEWER, Label("the patient, asked by an interviewer", "患者本人（聞き取り）")),
)
