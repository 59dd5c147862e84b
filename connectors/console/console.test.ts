import { expect, test } from 'vitest'
import { testContext } from '../../test/context.ts'
import bridge from './index.ts'

const none = new Map<string, never>()

test('a door is highlighted on the screens of the bridge, which moves nothing', async () => {
  const { ctx } = testContext()
  const link = await bridge.open(
    { name: 'console', config: {}, inputs: none, outputs: none, cursors: none },
    ctx,
  )
  const signal = new AbortController().signal
  expect(await link.acts['door.highlight']({ id: 'c', attempt: 1, address: {}, args: {}, signal })).toEqual({
    ok: true,
    proof: 'sent',
    result: {},
  })
  await link.close()
  await link.close()
})

test('it takes no fields', () => {
  expect(bridge.config.safeParse({ host: 'x' }).success).toBe(false)
})
