// Every call of Solapi's Node SDK, against the address in SIMULATOR: a line of JSON for each, with what came.
import { SolapiMessageService } from "solapi";

const { SIMULATOR, KEY, SECRET, SENDER } = process.env;
const real = globalThis.fetch;
globalThis.fetch = (address, options) => real(String(address).replace("https://api.solapi.com", SIMULATOR), options);
const solapi = new SolapiMessageService(KEY, SECRET);
const message = { to: "01050000001", from: SENDER, text: "등원했습니다." };

async function call(name, ...given) {
  const line = { name, given: typeof given[0] === "object" ? (given[0].type ?? given[0].to) : undefined };
  try {
    line.answer = await solapi[name](...given);
  } catch (error) {
    line.error = error.constructor.name;
    line.message = String(error.message);
    line.codes = error.failedMessageList?.map((each) => each.statusCode);
  }
  console.log(JSON.stringify(line));
  return line.answer;
}

const { groupInfo } = await call("send", message);
await call("getGroup", groupInfo.groupId);
await call("getGroups");
await call("getGroupMessages", groupInfo.groupId);
await call("getMessages", { groupId: groupInfo.groupId });
await call("getBalance");
await call("getStatistics", { startDate: "2020-01-01", endDate: "2099-12-31" });
for (const name of ["getBlacks", "getBlockGroups", "getBlockNumbers"]) await call(name);

await call("getKakaoChannelCategories");
await call("requestKakaoChannelToken", { searchId: "@academy", phoneNumber: "01012345678" });
const channel = await call("createKakaoChannel", { searchId: "@academy", phoneNumber: "01012345678", categoryCode: "001", token: "123456" });
await call("getKakaoChannels");
await call("getKakaoChannel", channel.channelId);
await call("getKakaoAlimtalkTemplateCategories");
const written = { name: "등원", content: "#{이름} 등원", channelId: channel.channelId, categoryCode: "001001", messageType: "BA", emphasizeType: "NONE" };
const template = await call("createKakaoAlimtalkTemplate", written);
await call("updateKakaoAlimtalkTemplateName", template.templateId, "하원");
await call("updateKakaoAlimtalkTemplate", template.templateId, { content: "#{이름} 하원" });
await call("getKakaoAlimtalkTemplate", template.templateId);
await call("getKakaoAlimtalkTemplates");
await call("cancelInspectionKakaoAlimtalkTemplate", template.templateId);
await call("removeKakaoAlimtalkTemplate", template.templateId);
await call("removeKakaoChannel", channel.channelId);

const group = await call("createGroup");
const added = await call("addMessagesToGroup", group, [message, { ...message, to: "01050000002" }]);
await call("removeGroupMessages", group, [added.resultList[0].messageId]);
await call("sendGroup", group);
const later = await call("createGroup");
await call("addMessagesToGroup", later, message);
await call("reserveGroup", later, new Date(Date.now() + 3600e3));
await call("removeReservationToGroup", later);
await call("removeGroup", later);

for (const type of ["CTA", "BMS_FREE", "RCS_SMS", "VOICE"]) await call("send", { ...message, type });
for (const to of ["0601234567", "15881234", "0130123456", "050512345678"]) await call("send", { ...message, to });
