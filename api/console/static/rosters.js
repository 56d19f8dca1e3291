// Rosters: an upload is tried without storing anything, and the page goes to what it would change.
import { ask } from "./console.js";
import { dropZone } from "./upload.js";

dropZone(async (upload) => {
  const payload = {
    file_key: upload.file_key,
    initial_password: "dry run", // needed by the contract, used by nobody: a dry run makes no account
    dry_run: true,
  };
  const job = await ask("/api/v1/jobs", { job_type: "ai.excel_parsing", payload });
  return `/console/rosters/${job.job_id}`;
});
