import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { storeFiles } from '../../core/store/files.ts'
import { entriesIn } from '../../core/trail/payload.ts'
import { fill, smallDisk, unmountAll } from './disk.ts'
import { cleanUp, endAll, Program, rowsIn, until } from './program.ts'
import { Sink } from './sink.ts'

/** Promise 2, over a disk that was full: the file that goes on knows what the one before it has done. */
let sink: Sink
afterEach(async () => {
  await endAll()
  unmountAll()
  await cleanUp()
  await sink.close()
})

const site = (url: string) => ({
  site: { name: 'Again', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building' } },
  // Nobody is at port 9: presses come by the API.
  connectors: {
    texts: { type: 'http', url, requests: { 'page.send': {} } },
    wire: { type: 'modbus', host: '127.0.0.1', port: 9 },
  },
  devices: { button: { connector: 'wire', input: { discrete: 0 }, place: 'house' } },
  responders: { security: { page: { connector: 'texts', perceptible: 'none' } } },
  plans: { all: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'security' } }] }] } },
})

test('what was done before the disk was full is not done again after a kill', async () => {
  sink = await Sink.start()
  const dir = smallDisk('24m')
  const program = await new Program(site(sink.url), { dir }).start()
  await program.link('texts')
  const id = await program.press('button')
  expect(await program.receipt(id, 'page.send', 'security')).toMatchObject({ end: 'done' })
  await program.written()

  // Until it can't record: what is kept in reserve goes first.
  await until('it does not record', async () => {
    fill(dir)
    await program.post('/v1/presses', { from: 'somebody else' })
    return (await program.get('/readyz')).body.recording === false
  })
  rmSync(join(dir, 'filler'))
  await until('it records again', async () => (await program.get('/readyz')).status === 200, 60_000)
  expect(storeFiles(program.data)).toHaveLength(2)

  for (let life = 0; life < 2; life++) {
    await program.kill()
    await program.start()
    await program.link('texts')
  }
  // Planned anew after the start, in the order of the incidents: the page of a new one comes last.
  const after = await program.press('button', { kind: 'medical' })
  expect(await program.receipt(after, 'page.send', 'security')).toMatchObject({ end: 'done' })
  expect(
    sink.all.filter(({ message }) => message.incident === id).map(({ message }) => message.about),
  ).toEqual(['press'])
  await program.end()
  const receipts = storeFiles(program.data)
    .flatMap((file) => rowsIn(file, 'SELECT payload FROM trail'))
    .flatMap(({ payload }) => entriesIn(payload) as any[])
    .filter(({ what, incident }) => what === 'receipt' && incident === id)
  expect(receipts).toHaveLength(1)
}, 120_000)
