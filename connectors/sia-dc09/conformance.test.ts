import { test } from 'vitest'
import { type Dc09Panel, dc09Panel, type PanelOptions } from '../../mocks/dc09-panel/index.ts'
import { type Button, cases, type Stage } from '../conformance/kit.ts'
import { freePort } from './fixtures/stage.ts'
import receiver from './index.ts'

const key = '9F3A77C1D2E84B60A5149EC8037BD2F1'

const ways = {
  plain: { account: {}, panel: {} },
  encrypted: { account: { key: { env: 'KEY' } }, panel: { key: Buffer.from(key, 'hex') } },
  'binary CRC': { account: {}, panel: { binaryCrc: true, receiver: '1' } },
  udp: { account: {}, panel: { udp: true } },
} as const

const start = async (way: keyof typeof ways): Promise<Stage> => {
  const port = await freePort()
  const { account, panel: own } = ways[way]
  const at: Omit<PanelOptions, 'account'> = { port, ...own }
  const panels: Dc09Panel[] = [dc09Panel({ ...at, account: '0809' }), dc09Panel({ ...at, account: '9999' })]
  const [panel, foreign] = panels as [Dc09Panel, Dc09Panel]
  let heard = 0
  /** The panel waits for its answer for as long as the disk takes; the press is made before. */
  const start = async (sent: Promise<unknown>) => {
    await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 50))])
  }
  const button = (device: string, data: string): Button => ({
    device,
    press: async () => {
      heard = panel.answers.length
      await start(panel.send(data))
    },
    restores: false,
    remembers: false,
    acknowledged: () => {
      const answers = panel.answers.slice(heard)
      return answers.length === 0 ? null : answers.some(({ is }) => is === 'ACK')
    },
    repeat: () => start(panel.again({ attempts: 5, withinMs: 200 })),
    stranger: async () => void (await foreign.send(data)),
  })
  return {
    opening: () => ({
      config: {
        listen: `127.0.0.1:${port}`,
        accounts: { '0809': { interval: '60s', ...account } },
        ...(way === 'udp' && { udp: `127.0.0.1:${port}` }),
      },
      inputs: {
        button: { account: '0809', zone: 12 },
        nurse: { account: '0809', user: '003' },
        panel: { account: '0809' },
      },
    }),
    secrets: way === 'encrypted' ? { KEY: key } : {},
    listensOn: port,
    buttons: [button('button', 'Nri1/PA012'), button('nurse', '1121 01 003')],
    close: async () => {
      await Promise.all(panels.map((each) => each.close()))
    },
  }
}

const all = await cases(
  { name: 'plain', connector: receiver, start: () => start('plain') },
  { name: 'encrypted', connector: receiver, start: () => start('encrypted') },
  { name: 'binary CRC', connector: receiver, start: () => start('binary CRC') },
  { name: 'udp', connector: receiver, start: () => start('udp') },
)
for (const { name, run } of all) test(name, run)
