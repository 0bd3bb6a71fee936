// Applies the chosen theme before anything is painted; app.js has the button.
try {
  document.documentElement.dataset.theme = JSON.parse(localStorage.getItem("theme")) ?? "system";
} catch {
  // Nothing is kept here: the system's theme.
}
