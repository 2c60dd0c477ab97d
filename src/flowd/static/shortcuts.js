// Keyboard shortcuts: those that the dialog lists, which is where they are read from, and no others.
"use strict";

(() => {
  const SEQUENCE_MS = 1500;
  const FIELDS = "input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]";
  const dialog = document.getElementById("shortcuts");
  if (!dialog) return;
  const rows = new Map([...dialog.querySelectorAll("[data-keys]")].map((row) => [row.dataset.keys, row.dataset]));
  const begins = new Set([...rows.keys()].filter((keys) => keys.includes(" ")).map((keys) => keys.split(" ")[0]));

  let first = "";
  let timer = null;

  const does = {
    list: () => dialog.showModal(),
    search: () => document.dispatchEvent(new CustomEvent("flowd:search")),
    live: () => document.getElementById("live")?.click(),
    tabBefore: () => tab(-1),
    tabAfter: () => tab(1),
    rowAfter: () => row(1),
    rowBefore: () => row(-1),
  };

  function tab(step) {
    const tabs = [...document.querySelectorAll(".tabs a")];
    tabs[tabs.findIndex((one) => one.hasAttribute("aria-current")) + step]?.click();
  }

  // A row is reached by the first link in it, so that Enter opens it.
  function row(step) {
    const links = [...document.querySelectorAll("#main tbody tr")].map((one) => one.querySelector("a[href]")).filter(Boolean);
    const here = links.findIndex((one) => one.closest("tr").contains(document.activeElement));
    const next = here < 0 ? (step > 0 ? 0 : links.length - 1) : here + step;
    links[next]?.focus();
  }

  function forget() {
    clearTimeout(timer);
    first = "";
  }

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.defaultPrevented) return;
    const isChord = event.ctrlKey || event.metaKey;
    // A chord is no text, so that it also works where text is typed.
    if (!isChord && (event.target.closest?.(FIELDS) || document.querySelector("dialog[open]"))) return;
    if (event.key.length !== 1) return;
    const key = isChord ? `Ctrl+${event.key.toLowerCase()}` : event.key;
    const found = rows.get(first ? `${first} ${key}` : key);
    const isFirst = !first && begins.has(key);
    forget();
    if (isFirst) {
      first = key;
      timer = setTimeout(forget, SEQUENCE_MS);
    }
    if (!found && !isFirst) return;
    event.preventDefault();
    if (found?.go) location.assign(found.go);
    else if (found) does[found.does]();
  });

  const button = document.getElementById("keys");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", does.list);
  }
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
})();
