import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { catalogue } from './fixtures/catalogue.ts'
import { loadConfig } from './load.ts'
import { resolveSecret } from './secret.ts'

const dir = mkdtempSync(join(tmpdir(), 'secret-'))
const file = (name: string, text: string | Buffer): string => {
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}

afterEach(() => vi.unstubAllEnvs())

test('a secret is read from the environment or from a file of one line', async () => {
  vi.stubEnv('DOOR_PASSWORD', ' swordfish\n')
  expect(await resolveSecret({ env: 'DOOR_PASSWORD' })).toBe('swordfish')
  expect(await resolveSecret({ file: file('one', 'swordfish\n') })).toBe('swordfish')
})

test.each([
  ['is not there', { file: join(dir, 'nowhere') }, 'no such file'],
  ['is empty', { file: file('empty', '\n') }, 'empty'],
  ['has two lines', { file: file('two', 'swordfish\ntrout') }, 'more than one line'],
  ['is too large', { file: file('large', 'x'.repeat(5_000)) }, 'larger than 4096 bytes'],
  ['is a directory', { file: dir }, 'EISDIR'],
  ['is not set', { env: 'NO_SUCH_SECRET' }, 'NO_SUCH_SECRET is not set'],
])('a secret that %s is missing, and its text is never repeated', async (_what, ref, words) => {
  const error = await resolveSecret(ref).then(
    () => null,
    (reason) => reason,
  )
  expect(error).toMatchObject({ code: 'SECRET_MISSING' })
  expect(error.message).toContain(words)
  expect(error.message).not.toMatch(/swordfish|trout/)
})

test('a config whose secrets are elsewhere is good, with advice where each is used', async () => {
  const good = new URL('./fixtures/good.yaml', import.meta.url).pathname
  vi.stubEnv('CAMERA_PASSWORD', 'swordfish')
  const { site, findings } = await loadConfig(good, catalogue)
  expect(site).not.toBeNull()
  const secrets = findings.filter(({ message }) => message.endsWith('(on this machine)'))
  expect(secrets).toMatchObject([{ file: good, line: 40, column: 5, fatal: false }])
})

test('a file that can not be read is a finding', async () => {
  for (const [path, words] of [
    [join(dir, 'nowhere.yaml'), 'no such file'],
    [dir, "can't be read"],
    [file('latin.yaml', Buffer.from('site: { name: M\xfcnster }', 'latin1')), 'not UTF-8'],
    [file('huge.yaml', 'x'.repeat(6 * 1024 * 1024)), 'larger than 5 MB'],
  ] as const) {
    const { site, findings } = await loadConfig(path, catalogue)
    expect(site).toBeNull()
    expect(findings).toMatchObject([{ file: path, line: 1, column: 1, fatal: true }])
    expect(findings[0]!.message).toContain(words)
  }
})
