"""Entering an assessment: by keyboard alone, on a tablet, and without JavaScript."""

import pytest

ANSWERS = "D2"  # Frankel D, ECOG 2
BARTHEL = ["10", "0", "5", "5", "10", "10", "5", "10", "10", "0"]
EQ5D = "21232"


def test_an_assessment_is_entered_by_keyboard_alone(opened, cast, assessments):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/preop/")
    page.wait_for_load_state("networkidle")
    page.focus("[name=assessment_date]")
    keyboard = page.keyboard
    keyboard.type("01122026")
    keyboard.press("Enter")
    for key in ANSWERS:
        keyboard.press(key)
        keyboard.press("Enter")
    keyboard.type("40")
    keyboard.press("Enter")
    for points in BARTHEL:
        keyboard.type(points)
        keyboard.press("Enter")
    assert page.locator("[data-derived=barthel] strong").inner_text() == "65 of 100"
    for key in EQ5D[:-1]:
        keyboard.press(key)
        keyboard.press("Enter")
    assert page.locator("[data-derived=eq5d5l] strong").inner_text() == "1 item left"
    keyboard.press(EQ5D[-1])
    assert page.locator("[data-derived=eq5d5l] strong").inner_text() == "21232 · HSUV 0.685 (Japan)"
    keyboard.press("Enter")
    keyboard.type("60")
    keyboard.press("Enter")  # to the buttons: Save draft
    assert page.evaluate("document.activeElement.name") == "save"
    keyboard.press("Tab")
    keyboard.press("Enter")
    page.wait_for_url(f"**/patients/{cast.new}/")
    stored = assessments(cast.new, "preop")
    assert (stored.state, stored.barthel_total, stored.eq5d_state, stored.eq_vas) == ("complete", 65, 21232, 60)
    assert page.locator(".timeline").get_by_text("0.685").is_visible()


def test_arrows_move_in_a_group_and_tab_leaves_it(opened, cast):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/12m/")
    page.focus("[name=frankel][value=A]")
    page.keyboard.press("ArrowDown")
    assert page.locator("[name=frankel]:checked").get_attribute("value") == "B"
    page.focus("[name=barthel_mobility][value='0']")
    page.keyboard.type("15")
    assert page.locator("[name=barthel_mobility]:checked").get_attribute("value") == "15"
    page.focus("[name=frankel]:checked")
    page.keyboard.press("Backspace")
    assert page.locator("[name=frankel]:checked").count() == 0
    page.focus("[name=eq_vas]")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.input_value("[name=eq_vas]") == "1"


def test_a_tablet_takes_an_assessment_by_touch(opened, cast, assessments):
    page = opened("alice", "tablet", has_touch=True)
    page.goto(f"/patients/{cast.new}/assessments/3m/")
    page.fill("[name=assessment_date]", "2026-04-14")
    rows = page.locator(".row-option")
    heights = {round(rows.nth(n).bounding_box()["height"]) for n in range(0, rows.count(), 5)}
    assert min(heights) >= 44
    page.locator("[name=frankel][value=C]").tap()
    page.locator("#section-barthel summary").first.tap()
    page.select_option("[name=barthel_not_done]", "too_ill")
    assert page.locator("[data-progress=barthel] [data-answered]").inner_text() == "10"
    scale = page.locator(".thermometer svg")
    scale.scroll_into_view_if_needed()
    box = scale.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 270 / 1040)
    assert page.input_value("[name=eq_vas]") == "75"
    page.click("text=Save draft")
    page.wait_for_selector(".note-success")
    stored = assessments(cast.new, "3m")
    assert (stored.state, stored.frankel, stored.eq_vas) == ("draft", "C", 75)
    assert stored.missing["barthel_stairs"] == "too_ill"


def test_a_range_is_said_before_anything_is_sent(opened, cast):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/6m/")
    page.fill("[name=pain_vas_mm]", "140")
    page.keyboard.press("Tab")
    assert page.locator("#error-pain_vas_mm").inner_text() == "Must be a whole number from 0 to 100 mm."
    page.fill("[name=pain_vas_mm]", "14")
    page.keyboard.press("Tab")
    assert page.locator("#error-pain_vas_mm").count() == 0


def test_unlikely_answers_are_pointed_out_at_once(opened, cast, assessments):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/12m/")
    page.fill("[name=eq_vas]", "95")
    page.fill("[name=pain_vas_mm]", "95")
    page.keyboard.press("Tab")
    page.wait_for_selector(".live-doubt")
    page_text = page.locator("#field-pain_vas_mm .live-doubt").inner_text()
    assert page_text.startswith("EQ VAS and pain VAS are both 80 or more")
    assert page.locator("[data-doubts]").inner_text() == page_text
    for offline in (True, False):  # nothing stays that was said of other answers
        page.context.set_offline(offline)
        page.fill("[name=pain_vas_mm]", "5")
        page.keyboard.press("Tab")
        page.wait_for_selector(".live-doubt", state="detached")
        page.context.set_offline(False)
        page.fill("[name=pain_vas_mm]", "95")
        page.keyboard.press("Tab")
        page.wait_for_selector(".live-doubt")
    assert assessments(cast.new, "12m") is None


def test_levels_say_their_segment_group_as_they_are_ticked(opened, cast):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/baseline/")
    page.check("[name=lesion_levels][value=T4]", force=True)
    page.check("[name=lesion_levels][value=T5]", force=True)
    page.wait_for_selector("text=T4–T5")
    text = page.locator("#segment-lesion_levels").inner_text()
    assert "Thoracic: T1 to T10 alone" in text
    # The drawing of a chosen vertebra is filled; those beside it are not.
    fills = {
        level: page.locator(f".vertebra:has([value={level}]) path").evaluate("(one) => getComputedStyle(one).fill")
        for level in ("T3", "T4", "T5")
    }
    assert fills["T4"] == fills["T5"] != fills["T3"]
    page.check("[name=lesion_levels][value=L5]", force=True)
    page.wait_for_selector("text=the vertebrae are not neighbours")


@pytest.mark.parametrize("javascript", [True, False])
def test_forms_work_with_and_without_javascript(opened, cast, assessments, javascript):
    timepoint = "6m" if javascript else "24m"
    page = opened("alice", java_script_enabled=javascript)
    page.goto(f"/patients/{cast.new}/assessments/{timepoint}/")
    page.fill("[name=assessment_date]", "2026-05-14")
    page.check("[name=frankel][value=E]")
    page.fill("[name=eq_vas]", "80")
    assert page.locator("[name=work_out]").count() == (not javascript)
    if not javascript:
        page.click("[name=work_out]")
        page.wait_for_selector("text=nothing is saved yet")
        assert assessments(cast.new, timepoint) is None
    page.click("text=Save draft")
    page.wait_for_selector(".note-success")
    stored = assessments(cast.new, timepoint)
    assert (stored.state, stored.frankel, stored.eq_vas) == ("draft", "E", 80)


SEND_TWICE = """async (button) => {
    const form = document.querySelector('main form');
    const body = new URLSearchParams(new FormData(form));
    if (button) body.append(button, '');
    const send = () => fetch(form.action || location.href, {method: 'POST', body, redirect: 'manual'});
    return (await Promise.all([send(), send()])).map((response) => response.type);
}"""


def test_two_clicks_in_the_same_instant_store_one_assessment(opened, cast, assessments):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/1m/")
    page.fill("[name=assessment_date]", "2026-02-14")
    page.check("[name=frankel][value=D]")
    assert page.evaluate(SEND_TWICE, "save") == ["opaqueredirect"] * 2
    stored = assessments(cast.new, "1m")
    assert (stored.version, stored.frankel) == (1, "D")


def test_two_clicks_in_the_same_instant_enrol_one_patient(opened, cast, patients_of_north):
    page = opened("alice")
    page.goto("/patients/new/")
    for name in ("surgery", "consent", "no_dementia"):
        page.check(f"[name=eligible_{name}]")
    page.check("[name=sex][value=female]")
    page.fill("[name=birth_date]", "1950-02-03")
    page.fill("[name=consent_date]", "2026-01-10")
    before = patients_of_north()
    assert page.evaluate(SEND_TWICE, "") == ["opaqueredirect"] * 2
    assert patients_of_north() == before + 1


# What a press finds moved when it lets go: the messages of the field that it left stand above the buttons by then.
@pytest.mark.parametrize(("name", "button"), [("pain_vas_mm", "save"), ("eq_vas", "complete")])
@pytest.mark.parametrize("touch", [False, True])
def test_the_first_press_on_a_button_counts_after_a_number_out_of_range(opened, cast, touch, name, button):
    page = opened("alice", "tablet", has_touch=touch)
    page.goto(f"/patients/{cast.new}/assessments/6m/")
    page.wait_for_load_state("networkidle")
    page.fill(f"[name={name}]", "660")
    page.locator(f"[name={name}]").focus()
    page.set_viewport_size({"width": 820, "height": 6000})  # the buttons stand below what the message moves
    page.wait_for_selector("#entry:not([data-undrafted])")  # the draft is kept: nothing else moves them
    box = page.locator(f"button[name={button}]").bounding_box()
    at = box["x"] + box["width"] / 2, box["y"] + 4
    answered = []  # expect_response would wait for the end of a tap that the answer's page interrupts

    def note(response):
        # The form itself is sent by leaving the page; drafts and the look for doubts are sent from it, at any time.
        if response.request.method == "POST" and response.request.is_navigation_request():
            answered.append(response.status)

    page.on("response", note)
    if touch:
        page.touchscreen.tap(*at)
    else:
        page.mouse.move(*at)
        page.mouse.down()
        page.wait_for_timeout(60)
        page.mouse.up()
    page.wait_for_selector(".error-summary")
    assert "660" in page.inner_text(".error-summary")
    assert answered == [422]  # pressed once, sent once


def test_a_press_that_is_taken_back_stores_nothing(opened, cast, assessments):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/6m/")
    before = assessments(cast.new, "6m")
    box = page.locator("button[name=save]").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] - 200)
    page.mouse.up()
    page.wait_for_timeout(200)
    assert page.locator(".error-summary, .note-success").count() == 0
    assert assessments(cast.new, "6m") == before


@pytest.mark.parametrize("typed", ["1,200", "１，２００", "1、200"])
def test_thousands_are_read_as_they_are_typed(opened, cast, typed):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/surgery/")
    page.fill("[name=blood_loss_ml]", typed)
    page.keyboard.press("Tab")
    assert page.locator("#error-blood_loss_ml").count() == 0
    page.click("button[name=save]")
    page.wait_for_selector(".note-success")
    assert page.input_value("[name=blood_loss_ml]") == "1200"
