// Reading: an upload becomes a job, and the page goes to its result.
import { ask } from "./console.js";
import { dropZone } from "./upload.js";

dropZone(async (upload) => {
  const job = await ask("/api/v1/jobs", { job_type: "ai.ocr", payload: { file_key: upload.file_key, mode: "auto" } });
  return `/console/ocr/${job.job_id}`;
});
