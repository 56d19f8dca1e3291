// One job, live.
import { meter, refresh, watch } from "./console.js";

const job = document.getElementById("job");
if (job.dataset.watch) {
  watch(job.dataset.watch, {
    progress: (shown) => {
      if (!document.querySelector("[data-meter] progress")) refresh("job"); // its badge says that it waits
      else meter(document.querySelector("[data-meter]"), shown);
    },
    state: ({ status }) => status !== document.getElementById("job").dataset.state && refresh("job"),
    end: () => refresh("job"),
  }, job.dataset.tenant);
}
document.addEventListener("posted", () => refresh("job"));
