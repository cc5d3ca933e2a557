"use strict";
// Adds keys and a mouse to a page that can be read without it. Nothing is computed here: what is shown is on the page.
(() => {
  const rows = [...document.querySelectorAll(".steps .row[id]")];
  if (rows.length === 0) return;
  const root = document.documentElement;
  const byId = id => document.getElementById(id);
  const help = byId("help"), now = byId("now"), at = byId("at"), deed = byId("deed");
  const first = Number(rows[0].id.slice("step-".length));
  let current = -1;

  root.classList.add("js");
  document.querySelector(".controls").hidden = false;

  const rowOf = number => rows[number - first];
  const all = selector => document.querySelectorAll(selector);

  // The arrows that lead into a row, piece by piece, and the steps that they come from.
  function light(index) {
    all(".lit").forEach(piece => piece.classList.remove("lit"));
    all(".cause").forEach(row => row.classList.remove("cause"));
    if (index < 0) return;
    for (const from of rows[index].dataset.after.split(" ").filter(Boolean).map(Number)) {
      if (!rowOf(from)) continue;
      rowOf(from).classList.add("cause");
      for (let at = from - first; at <= index; at++) {
        const own = at === index ? ".into, .head" : ":not(.into):not(.head)";
        for (const piece of rows[at].querySelectorAll(`[data-from="${from}"]`)) {
          if (piece.matches(own)) piece.classList.add("lit");
        }
      }
    }
  }

  // The whole state: of each thing what was said of it last.
  function showState() {
    if (now.hidden) return;
    const last = new Map();
    for (const row of rows.slice(0, current + 1)) {
      for (const entry of row.querySelectorAll("[data-label]")) last.set(entry.dataset.label, entry);
    }
    const there = [...last.values()].filter(entry => !("gone" in entry.dataset));
    now.replaceChildren(...there.map(entry => {
      const copy = entry.cloneNode(true), value = document.createElement("span");
      value.className = "value";
      copy.querySelectorAll(":scope > :not(.label)").forEach(part => value.append(part, " "));
      copy.append(value);
      return copy;
    }));
    if (there.length === 0) now.textContent = "Nothing yet: choose a step.";
  }

  function choose(index, scroll = true) {
    if (current >= 0) rows[current].classList.remove("current");
    current = Math.max(-1, Math.min(index, rows.length - 1));
    light(current);
    showState();
    if (current < 0) {
      at.textContent = `${rows.length} steps`;
      deed.textContent = "";
      history.replaceState(null, "", location.pathname + location.search);
      return;
    }
    const row = rows[current];
    row.classList.add("current");
    at.textContent = `step ${first + current} of ${first + rows.length - 1}`;
    deed.textContent = row.querySelector(".block").title;
    history.replaceState(null, "", `#${row.id}`);
    if (scroll) row.scrollIntoView({ block: "nearest" });
  }

  function turn(by) {
    let index = current + by;
    while (index > 0 && index < rows.length && !rows[index].classList.contains("switch")) index += by;
    if (index >= 0 && index < rows.length) choose(index);
  }

  function showHelp() {
    if (help.open) help.close(); else help.showModal();
  }

  const actions = {
    first: () => choose(0),
    last: () => choose(rows.length - 1),
    on: () => choose(current + 1),
    back: () => choose(Math.max(0, current - 1)),
    "switch-on": () => turn(1),
    "switch-back": () => turn(-1),
    state: () => { now.hidden = !now.hidden; showState(); },
    help: showHelp,
    none: () => { now.hidden = true; choose(-1); },
  };
  const keys = {
    ArrowRight: "on", j: "on", ArrowLeft: "back", k: "back", Home: "first", End: "last",
    n: "switch-on", p: "switch-back", s: "state", "?": "help", Escape: "none",
  };

  document.addEventListener("keydown", event => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    if (help.open && action !== "help") return;
    event.preventDefault();
    actions[action]();
  });
  all("[data-go]").forEach(button => {
    button.addEventListener("click", () => actions[button.dataset.go]());
  });
  rows.forEach((row, index) => row.addEventListener("click", event => {
    if (event.target.closest("a:not(.no)") || String(getSelection())) return;
    choose(index, false);
    event.preventDefault();
  }));
  function fromAddress() {
    if (location.hash.startsWith("#step-")) choose(rows.indexOf(byId(location.hash.slice(1))));
  }
  at.textContent = `${rows.length} steps`;
  addEventListener("hashchange", fromAddress);
  fromAddress();
})();
