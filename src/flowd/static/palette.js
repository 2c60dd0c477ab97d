// The search palette: the page /search over whatever page is open, as one types. Without it the box in the bar leads there.
"use strict";

(() => {
  const PAUSE_MS = 120;
  const dialog = document.getElementById("palette");
  const box = document.querySelector(".find input");
  if (!dialog || !box) return;
  const field = dialog.querySelector("input");
  const results = dialog.querySelector(".results");

  let timer = null;
  let asking = null;
  let shown = null;
  let goesToFirst = false;

  const links = () => [...results.querySelectorAll("a")];

  function open() {
    if (dialog.open) return;
    dialog.showModal();
    field.select();
    ask();
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  }

  async function ask() {
    clearTimeout(timer);
    asking?.abort();
    asking = new AbortController();
    const text = field.value.trim();
    const place = `/search?q=${encodeURIComponent(text)}`;
    try {
      const answer = await fetch(place, { headers: { Accept: "text/html" }, redirect: "manual", signal: asking.signal });
      const fresh = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found") : null;
      if (!fresh) {
        // Logged out, or refused: the page itself says what is the matter.
        if (goesToFirst || answer.type === "opaqueredirect") location.assign(place);
        return;
      }
      const chosen = links().indexOf(document.activeElement);
      results.replaceChildren(...fresh.childNodes);
      // Whoever was among the results already stays there when later ones take their place.
      if (chosen >= 0) (links()[chosen] ?? links().at(-1) ?? field).focus();
      shown = text;
      if (goesToFirst) go();
    } catch (error) {
      if (error.name !== "AbortError") results.textContent = "The node does not answer.";
    }
  }

  // Whoever types fast presses Enter before the answer is there: it then goes to the first of that answer.
  function go() {
    goesToFirst = shown !== field.value.trim();
    if (goesToFirst) ask();
    else links()[0]?.click();
  }

  function move(step) {
    const all = links();
    const next = all.indexOf(document.activeElement) + step;
    if (next < 0) field.focus();
    else all[Math.min(next, all.length - 1)]?.focus();
  }

  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.target !== field && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      // What is typed goes to the field, wherever the focus is.
      field.focus();
    }
  });
  field.addEventListener("input", () => {
    goesToFirst = false;
    soon();
  });
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    go();
  });
  // A click beside it closes it.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    goesToFirst = false;
    asking?.abort();
  });
  box.addEventListener("mousedown", (event) => {
    event.preventDefault();
    open();
  });

  document.addEventListener("flowd:search", open);
})();
