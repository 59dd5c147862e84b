import type { Timer } from '../../../core/clock.ts'
import type { Context } from '../../../core/connector.ts'
import type { Caller, Conversation } from '../../../core/intake/callers.ts'
import { LineReader, reply } from '../codec.ts'
import type { Session } from './session.ts'

/** Lines of one caller that may wait for the one before: a long text, not a flood. */
const waitingMax = 4_096

/** Reads a caller's lines and answers them, one after the other. */
export const talk = (
  caller: Caller,
  session: Session,
  idleMs: number,
  ctx: Pick<Context, 'clock' | 'heard'>,
): Conversation => {
  const lines = new LineReader()
  const waiting: string[] = []
  let busy = false
  let gone = false
  const leave = (text: string) => {
    caller.write(text)
    gone = true
    waiting.length = 0
    caller.end()
  }
  const late = () => leave(reply(421, 'Timeout, Goodbye'))
  // Counted from the last whole line: a byte now and then is not talk.
  let idle: Timer = ctx.clock.after(idleMs, late)
  const work = async () => {
    busy = true
    for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) {
      const { text, end } = await session.take(line)
      if (gone) break
      // We ourselves are no proof that a sender lives.
      if (!caller.own) ctx.heard()
      idle.cancel()
      if (end) leave(text)
      else {
        if (text !== '') caller.write(text)
        idle = ctx.clock.after(idleMs, late)
      }
    }
    busy = false
  }
  caller.write(reply(220, 'SNPP Gateway Ready'))
  return {
    hear: (bytes) => {
      if (gone) return
      try {
        waiting.push(...lines.feed(bytes))
      } catch {
        leave(reply(421, 'Line Too Long, Goodbye'))
        return
      }
      if (waiting.length > waitingMax) leave(reply(421, 'Too Many Commands, Goodbye'))
      else if (!busy) void work()
    },
    over: () => {
      gone = true
      idle.cancel()
      waiting.length = 0
    },
  }
}
