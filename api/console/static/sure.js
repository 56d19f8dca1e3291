// Asks before something that costs money: what would be done, then some seconds in which it can be taken back.
import { t } from "./console.js";

const box = document.getElementById("sure");
const part = (id) => document.getElementById(`sure-${id}`);

// Whether somebody agreed to `facts` (pairs of a name and a value), and let `hold` seconds pass.
export async function agreed(facts, hold) {
  part("facts").replaceChildren(...facts.map(([name, value]) => {
    const pair = document.createElement("div");
    pair.append(
      Object.assign(document.createElement("dt"), { textContent: name }),
      Object.assign(document.createElement("dd"), { textContent: value }),
    );
    return pair;
  }));
  part("count").textContent = "";
  part("go").textContent = t("보내기", "Send");
  part("back").textContent = t("돌아가기", "Go back");
  box.returnValue = "";
  box.showModal();
  const yes = (await pressed()) && (!hold || (await counted(hold)));
  box.close();
  return yes;
}

// True for the button that goes on, false for the other one and for Esc.
function pressed(signal) {
  return new Promise((resolve) => {
    part("go").addEventListener("click", () => resolve(true), { once: true, signal });
    part("back").addEventListener("click", () => resolve(false), { once: true, signal });
    box.addEventListener("cancel", () => resolve(false), { once: true, signal });
  });
}

async function counted(seconds) {
  const until = Date.now() + 1000 * seconds;
  const left = () => Math.max(0, Math.ceil((until - Date.now()) / 1000));
  part("go").textContent = t("지금 보내기", "Send now");
  part("back").textContent = t("되돌리기", "Undo");
  part("back").focus();
  const show = () => (part("count").textContent = t(`${left()}초 뒤에 보냅니다. 그때까지 이 창을 열어 두세요.`, `It is sent in ${left()} s. Keep this window open until then.`));
  const stay = (event) => event.preventDefault(); // leaving now would send nothing
  const stop = new AbortController();
  addEventListener("beforeunload", stay, { signal: stop.signal });
  show();
  let timer;
  const over = new Promise((resolve) => {
    timer = setInterval(() => {
      show();
      if (!left()) resolve(true);
    }, 250);
  });
  const yes = await Promise.race([pressed(stop.signal), over]);
  clearInterval(timer);
  stop.abort();
  return yes;
}
