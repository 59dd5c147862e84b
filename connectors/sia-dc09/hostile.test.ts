import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { wrap } from '../../mocks/dc09-panel/wire.ts'
import { key, start } from './fixtures/stage.ts'

const mutants = 100_000
const perTurn = 500

/** mulberry32: the same numbers again for the same seed. */
const randomOf = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, below)) | 0
  }
}
type Random = ReturnType<typeof randomOf>

const { vectors } = JSON.parse(readFileSync(new URL('./fixtures/frames.json', import.meta.url), 'utf8')) as {
  vectors: { frameHex: string }[]
}
const frames = vectors.map(({ frameHex }) => Buffer.from(frameHex, 'hex'))

const mutated = (bytes: Buffer, random: Random): Buffer => {
  let out: Buffer = Buffer.from(bytes)
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(out.length)
    const other = frames[random(frames.length)] as Buffer
    const ways: readonly (() => Buffer)[] = [
      () => out.map((byte, nth) => (nth === at ? byte ^ (1 << random(8)) : byte)) as Buffer,
      () => Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + random(8))]),
      () => Buffer.concat([out.subarray(0, at), Buffer.from([random(256), random(256)]), out.subarray(at)]),
      () => Buffer.concat([out.subarray(0, at), other.subarray(random(other.length))]),
      () =>
        Buffer.concat([
          out.subarray(0, at),
          Buffer.from('"#[]|_^/RLN*'[random(12)] as string),
          out.subarray(at),
        ]),
      () =>
        Buffer.concat([
          out.subarray(0, at),
          out.subarray(random(out.length), at + random(60)),
          out.subarray(at),
        ]),
    ]
    out = (ways[random(ways.length)] as () => Buffer)()
  }
  return out.subarray(0, 4_000)
}

/** Half of the mutants have a right frame again, so that they reach what is behind the CRC. */
const mutant = (random: Random): Buffer => {
  const frame = frames[random(frames.length)] as Buffer
  if (random(2) === 0) return mutated(frame, random)
  const start = frame.indexOf('"')
  const body = mutated(frame.subarray(start, -1), random)
  return wrap(body.toString('latin1').replace(/[^\x20-\x7e]/g, '.'), { binaryCrc: random(4) === 0 })
}

test('100,000 mutated frames: nothing is thrown, nothing stays open, no other session is disturbed', async () => {
  const seed = randomInt(1_000_000_000)
  onTestFinished(({ task }) => {
    if (task.result?.state === 'fail') console.log(`seed ${seed}`)
  })
  const random = randomOf(seed)
  const thrown: unknown[] = []
  const take = (error: unknown) => void thrown.push(error)
  process.on('unhandledRejection', take).on('uncaughtException', take)
  onTestFinished(() => void process.off('unhandledRejection', take).off('uncaughtException', take))

  const { panel, link, port, lines, facts } = await start()
  let lost = false
  void link.lost?.then(() => {
    lost = true
  })
  const ward = panel()
  const pump = panel({ account: '7A7A', key })
  const byUdp = panel({ udp: true })
  await ward.supervise()
  await pump.supervise()
  const sockets = new Map<number, Socket>()
  const socketFor = (nth: number): Socket => {
    const known = sockets.get(nth)
    if (known && !known.destroyed) return known
    const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {})
    socket.resume()
    sockets.set(nth, socket)
    return socket
  }

  for (let sent = 0; sent < mutants; sent += perTurn) {
    for (let n = 0; n < perTurn; n++) {
      const bytes = mutant(random)
      if (n % 10 === 0) await byUdp.transmit(bytes, { withinMs: 0 })
      else socketFor(random(20)).write(bytes)
    }
    const answers = await Promise.all([
      ward.supervise({ withinMs: 10_000 }),
      pump.supervise({ withinMs: 10_000 }),
    ])
    expect(answers.map((answer) => answer?.is)).toEqual(['ACK', 'ACK'])
  }

  const before = facts.length
  expect(await ward.send('1120 01 005')).toMatchObject({ is: 'ACK' })
  expect(await pump.send('1120 01 005')).toMatchObject({ is: 'ACK' })
  expect(facts.slice(before).filter(({ device }) => device !== null)).toMatchObject([
    { device: 'triage-button' },
    { device: 'pharmacy-button' },
  ])
  expect([ward.drops, pump.drops, ward.faults, pump.faults, lost]).toEqual([0, 0, [], [], false])
  for (const socket of sockets.values()) socket.destroy()
  const sessions = async () => (await link.probe?.(null, new AbortController().signal)) ?? null
  await expect.poll(sessions, { timeout: 5_000 }).toMatchObject({ sessions: 2 })
  expect(thrown).toEqual([])
  expect(lines.filter(({ level }) => level === 'error')).toEqual([])
}, 180_000)
