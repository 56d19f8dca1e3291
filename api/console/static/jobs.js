// The list, live: each event brings the rows as they are now; only those that changed are touched.
import { t } from "./console.js";

const table = document.querySelector("[data-stream]");
const body = table.tBodies[0];
const known = new Map([...body.rows].map((row) => [row.id, row.innerHTML.trim()]));

function show(rows) {
  let before = null;
  for (const { id, html } of rows) {
    let row = document.getElementById(id);
    if (!row) {
      row = Object.assign(document.createElement("tr"), { id });
    }
    if (known.get(id) !== html) {
      const focused = row.contains(document.activeElement)
        ? [...row.querySelectorAll("a, button")].indexOf(document.activeElement)
        : -1;
      row.innerHTML = html;
      known.set(id, html);
      if (focused >= 0) row.querySelectorAll("a, button")[focused]?.focus();
    }
    const place = before ? before.nextSibling : body.firstChild;
    if (place !== row) body.insertBefore(row, place);
    before = row;
  }
  const there = new Set(rows.map((row) => row.id));
  for (const row of [...body.rows]) {
    if (!there.has(row.id)) {
      known.delete(row.id);
      row.remove();
    }
  }
  document.getElementById("empty").hidden = rows.length > 0;
}

const state = document.getElementById("link-state");
if (!new URLSearchParams(location.search).has("before")) {
  const source = new EventSource(table.dataset.stream);
  source.addEventListener("rows", (event) => {
    const { rows, open } = JSON.parse(event.data);
    show(rows);
    document.getElementById("open-count").textContent = open;
  });
  source.addEventListener("signed-out", () => {
    source.close();
    const link = Object.assign(document.createElement("a"), {
      href: `/console/login?next=${encodeURIComponent(location.pathname)}`,
      textContent: t("로그인이 끝났습니다. 다시 로그인", "Signed out. Sign in again"),
    });
    state.replaceChildren(link);
  });
  source.addEventListener("open", () => (state.textContent = t("실시간", "Live")));
  source.addEventListener("error", () => (state.textContent = t("다시 연결하는 중", "Reconnecting")));
  addEventListener("pagehide", () => source.close());
}
