// Students: add, edit, enrol, let go. What is wrong with a value stands at its field, as the server reads it.
import { ask, refresh, say, t } from "./console.js";
import { attempt } from "./forms.js";

// What was written, and of a known student only what differs; a phone that was not written stays.
function written(form) {
  const known = Boolean(form.dataset.student);
  const fields = [...form.elements].filter((each) => each.name);
  const initial = (each) => (each.options ? ([...each.options].find((one) => one.defaultSelected)?.value ?? "") : each.defaultValue);
  const changed = fields.filter((each) => (known ? each.value !== initial(each) : each.value.trim()));
  return Object.fromEntries(changed.map((each) => [each.name, each.value]));
}

function mark(form, wrong) {
  const reasons = JSON.parse(form.dataset.reasons);
  let first = null;
  for (const each of [...form.elements].filter((one) => one.name)) {
    const place = document.getElementById(`student-${each.name}-wrong`);
    if (place) place.textContent = wrong[each.name] ? (reasons[wrong[each.name]] ?? wrong[each.name]) : "";
    if (wrong[each.name]) each.setAttribute("aria-invalid", "true");
    else each.removeAttribute("aria-invalid");
    if (wrong[each.name]) first ??= each;
  }
  first?.focus();
}

async function save(form) {
  const id = form.dataset.student;
  const values = written(form);
  mark(form, {});
  if (id && !Object.keys(values).length) return form.closest("dialog").close();
  if (id) {
    await ask(`/api/v1/students/${id}`, values, { method: "PATCH" });
    return location.reload(); // the form has what was before
  }
  const needed = ["name", "parent_phone"].filter((each) => !values[each]);
  if (needed.length) return mark(form, Object.fromEntries(needed.map((each) => [each, "REQUIRED"])));
  const { student_id: made } = await ask("/api/v1/students", values, { wish: "student" });
  const into = form.querySelector("[data-class]")?.value;
  if (into) await ask(`/api/v1/classes/${into}/students/${made}`, {}, { method: "PUT" });
  location.assign(`/console/students/${made}`);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.student !== undefined) {
    event.preventDefault();
    attempt(form, () => save(form), (fields) => mark(form, fields));
  } else if (form.dataset.enrol) {
    event.preventDefault();
    const into = document.getElementById("other-class").value;
    attempt(form, async () => {
      await ask(`/api/v1/classes/${into}/students/${form.dataset.enrol}`, {}, { method: "PUT" });
      await shown(t("반에 넣었습니다.", "Enrolled."));
    });
  }
});

document.addEventListener("change", ({ target }) => {
  if (!target.dataset.access) return;
  const decided = target.value === "BLOCKED" ? { access_mode: null, blocked: true } : { access_mode: target.value || null };
  attempt(target, async () => {
    await ask(target.dataset.access, decided, { method: "PUT" });
    say(t("보는 방법을 바꾸었습니다.", "Changed how it is watched."));
  });
});

// A link for this student alone. Who gets it from them watches as this student, so it says so.
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-link]");
  if (!button) return;
  attempt(button, async () => {
    const { path } = await ask(button.dataset.link, { days: 7 });
    const link = new URL(path, location.href).href;
    const said = t("7일 동안 이 학생만 쓰는 링크입니다.", "A link for this student alone, good for 7 days.");
    try {
      await navigator.clipboard.writeText(link);
      say(`${said} ${t("복사했습니다.", "Copied.")}`);
    } catch {
      prompt(said, link); // no leave: to be copied by hand
    }
  });
});

async function shown(sentence) {
  await refresh("student");
  document.querySelector("#student h1").focus();
  if (sentence) say(sentence);
}

document.addEventListener("posted", () => document.getElementById("student") && shown());
