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

// A part of the page that is fetched anew must not take away what the person opened, where she is in it, or how
// far she has scrolled. htmx itself keeps the focus of what has an id.
const NAMED = "a[href], button, input, select, summary, textarea";

function place(root) {
  const active = document.activeElement;
  const held = root.contains(active) ? [...root.querySelectorAll(NAMED)].indexOf(active) : -1;
  return {
    open: [...root.querySelectorAll("details")].map((one) => one.open),
    scrolled: [...root.querySelectorAll(".table-scroll, pre")].map((one) => [one.scrollLeft, one.scrollTop]),
    ticked: [...root.querySelectorAll("input[type=checkbox][id]:checked")].map((one) => one.id),
    window: [scrollX, scrollY],
    held,
    text: held < 0 ? "" : active.textContent.trim(),
  };
}

function putBack(root, kept) {
  root.querySelectorAll("details").forEach((one, index) => {
    if (index in kept.open) one.open = kept.open[index];
  });
  root.querySelectorAll(".table-scroll, pre").forEach((one, index) => {
    if (index in kept.scrolled) [one.scrollLeft, one.scrollTop] = kept.scrolled[index];
  });
  for (const id of kept.ticked) {
    const box = document.getElementById(id);
    if (box) box.checked = true;
  }
  // While a closed part stood in for an opened one the page was shorter, and the browser scrolled up.
  scrollTo({ left: kept.window[0], top: kept.window[1], behavior: "instant" });
  if (kept.held < 0 || root.contains(document.activeElement)) return;
  const candidates = [...root.querySelectorAll(NAMED)];
  const same = candidates[kept.held]?.textContent.trim() === kept.text ? candidates[kept.held] : null;
  (same ?? candidates.find((one) => one.textContent.trim() === kept.text))?.focus({ preventScroll: true });
}

const places = new Map();

function leavePlace(event) {
  const { target, requestConfig } = event.detail;
  // Only what the page fetches by itself: where somebody clicked, the answer says where to go on.
  if (target?.id && event.detail.shouldSwap && !requestConfig?.triggeringEvent?.isTrusted) {
    places.set(target.id, place(target));
  }
}

function takePlace(event) {
  const kept = places.get(event.target.id);
  if (!kept) return;
  places.delete(event.target.id);
  putBack(event.target, kept);
}

document.addEventListener("htmx:beforeSwap", leavePlace);
document.addEventListener("htmx:afterSettle", takePlace);

// The second click of a double one would undo two steps, or be told that the first has taken the name.
const SENT = new WeakMap();
const TWICE_MS = 1500;

function sendOnce(event) {
  const form = event.target;
  // What htmx sends, it sends once by itself.
  if (event.defaultPrevented || form.method !== "post") return;
  if (event.timeStamp - (SENT.get(form) ?? -TWICE_MS) < TWICE_MS) event.preventDefault();
  else SENT.set(form, event.timeStamp);
}

// On a narrow screen the tabs scroll: the open one must not be beyond the edge.
for (const tab of document.querySelectorAll(".nav-tabs .active")) {
  const bar = tab.closest(".nav-tabs");
  const beyond = tab.getBoundingClientRect().right - bar.getBoundingClientRect().right;
  if (beyond > 0) bar.scrollLeft += beyond;
}

const toggle = document.getElementById("theme-toggle");
if (toggle) themeToggle(toggle);
document.addEventListener("keydown", keys);
document.addEventListener("click", closeMenus);
document.addEventListener("submit", sendOnce);
document.addEventListener("htmx:sendError", sayFailure);
document.addEventListener("htmx:responseError", sayFailure);
document.addEventListener("htmx:afterRequest", clearFailure);
