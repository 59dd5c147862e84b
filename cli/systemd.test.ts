import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { cleanUp, newDir, start } from './fixtures/program.ts'
import { siteText, writeSite } from './fixtures/site.ts'

/** The other end of systemd's socket: datagrams, one a line. */
let systemd: ChildProcess | null = null
afterEach(async () => {
  systemd?.kill()
  await cleanUp()
})

const listen = async (path: string): Promise<{ said: () => string }> => {
  let said = ''
  // -d -d: socat says when it listens.
  const child = spawn('socat', ['-d', '-d', '-u', `UNIX-RECV:${path}`, 'STDOUT'])
  systemd = child
  child.stdout.on('data', (chunk) => {
    said += `${chunk}\n`
  })
  await new Promise<void>((resolve, reject) => {
    child.once('error', () => reject(new Error('this test needs socat: apt-get install -y socat')))
    child.stderr.on('data', (chunk) => String(chunk).includes('starting data transfer') && resolve())
  })
  return { said: () => said }
}

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 400) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

test('systemd is told that the bridge is ready, that it lives, and that it stops', async () => {
  const data = newDir()
  const socket = join(data, 'notify')
  const { said } = await listen(socket)
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' }
  const program = start(['run', '--config', writeSite(data, siteText()), '--data', data], env)
  await until('READY=1', () => said().includes('READY=1'))
  expect(said()).toMatch(/STATUS=Test site at http/)
  await until('two signs of life', () => said().split('WATCHDOG=1').length > 2)
  program.signal('SIGTERM')
  expect(await program.ended).toBe(0)
  await until('STOPPING=1', () => said().includes('STOPPING=1'))
})
