import { randomUUID } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import type { Received } from '../../mocks/mock.ts'
import { startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { startRestDoors } from '../../mocks/rest-door/index.ts'
import { startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { webhookSender } from '../../mocks/webhook-sender/index.ts'

/** What the mocks are started with. */
export interface Given {
  readonly password: string
  readonly secret: string
  /** Where the badge system calls. */
  readonly webhook: string
}

/** Where they listen. */
export interface Wires {
  readonly panel: number
  readonly camera: string
  readonly lobbyCamera: string
  readonly doors: string
  readonly level3: string
  readonly pager: number
}

/** What can be asked of them. */
export type Request =
  | { readonly do: 'contact'; readonly discrete: number; readonly forMs?: number }
  | { readonly do: 'call'; readonly payload: Json }
  | { readonly do: 'close' }

export type Reply =
  | { readonly is: 'ready'; readonly wires: Wires }
  | { readonly is: 'received'; readonly mock: string; readonly received: Received }
  | { readonly is: 'done'; readonly id: number; readonly error: string | null }

const { password, secret, webhook } = workerData as Given
const account = { username: 'bridge', password }
const presets = (...names: string[]) =>
  Object.fromEntries(names.map((name, index) => [String(index + 1), name]))

const badges = webhookSender({ url: webhook, hmac: { secret, style: 'github' } })
const mocks = {
  panel: await startModbusPanel(),
  camera: await startOnvifCamera({ ...account, presets: presets('TRIAGE 1', 'TRIAGE 2', 'ED HALL') }),
  lobbyCamera: await startOnvifCamera({ ...account, presets: presets('LOBBY', 'PHARMACY') }),
  doors: await startOnvifDoors({
    ...account,
    doors: { 'ED-W': { schedule: 'Unlocked' }, LOBBY: { schedule: 'Unlocked' } },
  }),
  level3: await startRestDoors({ ...account, doors: { L3: { schedule: 'Unlocked' } } }),
  pager: await startSnppPager({ pagers: ['5550100', '5550101'] }),
}

const tell = (reply: Reply): void => parentPort?.postMessage(reply)

const carryOut = async (request: Request): Promise<void> => {
  switch (request.do) {
    case 'contact': {
      const { discrete, forMs } = request
      return mocks.panel.press(discrete, forMs === undefined ? {} : { forMs })
    }
    case 'call': {
      const { status, body, error } = await badges.send(request.payload, { key: randomUUID() })
      if (status < 200 || status > 299)
        throw new Error(`the webhook answered ${error ?? `${status} ${body.slice(0, 200)}`}`)
      return
    }
    case 'close':
      await Promise.all(Object.values(mocks).map((mock) => mock.close()))
  }
}

parentPort?.on('message', ({ id, request }: { id: number; request: Request }) => {
  carryOut(request).then(
    () => tell({ is: 'done', id, error: null }),
    (error: unknown) => tell({ is: 'done', id, error: messageOf(error) }),
  )
})
for (const [mock, { journal }] of Object.entries(mocks))
  journal.listen((received) => tell({ is: 'received', mock, received }))
tell({
  is: 'ready',
  wires: {
    panel: mocks.panel.port,
    camera: mocks.camera.url,
    lobbyCamera: mocks.lobbyCamera.url,
    doors: mocks.doors.url,
    level3: `http://${mocks.level3.host}:${mocks.level3.port}`,
    pager: mocks.pager.port,
  },
})
