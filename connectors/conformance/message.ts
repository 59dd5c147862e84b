import type { Message } from '../../core/message/message.ts'

const pressedAt = Date.UTC(2026, 0, 5, 8)

/** What people are told, for trials of `page.send` and `event.send`; it tries to break out of the text that it is put into. */
export const message: Message = {
  incident: '0198c0de-0000-7000-8000-000000000001',
  site: 'Mercy North',
  timezone: 'UTC',
  number: 42,
  about: 'press',
  kind: 'duress',
  drill: false,
  silent: true,
  where: {
    place: 'north/l2/ed/triage-2',
    name: 'Triage 2, Emergency',
    short: 'ED Triage 2',
    precision: 'room',
    from: 'fixed',
    at: pressedAt,
  },
  who: 'R. O\'Neill "RN" <ed>\r\n.\r\nSEND',
  source: null,
  receivedAt: pressedAt,
  dueAt: pressedAt,
  acknowledgedBy: null,
  notes: ['{{values.token}} & </tag>'],
}
