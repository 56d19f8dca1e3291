// Classes: made and named; students in and out of one, or of one session; a session for a day.
import { ask, refresh, say, t } from "./console.js";
import { attempt } from "./forms.js";

const SHOWN = 20; // found at once; who wants others writes more of the name
const field = (id) => document.getElementById(id);

const ACTS = {
  async "new-class"() {
    const { class_id: made } = await ask("/api/v1/classes", { title: field("class-title").value }, { wish: "class" });
    location.assign(`/console/classes/${made}`);
  },
  async "rename-class"({ dataset }) {
    await ask(`/api/v1/classes/${dataset.class}`, { title: field("class-title").value }, { method: "PUT" });
    location.reload();
  },
  async "new-session"({ dataset }) {
    const day = field("day").value;
    const there = document.querySelector(`[data-day="${day}"]`);
    if (there && !confirm(t(`${day}에는 이미 수업이 있습니다. 출결은 날짜에 적으므로 두 수업의 출결이 같습니다. 하나 더 만들까요?`, `There is a session on ${day}. Attendance is of the day, so both have the same. Make another?`))) return;
    const wanted = { class_id: dataset.class, day }; // academies' own numbers may be larger than a Number holds
    const { session_id: made } = await ask("/api/v1/sessions", wanted, { wish: `session ${dataset.class}` });
    location.assign(`/console/sessions/${made}`);
  },
  async "move-session"({ dataset }) {
    const wanted = { class_id: dataset.class, day: field("day").value };
    await ask(`/api/v1/sessions/${dataset.session}`, wanted, { method: "PUT" });
    location.reload();
  },
  async "add-students"(form) {
    const chosen = [...form.querySelectorAll("#found input:checked")].map((each) => Number(each.value));
    if (!chosen.length) return field("find").focus();
    const answer = await ask(form.dataset.into, { student_ids: chosen });
    form.closest("dialog").close();
    field("find").value = "";
    field("found").replaceChildren();
    say(t(`${answer.added}명을 넣었습니다.`, `${answer.added} added.`));
    document.dispatchEvent(new CustomEvent("posted", { detail: { button: form, answer } }));
  },
};

document.addEventListener("submit", (event) => {
  const act = ACTS[event.target.id];
  if (!act) return;
  event.preventDefault();
  attempt(event.target, () => act(event.target));
});

// Students of the academy by a part of the name; who was chosen stays in the list of the next search.
let asked = 0;
let timer;

function line({ student_id: id, name, school, grade }) {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", value: id });
  const about = Object.assign(document.createElement("span"), { className: "sub", textContent: [school, grade].filter(Boolean).join(" ") });
  box.disabled = Boolean(document.querySelector(`[data-student="${id}"]:not([data-away])`));
  if (box.disabled) about.textContent += ` ${t("(이미 있음)", "(is in it)")}`;
  label.append(box, name, " ", about);
  const item = document.createElement("li");
  item.append(label);
  return item;
}

async function find(form) {
  const mine = ++asked;
  const words = new URLSearchParams({ q: field("find").value.trim(), limit: SHOWN });
  if (!words.get("q")) words.delete("q");
  const { items, total } = await ask(`/api/v1/students?${words}`);
  if (mine !== asked) return;
  const kept = [...field("found").children].filter((each) => each.querySelector(":checked"));
  const ids = kept.map((each) => Number(each.querySelector("input").value));
  field("found").replaceChildren(...kept, ...items.filter((each) => !ids.includes(each.student_id)).map(line));
  const more = total - items.length;
  form.querySelector("[data-more]").textContent = !total ? t("그런 학생이 없습니다.", "No student is like that.") : more ? t(`${more}명이 더 있습니다. 이름을 더 적어 주세요.`, `${more} more: write more of the name.`) : "";
}

function soon() {
  const form = field("add-students");
  clearTimeout(timer);
  timer = setTimeout(() => attempt(form, () => find(form)), 250);
}

field("find")?.addEventListener("input", soon);
field("find")?.addEventListener("focus", soon);

document.addEventListener("posted", async ({ detail: { button, answer } }) => {
  if (button.dataset.leads) return location.assign(`${button.dataset.leads}${answer.job_id}`);
  if (!field("class")) return;
  const said = field("live").textContent;
  await refresh("class");
  document.querySelector("#class h1").focus();
  say(said);
});
