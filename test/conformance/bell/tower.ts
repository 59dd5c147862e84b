import type { Socket } from 'node:net'
import type { Stage, Subject } from '../../../connectors/conformance/kit.ts'
import type { Connector } from '../../../core/connector.ts'
import { TcpPort } from '../../../mocks/tcp.ts'

const password = 'B3ll+tower/pass%='

/** The peer of the bell connector: rings when told to, and tells each press until it is acknowledged. */
export const bellTower = (connector: Connector): Subject => ({
  connector,
  start: async (): Promise<Stage> => {
    let rung = 0
    let pressed = 0
    const acknowledged = new Set<number>()
    const listeners = new Set<Socket>()
    const tell = (number: number) => {
      for (const socket of listeners) port.answer(socket, `PRESS ${number}\n`)
    }
    const port: TcpPort = new TcpPort((socket) => {
      let rest = ''
      socket.on('close', () => listeners.delete(socket))
      socket.on('data', (bytes) => {
        const lines = (rest + bytes.toString('latin1')).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) port.inItsTime(() => hear(socket, line))
      })
    })
    const hear = (socket: Socket, line: string) => {
      const [verb, word = ''] = line.split(' ')
      const wrong = port.behaviour.is === 'wrong-answer'
      if (verb === 'ACK') acknowledged.add(Number(word))
      if (verb === 'RING') rung++
      if (verb === 'RING') port.answer(socket, wrong ? 'OK another\n' : `OK ${word}\n`)
      if (verb !== 'HELLO') return
      port.answer(socket, wrong ? 'OK another\n' : word === password ? 'OK HELLO\n' : 'NO HELLO\n')
      if (word !== password) return
      listeners.add(socket)
      for (let number = 1; number <= pressed; number++) if (!acknowledged.has(number)) tell(number)
    }
    await port.open()
    return {
      opening: (at) => ({
        config: { port: at, password: { env: 'BELL' } },
        inputs: { button: { button: 1 } },
        outputs: { bell: { bell: 1 } },
      }),
      secrets: { BELL: password },
      peer: {
        port: port.port,
        get openSockets() {
          return port.sockets.size
        },
        behave: (behaviour) => port.behave(behaviour),
        reboot: (awayMs) => port.away(awayMs),
      },
      trials: [{ capability: 'bell.ring', output: 'bell', args: {}, acts: () => rung }],
      buttons: [
        {
          device: 'button',
          press: async () => tell(++pressed),
          restores: false,
          remembers: true,
          acknowledged: () => (acknowledged.has(pressed) ? true : null),
          repeat: async () => tell(pressed),
        },
      ],
      close: () => port.close(),
    }
  },
})
