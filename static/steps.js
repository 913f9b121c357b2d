"use strict";
// A long form one part at a time, on a tablet or phone, for who likes it so. Everything stays in the page and is sent together;
// without this script, or on a wide screen, the form is one page.

(() => {
  const entry = document.querySelector("[data-steps]");
  if (!entry) return;
  const narrow = window.matchMedia("(max-width: 1100px)");
  const [next, back, part] = entry.dataset.steps.split("|");
  const parts = [...entry.querySelectorAll("[data-section]")];
  const leading = [...entry.querySelectorAll(".card-form:not([data-section])")].filter((one) => one.id !== "field-reason");
  const buttons = entry.querySelector(".form-buttons");
  if (parts.length < 2 || !buttons) return;

  const bar = document.createElement("nav");
  bar.className = "form-buttons step-buttons";
  const said = document.createElement("p");
  said.className = "muted mb-0";
  said.setAttribute("aria-live", "polite");
  const button = (text, by, look) => {
    const one = document.createElement("button");
    one.type = "button";
    one.className = `btn ${look}`;
    one.textContent = text;
    one.addEventListener("click", () => show(at + by, true));
    return one;
  };
  const backward = button(back, -1, "btn-outline-secondary"), forward = button(next, 1, "btn-primary");
  bar.append(backward, said, forward);
  buttons.before(bar);
  let at = 0;

  function show(to, moves) {
    at = Math.min(Math.max(to, 0), parts.length - 1);
    const all = !narrow.matches;
    parts.forEach((one, place) => (one.hidden = !all && place !== at));
    leading.forEach((one) => (one.hidden = !all && at !== 0));
    bar.hidden = all;
    backward.hidden = at === 0;
    forward.hidden = at === parts.length - 1;
    // A draft is saved at any time; checking comes once the last part is there.
    buttons.querySelectorAll("[name=check], [name=complete]").forEach((one) => (one.hidden = !all && at !== parts.length - 1));
    said.textContent = `${part} ${at + 1} / ${parts.length}`;
    if (!moves || all) return;
    const title = parts[at].querySelector("h2");
    title.tabIndex = -1;
    title.focus();
    window.scrollTo({ top: 0 });
  }

  // Whatever leads to a field, from a summary of errors or the list of parts, leads to its part.
  function follow() {
    const field = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const place = field ? parts.findIndex((one) => one.contains(field)) : -1;
    if (place >= 0) {
      show(place, false);
      field.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", follow);
  narrow.addEventListener("change", () => show(at, false));
  const wrong = parts.findIndex((one) => one.querySelector(".has-error, .doubt"));
  show(Math.max(wrong, 0), false);
  follow();
})();
