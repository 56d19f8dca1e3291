// Whether a lecture may be downloaded, and making its file.
import { ask, say, watch } from "./console.js";

const form = document.getElementById("set-download");

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    say(error.message, true);
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const lines = form.elements.lines.value;
  attempt(async () => {
    const body = { download_lines: lines ? Number(lines) : null };
    await ask(`/api/v1/videos/${form.dataset.video}`, body, { method: "PATCH" });
    location.reload();
  });
});

document.getElementById("make-download")?.addEventListener("click", ({ target }) => attempt(async () => {
  target.disabled = true;
  const payload = { video_id: Number(form.dataset.video) };
  const { job_id: id } = await ask("/api/v1/jobs", { job_type: "video.download", payload });
  await new Promise((resolve) => watch(id, { end: resolve }));
  const job = await ask(`/api/v1/jobs/${id}`);
  if (job.status === "DONE") location.reload();
  else location.assign(`/console/jobs/${id}`); // says why
}));
