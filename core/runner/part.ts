import type { Connector } from '../connector.ts'
import type { Site } from '../site/site.ts'

/** What one link is opened with, but for its cursors. */
export interface Part {
  readonly connector: Connector
  readonly connectorName: string
  /** Whether it lives in a thread of its own. */
  readonly isolate: boolean
  readonly config: unknown
  readonly inputs: Map<string, unknown>
  readonly outputs: Map<string, unknown>
}

/** Whether facts may come from a link: one without any devices may listen, one with outputs only does not. */
export const mayHear = ({
  inputs,
  outputs,
}: {
  readonly inputs: ReadonlyMap<string, unknown>
  readonly outputs: ReadonlyMap<string, unknown>
}): boolean => inputs.size > 0 || outputs.size === 0

/** Which devices and contact paths share a link; a connector without any still has one, since it may listen. */
export const partition = (site: Site): Map<string, Part> => {
  const parts = new Map<string, Part>()
  const part = (link: string, connectorName: string): Part => {
    const entry = site.connectors.get(connectorName)
    if (!entry) throw new Error(`no connector ${connectorName}`)
    const made = parts.get(link) ?? {
      connector: entry.connector,
      connectorName,
      isolate: entry.isolate,
      config: entry.config,
      inputs: new Map(),
      outputs: new Map(),
    }
    parts.set(link, made)
    return made
  }
  for (const device of site.devices.values()) {
    const on = part(device.link, device.connector)
    if (device.input !== null) on.inputs.set(device.name, device.input)
    if (device.output !== null) on.outputs.set(device.name, device.output)
  }
  for (const responder of site.responders.values())
    for (const path of responder.paths) part(path.link, path.connector).outputs.set(path.name, path.address)
  for (const name of site.connectors.keys())
    if (![...parts.values()].some((made) => made.connectorName === name)) part(name, name)
  return parts
}
