import { AttributeIds, type ClientSession, DataType, OPCUAClient } from 'node-opcua'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type OpcuaServer, startOpcuaServer } from './index.ts'

let server: OpcuaServer
beforeAll(async () => {
  server = await startOpcuaServer({ alarms: ['Duress'], doors: { 'ED-W': { schedule: 'Unlocked' } } })
})
afterAll(() => server.close())

/** With the library's own client. */
const withSession = async <T>(work: (session: ClientSession) => Promise<T>) => {
  const client = OPCUAClient.create({ endpointMustExist: false, connectionStrategy: { maxRetry: 0 } })
  await client.connect(server.url)
  try {
    const session = await client.createSession()
    try {
      return await work(session)
    } finally {
      await session.close()
    }
  } finally {
    await client.disconnect()
  }
}

const value = (node: string) => ({ nodeId: server.id(node), attributeId: AttributeIds.Value })

test('a press moves level, counter and latch; writing Reset clears the latch', async () => {
  await server.press(1, { hold: true })
  await withSession(async (session) => {
    const read = async () =>
      (await session.read(['Button1', 'Counter1', 'Latched1'].map(value))).map((each) => each.value.value)
    expect(await read()).toEqual([true, 1, true])
    server.release(1)
    await session.write({ ...value('Reset1'), value: { value: { dataType: DataType.Boolean, value: true } } })
    expect(await read()).toEqual([false, 1, false])
  })
  await server.journal.expect('write', ({ node }) => node === 'Reset1')
})

test('relays are written, buttons are not, and a type that is wrong is refused', async () => {
  await withSession(async (session) => {
    const write = async (node: string, dataType: DataType, of: unknown) =>
      (await session.write({ ...value(node), value: { value: { dataType, value: of } } })).name
    expect(await write('Relay1', DataType.Boolean, true)).toBe('Good')
    expect(server.get('Relay1')).toBe(true)
    expect(await write('Relay1', DataType.Int32, 1)).toBe('BadTypeMismatch')
    expect(await write('Button1', DataType.Boolean, true)).toBe('BadNotWritable')
    server.relayStuck(1)
    expect(await write('Relay1', DataType.Boolean, false)).toBe('Good')
    expect(server.get('Relay1')).toBe(true)
  })
})

test('a door obeys its methods and says its mode', async () => {
  await withSession(async (session) => {
    const call = async (method: string) =>
      (await session.call({ objectId: server.id('ED-W'), methodId: server.id(`ED-W.${method}`) })).statusCode
        .name
    const mode = async () => (await session.read(value('ED-W.State'))).value.value
    expect(await mode()).toBe(2)
    expect(await call('Lockdown')).toBe('Good')
    expect(await mode()).toBe(5)
    expect(await call('Secure')).toBe('BadInvalidState')
    expect(await call('Release')).toBe('Good')
    expect(await mode()).toBe(2)
  })
})

test('a reboot forgets sessions and counters, and comes back on its port', async () => {
  const { port } = server
  const sessions: number[] = []
  // The client can't say goodbye to who has forgotten it.
  await withSession(async () => {
    sessions.push(server.sessions)
    await server.reboot(20)
    sessions.push(server.sessions)
  }).catch(() => {})
  expect(sessions).toEqual([1, 0])
  expect(server.port).toBe(port)
  expect(server.get('Counter1')).toBe(0)
  await withSession(async (session) => expect((await session.read(value('Counter1'))).value.value).toBe(0))
  await vi.waitFor(() => expect(server.openSockets).toBe(0))
})
