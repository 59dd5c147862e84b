import { readFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { createServer, type Server } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type OnvifCamera, startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { testContext } from '../../test/context.ts'
import { account, dial, order, secret } from './fixtures/dial.ts'

const path = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))
let mock: OnvifCamera
let terminator: Server
let url: string
let live: number

/** The mock camera behind TLS; the addresses that it gives are still those of plain http. */
beforeEach(async () => {
  mock = await startOnvifCamera({ ...account, presets: { '1': 'Entrance' } })
  live = 0
  const pair = { key: readFileSync(path('tls-key.pem')), cert: readFileSync(path('tls-cert.pem')) }
  terminator = createServer(pair, (socket) => {
    live++
    socket.on('close', () => live--)
    const inner = connect(mock.port, mock.host)
    socket.on('error', () => inner.destroy())
    inner.on('error', () => socket.destroy())
    socket.pipe(inner).pipe(socket)
  })
  await new Promise<void>((resolve) => terminator.listen(0, '127.0.0.1', resolve))
  url = `https://127.0.0.1:${(terminator.address() as AddressInfo).port}/onvif/device_service`
})

afterEach(async () => {
  await new Promise((resolve) => terminator.close(resolve))
  await mock.close()
})

test('over https with its own authority, nothing goes over http though the camera says so', async () => {
  const link = await dial(
    testContext({ secret }).ctx,
    url,
    { cam: {} },
    { tls: { ca: path('tls-cert.pem') } },
  )
  expect(await link.acts['camera.preset'](order({}, { preset: '1' }))).toMatchObject({ ok: true })
  const probed: any = await link.probe?.({}, new AbortController().signal)
  expect(probed.camera.presets).toHaveLength(1)
  await expect.poll(() => mock.openSockets - live).toBe(0)
  expect(live).toBeGreaterThan(0)
  await link.close()
})

test('a certificate that nobody vouches for is refused', async () => {
  const opened = dial(testContext({ secret }).ctx, url, { cam: {} })
  await expect(opened).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/certificate/),
  })
})

test('an authority that cannot be read is named', async () => {
  const opened = dial(testContext({ secret }).ctx, url, { cam: {} }, { tls: { ca: path('none.pem') } })
  await expect(opened).rejects.toMatchObject({
    code: 'SECRET_MISSING',
    message: expect.stringContaining('tls.ca'),
  })
})
