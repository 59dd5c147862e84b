import { z } from 'zod'
import { capability } from '../../../core/capability.ts'
import { type Connector, defineConnector, SecretRef } from '../../../core/connector.ts'

/** What a connector may do wrong; each is a mistake that somebody has made. */
export type Mistake =
  | 'takes unknown fields'
  | 'describes nothing'
  | 'leaks its socket'
  | 'closes for ever'
  | 'never gives up opening'
  | 'rejects with anything'
  | 'throws'
  | 'waits for ever'
  | 'calls the effect none'
  | 'acts though given up'
  | 'acts when closed'
  | 'tells the secret'
  | 'acknowledges first'
  | 'numbers presses anew'
  | 'takes every press for another'
  | 'lets a rejection go'

const ring = capability({
  name: 'bell.ring',
  summary: 'Rings the bell.',
  args: z.object({}),
  result: z.object({}),
  proof: 'answered',
  perceptible: 'sound',
  priority: 'rest',
  stateful: false,
  expiresAfterMs: 60_000,
})

export interface Config {
  readonly port: number
  readonly password: SecretRef
  readonly timeout: number
}

const fields = {
  port: z.int().describe('TCP port of the bell.'),
  password: SecretRef,
  timeout: z.int().default(250).describe('How long an answer may take, ms.'),
}

/** A bell with a button: lines of text over TCP, presses acknowledged by number. `mistake` makes it a bad one. */
export const bell = (mistake: Mistake | null): Connector =>
  defineConnector({
    type: 'bell',
    summary: 'Rings a bell and hears its button.',
    module: import.meta.url,
    contract: 1,
    config:
      mistake === 'takes unknown fields'
        ? z.object(fields)
        : mistake === 'describes nothing'
          ? z.strictObject({ ...fields, port: z.int() })
          : z.strictObject(fields),
    input: z.strictObject({ button: z.literal(1).describe('Number of the button.') }),
    output: z.strictObject({ bell: z.literal(1).describe('Number of the bell.') }),
    can: [ring],
    attemptMs: ({ timeout }) => timeout + 100,
    open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx, mistake),
  })

export default bell(null)
