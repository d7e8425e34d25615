// The little that the pages do by themselves. Everything works without it; forms and links stay plain.

const THEMES = ["auto", "light", "dark"];
const THEME_NAMES = { auto: "automatic", light: "light", dark: "dark" };

function themeToggle(button) {
  const root = document.documentElement;
  const label = () => {
    const text = `Theme: ${THEME_NAMES[root.dataset.themeChoice]}`;
    button.setAttribute("aria-label", text);
    button.title = text;
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.themeChoice) + 1) % THEMES.length];
    localStorage.setItem("vnetpanel-theme", next);
    window.dispatchEvent(new Event("vnetpanel:theme"));
    label();
  });
  label();
}

function isTyping(element) {
  return element.matches("input, textarea, select, [contenteditable]");
}

function keys(event) {
  const search = document.getElementById("search");
  const hot = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
  if (search && (hot || (event.key === "/" && !isTyping(event.target)))) {
    event.preventDefault();
    search.focus();
    search.select();
  }
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (location.hash === "#sidebar") {
      location.hash = "";
    }
  }
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
}

// A fragment that could not be fetched must not leave the page silently stale.
function sayFailure(event) {
  const messages = document.getElementById("messages");
  if (!messages) return;
  const status = event.detail.xhr?.status;
  const text = status
    ? `The panel answered with an error (${status}). The page may be out of date.`
    : "The panel does not answer. The page may be out of date.";
  let box = messages.querySelector("[data-failure]");
  if (!box) {
    box = document.createElement("div");
    box.className = "alert alert-danger";
    box.setAttribute("role", "alert");
    box.dataset.failure = "";
    messages.append(box);
  }
  box.textContent = text;
}

function clearFailure(event) {
  if (event.detail.successful) document.querySelector("#messages [data-failure]")?.remove();
}

const toggle = document.getElementById("theme-toggle");
if (toggle) themeToggle(toggle);
document.addEventListener("keydown", keys);
document.addEventListener("click", closeMenus);
document.addEventListener("htmx:sendError", sayFailure);
document.addEventListener("htmx:responseError", sayFailure);
document.addEventListener("htmx:afterRequest", clearFailure);
