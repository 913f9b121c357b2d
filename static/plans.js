"use strict";
// The plan's page. The long lists of what is collected are fetched once and put into the fields that are opened; a field
// that a kind does not have is not asked. Without this the page asks for its lists whole ("Show all lists").

(() => {
  const form = document.querySelector("form.plan-form");
  if (!form) return;
  const fields = (root) => [...root.querySelectorAll("select[data-list]")].filter((field) => !field.dataset.full);
  let fetched = null;
  const lists = () => (fetched ||= fetch(form.dataset.lists, { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))))
    .catch(() => { fetched = null; return null; }));

  const option = (pair, labels) => {
    const [code, label] = Array.isArray(pair) ? pair : [pair, labels[pair.split("@")[0]]];
    return new Option(label, code);
  };
  const fill = (field, data) => {
    const shown = new Set([...field.options].map((one) => one.value));
    for (const [title, pairs] of data.lists[field.dataset.list]) {
      const more = pairs.map((pair) => option(pair, data.labels)).filter((one) => !shown.has(one.value));
      if (!more.length) continue;
      const group = document.createElement("optgroup");
      group.label = title;
      group.append(...more);
      field.append(...(title ? [group] : more));
    }
    field.dataset.full = "1";
  };
  const fillAll = async (root) => {
    if (!form.dataset.lists || !fields(root).length) return;
    const data = await lists();
    if (data) fields(root).forEach((field) => fill(field, data));
  };

  // What is chosen says its kind, of how many patients it is known, and its codes.
  const tell = async (field) => {
    const summary = document.getElementById(`summary_${field.name}`);
    if (!summary || !form.dataset.lists) return;
    const data = await lists();
    summary.textContent = (data && data.summaries[field.value]) || "";
  };
  // Only what the kind has is asked.
  const restrict = (what) => {
    what.closest(".plan-entry").querySelectorAll(".restricted").forEach((part) => {
      part.hidden = !part.classList.contains(`of-${what.value}`);
    });
  };

  const restrictAll = (root) => root.querySelectorAll("select[name*='_what_']").forEach(restrict);

  restrictAll(form);
  form.addEventListener("htmx:afterSwap", (event) => { restrictAll(event.target); fillAll(event.target); });
  form.addEventListener("change", (event) => {
    if (event.target.matches("select[name*='_what_']")) restrict(event.target);
    if (event.target.matches("select[data-list]")) tell(event.target);
  });
  form.addEventListener("toggle", (event) => { if (event.target.open) fillAll(event.target); }, true);
  form.querySelectorAll("details[open]").forEach(fillAll);
  fields(form).filter((field) => !field.closest("details")).forEach((field) => fillAll(field.parentElement));
})();
