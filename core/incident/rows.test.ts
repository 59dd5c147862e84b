import { expect, test } from 'vitest'
import type { Command, Receipt } from '../command.ts'
import { commandOf, commandRow, receiptBodies, receiptBody, receiptOf } from './rows.ts'

const command: Command = {
  id: 'incident-1/step.0.0/security',
  incident: 'incident-1',
  target: 'security',
  connector: 'pager',
  capability: 'page.send',
  address: { number: '4711' },
  args: { message: { about: 'press' } },
  dueAt: 1_000,
  expiresAt: null,
  priority: 'person',
  unless: ['acknowledged'],
}

/** As it comes back from the store. */
const stored = <Row>(row: Row): Row => JSON.parse(JSON.stringify(row))

test('a command comes back from its row as it was', () => {
  expect(commandOf(stored(commandRow(command, 1)))).toEqual(command)
})

test('the body of a row repeats nothing of it', () => {
  const row = commandRow(command, 1)
  for (const name of Object.keys(row)) expect(row.body).not.toHaveProperty(name)
})

test('one whose message another carries names that one', () => {
  const args = { sameAs: 'incident-1/step.0.0/lobby' }
  expect(commandOf(stored(commandRow(command, 1, args.sameAs)))).toEqual({ ...command, args })
})

test('rows of schema 2, whose bodies are whole commands, are read as well', () => {
  expect(commandOf({ ...commandRow(command, 1), body: stored(command) as never })).toEqual(command)
})

test('a receipt comes back as it was, of schema 2 too; without one there is none', () => {
  const receipt: Receipt = {
    command: command.id,
    end: 'done',
    why: '',
    proof: 'answered',
    effect: 'had',
    attempts: 1,
    at: 1_200,
    result: {},
  }
  expect(receiptBody(receipt)).not.toHaveProperty('command')
  expect(receiptOf({ id: command.id, receipt: receiptBody(receipt) })).toEqual(receipt)
  expect(receiptOf({ id: command.id, receipt: stored(receipt) as never })).toEqual(receipt)
  expect(receiptOf({ id: command.id, receipt: null })).toBeNull()
})

test('receipts in a row that say the same share one body; each comes back as it was', () => {
  const one: Receipt = {
    command: 'incident-1/step.0.0/security',
    end: 'done',
    why: '',
    proof: 'answered',
    effect: 'had',
    attempts: 1,
    at: 2_000,
    result: null,
  }
  const all = [one, { ...one, command: 'b' }, { ...one, at: 2_001 }, { ...one, attempts: 2 }]
  const bodies = receiptBodies(all)
  expect(bodies).toEqual(all.map(receiptBody))
  expect(new Set(bodies).size).toBe(3)
})
