// Lectures: upload, and the grid with encodes live.
import { ask, meter, refresh, say, t, watch } from "./console.js";
import { dropZone } from "./upload.js";

dropZone(async (upload, file, row) => {
  const title = file.name.replace(/\.[^.]+$/, "").slice(0, 200);
  const video = await ask("/api/v1/videos", { upload_id: upload.upload_id, title });
  const { video_id, file_key } = video;
  await ask("/api/v1/jobs", { job_type: "video.encode", payload: { video_id, file_key } });
  row.item.remove();
  say(t("올렸습니다. 변환을 시작합니다.", "Uploaded. Encoding begins."));
  await show();
});

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

// The row of a new lecture is written when its workflow begins: look again until it is there.
async function show(tries = 5) {
  await refresh("grid");
  document.querySelector(".empty")?.remove();
  watchAll();
  if (!document.querySelector("#grid .lecture") && tries) setTimeout(() => show(tries - 1), 1000);
}

watchAll();
addEventListener("pagehide", () => watched.forEach((source) => source.close()));
