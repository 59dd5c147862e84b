import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AnswerReader, timeText, wrap } from '../../mocks/dc09-panel/wire.ts'
import { testContext } from '../context.ts'
import { BridgeProcess, freePort, now } from './process.ts'

/**
 * DC-09 panels: 5,000 sessions that only supervise, then 1,000 events a second over them. First against the receiver
 * alone, whose `record` is at once, then against the real program with its store, where each event is on disk before
 * it is acknowledged. Prints a table; panels and bridge share the machine. `--quick` for a look, `--program` for the second half alone.
 */
const quick = process.argv.includes('--quick') || process.env['BENCH_QUICK'] === 'yes'
const forked = { execPath: process.execPath, env: { ...process.env, BENCH_QUICK: quick ? 'yes' : 'no' } }
const sessions = quick ? 500 : 5_000
const intervalMs = 30_000
const idleMs = quick ? 10_000 : 60_000
const rate = quick ? 200 : 1_000
const loadSeconds = quick ? 5 : 30
const warmUpSeconds = 5
/** Panels share the load of a process; the timers of one process can't keep up with a thousand events a second. */
const senders = 2

const accountOf = (nth: number): string => (0x10000 + nth).toString(16).toUpperCase()

interface Asked {
  readonly port: number
  readonly from: number
  readonly to: number
}

interface Figures {
  readonly took: readonly number[]
  readonly unanswered: number
  readonly wrong: number
}

/** One panel of a sender: a connection, and who waits for its answers. */
interface Panel {
  readonly socket: Socket
  readonly account: string
  readonly reader: AnswerReader
  readonly waiting: number[]
  seq: number
}

const figures = { took: [] as number[], wrong: 0 }

const dial = async (port: number, nth: number): Promise<Panel> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const panel: Panel = {
    socket,
    account: accountOf(nth),
    reader: new AnswerReader(null),
    waiting: [],
    seq: 0,
  }
  socket.on('data', (bytes: Buffer) => {
    for (const answer of panel.reader.read(bytes)) {
      const sentAt = panel.waiting.shift() ?? 0
      if (answer.is !== 'ACK') figures.wrong++
      figures.took.push(now() - sentAt)
    }
  })
  socket.on('error', () => figures.wrong++)
  socket.on('close', () => figures.wrong++)
  await once(socket, 'connect')
  return panel
}

const say = (panel: Panel, body: string): void => {
  panel.waiting.push(now())
  panel.socket.write(wrap(`${body}${timeText(Date.now())}`))
}

const supervise = (panel: Panel): void => say(panel, `"NULL"0000L0#${panel.account}[]`)

const press = (panel: Panel, zone: number): void => {
  panel.seq = (panel.seq % 9_999) + 1
  const seq = String(panel.seq).padStart(4, '0')
  const number = String(zone).padStart(3, '0')
  say(panel, `"ADM-CID"${seq}L0#${panel.account}[#${panel.account}|1120 01 ${number}]`)
}

/** Runs as a process of its own: panels `from` to `to`. */
const runSender = async ({ port, from, to }: Asked): Promise<void> => {
  const panels: Panel[] = []
  for (let nth = from; nth < to; nth += 100)
    panels.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(100, to - nth) }, (_, more) => dial(port, nth + more)),
      )),
    )
  const timers = panels.map((panel, nth) =>
    setTimeout(
      () => {
        supervise(panel)
        timers[nth] = setInterval(() => supervise(panel), intervalMs)
      },
      (nth / panels.length) * Math.min(intervalMs, idleMs),
    ),
  )
  process.on(
    'message',
    async (message: { load?: { perSecond: number; seconds: number } } | 'report' | 'end') => {
      if (message === 'end') {
        for (const timer of timers) clearTimeout(timer)
        for (const { socket } of panels) socket.removeAllListeners('close').destroy()
        process.disconnect()
      } else if (message === 'report') {
        // What was sent a moment ago may still be on its way.
        const late = now() - 1_000
        const unanswered = panels.flatMap(({ waiting }) => waiting.filter((at) => at < late)).length
        process.send?.({ ...figures, unanswered } satisfies Figures)
        figures.took = []
        figures.wrong = 0
      } else if (message.load) {
        const { perSecond, seconds } = message.load
        const startedAt = now()
        for (let sent = 0; sent < perSecond * seconds; ) {
          const due = Math.min(perSecond * seconds, Math.floor(((now() - startedAt) / 1_000) * perSecond))
          for (; sent < due; sent++) press(panels[sent % panels.length] as Panel, 1 + (sent % 5))
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
        process.send?.('sent')
      }
    },
  )
  process.send?.('ready')
}

const percentile = (sorted: readonly number[], p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN

const memoryOf = (pid: number, which: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${which}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024

/** Processor time that a process has used so far, ms: other than latency it hardly depends on what else the machine does. */
const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const siteOf = (ports: { api: number; panels: number; pager: number }): string =>
  [
    'site: { name: Bench, timezone: UTC }',
    `api: { listen: "127.0.0.1:${ports.api}" }`,
    'places: { bench: { level: building } }',
    'connectors:',
    `  pagers: { type: snpp, host: 127.0.0.1, port: ${ports.pager} }`,
    '  panels:',
    '    type: sia-dc09',
    `    listen: "127.0.0.1:${ports.panels}"`,
    '    accounts:',
    ...Array.from({ length: sessions }, (_, nth) => `      "${accountOf(nth)}": { interval: 30s }`),
    'devices:',
    ...Array.from(
      { length: sessions },
      (_, nth) =>
        `  panel-${nth}: { connector: panels, input: { account: "${accountOf(nth)}" }, place: bench, means: nothing }`,
    ),
    'responders: { security: { page: { connector: pagers, id: "1", perceptible: vibrate } } }',
    'plans: { all: { when: {}, steps: [ { at: 0s, do: [ { page.send: { to: security } } ] } ] } }',
  ].join('\n')

/** Runs as a process of its own: the connector with a `record` that takes no time. */
const runReceiver = async (port: number): Promise<void> => {
  const { default: connector } = await import('../../connectors/sia-dc09/index.ts')
  const accounts = Array.from({ length: sessions }, (_, nth) => accountOf(nth))
  const { ctx } = testContext({
    record: async ({ key }) => ({ duplicate: false, id: key, incident: null }),
    note: () => {},
  })
  const link = await connector.open(
    {
      name: 'panels',
      config: connector.config.parse({
        listen: `127.0.0.1:${port}`,
        accounts: Object.fromEntries(accounts.map((account) => [account, { interval: '30s' }])),
      }),
      inputs: new Map(accounts.map((account, nth) => [`panel-${nth}`, { account }])),
      outputs: new Map<string, never>(),
      cursors: new Map(),
    },
    ctx,
  )
  process.once('message', async () => {
    await link.close()
    process.disconnect()
  })
  process.send?.('ready')
}

/** Something that takes what panels say. */
interface Heard {
  readonly port: number
  readonly pid: number
  end(): Promise<unknown>
}

const startReceiver = async (): Promise<Heard> => {
  const port = await freePort()
  const child = fork(import.meta.filename, ['receiver', String(port)], forked)
  await once(child, 'message')
  const end = async () => {
    child.send('end')
    await once(child, 'exit')
  }
  return { port, pid: child.pid as number, end }
}

const startBridge = async (): Promise<Heard> => {
  const dir = mkdtempSync(join(tmpdir(), 'duress-bench-'))
  const [api, port, pager] = [await freePort(), await freePort(), await freePort()]
  const config = join(dir, 'site.yaml')
  writeFileSync(config, siteOf({ api, panels: port, pager }))
  const bridge = await BridgeProcess.start(config, join(dir, 'data'))
  await sleep(1_000)
  const end = async () => {
    await bridge.end()
    rmSync(dir, { recursive: true, force: true })
  }
  return { port, pid: bridge.child.pid as number, end }
}

const measure = async (name: string, { port, pid, end }: Heard): Promise<void> => {
  console.log(name)
  const before = memoryOf(pid, 'VmRSS')
  const share = Math.ceil(sessions / senders)
  const children = await Promise.all(
    Array.from({ length: senders }, async (_, nth) => {
      const child = fork(import.meta.filename, ['sender'], forked)
      const asked: Asked = { port, from: nth * share, to: Math.min(sessions, (nth + 1) * share) }
      child.send(asked)
      await once(child, 'message')
      return child
    }),
  )
  const report = async (): Promise<Figures> => {
    const all = await Promise.all(
      children.map(async (child) => {
        const answered = once(child, 'message')
        child.send('report')
        return (await answered)[0] as Figures
      }),
    )
    const took = all.flatMap((each) => each.took).sort((a, b) => a - b)
    const sum = (pick: (each: Figures) => number) => all.reduce((total, each) => total + pick(each), 0)
    return { took, wrong: sum(({ wrong }) => wrong), unanswered: sum(({ unanswered }) => unanswered) }
  }
  const load = async (seconds: number): Promise<Figures> => {
    await Promise.all(
      children.map(async (child) => {
        const sent = once(child, 'message')
        child.send({ load: { perSecond: rate / senders, seconds } })
        await sent
      }),
    )
    await sleep(2_000)
    return report()
  }

  const show = (what: string, value: string, goal: string, met: boolean) => {
    console.log(`${met ? ' ' : '!'} ${what.padEnd(58)} ${value.padStart(12)}  ${goal}`)
    if (!met) process.exitCode = 1
  }
  await sleep(idleMs)
  const idle = await report()
  const idleMb = memoryOf(pid, 'VmHWM')
  show('memory without a session', `${Math.round(before)} MB`, '', true)
  show(`peak with ${sessions} supervised sessions`, `${Math.round(idleMb)} MB`, '< 300 MB', idleMb < 300)
  const nulls = `${idle.took.length} NULL acknowledged, p99`
  show(nulls, `${percentile(idle.took, 99).toFixed(1)} ms`, '< 50 ms', percentile(idle.took, 99) < 50)
  await load(warmUpSeconds)
  const cpuBefore = cpuMs(pid)
  const { took, wrong, unanswered } = await load(loadSeconds)
  const cpu = (cpuMs(pid) - cpuBefore) / took.length
  for (const p of [50, 99, 100])
    show(
      `${rate} events/s for ${loadSeconds} s, acknowledged, ${p === 100 ? 'slowest' : `p${p}`}`,
      `${percentile(took, p).toFixed(1)} ms`,
      p === 99 ? '< 50 ms' : '',
      p !== 99 || percentile(took, p) < 50,
    )
  show('events and NULL acknowledged', String(took.length), '', true)
  show('processor time for each', `${cpu.toFixed(2)} ms`, '', true)
  show(
    'not acknowledged, or wrongly',
    String(unanswered + wrong + idle.wrong),
    '0',
    unanswered + wrong + idle.wrong === 0,
  )
  show('peak memory after that', `${Math.round(memoryOf(pid, 'VmHWM'))} MB`, '', true)
  for (const child of children) child.send('end')
  await Promise.all(children.map((child) => once(child, 'exit')))
  await end()
}

if (process.argv[2] === 'sender') process.once('message', (asked: Asked) => void runSender(asked))
else if (process.argv[2] === 'receiver') await runReceiver(Number(process.argv[3]))
else {
  if (!process.argv.includes('--program')) await measure('the receiver alone', await startReceiver())
  await measure('the program, with its store', await startBridge())
}
