// Loaded before the style sheets and not deferred, so that no page flashes in the wrong theme.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function choice() {
    try {
      const stored = localStorage.getItem("vnetpanel-theme");
      return stored === "light" || stored === "dark" ? stored : "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  }

  function show() {
    const chosen = choice();
    root.dataset.themeChoice = chosen;
    root.dataset.bsTheme = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
  }

  root.classList.add("js");
  show();
  dark.addEventListener("change", show);
  window.addEventListener("storage", show);
  window.addEventListener("vnetpanel:theme", show);
  // Paper is white.
  window.addEventListener("beforeprint", () => {
    root.dataset.bsTheme = "light";
  });
  window.addEventListener("afterprint", show);
})();
