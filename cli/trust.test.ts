import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type OpcuaServer, startOpcuaServer } from '../mocks/opcua-server/index.ts'
import { cleanUp, newDir, run } from './fixtures/program.ts'
import { siteText, writeSite } from './fixtures/site.ts'

let server: OpcuaServer
beforeAll(async () => {
  server = await startOpcuaServer()
})
afterAll(() => server.close())
afterEach(cleanUp)

/** A config with one OPC UA connector, and its trust folder. */
const site = (): { file: string; folder: string } => {
  const dir = newDir()
  const folder = join(dir, 'trusted')
  const plc = `  plc: { type: opcua, url: "${server.url}", security: { policy: Basic256Sha256 }, trust: "${folder}", pki: "${join(dir, 'own')}" }`
  return { file: writeSite(dir, siteText().replace(/^connectors:$/m, `connectors:\n${plc}`)), folder }
}

const shownBy = (stdout: string): string => /SHA-256 +([0-9A-F:]+)/.exec(stdout)?.[1] ?? ''

test('row 18: a certificate is shown, and trusted only once it is confirmed by its fingerprint', async () => {
  const { file, folder } = site()
  const first = await run('trust', 'plc', '--config', file)
  expect(first.code).toBe(1)
  expect(first.stdout).toContain('NOT trusted')
  const fingerprint = shownBy(first.stdout)
  expect(fingerprint).toMatch(/^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/)

  const wrong = await run('trust', 'plc', '--config', file, '--fingerprint', 'ab'.repeat(32))
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain('nothing is trusted')

  const right = await run('trust', 'plc', '--config', file, '--fingerprint', fingerprint)
  expect(right.code).toBe(0)
  expect(readdirSync(folder)).toEqual([`${fingerprint.replaceAll(':', '').toLowerCase()}.pem`])
  const again = await run('trust', 'plc', '--config', file)
  expect(again.stdout).toContain('trusted already')
  expect(again.code).toBe(0)
})

test('--yes trusts what is shown', async () => {
  const { file, folder } = site()
  const { code, stdout } = await run('trust', 'plc', '--config', file, '--yes', '--json')
  expect(code).toBe(0)
  const { trusted, fingerprint } = JSON.parse(stdout) as { trusted: boolean; fingerprint: string }
  expect(trusted).toBe(true)
  expect(readdirSync(folder)).toEqual([`${fingerprint}.pem`])
})

test('a connector that is not there is said to be so', async () => {
  const { code, stderr } = await run('trust', 'nobody', '--config', site().file)
  expect(code).toBe(1)
  expect(stderr).toContain('there is no connector named nobody')
})
