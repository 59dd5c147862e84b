import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Node-RED without editor, on loopback, with a folder of its own: `http in`, a function that checks the token and makes
 * ten messages, the answer, one `http request` for all of them with connections that stay, and a second later another
 * try for what failed. Returns its arguments.
 */
export const writeNodeRed = (dir: string, port: number, targets: readonly number[]): string[] => {
  const settings = {
    uiHost: '127.0.0.1',
    uiPort: port,
    httpAdminRoot: false,
    disableEditor: true,
    telemetry: { enabled: false, updateNotification: false },
    diagnostics: { enabled: false, ui: false },
    externalModules: { autoInstall: false, palette: { allowInstall: false, allowUpload: false } },
    // What it writes on a console for each failure would be measured too.
    logging: { console: { level: 'off', metrics: false, audit: false } },
  }
  const settingsFile = join(dir, 'settings.js')
  const flowFile = join(dir, 'flows.json')
  writeFileSync(settingsFile, `module.exports = ${JSON.stringify(settings)}`)
  writeFileSync(flowFile, JSON.stringify(flowOf(targets)))
  return ['--userDir', dir, '--settings', settingsFile, '--no-telemetry', flowFile]
}

const flowOf = (targets: readonly number[]): object[] => [
  { id: 'flow', type: 'tab', label: 'Presses' },
  { ...at('in', 'http in', [['fan-out']]), url: '/', method: 'post' },
  {
    ...at('fan-out', 'function', [['answer'], ['send']]),
    outputs: 2,
    func: `
      if (msg.req.headers.authorization !== 'Bearer bench') {
        msg.statusCode = 401
        return [msg, null]
      }
      const press = msg.payload
      const out = ${JSON.stringify(targets)}.map((port, n) => {
        const headers = { 'content-type': 'application/json', 'idempotency-key': press.key + '/' + n }
        return { url: 'http://127.0.0.1:' + port + '/event', headers, payload: press, press, n, tries: 1 }
      })
      msg.payload = { incident: press.key }
      return [msg, out]`,
  },
  at('answer', 'http response', []),
  { ...at('send', 'http request', [[]]), method: 'POST', ret: 'txt', url: '', persist: true, senderr: true },
  { ...at('failed', 'catch', [['again']]), scope: ['send'] },
  {
    ...at('again', 'function', [['later']]),
    outputs: 1,
    func: `
      const { url, press, n, tries } = msg
      if (tries === 30) return null
      const headers = { 'content-type': 'application/json', 'idempotency-key': press.key + '/' + n }
      return { url, headers, payload: press, press, n, tries: tries + 1 }`,
  },
  { ...at('later', 'delay', [['send']]), pauseType: 'delay', timeout: '1', timeoutUnits: 'seconds' },
]

const at = (id: string, type: string, wires: string[][]) => ({ id, type, z: 'flow', x: 0, y: 0, wires })
