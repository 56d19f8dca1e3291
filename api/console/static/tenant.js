// An academy's account and credit. Of the account only what differs is sent: what others changed meanwhile stays.
import { ask, Failed, say, t } from "./console.js";

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    say(error.message, true);
  }
}

const before = (each) => (each.type === "checkbox" ? each.defaultChecked : each.defaultValue);
const now = (each) => (each.type === "checkbox" ? each.checked : each.value);

function meant(each) {
  if (each.type === "checkbox") return each.checked;
  if (each.dataset.list !== undefined) return each.value.split(/[\s,]+/).filter(Boolean).map((one) => one.replace(/-/g, ""));
  const value = each.value.trim();
  if (value === "") return null;
  return each.name.startsWith("price_") || each.type !== "number" ? value : Number(value);
}

function changed(form) {
  const fields = [...form.elements].filter((each) => each.name);
  const isNew = form.dataset.new !== undefined;
  const some = fields.filter((each) => now(each) !== before(each) || (isNew && each.type === "checkbox"));
  return Object.fromEntries(some.map((each) => [each.name, meant(each)]));
}

document.getElementById("set-account")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const given = changed(form);
  if (!Object.keys(given).length) return say(t("바꾼 것이 없습니다.", "Nothing was changed."));
  attempt(async () => {
    await ask(form.dataset.at, given, { method: "PATCH" });
    location.reload();
  });
});

document.getElementById("add-credit")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const { amount, reference } = form.elements;
  const won = Number(amount.value).toLocaleString();
  if (!confirm(t(`${won}원을 더할까요?`, `Add ${won} won?`))) return;
  attempt(async () => {
    const done = await ask(form.dataset.at, { amount: amount.value, reference: reference.value.trim() });
    if (!done.counted) return say(t("이 이름의 입금은 이미 더했습니다.", "A payment of this name was counted before."), true);
    location.reload();
  });
});
