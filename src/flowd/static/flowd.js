// What scripts add: pages renew themselves where something has changed. Everything works without them.
"use strict";

(() => {
  const SOONEST_MS = 1000;
  // A page that is slow to make is renewed more seldom: so an open page takes a twentieth of the node's time at most.
  const PAUSE_TIMES = 20;
  const POLL_MS = 15000;
  const SWITCH = "flowd.live";

  let stream = null;
  let timer = null;
  let isRenewing = false;
  let isDue = false;
  let renewedAt = 0;
  let pauseMs = SOONEST_MS;

  const main = () => document.getElementById("main");
  const topic = () => main()?.dataset.live;
  const isOn = () => localStorage.getItem(SWITCH) !== "off";

  // What a person does with the page is theirs: a menu they opened stays open, what they typed stays.
  const keepWhatIsTheirs = {
    beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
    beforeNodeMorphed: (old) => !(old.tagName === "FORM" && old.contains(document.activeElement) && old !== document.activeElement),
  };

  async function renew() {
    if (isRenewing) {
      isDue = true;
      return;
    }
    isRenewing = true;
    isDue = false;
    const began = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") {
        location.reload();
        return;
      }
      if (!answer.ok) return;
      const text = await answer.text();
      pauseMs = Math.max(SOONEST_MS, PAUSE_TIMES * (Date.now() - began));
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("main");
      if (fresh && !hasSelection()) Idiomorph.morph(main(), fresh, { ignoreActiveValue: true, callbacks: keepWhatIsTheirs });
      document.dispatchEvent(new CustomEvent("flowd:renewed"));
    } catch {
      // The node is away for a moment: the next ping or poll tries again.
    } finally {
      renewedAt = Date.now();
      isRenewing = false;
      if (isDue) soon();
    }
  }

  function hasSelection() {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && main().contains(selection.anchorNode);
  }

  function soon() {
    if (timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      renew();
    }, Math.max(0, renewedAt + pauseMs - Date.now()));
  }

  function open() {
    if (stream || !topic() || !isOn() || document.hidden) return;
    stream = new EventSource(`/ui/events?of=${encodeURIComponent(topic())}`);
    stream.addEventListener("changed", soon);
  }

  function close() {
    stream?.close();
    stream = null;
    clearTimeout(timer);
    timer = null;
  }

  function showSwitch() {
    const button = document.getElementById("live");
    if (!button) return;
    button.hidden = !topic();
    button.setAttribute("aria-pressed", String(isOn()));
    button.addEventListener("click", () => {
      localStorage.setItem(SWITCH, isOn() ? "off" : "on");
      button.setAttribute("aria-pressed", String(isOn()));
      if (isOn()) {
        open();
        renew();
      } else {
        close();
      }
    });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
    } else {
      open();
      if (topic() && isOn()) soon();
    }
  });
  // Where no stream can be had, and for what no ping tells of.
  setInterval(() => {
    if (topic() && isOn() && !document.hidden) soon();
  }, POLL_MS);

  // One menu at a time, and none where a click is elsewhere.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  // A link to a line that is folded away opens what it is in; not every browser does that by itself.
  function unfold() {
    const aim = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    let isFolded = false;
    for (let fold = aim?.closest("details:not([open])"); fold; fold = fold.parentElement.closest("details:not([open])")) {
      fold.open = isFolded = true;
    }
    if (isFolded) aim.scrollIntoView();
  }
  addEventListener("hashchange", unfold);

  unfold();
  showSwitch();
  open();
})();
