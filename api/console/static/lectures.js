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

// One after the other: browsers keep six connections a host.
let last = Promise.resolve();
function watchUntilItEnds(job) {
  last = last.then(() => new Promise((end) => watch(job, { end }))).then(show);
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
  if (document.querySelector("#grid .lecture")) document.querySelector(".empty")?.remove();
  choose();
  watchAll();
}

// Several at once. What was chosen stays chosen when the grid is drawn anew.
const chosen = new Set();
const several = document.getElementById("several");

function choose() {
  const boxes = [...document.querySelectorAll("#grid .choose input")];
  const there = new Set(boxes.map((box) => box.value));
  for (const id of chosen) if (!there.has(id)) chosen.delete(id);
  for (const box of boxes) box.checked = chosen.has(box.value);
  several.hidden = !chosen.size;
  document.getElementById("several-count").textContent = t(`${chosen.size}개 선택`, `${chosen.size} chosen`);
}

document.addEventListener("change", ({ target }) => {
  if (!target.matches("#grid .choose input")) return;
  if (target.checked) chosen.add(target.value);
  else chosen.delete(target.value);
  choose();
});
document.getElementById("several-none").addEventListener("click", () => {
  chosen.clear();
  choose();
});

const QUESTIONS = {
  "video.encode": (n) => t(`강의 ${n}개를 원본에서 다시 변환할까요?`, `Encode ${n} lectures again from their sources?`),
  "video.delete": (n) => t(`강의 ${n}개를 영상과 원본까지 삭제할까요? 되돌릴 수 없습니다.`, `Delete ${n} lectures with their videos and sources? This cannot be undone.`),
};

several.addEventListener("click", async ({ target }) => {
  const type = target.dataset.several;
  const ids = [...chosen];
  if (!type || !confirm(QUESTIONS[type](ids.length))) return;
  several.inert = true;
  let problem;
  for (const id of ids) {
    try {
      const job = await ask("/api/v1/jobs", { job_type: type, payload: { video_id: Number(id) } });
      chosen.delete(id);
      watchUntilItEnds(job.job_id);
    } catch (error) {
      problem ??= error;
    }
  }
  several.inert = false;
  const done = ids.length - chosen.size;
  if (problem) say(t(`${ids.length}개 가운데 ${done}개를 요청했습니다. ${problem.message}`, `Asked for ${done} of ${ids.length}. ${problem.message}`), true);
  else say(t(`${done}개를 요청했습니다.`, `Asked for ${done}.`));
  await show();
});

document.addEventListener("lectures", show);
watchAll();
choose();
addEventListener("pagehide", () => watched.forEach((source) => source.close()));
