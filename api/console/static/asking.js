// Asking the API. What a POST wishes is done once however often it is sent: its Idempotency-Key is kept until an
// answer says what became of it, over a reload too.
import { korean, t } from "./language.js";
import { PROBLEMS } from "./problems.js";

const NAME = "wish:";
const KEPT = 7 * 86_400_000; // an answer that has not come by then is not waited for
const SECONDS = 60; // longer than the API takes for anything

for (const [name, text] of Object.entries(localStorage)) {
  if (name.startsWith(NAME) && JSON.parse(text).at < Date.now() - KEPT) localStorage.removeItem(name);
}

// `message` is in the page's language, by the code of the problem; status 0: no answer came.
export class Failed extends Error {
  constructor(status, body) {
    super(sentence(status, body?.code));
    this.status = status;
    this.code = body?.code;
    this.fields = body?.fields; // of a form: the code of what is wrong with each
    this.students = body?.students; // of attendance: whose was changed, and how it stands now
    if (this.code === "internal" && body.request_id) this.message += ` (${body.request_id})`;
  }

  // Whether what was asked may have been done all the same: nobody has said that it was not.
  get open() {
    return this.status === 0 || this.status >= 500 || this.code === "in_progress";
  }
}

function sentence(status, code) {
  const both = PROBLEMS[code] ?? PROBLEMS[status === 0 ? "no_answer" : status >= 500 ? "unavailable" : "error"];
  return both[korean ? 0 : 1];
}

// Where the key of a wish is kept. A form is one wish whatever is written in it; other posts are told apart by
// what they ask. Nothing of it can be read there.
async function placeOf(path, body, tenant, wish) {
  const text = JSON.stringify([document.documentElement.dataset.who, tenant ?? null, wish ?? [path, body]]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return NAME + [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Whether a form was sent and no answer has come yet.
export async function isOpen(wish, tenant) {
  return localStorage.getItem(await placeOf(null, null, tenant, wish)) !== null;
}

// The API's answer to a request; throws Failed. Without a valid sign-in the login page comes up. `wish` names a form
// whose content may change between two tries. A PATCH, PUT or DELETE twice is the same as once, and needs no key.
export async function ask(path, body, { tenant, wish, method } = {}) {
  const options = { method: method ?? (body === undefined ? "GET" : "POST"), headers: {}, signal: AbortSignal.timeout(1000 * SECONDS) };
  if (tenant) options.headers["X-Tenant-Id"] = tenant; // operators say for whom they act
  if (body === undefined) return answered(path, options);
  options.headers["Content-Type"] = "application/json";
  options.body = JSON.stringify(body);
  if (options.method !== "POST") return answered(path, options);
  const place = await placeOf(path, body, tenant, wish);
  const { key } = JSON.parse(localStorage.getItem(place)) ?? { key: crypto.randomUUID() };
  localStorage.setItem(place, JSON.stringify({ key, at: Date.now() }));
  options.headers["Idempotency-Key"] = key;
  try {
    const answer = await answered(path, options);
    localStorage.removeItem(place);
    return answer;
  } catch (error) {
    if (!error.open) localStorage.removeItem(place);
    throw error;
  }
}

async function answered(path, options) {
  let answer, value;
  try {
    answer = await fetch(path, options);
    const kind = answer.headers.get("content-type") || "";
    value = kind.includes("json") && answer.status !== 204 ? await answer.json() : null;
  } catch {
    throw new Failed(0);
  }
  if (answer.status === 401 && (value?.code ?? "not_authenticated") === "not_authenticated") {
    location.assign(`/console/login?next=${encodeURIComponent(location.pathname)}`);
  }
  if (value?.code === "sign_in_again") {
    window.open("/console/login?again=true", "_blank", "noopener"); // what was written here stays
  }
  if (!answer.ok) throw new Failed(answer.status, value);
  return value;
}
