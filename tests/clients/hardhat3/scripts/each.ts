/// Prints `passed NAME` or `failed NAME: why` for each thing that a project does.
export async function each(tasks: Record<string, () => Promise<unknown>>) {
  for (const [name, action] of Object.entries(tasks)) {
    const line = await action().then(
      () => `passed ${name}`,
      (error) => `failed ${name}: ${error.message}`.replace(/\s+/g, " ").slice(0, 400),
    );
    console.log(line);
  }
}

export function check(truth: unknown, message: string): asserts truth {
  if (!truth) throw new Error(message);
}

/// The error that an action must end with.
export async function rejects(action: () => Promise<unknown>): Promise<any> {
  const error = await action().then(
    () => null,
    (refused) => refused,
  );
  check(error, "no error");
  return error;
}
