import { z } from 'zod'
import { doorHighlight } from '../../core/capability.ts'
import { done } from '../../core/command.ts'
import { defineConnector } from '../../core/connector.ts'

/** Built in: the screens of the bridge itself. The API shows highlighted doors from their receipts. */
export default defineConnector({
  type: 'console',
  summary: 'The screens of the bridge itself.',
  module: import.meta.url,
  contract: 1,
  config: z.strictObject({}),
  output: z.strictObject({}),
  can: [doorHighlight],
  open: async () => ({
    acts: { 'door.highlight': async () => done('sent') },
    close: async () => {},
  }),
})
