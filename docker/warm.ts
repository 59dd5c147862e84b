import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/*
 * Run while the image is built: starts the bridge once and loads every connector, so that what V8 compiles is in the cache
 * that main.js names. The cache counts only for the same Node with the same flags.
 */
const app = join(import.meta.dirname, '..')
enableCompileCache(join(app, 'node_modules', '.cache', 'duress-bridge'))

/** A site that runs by itself. */
const site = {
  site: { name: 'Warm', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building' } },
  connectors: {
    pagers: { type: 'snpp', host: '127.0.0.1', port: 9 },
    panel: { type: 'modbus', host: '127.0.0.1', port: 9 },
  },
  devices: { button: { connector: 'panel', input: { discrete: 0 }, place: 'house' } },
  responders: { one: { page: { connector: 'pagers', id: '1', perceptible: 'vibrate' } } },
  plans: { all: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'one' } }] }] } },
}

const program = (...args: string[]) =>
  spawn(process.execPath, [...process.execArgv, join(app, 'main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })

const dir = mkdtempSync(join(tmpdir(), 'duress-bridge-warm-'))
const file = join(dir, 'site.yaml')
writeFileSync(file, JSON.stringify(site))
const bridge = program('run', '--config', file, '--data', join(dir, 'data'), '--log-level', 'error')
const url = await new Promise<string>((resolve, reject) => {
  let said = ''
  bridge.stdout.on('data', (chunk) => {
    said += chunk
    const ready = /^ready: .* at (http:\S+), /m.exec(said)
    if (ready) resolve(ready[1] as string)
  })
  bridge.once('close', (code) => reject(new Error(`the bridge ended with ${code} before it was ready`)))
})
await fetch(`${url}/v1/presses`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ device: 'button' }),
})
const ask = program('healthy', '--url', url)
const codes = [
  await new Promise((resolve) => ask.once('close', resolve)),
  await new Promise((resolve) => {
    bridge.once('close', resolve)
    bridge.kill('SIGTERM')
  }),
]
rmSync(dir, { recursive: true })
if (codes.some((code) => code !== 0)) throw new Error(`ended with ${codes.join(' and ')}`)

for (const type of [
  'modbus',
  'onvif',
  'http',
  'mqtt',
  'sia-dc09',
  'webhook',
  'opcua',
  'smtp',
  'tap',
  'espa444',
  'wctp',
])
  await import(join(app, 'connectors', type, 'link.ts'))
