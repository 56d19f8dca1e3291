// Answer sheets: live until they are read; then doubtful marks are decided, and the sheets graded again.
import { ask, meter, refresh, say, t, watch } from "./console.js";

const job = document.getElementById("job");
const ENOUGH = 10_000; // corrections of one job, as the API has it
let decided = new Map(); // "page:question" → a correction; question 0 is the identifier
let before = "[]"; // what this result was already graded with

const nameOf = ({ page, question }) => `${page}:${question ?? 0}`;
const fieldsetOf = (name) => {
  const [page, question] = name.split(":");
  return document.querySelector(`fieldset[data-page="${page}"][data-question="${question}"]`);
};
const asked = () => JSON.parse(document.getElementById("again").dataset.asked);
const all = () => [...decided.values()].sort((a, b) => a.page - b.page || (a.question ?? 0) - (b.question ?? 0));

function begin() {
  if (!document.getElementById("again")) return;
  decided = new Map((asked().payload.corrections ?? []).map((each) => [nameOf(each), each]));
  before = JSON.stringify(all());
  document.querySelectorAll("fieldset.decision").forEach(draw);
  list();
}

// A fieldset as its correction has it.
function draw(fieldset) {
  const correction = decided.get(`${fieldset.dataset.page}:${fieldset.dataset.question}`);
  fieldset.classList.toggle("decided", Boolean(correction));
  const identifier = fieldset.querySelector("[data-identifier]");
  if (identifier) {
    if (document.activeElement !== identifier) identifier.value = correction?.identifier ?? "";
    return;
  }
  const choices = correction?.choices;
  for (const box of fieldset.querySelectorAll("input")) {
    box.checked = box.value === "blank" ? choices?.length === 0 : Boolean(choices?.includes(Number(box.value)));
  }
  for (const circle of fieldset.querySelectorAll("circle")) {
    circle.classList.toggle("chosen", Boolean(choices?.includes(Number(circle.dataset.choice))));
  }
}

function list() {
  const items = all().map((each) => {
    const where = t(`${each.page}쪽 ${each.question ? `${each.question}번` : "식별번호"}`, `Page ${each.page}, ${each.question ? `question ${each.question}` : "identifier"}`);
    const what = each.identifier ?? (each.choices.join(", ") || t("무응답", "blank"));
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: `${where}: ${what} ×` });
    button.dataset.undo = nameOf(each);
    button.setAttribute("aria-label", t(`${where}: ${what} 취소`, `Take back: ${where}, ${what}`));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  document.getElementById("decided").replaceChildren(...items);
  document.getElementById("decided-count").textContent = decided.size;
  document.querySelector("#grade .main").disabled = JSON.stringify(all()) === before || decided.size > ENOUGH;
}

function decide(name, correction) {
  if (correction) decided.set(name, correction);
  else decided.delete(name);
  const fieldset = fieldsetOf(name);
  if (fieldset) draw(fieldset);
  list();
}

// Turns a choice of a question over; 0 is blank, which excludes all others.
function toggle(fieldset, choice) {
  const [page, question] = [Number(fieldset.dataset.page), Number(fieldset.dataset.question)];
  const name = `${page}:${question}`;
  const now = decided.get(name)?.choices;
  let choices = choice === 0 ? [] : [...(now ?? []).filter((each) => each !== choice), ...(now?.includes(choice) ? [] : [choice])];
  if (choice === 0 ? now?.length === 0 : choices.length === 0) return decide(name, null);
  decide(name, { page, question, choices: choices.sort((a, b) => a - b) });
}

document.addEventListener("change", (event) => {
  const fieldset = event.target.closest("fieldset.decision");
  if (!fieldset || event.target.dataset.identifier !== undefined) return;
  toggle(fieldset, event.target.value === "blank" ? 0 : Number(event.target.value));
});

document.addEventListener("input", (event) => {
  if (event.target.dataset.identifier === undefined) return;
  const page = Number(event.target.closest("fieldset").dataset.page);
  const whole = event.target.value && event.target.checkValidity();
  decide(`${page}:0`, whole ? { page, identifier: event.target.value } : null);
});

document.addEventListener("click", (event) => {
  const circle = event.target.closest("circle[data-choice]");
  if (circle) toggle(circle.closest("fieldset"), Number(circle.dataset.choice));
  const taken = event.target.closest("[data-undo]");
  if (!taken) return;
  decide(taken.dataset.undo, null);
  document.querySelector("#decided button, #again summary").focus();
});

document.addEventListener("keydown", (event) => {
  const fieldset = event.target.closest("fieldset.decision");
  if (!fieldset || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") {
    event.preventDefault();
    following(fieldset)?.focus();
  } else if (/^[0-9]$/.test(event.key) && event.target.type === "checkbox") {
    const choice = Number(event.key);
    if (choice === 0 || fieldset.querySelector(`input[value="${choice}"]`)) toggle(fieldset, choice);
  }
});

// The first field of the next decision, whose sheet is opened; of the last one the button that grades again.
function following(fieldset) {
  const others = [...document.querySelectorAll("fieldset.decision")];
  const next = others[others.indexOf(fieldset) + 1];
  if (!next) return document.querySelector("#grade .main:enabled");
  next.closest("details").open = true;
  return next.querySelector("input");
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.id === "other") {
    const [page, question] = [Number(form.page.value), Number(form.question.value)];
    const choices = form.choices.value.split(",").filter(Boolean).map(Number);
    decide(`${page}:${question}`, { page, question, choices });
    form.reset();
    form.page.focus();
    return;
  }
  if (form.id !== "grade") return;
  const button = form.querySelector(".main");
  button.disabled = true;
  try {
    const { payload, file_sha256: digest } = asked();
    const wanted = { ...payload, corrections: all(), corrections_of: digest };
    const password = document.getElementById("password")?.value;
    if (password) wanted.password = password;
    const wish = { wish: `omr ${document.getElementById("again").dataset.job}` };
    const made = await ask("/api/v1/jobs", { job_type: "ai.omr_grading", payload: wanted }, wish);
    location.assign(`/console/omr/${made.job_id}`);
  } catch (error) {
    say(error.message, true);
    button.disabled = false;
  }
});

begin();
if (job.dataset.watch) {
  watch(job.dataset.watch, {
    progress: (shown) => meter(document.querySelector("[data-meter]"), shown),
    end: () => refresh("job").then(begin),
  });
}
