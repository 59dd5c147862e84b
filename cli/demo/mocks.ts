import { randomUUID } from 'node:crypto'
import { dc09Panel } from '../../mocks/dc09-panel/index.ts'
import { startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { startRestDoors } from '../../mocks/rest-door/index.ts'
import { startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { wctpSender } from '../../mocks/wctp-sender/index.ts'
import { webhookSender } from '../../mocks/webhook-sender/index.ts'
import { given, type Request, serve } from './thread.ts'

/** How often the alarm panel says that it is there: three times as often as the config expects it, ms. */
const supervisionMs = 20_000
/** The panel's spare relay and the input that it is wired to, for the heartbeat. */
const spare = { coil: 9, input: 14 }

const { password, secret, webhook, keypads, nurseCall, phone } = given
const account = { username: 'bridge', password }

const badges = webhookSender({ url: webhook, hmac: { secret, style: 'github' } })
const keypad = dc09Panel({ port: keypads.port, account: '0809', key: Buffer.from(keypads.key, 'hex') })
keypad.superviseEvery(supervisionMs)
const nurses = wctpSender({ url: nurseCall.url, senderID: 'nurse-call', securityCode: nurseCall.code })
const panel = await startModbusPanel()
panel.journal.listen(({ what, detail: { address, value } }) => {
  if (what === 'write coil' && address === spare.coil) panel.set(spare.input, value === true)
})
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

/** Presses as each sender does; rejects with what it was answered when that is no acknowledgement. */
const send = async (request: Request): Promise<void> => {
  switch (request.do) {
    case 'contact':
      return panel.press(request.discrete, request.forMs === undefined ? {} : { forMs: request.forMs })
    case 'call': {
      const { status, body, error } = await badges.send(request.payload, { key: randomUUID() })
      return mustBe(status >= 200 && status < 300, `the webhook answered ${error ?? `${status} ${body}`}`)
    }
    case 'report': {
      const answer = await keypad.send(request.event, { attempts: 2 })
      return mustBe(answer?.is === 'ACK', `the receiver answered ${answer?.is ?? 'nothing'}`)
    }
    case 'page': {
      const { status, code } = await nurses.submit({ to: 'SECURITY', text: request.text })
      return mustBe(code === 200, `the carrier answered ${code || status || 'nothing'}`)
    }
    case 'phone': {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${phone.token}` }
      const body = JSON.stringify(request.press)
      const response = await fetch(phone.url, { method: 'POST', headers, body })
      return mustBe(response.status === 201, `the API answered ${response.status} ${await response.text()}`)
    }
    case 'close':
      return keypad.close()
  }
}

const mustBe = (isRight: boolean, otherwise: string): void => {
  if (!isRight) throw new Error(otherwise.slice(0, 200))
}

serve({ panel, doors, 'level 3 door': level3, pager }, wires, send)
