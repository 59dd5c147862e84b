import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Order, Outcome } from '../../core/command.ts'
import type { Connector, Link } from '../../core/connector.ts'
import hostile from '../../core/runner/fixtures/hostile.ts'
import { openInThread } from '../../core/runner/thread.ts'
import { testContext } from '../context.ts'
import { arrivedAll, ascending, percentile, taken } from './figures.ts'
import { Load } from './load.ts'
import { BridgeProcess, freePort, now, Part } from './process.ts'
import { writeSite } from './site.ts'

/**
 * What a thread for a connector costs and what it saves: `node test/bench/isolated.ts [seconds]`. The floors are measured in
 * the same run: a bare message to a thread and back, and a bridge without any isolated connector.
 */
const seconds = Number(process.argv[2] ?? 20)
const commands = 5_000
const rate = 20

const say = (text: string) => process.stdout.write(`${text}\n`)
const micros = (ms: number) => `${Math.round(ms * 1_000)} µs`

/** One after the other, and 50 at once; ms a command. */
const cost = async (act: () => Promise<unknown>): Promise<{ alone: number; many: number }> => {
  for (let n = 0; n < 500; n++) await act()
  const begun = now()
  for (let n = 0; n < commands; n++) await act()
  const between = now()
  for (let n = 0; n < commands; n += 50) await Promise.all(Array.from({ length: 50 }, act))
  return { alone: (between - begun) / commands, many: (now() - between) / commands }
}

const actOf = (link: Link) => (): Promise<Outcome> => {
  const acts = link.acts as Record<string, (order: Order) => Promise<Outcome>>
  const { signal } = new AbortController()
  return acts['mad.act']!({
    id: 'i/0/x',
    attempt: 1,
    address: { id: 'x' },
    args: { mode: 'nothing' },
    signal,
  })
}

const perCommand = async (): Promise<void> => {
  const { ctx } = testContext()
  const connector = hostile as Connector
  const opening = {
    name: 'bench',
    config: connector.config.parse({}),
    inputs: new Map(),
    outputs: new Map(),
    cursors: new Map(),
  }
  const echo = new Worker(
    "require('worker_threads').parentPort.on('message', m => require('worker_threads').parentPort.postMessage(m))",
    { eval: true },
  )
  const waiting: (() => void)[] = []
  echo.on('message', () => waiting.shift()?.())
  const order = { id: 'i/0/x', attempt: 1, address: { id: 'x' }, args: { mode: 'nothing' } }
  const floor = await cost(
    () =>
      new Promise<void>((resolve) => {
        waiting.push(resolve)
        echo.postMessage(order)
      }),
  )
  await echo.terminate()
  const bare = await connector.open(opening, ctx)
  const inline = await cost(actOf(bare))
  await bare.close()
  const opened = now()
  const link = await openInThread(connector, opening, ctx)
  const openMs = now() - opened
  const isolated = await cost(actOf(link))
  await link.close()
  say(
    `a command, one after the other: inline ${micros(inline.alone)}, isolated ${micros(isolated.alone)}, a bare message there and back ${micros(floor.alone)}: ${(isolated.alone / floor.alone).toFixed(1)} x`,
  )
  say(
    `a command, 50 at once:          inline ${micros(inline.many)}, isolated ${micros(isolated.many)}, a bare message there and back ${micros(floor.many)}: ${(isolated.many / floor.many).toFixed(1)} x`,
  )
  say(`opening a link in a thread: ${Math.round(openMs)} ms`)
}

const dir = mkdtempSync(join(tmpdir(), 'duress-bench-'))
const { part: sink, ready: ports } = await Part.start('./sink.ts')

/** From the press to the last of its ten commands, ms, with what `more` adds to the config. */
const path = async (name: string, more: (text: string) => string): Promise<{ p50: number; p99: number }> => {
  const [api, webhook] = [await freePort(), await freePort()]
  const file = writeSite(dir, rate * (seconds + 3), { api, webhook, targets: ports as number[] })
  writeFileSync(file, more(readFileSync(file, 'utf8')))
  const bridge = await BridgeProcess.start(file, join(dir, `data-${name}`))
  const load = new Load(webhook)
  // Links open, code gets warm, and the mad one is in its first loop.
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  await load.steady(rate, 3)
  await sink.ask('reset')
  const sent = await load.steady(rate, seconds)
  await arrivedAll(sink, sent, 3_000)
  const took = ascending(
    (await taken(sink, sent))
      .filter(({ different }) => different === 10)
      .map(({ at, lastAt }) => lastAt - at),
  )
  load.end()
  await bridge.end()
  const figures = { p50: percentile(took, 50), p99: percentile(took, 99) }
  say(
    `${name.padEnd(32)} press to last of 10 commands: p50 ${figures.p50.toFixed(1)} ms, p99 ${figures.p99.toFixed(1)} ms (${took.length} of ${sent.length} presses complete)`,
  )
  return figures
}

const burning = (mode: string) => (text: string) =>
  text
    .replace(
      'connectors:',
      `extensions: [${new URL('../../core/runner/fixtures/hostile.ts', import.meta.url).pathname}]\nconnectors:\n  mad: { type: hostile, ${mode} }`,
    )
    .replace('devices:', 'devices:\n  mad-thing: { connector: mad, output: { id: x } }')

try {
  say(`${rate} presses a second for ${seconds} s each; load of the machine ${loadavg()[0]?.toFixed(1)}`)
  await perCommand()
  const floor = await path('nothing isolated', (text) => text)
  const calm = await path('one isolated, idle', burning('after: nothing'))
  const loop = await path('one in an endless loop', burning('after: endless loop'))
  const flood = await path('one in a flood of notes', burning('after: flood of notes'))
  for (const [what, { p50, p99 }] of Object.entries({
    idle: calm,
    'endless loop, with restarts': loop,
    flood,
  }))
    say(
      `${what}: p50 ${(p50 / floor.p50).toFixed(2)} x, p99 ${(p99 / floor.p99).toFixed(2)} x of nothing isolated`,
    )
  say(`load of the machine ${loadavg()[0]?.toFixed(1)}`)
} finally {
  await sink.end()
  rmSync(dir, { recursive: true, force: true })
}
