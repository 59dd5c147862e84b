/** Resolves when `end`, called at the first signal, is done; a second signal exits at once. */
export const onSignals = (end: () => Promise<void>): Promise<void> =>
  new Promise((resolve, reject) => {
    let ending = false
    const signalled = (signal: NodeJS.Signals) => {
      if (ending) process.exit(signal === 'SIGINT' ? 130 : 143)
      ending = true
      end().then(resolve, reject)
    }
    process.on('SIGTERM', signalled)
    process.on('SIGINT', signalled)
  })
