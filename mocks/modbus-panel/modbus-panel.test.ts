import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { Dial } from '../dial.ts'
import { type ModbusPanel, type ModbusPanelOptions, startModbusPanel } from './index.ts'

// The PDUs are the examples of the Modbus Application Protocol Specification V1.1b3, sections 6.1 to 6.12.
let panel: ModbusPanel
let client: Dial

const start = async (options: ModbusPanelOptions = {}) => {
  panel = await startModbusPanel({ discretes: 512, coils: 512, registers: 512, ...options })
  client = await Dial.to(panel.port)
}

afterEach(async () => {
  await client.end()
  await panel.close()
})

let transaction = 0
const frame = (pdu: string, { id = ++transaction, unit = 1 } = {}): Buffer => {
  const body = Buffer.from(pdu.replaceAll(' ', ''), 'hex')
  const header = Buffer.from([id >> 8, id & 0xff, 0, 0, 0, body.length + 1, unit])
  return Buffer.concat([header, body])
}

/** The next answer's PDU, as hex in pairs. */
const answer = async (from = client): Promise<string> => {
  const header = await from.read(7)
  const pdu = await from.read(header.readUInt16BE(4) - 1)
  return pdu
    .toString('hex')
    .replace(/(..)(?!$)/g, '$1 ')
    .toUpperCase()
}

const ask = (pdu: string, unit = 1): Promise<string> => {
  client.send(frame(pdu, { unit }))
  return answer()
}

describe('answers as the specification shows', () => {
  test('a whole frame: 00 01 00 00 00 06 11 02 00 C4 00 16', async () => {
    await start({ units: [0x11] })
    for (const bit of [2, 3, 5, 7, 8, 9, 11, 12, 14, 15, 16, 18, 20, 21]) panel.set(0xc4 + bit, true)
    client.send(Buffer.from('00010000000611' + '0200c40016', 'hex'))
    expect((await client.read(12)).toString('hex')).toBe('00010000000611' + '0203acdb35')
  })

  test('read coils, 6.1', async () => {
    await start()
    for (const bit of [0, 2, 3, 6, 7, 8, 9, 11, 13, 14, 16, 18]) panel.setCoil(0x13 + bit, true)
    expect(await ask('01 00 13 00 13')).toBe('01 03 CD 6B 05')
  })

  test('read holding and input registers, 6.3 and 6.4', async () => {
    await start()
    panel.setRegister(0x6b, 0x022b)
    panel.setRegister(0x6d, 0x0064)
    panel.setRegister(0x08, 0x000a, { table: 'input' })
    expect(await ask('03 00 6B 00 03')).toBe('03 06 02 2B 00 00 00 64')
    expect(await ask('04 00 08 00 01')).toBe('04 02 00 0A')
  })

  test('write one coil and one register, 6.5 and 6.6', async () => {
    await start()
    expect(await ask('05 00 AC FF 00')).toBe('05 00 AC FF 00')
    expect(panel.coil(0xac)).toBe(true)
    expect(await ask('06 00 01 00 03')).toBe('06 00 01 00 03')
    expect(panel.register(1)).toBe(3)
    await panel.journal.expect('write coil', (it) => it.unit === 1 && it.address === 0xac && it.value)
    await panel.journal.expect('write register', (it) => it.address === 1 && it.value === 3)
    panel.journal.verify()
  })

  test('write many coils and registers, 6.11 and 6.12', async () => {
    await start()
    expect(await ask('0F 00 13 00 0A 02 CD 01')).toBe('0F 00 13 00 0A')
    expect(await ask('01 00 13 00 0A')).toBe('01 02 CD 01')
    expect(await ask('10 00 01 00 02 04 00 0A 01 02')).toBe('10 00 01 00 02')
    expect(await ask('03 00 01 00 02')).toBe('03 04 00 0A 01 02')
    expect(panel.journal.count('write coil')).toBe(10)
  })

  test.each([
    ['illegal function', '2B 0E 01 00', 'AB 01'],
    ['addresses beyond the last coil, 7', '01 04 A1 00 01', '81 02'],
    ['a range that ends beyond', '02 01 FF 00 02', '82 02'],
    ['no bit', '01 00 00 00 00', '81 03'],
    ['2,001 bits', '02 00 00 07 D1', '82 03'],
    ['126 registers', '03 00 00 00 7E', '83 03'],
    ['a coil that is neither on nor off', '05 00 01 12 34', '85 03'],
    ['a byte count that is not the quantity', '0F 00 00 00 0A 01 FF', '8F 03'],
    ['registers with bytes missing', '10 00 00 00 02 04 00 01', '90 03'],
    ['a request cut short', '04 00', '84 03'],
  ])('%s is refused', async (_, request, expected) => {
    await start()
    expect(await ask(request)).toBe(expected)
    expect(await ask('01 00 00 00 01')).toBe('01 01 00')
  })
})

describe('inputs', () => {
  test('a press is seen in the level while it lasts and in the counter for ever', async () => {
    await start()
    await panel.press(1, { hold: true })
    expect(await ask('02 00 00 00 08')).toBe('02 01 02')
    panel.release(1)
    expect(await ask('02 00 00 00 08')).toBe('02 01 00')
    expect(await ask('04 00 10 00 04')).toBe('04 08 00 00 00 00 00 00 00 01')
  })

  test('a held press counts once, and a raw contact does not count', async () => {
    await start()
    await panel.press(0, { hold: true })
    await panel.press(0, { hold: true })
    panel.set(3, true)
    expect(await ask('02 00 00 00 08')).toBe('02 01 09')
    panel.release(0)
    expect([panel.counter(0), panel.counter(3), panel.active(0)]).toEqual([1, 0, false])
  })

  test('counters have two words in either order, at the register and in the table that are asked for', async () => {
    await start({ wordOrder: 'lo-hi', counters: { at: 0x20, table: 'holding' } })
    panel.setCounter(1, 0x0001ffff)
    await panel.press(1, { forMs: 1 })
    expect(await ask('03 00 22 00 02')).toBe('03 04 00 00 00 02')
    panel.setCounter(1, 0xffffffff)
    await panel.press(1, { forMs: 1 })
    expect(panel.counter(1)).toBe(0)
  })

  test('a latched input stays active until its coil is written, and as long as it is pressed', async () => {
    await start()
    panel.latch(2, 9)
    await panel.press(2, { hold: true })
    await ask('05 00 09 FF 00')
    expect(panel.active(2)).toBe(true)
    panel.release(2)
    expect(panel.active(2)).toBe(false)
    await panel.press(2, { forMs: 1 })
    expect(panel.active(2)).toBe(true)
    await ask('05 00 09 FF 00')
    expect([panel.active(2), panel.coil(9)]).toEqual([false, false])
  })

  test('a stuck relay says yes and stays', async () => {
    await start()
    panel.relayStuck(5)
    expect(await ask('05 00 05 FF 00')).toBe('05 00 05 FF 00')
    expect(await ask('01 00 05 00 01')).toBe('01 01 00')
    panel.relayStuck(5, false)
    await ask('05 00 05 FF 00')
    expect(panel.coil(5)).toBe(true)
  })
})

describe('units', () => {
  test('fail with the exception that was scripted, everywhere or at some addresses', async () => {
    await start({ units: [1, 2] })
    panel.fail(1, 6)
    panel.fail(2, 4, { from: 8, to: 9 })
    expect(await ask('02 00 00 00 01', 1)).toBe('82 06')
    expect(await ask('02 00 00 00 09', 2)).toBe('82 04')
    expect(await ask('02 00 00 00 08', 2)).toBe('02 01 00')
    expect(await ask('05 00 09 FF 00', 2)).toBe('85 04')
    await panel.journal.expect('write coil', (it) => it.exception === 4)
    panel.heal(1)
    expect(await ask('02 00 00 00 01', 1)).toBe('02 01 00')
  })

  test('a dead unit is never answered, and does not hold up the others on a parallel bus', async () => {
    await start({ units: [1, 2] })
    panel.kill(2)
    client.send(frame('05 00 00 FF 00', { unit: 2 }))
    expect(await ask('02 00 00 00 01', 1)).toBe('02 01 00')
    expect([client.unread.length, panel.coil(0, { unit: 2 }), panel.journal.all.length]).toEqual([
      0,
      false,
      0,
    ])
  })

  test.each(['per-socket', 'serial'] as const)('on a %s bus a dead unit holds up the others', async (bus) => {
    await start({ units: [1, 2], bus, gatewayTimeoutMs: 200 })
    panel.kill(2)
    client.send(Buffer.concat([frame('02 00 00 00 01', { unit: 2 }), frame('02 00 00 00 01', { unit: 1 })]))
    const order: string[] = []
    const second = await Dial.to(panel.port)
    second.send(frame('01 00 00 00 01'))
    const other = answer(second).then((pdu) => order.push(pdu))
    order.push(await answer())
    order.push(await answer())
    await other
    await second.end()
    if (bus === 'serial') expect(order).toEqual(['82 0B', '02 01 00', '01 01 00'])
    else expect(order).toEqual(['01 01 00', '82 0B', '02 01 00'])
  })

  test('polls can be counted and waited for', async () => {
    await start({ units: [1, 2] })
    const polled = panel.polled(2, 2)
    await ask('02 00 00 00 01', 2)
    await ask('04 00 10 00 02', 2)
    await polled
    await ask('05 00 00 FF 00', 2)
    expect([panel.reads(1), panel.reads(2)]).toEqual([0, 2])
    await expect(panel.polled(1, 1, { withinMs: 10 })).rejects.toThrow('1 to go')
  })
})

describe('behaviours', () => {
  test('slow acts and answers late', async () => {
    await start()
    panel.behave({ is: 'slow', ms: 30 })
    client.send(frame('05 00 00 FF 00'))
    const before = panel.coil(0)
    await answer()
    expect([before, panel.coil(0)]).toEqual([false, true])
  })

  test('half-open acts and says nothing', async () => {
    await start()
    panel.behave({ is: 'half-open' })
    client.send(frame('05 00 00 FF 00'))
    await panel.journal.expect('write coil')
    panel.behave({ is: 'normal' })
    expect(await ask('01 00 00 00 01')).toBe('01 01 01')
  })

  test('garbage is no Modbus', async () => {
    await start()
    panel.behave({ is: 'garbage' })
    client.send(frame('01 00 00 00 01', { id: 1 }))
    const bytes = await client.read(24)
    expect(bytes.readUInt16BE(0)).toBeGreaterThanOrEqual(0x8000)
  })

  test.each([
    ['late', '000100000004010101'],
    ['transaction-id', '100200000004010101'],
    ['unit', '000200000004020101'],
    ['function-code', '000200000004010601'],
    ['byte-count', '000200000006010103'],
  ] as const)('a wrong answer: %s', async (how, expected) => {
    await start()
    client.send(frame('01 00 00 00 01', { id: 1 }))
    await answer()
    panel.answerWrong(how)
    client.send(frame('01 00 00 00 01', { id: 2 }))
    expect((await client.read(9)).toString('hex')).toBe(expected)
  })

  test('refusing drops the connections and takes no new one, until it is normal again', async () => {
    await start()
    panel.behave({ is: 'refusing' })
    await client.closed
    await expect(Dial.to(panel.port)).rejects.toThrow('ECONNREFUSED')
    expect(panel.openSockets).toBe(0)
    panel.behave({ is: 'normal' })
    client = await Dial.to(panel.port)
    expect(await ask('01 00 00 00 01')).toBe('01 01 00')
  })

  test('after a reboot the port is the same, counters and relays start again, a held button is still held', async () => {
    await start()
    const { port } = panel
    await panel.press(0, { hold: true })
    panel.setCoil(3, true)
    const rebooted = panel.reboot(20)
    await client.closed
    await expect(Dial.to(port)).rejects.toThrow('ECONNREFUSED')
    await rebooted
    client = await Dial.to(port)
    expect(await ask('04 00 10 00 02')).toBe('04 04 00 00 00 00')
    expect(await ask('01 00 03 00 01')).toBe('01 01 00')
    expect(await ask('02 00 00 00 01')).toBe('02 01 01')
  })
})

describe('hostile clients', () => {
  test.each([
    ['another protocol id', '000100010006010100000001'],
    ['a length of one', '0001000000010101'],
    ['a length beyond a frame', '00010000010001'],
  ])('%s ends the connection and nothing else', async (_, bytes) => {
    await start()
    const other = await Dial.to(panel.port)
    other.send(Buffer.from(bytes, 'hex'))
    await other.closed
    expect(await ask('01 00 00 00 01')).toBe('01 01 00')
    expect(panel.openSockets).toBe(1)
  })

  test('a frame in single bytes and two in one piece are answered', async () => {
    await start()
    for (const byte of frame('01 00 00 00 01')) client.send(Buffer.from([byte]))
    expect(await answer()).toBe('01 01 00')
    client.send(Buffer.concat([frame('01 00 00 00 01'), frame('02 00 00 00 01')]))
    expect([await answer(), await answer()]).toEqual(['01 01 00', '02 01 00'])
  })

  test('more requests than a device can hold end the connection', async () => {
    await start()
    panel.behave({ is: 'slow', ms: 60_000 })
    client.send(Buffer.concat(Array.from({ length: 100 }, () => frame('01 00 00 00 01'))))
    await client.closed
  })

  test('noise never stops it', async () => {
    await start()
    for (let i = 0; i < 50; i++) {
      const noisy = await Dial.to(panel.port)
      noisy.send(randomBytes(300))
      await noisy.end()
    }
    expect(await ask('01 00 00 00 01')).toBe('01 01 00')
  })
})
