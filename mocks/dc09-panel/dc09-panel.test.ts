import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { dc09Panel, type PanelOptions } from './index.ts'
import { AnswerReader, crcOf, enciphered, readAnswer, timeText, wrap } from './wire.ts'

const key = Buffer.from('ABCDABCDABCDABCDABCDABCDABCDABCD', 'hex')
const latin1 = (text: string) => Buffer.from(text, 'latin1')

describe('frames of other makers', () => {
  test.each([
    ['"SIA-DCS"0001RF3L77#1234[#1234|NRR|Atest]', '\nF4D20029'],
    ['"ADM-CID"9876R579BDFL789ABC#12345A[#12345A|1110 00 129]', '\n87CD0037'],
    ['"NULL"0000RC0FFDL1234#080027E62A64[]_13:40:27,06-22-2015', '\nC26E0038'],
  ])('%s', (body, head) => {
    expect(wrap(body).toString('latin1')).toBe(`${head}${body}\r`)
  })

  test('CRC as two bytes', () => {
    const body = '"ADM-CID"0379R0L0#10064[10064|1602 00 000]_00:00:43,02-21-2024'
    expect(wrap(body, { binaryCrc: true })).toEqual(latin1(`\n\xc1~003E${body}\r`))
    expect(crcOf(Buffer.from('123456789'))).toBe(0xbb3d)
  })

  test('the time is GMT', () => {
    expect(timeText(Date.UTC(2015, 3, 14, 16, 9, 9))).toBe('_16:09:09,04-14-2015')
  })
})

describe('answers of other receivers', () => {
  test.each([
    ['\nA62A0012"ACK"0001L0#7099[]\r', { is: 'ACK', seq: '0001', line: '0', account: '7099', time: null }],
    [
      '\n3C830025"NAK"0000R0L0A0[]_16:09:09,04-14-2015\r',
      { is: 'NAK', receiver: '0', line: '0', account: null, time: '16:09:09,04-14-2015' },
    ],
    [
      '\n14140023"DUH"0045RC0FFDL1234#080027E62A64[]\r',
      { is: 'DUH', receiver: 'C0FFD', line: '1234', account: '080027E62A64' },
    ],
    [
      '\nE34C0062"*ACK"0001R5678L1234#080027E62A64[14F088FF5DCB19D1908069507EAB97C7CDB20F1C6EFA550BB59864D54B2DFA1C\r',
      { is: 'ACK', encrypted: true, time: '16:08:12,04-14-2015' },
    ],
  ])('%s', (frame, wanted) => {
    expect(new AnswerReader(key).read(latin1(frame))).toMatchObject([wanted])
  })

  test.each([
    ['\nA62B0012"ACK"0001L0#7099[]\r', 'wrong CRC'],
    ['A62A0012"ACK"0001L0#7099[]\r', 'starts with LF'],
    ['\nA62A0012"ACK"0001L0#7099[]\n', 'ends with CR'],
    [wrap('"ACK"0001R None L0#7099[]').toString('latin1'), 'not an answer'],
    [wrap(`"*ACK"0001L0#7099[${enciphered(']', key, false)}`).toString('latin1'), 'without a time'],
  ])('%j is dropped: %s', (frame, why) => {
    expect(() => new AnswerReader(key).read(latin1(frame))).toThrow(why)
  })

  test('without its key a panel reads no encrypted answer', () => {
    expect(() => readAnswer(latin1('"*ACK"0001L0#7099[00'), false, null)).toThrow('no key')
  })
})

describe('a panel', () => {
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  const receiver = async (
    reply: (bytes: Buffer, socket: Socket) => void,
    options: Partial<PanelOptions> = {},
  ) => {
    const heard: Buffer[] = []
    const server: Server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (bytes) => {
        heard.push(bytes)
        reply(bytes, socket)
      })
      ends.push(() => socket.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as { port: number }
    const panel = dc09Panel({ port, account: '7099', stamped: false, ...options })
    ends.push(() => panel.close())
    return { panel, heard }
  }

  test('sends the same again until it is answered, then counts on', async () => {
    let asked = 0
    const { panel, heard } = await receiver((_bytes, socket) => {
      if (++asked >= 3) socket.write(wrap('"ACK"0001L0#7099[]'))
    })
    expect(await panel.send('1120 01 005', { attempts: 5, withinMs: 100 })).toMatchObject({ is: 'ACK' })
    expect(heard.map((bytes) => bytes.toString())).toEqual(
      Array(3).fill(wrap('"ADM-CID"0001L0#7099[#7099|1120 01 005]').toString()),
    )
    expect(panel.frame('NRP').toString()).toContain('"SIA-DCS"0002L0#7099[#7099|NRP]')
  })

  test('counts from 9999 to 0001, and supervises with 0000', async () => {
    const { panel } = await receiver(() => {}, { seq: 9_998 })
    const seqs = ['NRP', 'NRP', 'NRP'].map((data) => panel.frame(data).toString().slice(18, 22))
    expect(seqs).toEqual(['9999', '0001', '0002'])
    expect(panel.frame('', { id: 'NULL' }).toString()).toContain('"NULL"0000L0#7099[]')
  })

  test('says what was wrong with an answer, and counts who hung up', async () => {
    const { panel } = await receiver((_bytes, socket) => socket.end('NAK'))
    expect(await panel.send('NRP', { withinMs: 100 })).toBeNull()
    expect(panel.drops).toBe(1)
    const other = await receiver((_bytes, socket) => socket.write('0123456789'))
    expect(await other.panel.send('NRP', { withinMs: 100 })).toBeNull()
    expect(other.panel.faults).toEqual(['an answer starts with LF, not with 48'])
  })

  test('supervises by itself', async () => {
    const { panel, heard } = await receiver((_bytes, socket) => socket.write(wrap('"ACK"0000L0#7099[]')))
    panel.superviseEvery(10)
    await expect.poll(() => heard.length).toBeGreaterThan(2)
  })
})
