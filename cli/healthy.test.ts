import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { makeCertificates } from '../test/redis/certificates.ts'
import { cleanUp, newDir, run, start } from './fixtures/program.ts'
import { siteText, writeSite } from './fixtures/site.ts'

afterEach(cleanUp)

test('a bridge that answers is alive, also where only the environment says where it is', async () => {
  const dir = newDir()
  const program = start(['run', '--config', writeSite(dir, siteText()), '--data', dir])
  const [, url] = (await program.says(/^ready: Test site at (http:\S+), data in /m)) as unknown as [
    string,
    string,
  ]
  expect(await run('healthy', '--url', url)).toMatchObject({ code: 0, stdout: 'alive\n' })
  const asked = start(['healthy'], { DURESS_URL: url })
  expect(await asked.ended).toBe(0)
})

test('one behind TLS is alive by a certificate that nobody vouches for: its health check runs beside it', async () => {
  const dir = newDir()
  const { server } = await makeCertificates(dir)
  const api = 'api: { listen: "127.0.0.1:0" }'
  const text = siteText().replace(
    api,
    api.replace(' }', `, tls: { cert: ${server.cert}, key: ${server.key} } }`),
  )
  const program = start(['run', '--config', writeSite(dir, text), '--data', dir])
  const [, url] = (await program.says(/^ready: Test site at (https:\S+), data in /m)) as unknown as [
    string,
    string,
  ]
  expect(await run('healthy', '--url', url)).toMatchObject({ code: 0, stdout: 'alive\n' })
  const plain = await run('healthy', '--url', url.replace('https', 'http'))
  expect([plain.code, plain.stderr]).toEqual([1, expect.stringContaining('no bridge answers')])
})

test('nobody there, or somebody else: exit code 1, and what was found', async () => {
  const other = createServer((_request, response) => response.writeHead(404).end())
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  const stranger = await run('healthy', '--url', url)
  expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining('answered 404')])
  await new Promise((resolve) => other.close(resolve))
  const nobody = await run('healthy', '--url', url)
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('ECONNREFUSED')])
})
