import { afterEach, expect, test, vi } from 'vitest'
import { startEngine } from '../engine.ts'
import { BACKEND } from './backend.ts'
import choose from './choose.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('a setting that is none of the three is refused', async () => {
  vi.stubEnv(BACKEND, 'podman')
  await expect(choose()).rejects.toThrow('containers, local or auto, not podman')
})

test.each(['containers', 'local', 'auto'])(
  '%s without redis-server fails with what installs it',
  async (wanted) => {
    vi.stubEnv(BACKEND, wanted)
    vi.stubEnv('PATH', '/nowhere')
    await expect(choose()).rejects.toThrow('apt-get install -y --no-install-recommends redis-server')
  },
)

test('an engine that is not there fails with what installs it', async () => {
  vi.stubEnv('PATH', '/nowhere')
  await expect(startEngine()).rejects.toThrow(/no container engine is running, and .*(docker\.io|root)/)
})
