import type { Press } from '../../core/fact.ts'
import { frameOf } from './frame.ts'

/** Marks remembered; core asks for one a minute. */
const marksMax = 100

/** The synthetic presses of this link: only a mark that it was asked to send makes a message one. */
export class Beats {
  readonly #marks = new Set<string>()

  /** The frame that carries a mark, as a panel would send a press. */
  frameOf(mark: string): Buffer {
    this.#marks.add(mark)
    for (const oldest of this.#marks) {
      if (this.#marks.size <= marksMax) break
      this.#marks.delete(oldest)
    }
    return frameOf(`"SIA-DCS"0001L0#BEA7[#BEA7|NPA0|A${Buffer.from(mark).toString('hex')}]`)
  }

  /** The press that a payload is, when it carries a mark of ours. */
  pressIn(payload: string): Press | null {
    const hex = /^NPA0\|A((?:[0-9a-f]{2})+)$/.exec(payload)?.[1]
    const mark = hex === undefined ? null : Buffer.from(hex, 'hex').toString()
    if (mark === null || !this.#marks.has(mark)) return null
    return {
      is: 'press',
      phase: 'active',
      device: null,
      from: 'heartbeat',
      key: `heartbeat ${mark}`,
      heartbeat: mark,
      raw: { account: 'BEA7', payload },
    }
  }
}
