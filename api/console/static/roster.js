// A roster's preview: live until it is there, then stored on demand.
import { ask, meter, refresh, say, watch } from "./console.js";
import { begin } from "./roster_columns.js";

const job = document.getElementById("job");
if (job.dataset.watch) {
  watch(job.dataset.watch, {
    progress: (shown) => meter(document.querySelector("[data-meter]"), shown),
    end: () => refresh("job").then(begin),
  });
}
begin();

document.addEventListener("submit", async (event) => {
  const { id, dataset } = event.target;
  if (id !== "undo" || event.defaultPrevented) return; // who was asked may have said no
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const payload = { roster_job_id: dataset.job };
    const made = await ask("/api/v1/jobs", { job_type: "ai.roster_undo", payload }, { wish: `undo ${dataset.job}` });
    location.assign(`/console/jobs/${made.job_id}`);
  } catch (error) {
    say(error.message, true);
    button.disabled = false;
  }
});

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "commit") return;
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const password = document.getElementById("password").value;
    const payload = { file_key: event.target.dataset.file, initial_password: password };
    const columns = event.target.dataset.columns;
    if (columns) payload.columns = JSON.parse(columns);
    const wish = { wish: `roster ${event.target.dataset.job}` };
    const made = await ask("/api/v1/jobs", { job_type: "ai.excel_parsing", payload }, wish);
    location.assign(`/console/rosters/${made.job_id}`);
  } catch (error) {
    say(error.message, true);
    button.disabled = false;
  }
});
