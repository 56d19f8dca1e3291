// Lectures: upload, and the grid with encodes live.
import { ask, meter, refresh, say, t, watch } from "./console.js";
import { dropZone } from "./upload.js";

dropZone(async (upload, file, row) => {
  const title = file.name.replace(/\.[^.]+$/, "").slice(0, 200);
  const video = await ask("/api/v1/videos", { upload_id: upload.upload_id, title });
  const { video_id, file_key } = video;
  const job = await ask("/api/v1/jobs", { job_type: "video.encode", payload: { video_id, file_key } });
  row.item.remove();
  say(t("올렸습니다. 변환을 시작합니다.", "Uploaded. Encoding begins."));
  await show();
  begun(job.job_id); // not waited for: everything is sent
});

// A lecture's job is known to the grid once its workflow has begun.
async function begun(job) {
  await new Promise((resolve) => {
    const source = watch(job, {
      state: ({ status }) => {
        if (status === "PENDING") return;
        source.close();
        resolve();
      },
      end: resolve,
    });
  });
  await show();
}

const watched = new Map();

function watchAll() {
  for (const element of document.querySelectorAll("#grid [data-watch]")) {
    const job = element.dataset.watch;
    if (watched.has(job) || watched.size >= 4) continue; // browsers keep six connections a host
    const current = () => document.querySelector(`[data-watch="${CSS.escape(job)}"]`);
    const source = watch(job, {
      progress: (shown) => current() && meter(current(), shown),
      end: () => {
        watched.delete(job);
        show();
      },
    });
    watched.set(job, source);
  }
}

async function show() {
  await refresh("grid");
  document.querySelector(".empty")?.remove();
  watchAll();
}

watchAll();
addEventListener("pagehide", () => watched.forEach((source) => source.close()));
