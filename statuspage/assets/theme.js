// Sets the theme before the page is drawn, so that it does not flash.
(() => {
  let saved = null;
  try { saved = localStorage.getItem("gwyh-theme"); } catch { /* storage may be forbidden */ }
  if (saved === "light" || saved === "dark") document.documentElement.dataset.theme = saved;
})();
