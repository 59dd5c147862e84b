import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Workers that tell the ten systems: the port of their Redis, and by name the file with the key of each. */
interface Workers {
  readonly redis: number
  readonly keys: ReadonlyMap<string, string>
}

/** A site with badges by webhook (each press opens an incident of its own), ten systems to tell by HTTP, and a Modbus panel where there is one. */
export const writeSite = (
  dir: string,
  badges: number,
  ports: { api: number; webhook: number; targets: readonly number[]; panel?: number },
  { connections = 16, workers }: { connections?: number; workers?: Workers } = {},
): string => {
  const lines = [
    'site: { name: Bench, timezone: UTC }',
    `api: { listen: "127.0.0.1:${ports.api}" }`,
    'places:',
    '  bench: { level: building, in: { ward: { level: unit, in: { hall: { level: room } } } } }',
    'connectors:',
    `  badges: { type: webhook, listen: "127.0.0.1:${ports.webhook}", bearer: { env: BENCH_TOKEN } }`,
    '  systems:',
    '    type: http',
    `    connections: ${connections}`,
    '    requests: { event.send: { method: POST, path: /event }, page.send: { method: POST, path: /page } }',
  ]
  if (workers) lines.push(`    runs-on: [${[...workers.keys.keys()].join(', ')}]`)
  if (ports.panel) lines.push(`  panel: { type: modbus, host: 127.0.0.1, port: ${ports.panel}, poll: 20ms }`)
  if (workers) {
    lines.push('queue:', `  redis: "redis://127.0.0.1:${workers.redis}"`, '  workers:')
    for (const [name, file] of workers.keys) lines.push(`    ${name}: { key: { file: ${file} } }`)
  }
  lines.push('devices:')
  for (let n = 0; n < badges; n++)
    lines.push(`  badge-${n}: { connector: badges, input: { id: badge-${n} }, place: bench/ward }`)
  for (const [n, port] of ports.targets.entries())
    lines.push(
      `  system-${n}: { connector: systems, output: { url: "http://127.0.0.1:${port}" }, perceptible: none }`,
    )
  if (ports.panel)
    for (let n = 0; n < 16; n++)
      lines.push(
        `  button-${n}: { connector: panel, input: { discrete: ${n}, counter: ${16 + 2 * n} }, place: bench/ward }`,
      )
  const told = ports.targets.map((_, n) => `event.send: { to: system-${n} }`).join(', ')
  lines.push(
    'responders:',
    `  security: { page: { connector: systems, url: "http://127.0.0.1:${ports.targets[0]}", perceptible: none } }`,
    'plans:',
    '  all:',
    '    when: {}',
    '    steps:',
    `      - { at: 0s, do: [${told}] }`,
    '      - { at: 1h, unless: acknowledged, do: [page.send: { to: security }] }',
  )
  const file = join(dir, 'bench.yaml')
  writeFileSync(file, lines.join('\n'))
  return file
}
