import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { siteText } from '../../cli/fixtures/site.ts'
import { until } from '../promises/program.ts'
import { Booted, installed } from './booted.ts'

const unit = 'duress-bridge'
const url = 'http://127.0.0.1:8080'
const node = 'node_modules/.bin/node'
const cli = `${node} main.js`

const site = siteText({ password: `/run/credentials/${unit}.service/secrets_door` }).replace(
  '"127.0.0.1:0"',
  '"127.0.0.1:8080"',
)

/** The commands of docs/operations.md, without those that bring the program to its place. */
const documented = (): string => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  const [, block = ''] = /## Install, by systemd[\s\S]*?```sh\n([\s\S]*?)```/.exec(text) ?? []
  const lines = block.split('\n').filter((line) => !/^(git clone|npm ci)/.test(line))
  expect(lines.join('\n')).toContain(`systemctl daemon-reload && systemctl enable --now ${unit}`)
  return lines.join('\n')
}

let machine: Booted

beforeAll(async () => {
  machine = await Booted.boot()
  machine.write(`${installed}/site.yaml`, site)
  machine.write(`/etc/duress-bridge/secrets/door`, 'a password')
  machine.write(asker, asking)
  await machine.run(documented())
}, 120_000)

afterAll(() => machine?.end(), 60_000)

const property = (name: string, of = unit): Promise<string> =>
  machine.run(`systemctl show --value --property=${name} ${of}`)

const journal = (of: string): Promise<string> => machine.run(`journalctl --unit ${of} --no-pager`)

/** Asks the API from inside; rejects when it does not answer with a success. */
const ask = async (path: string, body?: object): Promise<any> => {
  const sent = body === undefined ? '' : `'${JSON.stringify(body)}'`
  return JSON.parse(await machine.run(`${node} ${asker} ${url}${path} ${sent}`))
}
const asker = '/root/ask.mjs'
const asking = `
const [url, body] = process.argv.slice(2)
const headers = { 'content-type': 'application/json' }
const answer = await fetch(url, body ? { method: 'POST', headers, body } : {})
console.log(await answer.text())
process.exitCode = answer.ok ? 0 : 1
`

const press = async (key: string): Promise<string> =>
  (await ask('/v1/presses', { device: 'lobby-button', key })).incident

const backAgain = (restarts: number, what = unit): Promise<unknown> =>
  until('systemd has started it again', async () => {
    if ((await property('NRestarts', what)) !== `${restarts}`) return false
    return (await property('ActiveState', what)) === 'active'
  })

test('installed as documented it runs, is well, and takes a press', async () => {
  expect(await property('ActiveState')).toBe('active')
  expect(await machine.run(`${cli} healthy --url ${url}`)).toBe('alive')
  expect(await press('first')).toMatch(/^[\w-]{20,}$/)
})

test('it has a user of its own, no right beyond that, and its data alone to write to', async () => {
  const pid = await property('MainPID')
  const status = await machine.run(`cat /proc/${pid}/status`)
  const uid = await machine.run(`id -u ${unit}`)
  expect(Number(uid)).toBeGreaterThan(0)
  expect(status).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'))
  expect(status).toMatch(/^CapBnd:\t0+$/m)
  expect(status).toMatch(/^NoNewPrivs:\t1$/m)
  expect(status).toMatch(/^Seccomp:\t2$/m)
  const writes = (path: string) =>
    machine.run(`nsenter --target ${pid} --mount touch ${path} && echo written || echo refused`)
  expect(await writes('/var/lib/duress-bridge/by-test')).toBe('written')
  for (const path of [
    '/etc/by-test',
    `${installed}/by-test`,
    '/usr/by-test',
    '/var/by-test',
    '/root/by-test',
  ])
    expect(await writes(path), path).toBe('refused')
})

test('secrets come from systemd: the file of the config is there for it, and the original for root alone', async () => {
  const pid = await property('MainPID')
  const seen = `nsenter --target ${pid} --mount setpriv --reuid=${unit} --clear-groups cat`
  expect(await machine.run(`${seen} /run/credentials/${unit}.service/secrets_door`)).toBe('a password')
  await expect(machine.run(`${seen} /etc/duress-bridge/secrets/door`)).rejects.toThrow('Permission denied')
  const { faults } = await ask('/v1/faults')
  expect(JSON.stringify(faults)).not.toContain('secrets_door')
})

test('killed, it is started again, with what it had acknowledged', async () => {
  const incident = await press('before the kill')
  const killedAt = process.hrtime.bigint() / 1_000n
  await machine.run(`systemctl kill --signal=KILL ${unit}`)
  await backAgain(1)
  expect((await ask(`/v1/incidents/${incident}`)).incident).toMatchObject({ id: incident })
  const readyAt = BigInt(await property('ActiveEnterTimestampMonotonic'))
  console.log(`kill -9 until it is ready: ${(readyAt - killedAt) / 1_000n} ms`)
})

test('when it hangs, the watchdog of systemd has it started again', async () => {
  machine.write(`/etc/systemd/system/${unit}.service.d/soon.conf`, '[Service]\nWatchdogSec=2\n')
  await machine.run(`systemctl daemon-reload && systemctl restart ${unit}`)
  const before = Number(await property('NRestarts'))
  await machine.run(`kill -STOP ${await property('MainPID')}`)
  await backAgain(before + 1)
  expect(await journal(unit)).toContain('Watchdog timeout')
})

test('reloaded, it takes a changed config; with findings the running one stays', async () => {
  const devices = async (): Promise<string[]> =>
    (await ask('/v1/devices')).devices.map(({ name }: { name: string }) => name)
  const reload = (text: string) => {
    machine.write('/etc/duress-bridge/site.yaml', text)
    return machine.run(`systemctl reload ${unit}`)
  }
  const another = '  office-button: { connector: panel, input: { discrete: 1 }, place: house/office }\n'
  await reload(site.replace('devices:\n', `devices:\n${another}`))
  // It closes its API for a moment.
  await until('the new button is there', () =>
    devices().then(
      (all) => all.includes('office-button'),
      () => false,
    ),
  )
  await reload(site.replace('level: building', 'level: bilding'))
  await until('the finding is told', async () => (await journal(unit)).includes('bilding'))
  expect(await devices()).toContain('office-button')
})

test('a worker of its own unit is used, and again after a kill', async () => {
  const worker = 'duress-bridge-worker@edge-1'
  const key = await machine.run('openssl rand -base64 32')
  const files = {
    'secrets/redis': 'bridge',
    'secrets/edge-1': key,
    'worker-edge-1.key': key,
    'worker-edge-1.redis-password': 'worker',
    'worker-edge-1.env': 'REDIS=redis://edge-1@127.0.0.1\n',
  }
  for (const [name, text] of Object.entries(files)) machine.write(`/etc/duress-bridge/${name}`, text)
  const users = '--user bridge on ">bridge" "~*" +@all --user edge-1 on ">worker" "~*" +@all'
  await machine.run(`systemd-run --quiet --unit=queue redis-server --bind 127.0.0.1 --save "" ${users}`)
  const secret = (name: string) => `{ file: /run/credentials/${unit}.service/secrets_${name} }`
  const queue = `queue:
  redis: redis://bridge@127.0.0.1
  password: ${secret('redis')}
  workers: { edge-1: { key: ${secret('edge-1')} } }
`
  const text = queue + site.replace('type: snpp', 'runs-on: [edge-1], type: snpp')
  machine.write('/etc/duress-bridge/site.yaml', text)
  await machine.run(`cp docker/systemd/duress-bridge-worker@.service /etc/systemd/system/
systemctl daemon-reload
systemctl restart ${unit}
systemctl enable --now ${worker}`)
  const isUsed = async (): Promise<boolean> => {
    const links = JSON.stringify(await ask('/v1/links'))
    const faults = JSON.stringify(await ask('/v1/faults'))
    return links.includes('pagers on edge-1') && !faults.includes('worker:edge-1')
  }
  await until('the worker is used', isUsed)
  await machine.run(`systemctl kill --signal=KILL ${worker}`)
  await backAgain(1, worker)
  await until('the worker is used again', isUsed)
})

test('stopped, it ends in order', async () => {
  await machine.run(`systemctl stop ${unit}`)
  expect(await property('Result')).toBe('success')
  expect(await property('ExecMainStatus')).toBe('0')
})
