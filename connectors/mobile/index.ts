import { z } from 'zod'
import { defineConnector } from '../../core/connector.ts'

const Config = z.strictObject({})

const Input = z.strictObject({
  id: z.string().min(1).max(60).describe('Number of the phone in your inventory: each device has its own.'),
})

/** Phones press over the bridge's own API, each with the token of its device; so there is no wire of this connector's own. */
export default defineConnector({
  type: 'mobile',
  summary: 'Phones and tablets that press over the HTTP API, each with a token of its own.',
  module: import.meta.url,
  contract: 1,
  source: 'mobile',
  config: Config,
  input: Input,
  staleAfterMs: () => null,
  open: async () => ({ acts: {}, close: async () => {} }),
})
