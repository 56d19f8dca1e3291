// A lecture from its file to its end, by the types that openapi-typescript has made.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const file = process.argv[2]!;
const api = createClient<paths>({
  baseUrl: process.env.API!,
  headers: { Authorization: `Bearer ${process.env.KEY}` },
});

function got<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const bytes = await readFile(file);
const upload = got(
  await api.POST("/api/v1/uploads", {
    body: { filename: basename(file), size: bytes.length, content_type: "video/mp4", purpose: "video", session: "api" },
  }),
);
await fetch(upload.upload_url!, { method: "PUT", body: bytes, headers: { "Content-Type": "video/mp4" } });
const path = { upload_id: upload.upload_id };
got(await api.POST("/api/v1/uploads/{upload_id}/complete", { params: { path } }));
const video = got(await api.POST("/api/v1/videos", { body: { upload_id: upload.upload_id, title: "강의" } }));
const job = got(
  await api.POST("/api/v1/jobs", { body: { job_type: "video.encode", payload: { video_id: video.video_id } } }),
);
for (;;) {
  const seen = got(await api.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: job.job_id } } }));
  if (seen.finished_at) {
    const shown = got(
      await api.GET("/api/v1/videos/{video_id}", { params: { path: { video_id: video.video_id } } }),
    );
    console.log(seen.status, shown.status);
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}
