import type { Message } from '../../core/message/message.ts'
import type { Filled, View } from './codec.ts'
import type { RequestConfig } from './index.ts'

/** What is sent where a request says nothing: the message as CloudEvents 1.0, or with its words; else no body. */
export const defaultBody = (capability: string): Filled | null =>
  capability === 'event.send' ? cloudEvent : capability === 'page.send' ? page : null

export const defaultType = (capability: string, body: RequestConfig['body']): string =>
  body === undefined && capability === 'event.send'
    ? 'application/cloudevents+json; charset=utf-8'
    : typeof body === 'string'
      ? 'text/plain; charset=utf-8'
      : 'application/json; charset=utf-8'

/** CloudEvents 1.0.2, JSON format, structured mode. The id is the command's, so that a repeat is known as one. */
const cloudEvent = ({ id, message }: View): string =>
  `{"specversion":"1.0","id":${JSON.stringify(id)},${message ? restOf(message) : restFor(undefined)}}`

/** What all commands of one step say alike is written once: they share their message. */
const rests = new WeakMap<Message, string>()

const restOf = (message: Message): string => {
  const known = rests.get(message)
  if (known !== undefined) return known
  const rest = restFor(message)
  rests.set(message, rest)
  return rest
}

const restFor = (message: Message | undefined): string =>
  JSON.stringify({
    source: `/duress-bridge/${encodeURIComponent((message?.site ?? '').toWellFormed())}`,
    type: 'io.duress-bridge.incident',
    subject: message?.incident,
    time: new Date(message?.receivedAt ?? 0).toISOString(),
    datacontenttype: 'application/json',
    data: message,
  }).slice(1, -1)

const page = (view: View): string => JSON.stringify({ id: view.id, text: view.text(), message: view.message })
