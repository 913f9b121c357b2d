"use strict";
// What the pages do beyond plain HTML. Everything here is an addition: each page works without it.

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // On a phone the navigation opens by its button: its lines would fill the first screen of every page.
  all("nav .menu").forEach((button) => {
    const open = (yes) => button.setAttribute("aria-expanded", String(yes));
    button.addEventListener("click", () => open(button.getAttribute("aria-expanded") === "false"));
    button.closest("nav").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !button.offsetParent) return;
      open(false);
      button.focus();
    });
  });

  // Lists: a filter takes effect at once; a click anywhere in a row opens it.
  all("form[data-submit-on-change] select").forEach((select) => {
    select.addEventListener("change", () => select.form.requestSubmit());
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, input, label") && !String(window.getSelection())) {
      window.location = (row.dataset.href || row.querySelector("a[href]").href);
    }
  });

  // A table wider than its frame says so, before it, and can be scrolled by keyboard; its first column stays (.scrolls).
  const measured = new WeakMap(); // frames to the width that they were measured at
  const sideways = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    const frame = target.closest(".table-wrap, .table-scroll");
    if (!frame || measured.get(frame) === frame.clientWidth && frame.classList.contains("scrolls")) return;
    measured.set(frame, frame.clientWidth);
    frame.classList.remove("scrolls"); // as it is without the first column being held
    const wider = frame.scrollWidth > frame.clientWidth + 1;
    frame.classList.toggle("scrolls", wider);
    const said = frame.previousElementSibling?.matches(".scrolls-on") ? frame.previousElementSibling : null;
    if (!wider) said?.remove();
    else if (!said) {
      frame.tabIndex = 0;
      frame.before(Object.assign(document.createElement("p"), { className: "scrolls-on", textContent: document.body.dataset.sideways }));
    }
  }));
  const watchTables = (root) => all(".table-wrap table, .table-scroll table", root).forEach((table) => {
    sideways.observe(table);
    sideways.observe(table.closest(".table-wrap, .table-scroll"));
  });
  watchTables();
  document.addEventListener("htmx:load", (event) => watchTables(event.detail.elt));

  // On paper nothing scrolls: what is wider than the sheet is written smaller, until it fits.
  const paper = () => all(".table-wrap table.grid, .table-scroll table.grid").forEach((table) => {
    const frame = table.parentElement;
    for (let size = 100; size >= 60; size -= 5) {
      table.style.setProperty("--print", size / 100);
      if (frame.scrollWidth <= frame.clientWidth + 1) break;
    }
  });
  window.matchMedia("print").addEventListener("change", (event) => event.matches && paper());

  // A press on a button counts, also where the page moves before the finger or the mouse lets go: leaving a field may
  // bring its message, a draft's note may appear. The click then lands beside the button, at the place of the press.
  let pressed = null;
  document.addEventListener("pointerdown", (event) => {
    const button = event.isPrimary && event.button === 0 && event.target.closest("button, a.btn");
    pressed = button ? { button, x: event.clientX, y: event.clientY } : null;
  }, true);
  document.addEventListener("click", (event) => {
    const begun = pressed;
    pressed = null;
    if (!begun || !event.detail || begun.button.contains(event.target)) return; // by keyboard, or where it was pressed
    if (!begun.button.isConnected || Math.hypot(event.clientX - begun.x, event.clientY - begun.y) > 10) return;
    event.preventDefault();
    event.stopPropagation();
    begun.button.click();
  }, true);

  // A number as the server reads it (half_width_number): half width, without thousands separators.
  const plainNumber = (text) => {
    const plain = text.trim().normalize("NFKC").replaceAll("、", ",");
    return /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(plain) ? plain.replaceAll(",", "") : plain;
  };

  // What went wrong is read first.
  const summary = document.querySelector("[data-focus]");
  if (summary) summary.focus();

  // A filter form sends no empty fields, so that addresses stay short.
  all("form.filters, form.topsearch").forEach((form) => {
    form.addEventListener("formdata", (event) => {
      for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") all("details.person[open]").forEach((one) => { one.open = false; one.querySelector("summary").focus(); });
    if (event.key === "/" && !event.target.closest("input, textarea, select")) {
      const search = document.getElementById("topsearch");
      if (search) { event.preventDefault(); search.focus(); }
    }
  });

  // Visual analogue scales: the mark follows the number, and a click on the scale sets it.
  all("[data-scale-for]").forEach((scale) => {
    const field = document.getElementById(scale.dataset.scaleFor);
    const svg = scale.querySelector("svg");
    const vertical = "vertical" in scale.dataset;
    const [low, high] = [Number(scale.dataset.min), Number(scale.dataset.max)];
    const place = (line, value) => {
      const share = (value - low) / (high - low);
      const at = vertical ? 1020 - 1000 * share : 20 + 1000 * share;
      const [from, to] = vertical ? ["y1", "y2"] : ["x1", "x2"];
      line.setAttribute(from, at);
      line.setAttribute(to, at);
    };
    const show = () => {
      const text = plainNumber(field.value);
      const inside = /^\d+$/.test(text) && Number(text) >= low && Number(text) <= high;
      place(scale.querySelector(".scale-mark"), inside ? Number(text) : -1000);
    };
    if (scale.dataset.previous) place(scale.querySelector(".scale-previous"), Number(scale.dataset.previous));
    show();
    field.addEventListener("input", show);
    field.addEventListener("change", show);
    if (field.matches(":disabled")) return;
    const set = (event) => {
      const box = svg.getBoundingClientRect();
      const share = vertical
        ? 1 - (event.clientY - box.top - box.height * 20 / 1040) / (box.height * 1000 / 1040)
        : (event.clientX - box.left - box.width * 20 / 1040) / (box.width * 1000 / 1040);
      field.value = Math.round(low + Math.min(1, Math.max(0, share)) * (high - low));
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    };
    svg.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      set(event);
      field.focus();
    });
    svg.addEventListener("pointermove", (event) => {
      if (svg.hasPointerCapture(event.pointerId)) set(event);
    });
    field.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const now = /^\d+$/.test(field.value) ? Number(field.value) : step > 0 ? low - 1 : high + 1;
      field.value = Math.min(high, Math.max(low, now + step));
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    });
  });

  // Keyboard: typing a code (5, 10, D) picks the answer of the group that has the focus; Enter goes to the next question.
  const form = document.querySelector("form[data-entry], form[data-keyboard]");
  if (!form) return;
  let typed = { text: "", group: null, at: 0 };
  // The first of `options` that what was typed lately begins with; `codeOf` says what picks one.
  function typedOption(question, key, options, codeOf) {
    const going = typed.group === question && Date.now() - typed.at < 1000;
    for (const text of going ? [typed.text + key, key] : [key]) {
      const option = options.find((one) => codeOf(one).toUpperCase() === text) ||
        options.find((one) => codeOf(one).toUpperCase().startsWith(text));
      if (option) {
        typed = { text, group: question, at: Date.now() };
        return option;
      }
    }
    return null;
  }
  function clear(question) {
    all(`[name="${CSS.escape(question.dataset.item)}"]`, question).forEach((field) => {
      if (field.type === "radio" || field.type === "checkbox") field.checked = false;
      else field.value = "";
    });
    question.dispatchEvent(new Event("change", { bubbles: true }));
  }
  const focusable = (question) => question.querySelector("input:checked") ||
    question.querySelector("input:not([type=hidden]):not([tabindex='-1']), select, textarea");
  form.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const question = event.target.closest("[data-item]");
    if (!question) return;
    if (event.target.type === "radio") {
      const option = event.key.length === 1 && event.key !== " " &&
        typedOption(question, event.key.toUpperCase(), all("[data-key]", question), (one) => one.dataset.key);
      if (option) {
        event.preventDefault();
        option.focus();
        if (!option.checked) option.click();
        return;
      }
      if (event.key === "Backspace" || event.key === "Delete") {
        event.preventDefault();
        clear(question);
        return;
      }
    }
    if (event.key === "Enter" && ["radio", "checkbox", "text", "date"].includes(event.target.type)) {
      event.preventDefault();
      const questions = all("[data-item]", form).filter(focusable);
      const next = questions[questions.indexOf(question) + 1];
      const target = next ? focusable(next) : form.querySelector(".form-buttons button");
      if (target) target.focus();
      if (next) next.scrollIntoView({ block: "nearest" }); // all of it, clear of the buttons that stay below
    }
  });

  // What an error's link names is where the answer is mended.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#field-']");
    const question = link && document.getElementById(link.hash.slice(1));
    const field = question && focusable(question);
    if (!field) return;
    event.preventDefault();
    field.focus();
    question.scrollIntoView({ block: "nearest" });
  });

  // The spine is one stop of the Tab key: arrows move along it, typing a level (T12) goes there, Space ticks.
  all(".spine", form).forEach((spine) => {
    const boxes = all("input[type=checkbox]", spine);
    const stop = (box) => boxes.forEach((one) => { one.tabIndex = one === box ? 0 : -1; });
    stop(boxes.find((one) => one.checked) || boxes[0]);
    spine.addEventListener("focusin", (event) => { if (boxes.includes(event.target)) stop(event.target); });
    spine.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const at = boxes.indexOf(event.target);
      const last = boxes.length - 1;
      const place = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
      const box = place !== undefined ? boxes[Math.max(0, Math.min(place, last))]
        : event.key.length === 1 && event.key !== " " ? typedOption(spine, event.key.toUpperCase(), boxes, (one) => one.value) : null;
      if (!box) return;
      event.preventDefault();
      box.focus();
    });
  });

  // Past the head of the page, straight to what is not answered yet.
  const begin = document.querySelector("[data-begin]");
  if (begin) begin.addEventListener("click", (event) => {
    const open = (question) => !question.querySelector("input:checked") &&
      all("input, select, textarea", question).every((field) => ["radio", "checkbox"].includes(field.type) || !field.value);
    const questions = all("[data-item]", form).filter(focusable);
    const first = questions.find((question) => question.matches(".has-error")) || questions.find(open) || questions[0];
    if (!first) return;
    event.preventDefault();
    focusable(first).focus();
  });

  const entry = document.querySelector("form[data-entry]");
  if (!entry) return;
  const live = JSON.parse(document.getElementById("live").textContent);
  const readOnly = "readOnly" in entry.dataset;
  let values = null; // state of EQ-5D-5L to its value, as the server computed it

  // Answers

  function answer(name) {
    const fields = all(`[name="${CSS.escape(name)}"]`, entry);
    const choices = fields.filter((field) => field.type === "radio" || field.type === "checkbox");
    if (choices.length) {
      const chosen = choices.filter((field) => field.checked && field.value !== "");
      return chosen.length ? chosen.map((field) => field.value).join(";") : null;
    }
    return fields[0] && fields[0].value.trim() !== "" ? fields[0].value.trim() : null;
  }

  function reasonField(name) {
    return entry.querySelector(`[name="${CSS.escape(name)}_missing"]`);
  }

  function answered(question) {
    const reason = reasonField(question.dataset.item);
    return answer(question.dataset.item) !== null || Boolean(reason && reason.value);
  }

  // Derived values and progress

  // What own instruments ask and calculate: the same trees that the server holds answers to (expressions.js).
  const known = live.known || {};
  const answers = new Proxy({}, {
    get(_, name) {
      const question = entry.querySelector(`[data-item="${CSS.escape(name)}"]`);
      if (!question) return known[name];
      if (question.hidden) return undefined;
      const boxes = all('input[type="checkbox"]', question).filter((one) => one.name === name);
      if (boxes.length) return boxes.filter((one) => one.checked).map((one) => one.value);
      const text = answer(name);
      return text === null ? undefined : text.normalize("NFKC");
    },
  });
  const worked = (tree) => window.Metaspine.expressions.value(tree, answers, live.today);

  function calculatedText(derived) {
    const value = worked(derived.tree);
    if (value === null) return "–";
    if (derived.of === "boolean") return value ? live.words.yes : live.words.no;
    if (derived.of === "text") return value;
    if (derived.of === "date") return new Date(value * 86400000).toISOString().slice(0, 10);
    return `${worked(["round", ["number", value], derived.places]).toFixed(derived.places)} ${derived.unit}`.trim().replace("-", "\u2212");
  }

  // A question that other answers rule out is hidden and sends nothing; what was answered comes back with it.
  function ask() {
    for (const [name, trees] of Object.entries(live.conditions || {})) {
      const question = entry.querySelector(`[data-item="${CSS.escape(name)}"]`);
      if (!question) continue;
      const shown = !trees.show_if || worked(trees.show_if) === true;
      if (question.hidden === shown) {
        question.hidden = !shown;
        all("input, select, textarea", question).forEach((field) => { field.disabled = !shown || readOnly; });
      }
      if (trees.required_if) question.toggleAttribute("data-required", worked(trees.required_if) === true);
    }
  }

  function derivedText(derived) {
    if (derived.kind === "calculated") return calculatedText(derived);
    const answers = derived.items.map(answer);
    const open = answers.filter((value) => value === null).length;
    if (open) return live.words.left[open];
    if (derived.kind === "digits") {
      const state = answers.join("");
      const value = values && values[state];
      return value === null || value === undefined ? state : `${state} · HSUV ${value.toFixed(3).replace("-", "−")} (${live.country})`;
    }
    const total = answers.reduce((sum, value) => sum + Number(value), 0);
    if (derived.kind === "bands") return derived.bands.find(([upper]) => total <= upper)[1];
    return live.words.of.replace("{value}", total).replace("{maximum}", derived.maximum);
  }

  function refresh() {
    if (live.conditions) for (let round = 0; round < 3; round += 1) ask(); // one answer may hide the next
    all("[data-section]", entry).forEach((section) => {
      const required = all("[data-required]", section).filter((question) => !question.hidden);
      const count = document.querySelector(`[data-progress="${section.dataset.section}"] [data-answered]`);
      const done = required.filter(answered).length;
      if (count) {
        count.textContent = done;
        count.closest("a").classList.toggle("is-done", done === required.length);
      }
      const place = section.querySelector("[data-derived]");
      if (place) {
        const lines = live.derived.filter((one) => one.section === section.dataset.section);
        all("strong", place).forEach((strong, position) => {
          const text = derivedText(lines[position]);
          if (strong.textContent !== text) strong.textContent = text;
        });
      }
    });
  }

  // A choice and a reason exclude each other.
  entry.addEventListener("change", (event) => {
    const question = event.target.closest("[data-item]");
    if (question) {
      const reason = reasonField(question.dataset.item);
      if (event.target === reason && reason.value) clear(question);
      else if (reason && reason.value && answer(question.dataset.item) !== null) {
        reason.value = "";
        reason.closest("details").open = false;
      }
      const button = question.querySelector(".clear-answer");
      if (button) button.hidden = answer(question.dataset.item) === null;
    }
    refresh();
  });
  entry.addEventListener("input", refresh);

  all("[data-not-done]", entry).forEach((select) => {
    select.addEventListener("change", () => {
      all("[data-required]", select.closest("[data-section]")).forEach((question) => {
        const reason = reasonField(question.dataset.item);
        if (reason && answer(question.dataset.item) === null) {
          reason.value = select.value;
          reason.closest("details").open = Boolean(select.value);
        }
      });
      refresh();
    });
  });

  // Radio groups can be emptied again.
  if (!readOnly) {
    all(".question-rows[data-item]", entry).forEach((question) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "clear-answer";
      button.textContent = live.words.clear;
      button.setAttribute("aria-label", `${live.words.clear}: ${question.querySelector("legend").textContent.trim()}`);
      button.hidden = answer(question.dataset.item) === null;
      button.addEventListener("click", () => {
        clear(question);
        question.querySelector("input").focus();
      });
      question.append(button);
    });
  }

  // Ranges, said while there is still time
  function check(field) {
    const { min, max, unit, places } = field.dataset;
    if (min === undefined) return;
    const text = plainNumber(field.value);
    const number = Number(text);
    const shape = places ? new RegExp(`^[+-]?\\d+(\\.\\d{1,${places}})?$`) : /^[+-]?\d+$/;
    const good = text === "" || (shape.test(text) && number >= Number(min) && (max === undefined || number <= Number(max)));
    const question = field.closest("[data-item]");
    const id = `error-${question.dataset.item}`;
    let message = document.getElementById(id);
    question.classList.toggle("has-error", !good);
    field.setAttribute("aria-invalid", String(!good));
    if (good) {
      if (message) message.remove();
      return;
    }
    if (!message) {
      message = document.createElement("p");
      message.id = id;
      message.className = "field-error";
      field.closest(".measure").before(message);
    }
    message.textContent = (max === undefined ? live.words.least : places ? live.words.decimal : live.words.range)
      .replace("{min}", min).replace("{max}", max).replace("{unit}", unit).replace("{places}", places).replace(/ ([.。])$/, "$1");
  }
  for (const kind of ["focusout", "change"]) entry.addEventListener(kind, (event) => {
    if (event.target.matches("input[data-min]")) check(event.target);
  });

  // Nothing typed is lost unasked, and nothing is sent twice.
  let changed = Boolean(document.querySelector(".error-summary"));
  const note = entry.querySelector("[data-save-state]");
  entry.addEventListener("input", () => {
    changed = true;
    if (note) note.textContent = live.words.unsaved;
  });
  window.addEventListener("beforeunload", (event) => {
    if (changed && (!document.getElementById("drafting") || "undrafted" in entry.dataset)) event.preventDefault();
  });
  entry.addEventListener("submit", (event) => {
    if (entry.dataset.sent) event.preventDefault();
    entry.dataset.sent = "yes";
    changed = false;
  });
  window.addEventListener("pageshow", () => delete entry.dataset.sent);

  if (live.derived.some((one) => one.kind === "digits")) {
    fetch(live.values).then((response) => response.json()).then((table) => {
      values = table;
      refresh();
    }).catch(() => {});
  }
  refresh();
})();
