import onvif from 'onvif/promises/index.js'
import { expect, test } from 'vitest'
import { startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { testContext } from '../../test/context.ts'
import { account, dial, secret } from './fixtures/dial.ts'

/** The mock was written by reading the same specification as we did; a third reading guards against a shared mistake. */
test('the npm library onvif and this connector see the same camera', async () => {
  const mock = await startOnvifCamera({ ...account, presets: { '1': 'Entrance', '2': 'Triage 2' } })
  const theirs = new onvif.Cam({
    hostname: mock.host,
    port: mock.port,
    ...account,
    timeout: 2_000,
    autoconnect: false,
  })
  await theirs.connect()
  const link = await dial(testContext({ secret }).ctx, mock.url, { cam: {} })
  const ours: any = await link.probe?.({}, new AbortController().signal)

  const info: any = await theirs.getDeviceInformation()
  expect(ours).toMatchObject({
    manufacturer: info.manufacturer,
    model: info.model,
    firmware: info.firmwareVersion,
  })
  const presets: any = await (theirs as any).getPresets({})
  // The library turns tokens that look like numbers into numbers.
  const listed = Object.values<any>(presets).map(({ name, $ }) => ({ token: String($.token), name }))
  expect(ours.camera.presets).toEqual(listed)
  expect(ours.camera.profile).toBe((theirs as any).activeSource.profileToken)

  await link.close()
  await mock.close()
})
