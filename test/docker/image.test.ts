import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, until } from '../promises/program.ts'
import {
  build,
  docker,
  folder,
  image,
  inspect,
  logsOf,
  startBridge,
  sweep,
  uid,
  volume,
} from './containers.ts'

/** The image may be this large, bytes: Node is half of it. */
const sizeMax = 300 * 1_048_576

const siteOn = (port: number): string =>
  JSON.stringify({
    site: { name: 'In a container', timezone: 'UTC' },
    api: { listen: `127.0.0.1:${port}` },
    places: { house: { level: 'building', in: { lobby: { level: 'zone' } } } },
    connectors: {
      panel: { type: 'modbus', host: '127.0.0.1', port: 9 },
      pagers: { type: 'snpp', host: '127.0.0.1', port: 9 },
    },
    devices: { button: { connector: 'panel', input: { discrete: 0, counter: 16 }, place: 'house/lobby' } },
    responders: { one: { page: { connector: 'pagers', id: '1', perceptible: 'vibrate' } } },
    plans: { all: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'one' } }] }] } },
  })

beforeAll(build, 300_000)
afterAll(() => sweep())

const newBridge = async (name: string) => {
  const port = await freePort()
  const bridge = {
    site: `${folder({ 'site.yaml': siteOn(port) })}/site.yaml`,
    data: await volume(name),
    url: `http://127.0.0.1:${port}`,
  }
  return { bridge, url: bridge.url }
}

const healthy = (id: string): Promise<unknown> =>
  until('the container is healthy', async () => {
    const [health, isRunning] = (await inspect(id, '.State.Health.Status}} {{.State.Running')).split(' ')
    if (isRunning !== 'true') throw new Error(`it ended:\n${await logsOf(id)}`)
    return health === 'healthy'
  })

const press = async (url: string, key: string): Promise<{ status: number; incident: string }> => {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ device: 'button', key })
  const response = await fetch(`${url}/v1/presses`, { method: 'POST', headers, body })
  return { status: response.status, incident: ((await response.json()) as { incident: string }).incident }
}

describe('the image', () => {
  test('is small, names no user that could be root, and brings no shell', async () => {
    expect(Number(await docker('image', 'inspect', '--format', '{{.Size}}', image))).toBeLessThan(sizeMax)
    expect(await docker('image', 'inspect', '--format', '{{.Config.User}}', image)).toBe(`${uid}:${uid}`)
    await expect(docker('run', '--rm', '--network', 'none', '--entrypoint', 'sh', image)).rejects.toThrow(
      /sh/,
    )
  })

  test('has no tests, nothing of the machine that built it, and nothing for development', async () => {
    const list = "console.log(require('fs').readdirSync(process.argv[1], { recursive: true }).join('\\n'))"
    const all = await docker(
      'run',
      '--rm',
      '--network',
      'none',
      '--entrypoint',
      'node',
      image,
      '-e',
      list,
      '/app',
    )
    const files = all.split('\n').filter((file) => !/^node_modules\/.*\//.test(file))
    expect(files).toContain('main.js')
    expect(files.filter((file) => /\.test\.ts$|secrets|\.git$|^test/.test(file))).toEqual([])
    expect(files).not.toContain('node_modules/vitest')
  })
})

describe('a container of it', () => {
  test('becomes healthy on a read-only root without rights, answers a press, and ends within 2 s with 0', async () => {
    const { bridge, url } = await newBridge('one')
    const id = await startBridge(bridge)
    await healthy(id)
    const uids =
      "require('fs').readFileSync('/proc/1/status','utf8').match(/Uid:.*|CapEff:.*|NoNewPrivs:.*/g)"
    const status = await docker('exec', id, 'node', '-p', uids)
    expect(status).toContain(`${uid}\\t${uid}\\t${uid}\\t${uid}`)
    expect(status).toContain('CapEff:\\t0000000000000000')
    expect(status).toContain('NoNewPrivs:\\t1')
    await expect(
      docker('exec', id, 'node', '-e', "require('fs').writeFileSync('/app/x','')"),
    ).rejects.toThrow('read-only file system')
    const first = await press(url, 'a')
    expect(first.status).toBe(201)
    expect(await docker('exec', id, 'node', 'main.js', 'doors', '--url', url)).toBeDefined()
    // Who has not ended by then is killed, and that is 137.
    await docker('stop', '--time', '2', id)
    expect(await inspect(id, '.State.ExitCode')).toBe('0')

    // What was recorded is there for a new container on the same volume, which knows the press again.
    const next = await startBridge(bridge)
    await healthy(next)
    expect(await press(url, 'a')).toMatchObject({ incident: first.incident })
    await docker('rm', '--force', id, next)
  })

  test('is refused on the data of one that runs', async () => {
    const { bridge } = await newBridge('owned')
    const id = await startBridge(bridge)
    await healthy(id)
    const { bridge: other } = await newBridge('other')
    const second = await startBridge({ ...bridge, site: other.site })
    expect(await docker('wait', second)).toBe('1')
    expect(await logsOf(second)).toContain('[DATA_IN_USE]')
    await docker('rm', '--force', id, second)
  })

  test('is there again when it was killed, with what it had acknowledged', async () => {
    const { bridge, url } = await newBridge('killed')
    const id = await startBridge({ ...bridge, more: ['--restart', 'always'] })
    await healthy(id)
    const { incident } = await press(url, 'a')
    const pid = Number(await inspect(id, '.State.Pid'))
    process.kill(pid, 'SIGKILL')
    const killedAt = performance.now()
    await until('it answers again', () =>
      fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
    console.log(`kill -9 until it answers: ${Math.round(performance.now() - killedAt)} ms`)
    expect(Number(await inspect(id, '.State.Pid'))).not.toBe(pid)
    expect(await press(url, 'a')).toMatchObject({ incident })
    await docker('rm', '--force', id)
  })

  test('backs itself up while it runs', async () => {
    const { bridge, url } = await newBridge('backup')
    const id = await startBridge(bridge)
    await healthy(id)
    await press(url, 'a')
    const data = '/var/lib/duress-bridge'
    expect(
      await docker('exec', id, 'node', 'main.js', 'backup', '--data', data, '--to', `${data}/backups/first`),
    ).toContain('Backed up to')
    await docker('rm', '--force', id)
  })
})
