// Writing a message: bytes as one types, then what each recipient would get, as the server composes it; what is wrong
// stands at its field. What is sent is asked for once more, held for ten seconds, and sent once.
import { ask, Failed, isOpen, korean, say, t } from "./console.js";
import { agreed } from "./sure.js";
import { forget, send as upload } from "./upload.js";

const WISH = { wish: "message" };
const WRITTEN = "message"; // what was sent and not answered, for a reload: gone with the answer, and with the tab
const FIELDS = ["template", "sender", "subject", "text", "people", "at"];
const form = document.getElementById("compose");
const field = (id) => document.getElementById(id);
const number = new Intl.NumberFormat(korean ? "ko-KR" : "en-GB");
const won = (amount) => `${number.format(amount)}${t("원", " won")}`;
let image = null; // the key of the uploaded picture
let asked = 0;
let timer;

const mode = () => form.elements.mode.value;
const mailed = () => mode() === "email";
const kakao = () => ["alimtalk", "both"].includes(mode());
const names = { ATA: t("알림톡", "Alimtalk"), EML: t("이메일", "E-mail") };

// Bytes of cp949: one for ASCII, two for the rest. The server's count, with all its replacements, follows.
const bytes = (text) => [...text].reduce((sum, letter) => sum + (letter.codePointAt(0) < 128 ? 1 : 2), 0);

const seoul = (text) => `${text}:00+09:00`; // the academy's clock

function draft() {
  const at = field("at").value;
  const value = {
    mode: mode(),
    text: field("text").value,
    subject: field("subject").value || null,
    sender: mailed() ? null : field("sender").value || null,
    advertising: !mailed() && field("advertising").checked,
    one_per_phone: field("together").checked,
    image_key: mailed() ? null : image,
    template_id: kakao() ? field("template").value || null : null,
    send_at: at ? seoul(at) : null,
  };
  return Object.fromEntries(Object.entries(value).filter(([, given]) => given !== null && given !== false));
}

const variables = () => [...new Set([...`${field("text").value}${field("subject").value}`.matchAll(/#\{([^{}]*)\}/g)].map((found) => found[1]))];

function recipients() {
  const names = variables();
  return field("people").value.split("\n").filter((each) => each.trim()).map((each, index) => {
    const [to, ...values] = each.split(",").map((part) => part.trim());
    const pairs = names.slice(0, values.length).map((name, place) => [name, values[place]]);
    return { id: `line-${index + 1}`, to, variables: Object.fromEntries(pairs) };
  });
}

// A class or a student of the academy, or null where recipients are written here.
function students() {
  const [kind, id] = field("whom").value.split(":");
  if (!kind || mailed()) return null; // no student's e-mail address is known
  const of = kind === "class" ? { class_id: id } : { student_ids: [Number(id)] };
  return { ...of, to: form.elements.to.value };
}

const whom = () => (students() ? { students: students() } : { recipients: recipients() });

const make = (tag, text, className = "") => Object.assign(document.createElement(tag), { textContent: text, className });

function bubble(each) {
  const item = make("li", "", "bubble");
  const head = document.createElement("header");
  const channel = names[each.channel] ?? each.channel;
  head.append(
    make("b", each.phone),
    make("span", each.fallback ? `${channel} → ${each.fallback}` : channel, "badge busy"),
    make("span", `${each.length} ${each.unit === "bytes" ? t("바이트", "bytes") : t("자", "characters")}`),
    make("span", won(each.price)),
  );
  item.append(head, make("p", [each.subject, each.text].filter(Boolean).join("\n\n")));
  return item;
}

// "All 30 recipients: …", "Lines 2, 5 and 3 more: …": one sentence for all that it holds for.
function sentence({ error, about, lines, count }, people) {
  const shown = lines.slice(0, 5).join(", ");
  const more = count - Math.min(5, lines.length);
  const others = more ? t(` 외 ${more}줄`, ` and ${more} more`) : "";
  const where = count === people && people > 1 ? t(`${people}명 모두`, `All ${people} recipients`) : t(`${shown}번 줄${others}`, `Line ${shown}${others}`);
  return `${count ? `${where}: ` : ""}${error}${about ? ` (${about})` : ""}`;
}

// What is wrong stands below its field, which says so to screen readers too.
function mark(troubles, people) {
  for (const id of FIELDS) {
    const wrong = troubles.filter((each) => each.field === id);
    const place = field(`${id}-wrong`);
    place.replaceChildren(...wrong.map((each) => make("span", sentence(each, people))));
    const at = id === "people" && students() ? field("whom") : field(id);
    if (wrong.length) at.setAttribute("aria-invalid", "true");
    else at.removeAttribute("aria-invalid");
  }
}

// Why it cannot be sent, or nothing; in one region that screen readers follow.
function off(why) {
  field("send").disabled = Boolean(why);
  if (field("why-off").textContent !== why) field("why-off").textContent = why;
}

function tell(total, about) {
  field("total").textContent = number.format(total);
  field("about").textContent = about;
}

// Whether a time that was written has passed; the server looks once more.
const isPast = () => field("at").value && Date.parse(seoul(field("at").value)) < Date.now();

async function preview() {
  const mine = ++asked;
  const people = recipients();
  const missing = [
    mode() !== "alimtalk" && !field("text").value.trim() && t("내용", "the text"),
    mailed() && !field("subject").value.trim() && t("제목", "the subject"),
    !people.length && !students() && t("받는 사람", "recipients"),
  ].filter(Boolean);
  if (missing.length) {
    field("bubbles").replaceChildren();
    tell(0, "");
    mark([], 0);
    off(t(`${missing.join("과 ")}을 적으면 보낼 수 있습니다.`, `It can be sent once you have written ${missing.join(" and ")}.`));
    return null;
  }
  off(t("확인하고 있습니다.", "Looking at it."));
  let answer;
  try {
    answer = await ask("/console/messages/preview", { draft: draft(), ...whom() });
  } catch (error) {
    if (mine === asked) off(error.message);
    return null;
  }
  if (mine !== asked) return null; // a later keystroke has asked again
  if (!answer.count) {
    tell(0, "");
    mark([], 0);
    field("bubbles").replaceChildren();
    off(t("이 번호가 있는 학생이 없습니다.", "Nobody there has such a phone."));
    return null;
  }
  const { troubles, recipients: shown, count: all, wrong, total, balance, saving } = answer;
  mark(troubles, all);
  field("bubbles").replaceChildren(
    ...troubles.filter((each) => !FIELDS.includes(each.field)).map((each) => make("li", sentence(each, all), "bubble wrong")),
    ...shown.map(bubble),
  );
  const said = [t(`${number.format(all)}명`, all === 1 ? "1 recipient" : `${number.format(all)} recipients`)];
  if (!wrong && answer.messages < all) said.push(t(`${number.format(answer.messages)}통`, `${number.format(answer.messages)} messages`));
  if (answer.as_text) said.push(t(`알림톡 대신 문자로 나갑니다: ${answer.as_text}`, `It goes as a text message, not as Alimtalk: ${answer.as_text}`));
  if (wrong) said.push(t(`보낼 수 없음 ${wrong}명`, `${wrong} cannot be sent`));
  if (total > balance) said.push(t(`잔액이 ${won(total - balance)} 모자랍니다. 충전한 뒤에 나갑니다`, `${won(total - balance)} more than the credit: it waits until that is charged`));
  if (answer.approval) said.push(t("다른 사람이 승인한 뒤에 나갑니다", "it waits for somebody else to approve it"));
  if (saving) said.push(t(`${saving.bytes}바이트 줄이면 SMS, ${won(saving.total)}`, `${saving.bytes} bytes less and it is SMS, ${won(saving.total)}`));
  tell(total, said.join(" · "));
  if (shown.length) count(shown[0].length, shown[0].channel, shown[0].unit);
  off(troubles.length ? t("표시한 곳을 고치면 보낼 수 있습니다.", "It can be sent once what is marked is mended.") : "");
  return troubles.length ? null : answer;
}

function count(length, channel, unit) {
  const limit = channel === "EML" ? form.dataset.email : unit === "characters" ? form.dataset.characters : channel === "SMS" ? form.dataset.sms : form.dataset.lms;
  field("bytes").textContent = number.format(length);
  field("limit").textContent = number.format(limit);
  field("unit").textContent = unit === "characters" ? t("자", "characters") : t("바이트", "bytes");
  field("type").textContent = names[channel] ?? channel;
}

function typed() {
  const length = mailed() ? [...field("text").value].length : bytes(field("text").value);
  const sms = length <= form.dataset.sms && !field("subject").value;
  if (mailed()) count(length, "EML", "characters");
  else count(length, mode() === "alimtalk" ? "ATA" : image ? "MMS" : sms ? "SMS" : "LMS", "bytes");
  field("template-part").hidden = !kakao();
  for (const id of ["sender-part", "image-part", "advertising-part", "whom-part"]) field(id).hidden = mailed();
  const written = !students();
  for (const id of ["to-part", "whom-hint"]) field(id).hidden = written;
  for (const each of [field("people"), field("people-hint"), form.querySelector("label[for=people]")]) each.hidden = !written;
  field("text").required = mode() !== "alimtalk";
  clearTimeout(timer);
  if (isPast()) {
    asked++; // what is on its way is of before
    mark([{ field: "at", error: t("이미 지난 시각입니다.", "This time has passed."), count: 0, lines: [] }], 0);
    off(t("표시한 곳을 고치면 보낼 수 있습니다.", "It can be sent once what is marked is mended."));
    return;
  }
  field("send").disabled = true;
  timer = setTimeout(preview, 250);
}

// What somebody agrees to: how many, at most how much, when, by what and from where.
function facts(answer) {
  const at = field("at").value && new Date(seoul(field("at").value));
  const day = { timeZone: "Asia/Seoul", dateStyle: "full", timeStyle: "short" };
  return [
    [t("받는 사람", "Recipients"), t(`${number.format(answer.count)}명`, number.format(answer.count))],
    [t("요금", "Price"), t(`최대 ${won(answer.total)} (잔액 ${won(answer.balance)})`, `at most ${won(answer.total)} (credit ${won(answer.balance)})`)],
    [t("보내는 시각", "When"), at ? t(`${at.toLocaleString("ko-KR", day)} 예약`, `${at.toLocaleString("en-GB", day)}, Korean time`) : t("지금 바로", "Now")],
    ...(answer.approval ? [[t("승인", "Approval"), t("다른 사람이 승인해야 나갑니다", "Somebody else must approve it first")]] : []),
    [t("종류", "Type"), Object.entries(answer.channels).map(([channel, many]) => `${names[channel] ?? channel} ${number.format(many)}`).join(", ")],
    ...(mailed() ? [] : [[t("발신번호", "From"), field("sender").value]]),
  ];
}

async function submit() {
  const answer = isPast() ? typed() : await preview();
  if (!answer) return field("send").disabled || say(t("다시 확인해 주세요.", "Look at it once more."), true);
  const hold = field("at").value ? 0 : 10; // what is scheduled can be cancelled until then
  if (!(await agreed(facts(answer), hold))) return;
  field("send").disabled = true;
  const written = { who: document.documentElement.dataset.who, image, mode: mode(), advertising: field("advertising").checked, together: field("together").checked, whom: field("whom").value, to: form.elements.to.value };
  for (const id of FIELDS) written[id] = field(id).value;
  sessionStorage.setItem(WRITTEN, JSON.stringify(written));
  try {
    const asking = { draft: draft(), ...whom() };
    const job = students()
      ? await ask("/api/v1/messages/", asking, WISH)
      : await ask("/api/v1/jobs", { job_type: "messages.send", payload: asking }, WISH);
    sessionStorage.removeItem(WRITTEN);
    location.assign(`/console/messages/${job.job_id}`);
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    if (!error.open) sessionStorage.removeItem(WRITTEN);
    off("");
    say(error.message, true);
  }
}

// To oneself, at once and with the first recipient's values: the same checks, price and way as for all.
async function tryOut() {
  // Students' values are with the server: a test to oneself has the variables' names.
  const named = { variables: Object.fromEntries(variables().map((name) => [name, name])) };
  const [first] = students() ? [named] : recipients();
  field("try").disabled = true;
  const test = { draft: { ...draft(), send_at: undefined, at_once: true }, recipients: [{ ...first, id: "test", to: field("mine").value.trim() }] };
  try {
    const { troubles } = await ask("/console/messages/preview", test);
    if (troubles.length) return say(sentence({ ...troubles[0], count: 0 }, 1), true);
    await ask("/api/v1/jobs", { job_type: "messages.send", payload: test }, { wish: "message-test" });
    say(mailed() ? t("시험 메일을 보냈습니다. 받은 편지함을 확인해 주세요.", "The test is on its way to your mailbox.") : t("시험 문자를 보냈습니다. 휴대전화를 확인해 주세요.", "The test is on its way to your phone."));
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    say(error.message, true);
  } finally {
    field("try").disabled = false;
  }
}

// A stored text goes into the form, where it may be changed; what is sent is what stands there.
async function choose() {
  const name = field("stored").value;
  if (!name) return;
  try {
    const { text, subject } = await ask(`/api/v1/message-templates/${encodeURIComponent(name)}`);
    field("text").value = text;
    field("subject").value = subject ?? "";
    typed();
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    say(error.message, true);
  }
}

// After a reload without an answer: what was written is there again, and sending it is the same request.
async function again() {
  const written = JSON.parse(sessionStorage.getItem(WRITTEN));
  const open = await isOpen(WISH.wish);
  if (!open || written?.who !== document.documentElement.dataset.who) sessionStorage.removeItem(WRITTEN);
  field("unanswered").hidden = !open;
  if (!open || !sessionStorage.getItem(WRITTEN)) return;
  for (const id of FIELDS) field(id).value = written[id];
  form.elements.mode.value = written.mode;
  field("advertising").checked = written.advertising;
  field("together").checked = written.together;
  field("whom").value = written.whom;
  form.elements.to.value = written.to;
  image = written.image;
}

if (form) {
  form.addEventListener("input", typed);
  field("image").addEventListener("change", async () => {
    const [file] = field("image").files;
    image = null;
    if (file) {
      try {
        image = (await upload(file, "image", () => {})).file_key;
        forget(file, "image");
        say(t("사진을 올렸습니다.", "The picture is uploaded."));
      } catch (error) {
        say(error.message, true);
      }
    }
    typed();
  });
  field("stored")?.addEventListener("change", choose);
  field("try").addEventListener("click", tryOut);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  await again();
  if (field("stored")?.value && !field("text").value) await choose();
  typed();
}
