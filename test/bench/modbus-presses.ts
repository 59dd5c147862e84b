// How many presses are seen in real time, on this machine as busy as it is: `node test/bench/modbus-presses.ts [presses]`.
// That none is lost at whatever phase of the poll is proven in simulated time by connectors/modbus/presses.test.ts.
import { pressesIn, run } from '../../connectors/modbus/fixtures/running.ts'
import type { Json } from '../../core/fact.ts'
import { type ModbusPanel, startModbusPanel, startPty } from '../../mocks/modbus-panel/index.ts'

const presses = Number(process.argv[2] ?? 10_000)
const buttons = 100
const pollMs = 20

interface Round {
  readonly name: string
  readonly heldMs: number
  readonly pauseMs: number
  readonly each: number
  readonly line?: true
  input(discrete: number): Json
}

const each = Math.ceil(presses / buttons)
const rounds: readonly Round[] = [
  { name: 'levels, 1.5 polls', heldMs: 1.5 * pollMs, pauseMs: 60, each, input: (discrete) => ({ discrete }) },
  {
    name: 'counters, 10 ms',
    heldMs: 10,
    pauseMs: 60,
    each,
    input: (discrete) => ({ discrete, counter: 0x10 + 2 * discrete }),
  },
  {
    name: 'latches, 10 ms',
    heldMs: 10,
    pauseMs: 1_500,
    each: 5,
    input: (discrete) => ({ discrete, latch: { reset: discrete } }),
  },
  {
    name: 'levels, 1.5 polls, on a pty',
    heldMs: 1.5 * pollMs,
    pauseMs: 60,
    each,
    line: true,
    input: (discrete) => ({ discrete }),
  },
]

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const finger = async (panel: ModbusPanel, discrete: number, { heldMs, pauseMs, each: times }: Round) => {
  await later(Math.random() * pauseMs)
  for (let n = 0; n < times; n++) {
    await panel.press(discrete, { forMs: heldMs })
    await later(pauseMs + Math.random() * pollMs)
  }
}

const play = async (round: Round) => {
  const panel = await startModbusPanel({
    discretes: buttons,
    coils: buttons,
    framing: round.line ? 'rtu' : 'tcp',
    diagnostics: 'answered',
  })
  const latches = round.name.startsWith('latches')
  for (let n = 0; latches && n < buttons; n++) panel.latch(n, n)
  const pty = round.line ? await startPty(panel.port) : null
  const where = pty ? { line: { path: pty.path, baud: 115_200 } } : { host: panel.host, port: panel.port }
  const inputs = Object.fromEntries(
    Array.from({ length: buttons }, (_, n) => [`button-${n}`, round.input(n)]),
  )
  const running = run({ ...where, poll: `${pollMs}ms` }, inputs)
  await running.up()
  const [link] = running.runner.health()
  await Promise.all(Array.from({ length: buttons }, (_, n) => finger(panel, n, round)))
  await later(500)
  const measured = await running.runner.probe(link?.name ?? '', null, new AbortController().signal)
  const { cycleMs, longestMs } = measured as { cycleMs: number; longestMs: number }
  const made = buttons * round.each
  const seen = pressesIn(running.facts)
  await running.stop()
  await pty?.unplug()
  await panel.close()
  return {
    round: round.name,
    made,
    seen,
    'seen %': (100 * seen) / made,
    'cycle ms': cycleMs,
    'longest ms': longestMs,
  }
}

const results = []
for (const round of rounds) results.push(await play(round))
console.table(results)
