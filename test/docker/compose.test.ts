import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { freePort, until } from '../promises/program.ts'
import { build, Composed, docker, folder, inspect, logsOf, sweep } from './containers.ts'

const files = ['compose.yaml', 'compose.workers.yaml', 'compose.demo.yaml']
const images = { REDIS_IMAGE: 'duress-bridge-redis-server', MOSQUITTO_IMAGE: 'duress-bridge-mosquitto' }

beforeAll(build, 300_000)
afterAll(() => sweep())

const composed: Composed[] = []
afterEach(async () => {
  for (const one of composed.splice(0)) await one.down()
})
const start = async (...args: ConstructorParameters<typeof Composed>): Promise<Composed> => {
  const one = new Composed(...args)
  composed.push(one)
  await one.up()
  return one
}

const get = async (url: string): Promise<any> => {
  const response = await fetch(url).catch(() => null)
  return response?.ok ? response.json() : null
}
const linksAreUp = (url: string, count: number): Promise<unknown> =>
  until(`${count} links are up`, async () => {
    const links: { up: boolean }[] = (await get(`${url}/v1/links`))?.links ?? []
    return links.filter(({ up }) => up).length >= count
  })
const paged = (url: string, device: string): Promise<unknown> =>
  until(`security is paged for ${device}`, async () => {
    const { incidents } = await get(`${url}/v1/incidents`)
    const one = incidents.find(({ devices }: { devices: string[] }) => devices.includes(device))
    if (!one) return false
    const { commands } = await get(`${url}/v1/incidents/${one.id}`)
    return commands.some(({ receipt }: any) => receipt?.end === 'done')
  })

describe.each(files)('%s', (file) => {
  test('is one that compose takes, and closes every service', async () => {
    const text = await new Composed(file, [], { ...images, DURESS_SITE: '/s', DURESS_SECRETS: '/c' }).run(
      'config',
    )
    const listed = text.split('\nservices:\n')[1] ?? text
    const count = listed.match(/^ {4}image: /gm)?.length ?? 0
    expect(count).toBeGreaterThan(0)
    for (const line of [
      /read_only: true/g,
      /- no-new-privileges:true/g,
      /- ALL\n/g,
      /max-size: /g,
      /mem_limit: |memory: /g,
    ])
      expect([line, listed.match(line)?.length]).toEqual([line, count])
  })
})

const siteOn = (port: number, more: object = {}) => ({
  site: { name: 'In containers', timezone: 'UTC' },
  api: { listen: `127.0.0.1:${port}` },
  places: { house: { level: 'building', in: { one: { level: 'room' }, other: { level: 'room' } } } },
  connectors: {
    panel: { type: 'modbus', host: '127.0.0.1', port: 9 },
    pagers: { type: 'snpp', host: '127.0.0.1', port: 18_444, 'runs-on': ['edge-1', 'edge-2'] },
  },
  devices: {
    button: { connector: 'panel', input: { discrete: 0, counter: 16 }, place: 'house/one' },
    other: { connector: 'panel', input: { discrete: 1, counter: 18 }, place: 'house/other' },
  },
  responders: { one: { page: { connector: 'pagers', id: '5550100', perceptible: 'vibrate' } } },
  plans: { all: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'one' } }] }] } },
  ...more,
})

test('the bridge alone becomes healthy and takes a press', async () => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const site = siteOn(port)
  const pagers = { type: 'snpp', host: '127.0.0.1', port: 9 }
  const dir = folder({
    'site.yaml': JSON.stringify({ ...site, connectors: { ...site.connectors, pagers } }),
    'secrets/none': '',
  })
  const env = { DURESS_SITE: `${dir}/site.yaml`, DURESS_SECRETS: `${dir}/secrets`, DURESS_URL: url }
  const one = await start('compose.yaml', ['bridge'], env)
  const id = await one.idOf('bridge')
  await until('healthy', async () => (await inspect(id, '.State.Health.Status')) === 'healthy', 40_000)
  await docker('exec', id, 'node', 'main.js', 'press', 'button', '--url', url)
  await until('an incident', async () => (await get(`${url}/v1/incidents`)).incidents.length === 1)
})

test('the demo pages for its button, and for a badge by way of the broker', async () => {
  const url = 'http://127.0.0.1:8088'
  const demo = await start('compose.demo.yaml', ['bridge', 'mocks', 'mosquitto'], images)
  await linksAreUp(url, 3)
  for (const [which, device] of [
    ['lobby', 'lobby-button'],
    ['badge', 'office-badge'],
  ] as const) {
    await demo.run('exec', '-T', 'mocks', 'node', 'docker/demo/press.ts', which)
    await paged(url, device)
  }
  expect(await logsOf(await demo.idOf('mocks'))).toMatch(/^page .*5550100/m)
})

test('two workers page in turn for the bridge: when one is gone, the other does', async () => {
  const [port, redis] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const key = () => randomBytes(32).toString('base64')
  const secrets = {
    'secrets/edge-1.key': key(),
    'secrets/edge-2.key': key(),
    'secrets/redis-bridge': 'one secret',
    'secrets/redis-edge-1': 'another secret',
    'secrets/redis-edge-2': 'a third secret',
    'secrets/redis.acl': [
      'user default off',
      ...['bridge', 'edge-1', 'edge-2'].map((name, index) => {
        const password = ['one secret', 'another secret', 'a third secret'][index]?.replaceAll(' ', '-')
        return `user ${name} on >${password} resetchannels ~duress-bridge* +@all -@admin -@dangerous +info`
      }),
    ].join('\n'),
  }
  for (const name of ['bridge', 'edge-1', 'edge-2'] as const)
    secrets[`secrets/redis-${name}`] = secrets[`secrets/redis-${name}`].replaceAll(' ', '-')
  const queue = {
    redis: `redis://bridge@127.0.0.1:${redis}`,
    password: { file: '/run/secrets/redis-bridge' },
    workers: {
      'edge-1': { key: { file: '/run/secrets/edge-1.key' } },
      'edge-2': { key: { file: '/run/secrets/edge-2.key' } },
    },
  }
  const dir = folder({ 'site.yaml': JSON.stringify(siteOn(port, { queue })), ...secrets })
  const env = {
    ...images,
    REDIS_PORT: `${redis}`,
    DURESS_URL: url,
    DURESS_SITE: `${dir}/site.yaml`,
    DURESS_SECRETS: `${dir}/secrets`,
  }
  const pager = await (await import('../../mocks/snpp-pager/index.ts')).startSnppPager({
    port: 18_444,
    pagers: ['5550100'],
  })
  try {
    const all = await start(
      'compose.workers.yaml',
      ['bridge', 'redis', 'redis-data', 'edge-1', 'edge-2'],
      env,
    )
    const press = async (device: string) => {
      const body = JSON.stringify({ device })
      await fetch(`${url}/v1/presses`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      return pager.journal.expect('page', (page) => JSON.stringify(page) !== '{}')
    }
    await linksAreUp(url, 1)
    const faults = async (): Promise<string> => JSON.stringify((await get(`${url}/v1/faults`)).faults)
    const bridge = await all.idOf('bridge')
    for (const edge of ['edge-1', 'edge-2'])
      await until(`${edge} answers`, async () =>
        new RegExp(`"worker":"${edge}".*"worker fit"`).test(await logsOf(bridge)),
      )
    await press('button')
    await docker('kill', await all.idOf('edge-1'))
    await until('it is seen to be gone', async () => (await faults()).includes('worker edge-1'))
    await press('other')
    expect(pager.journal.count('page')).toBe(2)
  } finally {
    await pager.close()
  }
})
