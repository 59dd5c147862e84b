import { Command } from 'commander'
import type { Site } from '../core/site/site.ts'
import { say } from './print.ts'
import { readSite } from './site.ts'

export default new Command('privacy')
  .summary('what is kept of staff, as a page for them')
  .description(
    'Prints, for the staff of a site, what the bridge knows of where they are, when it is stored, for how long, and who can see it, by the config of the site. To be hung up or handed out.',
  )
  .argument('<file>', 'the config')
  .addHelpText('after', '\nExamples:\n  $ duress-bridge privacy site.yaml')
  .action(async (file: string) => {
    for (const line of privacyPage(await readSite(file))) say(line)
  })

/** The page, line by line. */
export const privacyPage = (site: Site): string[] => {
  const located = [...site.devices.values()].filter(
    ({ connector, place }) => place === null && site.locating.has(connector),
  )
  const cameras = [...site.devices.values()].filter(({ can }) => can.has('camera.snapshot'))
  const pictures = cameras.filter(({ name }) => isAsked(site, name))
  return [
    `# ${site.name}: what the duress system knows of you`,
    '',
    '## Where you are',
    '',
    located.length === 0
      ? '- No badge or phone of this site tells the system where it is, until it is pressed.'
      : `- ${located.length} badges, phones or tags tell the system where they are. It holds the last place and the minute before it, in memory, and writes none of it down.`,
    '- When you press, the minute before, the place, and each place until the incident is over are stored with the incident, so that help finds you and so that it can be proven what was done.',
    `- Incidents, with these places and with names, are deleted ${daysOf(site.incidents.retain)} after they are over, unless one is held as evidence.`,
    '- No screen shows where anybody is without an open incident. A supervisor can ask for it and must say why; who asked, when and why is on record.',
    '- To find rooms where badges are not heard, the system counts how often badges come to a room and how often one is not heard again after. It counts rooms, not badges or people.',
    '',
    '## Who you are',
    '',
    `- Who carries which device is written down with its dates. Without an end it counts for ${daysOf(site.people.assignment)}; after that the system names nobody.`,
    '- Those who come to help are told your name and role, where these are known. They are not told anything else about you.',
    '',
    '## Pictures',
    '',
    pictures.length === 0
      ? '- No picture is stored: no response of this site asks for one.'
      : `- In an incident, pictures of ${pictures.length} cameras may be stored: ${pictures.map(({ label }) => label).join(', ')}.`,
    ...noImage(site),
    '',
    'This page is made from the settings of the system (revision ' + site.revision + ').',
  ]
}

/** Whether a plan may ask a camera for a picture. */
const isAsked = (site: Site, camera: string): boolean =>
  site.plans.some(({ steps }) =>
    steps.some((step) =>
      step.do.some(
        ({ capability, to }) =>
          capability === 'camera.snapshot' && (to.includes(camera) || to.includes('nearest')),
      ),
    ),
  )

const noImage = (site: Site): string[] => {
  const places = [...site.places.values()].filter((place) => place.noImage && !place.parent?.noImage)
  return places.length === 0 ? [] : [`- Never from: ${places.map(({ name }) => name).join(', ')}.`]
}

const daysOf = (ms: number): string => {
  const days = Math.round(ms / 86_400_000)
  return days >= 2 ? `${days} days` : `${Math.round(ms / 3_600_000)} hours`
}
