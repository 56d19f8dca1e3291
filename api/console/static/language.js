// In which language the page is.
export const korean = document.documentElement.lang === "ko";
export const t = (ko, en) => (korean ? ko : en);
