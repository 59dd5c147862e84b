import { randomUUID } from 'node:crypto'
import { startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { startRestDoors } from '../../mocks/rest-door/index.ts'
import { startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { webhookSender } from '../../mocks/webhook-sender/index.ts'
import { given, serve } from './thread.ts'

const { password, secret, webhook } = given
const account = { username: 'bridge', password }

const badges = webhookSender({ url: webhook, hmac: { secret, style: 'github' } })
const panel = await startModbusPanel()
const doors = await startOnvifDoors({
  ...account,
  doors: { 'ED-W': { schedule: 'Unlocked' }, LOBBY: { schedule: 'Unlocked' } },
})
const level3 = await startRestDoors({ ...account, doors: { L3: { schedule: 'Unlocked' } } })
const pager = await startSnppPager({ pagers: ['5550100', '5550101', '5550102'] })

const wires = {
  panel: panel.port,
  doors: doors.url,
  level3: `http://${level3.host}:${level3.port}`,
  pager: pager.port,
}
/** Where they listen. */
export type Wires = typeof wires

serve({ panel, doors, 'level 3 door': level3, pager }, wires, async (request) => {
  if (request.do === 'contact') {
    const { discrete, forMs } = request
    return panel.press(discrete, forMs === undefined ? {} : { forMs })
  }
  if (request.do !== 'call') return
  const { status, body, error } = await badges.send(request.payload, { key: randomUUID() })
  if (status < 200 || status > 299)
    throw new Error(`the webhook answered ${error ?? `${status} ${body.slice(0, 200)}`}`)
})
