import { SerialPort } from 'serialport'
import { expect, test } from 'vitest'
import { openEnd, serialCable } from '../../mocks/pty.ts'
import { openSerial } from './serial.ts'

const portAt = (path: string) => new SerialPort({ path, baudRate: 9_600, autoOpen: false })

test('row 14: a port that goes away is noticed, whatever it is at', { timeout: 30_000 }, async () => {
  for (let cycle = 0; cycle < 60; cycle++) {
    const cable = await serialCable()
    const [ours, theirs] = cable.ends
    const end = openEnd(theirs)
    let heard = () => {}
    const talks = new Promise<void>((resolve) => (heard = resolve))
    const line = await openSerial(portAt(ours), () => heard())
    // Full of talk, so that it is unplugged while it reads as well as while it waits.
    if (cycle % 2 === 0) {
      const talk = setInterval(() => end.writable && end.write('x'.repeat(200)), 1)
      await talks
      clearInterval(talk)
    }
    await cable.unplug()
    expect(await line.lost).toMatchObject({ code: 'UNREACHABLE' })
    await line.close()
    end.destroy()
  }
})

test('row 8: a port that is opened again hears again, and closing it twice is closing it', async () => {
  const cable = await serialCable()
  const [ours, theirs] = cable.ends
  const end = openEnd(theirs)
  for (let cycle = 0; cycle < 20; cycle++) {
    let heard = (_: string) => {}
    const word = new Promise<string>((resolve) => (heard = resolve))
    const line = await openSerial(portAt(ours), (bytes) => heard(bytes.toString()))
    end.write(`${cycle}`)
    expect(await word).toBe(`${cycle}`)
    const answer = new Promise((resolve) => end.once('data', resolve))
    line.write(`answer ${cycle}`)
    expect(String(await answer)).toBe(`answer ${cycle}`)
    await line.close()
    expect(await line.lost).toMatchObject({ code: 'UNREACHABLE', message: `${ours}: closed` })
    line.write('nobody is there')
    await line.close()
  }
  end.destroy()
  await cable.unplug()
})
