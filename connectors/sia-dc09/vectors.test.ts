import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { SystemClock } from '../../core/clock.ts'
import type { Json } from '../../core/fact.ts'
import { testContext } from '../../test/context.ts'
import { accountsOf } from './accounts.ts'
import { keyOf, open } from './cipher.ts'
import { readContent, readHeader, timeOf } from './codec.ts'
import { type Cut, Splitter } from './frame.ts'
import declaration, { type Input } from './index.ts'
import { readContactId, readSia } from './payload.ts'
import { Receiver } from './receiver.ts'

interface Vector {
  readonly id: string
  readonly frameHex: string
  readonly frameText: string
  readonly crcOk?: boolean
  readonly lenOk?: boolean
  readonly key?: string
  readonly keyFormat?: 'hex' | 'ascii'
  readonly kind?: string
  readonly expect?: { readonly [name: string]: any }
  readonly expectedAnswer?: { readonly type: string; readonly frameText?: string; readonly header?: string }
}

const file = new URL('./fixtures/frames.json', import.meta.url)
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: readonly Vector[] }

const bytesOf = ({ frameHex }: Vector): Buffer => Buffer.from(frameHex, 'hex')
const cutsOf = (bytes: Buffer): Cut[] => {
  const splitter = new Splitter()
  return [...splitter.push(bytes), ...splitter.giveUp()]
}
const bodyOf = (vector: Vector): Buffer => {
  const bytes = bytesOf(vector)
  return bytes.subarray(bytes.indexOf('"'), bytes.lastIndexOf('\r'))
}
const keyOfVector = ({ key, keyFormat }: Vector): Buffer =>
  keyOf(key as string, keyFormat === 'hex' ? 'hex' : 'text') as Buffer

const numberIn = (written: string | null): string | null =>
  written === null ? null : written.replace(/^0+(?=.)/, '')

describe('every frame is read as it should be', () => {
  const read = vectors.filter(({ expect, kind }) => expect && kind === undefined)

  test.each(read.map((vector) => [vector.id, vector] as const))('%s', (_id, vector) => {
    const wanted = vector.expect as NonNullable<Vector['expect']>
    const header = readHeader(bodyOf(vector))
    expect(header).toMatchObject({
      id: wanted['token'],
      encrypted: wanted['encrypted'],
      seq: wanted['seq'],
      receiver: wanted['receiver'],
      line: wanted['line'],
      account: wanted['account'],
      nakA0: wanted['nakA0'] ?? false,
    })
    if (wanted['undecryptable']) return
    const opened = vector.key === undefined ? null : open(header?.rest ?? '', keyOfVector(vector))
    if (wanted['padHex'])
      expect(Buffer.from(opened?.pad ?? '', 'latin1').toString('hex')).toBe(wanted['padHex'])
    const content = readContent(opened ? opened.content : (header?.rest ?? ''))
    expect(content).toMatchObject({
      data: wanted['data'],
      ext: wanted['ext'],
      timestamp: wanted['timestamp'],
    })
    if ('dataAccount' in wanted) expect(content?.dataAccount).toBe(wanted['dataAccount'])
    if (wanted['sia']) {
      const { mods, events, rest } = readSia(content?.payload ?? '')
      const { code, address, rest: text } = wanted['sia']
      expect({ mods, rest }).toEqual({ mods: wanted['sia'].mods, rest: '' })
      expect(events).toHaveLength(1)
      expect(events[0]).toMatchObject({ code, number: numberIn(address) })
      expect(text ?? '').toContain(events[0]?.text ?? '')
      expect(events[0]?.text === null).toBe(text === null)
    }
    if (wanted['cid']) {
      const { qualifier, event, partition, zoneOrUser } = wanted['cid']
      expect(readContactId(content?.payload ?? '')).toMatchObject({
        qualifier,
        code: event,
        partition: numberIn(partition),
        number: numberIn(zoneOrUser),
      })
    }
  })

  test('the heartbeat line of another style is read too', () => {
    const vector = vectors.find(({ kind }) => kind === 'oh-heartbeat') as Vector
    const { account, id } = vector.expect as { account: string; id: string }
    expect(cutsOf(bytesOf(vector))).toEqual([{ is: 'heartbeat', account, id }])
  })
})

describe('a frame counts only with the right CRC and length', () => {
  const stated = vectors.filter(({ crcOk }) => crcOk !== undefined)

  test.each(stated.map((vector) => [vector.id, vector] as const))('%s', (_id, vector) => {
    expect(cutsOf(bytesOf(vector))).toHaveLength(vector.crcOk && vector.lenOk ? 1 : 0)
  })
})

/** A receiver at the time at which the frame was made, that knows the account of the frame. */
const receiverFor = (vector: Vector) => {
  const stamp = vector.expect?.['timestamp'] as string | undefined
  const now = (stamp && timeOf(stamp)) || Date.UTC(2026, 10, 22)
  class Then extends SystemClock {
    override now(): number {
      return now
    }
  }
  const context = testContext({ clock: new Then() })
  const account = vector.expect?.['account'] as string | undefined
  const refused = vector.id === 'neg-plain-for-enc'
  const known = [
    '1234',
    '7890',
    '10064',
    ...(account && /^.{3,16}$/.test(account) ? [account] : []),
    ...(refused ? ['1111'] : []),
  ]
  const keyed = refused ? '1111' : vector.key ? account : undefined
  const config = declaration.config.parse({
    accounts: Object.fromEntries(
      [...new Set(known)].map((name) => [name, name === keyed ? { key: { env: 'KEY' } } : {}]),
    ),
  })
  const key = vector.key ? keyOfVector(vector) : Buffer.alloc(16)
  const opening = {
    name: 'panels',
    config,
    inputs: new Map<string, Input>(),
    outputs: new Map<string, never>(),
    cursors: new Map<string, Json>(),
  }
  const keys = new Map<string, Buffer | 'unusable'>(keyed ? [[keyed.toUpperCase(), key]] : [])
  return { receiver: new Receiver(opening, context.ctx, accountsOf(opening, keys)), key, stamp, ...context }
}

const answersTo = async (vector: Vector) => {
  const around = receiverFor(vector)
  const answers: string[] = []
  for (const cut of cutsOf(bytesOf(vector))) {
    const answer = await around.receiver.answer(cut)
    if (answer) answers.push(answer.toString('latin1'))
  }
  return { ...around, answers }
}

describe('every frame is answered as it should be', () => {
  const kindOf = (answer: string): string => /"(\*?[A-Z]+)"/.exec(answer)?.[1] ?? answer
  const allowed: Record<string, string[][]> = {
    none: [[]],
    ACK: [['ACK']],
    '*ACK': [['*ACK']],
    DUH: [['DUH']],
    'ACK,ACK': [['ACK', 'ACK']],
    'DUH or ACK': [['ACK']],
    'ACK-or-DUH': [['ACK'], ['DUH']],
    'DUH-or-silent': [['DUH'], []],
    accept: [[]],
  }
  const answered = vectors.filter(({ expectedAnswer }) => expectedAnswer)

  test.each(answered.map((vector) => [vector.id, vector] as const))('%s', async (_id, vector) => {
    const { type, frameText, header } = vector.expectedAnswer as NonNullable<Vector['expectedAnswer']>
    const { answers, key, stamp } = await answersTo(vector)
    expect(allowed[type]).toContainEqual(answers.map(kindOf))
    if (frameText !== undefined) expect(answers).toEqual([frameText])
    if (header === undefined) return
    const [answer = ''] = answers
    expect(answer.slice(9, 9 + header.length)).toBe(header)
    const opened = open(answer.slice(9 + header.length, -1), key)
    expect(opened?.content).toBe(`]_${stamp}`)
    expect(opened?.pad.length).toBeGreaterThan(0)
  })

  test('the answers ACK, NAK, DUH and RSP of others are not answered', async () => {
    const theirs = vectors.filter(({ expect }) => ['ACK', 'NAK', 'DUH', 'RSP'].includes(expect?.['token']))
    expect(theirs.length).toBeGreaterThan(10)
    for (const vector of theirs) expect((await answersTo(vector)).answers).toEqual([])
  })

  test('a duress code, a panic and an unknown code become presses; restorals, troubles and tests do not', async () => {
    const found: Record<string, unknown> = {}
    for (const vector of vectors.filter(({ id }) => /^(spt-|neg-unk|bin-crc-cid)/.test(id)))
      for (const fact of (await answersTo(vector)).facts)
        found[vector.id] =
          fact.is === 'press' ? [fact.phase, fact.kind] : fact.is === 'trouble' && fact.trouble
    expect(found).toEqual({
      'spt-cid-122-silent': ['active', 'duress'],
      'spt-cid-123-audible': ['active', 'duress'],
      'spt-cid-125-duress-egress-granted': ['active', 'duress'],
      'spt-cid-384-rf-low-battery': 'low-battery',
      'spt-cid-351-telco1-fault': 'comm-loss',
      'spt-cid-381-rf-supervision-loss': 'comm-loss',
      'spt-sia-HH': ['restored', 'duress'],
      'spt-sia-HR': ['restored', 'duress'],
      'spt-sia-HJ': 'fault',
      'spt-sia-PA': ['active', 'duress'],
      'spt-sia-MA': ['active', 'medical'],
      'spt-sia-MR': ['restored', 'medical'],
      'spt-sia-TA': 'tamper',
      'spt-enc128-cid121': ['active', 'duress'],
      'spt-enc192-siaPA': ['active', 'duress'],
      'neg-unk-code': ['active', 'unknown'],
      'neg-unk-acct': ['active', 'unknown'],
    })
  })
})
