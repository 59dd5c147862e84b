/** Waits for real time; the kit watches from outside, so it reads no clock of the connector's. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Polls until `check` holds; rejects after `ms` with what was waited for. */
export const until = async (
  check: () => boolean,
  what: string | (() => string),
  ms = 5_000,
): Promise<void> => {
  const end = performance.now() + ms
  while (!check()) {
    if (performance.now() > end)
      throw new Error(`within ${ms} ms: ${typeof what === 'string' ? what : what()}`)
    await pause(5)
  }
}

/** The promise's result; rejects when it takes longer than `ms`. */
export const within = async <T>(ms: number, promise: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes longer than ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
