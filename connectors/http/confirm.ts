import { type Clock, deadline, sleep } from '../../core/clock.ts'
import { failed, type Outcome } from '../../core/command.ts'

/** Looks once: the outcome when the wanted state is there, else in words what is reported instead. */
export type Look = (signal: AbortSignal) => Promise<Outcome | string>

/** Looks every `every` ms until the wanted state is reported; after `within` ms, a look under way included, it is not. */
export const readBack = async (
  clock: Clock,
  { within, every }: { readonly within: number; readonly every: number },
  signal: AbortSignal,
  what: string,
  look: Look,
): Promise<Outcome> => {
  const until = clock.mono() + within
  const time = deadline(clock, within, signal)
  try {
    for (;;) {
      const found = await look(time.signal)
      if (typeof found !== 'string') return found
      if (time.signal.aborted || clock.mono() + every > until)
        return failed('UNCONFIRMED', `${what}: NOT confirmed: ${found}`, { effect: 'possible' })
      await sleep(clock, every, time.signal)
    }
  } finally {
    time.cancel()
  }
}
