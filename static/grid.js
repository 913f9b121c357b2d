"use strict";
// The grid of forms by keyboard: one cell is a stop of the Tab key, arrows move it, Enter opens what it holds.

(() => {
  const table = document.querySelector("table[data-grid]");
  if (!table) return;
  const body = table.tBodies[0];
  let current = null;

  const rows = () => [...body.rows].filter((row) => !row.classList.contains("grid-more"));
  const stop = (cell) => cell && (cell.querySelector("a") || cell);

  function enter(row, column, focus) {
    const cell = row && row.cells[Math.max(0, Math.min(column, row.cells.length - 1))];
    if (!cell) return false;
    if (current) stop(current).tabIndex = -1;
    current = cell;
    stop(cell).tabIndex = 0;
    if (focus) { stop(cell).focus(); cell.scrollIntoView({ block: "nearest", inline: "nearest" }); }
    return true;
  }

  function prepare() {
    rows().forEach((row) => [...row.cells].forEach((cell) => { if (cell !== current) stop(cell).tabIndex = -1; }));
    if (!current || !body.contains(current)) { current = null; enter(rows()[0], 1, false); }
  }

  function target(event, list, row, column) {
    const last = list.length - 1;
    const page = 10;
    switch (event.key) {
      case "ArrowLeft": return [row, Math.max(0, column - 1)];
      case "ArrowRight": return [row, column + 1];
      case "ArrowUp": return [Math.max(0, row - 1), column];
      case "ArrowDown": return [row + 1, column];
      case "PageUp": return [Math.max(0, row - page), column];
      case "PageDown": return [Math.min(last, row + page), column];
      case "Home": return [event.ctrlKey ? 0 : row, 0];
      case "End": return [event.ctrlKey ? last : row, list[row].cells.length - 1];
      default: return null;
    }
  }

  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td, th");
    const row = cell && cell.parentElement;
    if (!row || !body.contains(row) || row.classList.contains("grid-more") || event.altKey || event.metaKey) return;
    const list = rows();
    const place = target(event, list, list.indexOf(row), cell.cellIndex);
    if (!place) return;
    event.preventDefault();
    if (place[0] < list.length) { enter(list[place[0]], place[1], true); return; }
    const more = body.querySelector("a[data-more]");
    if (more) {
      // Below the last row the next ones are fetched, and the focus goes on into them.
      document.body.addEventListener("htmx:afterSettle", () => enter(rows()[place[0]], place[1], true), { once: true });
      more.click();
    }
  });

  body.addEventListener("focusin", (event) => {
    const cell = event.target.closest("td, th");
    if (cell && !cell.parentElement.classList.contains("grid-more") && cell !== current) enter(cell.parentElement, cell.cellIndex, false);
  });
  document.body.addEventListener("htmx:afterSwap", prepare);
  prepare();
})();
