// A task is one thing that the page must do: it prints a line, and counts.
"use strict";

const TASK_TIME = Number(process.env.PAGE_TASK_TIME ?? 30_000);
const count = { passed: 0, failed: 0 };

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no result within ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/// Runs one; what it returns, if that is a text, is printed beside its name.
async function task(what, action, time = TASK_TIME) {
  try {
    const said = await within(time, action());
    count.passed += 1;
    console.log(`ok ${what}${typeof said === "string" ? `: ${said}` : ""}`);
  } catch (error) {
    count.failed += 1;
    console.log(`FAIL ${what}: ${`${error?.message ?? error}`.replace(/\s+/g, " ").slice(0, 600)}`);
  }
}

function check(truth, message) {
  if (!truth) throw new Error(message);
}

const equal = (got, expected, what) =>
  check(
    JSON.stringify(got) === JSON.stringify(expected),
    `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`,
  );

/// Waits until something holds.
async function until(condition, what, time = 10_000) {
  const end = Date.now() + time;
  for (;;) {
    const found = await condition();
    if (found) return found;
    check(Date.now() < end, `${what}: not within ${time / 1000} s`);
    await sleep(25);
  }
}

module.exports = { count, task, check, equal, until, sleep };
