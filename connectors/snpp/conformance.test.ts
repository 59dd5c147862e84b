import { test } from 'vitest'
import { startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { cases, message, type Stage } from '../conformance/kit.ts'
import snpp from './index.ts'

const password = 'Pa55-for+SNPP/%=x'

const start = async (): Promise<Stage> => {
  const pager = await startSnppPager({ pagers: ['5550100'], login: { id: 'bridge', password } })
  return {
    opening: (port) => ({
      config: {
        host: '127.0.0.1',
        port,
        login: { id: 'bridge', password: { env: 'PAGING_PASSWORD' } },
        timeout: '800ms',
      },
      outputs: { security: { id: '5550100' } },
    }),
    secrets: { PAGING_PASSWORD: password },
    peer: pager,
    trials: [
      {
        capability: 'page.send',
        output: 'security',
        args: { message },
        acts: () => pager.journal.count('page'),
        // Greeting, LOGI, PAGE, MESS.
        preSteps: 4,
        unknown: { output: { id: '5559999' } },
      },
    ],
    close: () => pager.close(),
  }
}

for (const { name, run } of await cases({ connector: snpp, start })) test(name, run)
