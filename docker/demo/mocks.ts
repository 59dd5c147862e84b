import { createServer } from 'node:net'
import { startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { startSnppPager } from '../../mocks/snpp-pager/index.ts'

/** Where docker/demo/press.ts asks for a press of the panel's button, on loopback. */
const pressPort = 18_503

const panel = await startModbusPanel({ port: 18_502 })
const pager = await startSnppPager({ port: 18_444, pagers: ['5550100', '5550101'] })
pager.journal.listen(({ what, detail }) => console.log(what, JSON.stringify(detail)))
const button = createServer((socket) => {
  socket.on('error', () => {})
  void panel.press(0).then(() => socket.end())
})
button.listen(pressPort, '127.0.0.1')
console.log('ready: a panel and a paging gateway')

process.once('SIGTERM', () => {
  button.close()
  void Promise.all([panel.close(), pager.close()]).then(() => process.exit(0))
})
