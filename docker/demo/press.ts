import { once } from 'node:events'
import { connect } from 'node:net'
import mqtt from 'mqtt'

/** Presses as a person would: the contact of the panel, or a badge by way of the broker. */
const which = process.argv[2]
if (which === 'lobby') {
  const socket = connect(18_503, '127.0.0.1').resume()
  await once(socket, 'close')
} else if (which === 'badge') {
  const client = await mqtt.connectAsync('mqtt://127.0.0.1:18883')
  await client.publishAsync('zigbee2mqtt/office', JSON.stringify({ action: 'single' }), { qos: 1 })
  await client.endAsync()
} else {
  console.error('press what: lobby or badge?')
  process.exitCode = 2
}
