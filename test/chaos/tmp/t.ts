import { mkdirSync, rmSync } from 'node:fs'
import { BridgeProcess } from '../bridge.ts'

rmSync('/tmp/ft', { recursive: true, force: true })
mkdirSync('/tmp/ft')
const b = new BridgeProcess(
  ['run', '--config', '/tmp/chaos.yaml', '--data', '/tmp/ft/data', '--log-level', 'warn'],
  { name: 'b', dir: '/tmp/ft', env: { CHAOS_SECRET: 'x' }, ready: /^ready/ },
)
for (const off of [0, 0, 3600e3, 3600e3, 0, 0, -3600e3]) {
  b.clock(off)
  const s = performance.now()
  await b.start()
  console.log(off, 'ready', Math.round(performance.now() - s))
  if (off === 0) {
    await new Promise((r) => setTimeout(r, 500))
    b.clock(3600e3)
    await new Promise((r) => setTimeout(r, 2500))
    b.clock(0)
  }
  await b.end('SIGKILL')
}
process.exit(0)
