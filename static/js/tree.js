// The tree remembers which nodes are open, marks the page that is shown, and answers the arrow keys.

const KEY = "vnetpanel-tree";

function opened() {
  try {
    return new Set(JSON.parse(localStorage.getItem(KEY)) || []);
  } catch {
    return new Set();
  }
}

function remember(node) {
  // What was opened to show where the page belongs is not what the person opened.
  if (node.dataset.shown !== undefined) {
    delete node.dataset.shown;
    if (node.open) return;
  }
  const open = opened();
  if (node.open) open.add(node.dataset.tree);
  else open.delete(node.dataset.tree);
  localStorage.setItem(KEY, JSON.stringify([...open].slice(-500)));
}

function settle(root) {
  const open = opened();
  const way = tree.dataset.way.split(" ");
  for (const node of root.querySelectorAll("details[data-tree]")) {
    if (open.has(node.dataset.tree)) node.open = true;
    else if (way.includes(node.dataset.tree) && !node.open) {
      node.dataset.shown = "";
      node.open = true;
    }
  }
  for (const link of root.querySelectorAll("a")) {
    if (location.pathname === link.pathname) link.setAttribute("aria-current", "page");
    else if (link.pathname === tree.dataset.here) link.setAttribute("aria-current", "true");
  }
}

function move(event, list, selector) {
  const items = [...list.querySelectorAll(selector)].filter((item) => item.offsetParent);
  const at = items.indexOf(document.activeElement);
  const next = items[event.key === "ArrowDown" ? at + 1 : at - 1];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

const tree = document.getElementById("tree");
if (tree) {
  tree.addEventListener("toggle", (event) => remember(event.target), true);
  // Not afterSwap: what was swapped in listens to its toggle only once it has settled.
  tree.addEventListener("htmx:afterSettle", (event) => settle(event.target));
  tree.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") move(event, tree, "a");
    const item = event.target.closest("li");
    const node = item?.querySelector(":scope > details");
    if (event.key === "ArrowRight" && node) node.open = true;
    if (event.key === "ArrowLeft") {
      if (node?.open) node.open = false;
      else item?.parentElement.closest("li")?.querySelector(":scope > a").focus();
    }
  });
}

const search = document.getElementById("search");
const results = document.getElementById("search-results");
if (search && results) {
  const form = search.closest("form");
  const clear = () => {
    results.replaceChildren();
    document.getElementById("search-said").replaceChildren();
  };
  form.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const first = results.querySelector("a");
      if (document.activeElement === search && event.key === "ArrowDown" && first) {
        event.preventDefault();
        first.focus();
      } else move(event, results, "a");
    }
    if (event.key === "Escape") {
      clear();
      search.focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!form.contains(event.target)) clear();
  });
  // What the results lie over must be seen by whoever walks on with the keyboard. A click that leads nowhere in
  // particular has no related target.
  form.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !form.contains(event.relatedTarget)) clear();
  });
}
