// Uploads straight to the object store, in parts where the API says so. What is under way is kept in
// localStorage: after a reload the same file goes on where it stopped.
import { ask, clock, Failed, say, t } from "./console.js";

const AT_ONCE = 3;
const TRIES = 4;
const NAME = "upload:";

// Browsers know few types by themselves; the rest by the name's end.
const TYPES = {
  mp4: "video/mp4", m4v: "video/mp4", mov: "video/quicktime", mkv: "video/x-matroska", webm: "video/webm",
  avi: "video/x-msvideo", pdf: "application/pdf", heic: "image/heic", heif: "image/heif", csv: "text/csv", txt: "text/plain",
  mp3: "audio/mpeg", m4a: "audio/mp4", m4b: "audio/mp4", aac: "audio/aac", wav: "audio/wav", flac: "audio/flac",
  ogg: "audio/ogg", oga: "audio/ogg", opus: "audio/ogg", mka: "audio/x-matroska", wma: "audio/x-ms-wma", amr: "audio/amr",
  aif: "audio/aiff", aiff: "audio/aiff", caf: "audio/x-caf",
  tsv: "text/tab-separated-values", htm: "text/html", html: "text/html",
  srt: "text/plain", smi: "text/plain", vtt: "text/plain",
  xls: "application/vnd.ms-excel",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
};
const typeOf = (file) => TYPES[file.name.split(".").pop().toLowerCase()] || file.type || "application/octet-stream";
const nameOf = (purpose, file) => `${NAME}${purpose}:${file.size}:${file.lastModified}:${file.name}`;

// PUT with progress, which fetch does not tell. Rejects with Failed.
function put(url, body, progress, type) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    if (type) request.setRequestHeader("Content-Type", type);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => (request.status < 300 ? resolve() : reject(new Failed(request.status)));
    request.onerror = request.ontimeout = () => reject(new Failed(0));
    request.send(body);
  });
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

async function again(attempt) {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === TRIES || (error.status >= 400 && error.status < 500 && error.status !== 403)) throw error;
      await pause(2 ** tries / 2);
    }
  }
}

async function parts(upload, file, progress) {
  const known = await ask(`/api/v1/uploads/${upload.upload_id}`);
  const count = Math.ceil(file.size / upload.part_size);
  const done = new Set(known.parts.map((part) => part.number));
  const sizeOf = (number) => Math.min(upload.part_size, file.size - (number - 1) * upload.part_size);
  const sent = new Map([...done].map((number) => [number, sizeOf(number)]));
  const tell = () => progress([...sent.values()].reduce((sum, bytes) => sum + bytes, 0));
  const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !done.has(number));
  tell();
  async function one() {
    for (let number = missing.shift(); number; number = missing.shift()) {
      const start = (number - 1) * upload.part_size;
      await again(async () => {
        const { urls } = await ask(`/api/v1/uploads/${upload.upload_id}/parts`, { numbers: [number] });
        await put(urls[number], file.slice(start, start + sizeOf(number)), (bytes) => {
          sent.set(number, bytes);
          tell();
        });
      });
      sent.set(number, sizeOf(number));
      tell();
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

// How an upload stands, or null where it is not known any more. Throws Failed when nobody answers.
async function standing(upload) {
  try {
    return await ask(`/api/v1/uploads/${upload.upload_id}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    return null;
  }
}

// Upload a file; returns the upload as the API named it. Throws Failed. It is remembered until `forget`, so that the
// same file chosen again goes on with it, also when only the answer to what follows was lost.
export async function send(file, purpose, progress) {
  const name = nameOf(purpose, file);
  let upload = JSON.parse(localStorage.getItem(name));
  const state = upload && (await standing(upload))?.state;
  if (state === "completed") return upload;
  if (state !== "open" || upload.method === "put") {
    upload = await ask("/api/v1/uploads", {
      filename: file.name,
      size: file.size,
      content_type: typeOf(file),
      purpose,
    });
  }
  localStorage.setItem(name, JSON.stringify({ ...upload, name: file.name, size: file.size }));
  if (upload.method === "put") {
    await again(() => put(upload.upload_url, file, progress, typeOf(file)));
  } else {
    await parts(upload, file, progress);
  }
  await again(() => ask(`/api/v1/uploads/${upload.upload_id}/complete`, {}));
  return upload;
}

export const forget = (file, purpose) => localStorage.removeItem(nameOf(purpose, file));

// What a reload has cut short: name and size of each file.
function unfinished(purpose) {
  return Object.entries(localStorage)
    .filter(([name]) => name.startsWith(`${NAME}${purpose}:`))
    .map(([name, text]) => [name, JSON.parse(text)]);
}

function line(list, name) {
  const item = document.createElement("li");
  const title = Object.assign(document.createElement("b"), { textContent: name });
  const note = Object.assign(document.createElement("span"), { className: "sub" });
  const meter = Object.assign(document.createElement("div"), { className: "meter" });
  const bar = Object.assign(document.createElement("progress"), { max: 100, value: 0 });
  bar.setAttribute("aria-label", name);
  const said = Object.assign(document.createElement("span"), { className: "said" });
  meter.append(bar, said);
  item.append(title, note, meter);
  list.prepend(item);
  const began = Date.now();
  return {
    item,
    note,
    progress(sent, size) {
      bar.value = (100 * sent) / size;
      const left = sent ? ((Date.now() - began) / 1000 / sent) * (size - sent) : 0;
      const mb = (bytes) => (bytes / 1e6).toFixed(1);
      said.textContent = `${Math.floor(bar.value)}% · ${mb(sent)} / ${mb(size)} MB · ${t("남은 시간", "left")} ${clock(left)}`;
    },
  };
}

// Make the page's drop zone work: each file is uploaded and given to `then(upload, file, row)`, which may answer
// with the address where its result will be.
export function dropZone(then) {
  const zone = document.querySelector("[data-drop]");
  if (!zone) return; // not for who is signed in
  const input = zone.querySelector("input");
  const list = document.getElementById("uploads");
  const { purpose } = zone.dataset;
  const waiting = new Map();
  let busy = 0;

  for (const [name, upload] of unfinished(purpose)) {
    const row = line(list, upload.name);
    row.note.textContent = t("멈춘 업로드: 같은 파일을 다시 고르면 이어서 올립니다.", "Interrupted: choose the same file again to go on.");
    const drop = Object.assign(document.createElement("button"), { textContent: t("지우기", "Discard"), className: "quiet" });
    drop.addEventListener("click", () => {
      localStorage.removeItem(name);
      row.item.remove();
    });
    row.item.append(drop);
    waiting.set(name, row);
    standing(upload).then((known) => {
      if (!["open", "completed"].includes(known?.state)) drop.click(); // swept
      else if (known.state === "completed") row.progress(upload.size, upload.size);
      else if (upload.method === "multipart") row.progress(Math.min(upload.size, known.parts.length * upload.part_size), upload.size);
    }, () => {}); // nobody answers now: it may be there
  }

  async function take(file) {
    waiting.get(nameOf(purpose, file))?.item.remove();
    const row = line(list, file.name);
    let result;
    busy++;
    try {
      const upload = await send(file, purpose, (sent) => row.progress(sent, file.size));
      row.progress(file.size, file.size);
      result = await then(upload, file, row);
      forget(file, purpose);
    } catch (error) {
      row.note.textContent = error.message;
      row.note.className = "why";
      say(error.message, true);
    }
    busy--;
    if (!result) return;
    if (!busy) return location.assign(result); // nothing would be lost, so nobody is asked
    const link = Object.assign(document.createElement("a"), { href: result, textContent: t("결과 보기", "Look at it") });
    row.note.replaceChildren(link); // other files are still on their way
  }

  const all = (files) => [...files].forEach(take);
  input.addEventListener("change", () => {
    all(input.files);
    input.value = "";
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", kind.startsWith("drage") || kind === "dragover");
      if (kind === "drop") all(event.dataTransfer.files);
    });
  }
  addEventListener("beforeunload", (event) => busy && event.preventDefault());
}
