/** How a page tells the test that opened it what it saw, or what it threw. */
export async function answer(see: () => Promise<unknown>): Promise<void> {
  let posted: { readonly value?: unknown; readonly error?: string };
  try {
    posted = { value: await see() };
  } catch (error) {
    posted = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  await fetch("/answer", { method: "POST", body: JSON.stringify(posted) });
}
