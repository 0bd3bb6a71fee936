// Chromium, and pages that note whatever they must not do.
"use strict";

const { execFileSync } = require("child_process");
const { chromium } = require("playwright-core");

function program() {
  if (process.env.CAIRN_CHROMIUM) return process.env.CAIRN_CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // The next one.
    }
  }
  throw new Error("there is no Chromium: install the package chromium, or set CAIRN_CHROMIUM");
}

const launch = () =>
  chromium.launch({
    executablePath: program(),
    args: ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info", "--js-flags=--expose-gc"],
  });

/// Opens a view. `faults` gathers violations of the policy, errors of scripts, requests to other places and dialogs.
/// `options` are those of a context, and `script`: a function that runs before the page's own.
async function open(browser, url, view = "", { script, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  await page.exposeFunction("noteViolation", (text) => faults.push(`policy: ${text}`));
  if (script) await page.addInitScript(script);
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.noteViolation(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A node that is being restarted refuses connections: the page tries again.
    if (message.type() === "error" && !/WebSocket|ERR_CONNECTION_REFUSED/.test(message.text()))
      faults.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  const own = new URL(url).origin;
  page.on("request", (request) => {
    const at = request.url();
    if (!at.startsWith(`${own}/`) && !at.startsWith("data:")) faults.push(`request: ${at}`);
  });
  await page.goto(`${url}/${view ? `#/${view}` : ""}`);
  await page.waitForFunction(() => document.querySelector("#connection")?.dataset.state === "open");
  return { page, context, faults, go: (to) => page.evaluate((hash) => (location.hash = `#/${hash}`), to) };
}

module.exports = { launch, open };
