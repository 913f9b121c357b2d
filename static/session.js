"use strict";
// Sessions end when nobody does anything. This asks before that happens, and keeps what is typed where it has happened:
// the page stays, one signs in in another tab, and this page goes on with the new session.

(() => {
  const dialog = document.getElementById("session-dialog");
  if (!dialog) return;
  const { person, session, stay, signOut } = dialog.dataset;
  const [idle, warning] = [Number(dialog.dataset.idle), Number(dialog.dataset.warning)];
  const QUIET = 30_000; // a form that is sent so long after the last answer asks first whether the session is still there
  let end = Date.now() + 1000 * Number(dialog.dataset.left);
  let heardAt = Date.now();
  let gone = false; // this page's person is not signed in, as far as is known
  let looked = false; // it was said, and closed to look at the page: said again when something is sent
  let asking = null;
  let timer = 0;

  function show(name) {
    dialog.querySelectorAll("[data-when]").forEach((part) => { part.hidden = part.dataset.when !== name; });
    if (!dialog.open) dialog.showModal();
  }

  function token() {
    const field = document.querySelector("input[name=csrfmiddlewaretoken]");
    return field ? field.value : "";
  }

  async function fetched(url, options) {
    const response = await fetch(url, { headers: { Accept: "application/json", "X-CSRFToken": token() }, ...options });
    return response.ok && !response.redirected ? response.json() : null;
  }

  // Whether this page's person is signed in, as the server says.
  function heard(state) {
    heardAt = Date.now();
    document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach((field) => { field.value = state.csrf; });
    const same = String(state.person) === person;
    if (gone && same) document.dispatchEvent(new Event("session:back"));
    gone = !same;
    if (gone) {
      if (!looked) show(state.person === null ? "ended" : "other");
    } else {
      looked = false;
      end = Date.now() + 1000 * state.left;
      if (state.left > warning) dialog.close();
      else show(state.extends ? "warning" : "ending");
    }
    schedule();
    return same;
  }

  // The same, or true where the server cannot be reached: then this is not the place to say so.
  function ask() {
    asking ||= fetched(session)
      .then((state) => (state ? heard(state) : true))
      .catch(() => true)
      .finally(() => { asking = null; });
    return asking;
  }

  async function remain() {
    const state = await fetched(stay, { method: "POST" }).catch(() => null);
    if (state) heard(state);
    else await ask();
  }

  function schedule() {
    clearTimeout(timer);
    const left = end - Date.now();
    dialog.querySelectorAll("[data-left]").forEach((place) => {
      const seconds = Math.max(0, Math.round(left / 1000));
      place.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    });
    if (!dialog.open) timer = setTimeout(ask, Math.max(1000, left - 1000 * warning));
    else if (dialog.querySelector("[data-when=ended]:not([hidden]), [data-when=other]:not([hidden])")) timer = setTimeout(ask, 5000);
    else timer = setTimeout(left > 0 ? schedule : ask, 1000);
  }

  // Somebody types or clicks: the server hears of it now and then.
  for (const kind of ["keydown", "pointerdown"]) {
    document.addEventListener(kind, () => {
      if (!dialog.open && Date.now() - heardAt > 1000 * idle / 4) {
        heardAt = Date.now();
        remain();
      }
    }, true);
  }
  document.addEventListener("session:ask", ask);
  window.addEventListener("focus", () => {
    looked = false;
    if (dialog.open || Date.now() - heardAt > QUIET) ask();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });

  // Who signs out leaves nothing on the device.
  document.addEventListener("submit", (event) => {
    if (new URL(event.target.action, window.location).pathname !== signOut) return;
    for (const name of Object.keys(localStorage)) if (name.startsWith(`metaspine-draft:${person}:`)) localStorage.removeItem(name);
  });

  // What is sent after a while is sent only if it would arrive.
  let passed = null;
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method !== "post" || !form.closest("#content") || passed === form) {
      passed = null;
      return;
    }
    if (!gone && Date.now() - heardAt <= QUIET && Date.now() < end) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    looked = false;
    if (await ask()) {
      passed = form;
      form.requestSubmit(submitter);
    }
  }, true);

  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-stay]")) remain();
    if (event.target.closest("[data-close]")) {
      looked = true;
      dialog.close();
    }
    if (event.target.closest("[data-reload]")) window.location.reload();
  });
  dialog.addEventListener("cancel", (event) => {
    if (dialog.querySelector("[data-when=warning]:not([hidden])")) {
      event.preventDefault();
      remain();
    } else {
      looked = true;
    }
  });
  dialog.addEventListener("close", schedule);
  schedule();
})();
