import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import type { Meter } from '../core/around.ts'
import { every } from '../core/clock.ts'
import type { Machine } from '../core/machine.ts'
import { countsOf } from './devices.ts'
import { Counter, Gauge, Histogram, Registry } from './prometheus.ts'

/** From the goal of a few milliseconds to an outage, seconds. */
const buckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60]
/** How often the event loop is looked at, and over how long its delay is summed up, ms. */
const loopEveryMs = 10
const loopWindowMs = 60_000

/** What the machine measures, and where Prometheus finds it. */
export const makeMeter = (): { meter: Meter; registry: Registry } => {
  const registry = new Registry()
  const registers = [registry]
  const first = new Histogram({
    name: 'duress_press_to_first_seconds',
    help: 'From the receipt of the press that opened an incident to the start of its first command.',
    buckets,
    registers,
  })
  const last = new Histogram({
    name: 'duress_press_to_last_seconds',
    help: 'From the receipt of the press that opened an incident to the receipt of the last command due at once.',
    buckets,
    registers,
  })
  /** Handed over at each scrape: the library would sort and hash labels for each attempt. */
  const counts = new Map<string, { ok: number; failed: number }>()
  new Counter({
    name: 'duress_attempts_total',
    help: 'Attempts at commands, by capability and how they ended.',
    labelNames: ['capability', 'outcome'],
    registers,
    collect() {
      this.reset()
      for (const [capability, { ok, failed }] of counts) {
        if (ok > 0) this.inc({ capability, outcome: 'ok' }, ok)
        if (failed > 0) this.inc({ capability, outcome: 'failed' }, failed)
      }
    },
  })
  const meter: Meter = {
    toFirst: (ms) => first.observe(ms / 1_000),
    toLast: (ms) => last.observe(ms / 1_000),
    attempt: (capability, ok) => {
      const count = counts.get(capability) ?? { ok: 0, failed: 0 }
      if (ok) count.ok++
      else count.failed++
      if (count.ok + count.failed === 1) counts.set(capability, count)
    },
  }
  return { meter, registry }
}

/** Adds what is read off the machine at each scrape. Returns how to stop. */
export const observe = (registry: Registry, machine: Machine): (() => void) => {
  const { clock, book, faults, dispatch, store } = machine
  const open = () => [...book.pages()].filter(({ incident }) => !incident.resolved)
  gauge(registry, 'duress_recording', '1 while everything is written to disk, 0 while not.', () =>
    store.health().recording ? 1 : 0,
  )
  gauge(registry, 'duress_store_buffered_rows', 'Rows in memory that wait for a disk.', () => {
    return store.health().buffered
  })
  gauge(registry, 'duress_store_lost_rows', 'Rows that found no room since recording stopped.', () => {
    return store.health().lost
  })
  gauge(registry, 'duress_store_commit_seconds', 'Duration of the last commit.', () => {
    return store.health().lastCommitMs / 1_000
  })
  gauge(registry, 'duress_commands_due', 'Commands that have no receipt yet.', () => dispatch.size)
  gauge(registry, 'duress_incidents_open', 'Incidents that are not resolved.', () => open().length)
  gauge(registry, 'duress_faults_open', 'Faults that are open.', () => faults.open().length)
  gauge(registry, 'duress_steps_late_seconds', 'How late the most overdue step is; 0 when none is.', () => {
    const now = clock.now()
    const late = open().map(({ lookAt }) => (lookAt === null ? 0 : now - lookAt))
    return Math.max(0, ...late) / 1_000
  })
  gauge(registry, 'process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss())
  ofLinks(registry, machine)
  ofDevices(registry, machine)
  return ofEventLoop(registry, machine)
}

const gauge = (registry: Registry, name: string, help: string, read: () => number): void => {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}

const ofLinks = (registry: Registry, { runner, clock }: Machine): void => {
  new Gauge({
    name: 'duress_link_up',
    help: '1 while the link is open.',
    labelNames: ['link'],
    registers: [registry],
    collect() {
      for (const { name, up } of runner.health()) this.set({ link: name }, up ? 1 : 0)
    },
  })
  new Gauge({
    name: 'duress_link_data_age_seconds',
    help: 'How long ago data last came over the link; absent before the first.',
    labelNames: ['link'],
    registers: [registry],
    collect() {
      for (const { name, heardAt } of runner.health())
        if (heardAt !== null) this.set({ link: name }, (clock.now() - heardAt) / 1_000)
    },
  })
}

const ofDevices = (registry: Registry, { supervision }: Machine): void => {
  new Gauge({
    name: 'duress_devices',
    help: 'Devices by how they stand: proven, fine, late, lost, missing, damaged, never tested, in service mode.',
    labelNames: ['stands'],
    registers: [registry],
    collect() {
      const counts = countsOf(supervision.standings().values())
      for (const [stands, count] of Object.entries(counts)) this.set({ stands }, count)
    },
  })
}

/** Of the last whole minute, so that a scrape takes nothing away from the next; before that, of what there is. */
const ofEventLoop = (registry: Registry, { clock }: Machine): (() => void) => {
  const delay = monitorEventLoopDelay({ resolution: loopEveryMs })
  let lastWindow: number | null = null
  delay.enable()
  const timer = every(clock, loopWindowMs, () => {
    lastWindow = delay.percentile(99)
    delay.reset()
  })
  gauge(registry, 'duress_event_loop_delay_p99_seconds', 'Delay of the event loop, 99th percentile.', () =>
    // The histogram counts from tick to tick, so the wanted pause is part of each value.
    Math.max(0, (lastWindow ?? delay.percentile(99)) / 1e9 - loopEveryMs / 1_000),
  )
  return () => {
    timer.cancel()
    delay.disable()
  }
}

export const metricsRoute = (app: FastifyInstance, registry: Registry): void => {
  app.get(
    '/metrics',
    { schema: { summary: 'Measurements, as Prometheus reads them.', produces: ['text/plain'] } },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )
}
