// Writing a message: bytes as one types, then what each recipient would get, as the server composes it.
import { ask, Failed, korean, say, t } from "./console.js";
import { send as upload } from "./upload.js";

const form = document.getElementById("compose");
const field = (id) => document.getElementById(id);
const number = new Intl.NumberFormat(korean ? "ko-KR" : "en-GB");
let image = null; // the key of the uploaded picture
let asked = 0;
let timer;

const mode = () => form.elements.mode.value;

// Bytes of cp949: one for ASCII, two for the rest. The server's count, with all its replacements, follows.
const bytes = (text) => [...text].reduce((sum, letter) => sum + (letter.codePointAt(0) < 128 ? 1 : 2), 0);

function draft() {
  const at = field("at").value;
  const value = {
    mode: mode(),
    text: field("text").value,
    subject: field("subject").value || null,
    sender: field("sender").value || null,
    advertising: field("advertising").checked,
    image_key: image,
    template_id: mode() === "sms" ? null : field("template").value || null,
    send_at: at ? `${at}:00+09:00` : null, // the academy's clock
  };
  return Object.fromEntries(Object.entries(value).filter(([, given]) => given !== null && given !== false));
}

function recipients() {
  const names = [...new Set([...`${field("text").value}${field("subject").value}`.matchAll(/#\{([^{}]*)\}/g)].map((found) => found[1]))];
  return field("people").value.split("\n").filter((each) => each.trim()).map((each, index) => {
    const [to, ...values] = each.split(",").map((part) => part.trim());
    const pairs = names.slice(0, values.length).map((name, place) => [name, values[place]]);
    return { id: `line-${index + 1}`, to, variables: Object.fromEntries(pairs) };
  });
}

function bubble(each) {
  const item = Object.assign(document.createElement("li"), { className: each.error ? "bubble wrong" : "bubble" });
  const head = document.createElement("header");
  const add = (tag, text, className = "") => head.append(Object.assign(document.createElement(tag), { textContent: text, className }));
  add("b", each.error ? `${t("줄", "Line")} ${each.position}` : each.phone);
  if (!each.error) {
    add("span", each.fallback ? `${each.channel} → ${each.fallback}` : each.channel, "badge busy");
    add("span", `${each.length} ${each.unit === "bytes" ? t("바이트", "bytes") : t("자", "characters")}`);
    add("span", `${number.format(each.price)}${t("원", " won")}`);
  }
  const text = document.createElement("p");
  const where = each.detail?.character || each.detail?.variable;
  text.textContent = each.error ? `${each.error}${where ? ` (${where})` : ""}` : [each.subject, each.text].filter(Boolean).join("\n\n");
  item.append(head, text);
  return item;
}

async function preview() {
  const mine = ++asked;
  const people = recipients();
  const ready = people.length && (field("text").value.trim() || mode() === "alimtalk");
  field("send").disabled = true;
  if (!ready) {
    field("bubbles").replaceChildren();
    field("total").textContent = "0";
    field("about").textContent = "";
    return;
  }
  let answer;
  try {
    answer = await ask("/console/messages/preview", { draft: draft(), recipients: people });
  } catch (error) {
    if (mine === asked) field("about").textContent = error.message;
    return;
  }
  if (mine !== asked) return; // a later keystroke has asked again
  field("bubbles").replaceChildren(...answer.recipients.map(bubble));
  field("total").textContent = number.format(answer.total);
  const short = answer.total > answer.balance ? ` · ${t("잔액이 부족합니다", "more than the credit")}` : "";
  const wrong = answer.wrong ? ` · ${t("보낼 수 없음", "cannot be sent")} ${answer.wrong}` : "";
  field("about").textContent = `${number.format(answer.count)}${t("명", " recipients")}${wrong}${short}`;
  const first = answer.recipients.find((each) => !each.error);
  if (first) count(first.length, first.channel, first.unit);
  field("send").disabled = answer.wrong > 0;
}

function count(length, channel, unit) {
  const limit = unit === "characters" ? form.dataset.characters : channel === "SMS" ? form.dataset.sms : form.dataset.lms;
  field("bytes").textContent = number.format(length);
  field("limit").textContent = number.format(limit);
  field("unit").textContent = unit === "characters" ? t("자", "characters") : t("바이트", "bytes");
  field("type").textContent = channel === "ATA" ? t("알림톡", "Alimtalk") : channel;
}

function typed() {
  const length = bytes(field("text").value);
  const sms = length <= form.dataset.sms && !field("subject").value;
  count(length, mode() === "alimtalk" ? "ATA" : image ? "MMS" : sms ? "SMS" : "LMS", "bytes");
  field("template-part").hidden = mode() === "sms";
  field("text").required = mode() !== "alimtalk";
  clearTimeout(timer);
  timer = setTimeout(preview, 250);
}

if (form) {
  form.addEventListener("input", typed);
  field("image").addEventListener("change", async () => {
    const [file] = field("image").files;
    image = null;
    if (file) {
      try {
        image = (await upload(file, "image", () => {})).file_key;
        say(t("사진을 올렸습니다.", "The picture is uploaded."));
      } catch (error) {
        say(error.message, true);
      }
    }
    typed();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    field("send").disabled = true;
    try {
      const payload = { draft: draft(), recipients: recipients() };
      const job = await ask("/api/v1/jobs", { job_type: "messages.send", payload });
      location.assign(`/console/messages/${job.job_id}`);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      say(error.message, true);
      field("send").disabled = false;
    }
  });
}
