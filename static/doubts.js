"use strict";
// Answers that hardly go together are pointed out while they are given; the server asks about them when they are saved.

(() => {
  const entry = document.getElementById("entry");
  const said = document.querySelector("[data-doubts]"); // for those who hear the page
  if (!entry || !said) return;
  const QUIET = 400; // after the last change
  let timer, asked = 0;

  function show(doubts) {
    entry.querySelectorAll(".live-doubt").forEach((one) => one.remove());
    const shown = [];
    for (const { name, text } of doubts) {
      const question = document.getElementById(`field-${name}`);
      // What the server has asked about already stands there, with its answer.
      if (!question || [...question.querySelectorAll(".doubt p")].some((one) => one.textContent === text)) continue;
      const line = document.createElement("p");
      line.className = "live-doubt";
      line.textContent = text;
      question.append(line);
      shown.push(text);
    }
    if (said.textContent !== shown.join(" ")) said.textContent = shown.join(" ");
  }

  async function look() {
    const turn = ++asked;
    const body = new URLSearchParams([...new FormData(entry), ["look", "1"]]);
    let doubts = []; // without a connection they are asked about when the form is saved
    try {
      const response = await fetch(entry.action, { method: "POST", body, redirect: "manual" });
      if (response.ok) ({ doubts } = await response.json());
    } catch { /* as above */ }
    if (turn === asked) show(doubts);
  }

  entry.addEventListener("change", () => {
    clearTimeout(timer);
    timer = setTimeout(look, QUIET);
  });
})();
