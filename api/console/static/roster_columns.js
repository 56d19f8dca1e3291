// What the columns of a roster are, said by hand: contradictions are shown while one chooses, and the roster is tried
// again with what was chosen. What was chosen before for the same line of labels is offered, and never taken unasked.
import { ask, say, t } from "./console.js";

const NEEDED = { name: ["이름", "the name"], parent_phone: ["학부모 전화번호", "the parent's phone"] };

export function begin() {
  document.querySelectorAll(".naming").forEach(check);
}

const selects = (naming) => [...naming.querySelectorAll("select")];

// What is wrong with the choices, at each of them and of all together.
function check(naming) {
  const chosen = selects(naming).map((select) => select.value);
  let twice = false;
  for (const select of selects(naming)) {
    const again = select.value && chosen.filter((field) => field === select.value).length > 1;
    const strange = select.value && !select.dataset.fits.split(" ").includes(select.value);
    twice ||= again;
    const said = again
      ? t("두 열이 같은 뜻입니다.", "Two columns mean the same.")
      : strange ? t("이 열의 처음 몇 칸은 그렇게 읽히지 않습니다.", "The first cells cannot be read as that.") : "";
    const why = select.parentElement.querySelector(".why");
    if (why.textContent !== said) why.textContent = said;
    select.setAttribute("aria-invalid", Boolean(said));
  }
  // Of a sheet with labels that cannot be chosen, these may be among them.
  const whole = selects(naming).length === naming.querySelectorAll("tbody tr").length;
  const missing = whole ? Object.keys(NEEDED).filter((field) => !chosen.includes(field)) : [];
  const names = missing.map((field) => t(...NEEDED[field])).join(", ");
  const against = naming.querySelector("[data-against]");
  against.textContent = names ? t(`${names} 열을 골라 주세요.`, `Choose a column for ${names}.`) : "";
  naming.querySelector("button.main").disabled = twice || missing.length > 0;
}

document.addEventListener("change", (event) => {
  const naming = event.target.closest(".naming");
  if (naming) check(naming);
});

document.addEventListener("click", (event) => {
  if (event.target.dataset?.take === undefined) return;
  const naming = event.target.closest(".naming");
  const offered = JSON.parse(naming.dataset.offered);
  for (const select of selects(naming)) {
    if (select.dataset.label in offered) select.value = offered[select.dataset.label] ?? "";
  }
  naming.open = true;
  naming.querySelector("[data-offer]").remove();
  check(naming);
  selects(naming)[0]?.focus();
});

document.addEventListener("submit", async (event) => {
  const naming = event.target.closest(".naming");
  if (!naming) return;
  event.preventDefault();
  const button = naming.querySelector("button.main");
  button.disabled = true;
  try {
    // What was said before of other sheets of the file stays; of this one all is said.
    const columns = { ...JSON.parse(naming.dataset.chosen) };
    const own = {};
    for (const select of selects(naming)) {
      if (select.value !== select.dataset.was || select.dataset.label in columns) own[select.dataset.label] = select.value || null;
    }
    Object.assign(columns, own);
    const labels = JSON.parse(naming.dataset.labels);
    if (naming.querySelector("[data-keep]")?.checked && Object.keys(own).length) {
      await ask("/api/v1/roster-columns", { labels, columns: own }, { method: "PUT" });
    }
    const payload = { file_key: naming.dataset.file, initial_password: "dry run", dry_run: true };
    if (Object.keys(columns).length) payload.columns = columns;
    const made = await ask("/api/v1/jobs", { job_type: "ai.excel_parsing", payload }, { wish: `columns ${naming.dataset.job}` });
    location.assign(`/console/rosters/${made.job_id}`);
  } catch (error) {
    say(error.message, true);
    button.disabled = false;
  }
});
