"use strict";
// What is typed into a form is kept as a draft on the server, a moment after the last key. While the server cannot be
// reached, it is kept in the browser: encrypted with a key that only this person's pages carry, and without what may
// identify a patient. Nothing here saves a form.

(() => {
  const setup = document.getElementById("drafting");
  if (!setup) return;
  const { person, key, session, url, apart, words } = JSON.parse(setup.textContent);
  const PREFIX = "metaspine-draft:";
  const OWN = `${PREFIX}${person}:`;
  const QUIET = 1500; // after the last key
  const LEFT = 200; // after a field was left
  const [SOON, LATEST] = [4000, 60_000]; // until the next attempt while there is no connection
  const PATIENCE = 15_000; // with an answer that does not come
  const DAYS = 30; // then what is left on a device is of no use to anybody

  // On the device

  const canKeep = Boolean(window.crypto && crypto.subtle);
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
  const secret = canKeep ? crypto.subtle.importKey("raw", bytes(key), "AES-GCM", false, ["encrypt", "decrypt"]) : null;

  async function sealed(value) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await secret, new TextEncoder().encode(JSON.stringify(value)));
    return JSON.stringify({ at: Date.now(), iv: text(iv), data: text(data) });
  }

  async function unsealed(stored) {
    const { iv, data } = JSON.parse(stored);
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes(iv) }, await secret, bytes(data));
    return JSON.parse(new TextDecoder().decode(plain));
  }

  function keptKeys() {
    try {
      return Object.keys(localStorage).filter((one) => one.startsWith(PREFIX));
    } catch {
      return []; // a browser that keeps nothing
    }
  }

  function drop(name) {
    try {
      localStorage.removeItem(name);
    } catch { /* there was nothing then */ }
  }

  // To the server

  let csrf = () => (document.querySelector("input[name=csrfmiddlewaretoken]") || {}).value || "";

  async function post(address, version, fields, drafted = "", options = {}) {
    const body = new URLSearchParams({ person, version, drafted });
    for (const [name, values] of Object.entries(fields)) for (const one of values.length ? values : [""]) body.append(name, one);
    const send = () => fetch(address, {
      method: "POST", body, redirect: "manual", headers: { "X-CSRFToken": csrf() }, signal: AbortSignal.timeout(PATIENCE), ...options,
    });
    let response = await send();
    if (response.status === 403) {
      // Somebody signed in again in another window: the page's token is an old one.
      const state = await (await fetch(session)).json();
      if (String(state.person) !== String(person)) return { gone: true };
      document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach((field) => { field.value = state.csrf; });
      csrf = () => state.csrf;
      response = await send();
    }
    if (response.type === "opaqueredirect" || response.status === 409) return { gone: true };
    if (response.status > 500) throw new Error("unavailable"); // the proxy speaks, the registry does not
    return response.ok ? response.json() : { refused: true };
  }

  // What was kept while there was no connection is sent as soon as any page of its person is opened.
  async function sendKept() {
    let sent = false;
    for (const name of keptKeys()) {
      const stored = localStorage.getItem(name);
      if (stored === null) continue; // another window was quicker
      try {
        if (Date.now() - JSON.parse(stored).at > DAYS * 86_400_000) drop(name);
        if (!name.startsWith(OWN) || !canKeep) continue;
        const { version, fields } = await unsealed(stored);
        const [address] = name.slice(OWN.length).split("#");
        const answer = await post(address, version, fields);
        if (answer.gone) return sent;
        if (localStorage.getItem(name) === stored) drop(name);
        sent ||= Boolean(answer.saved) && (!url || address === url);
      } catch (error) {
        if (error.message === "unavailable" || ["TypeError", "TimeoutError", "AbortError"].includes(error.name)) return sent;
        drop(name); // nobody can read it any more
      }
    }
    return sent;
  }

  const entry = document.getElementById("entry");
  if (!entry || !url) {
    sendKept().then((sent) => { if (sent) window.location.reload(); }); // a list of drafts lacks what came just now
    return;
  }

  // What is in the fields, and what the server knows of

  const note = entry.querySelector("[data-save-state]");
  const notSent = entry.querySelector("[data-not-sent]");
  const version = entry.elements.version.value;
  const { drafted } = entry.elements; // what the page knows of the draft: other windows may be typing too
  const place = `${OWN}${url}#${Math.random().toString(36).slice(2)}`; // each keeps its own on the device
  const STEERING = new Set(["csrfmiddlewaretoken", "version", "drafted", "seen", "asked", "right"]);

  function fields(filled, chosen) {
    const found = {};
    for (const field of entry.elements) {
      if (!field.name || STEERING.has(field.name) || /[^a-z0-9_]/.test(field.name) || field.tagName === "BUTTON") continue;
      found[field.name] ||= [];
      if (field.type === "radio" || field.type === "checkbox") {
        if (chosen(field)) found[field.name].push(field.value);
      } else {
        found[field.name].push(filled(field));
      }
    }
    return found;
  }

  const typed = () => fields((field) => field.value, (field) => field.checked);

  function asOpened(field) {
    if (field.tagName !== "SELECT") return field.defaultValue;
    const option = [...field.options].find((one) => one.defaultSelected) || field.options[0];
    return option ? option.value : "";
  }

  const known = fields(asOpened, (field) => field.defaultChecked);
  const same = (one, other) => JSON.stringify(one || []) === JSON.stringify(other || []);

  function unsaved() {
    const found = {};
    for (const [name, values] of Object.entries(typed())) if (!same(values, known[name])) found[name] = values;
    return found;
  }

  const isEmpty = (found) => Object.keys(found).length === 0;

  function say(message) {
    if (note && note.textContent !== message) note.textContent = message;
  }

  let timer = 0;
  let wait = SOON;
  let going = null; // the request under way
  let failed = false; // the last attempt did not arrive
  let ended = false; // the person discards the draft

  // One after the other, so that what is typed last is what stays.
  let keeping = Promise.resolve();
  function keepHere() {
    keeping = keeping.then(keepNow);
    return keeping;
  }

  async function keepNow() {
    const found = unsaved();
    apart.forEach((name) => delete found[name]);
    if (!canKeep || isEmpty(found)) return drop(place);
    try {
      localStorage.setItem(place, await sealed({ version, fields: found }));
    } catch { /* full, or not allowed: the page still has it */ }
  }

  async function attempt(options) {
    const found = unsaved();
    if (isEmpty(found)) {
      delete entry.dataset.undrafted;
      return "nothing";
    }
    try {
      const answer = await post(url, version, found, drafted.value, options);
      if (answer.gone) {
        failed = true;
        say(words.signed_out);
        document.dispatchEvent(new Event("session:ask"));
        return "gone";
      }
      failed = false;
      if (answer.refused) {
        say(words.refused);
        return "refused";
      }
      Object.assign(known, found);
      drafted.value = answer.drafted;
      await keepHere();
      if (isEmpty(unsaved())) delete entry.dataset.undrafted;
      notSent.hidden = true;
      say(words.saved.replace("{time}", answer.saved));
      return "saved";
    } catch {
      failed = true;
      await keepHere();
      say(canKeep ? words.offline : words.offline_page);
      return "offline";
    }
  }

  // One request at a time: what is typed meanwhile goes with the next.
  async function save(options) {
    while (going) await going;
    clearTimeout(timer);
    going = attempt(options);
    const outcome = await going;
    going = null;
    if (outcome === "offline" || outcome === "gone") {
      timer = setTimeout(save, wait);
      wait = Math.min(2 * wait, LATEST);
    } else {
      wait = SOON;
    }
    return outcome;
  }

  function soon(delay) {
    if (ended) return;
    clearTimeout(timer);
    timer = setTimeout(save, delay);
  }

  function touched() {
    if (ended) return;
    entry.dataset.undrafted = "";
    keepHere();
    soon(failed ? SOON : QUIET);
  }

  entry.addEventListener("input", touched);
  entry.addEventListener("change", touched);
  entry.addEventListener("focusout", () => { if ("undrafted" in entry.dataset && !failed) soon(LEFT); });
  window.addEventListener("online", () => soon(0));
  window.addEventListener("offline", () => { if (!isEmpty(unsaved())) soon(0); });
  document.addEventListener("session:back", () => soon(0));

  function leaving() {
    if (!ended && !going && !entry.dataset.sent) save({ keepalive: true });
  }
  document.addEventListener("visibilitychange", () => { if (document.hidden) leaving(); });
  window.addEventListener("pagehide", leaving);

  // A form, and a change of the language, are sent once the draft is safe: so they are not sent where nothing arrives.
  let passing = null;
  let busy = false;
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.matches("[data-drop]")) {
      ended = true;
      clearTimeout(timer);
      keptKeys().filter((name) => name.startsWith(`${OWN}${url}#`)).forEach(drop);
      delete entry.dataset.undrafted;
      return;
    }
    if (form !== entry && !form.matches("form.languages")) return;
    if (passing === form) {
      passing = null;
      return;
    }
    if (!going && !failed && navigator.onLine && isEmpty(unsaved())) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (busy) return;
    busy = true;
    const { submitter } = event;
    const outcome = await save();
    busy = false;
    const reached = outcome === "nothing" ? await fetch(session).then(() => true, () => false) : outcome !== "offline";
    if (!reached) {
      say(canKeep ? words.offline : words.offline_page);
      notSent.hidden = false;
      return;
    }
    if (outcome === "gone") return;
    failed = false;
    notSent.hidden = true;
    passing = form;
    form.requestSubmit(submitter);
  }, true);

  sendKept().then((sent) => {
    // Only a page that was opened, not the answer to one that was sent, shows drafts.
    if (sent && isEmpty(unsaved()) && !document.querySelector(".error-summary")) {
      delete entry.dataset.undrafted;
      window.location.reload();
    }
  });
})();
