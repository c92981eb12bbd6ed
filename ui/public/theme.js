// Runs before the first paint, so that no page flashes in the other theme.
(() => {
  let chosen = {};
  try {
    chosen = JSON.parse(localStorage.getItem("weft.preferences") ?? "{}");
  } catch {}
  const theme = chosen.theme ?? "system";
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.documentElement.dataset.contrast = chosen.contrast ?? "system";
})();
