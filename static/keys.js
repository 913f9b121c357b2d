"use strict";
// Security keys and passkeys: joins the forms that say so with django-allauth's own script.

(() => {
  const form = document.querySelector("form[data-key]");
  if (!form) return;
  const ids = { data: "js_data", credential: form.elements.credential.id };
  ids[form.dataset.key === "addForm" ? "add" : "authenticate"] = "use-key";
  window.allauth.webauthn.forms[form.dataset.key]({ ids });
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    let note = form.querySelector(".note-error");
    if (!note) {
      note = document.createElement("p");
      note.className = "note note-error";
      note.setAttribute("role", "alert");
      form.prepend(note);
    }
    note.textContent = form.dataset.failed;
  });
})();
