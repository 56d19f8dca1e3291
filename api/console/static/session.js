// One session: attendance by mouse and digits, saved at once over what was seen; its lectures and students.
import { ask, Failed, refresh, say, t } from "./console.js";
import { attempt } from "./forms.js";

const form = () => document.getElementById("attendance");
const rows = () => [...(form()?.querySelectorAll("tr[data-student]") ?? [])].filter((row) => row.querySelector("fieldset"));
const chosen = (row) => row.querySelector("input:checked")?.value ?? "";
const changed = () => rows().filter((row) => chosen(row) && chosen(row) !== row.dataset.seen);
const word = (row, way) => (way ? row.querySelector(`input[value="${way}"]`).closest("label").textContent : t("미입력", "not noted"));

// How it would stand, what is not saved yet, and whether there is something to save.
function tell() {
  const save = document.getElementById("save");
  if (!save) return;
  const ways = new Map();
  for (const row of rows()) ways.set(chosen(row), [...(ways.get(chosen(row)) ?? []), row]);
  const order = [...rows()[0].querySelectorAll("input")].map((each) => each.value);
  const said = order.filter((way) => ways.has(way)).map((way) => `${word(rows()[0], way)} ${ways.get(way).length}`);
  if (ways.has("")) said.push(`${word(rows()[0], "")} ${ways.get("").length}`);
  const many = changed().length;
  if (many) said.push(t(`저장하지 않음 ${many}`, `${many} not saved`));
  document.getElementById("standing").textContent = said.join(" · ");
  save.disabled = !many;
}

function choose(row, way) {
  row.querySelector(`input[value="${way}"]`).checked = true;
  row.querySelector("[data-changed]").textContent = "";
}

// What somebody else has noted meanwhile is said beside it; what was chosen here stays, to be saved over that.
function mark(students) {
  for (const { student_id: id, status } of students) {
    const row = rows().find((each) => each.dataset.student === String(id));
    if (!row) continue;
    row.dataset.seen = status ?? "";
    row.querySelector("[data-changed]").textContent = t(
      `그사이 다른 사람이 저장함: ${word(row, status)}. 다시 저장하면 바뀝니다: ${word(row, chosen(row))}`,
      `Saved by somebody else meanwhile: ${word(row, status)}. Save again to make it: ${word(row, chosen(row))}`,
    );
  }
}

async function save() {
  const picked = changed().map((row) => ({ row, status: chosen(row) }));
  if (!picked.length) return;
  document.getElementById("save").disabled = true;
  const attendance = picked.map(({ row, status }) => ({ student_id: Number(row.dataset.student), status, seen: row.dataset.seen || null }));
  try {
    await ask(form().dataset.at, { attendance }, { method: "PUT" });
    for (const { row, status } of picked) row.dataset.seen = status;
    await look(t("출결을 저장했습니다.", "Saved."));
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    say(error.message, true);
    if (error.code === "attendance_changed") mark(error.students);
    if (error.code === "no_such_students") await look(); // who has left meanwhile is none to be noted
    form().querySelector("[data-changed]:not(:empty)")?.closest("tr").querySelector("input:checked").focus();
  }
  tell();
}

// The session as it is by now, with what is not saved yet put over it again.
async function look(sentence) {
  const mine = new Map(changed().map((row) => [row.dataset.student, { way: chosen(row), seen: row.dataset.seen }]));
  await refresh("session", { unseen: !sentence });
  const others = [];
  for (const row of rows()) {
    const kept = mine.get(row.dataset.student);
    if (!kept) continue;
    choose(row, kept.way);
    const now = row.dataset.seen;
    if (now !== kept.seen && now !== kept.way) others.push({ student_id: row.dataset.student, status: now });
  }
  mark(others);
  tell();
  if (!sentence) return;
  document.querySelector("h1").focus();
  say(sentence);
}

document.addEventListener("change", ({ target }) => {
  const row = target.closest("#attendance tr");
  if (!row) return;
  choose(row, target.value);
  tell();
});

document.addEventListener("keydown", (event) => {
  const row = event.target.closest("#attendance tr[data-student]");
  if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
  const input = row.querySelectorAll("input")[Number(event.key) - 1];
  if (!input) return;
  event.preventDefault();
  choose(row, input.value);
  tell();
  const next = rows()[rows().indexOf(row) + 1];
  if (next) (next.querySelector("input:checked") ?? next.querySelector("input")).focus();
  else document.getElementById("save").focus();
});

document.addEventListener("click", ({ target }) => {
  if (target.id === "print") print();
  if (target.id !== "rest") return;
  for (const row of rows()) if (!chosen(row)) choose(row, "PRESENT");
  tell();
});

document.addEventListener("submit", (event) => {
  const { id, dataset } = event.target;
  if (!["attendance", "bind", "take-out"].includes(id)) return;
  event.preventDefault();
  if (id === "attendance") save();
  else if (id === "bind") {
    const video = document.getElementById("lecture").value;
    attempt(event.target, async () => {
      await ask(`/api/v1/videos/${video}`, { session_id: dataset.session }, { method: "PATCH" });
      await look(t("강의를 연결했습니다.", "The lecture is of this session."));
    });
  } else {
    const who = document.getElementById("who").value;
    attempt(event.target, async () => {
      await ask(`${dataset.at}/${who}`, {}, { method: "DELETE" });
      await look(t("이 수업에서 뺐습니다.", "Taken out of this session."));
    });
  }
});

document.addEventListener("posted", () => look(document.getElementById("live").textContent));
document.addEventListener("visibilitychange", () => document.hidden || look());
addEventListener("beforeunload", (event) => changed().length && event.preventDefault());
tell();
