import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { Bench, type Live, quietMs } from './bench.ts'
import type { Case } from './kit.ts'
import { Random } from './random.ts'
import type { Button, Peer, Stage, Subject } from './subject.ts'
import { pause, until } from './wait.ts'

const hourMs = 3_600_000
const callers = 60

type Press = (bench: Bench, button: Button) => Promise<void>

/** Facts: no press lost, none doubled, none made up. */
export const inputCases = (subject: Subject, { buttons = [], peer, listensOn }: Stage): Case[] => {
  const forEach = (name: string, run: Press, which: (button: Button) => boolean = () => true): Case[] => {
    const chosen = buttons.flatMap((button, nth) => (which(button) ? [nth] : []))
    if (chosen.length === 0) return []
    const one = (nth: number) =>
      Bench.with(subject, (bench) => run(bench, bench.stage.buttons?.[nth] as Button))
    return [{ name, run: async () => void (await Promise.all(chosen.map(one))) }]
  }
  const answers = ({ acknowledged }: Button) => acknowledged !== undefined
  return [
    ...forEach('each press is recorded once, and its end', eachOnce),
    ...forEach('a press that could not be recorded comes again as the same', refused),
    ...forEach('a mistake in core loses no press', broken),
    ...forEach('the wire is told when a press is on disk, not before', answered, answers),
    ...forEach('a link closes while a press is still on its way to the disk', closing),
    ...forEach('a press that is told twice is one', twice, ({ repeat }) => repeat !== undefined),
    ...forEach('over a restart of ours no press is lost or doubled', ourRestart),
    ...forEach(
      'a press that was not recorded before our restart is recorded after it',
      unrecorded,
      comesAgain,
    ),
    ...forEach('a step of the wall clock is no press', clockStep),
    ...forEach('a press by something that nobody configured is a fact in words', stranger, isOpen),
    ...(peer ? forEach('over a restart of the peer no press is lost, doubled or made up', theirRestart) : []),
    ...(peer ? forEach('an input of a frozen peer is not called idle', frozen, canFail) : []),
    ...forEach('an input that cannot be read is unknown, never idle', unreadable, canFail),
    ...(listensOn === undefined ? [] : forEach('noise from callers hurts no press', noise)),
  ]
}

const comesAgain = ({ remembers, repeat }: Button) => remembers || repeat !== undefined
const isOpen = (button: Button) => button.stranger !== undefined
const canFail = (button: Button) => button.unreadable !== undefined

const eachOnce: Press = async (bench, button) => {
  await bench.open()
  for (let count = 1; count <= 3; count++) {
    await button.press()
    await bench.expectPresses(button, count)
  }
  const keys = new Set(bench.facts.map(({ key }) => key))
  assert.equal(keys.size, bench.facts.length, 'each fact has a key of its own')
}

const refused: Press = (bench, button) => failing(bench, button, 'refuses')
const broken: Press = (bench, button) => failing(bench, button, 'breaks')

const failing = async (bench: Bench, button: Button, disk: 'refuses' | 'breaks'): Promise<void> => {
  await bench.open()
  bench.disk = disk
  await button.press()
  await until(() => bench.offered.length > 0, 'the press is offered')
  await pause(quietMs)
  assert.notEqual(button.acknowledged?.() ?? null, true, 'acknowledged, but not recorded')
  bench.disk = 'works'
  if (button.repeat) await button.repeat()
  await bench.expectPresses(button, 1)
  assert.equal(bench.facts[0]?.key, bench.offered[0]?.key, 'the same fact has the same key')
  if (button.acknowledged)
    await until(() => button.acknowledged?.() === true, 'it is acknowledged in the end')
  await button.press()
  await bench.expectPresses(button, 2)
}

const answered: Press = async (bench, button) => {
  await bench.open()
  bench.disk = 'hangs'
  await button.press()
  await until(() => bench.offered.length > 0, 'the press is offered')
  await pause(quietMs)
  assert.notEqual(button.acknowledged?.(), true, 'acknowledged while the disk was still at it')
  bench.disk = 'works'
  await until(() => button.acknowledged?.() === true, 'it is acknowledged once it is on disk')
  await bench.expectPresses(button, 1)
}

const closing: Press = async (bench, button) => {
  const live = await bench.open()
  bench.disk = 'hangs'
  await button.press()
  await until(() => bench.offered.length > 0, 'the press is offered')
  await bench.close(live)
  bench.disk = 'works'
  await pause(quietMs)
  assert.ok(bench.presses(button) <= 1, 'recorded more than once')
}

const twice: Press = async (bench, button) => {
  await bench.open()
  await button.press()
  await Promise.all([button.repeat?.(), button.repeat?.()])
  await button.repeat?.()
  await until(() => button.acknowledged?.() !== false, 'a repeat is acknowledged like the first')
  await bench.expectPresses(button, 1)
}

const ourRestart: Press = async (bench, button) => {
  let live = await bench.open()
  await button.press()
  await bench.expectPresses(button, 1)
  await bench.close(live)
  let count = 1
  if (comesAgain(button)) {
    await button.press()
    count++
  }
  live = await bench.open()
  if (!button.remembers) await button.repeat?.()
  await bench.expectPresses(button, count)
  await button.press()
  await bench.expectPresses(button, count + 1)
  await bench.close(live)
  await bench.open()
  await bench.expectPresses(button, count + 1)
}

const unrecorded: Press = async (bench, button) => {
  const live = await bench.open()
  bench.disk = 'refuses'
  await button.press()
  await until(() => bench.offered.length > 0, 'the press is offered')
  await bench.close(live)
  bench.disk = 'works'
  await bench.open()
  if (!button.remembers) await button.repeat?.()
  await bench.expectPresses(button, 1)
}

const clockStep: Press = async (bench, button) => {
  await bench.open()
  for (const step of [hourMs, -2 * hourMs, hourMs]) {
    bench.clock.wallOffsetMs += step
    await pause(quietMs)
    bench.expectNoPress()
  }
  bench.clock.wallOffsetMs = hourMs
  await button.press()
  await bench.expectPresses(button, 1)
}

const stranger: Press = async (bench, button) => {
  await bench.open()
  await button.stranger?.()
  await until(() => bench.facts.length > 0, 'the press is recorded')
  assert.equal(bench.facts[0]?.device, null, 'it is of no device of ours')
}

const theirRestart: Press = async (bench, button) => {
  const peer = bench.stage.peer as Peer
  let live = await bench.open()
  await button.press()
  await bench.expectPresses(button, 1)
  for (let restart = 1; restart <= 3; restart++) {
    await peer.reboot(20)
    await pause(quietMs)
    live = await bench.alive(live)
    await bench.expectPresses(button, restart)
    await button.press()
    await bench.expectPresses(button, restart + 1)
  }
}

const frozen: Press = async (bench, button) => {
  const peer = bench.stage.peer as Peer
  const live = await bench.open()
  await known(bench, button)
  peer.behave({ is: 'half-open' })
  // A reading may be on its way.
  await pause(50)
  const before = bench.notes.length
  await pause(2 * quietMs)
  expectNotIdle(bench, button, before)
  peer.behave({ is: 'normal' })
  await bench.alive(live)
  bench.expectNoPress()
}

const unreadable: Press = async (bench, button) => {
  await bench.open()
  await known(bench, button)
  button.unreadable?.()
  await until(
    () => bench.notes.some(({ device, state }) => device === button.device && state.quality === 'unknown'),
    'the input is unknown',
  )
  const before = bench.notes.length
  await pause(2 * quietMs)
  expectNotIdle(bench, button, before)
  bench.expectNoPress()
}

const known = (bench: Bench, button: Button): Promise<void> =>
  until(
    () => bench.notes.some(({ device, state }) => device === button.device && state.quality === 'good'),
    'the input is read',
  )

const expectNotIdle = (bench: Bench, { device }: Button, from: number): void => {
  const idle = bench.notes
    .slice(from)
    .filter(
      (note) => note.device === device && (note.state.active === false || note.state.quality === 'good'),
    )
  assert.deepEqual(idle, [], 'what nobody can read is noted as if it were known')
}

/** Callers that send bytes of no protocol, half a request, or nothing, and stay or go. */
const noise: Press = async (bench, button) => {
  const live: Live = await bench.open()
  const random = new Random(Date.now())
  const port = bench.stage.listensOn as number
  const sockets = Array.from({ length: callers }, (_, nth) => {
    const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {})
    const start = random.pick([
      '',
      'POST / HTTP/1.1\r\n',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n',
    ])
    socket.write(start)
    if (nth % 3 !== 0) socket.write(random.bytes(1 + random.below(2_000)))
    if (nth % 2 === 0) socket.end()
    return socket
  })
  await pause(quietMs)
  bench.expectNoPress()
  await button.press()
  await bench.expectPresses(button, 1)
  await bench.close(live)
  for (const socket of sockets) socket.destroy()
}
